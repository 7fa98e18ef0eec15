// One proxied connection that waits: for room in a backend's accept queue, and for a backend that
// becomes suspect or whose control session ends. What a refusal does is in TcpProxyTests.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TcpProxyWaitTests
{
    // ---- For room in an accept queue ----

    [Fact]
    public void OnlyBackendIsFull_IsAskedEverMoreSlowlyUntilItHasRoom()
    {
        var s = new ProxyScenario();
        Fill(s.Backend);
        var start = s.Kernel.Now;
        var client = s.Connect();
        client.Send("\0\u000cthat is kept"u8);
        s.Run(0.5);

        Assert.Equal([0, 10, 30, 70, 150, 250, 350, 450], Tries(s, start));
        Assert.Equal(8, s.Counters[Counter.ConnectsToFullBackend]);
        MakeRoom(s.Backend);
        s.Run(0.1);

        Assert.Equal("\0\u000cthat is kept"u8, [.. s.LastTcp().TcpBytes]);
        Assert.Equal(0, s.Counters[Counter.ConnectionsRetried]);
        Assert.Equal(0, s.Log.Count<LogEvent.ConnectionRefusedByBackend>());
        Assert.Equal(new BackendId(5301),
            Assert.Single(s.Log.Of<LogEvent.BackendAcceptQueueFull>()).Backend);
        s.LastTcp().Send("\0\u0006answer"u8);
        s.Settle();
        s.Finish(client, s.LastTcp(), suppressed: 1);
    }

    [Fact]
    public void FirstIsFull_SecondIsAskedAtOnceAndThatIsNotATry()
    {
        var s = new ProxyScenario(backends: 2);
        var (first, second) = (s.Backends[0], s.Backends[1]);
        Fill(first);
        second.AnswersTcp = false;
        var client = s.Connect();
        s.Settle();
        MakeRoom(first);
        ProxyScenario.LastTcp(second).Close();
        s.Settle();

        Assert.Equal(1, s.Relayed);
        Assert.Equal(1, s.Counters[Counter.ConnectionsRetried]);
        s.Finish(client, ProxyScenario.LastTcp(first));
    }

    [Fact]
    public void AllAreFull_AreAskedInTurnUntilOneHasRoom()
    {
        var s = new ProxyScenario(backends: 2);
        Fill(s.Backends[0]);
        Fill(s.Backends[1]);
        var start = s.Kernel.Now;
        var client = s.Connect();
        s.Run(0.1);
        Assert.Equal([0, 0, 10, 30, 70], Tries(s, start));
        Assert.Equal([5301, 5302, 5301, 5302, 5301], Asked(s));
        MakeRoom(s.Backends[1]);
        s.Run(0.1);

        s.Finish(client, ProxyScenario.LastTcp(s.Backends[1]), suppressed: 2);
    }

    [Fact]
    public void OtherIsCold_FullOneIsAskedAgain()
    {
        var s = new ProxyScenario();
        s.Backends.Add(new SimBackend(s.Kernel, "5302"));
        s.Run(0.1);
        Fill(s.Backend);
        s.Connect();
        s.Run(0.02);

        Assert.Equal([5301, 5301], Asked(s));
    }

    [Fact]
    public void FullForTenSeconds_ClientIsClosed()
    {
        var s = new ProxyScenario();
        Fill(s.Backend);
        var client = s.Connect();
        s.Run(9.99);
        Assert.False(client.IsClosedByBalancer);

        s.Run(0.02);

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsHandshakeTimedOut);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void AcceptQueueFreesAfter9s_OkIsStillDueWithin10s()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        Fill(s.Backend);
        var client = s.Connect();
        s.Run(9);
        MakeRoom(s.Backend);
        s.Run(0.99);
        Assert.Single(s.Backend.TcpSessions);
        Assert.False(client.IsClosedByBalancer);

        s.Run(0.02);

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsHandshakeTimedOut);
    }

    [Fact]
    public void FullBackendDies_ConnectionIsServedWhenItIsBack()
    {
        var s = new ProxyScenario();
        Fill(s.Backend);
        var client = s.Connect();
        s.Run(0.1);
        s.Backend.CloseSessions();
        s.Run(0.5);
        Assert.False(client.IsClosedByBalancer);
        MakeRoom(s.Backend);
        s.Run(1);

        Assert.Equal(1, s.Relayed);
    }

    [Fact]
    public void ClientResetsWhileItWaits_EndsAtOnce()
    {
        var s = new ProxyScenario();
        Fill(s.Backend);
        var client = s.Connect();
        s.Run(0.1);
        client.Reset();
        s.Settle();

        s.AssertEnded(Counter.ConnectionsFailedByClient);
        s.AssertNothingLeft(suppressed: 1);
    }

    [Fact]
    public void ObjectOfOneThatWaitedIsUsedAgain_NextOneStartsFresh()
    {
        var s = new ProxyScenario(backends: 2);
        Fill(s.Backends[0]);
        Fill(s.Backends[1]);
        s.Connect();
        s.Run(11);
        var start = s.Kernel.Now;
        var before = Tries(s, start).Count;
        s.Connect(host: 2);
        s.Run(0.02);

        Assert.Equal([0, 0, 10], Tries(s, start).Skip(before));
    }

    // ---- For a backend in trouble ----

    [Fact]
    public void BackendBecomesSuspect_AnotherTakesTheConnectionAtOnce()
    {
        var s = new ProxyScenario(backends: 2);
        var client = Await(s);
        s.Backend.Hang();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Run(0.19);
        Assert.Equal(0, s.Relayed);
        s.Run(0.02);

        Assert.Equal(1, s.Log.Count<LogEvent.BackendSuspected>());
        Assert.Equal(1, s.Relayed);
        Assert.Equal(1, s.Counters[Counter.ConnectionsMoved]);
        Assert.Equal(0, s.Counters[Counter.ConnectionsRetried]);
        s.Backend.Resume();
        s.Settle();
        Assert.True(s.LastTcp().HasEnded);
        client.Close();
        ProxyScenario.LastTcp(s.Backends[1]).Close();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFinished);
    }

    [Fact]
    public void ControlSessionEnds_AnotherTakesTheConnectionAtOnce()
    {
        var s = new ProxyScenario(backends: 2);
        var client = Await(s);
        s.Backend.Control!.Close();
        s.Settle();

        Assert.True(s.LastTcp().HasEnded);
        Assert.Equal(1, s.Counters[Counter.ConnectionsMoved]);
        s.Finish(client, ProxyScenario.LastTcp(s.Backends[1]));
    }

    /// <summary>The other one refused it, and would not now: it is asked again in time.</summary>
    [Fact]
    public void OthersRefusedAndItsOwnIsSuspect_OthersAreAskedAgainAfterASecond()
    {
        var s = new ProxyScenario(backends: 2);
        var (first, second) = (s.Backends[0], s.Backends[1]);
        second.AnswersTcp = false;
        Await(s);
        first.Hang();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Run(0.25);
        // It is with the second one now, which refuses it: back to the first.
        ProxyScenario.LastTcp(second).Close();
        s.Settle();
        second.AnswersTcp = true;
        s.Run(0.9);
        Assert.Equal(0, s.Relayed);
        s.Run(0.2);

        Assert.Equal(1, s.Relayed);
        Assert.Equal(2, second.Sessions.Count(session => session.IsTcp));
    }

    [Theory]
    [InlineData(7, 1)]
    [InlineData(8, 0)]
    public void ManyRefuseOneAfterTheOther_ConnectionWaitsAMoment(int refusing, int relayed)
    {
        var s = new ProxyScenario(backends: 9);
        foreach (var backend in s.Backends.Take(refusing))
            backend.Listener.Close();
        s.Connect();
        s.Settle();
        Assert.Equal(relayed, s.Relayed);
        s.Run(0.02);

        Assert.Equal(1, s.Relayed);
        Assert.Equal(refusing, s.Counters[Counter.ConnectionsRetried]);
    }

    [Fact]
    public void NoOtherBackend_ConnectionWaitsOnAndMovesWhenThereIsOne()
    {
        var s = new ProxyScenario();
        Await(s);
        s.Backend.Control!.Close();
        s.Run(0.1);
        Assert.False(s.LastTcp().HasEnded);
        s.Backends.Add(new SimBackend(s.Kernel, "5302"));
        s.Run(0.1);

        Assert.Equal(1, s.Relayed);
        Assert.Single(s.Backends[1].TcpSessions);
    }

    [Fact]
    public void SecondBackendFailsToo_TheThirdTakesTheConnection()
    {
        var s = new ProxyScenario(backends: 3);
        s.Backends[1].AnswersTcp = false;
        Await(s);
        s.Backend.Control!.Close();
        s.Settle();
        s.Backends[1].Control!.Close();
        s.Settle();

        Assert.Equal(2, s.Counters[Counter.ConnectionsMoved]);
        Assert.Equal(0, s.Counters[Counter.ConnectionsRetried]);
        Assert.Equal(1, s.Relayed);
        Assert.Single(s.Backends[2].TcpSessions);
    }

    [Fact]
    public void BackendHangsAndNobodyAsksOverUdp_AnotherTakesTheConnection()
    {
        var s = new ProxyScenario(backends: 2);
        s.Backend.Hang();
        s.Connect();
        s.Run(0.19);
        Assert.Equal(0, s.Relayed);
        s.Run(0.02);

        Assert.Equal(1, s.Log.Count<LogEvent.BackendSuspected>());
        Assert.Equal(1, s.Relayed);
        Assert.Equal(1, s.Counters[Counter.ConnectionsMoved]);
    }

    [Fact]
    public void BackendTakesConnectionsAndNobodyAsksOverUdp_IsAskedForNoHeartbeat()
    {
        var s = new ProxyScenario();
        var before = s.Log.Count<LogEvent.HeartbeatSent>();
        for (var n = 0; n < 10; n++)
        {
            s.ConnectThrough(port: (ushort)(4000 + n));
            s.Run(0.2);
        }

        Assert.InRange(s.Log.Count<LogEvent.HeartbeatSent>() - before, 0, 1);
    }

    [Fact]
    public void ConnectionIsRelayed_StaysWithItsBackend()
    {
        var s = new ProxyScenario(backends: 2);
        s.ConnectThrough();
        s.Backend.Control!.Close();
        s.Settle();

        Assert.Equal(0, s.Counters[Counter.ConnectionsMoved]);
        Assert.False(s.LastTcp().HasEnded);
    }

    // ---- For an answer of a backend in trouble ----

    [Fact]
    public void BackendHangsAndOwesAnAnswer_ClientIsResetWhenThatIsJudged()
    {
        var s = new ProxyScenario(backends: 2);
        var asking = s.ConnectThrough();
        var idle = s.ConnectThrough(port: 4001);
        asking.Send(ProxyScenario.Message(40));
        s.Settle();
        s.Backend.Hang();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Run(0.3);
        Assert.Equal(1, s.Log.Count<LogEvent.BackendSuspected>());
        Assert.False(asking.IsReset);
        s.Run(0.1);

        Assert.True(asking.IsReset);
        Assert.False(idle.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsFailedByBackend);
        // Nobody will answer this one, either.
        idle.Send(ProxyScenario.Message(40));
        s.Settle();
        Assert.True(idle.IsReset);
    }

    /// <summary>However many reads that takes when the client takes it at last.</summary>
    [Fact]
    public void BackendHangsAndHadSentALongAnswer_ClientHasItWhole()
    {
        var s = new ProxyScenario(backends: 2);
        var client = s.ConnectThrough();
        client.Send(ProxyScenario.Message(40));
        s.Settle();
        var answer = ProxyScenario.Message(60_000);
        for (var n = 0; n < 4; n++)
            s.LastTcp().Send(answer);
        s.Settle();
        s.Backend.Hang();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Run(0.5);
        Assert.Equal(1, s.Log.Count<LogEvent.BackendSuspected>());
        var received = s.ReceiveAll(client, 4 * answer.Length, seconds: 1);

        Assert.Equal(4 * answer.Length, received.Length);
        Assert.False(client.IsReset);
    }

    [Fact]
    public void SuspectBackendAnswersInTime_ConnectionGoesOn()
    {
        var s = new ProxyScenario(backends: 2);
        var client = s.ConnectThrough();
        client.Send(ProxyScenario.Message(40));
        s.Settle();
        s.Backend.Hang();
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Run(0.3);
        s.Backend.Resume();
        s.Run(0.5);
        s.LastTcp().Send(ProxyScenario.Message(40));
        s.Settle();

        Assert.Equal(ProxyScenario.Message(40), client.Receive());
        Assert.Equal(1, s.Log.Count<LogEvent.BackendSuspected>());
        client.HalfClose();
        s.LastTcp().HalfClose();
        s.Settle();
        s.AssertEnded(Counter.ConnectionsFinished);
    }

    /// <summary>The old process answers still, whatever becomes of the new one.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SocketIsReplacedAndTheNewProcessDies_ClientHasTheOldOnesAnswer(bool saidHello)
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        client.Send(ProxyScenario.Message(40));
        s.Settle();
        var old = s.LastTcp();
        s.Backend.AnswersHello = saidHello;
        s.Backend.Rebind();
        s.Run(0.1);
        Assert.Equal(1, s.Log.Count<LogEvent.BackendRestarted>());
        s.Backend.Control!.Close();
        s.Settle();
        Assert.Equal(1, s.Log.Count<LogEvent.BackendFaulted>());
        Assert.False(client.IsReset);
        old.Send(ProxyScenario.Message(50));
        s.Settle();

        Assert.Equal(ProxyScenario.Message(50), client.Receive());
        // When it ends itself, that is the end.
        client.Send(ProxyScenario.Message(40));
        s.Settle();
        old.Reset();
        s.Settle();
        Assert.True(client.IsReset);
        s.AssertEnded(Counter.ConnectionsFailedByBackend);
    }

    [Fact]
    public void SessionIsLostAndAnAnswerIsOwed_ClientIsResetAndHasWhatCame()
    {
        var s = new ProxyScenario(backends: 2);
        var client = s.ConnectThrough();
        client.Send([.. ProxyScenario.Message(40), .. ProxyScenario.Message(40)]);
        s.Settle();
        s.LastTcp().Send(ProxyScenario.Message(50));
        s.Backend.Control!.Close();
        s.Settle();

        Assert.Equal(ProxyScenario.Message(50), client.Receive());
        Assert.True(client.IsReset);
        s.AssertEnded(Counter.ConnectionsFailedByBackend);
    }

    [Fact]
    public void SessionIsLostAndThereIsAnother_ConnectionGoesOn()
    {
        var s = new ProxyScenario(backends: 2);
        var client = s.ConnectThrough();
        s.Backend.Control!.Close();
        s.Run(1.1);
        Assert.NotNull(s.Backend.Control);
        client.Send(ProxyScenario.Message(40));
        s.Settle();

        Assert.Equal(ProxyScenario.Message(40), s.LastTcp().TcpBytes);
        Assert.False(client.IsReset);
    }

    [Fact]
    public void ThousandsWait_EachTurnMovesABoundedNumberAndAllAreMoved()
    {
        var s = new ProxyScenario(backends: 2);
        s.Backend.AnswersTcp = false;
        s.Kernel.InjectDatagram(ProxyScenario.Client(), ProxyScenario.Query(1));
        s.Settle();
        for (var n = 0; n < 500; n++)
            s.Connect(port: (ushort)(4000 + n));
        s.Run(0.1);
        Assert.Equal(500, s.Backend.TcpSessions.Count);
        s.Backend.Control!.Close();
        s.Run(0.1);

        Assert.Equal(500, s.Counters[Counter.ConnectionsMoved]);
        Assert.Equal(500, s.Relayed);
    }

    private static SimStream Await(ProxyScenario s)
    {
        s.Backend.AnswersTcp = false;
        var client = s.Connect();
        s.Settle();
        return client;
    }

    private static void Fill(SimBackend backend)
    {
        backend.Accepts = false;
        backend.Listener.Backlog = -1;
    }

    private static void MakeRoom(SimBackend backend)
    {
        backend.Listener.Backlog = backend.Backlog;
        backend.Accepts = true;
    }

    private static IEnumerable<int> Asked(ProxyScenario s) =>
        s.Log.Of<LogEvent.ConnectionOpened>().Select(opened => opened.Backend.Value);

    /// <summary>When a backend was asked to take a connection, in milliseconds.</summary>
    private static List<long> Tries(ProxyScenario s, Instant start) =>
        s.Log.TimesOf<LogEvent.ConnectionOpened>()
            .Select(at => (at - start).Nanoseconds / 1_000_000).ToList();
}
