// Holds the catalogue to its snapshot and to its page in docs/: one record of each event, as
// operators and their filters see it. A change of a level, a sentence or a field's name shows up
// here, as it would for them; a new event without words, or without its section, does too.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Balancer;
using Balancer.Core;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Snapshooter.Xunit;
using Xunit;
using LogEvent = Balancer.Core.LogEvent;

namespace Tests.Unit.Daemon;

public sealed class BalancerLogTests
{
    private const string Path = "/var/run/binder/sockets/5301";
    private static readonly BackendId Backend = new(5301);
    private static readonly Ipv4 Host = Ipv4.From(10, 77, 77, 5);
    private static readonly Endpoint Client = new(Host, 40123);
    private static readonly ConnectionId Connection = new(17);
    private static readonly Instant Now = new(90_000_000_000);
    private static readonly BackendSnapshot Standing = new(Backend, Path, BackendState.Healthy, 4,
        false, Duration.FromSeconds(1L), 1, 0, 1000, 20, 0, 0, false, false, false, false, false,
        Instant.Zero, 7);
    private static readonly IoResult NoError = IoResult.Ok();
    private static readonly IoResult Refused = IoResult.Failed(IoStatus.Refused, 111);
    private static readonly IoResult TooManyFiles = IoResult.Failed(IoStatus.TooManyFiles, 24);

