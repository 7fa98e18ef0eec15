// One direction alone, between two streams of the simulated kernel, step by step.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class RelayDirectionTests
{
    private readonly SimKernel _kernel = new()
    {
        BalancerToClient = new PipeSize(1000),
    };

    private readonly byte[] _buffer = new byte[Limits.ReadBytes];
    private readonly SimStream _from;
    private readonly SimStream _to;
    private readonly RelayDirection _direction;

    public RelayDirectionTests()
    {
        _from = _kernel.ConnectClient(ProxyScenario.Client(1));
        _to = _kernel.ConnectClient(ProxyScenario.Client(2));
        _kernel.Network.Accept(out var source, out _);
        _kernel.Network.Accept(out var sink, out _);
        _direction = NewDirection(_kernel.Network, source, sink);
    }

    [Fact]
    public void NothingHappened_WantsToReadAlone()
    {
        Assert.True(_direction.WantsRead);
        Assert.False(_direction.WantsWrite);
        Assert.False(_direction.IsFinished);
    }

    [Fact]
    public void SinkTakesAll_NothingIsQueued()
    {
        _from.Send("bytes"u8);

        Assert.Equal(RelayResult.Ok, Read());

        Assert.Equal("bytes"u8, _to.Receive());
        Assert.False(_direction.WantsWrite);
        Assert.Equal(5, _direction.BytesRead);
    }

    [Fact]
    public void SinkIsFull_ReadsUntilTheQueueIsFullAndNoFurther()
    {
        var sent = ProxyScenario.Pattern(100_000);
        _from.Send(sent);
        for (var n = 0; n < 20; n++)
            Read();

        Assert.False(_direction.WantsRead);
        Assert.True(_direction.WantsWrite);
        Assert.Equal(Limits.TcpQueueBytes, _direction.Queue.Count);
        Assert.Equal(1000 + Limits.TcpQueueBytes, _direction.BytesRead);
        Assert.Equal(sent[..1000], _to.Receive());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Limits.TcpQueueBytes)]
    [InlineData(Limits.TcpQueueBytes + 1)]
    public void SinkTakesAll_ReadsAgainWhileReadsComeFull(int bytes)
    {
        var (from, to, direction) = WithRoom();
        from.Send(ProxyScenario.Pattern(bytes));

        Assert.Equal(RelayResult.Ok, direction.OnSourceReadable(_buffer));

        Assert.Equal(bytes, to.Receive().Length);
        Assert.False(direction.MayHaveMore);
        Assert.Equal(bytes < Limits.TcpQueueBytes ? 1 : 2, _kernel.Calls[SimCall.Read]);
    }

    [Fact]
    public void SinkTakesAPart_AStepReadsNoMore()
    {
        _from.Send(ProxyScenario.Pattern(4 * Limits.TcpQueueBytes));

        Read();

        Assert.Equal(1, _kernel.Calls[SimCall.Read]);
        Assert.Equal(Limits.TcpQueueBytes, _direction.BytesRead);
    }

    [Fact]
    public void SinkDrains_BytesComeInOrderAndReadingGoesOn()
    {
        var sent = ProxyScenario.Pattern(100_000);
        _from.Send(sent);
        var received = new byte[sent.Length];
        var at = 0;
        for (var n = 0; n < 1000 && at < sent.Length; n++)
        {
            Read();
            Write();
            var got = _to.Receive();
            got.CopyTo(received, at);
            at += got.Length;
        }

        Assert.Equal(sent.Length, at);
        Assert.Equal(sent, received);
        Assert.True(_direction.WantsRead);
    }

    [Fact]
    public void SourceEndsWithBytesQueued_EndIsPassedOnAfterTheLast()
    {
        _from.Send(ProxyScenario.Pattern(1500));
        _from.HalfClose();
        Read();
        Read();
        Assert.False(_direction.WantsRead);
        Assert.False(_direction.IsFinished);
        Assert.Equal(1000, _to.Receive().Length);
        Assert.False(_to.IsAtEnd);

        Write();

        Assert.True(_direction.IsFinished);
        Assert.Equal(500, _to.Receive().Length);
        Assert.True(_to.IsAtEnd);
    }

    [Fact]
    public void SourceEndsWithNothingQueued_EndIsPassedOnOnce()
    {
        _from.HalfClose();
        Read();
        Read();
        Write();

        Assert.True(_direction.IsFinished);
        Assert.True(_to.IsAtEnd);
        Assert.Equal(1, _kernel.Calls[SimCall.HalfClose]);
    }

    [Fact]
    public void SinkIsLostAfterTheSourceEnded_ItIsFinishedAndNoEndIsPassedOn()
    {
        _from.Send(ProxyScenario.Pattern(5000));
        _from.HalfClose();
        Read();
        Read();
        Assert.False(_direction.IsFinished);
        _to.Receive();

        _direction.LoseSink();

        Assert.True(_direction.IsFinished);
        Assert.False(_direction.WantsRead);
        Assert.False(_direction.WantsWrite);
        Assert.False(_to.IsAtEnd);
    }

    [Fact]
    public void SourceFails_SaysSoWithTheCause()
    {
        _from.Reset();

        var result = Read();

        Assert.Equal(RelayStatus.SourceFailed, result.Status);
        Assert.Equal(IoStatus.Reset, result.Why.Status);
        Assert.False(_direction.IsFinished);
    }

    [Fact]
    public void SinkFailsWhileReading_SaysSoWithTheCause()
    {
        _to.Reset();
        _from.Send("bytes"u8);

        var result = Read();

        Assert.Equal(RelayStatus.SinkFailed, result.Status);
        Assert.Equal(IoStatus.Reset, result.Why.Status);
    }

    [Fact]
    public void SinkFailsWhileDraining_SaysSoWithTheCause()
    {
        _from.Send(ProxyScenario.Pattern(1500));
        Read();
        _to.Reset();

        Assert.Equal(RelayStatus.SinkFailed, Write().Status);
    }

    [Fact]
    public void SourceNeverPauses_AStepEndsAfterAFewReadsAndSaysThatThereMayBeMore()
    {
        _kernel.Faults.MaxWriteBytes = int.MaxValue;
        var to = new SimKernel();
        var from = to.ConnectClient(ProxyScenario.Client(1));
        to.ConnectClient(ProxyScenario.Client(2));
        to.Network.Accept(out var source, out _);
        to.Network.Accept(out var sink, out _);
        var direction = NewDirection(to.Network, source, sink);
        from.Send(ProxyScenario.Pattern(131_072));

        direction.OnSourceReadable(_buffer);

        Assert.Equal(TurnLimits.Standard.TcpReadsPerVisit, to.Calls[SimCall.Read]);
        Assert.Equal(TurnLimits.Standard.TcpReadsPerVisit * Limits.TcpQueueBytes,
            direction.BytesRead);
        Assert.True(direction.MayHaveMore);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(999)]
    public void WritesAreShort_WhatIsLeftIsQueuedInOrder(int most)
    {
        _kernel.Faults.MaxWriteBytes = most;
        var sent = ProxyScenario.Pattern(1000);
        _from.Send(sent);
        Read();
        Assert.Equal(1000 - most, _direction.Queue.Count);
        for (var n = 0; n < 1000 && _direction.WantsWrite; n++)
            Write();

        Assert.Equal(sent, _to.Receive());
    }

    private RelayResult Read() => _direction.OnSourceReadable(_buffer);

    /// <summary>Another direction, whose streams hold more than a step moves.</summary>
    private (SimStream From, SimStream To, RelayDirection Direction) WithRoom()
    {
        _kernel.ClientToBalancer = _kernel.BalancerToClient = new PipeSize(1_000_000);
        var from = _kernel.ConnectClient(ProxyScenario.Client(3));
        var to = _kernel.ConnectClient(ProxyScenario.Client(4));
        _kernel.Network.Accept(out var source, out _);
        _kernel.Network.Accept(out var sink, out _);
        return (from, to, NewDirection(_kernel.Network, source, sink));
    }

    private RelayResult Write() => _direction.OnSinkWritable();

    private static RelayDirection NewDirection(
        INetwork network, SocketHandle source, SocketHandle sink) =>
        new(network, TurnLimits.Standard.TcpReadsPerVisit) { Source = source, Sink = sink };
}
