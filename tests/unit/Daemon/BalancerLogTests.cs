// Holds the catalogue to its snapshot: one record of each event, as operators and their filters
// see it. A change of a level, a sentence or a field's name shows up here, as it would for them.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using Balancer;
using Balancer.Core;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Snapshooter.Xunit;
using Xunit;

namespace Tests.Unit.Daemon;

public sealed class BalancerLogTests
{
    private const string Path = "/var/run/binder/sockets/5301";
    private static readonly BackendId Backend = new(5301);
    private static readonly Ipv4 Host = Ipv4.From(10, 77, 77, 5);
    private static readonly Endpoint Client = new(Host, 40123);
    private static readonly ConnectionId Connection = new(17);
    private static readonly IoResult NoError = IoResult.Ok();
    private static readonly IoResult Refused = IoResult.Failed(IoStatus.Refused, 111);
    private static readonly IoResult TooManyFiles = IoResult.Failed(IoStatus.TooManyFiles, 24);

    /// <summary>Every event, in the order in which an operator would meet them.</summary>
    private static readonly (string Event, Action<IBalancerLog> Call)[] Events =
    [
        ("Started", log => log.Started(new Endpoint(Ipv4.Any, 53), "/var/run/binder/sockets")),
        ("BackendDiscovered", log => log.BackendDiscovered(Backend, Path)),
        ("BackendConnected", log => log.BackendConnected(Backend, Path)),
        ("BackendHealthy", log => log.BackendHealthy(Backend, Path)),
        ("HeartbeatSent", log => log.HeartbeatSent(Backend)),
        ("HeartbeatAnswered", log => log.HeartbeatAnswered(Backend)),
        .. Enum.GetValues<FaultCause>().Select(FaultOf),
        ("BackendMadeAnew", log => log.BackendMadeAnew(Backend, Path)),
        ("BackendUnlinked", log => log.BackendUnlinked(Backend, Path)),
        ("BackendRelinked", log => log.BackendRelinked(Backend, Path)),
        ("BackendRemoved", log => log.BackendRemoved(Backend, Path)),
        ("BackendReturned", log => log.BackendReturned(Backend, Path)),
        ("BackendForgotten", log => log.BackendForgotten(Backend, Path)),
        ("BackendStuck", log => log.BackendStuck(Backend, 262_128, 4)),
        .. Enum.GetValues<EntryRefusal>().Select(RefusalOf),
        ("DirectoryUnreadable", log => log.DirectoryUnreadable("/var/run/binder/sockets",
            IoResult.Failed(IoStatus.AccessDenied, 13))),
        ("DirectoryReadable", log => log.DirectoryReadable("/var/run/binder/sockets")),
        ("RescanRequested", log => log.RescanRequested()),
        ("NoBackend", log => log.NoBackend(1)),
        ("NoBackend", log => log.NoBackend(250)),
        ("RemoteAssigned", log => log.RemoteAssigned(Host, Backend, isBackup: false)),
        ("RemoteAssigned", log => log.RemoteAssigned(Host, Backend, isBackup: true)),
        ("RemoteExpired", log => log.RemoteExpired(Host)),
        ("RemoteEvicted", log => log.RemoteEvicted(Host)),
        ("RemoteMoved", log => log.RemoteMoved(Host, Backend)),
        ("RemotesExpired", log => log.RemotesExpired(3)),
        ("Rebalancing", log => log.Rebalancing(Backend, 12, 9)),
        ("ReceiveFailed", log => log.ReceiveFailed(
            IoResult.Failed(IoStatus.NoBuffers, 12), 0)),
        ("SendFailed", log => log.SendFailed(
            Client, IoResult.Failed(IoStatus.AccessDenied, 1), 2)),
        ("SendFailed", log => log.SendFailed(
            Client, IoResult.Failed(IoStatus.NoBuffers, 105), 0)),
        ("AcceptFailed", log => log.AcceptFailed(TooManyFiles, 49)),
        ("AcceptFailed", log => log.AcceptFailed(IoResult.Failed(IoStatus.Aborted, 103), 0)),
        ("ConnectionsOverLimit", log => log.ConnectionsOverLimit(
            Client, Counter.ConnectionsOverLimit, 7)),
        ("ConnectionsOverLimit", log => log.ConnectionsOverLimit(
            Client, Counter.ConnectionsOverClientLimit, 0)),
        ("ConnectionWithoutResources", log => log.ConnectionWithoutResources(
            Connection, TooManyFiles, 8)),
        ("ConnectionOpened", log => log.ConnectionOpened(Connection, Client, Backend)),
        ("ConnectionRelaying", log => log.ConnectionRelaying(Connection, Backend)),
        ("ConnectionRefusedByBackend", log => log.ConnectionRefusedByBackend(
            Connection, Backend, new Fault(FaultCause.ConnectFailed, Refused), 0)),
        ("ConnectionRefusedByBackend", log => log.ConnectionRefusedByBackend(
            Connection, Backend, new Fault(FaultCause.NotTcpOk, Detail: 1001), 3)),
        ("ConnectionClosed", log => log.ConnectionClosed(
            Connection, Client, Counter.ConnectionsFinished, NoError, 512, 65_536)),
        ("ConnectionClosed", log => log.ConnectionClosed(Connection, Client,
            Counter.ConnectionsFailedByClient, IoResult.Failed(IoStatus.Reset, 104), 0, 1)),
        ("Status", log => log.Status(
            new Instant(90_000_000_000), 3, 2, 12, 1, CountersThatDiffer())),
        ("BackendStatus", log => log.BackendStatus(new BackendSnapshot(Backend, Path,
            BackendState.AwaitingHello, 4, true, Duration.FromSeconds(3), 6, 5, 1000, 20, 9, 16))),
        ("RemoteStatus", log => log.RemoteStatus(new RemoteSnapshot(Host, Backend,
            new BackendId(5303), new Instant(30_000_000_000), new Instant(88_500_000_000),
            1, 2, 3, 4))),
        ("Stopping", log => log.Stopping(1)),
        ("Stopped", log => log.Stopped(CountersThatDiffer())),
    ];