    /// <summary>Every event, in the order in which an operator would meet them.</summary>
    private static readonly Sample[] Samples =
    [
        Of(new DaemonEvent.StartupWarning(
            "changes in the socket directory are noticed only by the periodic scan: "
                + "Function not implemented (ENOSYS)")),
        Of(new LogEvent.Started(new Endpoint(Ipv4.Any, 53), "/var/run/binder/sockets")),
        Of(new LogEvent.BackendDiscovered(Backend, Path)),
        Of(new LogEvent.BackendConnected(Backend, Path)),
        Of(new LogEvent.BackendHealthy(Backend, Path)),
        Of(new LogEvent.HeartbeatSent(Backend)),
        Of(new LogEvent.HeartbeatAnswered(Backend)),
        .. Enum.GetValues<FaultCause>().Select(FaultOf),
        Of(new LogEvent.BackendRestarted(Backend, Path)),
        Of(new LogEvent.BackendDraining(Backend, Path)),
        Of(new LogEvent.BackendStopped(Backend, Path,
            IoResult.Failed(IoStatus.EndOfStream), Duration.FromSeconds(1L))),
        Of(new LogEvent.BackendStopped(Backend, Path,
            IoResult.Failed(IoStatus.BrokenPipe, 32), Duration.FromSeconds(1L))),
        Of(new LogEvent.BackendResumed(Backend, Path)),
        Of(new LogEvent.BackendRemoved(Backend, Path)),
        Of(new LogEvent.BackendReturned(Backend, Path)),
        Of(new LogEvent.BackendForgotten(Backend, Path)),
        Of(new LogEvent.BackendStuck(Backend, 262_128, 4)),
        Of(new LogEvent.BackendUnstuck(
            Backend, new Duration(4_200_300_000), 812, StuckEnd.Drained)),
        Of(new LogEvent.BackendUnstuck(
            Backend, Duration.FromSeconds(15L), 1, StuckEnd.SessionEnded)),
        Of(new LogEvent.BackendSuspected(Backend, Path, Duration.FromMilliseconds(200), 1)),
        Of(new LogEvent.BackendSuspected(Backend, Path, Duration.FromMilliseconds(200), 37)),
        Of(new LogEvent.BackendFailing(Backend, Path, 96, 100, new BackendId(5303), 3, 100)),
        Of(new LogEvent.BackendMute(Backend, Path, 41)),
        Of(new LogEvent.BackendNoLongerFailing(
            Backend, Path, 7, 100, Duration.FromMilliseconds(12_345))),
        Of(new LogEvent.BackendNoLongerFailing(Backend, Path, 0, 0, Duration.FromSeconds(10))),
        Of(new LogEvent.ProbeSent(Backend, 17)),
        Of(new LogEvent.BackendDownByProbe(Backend, Path, ProbeFailure.NoAnswer, 3)),
        Of(new LogEvent.BackendDownByProbe(Backend, Path, ProbeFailure.ServerFailure, 1)),
        Of(new LogEvent.BackendDownByProbe(Backend, Path, ProbeFailure.Refused, 3)),
        Of(new LogEvent.BackendUpByProbe(Backend, Path, Duration.FromMilliseconds(12_345))),
        Of(new LogEvent.BackendTrusted(Backend, Path, Duration.FromMilliseconds(2_104))),
        Of(new LogEvent.QueriesResent(Backend, 1, 0)),
        Of(new LogEvent.QueriesResent(Backend, 412, 3)),
        Of(new LogEvent.QueryQuarantined(Backend, new Endpoint(Ipv4.From(10, 0, 0, 7), 40_007),
            [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, .. "w\nw"u8, 4, .. "test"u8, 0, 0, 12, 0, 1],
            Duration.FromSeconds(60L))),
        Of(new LogEvent.QueryQuarantined(
            Backend, Client, [0, 7, 1, 0], Duration.FromSeconds(3600L))),
        Of(new LogEvent.QueryReleased(
            [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, .. "w"u8, 4, .. "test"u8, 0, 0, 12, 0, 1],
            QueryRelease.Explained, Duration.FromMilliseconds(12_345))),
        Of(new LogEvent.QueryReleased(
            [0, 7, 1, 0], QueryRelease.Answered, Duration.FromMilliseconds(80))),
        Of(new LogEvent.QueryRefusalProlonged(Backend,
            [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, .. "w"u8, 4, .. "test"u8, 0, 0, 12, 0, 1],
            Duration.FromSeconds(60L), 0)),
        Of(new LogEvent.ClientOverShare(Client, Backend, 0)),
        Of(new LogEvent.ClientOverShare(Client, Backend, 8_122)),
        Of(new LogEvent.EntryNotASocket("/var/run/binder/sockets/notes.txt")),
        .. Enum.GetValues<EntryRefusal>().Select(
            why => Of(new LogEvent.EntryRefused("/var/run/binder/sockets/5557", why))),
        Of(new LogEvent.EntryRecordsSuppressed(1)),
        Of(new LogEvent.EntryRecordsSuppressed(212)),
        Of(new LogEvent.ClockWentBack(Duration.FromMilliseconds(2_000), 0)),
        Of(new LogEvent.ClockWentBack(Duration.FromMilliseconds(50), 3)),
        Of(new LogEvent.SocketsNotWatched(IoResult.Failed(IoStatus.Other, 28), 0)),
        Of(new LogEvent.SocketsWatched(new Duration(12_345_678_901), 0)),
        Of(new LogEvent.SocketsWatched(new Duration(12_345_678), 14)),
        Of(new LogEvent.DirectoryUnreadable("/var/run/binder/sockets",
            IoResult.Failed(IoStatus.AccessDenied, 13), 0)),
        Of(new LogEvent.DirectoryReadable("/var/run/binder/sockets", 0)),
        Of(new LogEvent.DirectoryReadable("/var/run/binder/sockets", 37)),
        Of(new LogEvent.DirectoryNotAnswering(
            "/var/run/binder/sockets", Duration.FromSeconds(3L))),
        Of(new LogEvent.DirectoryAnswering(
            "/var/run/binder/sockets", new Duration(61_204_000_000))),
        Of(new LogEvent.RescanRequested()),
        Of(new LogEvent.NoHealthyBackend(1)),
        Of(new LogEvent.NoHealthyBackend(250)),
        Of(new LogEvent.OutageEnded(new Duration(4_012_345_678), 890, 4, 0)),
        Of(new LogEvent.OutageEnded(new Duration(312_345_678), 90, 1, 11)),
        Of(new LogEvent.RemoteAssigned(Host, Backend, IsBackup: false)),
        Of(new LogEvent.RemoteAssigned(Host, Backend, IsBackup: true)),
        Of(new LogEvent.RemoteExpired(Host)),
        Of(new LogEvent.RemoteEvicted(Host, Ipv4.From(10, 77, 77, 6))),
        Of(new LogEvent.RemoteMoved(Host, Backend)),
        Of(new LogEvent.RemotesExpired(3)),
        Of(new LogEvent.Rebalancing(Backend, 12, 9)),
        Of(new LogEvent.Query(Client, 29, Counter.QueriesForwarded, Backend)),
        .. Counters.QueryDrops.Select(
            drop => Of(new LogEvent.Query(Client, 29, drop, BackendId.None))),
        Of(new LogEvent.ReceiveFailed(IoResult.Failed(IoStatus.NoBuffers, 12), 0)),
        Of(new LogEvent.ReplyUndeliverable(
            Client, IoResult.Failed(IoStatus.AccessDenied, 1), 2)),
        Of(new LogEvent.SendFailed(Client, IoResult.Failed(IoStatus.NoBuffers, 105), 0)),
        Of(new LogEvent.AcceptFailed(TooManyFiles, 49)),
        Of(new LogEvent.AcceptAborted(IoResult.Failed(IoStatus.Aborted, 103), 0)),
        Of(new LogEvent.ConnectionsOverLimit(Client, 7)),
        Of(new LogEvent.ClientOverLimit(Client, 0)),
        Of(new LogEvent.ConnectWithoutResources(Backend, Path, TooManyFiles, 8)),
        Of(new LogEvent.SessionsWithoutMemory(IoResult.Failed(IoStatus.NoBuffers, 105), 0)),
        Of(new LogEvent.SessionsHaveMemory(new Duration(3_045_678_901), 0)),
        Of(new LogEvent.SessionsHaveMemory(new Duration(12_345_678), 14)),
        Of(new LogEvent.ConnectionWithoutResources(Connection, TooManyFiles, 8)),
        Of(new LogEvent.ConnectionOpened(Connection, Client, Backend)),
        Of(new LogEvent.ConnectionRelaying(Connection, Backend)),
        Of(new LogEvent.BackendAcceptQueueFull(
            Backend, Connection, IoResult.Failed(IoStatus.WouldBlock, 11), 3)),
        Of(new LogEvent.ConnectionRefusedByBackend(
            Connection, Backend, new Fault(FaultCause.ConnectFailed, Refused), 0)),
        Of(new LogEvent.ConnectionRefusedByBackend(
            Connection, Backend, new Fault(FaultCause.NotTcpOk, Detail: 1001), 3)),
        .. Counters.ConnectionEnds.Select(end => Of(new LogEvent.ConnectionClosed(
            Connection, Client, end, NoError, 512, 65_536))),
        Of(new LogEvent.ConnectionClosed(Connection, Client,
            Counter.ConnectionsFailedByClient, IoResult.Failed(IoStatus.Reset, 104), 0, 1)),
        Of(new LogEvent.Status(
            new Instant(90_000_000_000), 3, 2, 12, 5, 1, 0, new Duration(1_234_567),
            CountersThatDiffer())),
        Of(new LogEvent.Status(
            new Instant(90_000_000_000), 3, 2, 12, 5, 1, 2, new Duration(1_234_567),
            new Counters())),
        Of(new LogEvent.BackendStatus(new BackendSnapshot(Backend, Path,
            BackendState.AwaitingHello, 4, true, Duration.FromSeconds(3), 6, 5, 1000, 20, 9, 16,
            false, false, false, false, false, Instant.Zero, 7), Now)),
        Of(new LogEvent.BackendStatus(Standing with { ColdUntil = Now }, Now)),
        Of(new LogEvent.BackendStatus(
            Standing with { State = BackendState.Draining, IsSuspect = true }, Now)),
        Of(new LogEvent.BackendStatus(Standing with { IsFailing = true }, Now)),
        Of(new LogEvent.BackendStatus(Standing with { IsFailing = true, IsMute = true }, Now)),
        Of(new LogEvent.BackendStatus(Standing with
        {
            IsStuck = true, IsSuspect = true, IsDownByProbe = true, IsFailing = true,
            ColdUntil = Instant.Never,
        }, Now)),
        Of(new LogEvent.RemoteStatus(new RemoteSnapshot(Host, true, Backend,
            new BackendId(5303), new Instant(30_000_000_000), new Instant(88_500_000_000),
            1, 2, 3, 4), new Instant(90_000_000_000))),
        Of(new LogEvent.Stopping(1, Limits.StopGrace)),
        Of(new LogEvent.Stopping(0, Limits.StopGrace)),
        Of(new LogEvent.Stopped(CountersThatDiffer())),
        Of(new DaemonEvent.LogLinesLost(12)),
        Of(new DaemonEvent.DescriptorLimit(64, 19, 26)),
        Of(new DaemonEvent.MemoryLimit(25_165_824, 98_304, 153, 16)),
        Of(new DaemonEvent.TcpConnectionsLowered(20_000, 153)),
        Of(new DaemonEvent.CannotStart("cannot bind UDP 0.0.0.0:53: Permission denied (EACCES)")),
        Of(new DaemonEvent.Bug("invariant broken: an armed timer is in this heap")),
    ];

