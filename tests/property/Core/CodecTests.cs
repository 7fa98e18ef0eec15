// The codec: any bytes, cut in any way, mean the same as all of them at once; and what one end
// writes the other end's own codec reads, in both directions.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Property.Core;

/// <summary>What a backend puts on the wire: a frame, good or bad.</summary>
public sealed record SentFrame(uint Type, uint Address, uint Port, uint Length)
{
    /// <summary>Its bytes; of a packet that no one would read, only a few.</summary>
    public byte[] ToBytes()
    {
        if (Type != (uint)FrameType.OutboundUdp)
            return BitConverter.GetBytes(Type);
        return
        [
            .. BitConverter.GetBytes(Type), .. BitConverter.GetBytes(Address),
            .. BitConverter.GetBytes(Port), .. BitConverter.GetBytes(Length),
            .. Scripts.Bytes((int)Port, Length > 65_535 ? 40 : (int)Length),
        ];
    }
}

/// <summary>How a stream is cut: these sizes, over and over; 0 is an empty piece.</summary>
public sealed record Cuts(int[] Sizes, int DroppedAtEnd)
{
    public override string ToString() => $"cut into {string.Join(",", Sizes)}, less {DroppedAtEnd}";

    /// <summary>The pieces of a stream whose last bytes have not come.</summary>
    public IEnumerable<byte[]> Of(byte[] bytes)
    {
        var end = Math.Max(0, bytes.Length - DroppedAtEnd);
        for (int at = 0, i = 0; at < end; i++)
        {
            var size = Math.Min(Sizes[i % Sizes.Length], end - at);
            yield return bytes[at..(at + size)];
            at += size;
        }
    }
}

/// <summary>One thing that a decoder said: a frame, or the error that ended it.</summary>
public sealed record Decoded(string What, uint Address, uint Port, uint Length, string Payload);

public static class CodecArbitraries
{
    private static readonly Gen<uint> Lengths = Gen.Frequency(
        (6, Scripts.Sizes(1500, 0, 1, 1499, 1500).Select(n => (uint)n)),
        (2, Gen.Elements<uint>(1501, 1502, 2048, 65_534, 65_535)),
        (1, Gen.Elements<uint>(65_536, 1u << 31, uint.MaxValue)));

    private static readonly Gen<SentFrame> Frame = Gen.Frequency(
        (5, Gen.Elements<uint>(1001, 1003, 1004).Select(type => new SentFrame(type, 0, 0, 0))),
        (12, from address in Scripts.Words()
             from port in Scripts.Words()
             from length in Lengths
             select new SentFrame(1002, address, port, length)),
        (1, from type in Gen.OneOf(Gen.Elements<uint>(0, 1, 2, 3, 4, 1000, 1005), Scripts.Words())
            select new SentFrame(type, 0, 0, 0)));

    public static Arbitrary<Script<SentFrame>> Frames() =>
        Scripts.Of(Frame, Simpler, min: 0, max: 12);

    public static Arbitrary<Cuts> Pieces() => Arb.From(
        from count in Gen.Choose(1, 5)
        from sizes in Scripts.Sizes(3000, 0, 1, 4, 15, 16, 17).ArrayOf(count)
        from dropped in Gen.Frequency((3, Gen.Constant(0)), (2, Gen.Choose(0, 40)))
        select new Cuts(sizes.Sum() == 0 ? [1] : sizes, dropped),
        cuts => Fewer(cuts));

    private static IEnumerable<SentFrame> Simpler(SentFrame frame)
    {
        if (frame.Type != 1002)
            yield break;
        if (frame.Length <= int.MaxValue)
        {
            foreach (var length in Scripts.Towards(0, (int)frame.Length))
                yield return frame with { Length = (uint)length };
        }
        if (frame.Address > 1)
            yield return frame with { Address = 1 };
        if (frame.Port > 1)
            yield return frame with { Port = 1 };
    }

    private static IEnumerable<Cuts> Fewer(Cuts cuts)
    {
        foreach (var script in Scripts.Shrink([.. cuts.Sizes], n => Scripts.Towards(0, n)))
        {
            if (script.Steps.Sum() > 0)
                yield return cuts with { Sizes = [.. script.Steps] };
        }
        foreach (var dropped in Scripts.Towards(0, cuts.DroppedAtEnd))
            yield return cuts with { DroppedAtEnd = dropped };
    }
}

public sealed class CodecTests
{
    [Property(Arbitrary = [typeof(CodecArbitraries)], MaxTest = 1000)]
    public void AnyChunking_MeansWhatTheWholeMeans(Script<SentFrame> frames, Cuts cuts)
    {
        var bytes = Concat(frames);
        var pieces = cuts.Of(bytes).ToList();
        var expected = ReadAsModel(
            [.. pieces.SelectMany(piece => piece)], out var isMidFrame);

        var reader = new FrameReader();
        var logged = Read(reader, pieces, out var failed);

        Assert.Equal(expected, logged);
        if (!failed)
            Assert.Equal(isMidFrame, reader.IsMidFrame);
    }

    [Property(Arbitrary = [typeof(CodecArbitraries)], MaxTest = 200)]
    public void ReaderThatWasReset_ReadsAsANewOne(
        Script<SentFrame> before, Cuts cutsBefore, Script<SentFrame> frames, Cuts cuts)
    {
        var used = new FrameReader();
        Read(used, cutsBefore.Of(Concat(before)), out _);
        used.Reset();

        var pieces = cuts.Of(Concat(frames)).ToList();

        Assert.Equal(Read(new FrameReader(), pieces, out _), Read(used, pieces, out _));
    }

