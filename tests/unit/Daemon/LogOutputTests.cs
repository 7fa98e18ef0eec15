// Holds the way to stdout to its promise: a reader that stalls, fails or goes away costs lines,
// which are counted and told, and never holds up who logs.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using Balancer;
using Balancer.Linux;
using Serilog;
using Serilog.Events;
using Serilog.Formatting;
using Xunit;

namespace Tests.Unit.Daemon;

public sealed class LogOutputTests
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);

    [Fact]
    public void Lines_ComeOutInOrder()
    {
        using var reader = new ScriptedReader();
        var log = Open(reader, queueLength: 1000);
        for (var i = 0; i < 500; i++)
            log.Logger.Information("{number}", i);
        Assert.True(log.Close(Generous));
        Assert.Equal(Enumerable.Range(0, 500), reader.Numbers());
    }

    [Fact]
    public void StalledReader_LosesAndCountsLinesButHoldsNobodyUp()
    {
        using var reader = new ScriptedReader();
        reader.Stall();
        var log = Open(reader, queueLength: 16);
        for (var i = 0; i < 1000; i++)
            log.Logger.Information("{number}", i);
        // That the loop ended is the proof: nothing reads until now.
        Assert.Empty(reader.Numbers());
        reader.GoOn();
        Assert.True(log.Close(Generous));
        var lost = reader.Losses().Sum();
        Assert.True(lost >= 1000 - 17, $"a queue of 16 and one in hand cannot hold {1000 - lost}");
        Assert.Equal(1000, reader.Numbers().Count + lost);
    }

    [Fact]
    public void DrainedReader_GetsOneRecordOfItAndReadsOn()
    {
        using var reader = new ScriptedReader();
        reader.Stall();
        var log = Open(reader, queueLength: 8);
        for (var i = 0; i < 100; i++)
            log.Logger.Information("{number}", i);
        reader.GoOn();
        Assert.True(SpinWait.SpinUntil(() => reader.Losses().Count > 0, Generous));
        log.Logger.Information("{number}", 100);
        Assert.True(log.Close(Generous));
        Assert.Equal(100, reader.Numbers()[^1]);
        Assert.Equal(101, reader.Numbers().Count + reader.Losses().Sum());
    }

    [Fact]
    public void StalledReader_DoesNotHoldUpTheEnd()
    {
        using var reader = new ScriptedReader();
        reader.Stall();
        var log = Open(reader, queueLength: 16);
        log.Logger.Information("{number}", 1);
        var clock = Stopwatch.StartNew();
        Assert.False(log.Close(TimeSpan.FromMilliseconds(50)));
        Assert.True(clock.Elapsed < Generous);
        reader.GoOn();
    }

    [Fact]
    public void BrokenPipe_CostsLinesUntilItIsMended()
    {
        using var reader = new ScriptedReader { IsBroken = true };
        var log = Open(reader, queueLength: 1000);
        for (var i = 0; i < 10; i++)
            log.Logger.Information("{number}", i);
        Assert.True(SpinWait.SpinUntil(() => reader.FailedWrites == 10, Generous));
        reader.IsBroken = false;
        log.Logger.Information("{number}", 10);
        Assert.True(log.Close(Generous));
        Assert.Equal([10], reader.Numbers());
        Assert.Equal([10L], reader.Losses());
        Assert.Equal(10, reader.FailedWrites);
    }

    [Fact]
    public void BrokenPipe_IsWrittenToOncePerLine()
    {
        using var reader = new ScriptedReader { IsBroken = true };
        var log = Open(reader, queueLength: 1000);
        for (var i = 0; i < 10; i++)
            log.Logger.Information("{number}", i);
        Assert.True(log.Close(Generous));
        // Ten lines, and one try at the end to say that they are lost.
        Assert.Equal(11, reader.FailedWrites);
        Assert.Empty(reader.Numbers());
    }

    [Fact]
    public void LineTornByAFullDisk_IsEndedBeforeTheNext()
    {
        using var disk = new SmallDisk(capacity: 300);
        var log = new LogOutput(disk, new BunyanFormatter("h", 1), LogEventLevel.Information,
            TimeProvider.System);
        for (var i = 0; i < 10; i++)
            log.Logger.Information("{number}", i);
        Assert.True(SpinWait.SpinUntil(() => disk.FailedWrites == 8, Generous));
        disk.Room = long.MaxValue;
        log.Logger.Information("{number}", 10);
        Assert.True(log.Close(Generous));

        var lines = disk.Text.Split('\n');
        // Two whole, the torn one, the one that came when there was room, and the loss.
        Assert.Equal(["0", "1", "torn", "10", "8", ""], lines.Select(Said));
    }

    [Fact]
    public void WriteThatFailsWhole_LeavesNoEmptyLine()
    {
        using var disk = new SmallDisk(capacity: 0);
        var log = new LogOutput(disk, new BunyanFormatter("h", 1), LogEventLevel.Information,
            TimeProvider.System);
        log.Logger.Information("{number}", 0);
        Assert.True(SpinWait.SpinUntil(() => disk.FailedWrites == 1, Generous));
        disk.Room = long.MaxValue;
        log.Logger.Information("{number}", 1);
        Assert.True(log.Close(Generous));

        Assert.Equal(["1", "1", ""], disk.Text.Split('\n').Select(Said));
    }

    private static string Said(string line)
    {
        try
        {
            if (line.Length == 0)
                return "";
            var record = JsonDocument.Parse(line).RootElement;
            return record.TryGetProperty("number", out var number)
                || record.TryGetProperty("lost", out number) ? number.ToString() : "nothing";
        }
        catch (JsonException)
        {
            return "torn";
        }
    }

    [Fact]
    public void LowerLevels_AreOff()
    {
        using var reader = new ScriptedReader();
        var log = new LogOutput(reader, new BunyanFormatter("h", 1), LogEventLevel.Warning,
            TimeProvider.System);
        Assert.False(log.Logger.IsEnabled(LogEventLevel.Information));
        log.Logger.Information("{number}", 1);
        log.Logger.Warning("{number}", 2);
        Assert.True(log.Close(Generous));
        Assert.Equal([2], reader.Numbers());
    }

    /// <summary>Neither the line can be made nor the record that it is lost.</summary>
    [Fact]
    public void NoMemoryForAnyLineUntilTheEnd_ThreadEndsAllTheSame()
    {
        using var reader = new ScriptedReader();
        var log = new LogOutput(
            reader, new NoMemory(), LogEventLevel.Information, TimeProvider.System);
        log.Logger.Information("{number}", 1);

        Assert.True(log.Close(Generous));
        Assert.Empty(reader.Numbers());
    }

    /// <summary>More waits behind the second line, so it depends on the time alone.</summary>
    [Theory]
    [InlineData(4.9, "1 lost 2 3 lost")]
    [InlineData(5, "1 lost 2 lost 3")]
    [InlineData(-3600, "1 lost 2 lost 3")]
    public void MoreLoss_IsSaidAgainWhenItIsTimeOrTheClockWentBack(double seconds, string lines)
    {
        using var reader = new ScriptedReader();
        var clock = new SetClock();
        reader.Stall();
        var log = new LogOutput(reader, new BunyanFormatter("h", 1), LogEventLevel.Information,
            clock, queueLength: 16);
        for (var i = 1; i <= 3; i++)
            log.Logger.Information("{number}", i);
        log.Lose();
        reader.OnSecond = () =>
        {
            log.Lose();
            clock.Add(TimeSpan.FromSeconds(seconds));
        };
        reader.GoOn();

        Assert.True(log.Close(Generous));
        Assert.Equal(lines, string.Join(' ', reader.Lines()));
    }

    private static LogOutput Open(Stream reader, int queueLength) =>
        new(reader, new BunyanFormatter("h", 1), LogEventLevel.Information,
            TimeProvider.System, queueLength);

    private sealed class SetClock : TimeProvider
    {
        private long _ticks = TimeSpan.TicksPerDay;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Add(TimeSpan time) => _ticks += time.Ticks;
    }

    private sealed class NoMemory : ITextFormatter
    {
        // As the runtime does it.
#pragma warning disable CA2201
        public void Format(LogEvent logEvent, TextWriter output) =>
            throw new OutOfMemoryException();
#pragma warning restore CA2201
    }

    /// <summary>A stream that keeps lines, and stalls or breaks as told.</summary>
    private sealed class ScriptedReader : Stream
    {
        private readonly ManualResetEventSlim _goesOn = new(true);
        private readonly List<JsonElement> _records = [];

        public bool IsBroken { get; set; }

        /// <summary>Done while the line with number 2 is written.</summary>
        public Action OnSecond { get; set; } = () => { };

        public int FailedWrites { get; private set; }

        public void Stall() => _goesOn.Reset();

        public void GoOn() => _goesOn.Set();

        public List<int> Numbers()
        {
            lock (_records)
            {
                return [.. _records.Where(record => record.TryGetProperty("number", out _))
                    .Select(record => record.GetProperty("number").GetInt32())];
            }
        }

        /// <summary>The numbers and "lost", in order.</summary>
        public List<string> Lines()
        {
            lock (_records)
            {
                return [.. _records.Select(record =>
                    record.TryGetProperty("number", out var number) ? number.ToString() : "lost")];
            }
        }

        public List<long> Losses()
        {
            lock (_records)
            {
                return [.. _records
                    .Where(record => record.TryGetProperty("event", out var name)
                        && name.GetString() == "log_lines_lost")
                    .Select(record => record.GetProperty("lost").GetInt64())];
            }
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            _goesOn.Wait();
            if (IsBroken)
            {
                FailedWrites++;
                throw new IOException("Broken pipe");
            }
            Assert.Equal((byte)'\n', buffer[offset + count - 1]);
            var line = Encoding.UTF8.GetString(buffer, offset, count);
            var record = JsonDocument.Parse(line).RootElement;
            lock (_records)
                _records.Add(record);
            if (record.TryGetProperty("number", out var number) && number.GetInt32() == 2)
                OnSecond();
        }

        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) =>
            throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) =>
            throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            _goesOn.Set();
            base.Dispose(disposing);
        }
    }

    /// <summary>Takes bytes until it is full, as a file system does.</summary>
    private sealed class SmallDisk(long capacity) : MemoryStream
    {
        private readonly Lock _lock = new();
        private int _failedWrites;

        public long Room
        {
            get;
            set
            {
                lock (_lock)
                    field = value;
            }
        } = capacity;

        public int FailedWrites => Volatile.Read(ref _failedWrites);

        public string Text
        {
            get
            {
                lock (_lock)
                    return Encoding.UTF8.GetString(ToArray());
            }
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            lock (_lock)
            {
                var room = (int)Math.Min(Room - Length, count);
                base.Write(buffer, offset, room);
                if (room == count)
                    return;
                Interlocked.Increment(ref _failedWrites);
                throw new PartialWriteException(room, 28);
            }
        }
    }
}
