// Who is let go: the longest idle when places are short, the longest of those that do not read, and
// clients that take too long for what is up to them alone.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TcpPlacesTests
{
    private static readonly BalancerOptions TenPlaces = new() { TcpConnections = 10 };

    // ---- Places ----

    [Fact]
    public void NineOfTenAreTaken_TheLongestIdleGivesWay()
    {
        var s = new ProxyScenario(options: TenPlaces);
        var clients = Connect(s, hosts: 9);
        s.Run(2);
        // They were the longest idle until now; but a byte asks nothing.
        clients[0].Send(ProxyScenario.Message(40));
        clients[1].Send("x"u8);
        s.Settle();
        Assert.Equal(0, s.Counters[Counter.ConnectionsGaveWay]);
        s.ConnectThrough(host: 20);

        s.AssertEnded(Counter.ConnectionsGaveWay);
        Assert.True(clients[1].IsClosedByBalancer || clients[1].IsReset);
        Assert.Equal(9, s.Core.ConnectionCount);
    }

    [Fact]
    public void NobodyIsIdleForASecond_NobodyGivesWayAndOneIsTooMany()
    {
        var s = new ProxyScenario(options: TenPlaces);
        Connect(s, hosts: 9);
        s.Run(0.9);
        s.Connect(host: 20);
        s.Connect(host: 21);
        s.Settle();

        s.AssertEnded(Counter.ConnectionsOverLimit);
        Assert.Equal(10, s.Core.ConnectionCount);
    }

    [Fact]
    public void AllPlacesAreTaken_OneThatComesGetsAPlace()
    {
        var s = new ProxyScenario(options: TenPlaces);
        Connect(s, hosts: 10);
        s.Run(2);
        for (var n = 0; n < 5; n++)
            s.ConnectThrough(host: 20 + n);

        s.AssertEnded(Counter.ConnectionsGaveWay, times: 5);
    }

    [Fact]
    public void AddressWithTheMost_LosesItsOwnFirst()
    {
        var s = new ProxyScenario(options: TenPlaces);
        var others = Connect(s, hosts: 3);
        var own = new List<SimStream>();
        for (var n = 0; n < 6; n++)
            own.Add(s.ConnectThrough(host: 9, port: (ushort)(5000 + n)));
        s.Run(2);
        for (var n = 0; n < 2; n++)
            s.ConnectThrough(host: 20 + n);

        s.AssertEnded(Counter.ConnectionsGaveWay, times: 2);
        Assert.True(own[0].IsClosedByBalancer);
        Assert.True(own[1].IsClosedByBalancer);
        Assert.DoesNotContain(others, client => client.IsClosedByBalancer);
    }

    [Fact]
    public void AddressWithAsManyAsItMay_TakesNobodysPlace()
    {
        var s = new ProxyScenario(
            options: new BalancerOptions { TcpConnections = 10, TcpConnectionsPerClient = 6 });
        Connect(s, hosts: 3);
        for (var n = 0; n < 6; n++)
            s.ConnectThrough(host: 9, port: (ushort)(5000 + n));
        s.Run(2);
        s.Connect(host: 9, port: 5999);
        s.Settle();

        s.AssertEnded(Counter.ConnectionsOverClientLimit);
    }

    /// <summary>It is told of in the turn in which another comes, and read after that.</summary>
    [Fact]
    public void LongestIdleSendsInTheTurnInWhichOneComes_TheNextGivesWay()
    {
        var s = new ProxyScenario(options: TenPlaces);
        var clients = Connect(s, hosts: 9);
        s.Run(2);
        s.ConnectSilently(host: 20);
        clients[0].Send(ProxyScenario.Message(40));
        s.Settle();

        s.AssertEnded(Counter.ConnectionsGaveWay);
        Assert.False(clients[0].IsClosedByBalancer);
        Assert.True(clients[1].IsClosedByBalancer);
    }

    /// <summary>Who has many loses them, however busy they are; who has few does not.</summary>
    [Fact]
    public void AllPlacesAreTakenByBusyOnes_OneOfTheAddressWithTheMostGivesWay()
    {
        var s = new ProxyScenario(options: TenPlaces);
        var others = Connect(s, hosts: 2);
        var own = new List<SimStream>();
        for (var n = 0; n < 8; n++)
            own.Add(s.ConnectThrough(host: 9, port: (ushort)(5000 + n)));
        for (var n = 0; n < 8; n++)
        {
            var next = s.Connect(host: 20 + n);
            s.Settle();
            Ask(own);
            others.Add(next);
            Ask(others);
        }

        // With as many as it has then, it loses no more.
        Assert.Equal(7, s.Counters[Counter.ConnectionsGaveWay]);
        Assert.Equal(1, s.Counters[Counter.ConnectionsOverLimit]);
        Assert.DoesNotContain(
            others[..^1], client => client.IsClosedByBalancer || client.IsReset);

        void Ask(List<SimStream> clients)
        {
            foreach (var client in clients.Where(one => !one.IsReset && !one.IsClosedByBalancer))
                client.Send(ProxyScenario.Message(40));
            s.Run(0.1);
        }
    }

    [Fact]
    public void ByteNowAndThen_KeepsNoPlaceOfMany()
    {
        var s = new ProxyScenario(options: TenPlaces);
        var other = s.ConnectThrough(host: 1);
        var own = new List<SimStream>();
        for (var n = 0; n < 8; n++)
            own.Add(s.ConnectThrough(host: 9, port: (ushort)(5000 + n)));
        for (var n = 0; n < 3; n++)
        {
            s.Run(0.9);
            own.ForEach(client => client.Send([1]));
        }
        s.Settle();
        s.ConnectThrough(host: 20);

        s.AssertEnded(Counter.ConnectionsGaveWay);
        Assert.False(other.IsClosedByBalancer);
        Assert.Single(own, client => client.IsClosedByBalancer || client.IsReset);
    }

    [Fact]
    public void OneThatSaysNothing_GivesWayLikeAnyOther()
    {
        var s = new ProxyScenario(options: TenPlaces);
        var silent = s.ConnectSilently(host: 30);
        s.Settle();
        var clients = Connect(s, hosts: 8);
        s.Run(2);
        s.ConnectThrough(host: 20);

        s.AssertEnded(Counter.ConnectionsGaveWay);
        Assert.True(silent.IsClosedByBalancer);
        Assert.DoesNotContain(clients, client => client.IsClosedByBalancer);
    }

    // ---- Clients that take too long ----

    [Fact]
    public void AByteNowAndThen_EndsAfterThirtySeconds()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        for (var n = 0; n < 30; n++)
        {
            Assert.False(client.IsClosedByBalancer);
            client.Send([0]);
            s.Run(n == 0 ? 1.01 : 1);
            // Two of these bytes are an empty message; the third begins one of 0 to 255.
            if (n == 1)
                client.Send([0, 200]);
        }
        Assert.False(client.IsClosedByBalancer);
        s.Run(3);

        Assert.True(client.IsClosedByBalancer);
        s.AssertEnded(Counter.ConnectionsSlow);
        s.AssertNothingLeft();
    }

    [Fact]
    public void MessageInTwentyNineSeconds_AndTheNextToo()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        for (var n = 0; n < 3; n++)
        {
            var message = ProxyScenario.Message(40, id: n);
            client.Send(message.AsSpan(0, 20));
            s.Run(29);
            client.Send(message.AsSpan(20));
            s.Settle();
            s.LastTcp().Send(message);
            s.Settle();
        }

        Assert.Equal(120, client.Receive().Length);
        Assert.False(client.IsClosedByBalancer);
    }

    [Fact]
    public void BackendEndsAndTheClientDoesNot_IsClosedAfterFiveSeconds()
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Run(10);
        s.LastTcp().Close();
        s.Run(4.9);
        Assert.Equal(1, s.Core.ConnectionCount);
        s.Run(0.2);

        s.AssertEnded(Counter.ConnectionsNotClosed);
        s.AssertNothingLeft();
    }

    [Fact]
    public void BackendEndsAndTheClientReadsSlowly_ItGetsAll()
    {
        var s = new ProxyScenario(before: kernel => kernel.BalancerToClient = new PipeSize(1_000));
        var client = s.ConnectThrough();
        client.Send(ProxyScenario.Message(40));
        s.Settle();
        s.LastTcp().Send(ProxyScenario.Message(9_000));
        s.LastTcp().Stream.CloseWhenSent();
        s.Settle();
        var got = 0;
        for (var n = 0; n < 12 && !client.IsReset; n++)
        {
            s.Run(20);
            got += client.Receive().Length;
        }

        Assert.Equal(9_000, got);
        Assert.False(client.IsReset);
    }

    [Fact]
    public void OneThatGivesWayIsOwedAnAnswer_ItIsReset()
    {
        var s = new ProxyScenario(options: TenPlaces);
        var clients = Connect(s, hosts: 9);
        clients[0].Send(ProxyScenario.Message(40));
        s.Run(2);
        s.ConnectThrough(host: 10);

        Assert.Equal(1, s.Counters[Counter.ConnectionsGaveWay]);
        Assert.Single(clients, client => client.IsReset || client.IsAtEnd);
    }

    // ---- Clients that do not read ----

    [Fact]
    public void OneTooManyDoesNotRead_TheLongestGoes()
    {
        var s = new ProxyScenario(before: kernel =>
        {
            kernel.BalancerToClient = new PipeSize(1_000);
            kernel.BackendToBalancer = new PipeSize(1_000);
        });
        var clients = new List<SimStream>();
        for (var n = 0; n <= Limits.TcpNotReading; n++)
        {
            Assert.DoesNotContain(clients, client => client.IsReset);
            clients.Add(DoNotRead(s, host: 1 + n));
        }

        s.AssertEnded(Counter.ConnectionsNotReading);
        Assert.True(clients[0].IsReset);
        Assert.Equal(Limits.TcpNotReading, s.Core.ConnectionCount);
        // One that has read is none of them.
        s.ReceiveAll(clients[1], 30_000);
        DoNotRead(s, host: 1 + clients.Count);
        Assert.Equal(1, s.Counters[Counter.ConnectionsNotReading]);
        DoNotRead(s, host: 2 + clients.Count);
        Assert.Equal(2, s.Counters[Counter.ConnectionsNotReading]);
    }

    [Fact]
    public void AddressWithTheMostThatDoNotRead_LosesItsOwnFirst()
    {
        var s = new ProxyScenario(options: new BalancerOptions { TcpNotReading = 3 },
            before: kernel =>
            {
                kernel.BalancerToClient = new PipeSize(1_000);
                kernel.BackendToBalancer = new PipeSize(1_000);
            });
        var other = DoNotRead(s, host: 1);
        var own = DoNotRead(s, host: 2, port: 1);
        DoNotRead(s, host: 2, port: 2);
        Assert.Equal(0, s.Counters[Counter.ConnectionsNotReading]);
        DoNotRead(s, host: 3);

        s.AssertEnded(Counter.ConnectionsNotReading);
        Assert.True(own.IsReset);
        Assert.False(other.IsReset);
    }

    /// <summary>It says that it takes them, and reads nothing of what their clients send.</summary>
    [Fact]
    public void BackendReadsNoneOfTooMany_TheLongestGoes()
    {
        var s = new ProxyScenario(
            before: kernel => kernel.BalancerToBackend = new PipeSize(1_000));
        s.Backend.ReadsTcp = false;
        var clients = new List<SimStream>();
        for (var n = 0; n <= Limits.TcpNotReading; n++)
        {
            Assert.DoesNotContain(clients, client => client.IsReset);
            clients.Add(Pump(s, host: 1 + n));
        }

        s.AssertEnded(Counter.ConnectionsNotReading);
        Assert.Equal([0], Enumerable.Range(0, clients.Count).Where(n => clients[n].IsReset));
        Assert.Equal(Limits.TcpNotReading, s.Core.ConnectionCount);
        // When it reads, none is.
        s.Backend.ReadsTcp = true;
        s.Settle();
        s.Backend.ReadsTcp = false;
        for (var n = 0; n < Limits.TcpNotReading; n++)
            Pump(s, host: 1000 + n);
        s.AssertEnded(Counter.ConnectionsNotReading);
    }

    private static SimStream Pump(ProxyScenario s, int host)
    {
        var client = s.ConnectThrough(host);
        // Nobody answers what it asked first, and a test is to see its reset.
        client.OnReadable = null;
        client.Send(ProxyScenario.Message(10_000));
        // It is kept for a moment behind what was asked before.
        s.Run(0.03);
        return client;
    }

    private static SimStream DoNotRead(ProxyScenario s, int host, ushort port = 4000)
    {
        var client = s.ConnectThrough(host, port);
        client.Send(ProxyScenario.Message(40));
        s.Settle();
        s.LastTcp().Send(ProxyScenario.Message(30_000));
        s.Settle();
        return client;
    }

    private static List<SimStream> Connect(ProxyScenario s, int hosts)
    {
        var clients = new List<SimStream>();
        for (var host = 1; host <= hosts; host++)
        {
            clients.Add(s.ConnectThrough(host));
            s.Run(0.01);
        }
        return clients;
    }
}
