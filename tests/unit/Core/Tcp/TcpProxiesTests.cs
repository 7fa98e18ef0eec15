// The listener and the set of connections: limits, descriptors that run out, and a thousand at
// once. What one connection does is in TcpProxyTests.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TcpProxiesTests
{
    [Fact]
    public void ClientOverItsLimit_DoesNotHideThatAllAreTaken()
    {
        var s = new ProxyScenario(options: new BalancerOptions
        {
            TcpConnections = 2,
            TcpConnectionsPerClient = 1,
        });
        s.Connect(host: 1, port: 4001);
        s.Connect(host: 1, port: 4002);
        s.Settle();
        s.Connect(host: 2, port: 4001);
        s.Connect(host: 3, port: 4001);
        s.Settle();

        Assert.Equal(1, s.Log.Count<LogEvent.ClientOverLimit>());
        Assert.Equal(1, s.Log.Count<LogEvent.ConnectionsOverLimit>());
    }

    [Fact]
    public void AsManyAsMayBeAreOpen_TheNextIsClosedAndCounted()
    {
        var s = new ProxyScenario(options: new BalancerOptions { TcpConnections = 3 });
        var clients = new List<SimStream>();
        for (var host = 1; host <= 3; host++)
            clients.Add(s.ConnectThrough(host));
        var refused = s.Connect(host: 4);
        s.Settle();

        Assert.True(refused.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsOverLimit);
        Assert.Equal(1, s.Log.Count<LogEvent.ConnectionsOverLimit>());
        Assert.Equal(0, s.Log.Count<LogEvent.ClientOverLimit>());
        Assert.Equal(3, s.Core.ConnectionCount);

        clients[0].Reset();
        s.Settle();
        s.ConnectThrough(host: 4);
        Assert.Equal(3, s.Core.ConnectionCount);
        s.AssertBooksBalance();
    }

    [Fact]
    public void OneClientHasAsManyAsItMay_OnlyItIsRefused()
    {
        var s = new ProxyScenario(options: new BalancerOptions { TcpConnectionsPerClient = 2 });
        var first = s.ConnectThrough(port: 1);
        s.ConnectThrough(port: 2);
        var refused = s.Connect(port: 3);
        s.Settle();

        Assert.True(refused.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsOverClientLimit);
        s.ConnectThrough(host: 2);

        first.Reset();
        s.Settle();
        s.ConnectThrough(port: 4);
        s.AssertBooksBalance();
    }

    [Fact]
    public void TwoBackendsRefuse_OneLineNamesEach()
    {
        var s = new ProxyScenario(backends: 2);
        foreach (var backend in s.Backends)
            backend.Listener.Close();
        s.Connect(port: 1);
        s.Connect(port: 2);
        s.Settle();

        Assert.Equal([5301, 5302], s.Log.Of<LogEvent.ConnectionRefusedByBackend>()
            .Select(refused => refused.Backend.Value).Order());
    }

    [Fact]
    public void ConnectionsOfAClientEndInAnyWay_ItMayHaveAsManyAgain()
    {
        var s = new ProxyScenario(options: new BalancerOptions { TcpConnectionsPerClient = 1 });
        s.Backend.AnswersTcp = false;
        s.Connect(port: 1);
        s.Run(11);
        s.Connect(port: 2);
        s.Settle();
        s.Backend.Listener.Close();
        s.LastTcp().Reset();
        s.Run(11);
        Assert.Equal(1, s.Counters[Counter.ConnectionsRefusedByBackend]);
        s.Backend.AnswersTcp = true;
        s.Backend.Rebind();
        s.Run(2);

        s.ConnectThrough(port: 3);

        Assert.Equal(0, s.Counters[Counter.ConnectionsOverClientLimit]);
        s.AssertBooksBalance();
    }

    [Fact]
    public void ClientsOverTheLimitFlood_AtMostOneLineEveryFiveSeconds()
    {
        var s = new ProxyScenario(options: new BalancerOptions { TcpConnections = 1 });
        var first = s.ConnectThrough();
        for (var n = 0; n < 500; n++)
        {
            first.Send([0, 12, .. new byte[12]]);
            s.Connect(host: 2, port: (ushort)(1000 + n));
            s.Run(0.01);
        }
        for (var n = 0; n < 10; n++)
        {
            first.Send([0, 12, .. new byte[12]]);
            s.Run(0.5);
        }
        s.Connect(host: 3);
        s.Settle();

        Assert.Equal(501, s.Counters[Counter.ConnectionsOverLimit]);
        Assert.InRange(s.Log.Count<LogEvent.ConnectionsOverLimit>(), 2, 3);
        s.AssertBooksBalance();
    }

    [Fact]
    public void NoBackend_ClientIsClosedAtOnceAndNothingIsLeft()
    {
        var s = new ProxyScenario(backends: 0);
        var clients = new List<SimStream>();
        for (var n = 0; n < 200; n++)
            clients.Add(s.Connect(host: n, port: 5000));
        s.Settle();

        Assert.All(clients, client => Assert.True(client.IsClosedByBalancer));
        s.AssertEnded(Counter.ConnectionsWithoutBackend, times: 200);
        Assert.Equal(1, s.Log.Count<LogEvent.NoHealthyBackend>());
        Assert.Equal(0, s.Core.RemoteCount);
        s.AssertNothingLeft(suppressed: 1);
    }

    [Theory]
    [InlineData(IoStatus.TooManyFiles)]
    [InlineData(IoStatus.NoBuffers)]
    [InlineData(IoStatus.Other)]
    public void AcceptFailsForAWhile_ListenerRestsThenGoesOn(IoStatus why)
    {
        var s = new ProxyScenario();
        s.Kernel.Faults.Standing(SimCall.Accept, why);
        var client = s.Connect();
        var (accepts, turns) = (s.Kernel.Calls[SimCall.Accept], s.Balancer.Turns);
        s.Run(2);

        Assert.InRange(s.Kernel.Calls[SimCall.Accept] - accepts, 10, 25);
        Assert.InRange(s.Balancer.Turns - turns, 10, 100);
        Assert.Equal(1, s.Log.Count<LogEvent.AcceptFailed>());
        Assert.False(client.IsClosedByBalancer);

        s.Kernel.Faults.Heal(SimCall.Accept);
        s.Run(0.2);
        Assert.Equal(1, s.Relayed);
        s.Finish(client, s.LastTcp(), suppressed: 1);
    }

    [Fact]
    public void NoDescriptorIsFree_WaitingClientIsServedOnceOneIs()
    {
        var s = new ProxyScenario();
        var first = s.ConnectThrough(port: 1);
        s.Kernel.DescriptorLimit = s.Kernel.OpenDescriptors;
        s.Connect(port: 2);
        s.Run(1);
        Assert.Equal(1, s.Relayed);
        Assert.True(s.Counters[Counter.AcceptsFailed] > 0);

        first.Reset();
        s.Run(0.2);

        Assert.Equal(2, s.Relayed);
        s.AssertBooksBalance();
    }

    [Fact]
    public void OneAcceptWasAborted_TheNextClientIsTakenInTheSameTurn()
    {
        var s = new ProxyScenario();
        s.Kernel.Faults.NextAccept(IoStatus.Aborted, times: 3);
        var client = s.Connect();
        s.Settle();

        Assert.Equal(1, s.Relayed);
        Assert.Equal(3, s.Counters[Counter.AcceptsFailed]);
        s.Finish(client, s.LastTcp(), suppressed: 1);
    }

    [Fact]
    public void ReadinessMeansNothing_NobodyIsHarmed()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Kernel.Faults.SpuriousReadiness(s.Kernel.Network.Listener, Readiness.Read);
        s.Kernel.Faults.SpuriousReadiness(client.BalancerHandle, Readiness.Read);
        s.Kernel.Faults.SpuriousReadiness(s.LastTcp().Stream.BalancerHandle, Readiness.Read);
        s.Settle();

        Assert.Equal(1, s.Core.ConnectionCount);
        s.Finish(client, s.LastTcp());
    }

    [Fact]
    public void AThousandAtOnce_EachGetsItsOwnAnswerAndNothingIsLeft()
    {
        var s = new ProxyScenario(backends: 4);
        foreach (var backend in s.Backends)
            backend.EchoesTcp = true;
        var clients = new List<(SimStream Stream, byte[] Sent)>();
        for (var n = 0; n < 1000; n++)
        {
            var stream = s.Connect(host: n % 50, port: (ushort)(2000 + n));
            var sent = ProxyScenario.Message(100 + n % 7, id: n);
            stream.Send(sent);
            stream.HalfClose();
            clients.Add((stream, sent));
        }
        s.Run(1);

        foreach (var (stream, sent) in clients)
        {
            Assert.Equal(sent, stream.Receive());
            Assert.True(stream.IsAtEnd);
        }
        s.AssertEnded(Counter.ConnectionsFinished, times: 1000);
        s.AssertNothingLeft();
    }

    [Fact]
    public void ManyAcceptsWait_OneTurnTakesABoundedNumber()
    {
        var s = new ProxyScenario();
        for (var n = 0; n < 500; n++)
            s.Connect(host: n, port: 7);
        var before = s.Counters[Counter.ConnectionsAccepted];
        s.Balancer.Turn();

        Assert.Equal(TurnLimits.Standard.AcceptsPerTurn,
            s.Counters[Counter.ConnectionsAccepted] - before);
        s.Settle();
        Assert.Equal(500, s.Counters[Counter.ConnectionsAccepted]);
        s.AssertBooksBalance();
    }
}