    private sealed record Sample(string Name, LogLevel Level, Type Type, Action<IBalancerLog> Call);

    [Fact]
    public void Catalogue_MatchesTheSnapshot() =>
        Snapshot.Match(string.Concat(Records(LogEventLevel.Verbose, CallAll)));

    [Fact]
    public void Catalogue_HasEveryEvent() => Assert.Equal(
        new[] { typeof(ILogEvent).Assembly, typeof(DaemonEvent).Assembly }
            .SelectMany(assembly => assembly.GetTypes())
            .Where(type => type.IsValueType && type.IsAssignableTo(typeof(ILogEvent)))
            .Select(type => type.Name).Order(),
        Samples.Select(sample => sample.Type.Name).Distinct().Order());

    [Fact]
    public void Name_IsTheTypesInSnakeCase() => Assert.All(
        Samples, sample => Assert.Equal(SnakeCase(sample.Type.Name), sample.Name));

    [Fact]
    public void EveryRecord_CarriesItsEvent()
    {
        foreach (var sample in Samples)
        {
            var record = JsonDocument.Parse(Records(LogEventLevel.Verbose, sample.Call).Single());
            Assert.Equal(sample.Name, record.RootElement.GetProperty("event").GetString());
            Assert.Equal((int)sample.Level, record.RootElement.GetProperty("level").GetInt32());
        }
    }

