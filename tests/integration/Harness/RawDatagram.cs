// Owns datagrams that no ordinary socket sends: any source address and port, port 0 and the
// balancer's own among them. The IPv4 and UDP headers are written here and go out through a raw
// socket, which needs the right CAP_NET_RAW. Tests that send them say so with
// [FactNeedingRawSocket], and are skipped, with that reason, where the right is missing.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Tests.Integration.Harness;

/// <summary>Sends forged datagrams.</summary>
public static class RawDatagram
{
    private const int IpBytes = 20;
    private const int UdpBytes = 8;
    private const byte ProtocolUdp = 17;

    private static readonly Lazy<bool> CanOpenOnce = new(TryOpen);

    /// <summary>Whether this process has the right to open a raw socket; tried once.</summary>
    public static bool CanOpen => CanOpenOnce.Value;

    public static void Send(IPEndPoint from, IPEndPoint to, ReadOnlySpan<byte> payload) =>
        SendFromMany([from], to, payload);

    /// <summary>Sends one payload from each of many forged sources.</summary>
    public static void SendFromMany(
        IEnumerable<IPEndPoint> sources, IPEndPoint to, ReadOnlySpan<byte> payload)
    {
        using var socket = Open();
        socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.HeaderIncluded, true);
        var kernel = new IPEndPoint(to.Address, 0);
        var packet = Packet(to, payload);
        foreach (var from in sources)
        {
            from.Address.TryWriteBytes(packet.AsSpan(12), out _);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(IpBytes), (ushort)from.Port);
            socket.SendTo(packet, kernel);
        }
    }

    private static Socket Open() =>
        new(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Raw);

    private static bool TryOpen()
    {
        try
        {
            using var socket = Open();
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
        {
            return false;
        }
    }

    private static byte[] Packet(IPEndPoint to, ReadOnlySpan<byte> payload)
    {
        var packet = new byte[IpBytes + UdpBytes + payload.Length];
        packet[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        packet[8] = 64;
        packet[9] = ProtocolUdp;
        to.Address.TryWriteBytes(packet.AsSpan(16), out _);
        var udp = packet.AsSpan(IpBytes);
        BinaryPrimitives.WriteUInt16BigEndian(udp[2..], (ushort)to.Port);
        // A checksum of 0 says that there is none; the kernel fills in the one of the IP header.
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)(UdpBytes + payload.Length));
        payload.CopyTo(udp[UdpBytes..]);
        return packet;
    }
}

/// <summary>A fact that sends forged datagrams; skipped where they cannot be sent.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactNeedingRawSocketAttribute : FactAttribute
{
    public FactNeedingRawSocketAttribute()
    {
        if (!RawDatagram.CanOpen)
            Skip = "needs the right to open a raw socket";
    }
}
