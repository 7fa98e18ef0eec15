// Resends: queries that are sent again while the balancer stops, and while queues are full
// (docs/behaviour.md, sections 3, 5 and 7).

using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class StoppedResendsTests : ResendsTest
{
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
}