    [Fact]
    public void Page_HasLevelSentenceAndFieldsOfEveryEvent()
    {
        var sections = Sections();
        Assert.Equal(Samples.Select(sample => sample.Name).Distinct().Order(),
            sections.Keys.Order());
        foreach (var samples in Samples.GroupBy(sample => sample.Name))
        {
            var section = sections[samples.Key];
            Assert.StartsWith(
                $"{samples.Key}`, {samples.First().Level.ToString().ToLowerInvariant()}\n", section,
                StringComparison.Ordinal);
            var records = samples.Select(sample => JsonDocument.Parse(
                Records(LogEventLevel.Verbose, sample.Call).Single()).RootElement).ToList();
            Assert.Contains(records, record =>
                section.Contains($"\n> {record.GetProperty("msg").GetString()}\n",
                    StringComparison.Ordinal));
            foreach (var field in records.SelectMany(OwnFields).Distinct())
                Assert.Contains($"`{field}`", section, StringComparison.Ordinal);
        }
    }

    /// <summary>The page by its headings: each begins with the event's name.</summary>
    private static Dictionary<string, string> Sections() =>
        File.ReadAllText(System.IO.Path.Combine(Root(), "docs", "operating", "log-events.md"))
            .Split("\n### `").Skip(1)
            .ToDictionary(section => section[..section.IndexOf('`', StringComparison.Ordinal)]);

