// Owns the client that repeats a killer (FailoverKiller), from an address of its own: over UDP
// every 250 ms, whatever comes; over TCP on a new connection, 250 ms after the last one ended, or
// 2 s after it began.
//
// What always holds: it has one socket at most; it knows what it got, and judges nothing.

using System;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Balancer.Core;
using FakeBinder;
using Simulation.Real.Interop;

namespace Simulation.Real.Failover;

/// <summary>Repeats a deadly query.</summary>
internal sealed class FailoverKillerClient(
    Reactor reactor, FailoverKiller killer, byte[] query, Endpoint server) : IDisposable
{
    private const long AgainNs = 250_000_000;
    private const long PatienceNs = 2_000_000_000;
    private const int CodeBits = 0x0f;
    private const int Refusal = 5;

    private static readonly Endpoint Own = new(Ipv4.From(127, 20, 250, 1), 0);

    private readonly byte[] _reply = new byte[DnsFraming.LengthBytes + 4096];
    private readonly byte[] _framed = new byte[DnsFraming.LengthBytes + query.Length];
    private Socket? _socket;
    private bool _isOn;
    private ushort _id;

    /// <summary>How often it asked.</summary>
    public long Sent { get; private set; }

    /// <summary>How often the answer was REFUSED.</summary>
    public long Refused { get; private set; }

    /// <summary>How often there was another answer.</summary>
    public long Answered { get; private set; }

    public void Start()
    {
        _isOn = true;
        query.CopyTo(_framed.AsSpan(DnsFraming.LengthBytes));
        DnsFraming.WriteLength(_framed, query.Length);
        Ask();
    }

    public void Stop() => _isOn = false;

    public void Dispose() => Close();

    private void Ask()
    {
        if (!_isOn)
            return;
        BinaryPrimitives.WriteUInt16BigEndian(
            _framed.AsSpan(DnsFraming.LengthBytes), _id++);
        if (killer.HasNumber)
            FailoverKiller.SetNumber(_framed.AsSpan(DnsFraming.LengthBytes), Sent);
        Sent++;
        if (killer.OverTcp)
        {
            Connect();
            return;
        }
        var socket = _socket ?? Open(SocketType.Dgram, ProtocolType.Udp);
        // An error, such as that nobody listens, is a query that stays unanswered.
        socket.Send(_framed.AsSpan(DnsFraming.LengthBytes), SocketFlags.None, out _);
        reactor.After(AgainNs, Ask);
    }

    private void Connect()
    {
        try
        {
            // On this host it takes no time.
            var socket = Open(SocketType.Stream, ProtocolType.Tcp);
            socket.Send(_framed, SocketFlags.None, out _);
            reactor.After(PatienceNs, () => End(socket));
        }
        catch (SocketException)
        {
            reactor.After(AgainNs, Ask);
        }
    }

    private Socket Open(SocketType type, ProtocolType protocol)
    {
        var socket = _socket = new Socket(AddressFamily.InterNetwork, type, protocol);
        socket.Bind(RealHosts.ToSystem(Own));
        socket.Connect(new IPEndPoint(RealHosts.ToSystem(server).Address, server.Port));
        socket.Blocking = false;
        reactor.Watch((int)socket.Handle, LibC.PollIn, _ => Receive(socket));
        return socket;
    }

    private void Receive(Socket socket)
    {
        var length = socket.Receive(_reply, SocketFlags.None, out var error);
        var at = killer.OverTcp ? DnsFraming.LengthBytes : 0;
        if (error == SocketError.Success && length > at + 3)
        {
            if ((_reply[at + 3] & CodeBits) == Refusal)
                Refused++;
            else
                Answered++;
        }
        if (killer.OverTcp && error != SocketError.WouldBlock)
            End(socket);
    }

    /// <summary>A connection is over, or has been waited for long enough.</summary>
    private void End(Socket socket)
    {
        if (socket != _socket)
            return;
        Close();
        reactor.After(AgainNs, Ask);
    }

    private void Close()
    {
        if (_socket is null)
            return;
        reactor.Forget((int)_socket.Handle);
        _socket.Dispose();
        _socket = null;
    }
}