    [Property(Arbitrary = [typeof(CodecArbitraries)], MaxTest = 300)]
    public void WhatTheBackendsCodecWrites_TheReaderReads(Script<SentFrame> frames, Cuts cuts)
    {
        var written = new List<byte>();
        foreach (var frame in frames.Steps)
            written.AddRange(WrittenByBackend(frame));

        Assert.Equal(Convert.ToHexString(Concat(frames)), Convert.ToHexString([.. written]));
        var logged = Read(new FrameReader(), cuts.Of([.. written]), out _);
        Assert.Equal(
            ReadAsModel([.. cuts.Of([.. written]).SelectMany(b => b)], out _), logged);
    }

    [Property(Arbitrary = [typeof(CodecArbitraries)], MaxTest = 500)]
    public void WhatTheWriterWrites_TheBackendsCodecReads(Script<SentFrame> frames, Cuts cuts)
    {
        var queue = new ByteQueue(Limits.BackendQueueBytes);
        var expected = new List<string>();
        foreach (var frame in frames.Steps)
            expected.Add(WriteAsBalancer(queue, frame));
        var bytes = new List<byte>();
        while (!queue.IsEmpty)
        {
            bytes.AddRange(queue.Front);
            queue.Consume(queue.Front.Length);
        }

        Assert.Equal(expected, ReadAsBackend((cuts with { DroppedAtEnd = 0 }).Of([.. bytes])));
    }

    private static byte[] Concat(Script<SentFrame> frames) =>
        [.. frames.Steps.SelectMany(frame => frame.ToBytes())];

    private static List<Decoded> Read(
        FrameReader reader, IEnumerable<byte[]> pieces, out bool failed)
    {
        var logged = new List<Decoded>();
        failed = false;
        foreach (var piece in pieces)
        {
            ReadOnlySpan<byte> input = piece;
            while (true)
            {
                var status = reader.Next(ref input, out var frame);
                if (status == FrameStatus.Incomplete)
                    break;
                failed = status != FrameStatus.Frame;
                var what = status switch
                {
                    FrameStatus.UnknownType => "unknown",
                    FrameStatus.LengthTooLarge => "too large",
                    _ => $"frame {(uint)frame.Type}",
                };
                logged.Add(new Decoded(what, frame.Address.Value, frame.Port, frame.Length,
                    Convert.ToHexString(frame.Payload)));
                if (failed)
                    return logged;
            }
            Assert.True(input.IsEmpty, "an incomplete frame uses its input up");
        }
        return logged;
    }

    private static byte[] WrittenByBackend(SentFrame frame)
    {
        if (frame.Type != (uint)WireType.OutboundUdp)
        {
            var type = new byte[WireCodec.TypeBytes];
            WireCodec.WriteType(type, (WireType)frame.Type);
            return type;
        }
        var header = new byte[WireCodec.UdpHeaderBytes];
        WireCodec.WriteOutboundUdpHeader(header, frame.Address, frame.Port, frame.Length);
        return [.. header, .. frame.ToBytes()[16..]];
    }

    /// <summary>Writes the balancer's frame that is most like this one, and tells it.</summary>
    private static string WriteAsBalancer(ByteQueue queue, SentFrame frame)
    {
        var source = new Endpoint(new Ipv4(frame.Address), (ushort)(frame.Port % 65_535 + 1));
        switch (frame.Type)
        {
            case 1001:
                FrameWriter.WriteType(queue, FrameType.ClientHello);
                return "ClientHello 0:0 ";
            case 1002:
                var packet = Scripts.Bytes((int)frame.Port, (int)(frame.Length % 1501));
                FrameWriter.WriteInboundUdp(queue, source, packet);
                return $"InboundUdp {frame.Address}:{source.Port} {Convert.ToHexString(packet)}";
            case 1003:
                var tcp = new byte[Frames.TcpHeaderBytes];
                FrameWriter.WriteInboundTcp(tcp, source);
                queue.Append(tcp);
                return $"InboundTcp {frame.Address}:{source.Port} ";
            default:
                FrameWriter.WriteType(queue, FrameType.ClientHeartbeat);
                return "ClientHeartbeat 0:0 ";
        }
    }

    /// <summary>All bytes at once, read by the decoder of the simulator's model.</summary>
    private static List<Decoded> ReadAsModel(byte[] bytes, out bool isMidFrame)
    {
        var logged = new List<Decoded>();
        var decoder = new FrameDecoder();
        ReadOnlySpan<byte> input = bytes;
        while (decoder.TryNext(ref input, out var frame))
        {
            var what = frame.Type switch
            {
                1002 => frame.Length > 65_535 ? "too large" : "frame 1002",
                1001 or 1003 or 1004 => $"frame {frame.Type}",
                _ => "unknown",
            };
            logged.Add(new Decoded(what, frame.Address, frame.Port,
                what == "unknown" ? frame.Type : frame.Length,
                Convert.ToHexString(frame.Payload)));
            if (what is "too large" or "unknown")
                break;
        }
        isMidFrame = decoder.IsMidFrame;
        return logged;
    }

    private static List<string> ReadAsBackend(IEnumerable<byte[]> pieces)
    {
        var logged = new List<string>();
        var reassembly = new Reassembly();
        foreach (var piece in pieces)
        {
            var bytes = reassembly.Join(piece);
            while (WireCodec.Read(bytes, out var frame, out var wrong) is var status
                && status != WireStatus.Partial)
            {
                Assert.True(status == WireStatus.Whole, wrong);
                logged.Add($"{frame.Type} {frame.Address}:{frame.Port} "
                    + Convert.ToHexString(frame.Packet));
                bytes = bytes[frame.Size..];
            }
            reassembly.Keep(bytes);
        }
        Assert.Equal(0, reassembly.Count);
        return logged;
    }
}
