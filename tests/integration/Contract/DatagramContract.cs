// Owns what every INetwork must do with datagrams: whole ones, empty ones, ones that are too
// long, more than a batch holds, errors in the midst of a batch, and addresses.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Integration.Contract;

public abstract class DatagramContract : IDisposable
{
    private static readonly Ipv4 Fifth = Ipv4.From(127, 0, 0, 5);

    private readonly Func<Ipv4, NetworkWorld> _open;
    private readonly DatagramBatch _batch = new();
    private NetworkWorld _world;

    protected DatagramContract(Func<Ipv4, NetworkWorld> open)
    {
        _open = open;
        _world = open(Ipv4.Loopback);
    }

    private INetwork Network => _world.Network;

    public void Dispose()
    {
        _world.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void Receive_NothingCame_WouldBlockWithAnEmptyBatch()
    {
        _batch.TryAdd(default, Ipv4.Any, "left over"u8);
        Assert.Equal(IoStatus.WouldBlock, Network.ReceiveDatagrams(_batch).Status);
        Assert.Equal(0, _batch.Count);
    }

    [Fact]
    public void Receive_SomeCame_TellsPeersPayloadsAndLocalInOrder()
    {
        using var one = _world.NewDatagramPeer(Ipv4.Loopback);
        using var two = _world.NewDatagramPeer(Fifth);
        one.Send(Network.ListenEndpoint, "first"u8);
        two.Send(Network.ListenEndpoint, []);
        one.Send(Network.ListenEndpoint, "third"u8);
        var came = ReceiveAll(3);
        Assert.Equal([one.Endpoint, two.Endpoint, one.Endpoint], came.Select(c => c.Peer));
        Assert.Equal(["first"u8.ToArray(), [], "third"u8.ToArray()],
            came.Select(c => c.Payload));
        Assert.All(came, c => Assert.Equal(Ipv4.Loopback, c.Local));
        Assert.All(came, c => Assert.False(c.Truncated));
    }

    [Theory]
    [InlineData(DatagramBatch.SlotBytes, DatagramBatch.SlotBytes, false)]
    [InlineData(DatagramBatch.SlotBytes + 1, DatagramBatch.SlotBytes, true)]
    [InlineData(65_507, DatagramBatch.SlotBytes, true)]
    public void Receive_LongDatagram_IsCutToTheSlot(int sent, int kept, bool truncated)
    {
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        var payload = Enumerable.Range(0, sent).Select(i => (byte)i).ToArray();
        peer.Send(Network.ListenEndpoint, payload);
        peer.Send(Network.ListenEndpoint, "next"u8);
        var came = ReceiveAll(2);
        Assert.Equal(truncated, came[0].Truncated);
        Assert.Equal(payload[..kept], came[0].Payload);
        Assert.False(came[1].Truncated);
        Assert.Equal("next"u8.ToArray(), came[1].Payload);
    }

    [Fact]
    public void Receive_MoreThanABatchHolds_ComesInSeveral()
    {
        const int Sent = DatagramBatch.Capacity * 2 + 3;
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        for (var i = 0; i < Sent; i++)
            peer.Send(Network.ListenEndpoint, BitConverter.GetBytes(i));
        var came = ReceiveAll(Sent);
        Assert.Equal(Enumerable.Range(0, Sent), came.Select(c => BitConverter.ToInt32(c.Payload)));
        Assert.Equal(IoStatus.WouldBlock, Network.ReceiveDatagrams(_batch).Status);
    }

    [Fact]
    public void WaitingDatagram_NotReceived_IsReportedAgain()
    {
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        Network.SetInterest(Network.DatagramSocket, Readiness.Read | Readiness.Write);
        Assert.Equal(Readiness.Write, _world.AwaitReady(Network.DatagramSocket, Readiness.Write));
        peer.Send(Network.ListenEndpoint, "x"u8);
        _world.AwaitReady(Network.DatagramSocket, Readiness.Read | Readiness.Write);
        _world.AwaitReady(Network.DatagramSocket, Readiness.Read | Readiness.Write);
        Assert.Equal(IoResult.Ok(1), Network.ReceiveDatagrams(_batch));
        Assert.Equal(Readiness.Write, _world.AwaitReady(Network.DatagramSocket, Readiness.Write));
        Network.SetInterest(Network.DatagramSocket, Readiness.Read);
        Assert.Empty(_world.PollSockets());
    }

    [Fact]
    public void Send_ToSeveral_ArriveFromTheListeningEndpoint()
    {
        using var one = _world.NewDatagramPeer(Ipv4.Loopback);
        using var two = _world.NewDatagramPeer(Fifth);
        _batch.TryAdd(one.Endpoint, Ipv4.Any, "a"u8);
        _batch.TryAdd(two.Endpoint, Ipv4.Loopback, []);
        _batch.TryAdd(one.Endpoint, Ipv4.Any, new byte[1500]);
        Assert.Equal(IoResult.Ok(3), Network.SendDatagrams(_batch, 0));
        AssertReceived(one, Network.ListenEndpoint, "a"u8.ToArray());
        AssertReceived(two, Network.ListenEndpoint, []);
        AssertReceived(one, Network.ListenEndpoint, new byte[1500]);
    }

    [Fact]
    public void Send_FullBatch_AllArriveInOrder()
    {
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        for (var i = 0; i < DatagramBatch.Capacity; i++)
            Assert.True(_batch.TryAdd(peer.Endpoint, Ipv4.Any, BitConverter.GetBytes(i)));
        Assert.Equal(IoResult.Ok(DatagramBatch.Capacity), Network.SendDatagrams(_batch, 0));
        for (var i = 0; i < DatagramBatch.Capacity; i++)
            AssertReceived(peer, Network.ListenEndpoint, BitConverter.GetBytes(i));
    }

    [Fact]
    public void Send_ToPortZero_IsInvalid()
    {
        _batch.TryAdd(new Endpoint(Ipv4.Loopback, 0), Ipv4.Any, "x"u8);
        Assert.Equal(IoResult.Failed(IoStatus.InvalidArgument, 22),
            Network.SendDatagrams(_batch, 0));
    }

    [Theory]
    [InlineData(0x7f000001u)]
    [InlineData(0u)]
    public void Send_ToBroadcast_IsDenied(uint boundTo)
    {
        Reopen(new Ipv4(boundTo));
        _batch.TryAdd(new Endpoint(Ipv4.From(127, 255, 255, 255), 9), Ipv4.Any, "x"u8);
        _batch.TryAdd(new Endpoint(Ipv4.From(127, 255, 255, 255), 0), Ipv4.Any, "x"u8);
        Assert.Equal(IoResult.Failed(IoStatus.AccessDenied, 13), Network.SendDatagrams(_batch, 0));
        Assert.Equal(IoStatus.InvalidArgument, Network.SendDatagrams(_batch, 1).Status);
    }

    [Fact]
    public void Send_ToAPortThatNobodyHas_IsTaken_AndSoIsTheNext()
    {
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        var gone = _world.NewDatagramPeer(Ipv4.Loopback);
        var nobody = gone.Endpoint;
        gone.Dispose();
        _batch.TryAdd(nobody, Ipv4.Any, "x"u8);
        _batch.TryAdd(peer.Endpoint, Ipv4.Any, "y"u8);
        Assert.Equal(IoResult.Ok(2), Network.SendDatagrams(_batch, 0));
        AssertReceived(peer, Network.ListenEndpoint, "y"u8.ToArray());
        Assert.Equal(IoStatus.WouldBlock, Network.ReceiveDatagrams(_batch).Status);
    }

    [Fact]
    public void Send_OneOfManyFails_TheOthersGoInTwoCalls()
    {
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        _batch.TryAdd(peer.Endpoint, Ipv4.Any, "0"u8);
        _batch.TryAdd(peer.Endpoint, Ipv4.Any, "1"u8);
        _batch.TryAdd(peer.Endpoint with { Port = 0 }, Ipv4.Any, "2"u8);
        _batch.TryAdd(peer.Endpoint, Ipv4.Any, "3"u8);
        Assert.Equal(IoResult.Ok(2), Network.SendDatagrams(_batch, 0));
        Assert.Equal(IoStatus.InvalidArgument, Network.SendDatagrams(_batch, 2).Status);
        Assert.Equal(IoResult.Ok(1), Network.SendDatagrams(_batch, 3));
        foreach (var payload in new[] { "0", "1", "3" })
        {
            AssertReceived(peer, Network.ListenEndpoint,
                System.Text.Encoding.ASCII.GetBytes(payload));
        }
    }

    [Fact]
    public void Send_TheLastOfManyFails_IsReportedToTheCallThatBeginsWithIt_EachTime()
    {
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        _batch.TryAdd(peer.Endpoint, Ipv4.Any, "0"u8);
        _batch.TryAdd(peer.Endpoint with { Port = 0 }, Ipv4.Any, "1"u8);
        Assert.Equal(IoResult.Ok(1), Network.SendDatagrams(_batch, 0));
        Assert.Equal(IoStatus.InvalidArgument, Network.SendDatagrams(_batch, 1).Status);
        Assert.Equal(IoStatus.InvalidArgument, Network.SendDatagrams(_batch, 1).Status);
        Assert.Equal(IoResult.Ok(1), Network.SendDatagrams(_batch, 0));
        AssertReceived(peer, Network.ListenEndpoint, "0"u8.ToArray());
        AssertReceived(peer, Network.ListenEndpoint, "0"u8.ToArray());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Send_FromBeyondTheBatch_IsABug(int first) =>
        Assert.Throws<VerificationException>(() => Network.SendDatagrams(_batch, first));

    [Fact]
    public void BoundToAll_ReplyLeavesFromTheAddressAsked()
    {
        Reopen(Ipv4.Any);
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        foreach (var asked in new[] { Fifth, Ipv4.From(127, 9, 8, 7), Ipv4.Loopback })
        {
            var to = new Endpoint(asked, Network.ListenEndpoint.Port);
            peer.Send(to, "query"u8);
            var came = ReceiveAll(1)[0];
            Assert.Equal(asked, came.Local);
            _batch.Clear();
            _batch.TryAdd(came.Peer, came.Local, "reply"u8);
            Assert.Equal(IoResult.Ok(1), Network.SendDatagrams(_batch, 0));
            AssertReceived(peer, to, "reply"u8.ToArray());
        }
    }

    [Fact]
    public void BoundToAll_LocalsMixedInABatch_EachLeavesFromItsOwn()
    {
        Reopen(Ipv4.Any);
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        var port = Network.ListenEndpoint.Port;
        _batch.TryAdd(peer.Endpoint, Fifth, "0"u8);
        _batch.TryAdd(peer.Endpoint, Ipv4.Any, "1"u8);
        _batch.TryAdd(peer.Endpoint, Ipv4.From(127, 0, 0, 6), "2"u8);
        Assert.Equal(IoResult.Ok(3), Network.SendDatagrams(_batch, 0));
        AssertReceived(peer, new Endpoint(Fifth, port), "0"u8.ToArray());
        AssertReceived(peer, new Endpoint(Ipv4.Loopback, port), "1"u8.ToArray());
        AssertReceived(peer, new Endpoint(Ipv4.From(127, 0, 0, 6), port), "2"u8.ToArray());
    }

    [Fact]
    public void BoundToAll_LocalIsNotTheHosts_HasNoWay()
    {
        Reopen(Ipv4.Any);
        using var peer = _world.NewDatagramPeer(Ipv4.Loopback);
        _batch.TryAdd(peer.Endpoint, Ipv4.From(192, 0, 2, 1), "x"u8);
        // ENETUNREACH here; kernels of some years ago said EINVAL.
        Assert.Contains(Network.SendDatagrams(_batch, 0).Status,
            new[] { IoStatus.Unreachable, IoStatus.InvalidArgument });
    }

    private void Reopen(Ipv4 address)
    {
        _world.Dispose();
        _world = _open(address);
    }

    private List<Received> ReceiveAll(int count)
    {
        var all = new List<Received>();
        while (all.Count < count)
        {
            _world.ReceiveSome(_batch);
            for (var i = 0; i < _batch.Count; i++)
            {
                var header = _batch.Headers[i];
                all.Add(new Received(header.Peer, header.Local, header.Truncated,
                    _batch.Payload(i).ToArray()));
            }
        }
        Assert.Equal(count, all.Count);
        return all;
    }

    private static void AssertReceived(IDatagramPeer peer, Endpoint from, byte[] payload)
    {
        var came = peer.Receive();
        Assert.Equal(from, came.From);
        Assert.Equal(payload, came.Payload);
    }

    private sealed record Received(Endpoint Peer, Ipv4 Local, bool Truncated, byte[] Payload);
}
