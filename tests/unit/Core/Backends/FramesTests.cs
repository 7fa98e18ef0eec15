// Frames: the bytes of the protocol, written by hand here so that the codec cannot agree with
// itself in a mistake, and every way to cut them.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class FramesTests
{
    private static readonly byte[] Hello = [0xe9, 0x03, 0, 0];
    private static readonly byte[] TcpOk = [0xeb, 0x03, 0, 0];
    private static readonly byte[] Heartbeat = [0xec, 0x03, 0, 0];

    /// <summary>OUTBOUND_UDP to 10.77.77.5 port 53001, three bytes.</summary>
    private static readonly byte[] Reply =
        [0xea, 0x03, 0, 0, 5, 77, 77, 10, 0x09, 0xcf, 0, 0, 3, 0, 0, 0, 7, 8, 9];

    [Fact]
    public void ClientHello_IsItsType()
    {
        var queue = new ByteQueue(100);
        FrameWriter.WriteType(queue, FrameType.ClientHello);
        FrameWriter.WriteType(queue, FrameType.ClientHeartbeat);

        Assert.Equal([1, 0, 0, 0, 4, 0, 0, 0], queue.Front.ToArray());
    }

    [Fact]
    public void InboundUdp_HasAddressPortAndLengthLittleEndian()
    {
        var queue = new ByteQueue(100);
        FrameWriter.WriteInboundUdp(
            queue, new Endpoint(Ipv4.From(10, 77, 77, 5), 53001), [0xaa, 0xbb]);

        Assert.Equal(
            [2, 0, 0, 0, 5, 77, 77, 10, 0x09, 0xcf, 0, 0, 2, 0, 0, 0, 0xaa, 0xbb],
            queue.Front.ToArray());
    }

    [Fact]
    public void InboundUdp_WithoutPayload_IsOnlyItsHeader()
    {
        var queue = new ByteQueue(100);
        FrameWriter.WriteInboundUdp(queue, new Endpoint(Ipv4.From(1, 2, 3, 4), 1), []);

        Assert.Equal([2, 0, 0, 0, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0], queue.Front.ToArray());
    }

    [Fact]
    public void InboundTcp_HasAddressAndPort()
    {
        var frame = new byte[Frames.TcpHeaderBytes];
        FrameWriter.WriteInboundTcp(frame, new Endpoint(Ipv4.From(10, 77, 77, 5), 53001));

        Assert.Equal([3, 0, 0, 0, 5, 77, 77, 10, 0x09, 0xcf, 0, 0], frame);
    }

    [Fact]
    public void WholeFramesGlued_AreReadInOrder()
    {
        var frames = ReadAll([.. Hello, .. Reply, .. Heartbeat, .. TcpOk], int.MaxValue);

        Assert.Equal(
            ["ServerHello", "OutboundUdp 10.77.77.5:53001 3 070809", "ServerHeartbeat",
                "InboundTcpOk"],
            frames);
    }

    [Fact]
    public void CutAtEveryPairOfPlaces_GivesTheSameFrames()
    {
        byte[] all = [.. Hello, .. Reply, .. Heartbeat];
        var whole = ReadAll(all, int.MaxValue);
        for (var first = 0; first <= all.Length; first++)
        {
            for (var second = first; second <= all.Length; second++)
            {
                var reader = new FrameReader();
                var found = new List<string>();
                Read(reader, all.AsSpan(0, first), found);
                Read(reader, all.AsSpan(first, second - first), found);
                Read(reader, all.AsSpan(second), found);
                Assert.Equal(whole, found);
                Assert.False(reader.IsMidFrame);
            }
        }
    }

    [Fact]
    public void EmptyReply_IsAFrame() =>
        Assert.Equal(["OutboundUdp 0.0.0.0:0 0 "], ReadAll(ReplyOf(0), 3));

    [Theory]
    [InlineData(1500)]
    [InlineData(1499)]
    public void LargestReply_IsReadWholeInAnyChunks(int length)
    {
        foreach (var chunk in new[] { 1, 7, 15, 16, 17, 1000, 1516, 4000 })
        {
            var frames = ReadAll([.. ReplyOf(length), .. Heartbeat], chunk);
            Assert.Equal(2, frames.Count);
            Assert.StartsWith($"OutboundUdp 0.0.0.0:0 {length} 2a2a", frames[0],
                StringComparison.Ordinal);
            Assert.Equal(length * 2, frames[0].Split(' ')[3].Length);
        }
    }

    [Theory]
    [InlineData(1501)]
    [InlineData(65_535)]
    public void OversizedReply_IsReportedAndSkipped(int length)
    {
        foreach (var chunk in new[] { 1, 16, 17, 1501, 70_000 })
        {
            var frames = ReadAll([.. ReplyOf(length), .. Heartbeat], chunk);
            Assert.Equal([$"OutboundUdp 0.0.0.0:0 {length} ", "ServerHeartbeat"], frames);
        }
    }

    [Theory]
    [InlineData(65_536u)]
    [InlineData(0x80000000u)]
    [InlineData(uint.MaxValue)]
    public void LengthThatNoDatagramHas_IsAnError(uint length)
    {
        var header = ReplyOf(0);
        BitConverter.TryWriteBytes(header.AsSpan(12), length);
        foreach (var chunk in new[] { 1, 15, 16, 100 })
            Assert.Equal([$"LengthTooLarge {length}"], ReadAll(header, chunk));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(2u)]
    [InlineData(4u)]
    [InlineData(1000u)]
    [InlineData(1005u)]
    [InlineData(uint.MaxValue)]
    public void TypeThatNoBackendSends_IsAnErrorAsSoonAsItIsWhole(uint type)
    {
        foreach (var chunk in new[] { 1, 3, 4 })
            Assert.Equal([$"UnknownType {type}"], ReadAll(BitConverter.GetBytes(type), chunk));
    }

    [Fact]
    public void Reset_ForgetsWhatWasKeptAndSkipped()
    {
        var reader = new FrameReader();
        Read(reader, ReplyOf(2000).AsSpan(0, 100), []);
        Assert.True(reader.IsMidFrame);
        reader.Reset();
        Read(reader, Reply.AsSpan(0, 9), []);
        Assert.True(reader.IsMidFrame);
        reader.Reset();
        var found = new List<string>();
        Read(reader, Hello, found);

        Assert.Equal(["ServerHello"], found);
    }

    private static byte[] ReplyOf(int length)
    {
        byte[] frame = [0xea, 0x03, 0, 0, .. new byte[12], .. Enumerable.Repeat((byte)42, length)];
        BitConverter.TryWriteBytes(frame.AsSpan(12), (uint)length);
        return frame;
    }

    private static List<string> ReadAll(byte[] bytes, int chunk)
    {
        var reader = new FrameReader();
        var found = new List<string>();
        for (var at = 0; at < bytes.Length; at += Math.Min(chunk, bytes.Length - at))
            Read(reader, bytes.AsSpan(at, Math.Min(chunk, bytes.Length - at)), found);
        return found;
    }

    private static void Read(FrameReader reader, ReadOnlySpan<byte> input, List<string> found)
    {
        while (true)
        {
            var status = reader.Next(ref input, out var frame);
            if (status == FrameStatus.Incomplete)
            {
                Assert.True(input.IsEmpty);
                return;
            }
            found.Add(status != FrameStatus.Frame ? $"{status} {frame.Length}"
                : frame.Type != FrameType.OutboundUdp ? $"{frame.Type}"
                : $"{frame.Type} {frame.Address}:{frame.Port} {frame.Length} "
                    + Convert.ToHexStringLower(frame.Payload));
            if (status != FrameStatus.Frame)
                return;
        }
    }
}
