// ByteQueue: order through growth and wrapping, and its bound.

using System;
using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class ByteQueueTests
{
    [Fact]
    public void Empty_HasNothingAndAllFree()
    {
        var queue = new ByteQueue(100);

        Assert.True(queue.IsEmpty);
        Assert.Equal(100, queue.Free);
        Assert.True(queue.Front.IsEmpty);
    }

    [Fact]
    public void PieceBehindSomeBytes_IsWhatLiesThereInOnePiece()
    {
        var queue = new ByteQueue(256);
        queue.Append(new byte[256]);
        queue.Consume(156);
        queue.Append([1, 2, 3]);

        Assert.Equal(new byte[100], queue.PieceBehind(0).ToArray());
        Assert.Equal<byte>([0], queue.PieceBehind(99).ToArray());
        Assert.Equal<byte>([1, 2, 3], queue.PieceBehind(100).ToArray());
        Assert.Equal<byte>([3], queue.PieceBehind(102).ToArray());
        Assert.True(queue.PieceBehind(103).IsEmpty);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    public void FewBytesAreLeft_WhatIsAppendedIsOnePieceWithThem(int left)
    {
        var queue = new ByteQueue(256);
        queue.Append([.. Enumerable.Range(0, 256).Select(n => (byte)n)]);
        queue.Consume(256 - left);
        queue.Append(new byte[256 - left]);

        byte[] expected = [.. Enumerable.Range(256 - left, left).Select(n => (byte)n),
            .. new byte[256 - left]];
        Assert.Equal(expected, queue.Front.ToArray());
    }

    [Fact]
    public void AppendedAndConsumed_ComesOutInOrder()
    {
        var queue = new ByteQueue(10_000);
        var next = 0;
        var expected = 0;
        // Sizes that share no factor make the ring grow, wrap and run empty in every way.
        for (var round = 0; round < 2000; round++)
        {
            var size = Math.Min(round * 37 % 611, queue.Free);
            queue.Append(Enumerable.Range(0, size).Select(_ => (byte)next++).ToArray());
            for (var left = round * 53 % 603; left > 0 && !queue.IsEmpty;)
            {
                var take = Math.Min(left, queue.Front.Length);
                foreach (var b in queue.Front[..take])
                    Assert.Equal((byte)expected++, b);
                queue.Consume(take);
                left -= take;
            }
        }
        Assert.Equal(next - expected, queue.Count);
    }

    [Fact]
    public void FilledToItsBound_TakesNoMore()
    {
        var queue = new ByteQueue(5000);
        queue.Append(new byte[5000]);

        Assert.Equal(0, queue.Free);
        Assert.Throws<VerificationException>(() => queue.Append([1]));
    }

    [Fact]
    public void ConsumingMoreThanThereIs_IsABug()
    {
        var queue = new ByteQueue(10);
        queue.Append([1, 2]);

        Assert.Throws<VerificationException>(() => queue.Consume(3));
    }

    [Fact]
    public void RunEmpty_StartsAgainInOnePiece()
    {
        var queue = new ByteQueue(4096);
        queue.Append(new byte[4000]);
        queue.Consume(4000);
        queue.Append(new byte[4096]);

        Assert.Equal(4096, queue.Front.Length);
    }

    [Fact]
    public void Wrapped_FrontIsTheOlderPiece()
    {
        var queue = new ByteQueue(4096);
        queue.Append(Enumerable.Repeat((byte)1, 4000).ToArray());
        queue.Consume(3000);
        queue.Append(Enumerable.Repeat((byte)2, 2000).ToArray());

        Assert.Equal(3000, queue.Count);
        Assert.Equal(1096, queue.Front.Length);
        queue.Consume(1096);
        Assert.Equal(1904, queue.Front.Length);
        Assert.Equal(2, queue.Front[0]);
    }

    [Fact]
    public void GrowingWhileWrapped_KeepsTheOrder()
    {
        var queue = new ByteQueue(100_000);
        queue.Append(Enumerable.Repeat((byte)1, 4096).ToArray());
        queue.Consume(4000);
        queue.Append(Enumerable.Repeat((byte)2, 3000).ToArray());
        queue.Append(Enumerable.Repeat((byte)3, 3000).ToArray());

        var all = queue.Front.ToArray();

        Assert.Equal(6096, all.Length);
        Assert.Equal(96, all.Count(b => b == 1));
        Assert.True(all.SequenceEqual(all.Order()));
    }
}
