// Resends: what becomes of the queries in flight when their session ends (docs/behaviour.md,
// section 5).

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class ResendsTests : ResendsTest
{
    [Fact]
    public void BackendDies_TheOtherAnswersAllThatItHad()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        for (var client = 1; client <= 6; client++)
            Ask(client);
        Assert.Equal(3, Kernel.Datagrams.Sent.Count);
        backends[0].Crash();
        Run(0.03);

        Assert.Equal(Enumerable.Range(1, 6).Select(Client).ToHashSet(),
            Kernel.Datagrams.Sent.Select(sent => sent.To).ToHashSet());
        Assert.Equal(6, Kernel.Datagrams.Sent.Count);
        Assert.Equal(3, Count(Counter.ResendsAfterLoss));
        Assert.Equal(3, Count(Counter.ResendsAnswered));
        Assert.Equal(new LogEvent.QueriesResent(new BackendId(5301), 3, 0),
            Assert.Single(Log.Of<LogEvent.QueriesResent>()));
        AssertNothingInFlight();
    }

    [Fact]
    public void OnlyASilentOneIsLeft_TheyWaitForOneThatAnswers()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Silence(backends[1]);
        Ask(2);
        Run(0.3);
        Assert.True(Snapshot("5302").IsSuspect);
        backends[0].EchoesQueries = false;
        var before = Kernel.Datagrams.Sent.Count;
        Ask(1, Query(77));
        backends[0].Crash();
        Run(0.5);
        Assert.DoesNotContain(backends[1].Queries, query => query.Payload[1] == 77);
        backends[0].Rebind();
        backends[0].EchoesQueries = true;
        Run(0.5);

        Assert.Contains(Kernel.Datagrams.Sent.Skip(before), sent => sent.To == Client(1));
        AssertCountersAddUp();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheOtherWasAskedAndIsSilent_TheyWaitForWhoAnswersFirst(bool goesOn)
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        Ask(1);
        backends[1].Hang();
        backends[0].Crash();
        Run(0.1);
        Assert.False(Snapshot("5302").IsSuspect);
        Assert.Equal(0, Snapshot("5302").InFlight);
        if (goesOn)
        {
            backends[1].Resume();
        }
        else
        {
            backends[0].Rebind();
            backends[0].EchoesQueries = true;
        }
        Run(0.05);

        Assert.Equal(Client(1), Assert.Single(Kernel.Datagrams.Sent).To);
        Assert.Equal(new LogEvent.QueriesResent(new BackendId(5301), 1, 0),
            Assert.Single(Log.Of<LogEvent.QueriesResent>()));
        AssertNothingInFlight();
    }

    [Fact]
    public void OnlyADoubtfulOneIsWarm_ThoseThatMayNotBeSentOnGoToTheColdOne()
    {
        var balancer = new SimBalancer(options: new BalancerOptions());
        var backends = new[] { "5301", "5302", "5303" }
            .Select(name => new SimBackend(balancer.Kernel, name)).ToArray();
        balancer.Run(Seconds(3));
        backends[0].Stop();
        backends[0].Rebind();
        backends[0].EchoesQueries = true;
        balancer.Run(Seconds(0.3));
        backends[1].Hang();
        for (var client = 1; client <= 2; client++)
            balancer.Kernel.InjectDatagram(Client(client), Query(client));
        balancer.Run(Seconds(0.001));
        var victims = backends[2].QueryCount;
        backends[2].Crash();
        balancer.Run(Seconds(0.1));

        Assert.Equal(1, victims);
        Assert.Equal(1, backends[0].QueryCount);
        Assert.Single(balancer.Kernel.Datagrams.Sent);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnotherSaidHelloAMomentAgo_OneThatHasItsDataGetsThem(bool hangs)
    {
        var balancer = new SimBalancer(options: new BalancerOptions());
        var backends = new[] { "5301", "5302", "5303" }
            .Select(name => new SimBackend(balancer.Kernel, name) { EchoesQueries = true })
            .ToArray();
        balancer.Run(Seconds(3));
        for (var client = 1; client <= 9; client++)
            Ask(client);
        backends[1].Stop();
        backends[1].Rebind();
        // It is warm, and has not loaded all of its data.
        balancer.Run(Seconds(1.3));
        var (ofStarting, sent) = (backends[1].QueryCount, balancer.Kernel.Datagrams.Sent.Count);
        backends[0].EchoesQueries = false;
        for (var client = 1; client <= 9; client += 3)
            Ask(client);
        if (hangs)
            backends[0].Hang();
        else
            backends[0].Crash();
        balancer.Run(Seconds(hangs ? 0.25 : 0.03));

        Assert.Equal(ofStarting, backends[1].QueryCount);
        Assert.Equal(sent + 3, balancer.Kernel.Datagrams.Sent.Count);

        void Ask(int client)
        {
            balancer.Kernel.InjectDatagram(Client(client), Query(client));
            balancer.Run(Seconds(0.001));
        }
    }

    [Fact]
    public void QueriesThatAreStillQueued_AreSentAgainToo()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].Hang();
        for (var n = 0; n < 600; n++)
        {
            Kernel.InjectDatagram(Client(1), Query(n, 500));
            if (n % 32 == 31)
                Run(0.0001);
        }
        Run(0.001);
        Assert.InRange(Snapshot("5301").QueuedBytes, 1, Limits.BackendQueueBytes);
        backends[0].Crash();
        Run(0.03);

        Assert.Equal(0, backends[0].QueryCount);
        Assert.Equal(600, Count(Counter.RepliesSent));
        AssertNothingInFlight();
    }

    [Fact]
    public void Reply_LeavesFromTheAddressThatTheQueryCameTo()
    {
        var kernel = new SimKernel(new Endpoint(Ipv4.Any, 53));
        var balancer = new SimBalancer(kernel, NoWarmUp);
        var first = new SimBackend(kernel, "5301");
        _ = new SimBackend(kernel, "5302") { EchoesQueries = true };
        balancer.Run(Seconds(0.1));
        Ipv4[] locals = [Ipv4.From(10, 1, 1, 1), Ipv4.From(10, 1, 1, 2)];
        for (var n = 0; n < 2; n++)
            kernel.InjectDatagram(Client(1), locals[n], Query(n));
        balancer.Run(Seconds(0.001));
        first.Crash();
        balancer.Run(Seconds(0.03));

        Assert.Equal([(locals[1], 1), (locals[0], 0)],
            kernel.Datagrams.Sent.Select(sent => (sent.From, (int)sent.Payload[1])));
    }

    [Theory]
    [InlineData(0.001)]
    [InlineData(0.01)]
    [InlineData(0.019)]
    public void AnotherDiesJustAfter_TheThirdAnswersAllThatBothHad(double after)
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        backends[0].EchoesQueries = false;
        backends[1].EchoesQueries = false;
        for (var client = 1; client <= 9; client++)
            Ask(client, QuestionOf(client));
        backends[0].Crash();
        Run(after);
        backends[1].Crash();
        Run(0.05);

        Assert.Equal(9, Kernel.Datagrams.Sent.Count);
        Assert.Equal(6, Count(Counter.ResendsAnswered));
        Assert.Equal(0, Count(Counter.UnansweredLost));
        AssertNothingInFlight();
    }

    [Fact]
    public void EachBackendThatHasItDies_ItIsSentToTwoAtMost()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        foreach (var backend in backends)
            backend.EchoesQueries = false;
        Ask(1);
        backends[0].Crash();
        Run(0.03);
        var second = backends.Single(backend => backend != backends[0] && backend.QueryCount == 1);
        second.Crash();
        Run(0.03);

        Assert.Equal(2, backends.Sum(backend => backend.QueryCount));
        Assert.Equal(1, Count(Counter.UnansweredQuarantined));
        Assert.Equal(new LogEvent.QueriesResent(second.Control is null
            ? Snapshot(second.Name).Id : BackendId.None, 0, 1),
            Log.Last<LogEvent.QueriesResent>());
        AssertNothingInFlight();
    }

    [Fact]
    public void BackendDiesWhileAnotherHangs_TheThirdAnswersAllThatItHad()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        backends[0].EchoesQueries = false;
        backends[1].Hang();
        for (var client = 1; client <= 9; client++)
            Ask(client);
        Run(Limits.DoubtTime.TotalSeconds);
        backends[0].Crash();
        Run(0.03);

        Assert.Equal(6, Kernel.Datagrams.Sent.Count);
        Assert.Equal(3, Count(Counter.ResendsAnswered));
    }

    [Fact]
    public void Newest_IsSentFirst()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        for (var id = 1; id <= 5; id++)
            Ask(1, Query(id));
        backends[0].Crash();
        Run(0.03);

        Assert.Equal([5, 4, 3, 2, 1], backends[1].Queries.Select(query => query.Payload[1]));
    }

    [Theory]
    [InlineData(Limits.SecondBackends - 1, 1)]
    [InlineData(Limits.SecondBackends, 2)]
    public void MoreDifferThanAreRemembered_TheRestGoesWhereItsClientsGo(int others, int asked)
    {
        var first = HealthyBackends("5301")[0];
        // So many that none of them has more than its share.
        for (var client = 1; client <= 800; client++)
            Ask(client);
        var rest = HealthyBackends("5302", "5303");
        first.EchoesQueries = false;
        Ask(1, NameOf(0));
        Ask(2, NameOf(0));
        for (var n = 1; n <= others; n++)
        {
            Kernel.InjectDatagram(Client(3 + n % 798), NameOf(n));
            if (n % 64 == 0)
                Balancer.Turn();
        }
        Run(0.001);
        first.Crash();
        Run(0.1);

        Assert.Equal(others + 2, Count(Counter.ResendsAfterLoss));
        Assert.Equal(asked, rest.Count(backend => backend.Queries.Any(
            query => query.Payload.AsSpan(2).SequenceEqual(NameOf(0).AsSpan(2)))));

        static byte[] NameOf(int n) =>
        [
            (byte)(n >> 8), (byte)n, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            3, (byte)('a' + n / 256), (byte)('a' + n / 16 % 16), (byte)('a' + n % 16),
            0, 0, 1, 0, 1,
        ];
    }

    [Theory]
    [InlineData(4.99, 1)]
    [InlineData(5, 0)]
    public void FiveSecondsOld_IsLost(double age, int resent)
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        Kernel.InjectDatagram(Client(1), Query(1));
        Run(age);
        backends[0].Crash();
        Run(0.021);

        Assert.Equal(resent, backends[1].QueryCount);
        Assert.Equal(resent, Count(Counter.ResendsAfterLoss));
        Assert.Equal(1 - resent, Count(Counter.UnansweredLost));
        AssertNothingInFlight();
    }

    [Fact]
    public void OneThatMayNotBeCarriedOutTwice_IsLost()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        var update = Query(1);
        update[2] = 5 << 3;
        Ask(1, update);
        Ask(1, [0, 2, 0]);
        backends[0].Crash();
        Run(0.03);

        Assert.Equal(0, backends[1].QueryCount);
        Assert.Equal(2, Count(Counter.UnansweredLost));
        AssertNothingInFlight();
    }

    [Fact]
    public void BackendAnswersAndDies_WhatAWriteFindsUnreadIsDelivered()
    {
        const int Asked = 250;
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        for (var n = 0; n < Asked; n++)
            Ask(n, Query(n));
        foreach (var query in backend.Queries.ToArray())
            SimBackend.Reply(query, query.Payload);
        backend.Crash();
        Kernel.InjectDatagram(Client(1), Query(Asked));
        Run(0.03);

        Assert.Equal(Asked, Kernel.Datagrams.Sent.Count);
        AssertCountersAddUp();
    }

    [Theory]
    [InlineData(0.1, 0, 1)]
    [InlineData(4.5, 0, 1)]
    [InlineData(4.5, 1, 0)]
    [InlineData(5.5, 0, 0)]
    public void NobodyIsHealthy_WaitsForOneUntilItIsFiveSecondsOld(
        double later, double age, int answered)
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        Ask(1);
        Run(age);
        backends[1].Crash();
        backends[0].Crash();
        Run(later);
        Assert.Empty(Kernel.Datagrams.Sent);
        Assert.Equal(later < 5 ? 0 : 1, Count(Counter.UnansweredLost));
        backends[1].Rebind();
        Run(0.05);

        Assert.Equal(answered, Kernel.Datagrams.Sent.Count);
        Assert.Equal(1 - answered, Count(Counter.UnansweredLost));
        Assert.Equal(new LogEvent.QueriesResent(new BackendId(5301), answered, 1 - answered),
            Assert.Single(Log.Of<LogEvent.QueriesResent>()));
        AssertNothingInFlight();
    }

    [Fact]
    public void NobodyIsHealthyTwice_NoThirdGetsIt()
    {
        var backends = HealthyBackends("5301", "5302");
        Silence(backends[0]);
        Silence(backends[1]);
        Ask(1);
        backends[1].Crash();
        backends[0].Crash();
        Run(0.5);
        backends[1].Rebind();
        Run(0.1);
        Assert.Equal(1, backends[1].QueryCount);
        backends[1].Crash();
        Run(0.1);
        backends[0].Rebind();
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(1, backends[0].QueryCount);
        // Two backends have died of it, or so it seems.
        Assert.Equal(1, Count(Counter.UnansweredQuarantined));
    }

    [Fact]
    public void NobodyIsHealthyAtAStop_IsLost()
    {
        var backend = HealthyBackends("5301")[0];
        Silence(backend);
        Ask(1);
        backend.Crash();
        Run(0.1);
        Kernel.RequestStop();
        Run(0.1);

        Assert.True(Balancer.HasStopped);
        Assert.Equal(1, Count(Counter.UnansweredLost));
        Assert.Equal(new LogEvent.QueriesResent(new BackendId(5301), 0, 1),
            Assert.Single(Log.Of<LogEvent.QueriesResent>()));
    }

    [Fact]
    public void NoOtherBackend_IsLost()
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        Ask(1);
        backend.Crash();
        Run(5.1);

        Assert.Equal(1, Count(Counter.UnansweredLost));
        Assert.Equal(0, Count(Counter.QueriesWithoutBackend));
        AssertNothingInFlight();
    }

    [Fact]
    public void ClientIsNoLongerKnown_IsAnsweredAndStaysUnknown()
    {
        var balancer = new SimBalancer(options: NoWarmUp with { MaxRemotes = 4 });
        var first = new SimBackend(balancer.Kernel, "5301");
        var second = new SimBackend(balancer.Kernel, "5302") { EchoesQueries = true };
        balancer.Run(Seconds(0.1));
        balancer.Kernel.InjectDatagram(Client(1), Query(1));
        balancer.Run(Seconds(0.001));
        balancer.Kernel.InjectDatagram(Client(2), Query(2));
        balancer.Run(Seconds(0.001));
        Assert.Equal(1, balancer.Counters[Counter.RemotesEvicted]);
        first.Crash();
        balancer.Run(Seconds(0.03));

        Assert.Contains(second.Queries, query => query.Source == Client(1));
        Assert.Contains(balancer.Kernel.Datagrams.Sent, sent => sent.To == Client(1));
        Assert.Equal(1, balancer.Core.RemoteCount);
        Assert.Equal(1, balancer.Counters[Counter.RemotesEvicted]);
    }

    [Fact]
    public void MoreThanATurnsShare_TheRestGoesInTheNextTurns()
    {
        const int Queries = 600;
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        for (var id = 0; id < Queries; id++)
        {
            Kernel.InjectDatagram(Client(1), Query(id));
            if (id % 64 == 63)
                Balancer.Turn();
        }
        Run(0.001);
        backends[0].Crash();
        Run(Limits.LossDelay.TotalSeconds - 0.001);
        Assert.Equal(0, Count(Counter.ResendsAfterLoss));
        Balancer.Turn();
        var now = Kernel.Now;
        var most = 0L;
        while (Log.Count<LogEvent.QueriesResent>() == 0)
        {
            var before = Count(Counter.ResendsAfterLoss);
            Balancer.Turn();
            most = long.Max(most, Count(Counter.ResendsAfterLoss) - before);
        }

        Assert.Equal(TurnLimits.Standard.ResendsPerTurn, most);
        Assert.Equal(now, Kernel.Now);
        Assert.Equal(new LogEvent.QueriesResent(new BackendId(5301), Queries, 0),
            Log.Last<LogEvent.QueriesResent>());
        Run(0.01);
        Assert.Equal(Queries, Count(Counter.RepliesSent));
        AssertNothingInFlight();
    }

    [Fact]
    public void TwoBackendsDieAtOnce_EachHasARecordOfItsOwn()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        backends[0].EchoesQueries = false;
        backends[1].EchoesQueries = false;
        // Each another, since one that is in flight at two deaths is refused.
        for (var client = 1; client <= 5; client++)
            Ask(client, QuestionOf(client));
        backends[0].Crash();
        backends[1].Crash();
        Run(0.03);

        Assert.Equal([(5301, 2L, 0L), (5302, 2L, 0L)], Log.Of<LogEvent.QueriesResent>()
            .Select(e => (e.Id.Value, e.Resent, e.Lost)).Order());
        Assert.Equal(5, Kernel.Datagrams.Sent.Count);
        AssertNothingInFlight();
    }

    [Fact]
    public void NothingInFlight_NothingIsLogged()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        backends[0].Crash();
        Run(0.03);

        Assert.Equal(0, Log.Count<LogEvent.QueriesResent>());
    }

    /// <summary>Another name for each client.</summary>
    private static byte[] QuestionOf(int client) =>
    [
        0, (byte)client, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)('a' + client), 0, 0, 1, 0, 1,
    ];
}
