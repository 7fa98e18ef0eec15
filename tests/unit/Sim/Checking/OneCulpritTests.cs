// S19 alone: a killer that is passed on after it ended two backends; what comes close to that and
// is in order; and that seeds have what it judges, with few excuses.

using System;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;
using static Tests.Unit.Sim.RunningWorlds;

namespace Tests.Unit.Sim.Checking;

public sealed class OneCulpritTests
{
    private const int Host = 400;
    private static readonly Endpoint Client = new(Ipv4.From(10, 3, 0, 1), 4000);

    [Fact]
    public void KillerAgainAndAgain_HasTermsAndNoExcuse()
    {
        var scenario = World(Killers());
        var checks = new CheckSet(scenario).Only(["S19"]);

        Assert.Null(ScenarioRun.Execute(scenario, checks).Violation);

        Assert.Equal(3, checks.OneCulprit!.Convicted);
        Assert.Empty(checks.OneCulprit.Excused);
    }

    /// <summary>Its copy is sent in the turn in which the first backend is suspect.</summary>
    [Fact]
    public void QueryThatHangsTwoBackends_IsConvictedWithoutAnExcuse()
    {
        var scenario = World([.. Enumerable.Range(0, 20).Select(n => new QueryPlan(
            At(10 + n), 4000, QueryKind.Killer, DnsQuestions.FirstHanger))]);
        var checks = new CheckSet(scenario).Only(["S19"]);

        Assert.Null(ScenarioRun.Execute(scenario, checks).Violation);

        Assert.Equal(1, checks.OneCulprit!.Convicted);
        Assert.Empty(checks.OneCulprit.Excused);
    }

    /// <summary>
    /// It needs a third death then, and the clock does not change that; nor is a backend ended by
    /// what it reads in pieces.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void KillerWasAnsweredBeforeTheClockWentBack_IsExcusedStill(bool goesBack)
    {
        // Every eighth answer is remembered.
        var times = Enumerable.Range(0, 16).Select(n => 9.1 + n / 10.0)
            .Concat([30, 40, 50, 60]);
        var scenario = World([.. times.Select(at =>
            new QueryPlan(At(at), 4000, QueryKind.Killer, 0))]) with
        {
            Faults =
            [
                Fault(FaultKind.StreamShort, 9, 2, amount: 1),
                .. goesBack ? [Fault(FaultKind.ClockBack, 20, 0.001, amount: 1)]
                    : ImmutableArray<FaultPlan>.Empty,
            ],
        };
        var checks = new CheckSet(scenario).Only(["S19"]);

        Assert.Null(ScenarioRun.Execute(scenario, checks).Violation);

        Assert.Equal(1, checks.OneCulprit!.Convicted);
    }

    [Theory]
    [InlineData(0, 40.0, "must be refused from")]
    [InlineData(5 + 16 + 32, 40.0, null)] // another kind, which ended nobody
    [InlineData(32, 40.0, "must be refused from")] // CD
    [InlineData(0, 9.0, null)]
    public void KillerThatIsPassedOnAfterTwoVictims_Breaks(
        int variant, double at, string? evidence)
    {
        var scenario = World([new QueryPlan(At(10), 4000, QueryKind.Killer, 0)]);
        var checks = new CheckSet(scenario).Only(["S19"]);

        var found = ScenarioRun.Execute(
            scenario, new Feeder(checks, At(at), variant), checks).Violation;

        Assert.Equal(evidence is null ? null : "S19", found?.Check);
        Assert.Contains(evidence ?? "", found?.Evidence ?? "", StringComparison.Ordinal);
    }

    /// <summary>Tells the check alone of a killer that came and was passed on.</summary>
    private sealed class Feeder(CheckSet checks, Instant at, int variant) : RunObserver
    {
        private SocketHandle _session;
        private bool _hasFed;

        public override void OnWritten(
            Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length >= 4 && SeenFrame.TypeOf(bytes) == SeenFrame.ClientHeartbeat)
                _session = stream;
        }

        public override void OnTurnBegan(
            Instant now, ReadOnlySpan<NetworkEvent> events)
        {
            if (_hasFed || now < at || now > at + Duration.FromSeconds(15L))
                return;
            _hasFed = true;
            var frame = new byte[16 + 512];
            var length = DnsQuestions.Write(frame.AsSpan(16), 3, new UdpClientPlan(Host,
                Client.Address, false, [.. Enumerable.Repeat(
                    new QueryPlan(at, 4000, QueryKind.Killer, 0, 1, variant), 100)]), 99);
            frame[0] = (byte)SeenFrame.InboundUdp;
            BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(4), Client.Address.Value);
            BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(8), Client.Port);
            BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(12), (uint)length);
            checks.OnReceived(now, new DatagramHeader { Peer = Client }, frame.AsSpan(16, length));
            checks.OnWritten(
                now, _session, IoResult.Ok(16 + length), frame.AsSpan(0, 16 + length));
        }
    }

    private static ImmutableArray<QueryPlan> Killers() =>
    [
        .. Enumerable.Range(0, 300).Select(n => new QueryPlan(
            At(10) + Duration.FromMilliseconds(1_300L * n), 4000, QueryKind.Killer, 0)),
    ];

    private static Scenario World(ImmutableArray<QueryPlan> queries) => new()
    {
        Seed = 3,
        HealAt = At(415),
        End = At(420),
        Backends =
        [
            .. Enumerable.Range(0, 4).Select(n => Backend(n, $"{5301 + n}", isCore: true,
                Misbehaviour.None)),
        ],
        UdpClients = [new UdpClientPlan(Host, Client.Address, Retries: false, queries)],
        TcpClients = [],
    };
}
