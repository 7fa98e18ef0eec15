// Owns the wire protocol between balancer and backend: its reader and writer. docs/protocol.md has
// examples and diagrams. Over an AF_UNIX stream, all integers little-endian u32, each frame begins
// with its type.
//
//   from      frame             type  after the type
//   balancer  CLIENT_HELLO         1  nothing
//   balancer  INBOUND_UDP          2  source IPv4, source port, length N, N bytes of packet
//   balancer  INBOUND_TCP          3  source IPv4, source port
//   balancer  CLIENT_HEARTBEAT     4  nothing
//   backend   SERVER_HELLO      1001  nothing
//   backend   OUTBOUND_UDP      1002  destination IPv4, destination port, length N, N bytes
//   backend   INBOUND_TCP_OK    1003  nothing; all that follows is the TCP stream
//   backend   SERVER_HEARTBEAT  1004  nothing

using System;
using System.Buffers.Binary;

namespace Balancer.Core;

/// <summary>The first four bytes of a frame.</summary>
public enum FrameType : uint
{
    None = 0,
    ClientHello = 1,
    InboundUdp = 2,
    InboundTcp = 3,
    ClientHeartbeat = 4,
    ServerHello = 1001,
    OutboundUdp = 1002,
    InboundTcpOk = 1003,
    ServerHeartbeat = 1004,
}

public static class Frames
{
    /// <summary>Bytes of a frame that is only its type.</summary>
    public const int TypeBytes = 4;

    /// <summary>Bytes of INBOUND_UDP and OUTBOUND_UDP before the packet.</summary>
    public const int UdpHeaderBytes = 16;

    /// <summary>Bytes of INBOUND_TCP.</summary>
    public const int TcpHeaderBytes = 12;
}

/// <summary>
/// One frame from a backend; its payload lives until the next call of its reader.
/// </summary>
public readonly ref struct Frame
{
    public FrameType Type { get; init; }

    /// <summary>OUTBOUND_UDP: the destination address.</summary>
    public Ipv4 Address { get; init; }

    /// <summary>OUTBOUND_UDP: the destination port as sent, 0 to 2^32 − 1.</summary>
    public uint Port { get; init; }

    /// <summary>OUTBOUND_UDP: the length as sent, 0 to MaxSkippedPayload.</summary>
    public uint Length { get; init; }

    /// <summary>OUTBOUND_UDP of at most MaxUdpPayload bytes: the packet; else empty.</summary>
    public ReadOnlySpan<byte> Payload { get; init; }
}

/// <summary>What FrameReader.Next found.</summary>
public enum FrameStatus
{
    /// <summary>The input is used up, part of a frame perhaps kept; feed more.</summary>
    Incomplete,

    /// <summary>
    /// A frame. An OUTBOUND_UDP over MaxUdpPayload is returned when its header is whole; its
    /// packet is skipped as it comes.
    /// </summary>
    Frame,

    /// <summary>A type that no backend sends; Frame.Length holds it. The stream is lost.</summary>
    UnknownType,

    /// <summary>A length over MaxSkippedPayload, in Frame.Length. The stream is lost.</summary>
    LengthTooLarge,
}

/// <summary>
/// Takes the frames of one session out of its bytes, cut and glued in any way. Frames that lie
/// whole in the input are read in place; only one that is cut is kept, in a buffer of one frame.
/// After an error it must be Reset before it is used again.
/// </summary>
public sealed class FrameReader
{
    private readonly byte[] _kept = new byte[Frames.UdpHeaderBytes + Limits.MaxUdpPayload];
    private int _keptBytes;
    private uint _toSkip;

    /// <summary>
    /// Part of a frame is kept, or the rest of a skipped packet is still to come.
    /// </summary>
    public bool IsMidFrame => _keptBytes > 0 || _toSkip > 0;

    /// <summary>Forgets what it keeps, for a new session.</summary>
    public void Reset()
    {
        _keptBytes = 0;
        _toSkip = 0;
    }

    /// <summary>
    /// Reads the next frame and moves the input on past it. Call until Incomplete or an error.
    /// </summary>
    public FrameStatus Next(ref ReadOnlySpan<byte> input, out Frame frame)
    {
        if (_toSkip > 0)
            Skip(ref input);
        if (_keptBytes > 0)
            return NextKept(ref input, out frame);
        var status = Parse(input, out frame, out var bytes);
        if (status == FrameStatus.Incomplete)
        {
            if (_toSkip == 0)
                Keep(ref input, input.Length);
            return status;
        }
        input = input[bytes..];
        return status;
    }

