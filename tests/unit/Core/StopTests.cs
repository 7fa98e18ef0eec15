// The orderly stop: what still gets its time, how long that is, and that everything is closed.

using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class StopTests
{
    [Fact]
    public void NothingUnderWay_StopsAtOnce()
    {
        var s = new ProxyScenario(backends: 2);
        var at = s.Kernel.Now;
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
        Assert.Equal(at, s.Kernel.Now);
        Assert.Equal(1, s.Log.Count<LogEvent.Stopping>());
    }

    [Fact]
    public void RecordsAreSuppressed_TheStopBringsThemOutBeforeItsOwn()
    {
        var s = new ProxyScenario(backends: 0);
        for (var n = 0; n < 5; n++)
            s.Kernel.InjectDatagram(ProxyScenario.Client(n), ProxyScenario.Query(n));
        s.Settle();
        Assert.Equal(1, s.Log.Count<LogEvent.NoHealthyBackend>());
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
        Assert.Equal(4, s.Log.Last<LogEvent.NoHealthyBackend>().Dropped);
        Assert.IsType<LogEvent.Stopped>(s.Log.Events[^1].Event);
    }

    [Fact]
    public void NoBackendEver_StopsAtOnce()
    {
        var s = new ProxyScenario(backends: 0);
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
    }

    [Fact]
    public void ConnectionRuns_ListenerClosesAndTheConnectionIsServedToItsEnd()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Kernel.RequestStop();
        s.Run(2);
        Assert.False(s.Balancer.HasStopped);
        Assert.Null(s.Kernel.TryConnectClient(ProxyScenario.Client(2)));
        Assert.Equal(1, s.Log.Last<LogEvent.Stopping>().OpenConnections);

        client.Send("\0\u000cthe question"u8);
        s.Settle();
        Assert.Equal("\0\u000cthe question"u8, [.. s.LastTcp().TcpBytes]);
        s.LastTcp().Send("\0\u000athe answer"u8);
        s.LastTcp().HalfClose();
        s.Settle();
        Assert.Equal("\0\u000athe answer"u8, client.Receive());
        client.HalfClose();
        s.Run(1);

        AssertStopped(s);
        s.AssertEnded(Counter.ConnectionsFinished);
    }

    [Fact]
    public void ConnectionsWaitInTheAcceptQueue_AllAreServed()
    {
        var connections = 5 * TurnLimits.Standard.AcceptsPerTurn / 2;
        var s = new ProxyScenario();
        for (var n = 0; n < connections; n++)
            s.Connect(n % 20, (ushort)(4000 + n));
        s.Kernel.RequestStop();
        s.Settle();

        Assert.Equal(connections, s.Relayed);
        Assert.Null(s.Kernel.TryConnectClient(ProxyScenario.Client(30)));
        s.Run(6);
        AssertStopped(s);
        s.AssertEnded(Counter.ConnectionsCutByStop, connections);
    }

    [Fact]
    public void MoreWaitThanTheQueueHolds_ListenerClosesAllTheSame()
    {
        var s = new ProxyScenario(backends: 0);
        s.Kernel.Listener.Backlog = 3 * Limits.ListenBacklog;
        for (var n = 0; n < 2 * Limits.ListenBacklog; n++)
            s.Connect(n % 20, (ushort)(4000 + n));
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
        // In the turn of the request some are accepted before it.
        Assert.InRange(s.Counters[Counter.ConnectionsWithoutBackend], Limits.ListenBacklog + 1,
            Limits.ListenBacklog + 1 + TurnLimits.Standard.AcceptsPerTurn);
    }

    [Fact]
    public void DescriptorsAreUsedUpWhileConnectionsWait_TheyAreAcceptedWhenSomeAreFree()
    {
        var s = new ProxyScenario();
        s.Kernel.DescriptorLimit = s.Kernel.OpenDescriptors;
        var client = s.Connect();
        s.Kernel.RequestStop();
        var turns = s.Balancer.Turns;
        s.Run(1);
        Assert.False(s.Balancer.HasStopped);
        Assert.False(client.IsClosedByBalancer);
        Assert.InRange(s.Balancer.Turns - turns, 1, 50);

        s.Kernel.DescriptorLimit = 1000;
        s.Run(0.2);
        Assert.Equal(1, s.Relayed);
        Assert.True(s.Kernel.Listener.IsClosed);
        client.HalfClose();
        s.LastTcp().HalfClose();
        s.Run(1);
        AssertStopped(s);
    }

    [Fact]
    public void DescriptorsAreUsedUpForGood_StopsAfterFiveSeconds()
    {
        var s = new ProxyScenario();
        s.Kernel.DescriptorLimit = s.Kernel.OpenDescriptors;
        s.Connect();
        s.Kernel.RequestStop();
        s.Run(4.9);
        Assert.False(s.Balancer.HasStopped);
        s.Run(0.2);

        AssertStopped(s);
    }

    [Fact]
    public void ConnectionInItsHandshake_MayFinishIt()
    {
        var s = new ProxyScenario();
        s.Backend.TcpDelay = Duration.FromSeconds(2);
        var client = s.Connect();
        s.Settle();
        s.Kernel.RequestStop();
        s.Run(2.5);

        Assert.Equal(1, s.Relayed);
        client.HalfClose();
        s.LastTcp().HalfClose();
        s.Run(1);
        AssertStopped(s);
    }

    [Fact]
    public void ConnectionNeverEnds_IsCutAfterFiveSeconds()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        var at = s.Kernel.Now;
        s.Kernel.RequestStop();
        s.Run(4.99);
        Assert.False(s.Balancer.HasStopped);
        s.Run(1);

        AssertStopped(s);
        Assert.Equal(at + Limits.StopGrace, s.Kernel.Now);
        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsCutByStop);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(60)]
    public void OperatorSaysHowLong_ConnectionIsCutThen(double seconds)
    {
        var s = new ProxyScenario(
            options: new BalancerOptions { StopTime = Duration.FromSeconds(seconds) });
        s.ConnectThrough();
        var at = s.Kernel.Now;
        s.Kernel.RequestStop();
        if (seconds > 0)
        {
            // New queries are taken in the first half at least.
            s.Run(seconds * 0.4);
            s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(7));
            s.Run(seconds * 0.55);
            Assert.False(s.Balancer.HasStopped);
            Assert.Equal(1, s.Counters[Counter.QueriesForwarded]);
        }
        s.Run(5);

        AssertStopped(s);
        Assert.Equal(at + Duration.FromSeconds(seconds), s.Kernel.Now);
        s.AssertEnded(Counter.ConnectionsCutByStop);
    }

    [Fact]
    public void QueryIsInFlight_ItsAnswerIsSentBeforeTheEnd()
    {
        var s = new ProxyScenario();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(7));
        s.Settle();
        s.Kernel.RequestStop();
        s.Run(3);
        Assert.False(s.Balancer.HasStopped);

        SimBackend.Reply(s.Backend.Queries[0], Late);
        s.Run(1);

        AssertStopped(s);
        Assert.Equal(Late, s.Kernel.Datagrams.Sent[0].Payload);
    }

    [Fact]
    public void QueryIsNeverAnswered_StopsAfterFiveSecondsAtMost()
    {
        var s = new ProxyScenario();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(7));
        s.Settle();
        var at = s.Kernel.Now;
        s.Kernel.RequestStop();
        s.Run(10);

        AssertStopped(s);
        Assert.True(s.Kernel.Now <= at + Limits.StopGrace);
    }

    [Fact]
    public void QueriesOfLongAgoWereNeverAnswered_AreNotWaitedFor()
    {
        var s = new ProxyScenario();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(7));
        s.Run(20);
        var at = s.Kernel.Now;
        s.Kernel.RequestStop();
        s.Run(10);

        AssertStopped(s);
        Assert.Equal(at, s.Kernel.Now);
    }

    [Fact]
    public void BackendDiesWithAQueryInFlight_IsNotWaitedFor()
    {
        var s = new ProxyScenario();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(7));
        s.Settle();
        s.Kernel.RequestStop();
        s.Run(1);
        Assert.False(s.Balancer.HasStopped);

        s.Backend.Crash();
        s.Run(Limits.LossDelay.TotalSeconds);
        s.Settle();

        AssertStopped(s);
    }

    [Fact]
    public void QueriesWaitInTheKernel_AllOfThemAreStillAnswered()
    {
        var s = new ProxyScenario();
        s.Backend.EchoesQueries = true;
        for (var n = 0; n < 1000; n++)
            s.Kernel.InjectDatagram(ProxyScenario.Client(n % 20), ProxyScenario.Query(n));
        s.Kernel.RequestStop();
        s.Run(5);

        AssertStopped(s);
        Assert.Equal(1000, s.Kernel.Datagrams.SentCount);
    }

    [Fact]
    public void QueriesComeWhileAConnectionRuns_AreServed()
    {
        var s = new ProxyScenario();
        s.Backend.EchoesQueries = true;
        s.ConnectThrough();
        s.Kernel.RequestStop();
        s.Run(2);
        s.Kernel.InjectDatagram(ProxyScenario.Client(9), ProxyScenario.Query(1));
        s.Run(1);

        Assert.Equal(1, s.Kernel.Datagrams.SentCount);
        s.Run(5);
        AssertStopped(s);
    }

    [Fact]
    public void QueriesNeverPause_StopsWithinItsTimeAllTheSame()
    {
        var s = new ProxyScenario();
        s.Backend.EchoesQueries = true;
        s.ConnectThrough();
        for (var n = 0; n < 1000; n++)
        {
            s.Kernel.After(Duration.FromMilliseconds(10 * n), () =>
                s.Kernel.InjectDatagram(ProxyScenario.Client(9), ProxyScenario.Query(1)));
        }
        var at = s.Kernel.Now;
        s.Kernel.RequestStop();
        s.Run(9);

        AssertStopped(s);
        Assert.Equal(at + Limits.StopGrace, s.Kernel.Now);
        // All that was taken in was answered: the last second takes in nothing.
        Assert.Equal(s.Counters[Counter.QueriesForwarded], s.Counters[Counter.RepliesSent]);
    }

    [Fact]
    public void SecondRequest_EndsItNow()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Kernel.RequestStop();
        s.Run(1);
        var at = s.Kernel.Now;
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
        Assert.Equal(at, s.Kernel.Now);
        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsCutByStop);
    }

    [Fact]
    public void SecondRequestInTheTurnOfAReply_TheReplyIsSent()
    {
        var s = new ProxyScenario();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(7));
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(8));
        s.Settle();
        s.Kernel.RequestStop();
        s.Run(1);
        SimBackend.Reply(s.Backend.Queries[0], Late);
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
        Assert.Equal(Late, s.Kernel.Datagrams.Sent[0].Payload);
        Assert.Equal(1, s.Counters[Counter.RepliesSent]);
    }

    [Fact]
    public void SecondRequestWhileManyRepliesLieInTheKernel_AllAreSent()
    {
        const int Replies = 2000;
        var s = new ProxyScenario(backends: 3,
            before: kernel => kernel.BackendToBalancer = new PipeSize(4_000_000));
        for (var n = 0; n < 3 * Replies; n++)
        {
            s.Kernel.InjectDatagram(ProxyScenario.Client(host: n % 3), ProxyScenario.Query(n));
            if (n % 64 == 63)
                s.Balancer.Turn();
        }
        s.Settle();
        s.Kernel.RequestStop();
        s.Settle();
        s.Kernel.RequestStop();
        foreach (var backend in s.Backends)
        {
            Assert.Equal(Replies, backend.Queries.Count);
            foreach (var query in backend.Queries)
                SimBackend.Reply(query, query.Payload);
        }
        s.Run(1);

        AssertStopped(s);
        Assert.Equal(3 * Replies, s.Counters[Counter.RepliesSent]);
    }

    [Fact]
    public void ConnectionIsCutInTheTurnOfAReply_TheReplyIsSentFirst()
    {
        var s = new ProxyScenario();
        s.ConnectThrough();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(7));
        s.Settle();
        s.Kernel.RequestStop();
        s.Run(1);
        var sentBefore = -1;
        s.Log.OnLogged = logged => sentBefore = logged.Event is LogEvent.ConnectionClosed
            ? s.Kernel.Datagrams.Sent.Count : sentBefore;
        SimBackend.Reply(s.Backend.Queries[0], Late);
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
        Assert.Equal(1, sentBefore);
    }

    [Fact]
    public void AcceptingRests_StopGoesOnWithIt()
    {
        var s = new ProxyScenario();
        s.Kernel.Faults.Standing(SimCall.Accept, IoStatus.TooManyFiles);
        s.Connect();
        s.Run(0.05);
        s.Kernel.RequestStop();
        s.Run(0.01);
        Assert.False(s.Kernel.Listener.IsClosed);
        s.Kernel.Faults.Heal(SimCall.Accept);
        s.Run(0.2);

        Assert.Equal(1, s.Relayed);
        Assert.True(s.Kernel.Listener.IsClosed);
    }

    [Fact]
    public void ReceivingFails_StopsAllTheSame()
    {
        var s = new ProxyScenario();
        s.Kernel.Faults.Standing(SimCall.ReceiveDatagrams, IoStatus.NoBuffers);
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Kernel.RequestStop();
        s.Run(6);

        AssertStopped(s);
    }

    [Fact]
    public void BackendsInEachState_AllAreClosed()
    {
        var s = new ProxyScenario(backends: 5);
        s.Backends[1].Crash();
        s.Backends[2].Stop();
        s.Backends[3].Unlink();
        s.Backends[4].AnswersHello = false;
        s.Backends[4].CloseSessions();
        s.Run(4);
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
    }

    [Fact]
    public void StatusAskedForWhenTheGraceEnds_NothingFollowsTheLastLine()
    {
        var s = new ProxyScenario();
        for (var n = 0; n < 200; n++)
            s.Kernel.InjectDatagram(ProxyScenario.Client(n), ProxyScenario.Query(n));
        s.Settle();
        s.ConnectThrough();
        s.Kernel.RequestStop();
        s.Balancer.Turn();
        s.Kernel.After(Limits.StopGrace, s.Kernel.RequestStatus);
        s.Run(10);

        AssertStopped(s);
    }

    [Fact]
    public void ScanIsUnderWay_IsClosed()
    {
        var s = new ProxyScenario();
        for (var n = 0; n < 1000; n++)
            s.Kernel.Directory.Create($"file{n}", SimEntryKind.File);
        s.Kernel.RequestRescan();
        s.Balancer.Turn();
        Assert.True(s.Kernel.Directory.IsScanning);
        s.Kernel.RequestStop();
        s.Run(1);

        AssertStopped(s);
    }

    /// <summary>An answer to query 7.</summary>
    private static byte[] Late => [0, 7, .. "late"u8];

    private static void AssertStopped(ProxyScenario s)
    {
        Assert.True(s.Balancer.HasStopped);
        Assert.Equal(1, s.Log.Count<LogEvent.Stopped>());
        Assert.True(s.Kernel.Listener.IsClosed);
        Assert.Equal(0, s.Kernel.OpenDescriptors);
        Assert.Equal(0, s.Core.ConnectionCount);
        Assert.Equal(0, s.Core.TimerCount);
        Assert.IsType<LogEvent.Stopped>(s.Log.Events[^1].Event);
        s.AssertBooksBalance();
    }
}
