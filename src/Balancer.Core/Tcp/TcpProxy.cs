// Owns one proxied TCP connection: a client's stream, a backend's stream of its own, the handshake
// between them and the relaying after it.
//
//   AwaitingOk ── INBOUND_TCP_OK ──→ Relaying ── both directions finished ──→ Ended
//       │  ▲                            │
//       │  └ refused: one more backend  └ a side failed, idle, too old ─────→ Ended
//       └ 10 s, or nobody takes it ─────────────────────────────────────────→ Ended
//
// The client is not read before INBOUND_TCP_OK: its bytes wait in the kernel, so a backend that
// goes away before that has consumed nothing and another can be tried. Of the backend exactly the
// four bytes of INBOUND_TCP_OK are read first, so what follows them needs no special care.
//
// What always holds: a handshake that fails says nothing about the backend's control session and
// touches nothing of it; both streams and the timer end with the connection; each direction ends
// by itself, after its last byte.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>One proxied connection.</summary>
internal sealed class TcpProxy : IStreamOwner
{
    private readonly Services _services;
    private readonly TcpProxies _set;
    private readonly SocketHandle _clientStream;
    private readonly RelayDirection _toBackend;
    private readonly RelayDirection _toClient;
    private readonly Timer _timer;
    private ProxyState _state = ProxyState.AwaitingOk;
    private SocketHandle _backendStream;
    private Backend? _backend;
    private int _tries;
    private int _okBytes;
    private uint _okFrame;
    private Instant _acceptedAt;
    private Instant _lastActivity;

    public TcpProxy(Services services, TcpProxies set, ConnectionId id,
        SocketHandle clientStream, Endpoint client)
    {
        _services = services;
        _set = set;
        _clientStream = clientStream;
        Id = id;
        Client = client;
        Node = new LinkedListNode<TcpProxy>(this);
        _toBackend = new RelayDirection(services.Network) { Source = clientStream };
        _toClient = new RelayDirection(services.Network) { Sink = clientStream };
        _timer = new Timer(OnTimerDue);
    }

    private enum ProxyState
    {
        AwaitingOk,
        Relaying,
        Ended,
    }

    public ConnectionId Id { get; }

    public Endpoint Client { get; }

    /// <summary>Its place in the set's list.</summary>
    public LinkedListNode<TcpProxy> Node { get; }

    /// <summary>A backend took it at some time.</summary>
    public bool WasRelayed { get; private set; }

    /// <summary>Begins the handshake with the backend that was chosen for the client.</summary>
    public void Start(Instant now, Backend backend)
    {
        _acceptedAt = now;
        _services.Owners.Add(_clientStream, this);
        // Nothing is read yet, but a client that resets is let go at once.
        _services.Network.SetInterest(_clientStream, Readiness.HangUp);
        _services.Timers.Arm(_timer, now + Limits.TcpHandshakeTimeout);
        TryBackend(now, backend);
    }

    public void OnReady(Instant now, SocketHandle stream, Readiness ready)
    {
        if (stream == _clientStream)
            OnClientReady(now, ready);
        else if (_state == ProxyState.AwaitingOk)
            OnHandshakeReady(now, ready);
        else
            OnBackendReady(now, ready);
        if (_state == ProxyState.Relaying)
            EndOrWait();
    }

    /// <summary>Ends it: closes both streams and counts how.</summary>
    public void End(Counter how, IoResult why)
    {
        Verify.That(_state != ProxyState.Ended, "a connection ends once");
        var wasRelaying = _state == ProxyState.Relaying;
        _state = ProxyState.Ended;
        _services.Timers.Disarm(_timer);
        DropBackendStream();
        _services.Owners.Remove(_clientStream);
        // A client whose answer was cut short must not take it for whole; one that was told the
        // end has all of it.
        var isCut = _toClient.WantsWrite
            || (how == Counter.ConnectionsFailedByBackend && !_toClient.IsFinished);
        if (wasRelaying && isCut)
            _services.Network.Abort(_clientStream);
        else
            _services.Network.Close(_clientStream);
        _set.OnEnded(this, how);
        _services.Log.Write(new LogEvent.ConnectionClosed(
            Id, Client, how, why, _toBackend.BytesRead, _toClient.BytesRead));
    }

