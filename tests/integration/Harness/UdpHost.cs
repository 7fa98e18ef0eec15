// Owns the client hosts of the tests: sockets bound to addresses in 127.0.0.0/8, each of which the
// balancer takes for a host of its own. They are plain sockets and nothing retries behind a test's
// back, except in Ask, which says so.

using System;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Tests.Integration.Harness;

/// <summary>A client host that sends datagrams.</summary>
public sealed class UdpHost : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[65_536];
    private static int _lastId;

    public UdpHost(string address = "127.0.0.2")
    {
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)
        {
            ReceiveBufferSize = 1 << 21,
        };
        _socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
    }

    public IPEndPoint Endpoint => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>An id for a query that no earlier one of this test run had lately.</summary>
    public static ushort NextId() =>
        (ushort)System.Threading.Interlocked.Increment(ref _lastId);

    public void Send(IPEndPoint to, ReadOnlySpan<byte> datagram) => _socket.SendTo(datagram, to);

    /// <summary>The next datagram and where it came from, or null after the milliseconds.</summary>
    public (byte[] Payload, IPEndPoint From)? Receive(int milliseconds = Eventually.Seconds * 1000)
    {
        if (!Eventually.IsReadable(_socket, milliseconds))
            return null;
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        var length = _socket.ReceiveFrom(_buffer, ref from);
        return (_buffer.AsSpan(0, length).ToArray(), (IPEndPoint)from);
    }

    /// <summary>
    /// Sends a query once and waits for the answer with its id; null after the milliseconds.
    /// </summary>
    public DnsMessage? AskOnce(IPEndPoint server, byte[] query, int milliseconds = 5000)
    {
        Send(server, query);
        var waited = Stopwatch.StartNew();
        while (milliseconds - waited.ElapsedMilliseconds is > 0 and var left)
        {
            if (Receive((int)left) is { } got && got.Payload.Length >= 12
                && got.Payload[0] == query[0] && got.Payload[1] == query[1])
            {
                return DnsWire.Parse(got.Payload);
            }
        }
        return null;
    }

    /// <summary>Asks as clients do, again each second; fails at the limit, in seconds.</summary>
    public DnsMessage Ask(IPEndPoint server, byte[] query, int seconds = Eventually.Seconds) =>
        Eventually.Gives(() => AskOnce(server, query, 1000),
            $"an answer to {Endpoint.Address}", seconds);

    /// <summary>The id of the backend that this host meets.</summary>
    public string Who(IPEndPoint server, int seconds = Eventually.Seconds) =>
        Ask(server, DnsWire.WhoAreYou(NextId()), seconds).Answers[0];

    public void Dispose() => _socket.Dispose();
}
