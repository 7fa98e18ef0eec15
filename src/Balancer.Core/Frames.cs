// Owns the wire protocol between balancer and backend: its one description. Over an AF_UNIX
// stream, all integers little-endian u32, each frame begins with its type.
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
