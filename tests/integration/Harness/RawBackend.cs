// Owns a backend that a test plays by hand, byte for byte: a listening socket and the sessions
// that the balancer opens to it. It knows the numbers of the frames from the protocol's
// description and shares no code with any codec: tests of the wire compare bytes. What it reads,
// frames of the balancer, the simulator's decoder does not, and fake-binder's does not read as
// they come from a socket.
//
// Disposing of it unlinks its path, as .NET's sockets do.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using Xunit;
using Xunit.Sdk;

namespace Tests.Integration.Harness;

/// <summary>The types of frames.</summary>
public static class Frame
{
    public const uint ClientHello = 1;
    public const uint InboundUdp = 2;
    public const uint InboundTcp = 3;
    public const uint ClientHeartbeat = 4;
    public const uint ServerHello = 1001;
    public const uint OutboundUdp = 1002;
    public const uint InboundTcpOk = 1003;
    public const uint ServerHeartbeat = 1004;

    /// <summary>An OUTBOUND_UDP.</summary>
    public static byte[] Reply(IPAddress address, uint port, byte[] payload) =>
        [.. ReplyHeader(address, port, (uint)payload.Length), .. payload];

    public static byte[] Reply(Query to, byte[] payload) => Reply(to.Address, to.Port, payload);

    /// <summary>The 16 bytes before an OUTBOUND_UDP's packet, which may lie.</summary>
    public static byte[] ReplyHeader(IPAddress address, uint port, uint length)
    {
        var octets = address.GetAddressBytes();
        Array.Reverse(octets);
        return [.. U32(OutboundUdp), .. octets, .. U32(port), .. U32(length)];
    }

    public static byte[] U32(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }

    public static byte[] Hex(string bytes) =>
        Convert.FromHexString(bytes.Replace(" ", "", StringComparison.Ordinal));
}

/// <summary>An INBOUND_UDP.</summary>
public sealed record Query(IPAddress Address, uint Port, byte[] Payload);

/// <summary>A listening socket at a path.</summary>
public sealed class RawBackend : IDisposable
{
    private readonly Socket _listener =
        new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private readonly List<RawSession> _sessions = [];

    public RawBackend(string path, int backlog = 128)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen(backlog);
    }

    /// <summary>The next connection that the balancer makes.</summary>
    public RawSession Accept(int seconds = Eventually.Seconds)
    {
        if (!Eventually.IsReadable(_listener, seconds * 1000))
            throw new XunitException($"no connection within {seconds} s");
        var session = new RawSession(_listener.Accept());
        _sessions.Add(session);
        return session;
    }

    /// <summary>The next connection, a control session; its hello is answered.</summary>
    public RawSession AcceptControl()
    {
        var session = Accept();
        session.Expect(Frame.U32(Frame.ClientHello));
        session.Write(Frame.U32(Frame.ServerHello));
        return session;
    }

    /// <summary>The next connection, which must be a TCP session; it is not yet answered.</summary>
    public RawSession AcceptTcp(out IPEndPoint client)
    {
        var session = Accept();
        session.Expect(Frame.U32(Frame.InboundTcp));
        client = session.ReadClient();
        return session;
    }

    public void Dispose()
    {
        foreach (var session in _sessions)
            session.Dispose();
        _listener.Dispose();
    }
}

/// <summary>One connection of the balancer.</summary>
public sealed class RawSession : IDisposable
{
    private readonly Socket _socket;

    public RawSession(Socket socket)
    {
        _socket = socket;
        _socket.ReceiveTimeout = Eventually.Seconds * 1000;
        _socket.SendTimeout = Eventually.Seconds * 1000;
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[_socket.Send(bytes)..];
    }

    /// <summary>Writes, unless the balancer has ended the session.</summary>
    public void TryWrite(byte[] bytes) => _socket.Send(bytes, SocketFlags.None, out _);

    /// <summary>Writes one byte out of band (MSG_OOB).</summary>
    public void WriteUrgent(byte one) =>
        Assert.Equal(1, _socket.Send([one], SocketFlags.OutOfBand));

    public byte[] Read(int count)
    {
        var bytes = new byte[count];
        for (var at = 0; at < count;)
        {
            var got = _socket.Receive(bytes.AsSpan(at));
            if (got == 0)
                throw new EndOfStreamException($"the session ended after {at} of {count} bytes");
            at += got;
        }
        return bytes;
    }

    /// <summary>Reads as many bytes as expected and fails if they are others.</summary>
    public void Expect(byte[] expected)
    {
        var got = Convert.ToHexString(Read(expected.Length));
        if (got != Convert.ToHexString(expected))
            throw new XunitException($"expected {Convert.ToHexString(expected)}, got {got}");
    }

    public uint ReadU32() => BinaryPrimitives.ReadUInt32LittleEndian(Read(4));

    /// <summary>The address and port of an INBOUND_TCP or INBOUND_UDP.</summary>
    public IPEndPoint ReadClient()
    {
        var octets = Read(4);
        Array.Reverse(octets);
        return new IPEndPoint(new IPAddress(octets), (int)ReadU32());
    }

    /// <summary>The next INBOUND_UDP; heartbeats that come before it are answered.</summary>
    public Query ReadQuery()
    {
        while (true)
        {
            var type = ReadU32();
            if (type == Frame.ClientHeartbeat)
            {
                Write(Frame.U32(Frame.ServerHeartbeat));
                continue;
            }
            if (type != Frame.InboundUdp)
            {
                throw new XunitException(string.Create(
                    CultureInfo.InvariantCulture, $"a query was expected, not type {type}"));
            }
            var client = ReadClient();
            return new Query(client.Address, (uint)client.Port, Read((int)ReadU32()));
        }
    }

    /// <summary>Whether anything, data or an end, can be read within the milliseconds.</summary>
    public bool HasNews(int milliseconds) =>
        Eventually.IsReadable(_socket, milliseconds);

    /// <summary>Waits until the balancer closed the session, whatever it sent before.</summary>
    public void WaitForEnd()
    {
        var buffer = new byte[65_536];
        try
        {
            while (_socket.Receive(buffer) > 0)
            {
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
        }
    }

    /// <summary>Writes zeros until nothing more is taken for a second; how many were.</summary>
    public long WriteUntilStuck(long most) => Flood.Until(_socket, most);

    /// <summary>
    /// From now on heartbeats are answered, and nothing else is read here. That has a thread of its
    /// own: in the pool it may wait for other tests, and then its backend hangs.
    /// </summary>
    public void AnswerHeartbeats() => new Thread(() =>
    {
        try
        {
            while (true)
                ReadQuery();
        }
        catch (Exception over) when (over is IOException or SocketException
            or ObjectDisposedException)
        {
            // The session is over.
        }
    })
    { IsBackground = true }.Start();

    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Passes a socket with some bytes; false if that is refused.</summary>
    public bool Pass(
        LingeringSocket passed, byte[] bytes, SocketFlags flags = SocketFlags.None) =>
        passed.Pass(_socket, bytes, flags);

    public void Dispose() => _socket.Dispose();
}
