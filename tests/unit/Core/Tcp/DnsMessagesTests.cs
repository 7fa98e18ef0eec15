// DnsMessages: a stream counts the same in whatever pieces it comes, runs of empty messages too.

using System;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class DnsMessagesTests
{
    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0 }, 3, false)]
    [InlineData(new byte[] { 0, 0, 0, 1, 9, 0, 0 }, 3, false)]
    [InlineData(new byte[] { 0, 0, 0, 2, 0, 0, 0, 0, 0 }, 3, true)]
    [InlineData(new byte[] { 0, 0, 0 }, 1, true)]
    public void EmptyMessages_AreCountedBesideOthers(byte[] bytes, int whole, bool isInside)
    {
        var messages = default(DnsMessages);
        messages.Take(bytes);

        Assert.Equal((whole, whole, 0, isInside),
            (messages.Whole, messages.Good, messages.WithHeader, messages.IsInside));
        Assert.Null(messages.LastCode);
    }

    [Fact]
    public void Pieces_DoNotMatter()
    {
        var random = new Random(7);
        for (var round = 0; round < 500; round++)
        {
            // Mostly zeros, so that there are runs, and headers and codes here and there.
            var bytes = new byte[random.Next(1, 200)];
            for (var n = random.Next(12); n > 0; n--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(20);
            var (inOne, byByte) = (default(DnsMessages), default(DnsMessages));
            inOne.Take(bytes);
            foreach (var value in bytes)
                byByte.Take([value]);

            Assert.Equal(Of(byByte), Of(inOne));
        }
    }

    [Theory]
    [InlineData(new byte[] { }, 0)]
    [InlineData(new byte[] { 0, 0, 0, 0 }, 4)]
    [InlineData(new byte[] { 0, 0, 0, 0, 0 }, 5)]
    [InlineData(new byte[] { 0, 0, 7 }, 3)]
    [InlineData(new byte[] { 0, 0, 0, 1 }, 0)]
    [InlineData(new byte[] { 0, 0, 0, 1, 9 }, 0)]
    [InlineData(new byte[] { 0, 0, 0, 1, 9, 0, 0 }, 2)]
    public void EmptyBytes_AreThoseAtTheEnd(byte[] bytes, int empty)
    {
        var (inOne, byByte) = (default(DnsMessages), default(DnsMessages));
        inOne.Take(bytes);
        foreach (var value in bytes)
            byByte.Take([value]);

        Assert.Equal((empty, empty), (inOne.EmptyBytes, byByte.EmptyBytes));
    }

    [Fact]
    public void EmptyMessageBehindAFailure_SaysNothing()
    {
        var messages = default(DnsMessages);
        messages.Take([0, 12, 0, 7, 0x80, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
        Assert.Equal(ResponseCode.ServerFailure, messages.LastCode);
        messages.Take([0, 0, 0, 0]);

        Assert.Null(messages.LastCode);
        Assert.Equal((3, 2, 1), (messages.Whole, messages.Good, messages.WithHeader));
    }

    private static (long, long, long, bool, ResponseCode?) Of(DnsMessages messages) =>
        (messages.Whole, messages.Good, messages.WithHeader, messages.IsInside,
            messages.LastCode);
}
