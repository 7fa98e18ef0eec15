// Resends: which queries of a suspect backend others get, within which budget, and whose reply
// counts (docs/behaviour.md, section 5).

using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class SuspectResendsTests : ResendsTest
{
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
    [InlineData(0, 200)]
    [InlineData(1600, 200)]
    [InlineData(1900, 215)]
    [InlineData(2500, 250)]
    public void Budget_IsATenthOfWhatWasForwardedOrTwoHundred(int answered, int resent)
    {
        const int Silent = 250;
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
        for (var n = 0; n < Limits.LeastResendBudget + 30; n++)
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
        const int Silent = Limits.LeastResendBudget + 10;
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        Silence(backends[0]);
        for (var n = 0; n < Silent; n++)
            Kernel.InjectDatagram(Client(1), Query(n));
        Run(0.3);
        Assert.Equal(Silent - 10, Count(Counter.ResendsFromSuspect));
        for (var n = 0; n < 2000; n++)
            Ask(2, Query(n));
        Run(0.1);

        Assert.Equal(Silent, Count(Counter.ResendsFromSuspect));
        Assert.Equal(10, Count(Counter.ResendsOverBudget));
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
            for (var n = 0; n < Limits.LeastResendBudget + 30; n++)
                Kernel.InjectDatagram(Client(1), Query(n));
            Run(0.5);
            Assert.True(Snapshot("5301").IsSuspect);
            Assert.Equal(
                Limits.LeastResendBudget * (round + 1), Count(Counter.ResendsFromSuspect));
            backends[0].AnswersHeartbeats = true;
            backends[0].Control!.SendHeartbeat();
            backends[0].Reply(Client(1), Query(Limits.LeastResendBudget + 29));
            Run(11.5);
            Assert.False(Snapshot("5301").IsSuspect);
        }
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

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void AllHangAndOneGoesOn_ItAnswersWhatWasSentToNobodyInDoubt(int goesOn)
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        Ask(1);
        foreach (var backend in backends)
            backend.Hang();
        Ask(1, Query(7));
        Run(0.21);
        Assert.True(Snapshot("5301").IsSuspect);
        Assert.Equal((0, 0), (Snapshot("5302").InFlight, Snapshot("5303").InFlight));
        Run(0.05);
        Assert.False(Snapshot(backends[goesOn].Name).IsSuspect);
        backends[goesOn].Resume();
        Run(0.01);

        Assert.Contains(Kernel.Datagrams.Sent,
            sent => sent.To == Client(1) && sent.Payload[1] == 7);
        Run(1);
        Assert.Equal(1, Count(Counter.ResendsFromSuspect));
        Assert.Equal(0, Count(Counter.ResendsOverBudget));
    }

    [Fact]
    public void TheOneInDoubtIsSuspectToo_AThirdThatOwesAnAnswerGetsTheCopy()
    {
        var backends = HealthyBackends("5301", "5302", "5303");
        for (var client = 1; client <= 3; client++)
            Ask(client);
        backends[0].Hang();
        backends[1].Hang();
        Ask(1, Query(7));
        Run(0.15);
        // It has owed an answer for a moment when the first becomes suspect, and gives it then.
        backends[2].EchoesQueries = false;
        Ask(3, Query(8));
        Run(0.09);
        Assert.True(Snapshot("5301").IsSuspect);
        Assert.Equal((0, 1), (Snapshot("5302").InFlight, Snapshot("5303").InFlight));
        SimBackend.Reply(backends[2].Queries[^1], Query(8));
        backends[2].EchoesQueries = true;
        Run(0.08);

        Assert.Contains(Kernel.Datagrams.Sent,
            sent => sent.To == Client(1) && sent.Payload[1] == 7);
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
        Fill();
        var before = Snapshot("5301").InFlight;
        Ask(1, Query(7));
        Assert.Equal(before + 1, Snapshot("5301").InFlight);
        backends[1].Resume();
        Run(0.1);

        Assert.Contains(Kernel.Datagrams.Sent,
            sent => sent.To == Client(1) && sent.Payload[1] == 7);
    }

    /// <summary>
    /// Sends so many queries that the backend of new clients is stuck, in no time; none has more
    /// than its share of that.
    /// </summary>
    private void Fill()
    {
        for (var n = 0; Log.Count<LogEvent.BackendStuck>() == 0; n++)
        {
            for (var copy = 0; copy < 64; copy++)
                Kernel.InjectDatagram(Client(100 + (n & 1) * 64 + copy), Query(100 + n, 1400));
            Balancer.Turn();
        }
    }
}
