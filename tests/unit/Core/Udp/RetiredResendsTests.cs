// Resends: what becomes of the queries in flight on the old session of a backend that was restarted
// (docs/behaviour.md, sections 3 and 5).

using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class RetiredResendsTests : ResendsTest
{
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
        const int Asked = Limits.LeastResendBudget + 10;
        for (var n = 0; n < Asked; n++)
            Kernel.InjectDatagram(Client(1), Query(n));
        Run(0.11);
        backends[0].Rebind();
        backends[0].EchoesQueries = true;
        Run(0.2);
        Assert.Equal(Limits.LeastResendBudget, Count(Counter.ResendsFromSuspect));
        backends[0].Sessions[0].Close();
        Run(0.03);

        Assert.Equal(Asked, Count(Counter.RepliesSent));
        AssertNothingInFlight();
    }
}
