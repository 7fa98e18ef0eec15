// DatagramBatch: its slots, its bound, and that nothing of what a slot held before is left.

using System;
using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class DatagramBatchTests
{
    private static readonly Endpoint Peer = new(Ipv4.From(10, 0, 0, 1), 4000);

    private readonly DatagramBatch _batch = new();

    [Fact]
    public void FullBatch_TakesNoMoreAndKeepsWhatItHas()
    {
        for (var i = 0; i < DatagramBatch.Capacity; i++)
        {
            Assert.False(_batch.IsFull);
            Assert.True(_batch.TryAdd(Peer, Ipv4.Any, Filled(i, DatagramBatch.SlotBytes)));
        }

        Assert.True(_batch.IsFull);
        Assert.False(_batch.TryAdd(Peer, Ipv4.Any, [255]));
        for (var i = 0; i < DatagramBatch.Capacity; i++)
            Assert.Equal(Filled(i, DatagramBatch.SlotBytes), _batch.Payload(i));
    }

    [Fact]
    public void AddedDatagram_HasItsHeaderAndPayload()
    {
        _batch.TryAdd(Peer, Ipv4.Loopback, "first"u8);
        _batch.TryAdd(Peer with { Port = 5 }, Ipv4.Any, []);

        Assert.Equal(2, _batch.Count);
        Assert.Equal("first"u8, _batch.Payload(0));
        Assert.Equal(Peer, _batch.Headers[0].Peer);
        Assert.Equal(Ipv4.Loopback, _batch.Headers[0].Local);
        Assert.True(_batch.Payload(1).IsEmpty);
        Assert.Equal(5, _batch.Headers[1].Peer.Port);
    }

    [Fact]
    public void SlotUsedAgain_ForgetsThatItWasCut()
    {
        _batch.Headers[0].Truncated = true;
        _batch.SetCount(1);
        _batch.Clear();
        _batch.TryAdd(Peer, Ipv4.Any, "new"u8);

        Assert.Equal(1, _batch.Count);
        Assert.False(_batch.Headers[0].Truncated);
        Assert.Equal("new"u8, _batch.Payload(0));
    }

    [Fact]
    public void WhatAnAdapterFilled_IsReadAtItsSlot()
    {
        "abc"u8.CopyTo(_batch.Buffer[(2 * DatagramBatch.SlotBytes)..]);
        _batch.Headers[2].Length = 3;
        _batch.SetCount(3);

        Assert.Equal("abc"u8, _batch.Payload(2));
    }

    [Fact]
    public void PayloadLargerThanASlot_IsNotCutSilently()
    {
        Assert.Throws<ArgumentException>(() => _batch.TryAdd(
            Peer, Ipv4.Any, new byte[DatagramBatch.SlotBytes + 1]));
        Assert.Equal(0, _batch.Count);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(DatagramBatch.Capacity + 1)]
    public void CountOutsideTheBatch_IsABug(int count) =>
        Assert.Throws<VerificationException>(() => _batch.SetCount(count));

    private static byte[] Filled(int value, int length) =>
        [.. Enumerable.Repeat((byte)value, length)];
}