    /// <summary>What a record has beside Bunyan's fields and the counters.</summary>
    private static IEnumerable<string> OwnFields(JsonElement record)
    {
        string[] common =
            ["name", "hostname", "pid", "level", "event", "msg", "time", "v"];
        return record.EnumerateObject().Select(field => field.Name).Except(common)
            .Except(Enum.GetNames<Counter>().Select(SnakeCase));
    }

    private static string Root([CallerFilePath] string here = "") =>
        System.IO.Path.GetFullPath(System.IO.Path.Combine(here, "..", "..", "..", ".."));

    private static string SnakeCase(string name) => string.Concat(name.Select(
        (c, i) => char.IsUpper(c) && i > 0 ? "_" + c : c.ToString())).ToLowerInvariant();

    private static Sample Of<TEvent>(TEvent logged) where TEvent : struct, ILogEvent =>
        new(TEvent.Name, TEvent.Level, typeof(TEvent), log => log.Write(in logged));

    [Fact]
    public void EveryRecord_SaysOneSentence()
    {
        foreach (var sample in Samples)
        {
            var line = Assert.Single(Records(LogEventLevel.Verbose, sample.Call));
            var message = JsonDocument.Parse(line).RootElement.GetProperty("msg").GetString();
            Assert.False(string.IsNullOrWhiteSpace(message), sample.Name);
        }
    }

    [Fact]
    public void EventWithoutWords_IsNotAnEmptySentence() =>
        Assert.Throws<InvalidOperationException>(() => Records(
            LogEventLevel.Verbose, log => log.Write(new Wordless())));

    private readonly record struct Wordless : ILogEvent
    {
        public static string Name => "wordless";
        public static LogLevel Level => LogLevel.Info;
    }

    [Fact]
    public void StatusAndStopped_HaveEveryCounter()
    {
        var counters = CountersThatDiffer();
        foreach (var call in new Action<IBalancerLog>[]
        {
            log => log.Write(new LogEvent.Status(
                Instant.Zero, 0, 0, 0, 0, 0, 0, Duration.Zero, counters)),
            log => log.Write(new LogEvent.Stopped(counters)),
        })
        {
            var record = JsonDocument.Parse(Records(LogEventLevel.Information, call).Single());
            foreach (var counter in Enum.GetValues<Counter>())
            {
                Assert.Equal(counters[counter], record.RootElement
                    .GetProperty(SnakeCase(counter.ToString())).GetInt64());
            }
        }
    }

    [Theory]
    [InlineData(LogEventLevel.Verbose)]
    [InlineData(LogEventLevel.Debug)]
    [InlineData(LogEventLevel.Information)]
    [InlineData(LogEventLevel.Warning)]
    [InlineData(LogEventLevel.Error)]
    [InlineData(LogEventLevel.Fatal)]
    public void Level_LetsThroughWhatIsAtOrAboveIt(LogEventLevel least)
    {
        var number = (int)least * 10 + 10;
        var all = Records(LogEventLevel.Verbose, CallAll);
        Assert.Equal(
            all.Where(line => LevelOf(line) >= number), Records(least, CallAll));
    }

    [Fact]
    public void NoMemoryForARecord_ItIsLostAndCounted()
    {
        var lost = 0;
        using var logger = new LoggerConfiguration().CreateLogger();
        IBalancerLog log = new BalancerLog(logger, new NoMemory(), () => lost++);

        log.Write(new LogEvent.HeartbeatSent(Backend));
        log.Write(new LogEvent.Stopping(0, default));

        Assert.Equal(1, lost);
    }