    /// <summary>Fills the kept part up, step by step: to its type, its header, its end.</summary>
    private FrameStatus NextKept(ref ReadOnlySpan<byte> input, out Frame frame)
    {
        while (true)
        {
            var status = Parse(_kept.AsSpan(0, _keptBytes), out frame, out var bytes);
            if (status != FrameStatus.Incomplete)
            {
                _keptBytes = 0;
                return status;
            }
            var missing = bytes - _keptBytes;
            if (input.Length < missing)
            {
                Keep(ref input, input.Length);
                return FrameStatus.Incomplete;
            }
            Keep(ref input, missing);
        }
    }

    /// <summary>
    /// Reads a frame from the start of the bytes. Incomplete sets `bytes` to how many are needed
    /// for the next step; a frame sets it to how many it took.
    /// </summary>
    private FrameStatus Parse(ReadOnlySpan<byte> from, out Frame frame, out int bytes)
    {
        frame = default;
        bytes = Frames.TypeBytes;
        if (from.Length < Frames.TypeBytes)
            return FrameStatus.Incomplete;
        var type = (FrameType)BinaryPrimitives.ReadUInt32LittleEndian(from);
        if (type == FrameType.OutboundUdp)
            return ParseUdp(from, out frame, out bytes);
        if (type is FrameType.ServerHello or FrameType.ServerHeartbeat or FrameType.InboundTcpOk)
        {
            frame = new Frame { Type = type };
            return FrameStatus.Frame;
        }
        frame = new Frame { Length = (uint)type };
        return FrameStatus.UnknownType;
    }

    private FrameStatus ParseUdp(ReadOnlySpan<byte> from, out Frame frame, out int bytes)
    {
        frame = default;
        bytes = Frames.UdpHeaderBytes;
        if (from.Length < Frames.UdpHeaderBytes)
            return FrameStatus.Incomplete;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(from[12..]);
        var isWhole = length <= Limits.MaxUdpPayload;
        if (isWhole)
        {
            bytes += (int)length;
            if (from.Length < bytes)
                return FrameStatus.Incomplete;
        }
        frame = new Frame
        {
            Type = FrameType.OutboundUdp,
            Address = new Ipv4(BinaryPrimitives.ReadUInt32LittleEndian(from[4..])),
            Port = BinaryPrimitives.ReadUInt32LittleEndian(from[8..]),
            Length = length,
            Payload = isWhole ? from[Frames.UdpHeaderBytes..bytes] : default,
        };
        if (isWhole)
            return FrameStatus.Frame;
        if (length > Limits.MaxSkippedPayload)
            return FrameStatus.LengthTooLarge;
        _toSkip = length;
        return FrameStatus.Frame;
    }

    private void Keep(ref ReadOnlySpan<byte> input, int bytes)
    {
        input[..bytes].CopyTo(_kept.AsSpan(_keptBytes));
        _keptBytes += bytes;
        input = input[bytes..];
    }

    private void Skip(ref ReadOnlySpan<byte> input)
    {
        var bytes = (int)Math.Min(_toSkip, (uint)input.Length);
        _toSkip -= (uint)bytes;
        input = input[bytes..];
    }
}

/// <summary>Writes the balancer's frames into the queue of a session.</summary>
public static class FrameWriter
{
    /// <summary>CLIENT_HELLO or CLIENT_HEARTBEAT: a frame that is only its type.</summary>
    public static void WriteType(ByteQueue queue, FrameType type)
    {
        Span<byte> frame = stackalloc byte[Frames.TypeBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)type);
        queue.Append(frame);
    }

    /// <summary>INBOUND_UDP with a payload of at most MaxUdpPayload bytes.</summary>
    public static void WriteInboundUdp(ByteQueue queue, Endpoint source, ReadOnlySpan<byte> payload)
    {
        Verify.That(payload.Length <= Limits.MaxUdpPayload, "only small payloads are forwarded");
        Span<byte> header = stackalloc byte[Frames.UdpHeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)FrameType.InboundUdp);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], source.Address.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], source.Port);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)payload.Length);
        queue.Append(header);
        queue.Append(payload);
    }

    /// <summary>
    /// INBOUND_TCP, the first frame of a TCP session, of Frames.TcpHeaderBytes.
    /// </summary>
    public static void WriteInboundTcp(Span<byte> frame, Endpoint source)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)FrameType.InboundTcp);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], source.Address.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], source.Port);
    }
}
