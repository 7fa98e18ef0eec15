// Owns the backend's own description of the wire protocol, written from the specification and
// from nothing of the balancer's, so that one mistake cannot hide in both ends of the wire.
//
// Everything is u32, least significant byte first, and each frame begins with its type:
//
//   read     1  CLIENT_HELLO
//   read     2  INBOUND_UDP       address, port, length, packet
//   read     3  INBOUND_TCP       address, port; no more frames follow
//   read     4  CLIENT_HEARTBEAT
//   written  1001  SERVER_HELLO
//   written  1002  OUTBOUND_UDP   address, port, length, packet
//   written  1003  INBOUND_TCP_OK
//   written  1004  SERVER_HEARTBEAT
//
// An address is the number whose most significant byte is the first octet: 10.77.77.5 is
// 0x0a4d4d05 and crosses the wire as 05 4d 4d 0a.
//
// What always holds: reading never allocates and never looks beyond the frame. The reader is
// strict, because its purpose is to notice what a balancer does wrong: a packet over 1500 bytes
// and a port that no client can have end the session with a reason.

using System;
using System.Buffers.Binary;

namespace FakeBinder;

/// <summary>The first four bytes of a frame, both ways.</summary>
public enum WireType : uint
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

/// <summary>What the bytes at hand are.</summary>
public enum WireStatus
{
    /// <summary>A whole frame.</summary>
    Whole,

    /// <summary>The beginning of a frame; more bytes are needed.</summary>
    Partial,

    /// <summary>No frame that a balancer may send.</summary>
    Wrong,
}

/// <summary>
/// A frame from the balancer; the packet lives as long as the bytes it was read from.
/// </summary>
public readonly ref struct BalancerFrame(
    WireType type, int size, uint address = 0, ushort port = 0, ReadOnlySpan<byte> packet = default)
{
    public WireType Type { get; } = type;

    /// <summary>Bytes that the whole frame takes on the wire.</summary>
    public int Size { get; } = size;

    /// <summary>The client's IPv4 address, first octet most significant.</summary>
    public uint Address { get; } = address;

    /// <summary>The client's port, 1 to 65,535.</summary>
    public ushort Port { get; } = port;

    /// <summary>The datagram of INBOUND_UDP, 0 to 1500 bytes.</summary>
    public ReadOnlySpan<byte> Packet { get; } = packet;
}

/// <summary>Reads what a balancer sends and writes what a backend answers.</summary>
public static class WireCodec
{
    /// <summary>Bytes of a frame that is only its type.</summary>
    public const int TypeBytes = 4;

    /// <summary>Bytes of INBOUND_TCP.</summary>
    public const int InboundTcpBytes = 12;

    /// <summary>Bytes of INBOUND_UDP and of OUTBOUND_UDP before the packet.</summary>
    public const int UdpHeaderBytes = 16;

    /// <summary>The largest packet that either side may forward.</summary>
    public const int MaxPacket = 1500;

    /// <summary>
    /// Reads the frame at the beginning of the bytes; wrong says why when it is none.
    /// </summary>
    public static WireStatus Read(
        ReadOnlySpan<byte> bytes, out BalancerFrame frame, out string? wrong)
    {
        frame = default;
        wrong = null;
        if (bytes.Length < TypeBytes)
            return WireStatus.Partial;
        var type = (WireType)Word(bytes, 0);
        switch (type)
        {
            case WireType.ClientHello:
            case WireType.ClientHeartbeat:
                frame = new BalancerFrame(type, TypeBytes);
                return WireStatus.Whole;
            case WireType.InboundUdp:
                return ReadInboundUdp(bytes, out frame, out wrong);
            case WireType.InboundTcp:
                return ReadInboundTcp(bytes, out frame, out wrong);
            default:
                wrong = $"unknown frame type {(uint)type}";
                return WireStatus.Wrong;
        }
    }

    /// <summary>Writes SERVER_HELLO, INBOUND_TCP_OK or SERVER_HEARTBEAT: four bytes.</summary>
    public static void WriteType(Span<byte> into, WireType type) =>
        BinaryPrimitives.WriteUInt32LittleEndian(into, (uint)type);

    /// <summary>
    /// Writes the sixteen bytes before a reply's packet. Port and length are any u32, so that
    /// they can be wrong.
    /// </summary>
    public static void WriteOutboundUdpHeader(
        Span<byte> into, uint address, uint port, uint length)
    {
        WriteType(into, WireType.OutboundUdp);
        BinaryPrimitives.WriteUInt32LittleEndian(into[4..], address);
        BinaryPrimitives.WriteUInt32LittleEndian(into[8..], port);
        BinaryPrimitives.WriteUInt32LittleEndian(into[12..], length);
    }

    private static WireStatus ReadInboundUdp(
        ReadOnlySpan<byte> bytes, out BalancerFrame frame, out string? wrong)
    {
        frame = default;
        wrong = null;
        if (bytes.Length < UdpHeaderBytes)
            return WireStatus.Partial;
        var port = Word(bytes, 8);
        var length = Word(bytes, 12);
        if (!IsPort(port, "INBOUND_UDP", out wrong))
            return WireStatus.Wrong;
        if (length > MaxPacket)
        {
            wrong = $"INBOUND_UDP of {length} bytes";
            return WireStatus.Wrong;
        }
        var size = UdpHeaderBytes + (int)length;
        if (bytes.Length < size)
            return WireStatus.Partial;
        frame = new BalancerFrame(WireType.InboundUdp, size, Word(bytes, 4), (ushort)port,
            bytes[UdpHeaderBytes..size]);
        return WireStatus.Whole;
    }

    private static WireStatus ReadInboundTcp(
        ReadOnlySpan<byte> bytes, out BalancerFrame frame, out string? wrong)
    {
        frame = default;
        wrong = null;
        if (bytes.Length < InboundTcpBytes)
            return WireStatus.Partial;
        var port = Word(bytes, 8);
        if (!IsPort(port, "INBOUND_TCP", out wrong))
            return WireStatus.Wrong;
        frame = new BalancerFrame(WireType.InboundTcp, InboundTcpBytes, Word(bytes, 4),
            (ushort)port);
        return WireStatus.Whole;
    }

    private static bool IsPort(uint port, string frame, out string? wrong)
    {
        wrong = port is > 0 and <= ushort.MaxValue ? null : $"{frame} from port {port}";
        return wrong is null;
    }

    private static uint Word(ReadOnlySpan<byte> bytes, int at) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
}