    [Fact]
    public void EventsThatAreOff_CostNoMemory()
    {
        using var logger = new LoggerConfiguration().MinimumLevel.Fatal().CreateLogger();
        IBalancerLog log = new BalancerLog(logger, TimeProvider.System, () => { });
        var counters = CountersThatDiffer();
        // The first call of a generic method costs the runtime some.
        CallAll(log);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            log.Write(new LogEvent.RemoteAssigned(Host, Backend, IsBackup: false));
            log.Write(new LogEvent.HeartbeatSent(Backend));
            log.Write(new LogEvent.HeartbeatAnswered(Backend));
            log.Write(new LogEvent.ConnectionOpened(Connection, Client, Backend));
            log.Write(new LogEvent.ConnectionRelaying(Connection, Backend));
            log.Write(new LogEvent.ConnectionClosed(
                Connection, Client, Counter.ConnectionsFinished, NoError, 1, 2));
            log.Write(new LogEvent.ReplyUndeliverable(Client, Refused, 1));
            log.Write(new LogEvent.BackendFaulted(
                Backend, Path, new Fault(FaultCause.EndOfStream), Duration.Zero));
            log.Write(new LogEvent.Status(
                Instant.Zero, 1, 1, 1, 1, 1, 1, Duration.Zero, counters));
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void CallAll(IBalancerLog log)
    {
        foreach (var sample in Samples)
            sample.Call(log);
    }

    private static int LevelOf(string line) =>
        JsonDocument.Parse(line).RootElement.GetProperty("level").GetInt32();

    private static Sample FaultOf(FaultCause cause)
    {
        var fault = cause switch
        {
            FaultCause.ConnectFailed => new Fault(cause, Refused),
            FaultCause.FrameBeforeHello => new Fault(cause, default, 1004),
            FaultCause.UnknownFrame => new Fault(cause, default, 0xdeadbeef),
            FaultCause.LengthTooLarge => new Fault(cause, default, 1u << 31),
            FaultCause.EndOfStream => new Fault(cause, IoResult.Failed(IoStatus.Reset, 104)),
            FaultCause.ReadFailed => new Fault(cause, IoResult.Failed(IoStatus.NoBuffers, 12)),
            FaultCause.WriteFailed => new Fault(cause, IoResult.Failed(IoStatus.Other, 9999)),
            _ => new Fault(cause),
        };
        var backOff = Duration.FromSeconds(cause == FaultCause.NotTcpOk ? 0 : 1L);
        return Of(new LogEvent.BackendFaulted(Backend, Path, fault, backOff));
    }

    /// <summary>
    /// Each counter has its own value, so that none can stand in for another; more queries are
    /// received than forwarded, and more replies than sent.
    /// </summary>
    private static Counters CountersThatDiffer()
    {
        var counters = new Counters();
        foreach (var counter in Enum.GetValues<Counter>())
            counters.Add(counter, 1000 - (int)counter);
        return counters;
    }

    private static List<string> Records(LogEventLevel least, Action<BalancerLog> call)
    {
        var sink = new LineList();
        using var logger = new LoggerConfiguration()
            .MinimumLevel.Is(least).WriteTo.Sink(sink).CreateLogger();
        call(new BalancerLog(logger, new StoppedClock(), () => { }));
        return sink.Lines;
    }

    private sealed class LineList : ILogEventSink
    {
        private readonly BunyanFormatter _formatter = new("binder-host", 4321);

        public List<string> Lines { get; } = [];

        public void Emit(Serilog.Events.LogEvent logEvent)
        {
            using var line = new StringWriter(CultureInfo.InvariantCulture);
            _formatter.Format(logEvent, line);
            Lines.Add(line.ToString());
        }
    }

    /// <summary>What a record is made with, when there is no memory for it.</summary>
    private sealed class NoMemory : TimeProvider
    {
        // As the runtime does it.
#pragma warning disable CA2201
        public override DateTimeOffset GetUtcNow() => throw new OutOfMemoryException();
#pragma warning restore CA2201
    }

    private sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() =>
            new(2026, 2, 3, 4, 5, 6, 789, TimeSpan.Zero);
    }
}