    // ---- The handshake ----

    private void TryBackend(Instant now, Backend backend)
    {
        _backend = backend;
        _tries++;
        _services.Log.Write(new LogEvent.ConnectionOpened(Id, Client, backend.Id));
        var result = _services.Network.ConnectBackend(backend.PathBytes, out var stream);
        if (result.Status is IoStatus.TooManyFiles or IoStatus.NoBuffers)
        {
            _set.OnWithoutResources(now, this, result);
            End(Counter.ConnectionsWithoutResources, result);
            return;
        }
        if (!result.IsOk)
        {
            OnRefused(now, new Fault(FaultCause.ConnectFailed, result));
            return;
        }
        _backendStream = stream;
        _toBackend.Sink = stream;
        _toClient.Source = stream;
        _services.Owners.Add(stream, this);
        FrameWriter.WriteInboundTcp(_toBackend.Queue, Client);
        WriteHandshake(now);
    }

    private void WriteHandshake(Instant now)
    {
        var written = _toBackend.OnSinkWritable();
        if (written.Status != RelayStatus.Ok)
        {
            OnRefused(now, new Fault(FaultCause.WriteFailed, written.Why));
            return;
        }
        _services.Network.SetInterest(_backendStream,
            _toBackend.WantsWrite ? Readiness.Read | Readiness.Write : Readiness.Read);
    }

    private void OnHandshakeReady(Instant now, Readiness ready)
    {
        if ((ready & Readiness.Write) != 0 && _toBackend.WantsWrite)
        {
            var stream = _backendStream;
            WriteHandshake(now);
            if (_state != ProxyState.AwaitingOk || _backendStream != stream)
                return;
        }
        if ((ready & (Readiness.Read | Readiness.HangUp)) != 0)
            ReadOk(now);
    }

