// Wait: readiness by interest, the passing of virtual time, the operator's signals, and handles
// that name nothing any more.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class WaitTests
{
    private static readonly Duration Second = Duration.FromSeconds(1);

    private readonly Host _host = new();

    [Fact]
    public void NothingReady_PassesTheTimeToTheDeadline()
    {
        Assert.Empty(_host.Wait(Second));
        Assert.Equal(Instant.Zero + Second, _host.Kernel.Now);
        Assert.False(_host.Kernel.IsIdle);
    }

    [Fact]
    public void PastDeadline_ReturnsAtOnce()
    {
        _host.Kernel.Pass(Second);
        Assert.Empty(_host.Wait(Instant.Zero));
        Assert.Equal(Instant.Zero + Second, _host.Kernel.Now);
    }

    [Fact]
    public void NeverWithNothingScheduled_IsIdleAndMovesNoTime()
    {
        Assert.Empty(_host.Wait(Instant.Never));
        Assert.True(_host.Kernel.IsIdle);
        Assert.Equal(Instant.Zero, _host.Kernel.Now);
    }

    [Fact]
    public void ScheduledAction_WakesWhenItMakesSomethingReady()
    {
        _host.Network.SetInterest(_host.Network.DatagramSocket, Readiness.Read);
        var order = new List<int>();
        _host.Kernel.After(Second, () => order.Add(2));
        _host.Kernel.After(Duration.FromMilliseconds(10), () => order.Add(1));
        _host.Kernel.After(Second, () =>
        {
            order.Add(3);
            _host.Kernel.InjectDatagram(Host.Client, "x"u8);
        });
        var happened = Assert.Single(_host.Wait(Instant.Never));
        Assert.Equal(new NetworkEvent(NetworkEventKind.Socket,
            _host.Network.DatagramSocket, Readiness.Read), happened);
        Assert.Equal([1, 2, 3], order);
        Assert.Equal(Instant.Zero + Second, _host.Kernel.Now);
    }

    [Fact]
    public void Readiness_IsLevelTriggered()
    {
        _host.Network.SetInterest(_host.Network.DatagramSocket, Readiness.Read);
        _host.Kernel.InjectDatagram(Host.Client, "x"u8);
        Assert.Single(_host.Poll());
        Assert.Single(_host.Poll());
        _host.Network.ReceiveDatagrams(new DatagramBatch());
        Assert.Empty(_host.Poll());
    }

    [Theory]
    [InlineData(Readiness.None, Readiness.None)]
    [InlineData(Readiness.HangUp, Readiness.HangUp)]
    [InlineData(Readiness.Read, Readiness.Read | Readiness.HangUp)]
    [InlineData(Readiness.Write, Readiness.Write | Readiness.HangUp)]
    public void ResetStream_IsReportedByInterest(Readiness interest, Readiness reported)
    {
        var (balancer, client) = _host.ConnectTcp();
        _host.Network.SetInterest(balancer, interest);
        client.Reset();
        Assert.Equal(reported, _host.Poll().SingleOrDefault().Ready);
    }

    [Fact]
    public void MoreReadyThanTheSpan_AreAllReportedInTurn()
    {
        var seen = new HashSet<SocketHandle>();
        for (var i = 0; i < 10; i++)
        {
            var (balancer, client) = _host.ConnectTcp();
            _host.Network.SetInterest(balancer, Readiness.Read);
            client.Send("x"u8);
        }
        var events = new NetworkEvent[4];
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(4, _host.Network.Wait(_host.Kernel.Now, events));
            seen.UnionWith(events.Select(happened => happened.Handle));
        }
        Assert.Equal(10, seen.Count);
    }

    [Fact]
    public void Signals_ComeOnceAndFirst()
    {
        _host.Network.SetInterest(_host.Network.DatagramSocket, Readiness.Write);
        _host.Kernel.RequestStatus();
        _host.Kernel.RequestStop();
        _host.Kernel.RequestRescan();
        _host.Kernel.Directory.Create("x", SimEntryKind.File);
        Assert.Equal(
            [
                NetworkEventKind.StopRequested, NetworkEventKind.RescanRequested,
                NetworkEventKind.StatusRequested, NetworkEventKind.DirectoryChanged,
                NetworkEventKind.Socket,
            ],
            _host.Poll().Select(happened => happened.Kind));
        Assert.Single(_host.Poll());
    }

    [Fact]
    public void EventsOfOneWait_ComeInADrawnOrderTheUrgentOnesFirst()
    {
        const int Connections = 8;
        for (var i = 0; i < Connections; i++)
        {
            var (balancer, client) = _host.ConnectTcp();
            _host.Network.SetInterest(balancer, Readiness.Read);
            client.Send("x"u8);
        }
        _host.Network.SetInterest(_host.Network.DatagramSocket, Readiness.Write);
        var plain = Orders(1);
        _host.Kernel.DrawEventOrder = new SimRandom(5).Next;
        var drawn = Orders(100);
        Assert.Single(plain);
        Assert.InRange(drawn.Count, 90, 100);
        foreach (var order in drawn)
        {
            Assert.Equal(plain[0].Order(), order.Order());
            Assert.Equal(_host.Network.DatagramSocket.Slot, order[0]);
        }
    }

    /// <summary>The orders in which so many waits report the slots of what is ready.</summary>
    private List<int[]> Orders(int waits)
    {
        var orders = new List<int[]>();
        for (var i = 0; i < waits; i++)
        {
            int[] order = [.. _host.Poll().Select(happened => happened.Handle.Slot)];
            if (!orders.Any(other => other.SequenceEqual(order)))
                orders.Add(order);
        }
        return orders;
    }

    [Fact]
    public void ClosedHandle_IsABugEvenWhenItsSlotIsUsedAgain()
    {
        var (old, _) = _host.ConnectTcp();
        _host.Network.Close(old);
        var (young, _) = _host.ConnectTcp();
        Assert.Equal(old.Slot, young.Slot);
        Assert.NotEqual(old, young);
        Assert.Throws<VerificationException>(() => _host.Read(old));
        Assert.Throws<VerificationException>(() => _host.Network.Close(old));
        Assert.Throws<VerificationException>(
            () => _host.Network.SetInterest(default, Readiness.Read));
    }

    [Fact]
    public void DescriptorLimit_StopsAcceptConnectAndScan()
    {
        _host.Kernel.Directory.Bind("5301");
        _host.Kernel.ConnectClient(Host.Client);
        _host.Kernel.DescriptorLimit = 0;
        Assert.Equal(IoStatus.TooManyFiles, _host.Network.Accept(out _, out _).Status);
        Assert.Equal(IoStatus.TooManyFiles, _host.Connect("5301", out _).Status);
        Assert.Equal(IoStatus.TooManyFiles, _host.Kernel.Directory.OpenScan().Status);
        _host.Kernel.DescriptorLimit = 1;
        Assert.True(_host.Network.Accept(out _, out _).IsOk);
        Assert.Equal(1, _host.Kernel.OpenDescriptors);
    }

    [Fact]
    public void CoarseClock_ShowsTheDeadlineWhenWaitReturns()
    {
        _host.Kernel.Clock.Granularity = Second;
        var deadline = Instant.Zero + Duration.FromMilliseconds(1200);
        _host.Wait(deadline);
        Assert.Equal(Instant.Zero + Duration.FromSeconds(2), _host.Kernel.Clock.Now);
    }

    [Fact]
    public void WaitLimit_EndsAWaitEarly()
    {
        _host.Kernel.WaitLimit = Instant.Zero + Second;
        Assert.Empty(_host.Wait(Instant.Never));
        Assert.Equal(Instant.Zero + Second, _host.Kernel.Now);
        Assert.False(_host.Kernel.IsIdle);
    }

    [Fact]
    public void RandomUse_LeavesNoReadySocketOutOfTheList()
    {
        var random = new SimRandom(11);
        var balancers = new List<SocketHandle>();
        var clients = new List<SimStream>();
        var events = new NetworkEvent[256];
        _host.Kernel.ClientToBalancer = new PipeSize(20);
        _host.Kernel.BalancerToClient = new PipeSize(20);
        for (var i = 0; i < 30; i++)
        {
            var (balancer, client) = _host.ConnectTcp();
            balancers.Add(balancer);
            clients.Add(client);
        }
        for (var step = 0; step < 5000; step++)
        {
            var i = random.Next(30);
            Act(random, balancers[i], clients[i]);
            var count = _host.Network.Wait(_host.Kernel.Now, events);
            Assert.Equal(_host.Kernel.Sockets.CountReady(), count);
        }
    }

    private void Act(SimRandom random, SocketHandle balancer, SimStream client)
    {
        switch (random.Next(client.IsClosed ? 3 : 7))
        {
            case 0:
                _host.Network.SetInterest(balancer, (Readiness)random.Next(8));
                break;
            case 1:
                _host.Read(balancer, random.Next(1, 30));
                break;
            case 2:
                _host.Write(balancer, random.Next(1, 30));
                break;
            case 3:
                client.Write(new byte[random.Next(1, 30)]);
                break;
            case 4:
                client.Read(new byte[random.Next(1, 30)]);
                break;
            case 5 when random.Chance(1, 20):
                client.Reset();
                break;
            case 6 when random.Chance(1, 20):
                client.HalfClose();
                break;
        }
    }
}