    [Fact]
    public void Catalogue_IsAsItWas()
    {
        var records = Records(LogEventLevel.Verbose, log =>
        {
            log.StartupWarning("the kernel has no inotify: only the 5 s scan finds changes");
            foreach (var (_, call) in Events)
                call(log);
            log.Fatal("cannot listen on 0.0.0.0:53: permission denied (EACCES)", null);
        });
        Snapshot.Match(string.Concat(records));
    }

    [Fact]
    public void Catalogue_HasEveryEventOfTheCore() => Assert.Equal(
        typeof(IBalancerLog).GetMethods().Select(method => method.Name).Order(),
        Events.Select(entry => entry.Event).Distinct().Order());

    [Fact]
    public void EveryRecord_SaysOneSentence()
    {
        foreach (var (name, call) in Events)
        {
            var line = Assert.Single(Records(LogEventLevel.Verbose, call));
            var message = JsonDocument.Parse(line).RootElement.GetProperty("msg").GetString();
            Assert.False(string.IsNullOrWhiteSpace(message), name);
        }
    }

    [Fact]
    public void StatusAndStopped_HaveEveryCounter()
    {
        var counters = CountersThatDiffer();
        foreach (var call in new Action<IBalancerLog>[]
        {
            log => log.Status(Instant.Zero, 0, 0, 0, 0, counters),
            log => log.Stopped(counters),
        })
        {
            var record = JsonDocument.Parse(Records(LogEventLevel.Information, call).Single());
            foreach (var counter in Enum.GetValues<Counter>())
            {
                var field = string.Concat(counter.ToString().Select(
                    (c, i) => char.IsUpper(c) && i > 0 ? "_" + c : c.ToString()));
                Assert.Equal(counters[counter], record.RootElement
                    .GetProperty(field.ToLowerInvariant()).GetInt64());
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
    public void EventsThatAreOff_CostNoMemory()
    {
        using var logger = new LoggerConfiguration().MinimumLevel.Fatal().CreateLogger();
        var log = new BalancerLog(logger, TimeProvider.System);
        var counters = CountersThatDiffer();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            log.RemoteAssigned(Host, Backend, isBackup: false);
            log.HeartbeatSent(Backend);
            log.HeartbeatAnswered(Backend);
            log.ConnectionOpened(Connection, Client, Backend);
            log.ConnectionRelaying(Connection, Backend);
            log.ConnectionClosed(Connection, Client, Counter.ConnectionsFinished, NoError, 1, 2);
            log.SendFailed(Client, Refused, 1);
            log.BackendFaulted(Backend, Path, new Fault(FaultCause.EndOfStream), Duration.Zero);
            log.Status(Instant.Zero, 1, 1, 1, 1, counters);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void CallAll(IBalancerLog log)
    {
        foreach (var (_, call) in Events)
            call(log);
    }

    private static int LevelOf(string line) =>
        JsonDocument.Parse(line).RootElement.GetProperty("level").GetInt32();

    private static (string, Action<IBalancerLog>) FaultOf(FaultCause cause)
    {
        var fault = cause switch
        {
            FaultCause.ConnectFailed => new Fault(cause, Refused),
            FaultCause.FrameBeforeHello => new Fault(cause, default, 1004),
            FaultCause.UnknownFrame => new Fault(cause, default, 0xdeadbeef),
            FaultCause.LengthTooLarge => new Fault(cause, default, 1u << 31),
            FaultCause.ReadFailed => new Fault(cause, IoResult.Failed(IoStatus.Reset, 104)),
            FaultCause.WriteFailed => new Fault(cause, IoResult.Failed(IoStatus.Other, 9999)),
            _ => new Fault(cause),
        };
        var backOff = Duration.FromSeconds(cause == FaultCause.NotTcpOk ? 0 : 1L);
        return ("BackendFaulted", log => log.BackendFaulted(Backend, Path, fault, backOff));
    }

    private static (string, Action<IBalancerLog>) RefusalOf(EntryRefusal why) =>
        ("EntryRefused", log => log.EntryRefused("/var/run/binder/sockets/notes.txt", why));

    /// <summary>Each counter has its own value, so that none can stand in for another.</summary>
    private static Counters CountersThatDiffer()
    {
        var counters = new Counters();
        foreach (var counter in Enum.GetValues<Counter>())
            counters.Add(counter, 100 + (int)counter);
        return counters;
    }

    private static List<string> Records(LogEventLevel least, Action<BalancerLog> call)
    {
        var sink = new LineList();
        using var logger = new LoggerConfiguration()
            .MinimumLevel.Is(least).WriteTo.Sink(sink).CreateLogger();
        call(new BalancerLog(logger, new StoppedClock()));
        return sink.Lines;
    }

    private sealed class LineList : ILogEventSink
    {
        private readonly BunyanFormatter _formatter = new("binder-host", 4321);

        public List<string> Lines { get; } = [];

        public void Emit(LogEvent logEvent)
        {
            using var line = new StringWriter(CultureInfo.InvariantCulture);
            _formatter.Format(logEvent, line);
            Lines.Add(line.ToString());
        }
    }

    private sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() =>
            new(2026, 2, 3, 4, 5, 6, 789, TimeSpan.Zero);
    }
}