    private void ReadOk(Instant now)
    {
        Span<byte> ok = stackalloc byte[Frames.TypeBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(ok, _okFrame);
        var result = _services.Network.Read(_backendStream, ok[_okBytes..]);
        if (result.Status == IoStatus.WouldBlock)
            return;
        if (!result.IsOk)
        {
            OnRefused(now, new Fault(result.Status == IoStatus.EndOfStream
                ? FaultCause.EndOfStream
                : FaultCause.ReadFailed, result));
            return;
        }
        _okFrame = BinaryPrimitives.ReadUInt32LittleEndian(ok);
        _okBytes += result.Count;
        if (_okBytes < Frames.TypeBytes)
            return;
        if (_okFrame != (uint)FrameType.InboundTcpOk)
        {
            OnRefused(now, new Fault(FaultCause.NotTcpOk, Detail: _okFrame));
            return;
        }
        _state = ProxyState.Relaying;
        WasRelayed = true;
        _lastActivity = now;
        ArmTimer();
        _set.OnRelaying(this, _backend!);
    }

    /// <summary>This backend did not take it, and consumed nothing: try one more, or end.</summary>
    private void OnRefused(Instant now, Fault why)
    {
        var refused = _backend!;
        _set.OnRefused(now, this, refused, why);
        DropBackendStream();
        _toBackend.Queue.Clear();
        _okBytes = 0;
        _okFrame = 0;
        var next = _tries < Limits.TcpBackendTries
            ? _set.ChooseAgain(now, refused)
            : null;
        if (next is null)
        {
            End(Counter.ConnectionsRefusedByBackend, why.Io);
            return;
        }
        _services.Counters.Add(Counter.ConnectionsRetried);
        TryBackend(now, next);
    }

    private void DropBackendStream()
    {
        if (_backendStream.IsNone)
            return;
        _services.Owners.Remove(_backendStream);
        _services.Network.Close(_backendStream);
        _backendStream = SocketHandle.None;
    }

    // ---- Relaying ----

    private void OnClientReady(Instant now, Readiness ready)
    {
        if (_state == ProxyState.AwaitingOk)
        {
            if ((ready & Readiness.HangUp) != 0)
                End(Counter.ConnectionsFailedByClient, IoResult.Failed(IoStatus.Reset));
            return;
        }
        _lastActivity = now;
        var result = RelayResult.Ok;
        if ((ready & Readiness.Read) != 0)
            result = _toBackend.OnSourceReadable(_services.ReadBuffer);
        if (Settle(result, _toBackend) && (ready & Readiness.Write) != 0)
            Settle(_toClient.OnSinkWritable(), _toClient);
        // A hang-up with neither is a reset: nothing that is still to come could be delivered.
        if (_state == ProxyState.Relaying && ready == Readiness.HangUp)
            End(Counter.ConnectionsFailedByClient, IoResult.Failed(IoStatus.Reset));
    }

    private void OnBackendReady(Instant now, Readiness ready)
    {
        _lastActivity = now;
        var result = RelayResult.Ok;
        if ((ready & Readiness.Read) != 0)
            result = _toClient.OnSourceReadable(_services.ReadBuffer);
        // A hang-up while bytes wait for the backend shows itself in the write.
        if (Settle(result, _toClient) && (ready & (Readiness.Write | Readiness.HangUp)) != 0)
            Settle(_toBackend.OnSinkWritable(), _toBackend);
    }

    /// <summary>Ends the connection if a side failed; whether it goes on.</summary>
    private bool Settle(RelayResult result, RelayDirection direction)
    {
        if (result.Status == RelayStatus.Ok)
            return true;
        // A backend that reads no more may have answered before; the client gets all of that.
        if (direction == _toBackend && result.Status == RelayStatus.SinkFailed
            && result.Why.Status == IoStatus.BrokenPipe)
        {
            _toBackend.LoseSink();
            return true;
        }
        var failed = result.Status == RelayStatus.SourceFailed ? direction.Source : direction.Sink;
        End(failed == _clientStream
            ? Counter.ConnectionsFailedByClient
            : Counter.ConnectionsFailedByBackend, result.Why);
        return false;
    }

    /// <summary>Ends it if both directions have, else says what to wait for.</summary>
    private void EndOrWait()
    {
        if (_toBackend.IsFinished && _toClient.IsFinished)
        {
            End(_toBackend.IsSinkLost
                ? Counter.ConnectionsFailedByBackend
                : Counter.ConnectionsFinished, IoResult.Ok());
            return;
        }
        var client = Interest(_toBackend, _toClient);
        // With its writing side open, a client's hang-up can only be a reset.
        if (client == Readiness.None && !_toClient.IsFinished)
            client = Readiness.HangUp;
        _services.Network.SetInterest(_clientStream, client);
        _services.Network.SetInterest(_backendStream, Interest(_toClient, _toBackend));
    }

    private static Readiness Interest(RelayDirection from, RelayDirection to) =>
        (from.WantsRead ? Readiness.Read : Readiness.None)
        | (to.WantsWrite ? Readiness.Write : Readiness.None);

    // ---- Its time ----

    private void ArmTimer() => _services.Timers.Arm(_timer, Instant.Min(
        _lastActivity + _services.Options.TcpIdleTimeout,
        _acceptedAt + _services.Options.TcpLifetime));

    private void OnTimerDue(Instant now)
    {
        if (_state == ProxyState.AwaitingOk)
            End(Counter.ConnectionsHandshakeTimedOut, IoResult.Ok());
        else if (now >= _acceptedAt + _services.Options.TcpLifetime)
            End(Counter.ConnectionsTooOld, IoResult.Ok());
        else if (now >= _lastActivity + _services.Options.TcpIdleTimeout)
            End(Counter.ConnectionsIdle, IoResult.Ok());
        else
            ArmTimer();
    }
}
