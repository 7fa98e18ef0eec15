// The simulated UDP socket: its queue, its cuts, and which sends fail how.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class DatagramTests
{
    private static readonly Ipv4 Local = Ipv4.From(192, 168, 1, 53);

    private readonly Host _host = new();
    private readonly DatagramBatch _batch = new();

    [Theory]
    [InlineData(0, false)]
    [InlineData(1500, false)]
    [InlineData(DatagramBatch.SlotBytes, false)]
    [InlineData(DatagramBatch.SlotBytes + 1, true)]
    [InlineData(SimDatagrams.MaxPayload, true)]
    public void Datagram_ArrivesWholeOrCut(int bytes, bool truncated)
    {
        var payload = new byte[bytes];
        new SimRandom(1).Fill(payload);
        _host.Kernel.InjectDatagram(Host.Client, Local, payload);
        Assert.Equal(1, _host.Network.ReceiveDatagrams(_batch).Count);
        var header = _batch.Headers[0];
        Assert.Equal(Host.Client, header.Peer);
        Assert.Equal(Local, header.Local);
        Assert.Equal(truncated, header.Truncated);
        Assert.Equal(
            payload.Take(DatagramBatch.SlotBytes).ToArray(), _batch.Payload(0).ToArray());
    }

    [Fact]
    public void EmptyQueue_WouldBlockAndClearsTheBatch()
    {
        _batch.TryAdd(Host.Client, Local, "x"u8);
        Assert.Equal(IoStatus.WouldBlock, _host.Network.ReceiveDatagrams(_batch).Status);
        Assert.Equal(0, _batch.Count);
    }

    [Fact]
    public void FullQueue_LosesAndCounts()
    {
        _host.Kernel.Datagrams.QueueLimit = 2;
        Assert.True(_host.Kernel.InjectDatagram(Host.Client, "1"u8));
        Assert.True(_host.Kernel.InjectDatagram(Host.Client, "2"u8));
        Assert.False(_host.Kernel.InjectDatagram(Host.Client, "3"u8));
        Assert.Equal(2, _host.Network.ReceiveDatagrams(_batch).Count);
        Assert.Equal("2"u8.ToArray(), _batch.Payload(1).ToArray());
        Assert.Equal(1, _host.Kernel.Datagrams.Lost);
        Assert.Equal(2, _host.Kernel.Datagrams.Received);
    }

    [Fact]
    public void MoreThanABatch_ComesInTwo()
    {
        for (var i = 0; i < DatagramBatch.Capacity + 1; i++)
            _host.Kernel.InjectDatagram(Host.Client, "x"u8);
        Assert.Equal(DatagramBatch.Capacity, _host.Network.ReceiveDatagrams(_batch).Count);
        Assert.Equal(1, _host.Network.ReceiveDatagrams(_batch).Count);
    }

    [Fact]
    public void SentDatagram_IsRecordedWithItsAddresses()
    {
        _host.Kernel.Pass(Duration.FromSeconds(3));
        _batch.TryAdd(Host.Client, Local, "reply"u8);
        Assert.Equal(1, _host.Network.SendDatagrams(_batch, 0).Count);
        var sent = Assert.Single(_host.Kernel.Datagrams.Sent);
        Assert.Equal(Instant.Zero + Duration.FromSeconds(3), sent.At);
        Assert.Equal(Local, sent.From);
        Assert.Equal(Host.Client, sent.To);
        Assert.Equal("reply"u8.ToArray(), sent.Payload);
    }

    [Fact]
    public void PortZeroAndBroadcast_AreRefused()
    {
        _batch.TryAdd(Host.Client with { Port = 0 }, Local, "x"u8);
        _batch.TryAdd(new Endpoint(Ipv4.From(255, 255, 255, 255), 9), Local, "x"u8);
        _batch.TryAdd(new Endpoint(Ipv4.From(127, 255, 255, 255), 9), Local, "x"u8);
        Assert.Equal(
            IoStatus.InvalidArgument, _host.Network.SendDatagrams(_batch, 0).Status);
        Assert.Equal(IoStatus.AccessDenied, _host.Network.SendDatagrams(_batch, 1).Status);
        Assert.Equal(IoStatus.AccessDenied, _host.Network.SendDatagrams(_batch, 2).Status);
        Assert.Empty(_host.Kernel.Datagrams.Sent);
    }

    [Fact]
    public void LocalOfAnotherHost_IsUnreachable()
    {
        _host.Kernel.Datagrams.OwnsAddress = own => own == Local;
        _batch.TryAdd(Host.Client, Local, "x"u8);
        _batch.TryAdd(Host.Client, Ipv4.Any, "x"u8);
        _batch.TryAdd(Host.Client, Ipv4.From(192, 0, 2, 1), "x"u8);
        Assert.Equal(2, _host.Network.SendDatagrams(_batch, 0).Count);
        Assert.Equal(
            IoResult.Failed(IoStatus.Unreachable, 101), _host.Network.SendDatagrams(_batch, 2));
    }

    [Fact]
    public void PartialSend_TellsTheErrorToTheNextCall()
    {
        for (var i = 0; i < 4; i++)
            _batch.TryAdd(Host.Client, Local, "x"u8);
        _host.Kernel.Faults.SendThenFail(2, IoStatus.NoBuffers);
        Assert.Equal(2, _host.Network.SendDatagrams(_batch, 0).Count);
        Assert.Equal(IoStatus.NoBuffers, _host.Network.SendDatagrams(_batch, 2).Status);
        Assert.Equal(1, _host.Network.SendDatagrams(_batch, 3).Count);
        Assert.Equal(3, _host.Kernel.Datagrams.SentCount);
    }

    [Fact]
    public void FullSendBuffer_IsNotWritable()
    {
        _batch.TryAdd(Host.Client, Local, "x"u8);
        _host.Kernel.Datagrams.SendBlocked = true;
        Assert.Equal(IoStatus.WouldBlock, _host.Network.SendDatagrams(_batch, 0).Status);
        Assert.Equal(Readiness.None, _host.Ready(_host.Network.DatagramSocket));
        _host.Kernel.Datagrams.SendBlocked = false;
        Assert.Equal(Readiness.Write, _host.Ready(_host.Network.DatagramSocket));
    }
}
