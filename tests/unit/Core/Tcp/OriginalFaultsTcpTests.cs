// The faults of the original in its TCP path; see OriginalFaultsTests for the others.

using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class OriginalFaultsTcpTests
{
    [Theory]
    [InlineData(IoStatus.TooManyFiles)]
    [InlineData(IoStatus.NoBuffers)]
    [InlineData(IoStatus.AccessDenied)]
    [InlineData(IoStatus.Refused)]
    [InlineData(IoStatus.Unreachable)]
    [InlineData(IoStatus.TimedOut)]
    [InlineData(IoStatus.InvalidArgument)]
    [InlineData(IoStatus.Other)]
    public void Fault02_AcceptFailsInAnyWay_GoesOnWithoutSpinning(IoStatus why)
    {
        var s = new ProxyScenario();
        s.Kernel.Faults.Standing(SimCall.Accept, why);
        var client = s.Connect();
        var turns = s.Balancer.Turns;
        s.Run(2);
        Assert.InRange(s.Balancer.Turns - turns, 1, 100);
        Assert.Equal(why, s.Log.Last<LogEvent.AcceptFailed>().Why.Status);

        s.Kernel.Faults.Heal(SimCall.Accept);
        s.Run(0.2);

        s.Finish(client, s.LastTcp(), suppressed: 1);
    }

    [Fact]
    public void Fault02_NoDescriptorLeft_WaitsForOneWithoutSpinning()
    {
        var s = new ProxyScenario();
        s.Kernel.DescriptorLimit = s.Kernel.OpenDescriptors;
        for (var n = 0; n < 100; n++)
            s.Connect(host: n);
        var turns = s.Balancer.Turns;
        s.Run(3);
        Assert.InRange(s.Balancer.Turns - turns, 1, 100);
        Assert.Equal(0, s.Counters[Counter.ConnectionsAccepted]);

        s.Kernel.DescriptorLimit = 1000;
        s.Run(0.2);

        Assert.Equal(100, s.Relayed);
        s.AssertBooksBalance();
    }

    [Fact]
    public void Fault04_NoBackendCanBeChosen_ClientIsClosedAndNothingLeaks()
    {
        var s = new ProxyScenario();
        s.Backend.Crash();
        s.Settle();
        for (var n = 0; n < 1000; n++)
        {
            var client = s.Connect(host: n);
            s.Settle();
            Assert.True(client.IsClosedByBalancer);
        }

        s.AssertEnded(Counter.ConnectionsWithoutBackend, times: 1000);
        s.AssertNothingLeft(suppressed: 1);
    }

    [Fact]
    public void Fault05_PathIsUnlinkedUnderALiveSession_TcpGoesElsewhere()
    {
        var s = new ProxyScenario(backends: 2);
        var client = s.ConnectThrough(host: 1);
        Assert.Single(s.Backend.TcpSessions);
        s.Backend.Unlink();
        s.Run(0.1);
        Assert.Equal(BackendState.Draining, s.Core.SnapshotBackends()[0].State);
        var connects = s.Kernel.Calls[SimCall.Connect];

        s.ConnectThrough(host: 1, port: 4001);
        s.ConnectThrough(host: 2);
        s.ConnectThrough(host: 3);

        Assert.Single(s.Backend.TcpSessions);
        Assert.Equal(3, s.Backends[1].TcpSessions.Count);
        // Not one was tried where it could only fail; what runs there goes on.
        Assert.Equal(3, s.Kernel.Calls[SimCall.Connect] - connects);
        s.LastTcp().Send("goes on"u8);
        s.Settle();
        Assert.Equal("goes on"u8, client.Receive());
        s.AssertBooksBalance();
    }

    [Fact]
    public void Fault05_OnlyBackendIsUnlinked_ClientIsClosedAtOnce()
    {
        var s = new ProxyScenario();
        s.Backend.Unlink();
        s.Run(0.1);
        var client = s.Connect();
        s.Settle();

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsWithoutBackend);
        s.AssertNothingLeft();
    }

    [Fact]
    public void Fault06_HandshakeTimesOut_ControlSessionStays()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        s.Connect();
        s.Run(11);

        s.AssertEnded(Counter.ConnectionsHandshakeTimedOut);
        AssertFaults(s, 0);
    }

    [Fact]
    public void Fault06_BackendReconnectedDuringTheHandshake_NewSessionStays()
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        s.Connect();
        s.Run(2);
        s.Backend.Control!.Close();
        s.Run(2);
        Assert.Equal(2, s.Log.Count<LogEvent.BackendHealthy>());
        s.Run(7);

        s.AssertEnded(Counter.ConnectionsHandshakeTimedOut);
        AssertFaults(s, 1);
    }

    [Fact]
    public void Fault08_ClientDoesNotRead_BackendIsSlowedDownNotBuffered()
    {
        var s = new ProxyScenario();
        for (var host = 1; host <= 20; host++)
        {
            s.ConnectThrough(host);
            s.LastTcp().Send(ProxyScenario.Pattern(3_000_000));
        }
        s.Run(5);

        // Of these, 336 KB are the kernel's, in the buffers of both streams.
        Assert.Equal(20, s.Backend.TcpSessions.Count);
        Assert.All(s.Backend.TcpSessions,
            session => Assert.InRange(session.Stream.BytesSent, 1, 360 * 1024));
        Assert.Equal(20, s.Core.ConnectionCount);
        s.AssertBooksBalance();
    }

    [Fact]
    public void Fault08_BackendDoesNotRead_ClientIsSlowedDownNotBuffered()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Backend.Hang();
        client.Send(ProxyScenario.Pattern(3_000_000));
        s.Run(5);

        Assert.InRange(client.BytesSent, 1, 360 * 1024);
        s.AssertBooksBalance();
    }

    public enum ResetWhen
    {
        BeforeAccept,
        BeforeHandshakeIsRead,
        BeforeOk,
        WithOk,
        AfterOk,
        WithRefusal,
        WhileTheSecondIsTried,
    }

    [Theory]
    [InlineData(ResetWhen.BeforeAccept)]
    [InlineData(ResetWhen.BeforeHandshakeIsRead)]
    [InlineData(ResetWhen.BeforeOk)]
    [InlineData(ResetWhen.WithOk)]
    [InlineData(ResetWhen.AfterOk)]
    [InlineData(ResetWhen.WithRefusal)]
    [InlineData(ResetWhen.WhileTheSecondIsTried)]
    public void Fault17_ClientSendsAndResets_NothingOfItIsUsedAgain(ResetWhen when)
    {
        var s = new ProxyScenario(backends: 2);
        foreach (var backend in s.Backends)
            backend.AnswersTcp = false;
        var client = s.Connect();
        client.Send("query"u8);
        Reach(s, client, when);
        s.Settle();

        // Whatever comes late finds nobody, even where the descriptors are used again.
        var other = s.Connect(host: 2);
        s.Settle();
        foreach (var backend in s.Backends)
        {
            foreach (var session in backend.TcpSessions)
                session.SendTcpOk();
        }
        s.Run(20);
        Assert.Equal(1, s.Counters[Counter.ConnectionsFailedByClient]);
        Assert.Equal(1, s.Core.ConnectionCount);
        other.Reset();
        s.Settle();
        s.AssertNothingLeft();
    }

    private static void Reach(ProxyScenario s, SimStream client, ResetWhen when)
    {
        if (when == ResetWhen.BeforeHandshakeIsRead)
            s.Balancer.Turn();
        else if (when != ResetWhen.BeforeAccept)
            s.Settle();
        if (when is ResetWhen.WithOk or ResetWhen.AfterOk)
            s.LastTcp().SendTcpOk();
        if (when is ResetWhen.WithRefusal or ResetWhen.WhileTheSecondIsTried)
            s.LastTcp().Close();
        if (when is ResetWhen.AfterOk or ResetWhen.WhileTheSecondIsTried)
            s.Settle();
        client.Reset();
    }

    private static void AssertFaults(ProxyScenario s, int faults)
    {
        Assert.Equal(faults, s.Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(BackendState.Healthy, s.Core.SnapshotBackends()[0].State);
        s.AssertNothingLeft();
    }
}
