// Owns the way from an event to stdout. The event loop puts events into a bounded queue and goes
// on; a thread of its own takes them out, formats them and writes them. So a reader of our log
// that stalls stalls that thread alone: when the queue is full, events are dropped and counted,
// and once the reader drains again one record says how many lines it missed.
//
// What always holds: no call here blocks the loop. The thread and the queue are made at the start,
// and nothing here needs another thread later. Close gives what is queued a time limit, since the
// thread may be inside a write that never ends; the process then ends without it. A write that
// fails (the reader is gone, the disk is full) costs its line and nothing else: what went out of
// it is ended before the next line begins.

using System;
using System.IO;
using System.Text;
using System.Threading;
using Balancer.Linux;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;

namespace Balancer;

/// <summary>A logger whose lines a thread of its own writes to a stream.</summary>
public sealed class LogOutput
{
    /// <summary>
    /// Events that wait at most; some 5 MB of them, and a minute of a busy debug log.
    /// </summary>
    public const int QueueLength = 10_000;

    /// <summary>
    /// Seconds that the end of the process waits for a reader of the log, and of stderr.
    /// </summary>
    public const int PatienceSeconds = 1;

    private readonly LogQueue _queue;
    private readonly Thread _thread;

    /// <summary>Throws NetworkSetupException where no thread can be made.</summary>
    /// <param name="output">Where lines go; written by one thread only.</param>
    /// <param name="formatter">Turns an event into a line with its end.</param>
    /// <param name="least">The least level that is logged.</param>
    /// <param name="clock">Says when lost lines may be counted out again.</param>
    /// <param name="queueLength">Events that wait at most, 1 or more.</param>
    public LogOutput(Stream output, ITextFormatter formatter, LogEventLevel least,
        TimeProvider clock, int queueLength = QueueLength)
    {
        _queue = new LogQueue(queueLength);
        Logger = new LoggerConfiguration()
            .MinimumLevel.Is(least)
            .WriteTo.Sink(_queue)
            .CreateLogger();
        _thread = BackgroundThread.Start("log", () => WriteAll(output, formatter, clock));
    }

    public ILogger Logger { get; }

    /// <summary>Counts a line as lost that could not be made.</summary>
    public void Lose() => _queue.Drop();

    /// <summary>
    /// Takes no more events and writes those that wait; false when that took longer than the
    /// limit, in which case the thread is still at it.
    /// </summary>
    public bool Close(TimeSpan limit)
    {
        _queue.Close();
        return _thread.Join(limit);
    }

    private void WriteAll(Stream output, ITextFormatter formatter, TimeProvider clock)
    {
        using var writer = new LineWriter(output, formatter, _queue, clock);
        while (_queue.Next() is { } logEvent)
        {
            try
            {
                writer.Write(logEvent);
            }
            catch (Exception)
            {
                // A line that cannot be made, for want of memory or by a mistake of ours, is not
                // worth the process.
                writer.Lose();
            }
        }
    }
}

/// <summary>Events that wait to be written, in order; one thread takes them out.</summary>
internal sealed class LogQueue(int length) : ILogEventSink
{
    private readonly object _lock = new();
    private readonly LogEvent?[] _waiting = new LogEvent?[length];
    private int _first;
    private int _count;
    private long _dropped;
    private bool _closed;

    /// <summary>Events lost because the queue was full or memory was short.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    /// <summary>Takes an event, or drops it; never waits for the thread that writes.</summary>
    public void Emit(LogEvent logEvent)
    {
        lock (_lock)
        {
            if (_closed)
                return;
            if (_count == _waiting.Length)
            {
                Drop();
                return;
            }
            _waiting[(_first + _count) % _waiting.Length] = logEvent;
            _count++;
            if (_count == 1)
                Monitor.Pulse(_lock);
        }
    }

    /// <summary>Counts an event as dropped that could not be made.</summary>
    public void Drop() => Interlocked.Increment(ref _dropped);

    /// <summary>The next event, waited for; null when the queue is closed and empty.</summary>
    public LogEvent? Next()
    {
        lock (_lock)
        {
            while (_count == 0 && !_closed)
                Monitor.Wait(_lock);
            if (_count == 0)
                return null;
            var next = _waiting[_first];
            _waiting[_first] = null;
            _first = (_first + 1) % _waiting.Length;
            _count--;
            return next;
        }
    }

    /// <summary>No event more is taken.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            Monitor.Pulse(_lock);
        }
    }
}

/// <summary>Writes lines, and says how many were lost as soon as it can.</summary>
internal sealed class LineWriter(
    Stream output, ITextFormatter formatter, LogQueue queue, TimeProvider clock) : IDisposable
{
    /// <summary>Between two records of loss while the queue never empties.</summary>
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(5);

    private readonly StringWriter _line = new();
    private byte[] _bytes = new byte[1024];
    private long _failedWrites;
    private long _reported;
    private long _reportedAt;

    /// <summary>The last line that went out has no end.</summary>
    private bool _isTorn;

    public void Write(LogEvent logEvent)
    {
        if (!TryWrite(logEvent))
            _failedWrites++;
        else if (Lost > _reported && IsTimeToReport())
            ReportLoss();
    }

    /// <summary>Counts a line as lost whose writing was broken off.</summary>
    public void Lose()
    {
        _line.GetStringBuilder().Clear();
        _failedWrites++;
    }

    /// <summary>The queue is closed and empty: the last chance to say what is missing.</summary>
    public void Dispose()
    {
        try
        {
            if (Lost > _reported)
                ReportLoss();
        }
        catch (OutOfMemoryException)
        {
            // How many are missing is lost with them.
        }
        _line.Dispose();
    }

    private long Lost => _failedWrites + queue.Dropped;

    private bool IsTimeToReport()
    {
        if (queue.IsEmpty || _reported == 0)
            return true;
        // A clock that went back says nothing about how long ago that was.
        var since = clock.GetElapsedTime(_reportedAt);
        return since < TimeSpan.Zero || since >= ReportInterval;
    }

    private void ReportLoss()
    {
        var lost = Lost;
        var report = new DaemonEvent.LogLinesLost(lost - _reported);
        if (!TryWrite(BalancerLog.Record(in report, DateTimeOffset.UtcNow)))
            return;
        _reported = lost;
        _reportedAt = clock.GetTimestamp();
    }

    private bool TryWrite(LogEvent logEvent)
    {
        var start = _isTorn ? 1 : 0;
        if (_isTorn)
            _line.Write('\n');
        formatter.Format(logEvent, _line);
        var text = _line.GetStringBuilder();
        var most = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (_bytes.Length < most)
            _bytes = new byte[most];
        var length = Encoding.UTF8.GetBytes(text.ToString(), _bytes);
        text.Clear();
        try
        {
            output.Write(_bytes, 0, length);
            output.Flush();
            _isTorn = false;
            return true;
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // The end of the line before may have gone out alone.
            if (failed is PartialWriteException { Written: > 0 and var written })
                _isTorn = written > start;
            return false;
        }
    }
}
