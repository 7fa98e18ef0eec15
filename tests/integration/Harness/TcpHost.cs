// Owns one TCP connection of a client host, as raw as the tests need it: bytes, DNS messages with
// their length before them, half-close, reset, and the end of what the server sends.

using System;
using System.Buffers.Binary;
using System.IO;
using System.Net;
using System.Net.Sockets;

namespace Tests.Integration.Harness;

/// <summary>A client's TCP connection.</summary>
public sealed class TcpHost : IDisposable
{
    private readonly Socket _socket;

    public TcpHost(IPEndPoint server, string address = "127.0.0.2", int receiveBuffer = 0)
    {
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveTimeout = Eventually.Seconds * 1000,
            SendTimeout = Eventually.Seconds * 1000,
        };
        if (receiveBuffer > 0)
            _socket.ReceiveBufferSize = receiveBuffer;
        _socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        _socket.Connect(server);
    }

    public IPEndPoint Endpoint => (IPEndPoint)_socket.LocalEndPoint!;

    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[_socket.Send(bytes)..];
    }

    public void SendMessage(byte[] message) => Send(DnsWire.Framed(message));

    /// <summary>One read: bytes, or none at the end of the stream.</summary>
    public byte[] ReceiveSome(int most = 65_536)
    {
        var buffer = new byte[most];
        return buffer[.._socket.Receive(buffer)];
    }

    /// <summary>Reads so many bytes; fails when the stream ends before.</summary>
    public byte[] ReceiveExactly(int count)
    {
        var bytes = new byte[count];
        for (var at = 0; at < count;)
        {
            var got = _socket.Receive(bytes.AsSpan(at));
            if (got == 0)
                throw new EndOfStreamException($"the stream ended after {at} of {count} bytes");
            at += got;
        }
        return bytes;
    }

    public DnsMessage ReceiveMessage() => DnsWire.Parse(
        ReceiveExactly(BinaryPrimitives.ReadUInt16BigEndian(ReceiveExactly(2))));

    public DnsMessage Ask(byte[] message)
    {
        SendMessage(message);
        return ReceiveMessage();
    }

    public string Who() => Ask(DnsWire.WhoAreYou(UdpHost.NextId())).Answers[0];

    /// <summary>Whether the server closes, cleanly or not, without sending anything more.</summary>
    public bool IsClosedByServer()
    {
        try
        {
            return ReceiveSome().Length == 0;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return true;
        }
    }

    /// <summary>Whether the server ends its side cleanly without sending anything more.</summary>
    public bool IsAtEnd() => ReceiveSome().Length == 0;

    /// <summary>Whether anything, data or an end, can be read within the milliseconds.</summary>
    public bool HasNews(int milliseconds) =>
        Eventually.IsReadable(_socket, milliseconds);

    /// <summary>Sends zeros until nothing more is taken for a second; how many were.</summary>
    public long SendUntilStuck(long most) => Flood.Until(_socket, most);

    /// <summary>Ends the writing direction.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Throws the connection away so that the server sees a reset.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();
}

/// <summary>Writing to a peer that may not read.</summary>
public static class Flood
{
    /// <summary>Writes zeros until the socket takes none for a second, or the most.</summary>
    public static long Until(Socket socket, long most)
    {
        var zeros = new byte[65_536];
        long taken = 0;
        while (taken < most && Eventually.IsReady(socket, SelectMode.SelectWrite, 1000))
        {
            socket.Blocking = false;
            taken += Math.Max(0, socket.Send(zeros, SocketFlags.None, out _));
            socket.Blocking = true;
        }
        return taken;
    }
}
