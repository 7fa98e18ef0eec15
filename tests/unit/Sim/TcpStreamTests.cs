// TCP connections against what Linux 6 answered to the same calls.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class TcpStreamTests
{
    private const Readiness Everything = Readiness.Read | Readiness.Write | Readiness.HangUp;

    private readonly Host _host = new();

    [Fact]
    public void Accept_TellsTheClientAndThenWouldBlock()
    {
        _host.Kernel.ConnectClient(Host.Client);
        Assert.True(_host.Network.Accept(out var stream, out var client).IsOk);
        Assert.Equal(Host.Client, client);
        Assert.False(stream.IsNone);
        Assert.Equal(IoStatus.WouldBlock, _host.Network.Accept(out _, out _).Status);
    }

    [Fact]
    public void FullBacklog_TurnsClientsAway()
    {
        _host.Kernel.Listener.Backlog = 1;
        Assert.NotNull(_host.Kernel.TryConnectClient(Host.Client));
        Assert.NotNull(_host.Kernel.TryConnectClient(Host.Client));
        Assert.Null(_host.Kernel.TryConnectClient(Host.Client));
        Assert.Equal(1, _host.Network.ConnectionsDropped);
    }

    [Fact]
    public void ClosedListener_ResetsThoseWaitingAndTurnsOthersAway()
    {
        var waiting = _host.Kernel.ConnectClient(Host.Client);
        _host.Network.Close(_host.Network.Listener);
        Assert.Equal(IoStatus.Reset, waiting.Read(new byte[1]).Status);
        Assert.Null(_host.Kernel.TryConnectClient(Host.Client));
        Assert.Equal(0, _host.Network.ConnectionsDropped);
    }

    [Fact]
    public void ResetAfterBytes_IsBytesThenResetOnceThenEnd()
    {
        var (balancer, client) = _host.ConnectTcp();
        client.Send("ab"u8);
        client.Reset();
        Assert.Equal(Everything, _host.Ready(balancer));
        Assert.Equal(2, _host.Read(balancer).Count);
        Assert.Equal(IoStatus.Reset, _host.Read(balancer).Status);
        Assert.Equal(IoStatus.EndOfStream, _host.Read(balancer).Status);
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
    }

    [Fact]
    public void ResetMetByAWrite_IsResetOnceThenBrokenPipe()
    {
        var (balancer, client) = _host.ConnectTcp();
        client.Reset();
        Assert.Equal(IoStatus.Reset, _host.Write(balancer).Status);
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
        Assert.Equal(IoStatus.EndOfStream, _host.Read(balancer).Status);
    }

    [Fact]
    public void ResetBeforeAccept_IsAcceptedAndFoundReset()
    {
        _host.Kernel.ConnectClient(Host.Client).Reset();
        Assert.True(_host.Network.Accept(out var stream, out _).IsOk);
        Assert.Equal(IoStatus.Reset, _host.Read(stream).Status);
    }

    [Fact]
    public void ClosedClient_TakesOneWriteAndIsThenABrokenPipe()
    {
        var (balancer, client) = _host.ConnectTcp();
        client.Close();
        Assert.Equal(Readiness.Read | Readiness.Write, _host.Ready(balancer));
        Assert.Equal(1, _host.Write(balancer).Count);
        Assert.Equal(Everything, _host.Ready(balancer));
        Assert.Equal(IoStatus.EndOfStream, _host.Read(balancer).Status);
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
    }

    [Fact]
    public void ClientClosedWithUnreadBytes_IsAReset()
    {
        var (balancer, client) = _host.ConnectTcp();
        _host.Write(balancer);
        client.Close();
        Assert.Equal(Everything, _host.Ready(balancer));
        Assert.Equal(IoStatus.Reset, _host.Read(balancer).Status);
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
    }

    [Fact]
    public void ResetAfterHalfClose_IsABrokenPipeAndAnEnd()
    {
        var (balancer, client) = _host.ConnectTcp();
        client.HalfClose();
        client.Reset();
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
        Assert.Equal(IoStatus.EndOfStream, _host.Read(balancer).Status);
        Assert.Equal(Everything, _host.Ready(balancer));
    }

    [Fact]
    public void BalancerClosedWithUnreadBytes_GivesTheClientBytesThenReset()
    {
        var (balancer, client) = _host.ConnectTcp();
        client.Send("ab"u8);
        _host.Write(balancer, 2);
        _host.Network.Close(balancer);
        Assert.Equal(2, client.Read(new byte[9]).Count);
        Assert.Equal(IoStatus.Reset, client.Read(new byte[9]).Status);
    }

    [Fact]
    public void Abort_ResetsTheClient()
    {
        var (balancer, client) = _host.ConnectTcp();
        _host.Network.Abort(balancer);
        Assert.True(client.IsReset);
        Assert.Equal(0, _host.Kernel.OpenDescriptors);
    }

    [Fact]
    public void HalfClose_EndsOneDirectionAfterItsBytes()
    {
        var (balancer, client) = _host.ConnectTcp();
        _host.Write(balancer, 3);
        _host.Network.HalfClose(balancer);
        Assert.False(client.IsAtEnd);
        Assert.Equal(3, client.Receive().Length);
        Assert.True(client.IsAtEnd);
        client.Send("more"u8);
        Assert.Equal(4, _host.Read(balancer).Count);
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
    }

    [Fact]
    public void ClientThatDoesNotRead_FillsTheWindow()
    {
        _host.Kernel.BalancerToClient = new PipeSize(90);
        var (balancer, client) = _host.ConnectTcp();
        Assert.Equal(90, _host.Write(balancer, 200).Count);
        Assert.Equal(IoStatus.WouldBlock, _host.Write(balancer).Status);
        Assert.Equal(Readiness.None, _host.Ready(balancer));
        client.Read(new byte[30]);
        Assert.Equal(Readiness.Write, _host.Ready(balancer));
    }

    [Fact]
    public void SendBeyondTheWindow_FollowsAsTheBalancerReads()
    {
        _host.Kernel.ClientToBalancer = new PipeSize(10);
        var (balancer, client) = _host.ConnectTcp();
        client.Send(Enumerable.Range(0, 25).Select(i => (byte)i).ToArray());
        client.HalfClose();
        Assert.Equal(15, client.Unsent);
        var into = new byte[10];
        for (var next = 0; next < 25;)
        {
            var count = _host.Network.Read(balancer, into).Count;
            for (var i = 0; i < count; i++)
                Assert.Equal(next++, into[i]);
            _host.Kernel.RunWorld();
        }
        Assert.Equal(IoStatus.EndOfStream, _host.Read(balancer).Status);
    }

    [Fact]
    public void KeepAliveThatFails_IsReported()
    {
        var (balancer, client) = _host.ConnectTcp();
        client.Fail(IoStatus.TimedOut);
        Assert.True(_host.Ready(balancer).HasFlag(Readiness.HangUp));
        Assert.Equal(IoStatus.TimedOut, _host.Read(balancer).Status);
    }
}
