// Probes: when a backend is asked, what its answers mean, and that nobody else has a part in it
// (docs/behaviour.md, section 3).

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class ProberTests : CoreTest
{
    private const int Good = 0;
    private const int ServerFailure = 2;
    private const int NoSuchName = 3;
    private const int Refused = 5;

    private static readonly ImmutableArray<byte> Name =
        DnsName.TryParse("ready.example", out var name) ? name : [];

    private static readonly BalancerOptions Probing = new()
    {
        Probe = Name,
        ProbeRise = 2,
    };

    private readonly HashSet<ReceivedQuery> _answered = [];

    public ProberTests()
        : base(Probing)
    {
    }

    [Fact]
    public void Hello_IsFollowedByAProbeAtOnce()
    {
        var backend = Backend("5301");
        Run(0.02);

        var probe = Assert.Single(ProbesOf(backend));
        Assert.Equal(new Endpoint(Ipv4.From(192, 0, 0, 8), 53), probe.Source);
        Assert.Equal(
            [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, .. Name, 0, 1, 0, 1], probe.Payload.AsSpan(2).ToArray());
        Assert.Equal(1, Count(Counter.ProbesSent));
        Assert.Equal(1, Log.Count<LogEvent.ProbeSent>());
    }

    [Fact]
    public void WithoutAName_NobodyIsAsked()
    {
        var balancer = new SimBalancer(options: NoWarmUp);
        var backend = new SimBackend(balancer.Kernel, "5301");
        balancer.Run(Seconds(3));
        balancer.Kernel.InjectDatagram(new Endpoint(Ipv4.From(192, 0, 0, 8), 53), Query(1));
        balancer.Run(Seconds(0.01));

        Assert.Equal(1, backend.QueryCount);
        Assert.Equal(1, balancer.Counters[Counter.QueriesForwarded]);
    }

    [Fact]
    public void Probes_AreASecondApartOnceOneIsAnswered_EachWithAnIdOfItsOwn()
    {
        var backend = Backend("5301");
        RunAnswering(3.5, Good, backend);

        var probes = ProbesOf(backend);
        Assert.Equal(4, probes.Count);
        Assert.All(Gaps(probes), gap => Assert.InRange(gap, 0.99, 1.02));
        Assert.Equal(4, probes.Select(probe => probe.Payload[1]).Distinct().Count());
        Assert.Equal(4, Count(Counter.ProbesAnswered));
    }

    [Fact]
    public void BeforeTheFirstGoodAnswer_TheyAreATenthOfASecondApart_ForTenSeconds()
    {
        var backend = Backend("5301");
        RunAnswering(12.5, ServerFailure, backend);

        var gaps = Gaps(ProbesOf(backend)).ToList();
        Assert.InRange(gaps.Count, 98, 104);
        Assert.InRange(gaps[0], 0.09, 0.12);
        Assert.InRange(gaps[^1], 0.99, 1.02);
    }

    [Theory]
    [InlineData(Good)]
    [InlineData(NoSuchName)]
    public void FirstGoodAnswer_MakesItWarmAtOnce(int code)
    {
        var backends = new[] { Backend("5301"), Backend("5302") };
        RunAnswering(0.05, Good, backends[0]);
        AskNew(1, 4);
        Assert.Equal([5301, 5301, 5301, 5301], Primaries(1, 4));
        RunAnswering(0.05, code, backends[1]);
        AskNew(5, 4);

        Assert.Equal(2, Primaries(5, 4).Count(id => id == 5302));
    }

    [Fact]
    public void WithoutAGoodAnswer_ItStaysColdBeyondTheWarmUp()
    {
        var backends = new[] { Backend("5301"), Backend("5302") };
        RunAnswering(0.2, Good, backends[0]);
        RunAnswering(2.5, Good, backends[0]);
        AskNew(1, 4);

        Assert.Equal((Instant.Zero, Instant.Never),
            (Snapshot("5301").ColdUntil, Snapshot("5302").ColdUntil));
        Assert.Equal([5301, 5301, 5301, 5301], Primaries(1, 4));
    }

    [Fact]
    public void NoBackendAnsweredAProbe_AllGetClients()
    {
        _ = new[] { Backend("5301"), Backend("5302") };
        Run(0.05);
        AskNew(1, 4);

        Assert.Equal([5301, 5302, 5301, 5302], Primaries(1, 4));
    }

    [Theory]
    [InlineData(ServerFailure, ProbeFailure.ServerFailure)]
    [InlineData(Refused, ProbeFailure.Refused)]
    [InlineData(null, ProbeFailure.NoAnswer)]
    public void FailuresInARow_SendItsClientsToOthersUntilItRises(int? code, ProbeFailure why)
    {
        var backends = TwoThatAnswered();
        RunAnswering(1.5, backends[0], Good, backends[1], code);
        Assert.False(Snapshot("5302").IsDownByProbe);
        RunAnswering(6, backends[0], Good, backends[1], code);
        Assert.True(Snapshot("5302").IsDownByProbe);
        var down = Log.Last<LogEvent.BackendDownByProbe>();
        Assert.Equal((5302, why, 3), (down.Id.Value, down.Why, down.Failures));
        Assert.Equal(1, Count(Counter.BackendsDownByProbe));
        var before = backends[1].QueryCount;
        Ask(2);
        Assert.Equal(5301, Remote(2)!.Value.Backup.Value);
        Assert.Equal(before, backends[1].QueryCount);

        foreach (var isDown in new[] { true, false })
        {
            RunAnswering(0.9, backends[0], Good, backends[1], null);
            var answered = Count(Counter.ProbesAnswered);
            while (Count(Counter.ProbesAnswered) == answered)
                RunAnswering(0.005, Good, backends[1]);
            Assert.Equal(isDown, Snapshot("5302").IsDownByProbe);
        }
        Assert.Equal(1, Count(Counter.BackendsUpByProbe));
        Ask(2);
        Assert.Equal(BackendId.None, Remote(2)!.Value.Backup);
    }

    [Fact]
    public void BackendThatFloodsAndAnswersNoProbe_IsDown()
    {
        var backends = TwoThatAnswered();
        var session = backends[1].Queries[^1].Session;
        var until = Kernel.Now + Seconds(20);
        while (Kernel.Now < until && !Snapshot("5302").IsDownByProbe)
        {
            // Whenever it may be judged, more lies there than a turn reads.
            var sent = LastProbeOf("5302") + Limits.ProbeTimeout;
            while (sent <= Kernel.Now)
                sent += Limits.SilenceTime;
            Kernel.At(sent, () =>
            {
                for (var n = 0; n < 3000; n++)
                    session.Reply(Client(3000), Query(7, 12));
            });
            RunAnswering((sent - Kernel.Now).Nanoseconds / 1e9, Good, backends[0]);
        }

        Assert.True(Snapshot("5302").IsDownByProbe);
        Assert.False(Snapshot("5301").IsDownByProbe);
    }

    [Fact]
    public void AllAreDown_EachKeepsItsClients()
    {
        var backends = TwoThatAnswered();
        RunAnswering(6, backends[0], Refused, backends[1], Refused);
        Assert.True(Snapshot("5301").IsDownByProbe && Snapshot("5302").IsDownByProbe);
        Ask(1);
        Ask(2);

        Assert.Equal((BackendId.None, BackendId.None),
            (Remote(1)!.Value.Backup, Remote(2)!.Value.Backup));
    }

    [Fact]
    public void OneGoodAnswerInBetween_RestartsTheCount()
    {
        var backends = TwoThatAnswered();
        for (var n = 0; n < 3; n++)
        {
            RunAnswering(2, backends[0], Good, backends[1], Refused);
            RunAnswering(1, backends[0], Good, backends[1], Good);
        }

        Assert.Equal(0, Count(Counter.BackendsDownByProbe));
    }

    [Fact]
    public void AnswerToAProbe_IsNotAReply()
    {
        var backend = Backend("5301");
        RunAnswering(2.5, Good, backend);

        Assert.Equal(0, Count(Counter.RepliesReceived));
        Assert.Empty(Kernel.Datagrams.Sent);
    }

    [Fact]
    public void AnyOtherReplyToItsAddress_AnswersNothing()
    {
        var backend = Backend("5301");
        Run(0.02);
        var probe = ProbesOf(backend).Single();
        var right = Answer(probe, Good);
        var otherId = right.ToArray();
        otherId[1]++;
        var otherName = right.ToArray();
        otherName[13] ^= 1;
        var query = right.ToArray();
        query[2] = 1;
        var noQuestion = right[..12];
        noQuestion[5] = 0;
        foreach (var wrong in new[] { otherId, otherName, query, noQuestion, [] })
            SimBackend.Reply(probe, wrong);
        probe.Session.Reply(new Endpoint(probe.Source.Address, 54), right);
        Run(0.01);
        Assert.Equal((0, 6), (Count(Counter.ProbesAnswered), Count(Counter.RepliesUnmatched)));
        SimBackend.Reply(probe, right);
        SimBackend.Reply(probe, right);
        Run(0.01);

        Assert.Equal((1, 7), (Count(Counter.ProbesAnswered), Count(Counter.RepliesUnmatched)));
        Assert.Empty(Kernel.Datagrams.Sent);
        AssertCountersAddUp();
    }

    [Fact]
    public void QueryFromItsAddress_IsDropped()
    {
        var backend = Backend("5301");
        RunAnswering(0.1, Good, backend);
        var before = backend.QueryCount;
        Kernel.InjectDatagram(new Endpoint(Ipv4.From(192, 0, 0, 8), 53), Query(1));
        Kernel.InjectDatagram(new Endpoint(Ipv4.From(192, 0, 0, 8), 4000), Query(1));
        Run(0.01);

        Assert.Equal(2, Count(Counter.QueriesFromProbeAddress));
        Assert.Equal(before, backend.QueryCount);
        AssertCountersAddUp();
    }

    [Fact]
    public void NewSession_StartsAgain()
    {
        var backends = TwoThatAnswered();
        RunAnswering(6, backends[0], Good, backends[1], Refused);
        Assert.True(Snapshot("5302").IsDownByProbe);
        backends[1].Crash();
        backends[1].Rebind();
        Run(0.03);

        Assert.Equal(BackendState.Healthy, State("5302"));
        Assert.False(Snapshot("5302").IsDownByProbe);
        RunAnswering(0.05, Good, backends[1]);
        AskNew(10, 2);
        Assert.Contains(5302, Primaries(10, 2));
    }

    [Fact]
    public void SessionThatEnded_IsAskedNoMore()
    {
        var backend = Backend("5301");
        RunAnswering(1.5, Good, backend);
        backend.Crash();
        var before = Count(Counter.ProbesSent);
        Run(20);

        Assert.Equal(before, Count(Counter.ProbesSent));
        Assert.Equal(0, Count(Counter.ProbesFailed));
    }

    [Fact]
    public void StuckBackend_IsNotAsked_AndHasNotFailed()
    {
        var backend = Backend("5301");
        RunAnswering(1.5, Good, backend);
        backend.Hang();
        for (var n = 0; n < 600; n++)
        {
            Kernel.InjectDatagram(Client(1), Query(n, 1400));
            if (n % 50 == 0)
                Run(0.0001);
        }
        Run(0.01);
        Assert.True(Count(Counter.QueriesToStuckBackend) > 0);
        var sent = Count(Counter.ProbesSent);
        Run(5);

        Assert.Equal(sent, Count(Counter.ProbesSent));
        Assert.Equal(0, Count(Counter.ProbesFailed));
        backend.Resume();
        Run(1.1);
        Assert.True(Count(Counter.ProbesSent) > sent);
    }

    [Fact]
    public void BalancerThatStoodStill_BlamesNobody()
    {
        var backend = Backend("5301");
        RunAnswering(0.5, Good, backend);
        Run(0.6);
        var probe = ProbesOf(backend)[^1];
        Kernel.Faults.Stall = Seconds(5);
        Kernel.After(Seconds(4), () => SimBackend.Reply(probe, Answer(probe, Good)));
        Run(5.05);

        Assert.Equal(0, Count(Counter.ProbesFailed));
        Assert.Equal(2, Count(Counter.ProbesAnswered));
    }

    private SimBackend[] TwoThatAnswered()
    {
        var backends = new[] { Backend("5301"), Backend("5302") };
        RunAnswering(0.2, backends[0], Good, backends[1], Good);
        Ask(1);
        Ask(2);
        Assert.Equal([5301, 5302], Primaries(1, 2));
        return backends;
    }

    private Instant LastProbeOf(string name) => Log.TimesOf<LogEvent.ProbeSent>()
        .Zip(Log.Of<LogEvent.ProbeSent>())
        .Last(probe => probe.Second.Id.Value == int.Parse(name, CultureInfo.InvariantCulture))
        .First;

    private new SimBackend Backend(string name) => new(Kernel, name);

    private static List<ReceivedQuery> ProbesOf(SimBackend backend) =>
        [.. backend.Queries.Where(query => query.Source.Address == Ipv4.From(192, 0, 0, 8))];

    private static IEnumerable<double> Gaps(List<ReceivedQuery> probes) => probes.Zip(
        probes.Skip(1), (first, second) => (second.At - first.At).TotalSeconds);

    private static byte[] Answer(ReceivedQuery probe, int code)
    {
        var reply = probe.Payload.ToArray();
        (reply[2], reply[3]) = (0x81, (byte)code);
        return reply;
    }

    private void AskNew(int first, int count)
    {
        for (var client = first; client < first + count; client++)
            Ask(client);
    }

    private int[] Primaries(int first, int count) =>
        [.. Enumerable.Range(first, count).Select(client => Remote(client)!.Value.Primary.Value)];

    private void RunAnswering(double seconds, int code, SimBackend backend) =>
        RunAnswering(seconds, backend, code, backend, code);

    /// <summary>Each answers its probes so, or not at all.</summary>
    private void RunAnswering(
        double seconds, SimBackend one, int? code, SimBackend other, int? otherCode)
    {
        var end = Kernel.Now + Seconds(seconds);
        while (Kernel.Now < end)
        {
            Run(0.005);
            Reply(one, code);
            if (other != one)
                Reply(other, otherCode);
        }
    }

    private void Reply(SimBackend backend, int? code)
    {
        foreach (var probe in ProbesOf(backend))
        {
            if (code is { } known && probe.Session == backend.Control
                && _answered.Add(probe))
            {
                SimBackend.Reply(probe, Answer(probe, known));
            }
        }
    }
}
