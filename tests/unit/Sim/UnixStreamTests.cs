// AF_UNIX sessions against what Linux 6 answered to the same calls.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class UnixStreamTests
{
    private readonly Host _host = new();

    [Fact]
    public void AbsentPath_IsNotFound() =>
        Assert.Equal(IoStatus.NotFound, _host.Connect("5301", out _).Status);

    [Fact]
    public void AbsentDirectory_IsNotFound()
    {
        _host.Kernel.Directory.Bind("5301");
        _host.Kernel.Directory.Readable = IoResult.Failed(IoStatus.NotFound);
        Assert.Equal(IoStatus.NotFound, _host.Connect("5301", out _).Status);
    }

    [Theory]
    [InlineData(SimEntryKind.File)]
    [InlineData(SimEntryKind.Folder)]
    [InlineData(SimEntryKind.Socket)]
    public void WhatNobodyListensOn_Refuses(SimEntryKind kind)
    {
        _host.Kernel.Directory.Create("5301", kind);
        Assert.Equal(IoStatus.Refused, _host.Connect("5301", out _).Status);
    }

    [Fact]
    public void StalePath_Refuses()
    {
        _host.Kernel.Directory.Bind("5301").Close();
        Assert.Equal(IoStatus.Refused, _host.Connect("5301", out _).Status);
        Assert.True(_host.Kernel.Directory.Contains("5301"));
    }

    [Fact]
    public void BoundSocket_RefusesUntilItListens()
    {
        var listener = _host.Kernel.Directory.Bind("5301", listen: false);
        Assert.Equal(IoStatus.Refused, _host.Connect("5301", out _).Status);
        listener.Listen();
        Assert.Equal(IoStatus.Ok, _host.Connect("5301", out _).Status);
    }

    [Fact]
    public void UnlinkedListener_ServesThoseConnected()
    {
        var (balancer, backend) = _host.ConnectUnix();
        _host.Kernel.Directory.Unlink("5301");
        Assert.Equal(IoStatus.NotFound, _host.Connect("5301", out _).Status);
        Assert.Equal(1, _host.Write(balancer).Count);
        Assert.Equal(1, backend.Available);
    }

    [Fact]
    public void FullBacklog_WouldBlockAndCostsNoDescriptor()
    {
        _host.Kernel.Directory.Bind("5301", backlog: 1);
        Assert.True(_host.Connect("5301", out _).IsOk);
        Assert.True(_host.Connect("5301", out _).IsOk);
        Assert.Equal(IoStatus.WouldBlock, _host.Connect("5301", out _).Status);
        Assert.Equal(2, _host.Kernel.OpenDescriptors);
    }

    [Fact]
    public void NeverAccepted_TakesBytesAndStaysSilent()
    {
        var listener = _host.Kernel.Directory.Bind("5301");
        Assert.True(_host.Connect("5301", out var stream).IsOk);
        Assert.Equal(4, _host.Write(stream, 4).Count);
        Assert.Equal(IoStatus.WouldBlock, _host.Read(stream).Status);
        Assert.Equal(4, listener.Accept()!.Available);
    }

    [Fact]
    public void ListenerClosed_ResetsThoseNotAccepted()
    {
        var listener = _host.Kernel.Directory.Bind("5301");
        _host.Connect("5301", out var stream);
        listener.Close();
        Assert.Equal(IoStatus.Reset, _host.Read(stream).Status);
        Assert.Equal(IoStatus.EndOfStream, _host.Read(stream).Status);
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(stream).Status);
    }

    [Fact]
    public void PeerClosedWithUnreadBytes_IsBytesThenResetThenEnd()
    {
        var (balancer, backend) = _host.ConnectUnix();
        _host.Write(balancer);
        backend.Send("yy"u8);
        backend.Close();
        Assert.Equal(Readiness.Read | Readiness.Write | Readiness.HangUp, _host.Ready(balancer));
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
        Assert.Equal(2, _host.Read(balancer).Count);
        Assert.Equal(IoStatus.Reset, _host.Read(balancer).Status);
        Assert.Equal(IoStatus.EndOfStream, _host.Read(balancer).Status);
    }

    [Fact]
    public void PeerClosedWithNothingUnread_IsAnEndAndABrokenPipe()
    {
        var (balancer, backend) = _host.ConnectUnix();
        backend.Close();
        Assert.Equal(Readiness.Read | Readiness.Write | Readiness.HangUp, _host.Ready(balancer));
        Assert.Equal(IoStatus.EndOfStream, _host.Read(balancer).Status);
        Assert.Equal(IoStatus.BrokenPipe, _host.Write(balancer).Status);
    }

    [Fact]
    public void PeerHalfClosed_StillReads()
    {
        var (balancer, backend) = _host.ConnectUnix();
        backend.HalfClose();
        Assert.Equal(Readiness.Read | Readiness.Write, _host.Ready(balancer));
        Assert.Equal(IoStatus.EndOfStream, _host.Read(balancer).Status);
        Assert.Equal(1, _host.Write(balancer).Count);
        _host.Network.HalfClose(balancer);
        Assert.True(_host.Ready(balancer).HasFlag(Readiness.HangUp));
    }

    [Fact]
    public void OneByteWrites_FillTheBufferAfterAFewHundred()
    {
        var (balancer, _) = _host.ConnectUnix();
        var writes = 0;
        while (_host.Write(balancer).IsOk)
            writes++;
        Assert.Equal(278, writes);
        Assert.Equal(IoStatus.WouldBlock, _host.Write(balancer).Status);
    }

    [Fact]
    public void LargeWrite_IsShort()
    {
        var (balancer, backend) = _host.ConnectUnix();
        var written = _host.Write(balancer, 1_000_000).Count;
        Assert.InRange(written, 200_000, 220_000);
        Assert.Equal(written, backend.Available);
    }

    [Fact]
    public void PartlyFullStream_TakesWhatFits()
    {
        _host.Kernel.BalancerToBackend = new PipeSize(10);
        var (balancer, _) = _host.ConnectUnix();
        Assert.Equal(7, _host.Write(balancer, 7).Count);
        Assert.Equal(3, _host.Write(balancer, 7).Count);
        Assert.Equal(IoStatus.WouldBlock, _host.Write(balancer, 7).Status);
    }

    [Fact]
    public void Stream_IsWritableAtAQuarterFull()
    {
        _host.Kernel.BalancerToBackend = new PipeSize(100);
        var (balancer, backend) = _host.ConnectUnix();
        _host.Write(balancer, 100);
        backend.Read(new byte[74]);
        Assert.Equal(Readiness.None, _host.Ready(balancer));
        Assert.Equal(74, _host.Write(balancer, 74).Count);
        backend.Read(new byte[75]);
        Assert.Equal(Readiness.Write, _host.Ready(balancer));
    }

    [Fact]
    public void BytesThroughAWrappingBuffer_ArriveAsSent()
    {
        _host.Kernel.BalancerToBackend = new PipeSize(1000, 7);
        var (balancer, backend) = _host.ConnectUnix();
        var random = new SimRandom(5);
        byte sent = 0, expected = 0;
        for (var i = 0; i < 2000; i++)
        {
            var bytes = new byte[random.Next(1, 400)];
            for (var j = 0; j < bytes.Length; j++)
                bytes[j] = unchecked((byte)(sent + j));
            sent = unchecked((byte)(sent + _host.Network.Write(balancer, bytes).Count));
            var into = new byte[random.Next(1, 400)];
            var count = backend.Read(into).Count;
            for (var j = 0; j < count; j++)
                Assert.Equal(expected++, into[j]);
        }
    }

    [Fact]
    public void BalancerClosedWithUnreadBytes_ResetsTheBackend()
    {
        var (balancer, backend) = _host.ConnectUnix();
        backend.Send("x"u8);
        _host.Network.Close(balancer);
        Assert.Equal(IoStatus.Reset, backend.Read(new byte[1]).Status);
        Assert.Equal(0, _host.Kernel.OpenDescriptors);
    }
}
