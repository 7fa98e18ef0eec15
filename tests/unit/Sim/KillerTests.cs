// A question that ends, or hangs, whoever reads it, asked over UDP, over TCP and over both, while
// others have a thousand queries a second in flight: how many backends it ends, and who is refused
// besides.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;
using static Tests.Unit.Sim.RunningWorlds;

namespace Tests.Unit.Sim;

public sealed class KillerTests
{
    private const int Hosts = 20;
    private const int QueriesOfAHost = 400;
    private static readonly Duration Every = Duration.FromMilliseconds(20);
    private readonly Witness _witness = new();

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Killer_EndsTwoBackendsAMinuteAndThenOneATerm(bool overUdp, bool overTcp)
    {
        var scenario = World(overUdp, overTcp);

        Assert.Null(ScenarioRun.Execute(scenario, _witness, new CheckSet(scenario)).Violation);

        var deaths = Deaths.ToList();
        Assert.Equal(2, deaths.Count(at => at < At(60)));
        // The first two, one after a minute, and one after two more.
        Assert.Equal(4, deaths.Count);
        Assert.All(_witness.Logged<LogEvent.QueryQuarantined>(),
            refused => Assert.True(IsKiller(refused.Event.Query)));
    }

    [Theory]
    [InlineData(true, false, 4, 8)]
    [InlineData(false, true, 2, 4)]
    public void Hanger_HangsFewBackendsAMinuteAndThenAtATerm(
        bool overUdp, bool overTcp, int mostAtFirst, int most)
    {
        var scenario = World(overUdp, overTcp, hangs: true);

        Assert.Null(ScenarioRun.Execute(scenario, _witness, new CheckSet(scenario)).Violation);

        var hangs = _witness.Logged<LogEvent.BackendSuspected>().Select(logged => logged.At)
            .Where(at => at < At(215)).ToList();
        // Fifty queries wait on each backend, some before it and some behind it, and the next
        // backend gets their copies; only one of them is refused for a hang, and it may be another.
        Assert.InRange(hangs.Count(at => at < At(60)), 2, mostAtFirst);
        // A copy of what came over UDP is sent before the first hang is judged.
        Assert.InRange(hangs.Count, 3, most);
        // What the second one read together with the culprit cannot be told from it.
        var refused = _witness.Logged<LogEvent.QueryQuarantined>().ToList();
        Assert.Contains(refused, one => one.Event.Query.AsSpan().IndexOf("hanger"u8) > 0);
        Assert.InRange(refused.Count, 1, 2 * Limits.QuarantineHangs);
    }

    [Fact]
    public void KillerBehindAnotherQuestion_IsRefusedLikeAnyOther()
    {
        var scenario = World(overUdp: false, overTcp: true, delayMs: 10);
        scenario = scenario with
        {
            TcpClients = [.. scenario.TcpClients.Select(client => client with { Queries = 2 })],
        };

        Assert.Null(ScenarioRun.Execute(scenario, _witness, new CheckSet(scenario)).Violation);

        Assert.Equal(2, Deaths.Count(at => at < At(60)));
        Assert.Equal(4, Deaths.Count());
        Assert.All(_witness.Logged<LogEvent.QueryQuarantined>(),
            refused => Assert.True(IsKiller(refused.Event.Query)));
    }

    /// <summary>Before chaos ends, and every backend is started anew.</summary>
    private IEnumerable<Instant> Deaths => _witness.Logged<LogEvent.BackendFaulted>()
        .Where(logged => logged.At < At(215)
            && logged.Event.Fault.Cause == FaultCause.EndOfStream)
        .Select(logged => logged.At);

    private static bool IsKiller(byte[] query) =>
        query.AsSpan().IndexOf("killer"u8) > 0;

    private static Scenario World(
        bool overUdp, bool overTcp, bool hangs = false, int delayMs = 50) => new()
        {
            Seed = 3,
            HealAt = At(215),
            End = At(230),
            Backends =
        [
            .. Enumerable.Range(0, 4).Select(n => Backend(n, $"{5301 + n}", isCore: true,
                Misbehaviour.None with { DelayNs = delayMs * 1_000_000L })),
        ],
            UdpClients =
        [
            .. Enumerable.Range(0, Hosts).Select(Busy),
            new UdpClientPlan(400, Ipv4.From(10, 3, 0, 1), Retries: false,
                overUdp ? [.. Times(1.3).Select(at => new QueryPlan(
                    at, 4000, QueryKind.Killer, hangs ? DnsQuestions.FirstHanger : 0))] : []),
        ],
            TcpClients =
        [
            .. Times(1.7).Where(_ => overTcp).Select((at, n) => new TcpClientPlan(
                1000 + n, Ipv4.From(10, 5, 0, 1), (ushort)(10_000 + n), at, Queries: 1,
                ChunkBytes: 65_536, TcpManner.Proper, Duration.Zero,
                Killer: 1 + (hangs ? DnsQuestions.FirstHanger : 0))),
        ],
        };

    /// <summary>Fifty queries a second, while the first two backends die.</summary>
    private static UdpClientPlan Busy(int host) => new(
        host, Ipv4.From(10, 1, 0, (byte)(host + 1)), Retries: true,
        [.. Enumerable.Range(0, QueriesOfAHost).Select(n => new QueryPlan(
            At(5) + new Duration(n * Every.Nanoseconds), (ushort)(4000 + n % 8),
            QueryKind.Question, 0))]);

    private static ImmutableArray<Instant> Times(double apart)
    {
        var times = ImmutableArray.CreateBuilder<Instant>();
        for (var at = 10.0; at < 210; at += apart)
            times.Add(At(at));
        return times.ToImmutable();
    }
}
