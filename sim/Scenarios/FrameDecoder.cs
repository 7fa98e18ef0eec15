// Owns the checks' own decoder of what backends send: bytes are cut into frames, one at a time.
// It shares nothing with the core's codec, because the checks judge the core by it (S5, S6): with
// the core's own reader they would make its mistakes. It is made differently on purpose: it gathers
// all bytes of a frame before it looks at them, and never reads in place. fake-binder's codec
// cannot take its place: it reads the other direction, what a balancer says.
//
// What always holds: a frame is returned when its last byte is there, or, for a packet that is too
// large to be forwarded, when its header is; the skipped packet is never looked at.

using System;
using System.Buffers.Binary;

namespace Simulation.Scenarios;

/// <summary>A frame as a backend sent it; for types without fields those are zero.</summary>
public readonly ref struct SeenFrame(
    uint type, uint address, uint port, uint length, ReadOnlySpan<byte> payload)
{
    public const uint ClientHello = 1;
    public const uint InboundUdp = 2;
    public const uint InboundTcp = 3;
    public const uint ClientHeartbeat = 4;
    public const uint ServerHello = 1001;
    public const uint OutboundUdp = 1002;
    public const uint InboundTcpOk = 1003;
    public const uint ServerHeartbeat = 1004;

    public uint Type { get; } = type;
    public uint Address { get; } = address;
    public uint Port { get; } = port;
    public uint Length { get; } = length;
    public ReadOnlySpan<byte> Payload { get; } = payload;

    /// <summary>Bytes of a query's frame before its payload.</summary>
    public const int QueryHeaderBytes = FrameDecoder.HeaderBytes;

    /// <summary>The type of the frame that bytes begin with; 0 if they are too few.</summary>
    public static uint TypeOf(ReadOnlySpan<byte> bytes) =>
        bytes.Length < FrameDecoder.TypeBytes ? 0 : FrameDecoder.Field(bytes, 0);

    /// <summary>
    /// Bytes of the frame of the balancer's that bytes begin with: its type alone, or a query if
    /// its header is there.
    /// </summary>
    public static int SizeOf(ReadOnlySpan<byte> bytes) => IsQuery(bytes)
        ? FrameDecoder.HeaderBytes + (int)FrameDecoder.Field(bytes, 12)
        : FrameDecoder.TypeBytes;

    /// <summary>Whether bytes begin with a query's whole header.</summary>
    public static bool IsQuery(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= FrameDecoder.HeaderBytes && TypeOf(bytes) == InboundUdp;

    /// <summary>The client whose query it is, by its header.</summary>
    public static (uint Address, uint Port) ClientOf(ReadOnlySpan<byte> query) =>
        (FrameDecoder.Field(query, 4), FrameDecoder.Field(query, 8));
}

/// <summary>Cuts one session's bytes into frames.</summary>
public sealed class FrameDecoder
{
    internal const int TypeBytes = 4;
    internal const int HeaderBytes = 16;
    private const uint LargestForwarded = 1500;
    private const uint LargestSkipped = 65_535;

    private readonly byte[] _frame = new byte[HeaderBytes + LargestForwarded];
    private int _count;
    private uint _skip;

    /// <summary>Part of a frame has come, or of a packet that is skipped.</summary>
    public bool IsMidFrame => _count > 0 || _skip > 0;

    /// <summary>Takes one frame off the front of the input; false when none is whole.</summary>
    public bool TryNext(ref ReadOnlySpan<byte> input, out SeenFrame frame)
    {
        frame = default;
        var skipped = (int)Math.Min(_skip, (uint)input.Length);
        input = input[skipped..];
        _skip -= (uint)skipped;
        if (_skip > 0 || !TryGather(ref input, TypeBytes))
            return false;
        var type = Field(_frame, 0);
        if (type != SeenFrame.OutboundUdp)
        {
            _count = 0;
            frame = new SeenFrame(type, 0, 0, 0, []);
            return true;
        }
        if (!TryGather(ref input, HeaderBytes))
            return false;
        var length = Field(_frame, 12);
        var payload = length <= LargestForwarded ? (int)length : 0;
        if (!TryGather(ref input, HeaderBytes + payload))
            return false;
        _count = 0;
        if (length is > LargestForwarded and <= LargestSkipped)
            _skip = length;
        frame = new SeenFrame(
            type, Field(_frame, 4), Field(_frame, 8), length, _frame.AsSpan(HeaderBytes, payload));
        return true;
    }

    internal static uint Field(ReadOnlySpan<byte> frame, int at) =>
        BinaryPrimitives.ReadUInt32LittleEndian(frame[at..]);

    private bool TryGather(ref ReadOnlySpan<byte> input, int wanted)
    {
        var taken = Math.Max(0, Math.Min(wanted - _count, input.Length));
        input[..taken].CopyTo(_frame.AsSpan(_count));
        _count += taken;
        input = input[taken..];
        return _count >= wanted;
    }
}
