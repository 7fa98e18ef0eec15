// Resends: what becomes of the queries in flight when their session ends or their backend is
// suspect (docs/behaviour.md, section 5).

using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class ResendsTests : CoreTest
{
    // ---- A session that ends ----

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
            Ask(client, Query(client, 20 + client));
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
    public void TwoBackendsHang_TheThirdAnswersAll()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Ask(1);
        Ask(2);
        Ask(3);
        backends[0].Hang();
        backends[1].Hang();
        Ask(1);
        Run(0.05);
        Ask(2);
        Ask(3);
        Ask(1);
        Run(0.3);

        Assert.Equal(7, Kernel.Datagrams.Sent.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void TheNextHangsTooAndHasNoQuery_AThirdAnswersAtOnce(int times)
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Ask(1);
        for (var n = 1; n < times; n++)
        {
            backends[0].EchoesQueries = false;
            Ask(1, Query(50));
            Run(0.15);
            backends[0].EchoesQueries = true;
        }
        backends[0].Hang();
        backends[1].Hang();
        Ask(1, Query(7));
        Run(0.21);

        Assert.True(Snapshot("5301").IsSuspect);
        Assert.Contains(Kernel.Datagrams.Sent,
            sent => sent.To == Client(1) && sent.Payload[1] == 7);
        Assert.Equal(0, backends[1].QueryCount);
        Run(0.1);
        Assert.True(Snapshot("5302").IsSuspect);
    }

    [Fact]
    public void ManyOweAnAnswer_TheOthersAreAskedEvery100Milliseconds()
    {
        var backends = HealthyBackends("5301", "5302", "5303", "5304");
        for (var client = 1; client <= 4; client++)
            Ask(client);
        for (var n = 0; n < 3; n++)
            backends[n].EchoesQueries = false;
        for (var n = 0; n < 100; n++)
        {
            Ask(1 + n % 3, Query(n));
            Run(0.009);
        }

        Assert.InRange(Log.Of<LogEvent.HeartbeatSent>()
            .Count(sent => sent.Id.Value == 5304), 1, 10);
        Assert.Equal(0, Count(Counter.BackendsSuspected));
    }

    [Fact]
    public void AllHangAndOneIsTrustedAgain_ItGetsWhatTheOthersHave()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].Hang();
        backends[1].Hang();
        Ask(1);
        Ask(2);
        Run(0.3);
        Assert.Empty(Kernel.Datagrams.Sent);
        backends[1].Resume();
        Run(0.01);

        Assert.Equal(2, Kernel.Datagrams.Sent.Count);
    }

    [Fact]
    public void OneIsSuspectAndTheOtherStuck_TheSuspectOneGetsTheQueryAndThenTheOther()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].Hang();
        Ask(1);
        Run(0.3);
        Assert.True(Snapshot("5301").IsSuspect);
        Assert.Single(Kernel.Datagrams.Sent);
        backends[1].Hang();
        Fill(client: 2);
        var before = Snapshot("5301").InFlight;
        Ask(1, Query(7));
        Assert.Equal(before + 1, Snapshot("5301").InFlight);
        backends[1].Resume();
        Run(0.1);

        Assert.Contains(Kernel.Datagrams.Sent,
            sent => sent.To == Client(1) && sent.Payload[1] == 7);
    }

    /// <summary>Sends so many queries that the client's backend is stuck, in no time.</summary>
    private void Fill(int client)
    {
        for (var n = 0; Log.Count<LogEvent.BackendStuck>() == 0; n++)
        {
            for (var copy = 0; copy < 64; copy++)
                Kernel.InjectDatagram(Client(client), Query(100 + n, 1400));
            Balancer.Turn();
        }
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
        var balancer = new SimBalancer(options: NoWarmUp with { MaxRemotes = 1 });
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

        Assert.Equal(Limits.ResendsPerTurn, most);
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
        // Each of another length, since one that is in flight at two deaths is refused.
        for (var client = 1; client <= 5; client++)
            Ask(client, Query(client, 20 + client));
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

    [Fact]
    public void BackendIsRestarted_OldSessionAnswersUntilItEndsAndThenOthersDo()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        Ask(1, Query(1));
        Ask(1, Query(2));
        backends[0].Rebind();
        Run(0.1);
        SimBackend.Reply(backends[0].Queries[0], Query(1));
        Run(0.01);
        Assert.Equal(1, Count(Counter.RepliesSent));
        Assert.Equal(0, Count(Counter.ResendsAfterLoss));
        backends[0].EchoesQueries = true;
        backends[0].Sessions[0].Close();
        Run(0.03);

        Assert.Equal(2, Count(Counter.RepliesSent));
        Assert.Equal(1, Count(Counter.ResendsAfterLoss));
        AssertNothingInFlight();
    }

    [Fact]
    public void OldSessionOfARestartedBackendHangs_OthersAnswerAsForASuspect()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        Silence(backends[0]);
        Ask(1, Query(7));
        Run(0.05);
        backends[0].Rebind();
        Run(0.139);
        var old = backends[0].Sessions[0];
        Assert.Equal(1, old.Heartbeats);
        Assert.Equal(2, Kernel.Datagrams.Sent.Count);
        backends[0].EchoesQueries = true;
        Run(0.02);

        Assert.Equal(7, Kernel.Datagrams.Sent[2].Payload[1]);
        Assert.Equal(1, Count(Counter.ResendsFromSuspect));
        old.SendHeartbeat();
        old.Reply(Client(1), Query(7));
        Run(0.001);
        Assert.Equal(3, Kernel.Datagrams.Sent.Count);
        Assert.Equal(1, Count(Counter.RepliesDuplicate));
        Assert.False(old.IsOver);
        AssertNothingInFlight();
    }

    [Fact]
    public void OldSessionAnswersHeartbeats_ItKeepsItsQueries()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        Ask(1);
        backends[0].Rebind();
        Run(1);

        Assert.NotEqual(0, backends[0].Sessions[0].Heartbeats);
        Assert.Equal(0, Count(Counter.ResendsFromSuspect));
        SimBackend.Reply(backends[0].Queries[0], Query(1));
        Run(0.001);
        Assert.Single(Kernel.Datagrams.Sent);
    }

    [Fact]
    public void OldSessionIsSuspectWhenItEnds_ItsQueriesAreAnsweredOnce()
    {
        var backends = HealthyBackends("5301", "5302");
        Silence(backends[0]);
        for (var n = 0; n < 60; n++)
            Ask(1, Query(n));
        Run(0.05);
        backends[0].Rebind();
        backends[0].EchoesQueries = true;
        Run(0.2);
        Assert.Equal(Limits.LeastResendBudget, Count(Counter.ResendsFromSuspect));
        backends[0].Sessions[0].Close();
        Run(0.03);

        Assert.Equal(60, Count(Counter.RepliesSent));
        AssertNothingInFlight();
    }

    // ---- A suspect backend ----

    [Fact]
    public void BackendIsSuspect_TheOtherAnswersAndALateReplyIsADuplicate()
    {
        var backends = HealthyBackends("5301", "5302");
        Silence(backends[0]);
        Ask(1);
        Run(0.19);
        Assert.Empty(Kernel.Datagrams.Sent);
        Run(0.02);
        Assert.Equal(Client(1), Assert.Single(Kernel.Datagrams.Sent).To);
        Assert.Equal(1, Count(Counter.ResendsFromSuspect));
        Assert.Equal(1, Count(Counter.ResendsAnswered));
        var suspected = Assert.Single(Log.Of<LogEvent.BackendSuspected>());
        Assert.Equal((Seconds(0.2), 1), (suspected.Silent, suspected.InFlight));
        SimBackend.Reply(backends[0].Queries[0], Query(1));
        Run(0.001);

        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(1, Count(Counter.RepliesDuplicate));
        Assert.Equal(1, Log.Count<LogEvent.BackendTrusted>());
        AssertNothingInFlight();
    }

    [Fact]
    public void OnlyBackendHangsAndAnotherSaysHello_ThatAnswersAllThatIsWaitedFor()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[1].Crash();
        Run(0.5);
        Silence(backends[0]);
        Ask(1);
        Run(0.5);
        Assert.True(Snapshot("5301").IsSuspect);
        backends[1].Rebind();
        backends[1].EchoesQueries = true;
        Run(2);

        Assert.Equal(BackendState.Healthy, Snapshot("5302").State);
        Assert.Equal(Client(1), Assert.Single(Kernel.Datagrams.Sent).To);
        Assert.Equal(1, Count(Counter.ResendsFromSuspect));
    }

    [Fact]
    public void OneIsSilentAndTheOtherProvesItself_ThatAnswers()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        for (var n = 0; n < 2; n++)
        {
            backends[1].Hang();
            Ask(2);
            Run(0.25);
            Assert.True(Snapshot("5302").IsSuspect);
            backends[1].Resume();
            Run(0.05);
        }
        Assert.True(Snapshot("5302").IsSuspect);
        var sent = Kernel.Datagrams.Sent.Count;
        Silence(backends[0]);
        Ask(1);
        Run(0.25);

        Assert.True(Snapshot("5301").IsSuspect && Snapshot("5302").IsSuspect);
        Assert.Equal(sent + 1, Kernel.Datagrams.Sent.Count);
        Ask(1);
        Assert.Equal(sent + 2, Kernel.Datagrams.Sent.Count);
    }

    [Fact]
    public void BackendAnswersOneAndThenHangs_TheOtherAnswersTheRest()
    {
        var backends = HealthyBackends("5301", "5302");
        Silence(backends[0]);
        Ask(1, Query(1));
        Ask(1, Query(2));
        SimBackend.Reply(backends[0].Queries[0], Query(1));
        Run(0.19);
        Assert.False(Snapshot("5301").IsSuspect);
        Run(0.02);

        Assert.True(Snapshot("5301").IsSuspect);
        Assert.Equal(2, Count(Counter.RepliesSent));
        Assert.Equal(1, Count(Counter.ResendsFromSuspect));
    }

    [Fact]
    public void SuspectAnswersFirst_TheOthersReplyIsTheDuplicate()
    {
        var backends = HealthyBackends("5301", "5302");
        Silence(backends[0]);
        backends[1].EchoesQueries = false;
        Ask(1);
        Run(0.21);
        SimBackend.Reply(backends[0].Queries[0], Query(1));
        Run(0.001);
        Assert.Single(Kernel.Datagrams.Sent);
        SimBackend.Reply(backends[1].Queries[0], Query(1));
        Run(0.001);

        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(1, Count(Counter.RepliesDuplicate));
        Assert.Equal(0, Count(Counter.ResendsAnswered));
        AssertNothingInFlight();
    }

    [Fact]
    public void BothDie_QueryIsLostOnceAndNoThirdGetsIt()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Silence(backends[0]);
        foreach (var backend in backends)
            backend.EchoesQueries = false;
        Ask(1);
        Run(0.21);
        Assert.Equal(2, backends.Sum(backend => backend.QueryCount));
        foreach (var backend in backends.Where(backend => backend.QueryCount > 0))
            backend.Crash();
        Run(0.03);

        Assert.Equal(2, backends.Sum(backend => backend.QueryCount));
        Assert.Equal(1, Count(Counter.UnansweredQuarantined));
        AssertNothingInFlight();
    }

    [Fact]
    public void TheOtherDies_TheSuspectsReplyStillCounts()
    {
        var backends = HealthyBackends("5301", "5302");
        Silence(backends[0]);
        backends[1].EchoesQueries = false;
        Ask(1);
        Run(0.21);
        backends[1].Crash();
        Run(0.03);
        SimBackend.Reply(backends[0].Queries[0], Query(1));
        Run(0.001);

        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(0, Count(Counter.UnansweredLost));
        AssertNothingInFlight();
    }

    [Fact]
    public void NoOtherBackend_SuspectKeepsItsQueriesAndItsClients()
    {
        var backend = HealthyBackends("5301")[0];
        Silence(backend);
        Ask(1, Query(1));
        Run(0.21);
        Assert.True(Snapshot("5301").IsSuspect);
        Ask(1, Query(2));
        Assert.Equal(2, backend.QueryCount);
        Assert.Equal(2, Snapshot("5301").InFlight);
        foreach (var query in backend.Queries.ToArray())
            SimBackend.Reply(query, query.Payload);
        Run(0.001);

        Assert.Equal(2, Count(Counter.RepliesSent));
        Assert.Equal(0, Count(Counter.ResendsFromSuspect));
        Assert.False(Snapshot("5301").IsSuspect);
        AssertNothingInFlight();
    }

    [Fact]
    public void Update_IsNotSentToAnotherFromASuspect()
    {
        var backends = HealthyBackends("5301", "5302");
        Silence(backends[0]);
        var update = Query(1);
        update[2] = 5 << 3;
        Ask(1, update);
        Run(0.3);

        Assert.True(Snapshot("5301").IsSuspect);
        Assert.Equal(0, backends[1].QueryCount);
    }

    [Theory]
    [InlineData(0, 50)]
    [InlineData(300, 50)]
    [InlineData(600, 68)]
    [InlineData(1000, 80)]
    public void Budget_IsATenthOfWhatWasForwardedOrFifty(int answered, int resent)
    {
        const int Silent = 80;
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        for (var n = 2; n < answered; n++)
            Ask(2, Query(n));
        Silence(backends[0]);
        for (var n = 0; n < Silent; n++)
            Kernel.InjectDatagram(Client(1), Query(n));
        Run(0.3);

        Assert.Equal(resent, Count(Counter.ResendsFromSuspect));
        Assert.Equal(Silent - resent, Count(Counter.ResendsOverBudget));
        Assert.Equal(resent, Count(Counter.ResendsAnswered));
        // The newest are sent first here too.
        Assert.Equal(Enumerable.Range(0, resent).Select(n => (byte)(Silent - 1 - n)),
            backends[1].Queries.Where(query => query.Source == Client(1))
                .Select(query => query.Payload[1]));
    }

    [Fact]
    public void LookedAtAgain_IsOverBudgetOnce()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Silence(backends[0]);
        for (var n = 0; n < 80; n++)
            Kernel.InjectDatagram(Client(1), Query(n));
        Run(0.3);
        Assert.Equal(30, Count(Counter.ResendsOverBudget));
        Silence(backends[2]);
        for (var client = 2; client <= 4; client++)
            Ask(client);
        Run(0.3);
        Assert.True(Snapshot("5303").IsSuspect);
        var before = Count(Counter.ResendsOverBudget);
        backends[2].Control!.SendHeartbeat();
        Run(0.01);

        Assert.False(Snapshot("5303").IsSuspect);
        Assert.Equal(before, Count(Counter.ResendsOverBudget));
    }

    [Fact]
    public void BudgetHasRoomAgain_CopiesThatWaitAreSent()
    {
        const int Silent = 60;
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        Silence(backends[0]);
        for (var n = 0; n < Silent; n++)
            Kernel.InjectDatagram(Client(1), Query(n));
        Run(0.3);
        Assert.Equal(50, Count(Counter.ResendsFromSuspect));
        for (var n = 0; n < 1000; n++)
            Ask(2, Query(n));
        Run(0.1);

        Assert.Equal(Silent, Count(Counter.ResendsFromSuspect));
        Assert.Equal(Silent - 50, Count(Counter.ResendsOverBudget));
        AssertCountersAddUp();
    }

    [Fact]
    public void BudgetThatIsSpent_IsThereAgainTenSecondsLater()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        for (var round = 0; round < 2; round++)
        {
            backends[0].AnswersHeartbeats = false;
            for (var n = 0; n < 80; n++)
                Kernel.InjectDatagram(Client(1), Query(n));
            Run(0.5);
            Assert.True(Snapshot("5301").IsSuspect);
            Assert.Equal(50 * (round + 1), Count(Counter.ResendsFromSuspect));
            backends[0].AnswersHeartbeats = true;
            backends[0].Control!.SendHeartbeat();
            backends[0].Reply(Client(1), Query(79));
            Run(11.5);
            Assert.False(Snapshot("5301").IsSuspect);
        }
    }

    // ---- The stop ----

    [Fact]
    public void BackendDiesWhileTheBalancerStops_TheOtherAnswersBeforeTheEnd()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        Ask(1);
        Kernel.RequestStop();
        Run(0.05);
        Assert.False(Balancer.HasStopped);
        backends[0].Crash();
        Run(0.1);

        Assert.True(Balancer.HasStopped);
        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(0, Count(Counter.UnansweredLost));
        Assert.Equal(1, Count(Counter.ResendsAfterLoss));
    }

    [Fact]
    public void StopsWithQueriesInFlight_TheyAreLost()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        backends[1].EchoesQueries = false;
        for (var client = 1; client <= 5; client++)
            Ask(client);
        Kernel.RequestStop();
        Run(0.01);
        Kernel.RequestStop();
        Run(0.1);

        Assert.True(Balancer.HasStopped);
        Assert.Equal(5, Count(Counter.UnansweredLost));
        Assert.Equal(0, Balancer.Core.TimerCount);
        AssertNothingInFlight();
    }

    [Fact]
    public void StopsBeforeAllAreSentAgain_TheRecordHasThem()
    {
        var backends = HealthyBackends("5301", "5302");
        backends[0].EchoesQueries = false;
        Ask(1, Query(1));
        Ask(1, Query(2));
        Kernel.RequestStop();
        Run(0.01);
        backends[0].Crash();
        Kernel.RequestStop();
        Run(0.1);

        Assert.True(Balancer.HasStopped);
        Assert.Equal(2, Count(Counter.UnansweredLost));
        Assert.Equal(new LogEvent.QueriesResent(new BackendId(5301), 0, 2),
            Log.Last<LogEvent.QueriesResent>());
    }

    // ---- Full queues ----

    [Fact]
    public void TwoQueuesAreFull_TheThirdBackendGetsTheQuery()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        backends[0].Hang();
        backends[1].Hang();
        for (var n = 0; n < 2400; n++)
        {
            Kernel.InjectDatagram(Client(n % 2 + 1), Query(n, 500));
            if (n % 32 == 31)
                Balancer.Turn();
        }

        Assert.Equal(0, Count(Counter.QueriesToStuckBackend));
        Assert.NotEqual(0, backends[2].QueryCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SecondAndThirdHaveNoRoom_TheFourthGetsWhatIsSentAgain(bool isSuspect)
    {
        var backends = HealthyBackends("5301", "5302", "5303", "5304");
        for (var client = 1; client <= 4; client++)
            Ask(client);
        backends[0].EchoesQueries = false;
        backends[0].AnswersHeartbeats = !isSuspect;
        Kernel.InjectDatagram(Client(1), Query(7, 1400));
        Run(0.19);
        backends[1].Hang();
        backends[2].Hang();
        FillToTheBrim("5302", 2);
        FillToTheBrim("5303", 3);
        Assert.Equal(0, Log.Count<LogEvent.BackendStuck>());
        if (!isSuspect)
            backends[0].Crash();
        Run(isSuspect ? 0.015 : 0.03);

        Assert.Equal(1, Count(
            isSuspect ? Counter.ResendsFromSuspect : Counter.ResendsAfterLoss));
        Assert.Contains(backends[3].Queries, query => query.Payload.Length == 1400);
        Assert.Contains(Kernel.Datagrams.Sent,
            sent => sent.To == Client(1) && sent.Payload[1] == 7);
    }

    /// <summary>Has a backend that hangs take all but the next long query.</summary>
    private void FillToTheBrim(string name, int client)
    {
        for (var n = 0; Limits.BackendQueueBytes - Snapshot(name).QueuedBytes > 1400; n++)
        {
            Kernel.InjectDatagram(Client(client), Query(n, 1000));
            Balancer.Turn();
        }
    }

    private static void Silence(SimBackend backend)
    {
        backend.EchoesQueries = false;
        backend.AnswersHeartbeats = false;
    }

    /// <summary>Each forwarded query was answered or is in a counter that says why not.</summary>
    private void AssertNothingInFlight()
    {
        AssertCountersAddUp();
        Assert.All(Balancer.Core.SnapshotBackends(), backend => Assert.Equal(0, backend.InFlight));
        var answered = Count(Counter.RepliesReceived)
            - Balancer.Counters.Sum(Counters.RepliesWithoutQuery);
        Assert.Equal(Count(Counter.QueriesForwarded),
            answered + Balancer.Counters.Sum(Counters.Unanswered));
    }
}
