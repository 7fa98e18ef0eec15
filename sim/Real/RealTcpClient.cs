// Owns a client that comes over TCP, as the simulator's does: one connection, what it sends and in
// which pieces, and how it ends it.
//
// What always holds: no two connections of a run have the same address and port, for it is by these
// that a backend's session is known to be one's; an end is written down once; a client that never
// reads reads nothing until the run is over; nothing here waits.

using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using Balancer.Core;
using FakeBinder;
using Simulation.Real.Interop;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>One TCP client of a run.</summary>
internal sealed class RealTcpClient(
    Reactor reactor, Observations seen, TcpClientPlan plan, Ipv4 host, Endpoint server)
    : IDisposable
{
    private const long BetweenPiecesNs = 1_000_000;

    /// <summary>Few enough bytes that a client that does not read is soon felt.</summary>
    private const int SmallBuffer = 8192;

    private const int MaxQuestions = 100_000;

    private readonly byte[] _buffer = new byte[16_384];
    private readonly AnswerCount _answers = new(plan);
    private byte[] _toSend = [];
    private int _sent;
    private Socket? _socket;
    private bool _wasConnected;
    private ObservedConnection _seen = null!;
    private bool _hasHalfClosed;
    private bool _isStuck;
    private Socket? _left;

    /// <summary>Called when all that it asked is answered.</summary>
    public Action? OnAnswered { get; init; }

    private bool IsOver => _socket is null;

    private bool HasSentAll => _sent == _toSend.Length;

    private bool Reads => plan.Manner != TcpManner.NeverReads;

    public void Connect()
    {
        (_socket, var from) = Open();
        if (!Reads)
            _socket.ReceiveBufferSize = SmallBuffer;
        _seen = new ObservedConnection(plan.Id, from) { Reads = Reads };
        seen.Connections.Add(_seen);
        _toSend = MakeQuestions();
        try
        {
            _socket.Connect(RealHosts.ToSystem(server));
        }
        catch (SocketException e) when (e.SocketErrorCode
            is SocketError.WouldBlock or SocketError.InProgress)
        {
            // The socket becomes writable when it is done.
        }
        catch (SocketException)
        {
            End(ConnectionEnd.Refused);
            return;
        }
        Watch();
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _left?.Dispose();
    }

    /// <summary>Reads what is there, once nothing more is to come.</summary>
    public void Finish()
    {
        if (!IsOver && _wasConnected)
            Receive();
    }

    /// <summary>The kernel gives a port again as soon as a reset has freed it.</summary>
    private (Socket Socket, Endpoint From) Open()
    {
        while (true)
        {
            var socket = new Socket(
                AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
            {
                NoDelay = true,
                Blocking = false,
            };
            socket.Bind(RealHosts.ToSystem(new Endpoint(host, 0)));
            var from = RealHosts.FromSystem((IPEndPoint)socket.LocalEndPoint!);
            if (!seen.Connections.Exists(connection => connection.From == from))
                return (socket, from);
            socket.Dispose();
        }
    }

    private byte[] MakeQuestions()
    {
        var count = Math.Min(plan.Queries, MaxQuestions);
        var bytes = new byte[DnsQuestions.MostBytes(plan, count)];
        var at = 0;
        for (var query = 0; query < count; query++)
        {
            at += DnsQuestions.EmptyBytes(plan, query);
            var message = bytes.AsSpan(at + DnsFraming.LengthBytes);
            var length = DnsQuestions.Write(message, plan, query);
            length = DnsQuestions.MakeDeadly(message[..length]);
            DnsFraming.WriteLength(bytes.AsSpan(at), length);
            at += DnsFraming.LengthBytes + length;
        }
        return bytes[..at];
    }

    private void Watch()
    {
        if (IsOver)
            return;
        short wanted = 0;
        if (Reads && _wasConnected)
            wanted |= LibC.PollIn;
        if (!_wasConnected || (_isStuck && !HasSentAll))
            wanted |= LibC.PollOut;
        reactor.Watch((int)_socket!.Handle, wanted, OnReady);
    }

    private void OnReady(short ready)
    {
        if (IsOver)
            return;
        if (!_wasConnected)
        {
            OnConnected();
            return;
        }
        if (_isStuck && (ready & LibC.PollOut) != 0)
        {
            _isStuck = false;
            SendPiece();
        }
        if (IsOver || (ready & ~LibC.PollOut) == 0)
            return;
        if (Reads)
            Receive();
        else
            LookForReset();
    }

    private void OnConnected()
    {
        var error = (int)_socket!.GetSocketOption(
            SocketOptionLevel.Socket, SocketOptionName.Error)!;
        if (error != 0)
        {
            End(ConnectionEnd.Refused);
            return;
        }
        _wasConnected = true;
        _seen.WasConnected = true;
        _seen.ConnectedAt = Reactor.NowNs;
        // A trickle is left out: it would last longer than a run.
        if (plan.Manner is TcpManner.Resets or TcpManner.Leaves or TcpManner.Trickles
            || plan.Queries == 0)
        {
            reactor.After(plan.After.Nanoseconds, ActByManner);
        }
        Watch();
        SendPiece();
    }

    private void SendPiece()
    {
        if (IsOver || _hasHalfClosed || _isStuck)
            return;
        var piece = Math.Min(Math.Max(1, plan.ChunkBytes), _toSend.Length - _sent);
        if (piece > 0)
        {
            var bytes = _toSend.AsSpan(_sent, piece);
            int taken;
            try
            {
                taken = _socket!.Send(bytes, SocketFlags.None, out var error);
                if (error is not (SocketError.Success or SocketError.WouldBlock))
                {
                    // The other end is gone; what it still said is read, or the reset is.
                    return;
                }
                taken = error == SocketError.Success ? taken : 0;
            }
            catch (SocketException)
            {
                return;
            }
            _seen.Sent.AddRange((ReadOnlySpan<byte>)bytes[..taken]);
            _sent += taken;
            _isStuck = taken < piece;
            if (_isStuck)
            {
                Watch();
                return;
            }
        }
        if (!HasSentAll)
            reactor.After(BetweenPiecesNs, SendPiece);
        else
            OnSentAll();
    }

    private void OnSentAll()
    {
        Watch();
        var halfCloses = plan.Manner == TcpManner.HalfClosesEarly
            || (plan.Manner == TcpManner.HalfClosesLate && _answers.Value > 0);
        if (!halfCloses || _hasHalfClosed)
            return;
        _hasHalfClosed = true;
        _seen.SaidAllAt = Reactor.NowNs;
        try
        {
            _socket!.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // It was reset meanwhile, which the next read tells.
        }
    }

    private void Receive()
    {
        while (!IsOver)
        {
            var count = _socket!.Receive(_buffer, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
                return;
            if (error != SocketError.Success)
            {
                End(ConnectionEnd.Reset);
                return;
            }
            if (count == 0)
            {
                End(ConnectionEnd.EndOfStream);
                return;
            }
            var bytes = _buffer.AsSpan(0, count);
            _seen.Got.AddRange((ReadOnlySpan<byte>)bytes);
            _answers.Take(bytes);
            OnAnswers();
        }
    }

    private void LookForReset()
    {
        var error = (int)_socket!.GetSocketOption(
            SocketOptionLevel.Socket, SocketOptionName.Error)!;
        if (error != 0)
            End(ConnectionEnd.Reset);
        else
            reactor.Forget((int)_socket.Handle);
    }

    private void OnAnswers()
    {
        if (plan.Manner == TcpManner.HalfClosesLate && HasSentAll)
            OnSentAll();
        if (plan.Manner != TcpManner.Proper || plan.Queries == 0 || _answers.Value < plan.Queries)
            return;
        OnAnswered?.Invoke();
        End(ConnectionEnd.ByClient);
    }

    private void ActByManner()
    {
        if (IsOver || plan.Manner is TcpManner.StaysOpen or TcpManner.NeverReads)
            return;
        if (plan.Manner == TcpManner.Resets)
            _socket!.LingerState = new LingerOption(true, 0);
        End(ConnectionEnd.ByClient);
    }

    private void End(ConnectionEnd how)
    {
        _seen.End = how;
        _seen.EndedAt = Reactor.NowNs;
        if (how == ConnectionEnd.ByClient)
            _seen.SaidAllAt ??= _seen.EndedAt;
        reactor.Forget((int)_socket!.Handle);
        // Who never closes keeps its own direction open even so.
        if (how == ConnectionEnd.EndOfStream && plan.Manner == TcpManner.StaysOpen)
            _left = _socket;
        else
            _socket.Dispose();
        _socket = null;
    }
}
