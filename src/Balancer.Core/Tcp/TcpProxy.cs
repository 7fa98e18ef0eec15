// Owns one proxied TCP connection: a client's stream, a backend's stream of its own, the handshake
// between them and the relaying after it.
//
//   AwaitingOk ── INBOUND_TCP_OK ──→ Relaying ── both directions finished ──→ Ended
//     │ ▲ │ ▲                           │
//     │ │ │ └ refused, or its backend   └ a side failed, idle, too old ─────→ Ended
//     │ │ │   is suspect: one more backend
//     │ │ └ 10 s, or nobody takes it ───────────────────────────────────────→ Ended
//     ▼ │
//   AwaitingRoom: an accept queue was full ── 10 s ─────────────────────────→ Ended
//
// A backend whose accept queue is full has refused nothing: it is busy. Another is asked at once,
// and then one after the other, ever more slowly, for as long as a handshake may take.
//
// The client is not read before INBOUND_TCP_OK: its bytes wait in the kernel, so a backend that
// goes away before that has consumed nothing and another can be tried. Of the backend exactly the
// four bytes of INBOUND_TCP_OK are read first, so what follows them needs no special care.
//
// The client's first message is kept back until it is whole, if it is short, and then looked at: if
// backends have died of it, the client is answered by the balancer and told the end, the backend's
// stream is closed, and what the client still sends is thrown away.
//
// What happened to its streams is only noted; the work is done when its turn comes (Visit), which
// may be some turns of the loop later while many are busy. A stream that is reported again before
// that is taken out of the wait until then. A visit reads each side a few times at most, so
// that its length is bounded; a read that came full leaves the connection with something to do.
//
// The object is used for one connection after another, told apart by their ids; what refers to one
// from outside is the handle of a stream, whose generation differs.
//
// What always holds: a handshake that fails says nothing about the backend's control session and
// touches nothing of it; both streams and the timer end with the connection; each direction ends
// by itself, after its last byte; a deadline that passed makes it have something to do; nothing of
// a connection is left in the object when the next one begins.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>What is known of one of a connection's two streams.</summary>
internal struct ProxySide
{
    /// <summary>The stream; None while there is none.</summary>
    public SocketHandle Stream;

    /// <summary>What was reported of it and not dealt with.</summary>
    public Readiness Pending;

    /// <summary>What is pending is not waited for again until it was dealt with.</summary>
    public bool IsHeld;
}

/// <summary>One proxied connection after another.</summary>
internal sealed class TcpProxy : IStreamOwner
{
    private const int MessageLengthBytes = 2;

    private readonly Services _services;
    private readonly TcpProxies _set;
    private readonly FirstMessages _messages;
    private readonly RelayDirection _toBackend;
    private readonly RelayDirection _toClient;
    private readonly Timer _timer;
    private ProxyState _state = ProxyState.Ended;
    private ProxySide _client;
    private ProxySide _server;
    private Backend? _backend;
    private long _sessionsEnded;
    private long _session;
    private MessageTicket _asked;

    /// <summary>What the backend had sent before it was asked answers nothing.</summary>
    private long _wholeBefore;
    private bool _hasName;
    private bool _isRefused;
    private int _tries;
    private bool _wasFull;
    private Duration _fullDelay;
    private int _okBytes;
    private uint _okFrame;
    private Instant _acceptedAt;
    private Instant _lastActivity;

    /// <summary>For a client's connection, and for others' once that one has ended.</summary>
    public TcpProxy(
        Services services, TcpProxies set, FirstMessages messages, TcpClient client)
    {
        Client = client;
        _messages = messages;
        _services = services;
        _set = set;
        Node = new LinkedListNode<TcpProxy>(this);
        _toBackend = new RelayDirection(services.Network);
        _toClient = new RelayDirection(services.Network) { Queries = _toBackend };
        _timer = new Timer(OnTimerDue);
    }

    private enum ProxyState
    {
        AwaitingRoom,
        AwaitingOk,
        Relaying,
        Ended,
    }

    public ConnectionId Id { get; private set; }

    /// <summary>The client's end.</summary>
    public Endpoint Peer { get; private set; }

    /// <summary>Who it is counted for; means something until it closed.</summary>
    public TcpClient Client { get; private set; }

    /// <summary>It waits for its turn; kept by TcpTurns, like the next that waits.</summary>
    public bool IsWaiting { get; set; }

    public TcpProxy? NextWaiting { get; set; }

    /// <summary>Its place in the set's list.</summary>
    public LinkedListNode<TcpProxy> Node { get; }

    /// <summary>A backend took it at some time.</summary>
    public bool WasRelayed { get; private set; }

    /// <summary>
    /// It waits for a backend that is suspect or whose session ended.
    /// </summary>
    public bool ShouldLeave => _state == ProxyState.AwaitingOk
        && (_backend!.IsSuspect || _backend.SessionsEnded != _sessionsEnded);

    /// <summary>Bytes of memory that its queues have grown to.</summary>
    public int QueueMemory => _toBackend.Queue.Memory + _toClient.Queue.Memory;

    /// <summary>
    /// Begins a connection: the handshake with the backend that was chosen for the client.
    /// </summary>
    public void Start(Instant now, ConnectionId id, SocketHandle stream, Endpoint peer,
        TcpClient client, Backend backend)
    {
        Verify.That(_state == ProxyState.Ended && !_timer.IsArmed && !IsWaiting,
            "a connection is over before its object is used for the next");
        Verify.That(_client.Stream.IsNone && _server.Stream.IsNone,
            "a connection begins without streams");
        (Id, Peer, Client) = (id, peer, client);
        _state = ProxyState.AwaitingOk;
        _client = new ProxySide { Stream = stream };
        WasRelayed = false;
        _tries = 0;
        _wasFull = false;
        _fullDelay = Limits.FirstFullDelay;
        _acceptedAt = now;
        _lastActivity = now;
        _asked = default;
        _isRefused = false;
        ForgetHandshake();
        _toBackend.Begin(source: stream);
        _toBackend.KeepBack();
        _toClient.Begin(source: SocketHandle.None);
        _toClient.Sink = stream;
        _services.Owners.Add(stream, this);
        // Nothing is read yet, but a client that resets is let go at once.
        _services.Network.SetInterest(stream, Readiness.HangUp);
        TryBackend(now, backend);
    }

    /// <summary>
    /// Gives back the memory that its queues have grown to, and with it what waits: the connection
    /// is over, and a peer that did not read leaves bytes behind.
    /// </summary>
    public void FreeQueueMemory()
    {
        _toBackend.Queue.Clear();
        _toClient.Queue.Clear();
        _toBackend.Queue.FreeMemory();
        _toClient.Queue.FreeMemory();
    }

    public void OnReady(Instant now, SocketHandle stream, Readiness ready)
    {
        Verify.That(_state != ProxyState.Ended, "a stream with an owner is of a connection");
        ref var side = ref SideOf(stream);
        if (side.Pending != Readiness.None && !side.IsHeld)
        {
            side.IsHeld = true;
            _services.Network.SetInterest(stream, Readiness.None);
        }
        side.Pending |= ready;
        _set.ServeLater(this);
    }

    /// <summary>Its turn: deals with what is pending; returns how many bytes it read.</summary>
    public int Visit(Instant now)
    {
        var readBefore = _toBackend.BytesRead + _toClient.BytesRead;
        ServeClient(now);
        if (_state != ProxyState.Ended)
            ServeBackend(now);
        // A handshake that ended just now may have armed a deadline that is over.
        if (_state != ProxyState.Ended && (!_timer.IsArmed || _timer.Deadline <= now))
            OnDeadline(now);
        if (ShouldLeave && _set.ChooseBetter(now, _backend!) is { } better)
            Leave(now, better);
        if (_state == ProxyState.Relaying)
            EndOrWait();
        else if (_state == ProxyState.AwaitingOk)
            WaitForOk();
        else if (_state == ProxyState.AwaitingRoom)
            WaitFor(ref _client, Readiness.HangUp);
        if (_state != ProxyState.Ended && (_client.Pending | _server.Pending) != Readiness.None)
            _set.ServeLater(this);
        return (int)(_toBackend.BytesRead + _toClient.BytesRead - readBefore);
    }

    /// <summary>Ends it: closes both streams and counts how.</summary>
    public void End(Counter how, IoResult why)
    {
        Verify.That(_state != ProxyState.Ended, "a connection ends once");
        if (_isRefused)
            how = Counter.ConnectionsQuarantined;
        var wasRelaying = _state == ProxyState.Relaying;
        _state = ProxyState.Ended;
        _services.Timers.Disarm(_timer);
        DropBackendStream();
        var stream = _client.Stream;
        _client = default;
        _services.Owners.Remove(stream);
        // A client whose answer was cut short must not take it for whole; one that was told the
        // end has all of it.
        var isCut = _toClient.WantsWrite
            || (how == Counter.ConnectionsFailedByBackend && !_toClient.IsFinished);
        if (wasRelaying && isCut)
            _services.Network.Abort(stream);
        else
            _services.Network.Close(stream);
        _set.OnEnded(this, how);
        _services.Log.Write(new LogEvent.ConnectionClosed(
            Id, Peer, how, why, _toBackend.BytesRead, _toClient.BytesRead));
        _set.OnFree(this);
    }

    private ref ProxySide SideOf(SocketHandle stream)
    {
        if (stream == _client.Stream)
            return ref _client;
        Verify.That(stream == _server.Stream, "a connection has two streams");
        return ref _server;
    }

    private static Readiness TakePending(ref ProxySide side)
    {
        var pending = side.Pending;
        side.Pending = Readiness.None;
        return pending;
    }

    /// <summary>
    /// Says what to wait for; what is pending and was reported twice, not again before its turn.
    /// </summary>
    private void WaitFor(ref ProxySide side, Readiness wanted)
    {
        side.IsHeld &= side.Pending != Readiness.None;
        _services.Network.SetInterest(
            side.Stream, side.IsHeld ? wanted & ~side.Pending : wanted);
    }

    // ---- The handshake ----

    private void TryBackend(Instant now, Backend backend)
    {
        _backend = backend;
        _sessionsEnded = backend.SessionsEnded;
        _session = backend.SessionNumber;
        _services.Log.Write(new LogEvent.ConnectionOpened(Id, Peer, backend.Id));
        var result = _services.Network.ConnectBackend(backend.PathBytes, out var stream);
        if (result.Status is IoStatus.TooManyFiles or IoStatus.NoBuffers)
        {
            _set.OnWithoutResources(now, this, result);
            End(Counter.ConnectionsWithoutResources, result);
            return;
        }
        if (result.Status == IoStatus.WouldBlock)
        {
            OnFull(now, backend, result);
            return;
        }
        _tries++;
        if (!result.IsOk)
        {
            OnRefused(now, new Fault(FaultCause.ConnectFailed, result));
            return;
        }
        _state = ProxyState.AwaitingOk;
        backend.OnConnectionWaits(now);
        _services.Timers.Arm(_timer, HandshakeEnd);
        _server = new ProxySide { Stream = stream };
        _toBackend.Sink = stream;
        _toClient.Source = stream;
        _services.Owners.Add(stream, this);
        FrameWriter.WriteInboundTcp(_toBackend.Queue, Peer);
        WriteHandshake(now);
    }

    /// <summary>Its accept queue is full: another is tried at once, the first time.</summary>
    private void OnFull(Instant now, Backend full, IoResult why)
    {
        _state = ProxyState.AwaitingRoom;
        _set.OnFull(now, this, full, why);
        var isFirst = !_wasFull;
        _wasFull = true;
        if (isFirst && _set.ChooseBeside(now, full) is { } other)
            TryBackend(now, other);
        else
            AwaitRoom(now, NextFullDelay());
    }

    /// <summary>How long it waits; the first delay is for the first time that it waits.</summary>
    private Duration NextFullDelay()
    {
        var delay = _fullDelay;
        _fullDelay = Duration.Min(delay + delay, Limits.LongestFullDelay);
        return delay;
    }

    private void AwaitRoom(Instant now, Duration delay) => _services.Timers.Arm(
        _timer, Instant.Min(now + delay, HandshakeEnd));

    /// <summary>Asks another, or the same if there is none, or waits for one to be there.</summary>
    private void TryAgain(Instant now)
    {
        var full = _backend!;
        var next = _set.ChooseBeside(now, full)
            ?? (full.State == BackendState.Healthy ? full : null);
        if (next is not null)
            TryBackend(now, next);
        else
            AwaitRoom(now, Limits.LongestFullDelay);
    }

    /// <summary>Waits no longer for its backend, which may never answer.</summary>
    private void Leave(Instant now, Backend better)
    {
        DropBackendStream();
        ForgetHandshake();
        _services.Counters.Add(Counter.ConnectionsMoved);
        // Who did not answer has not refused it.
        _tries--;
        TryBackend(now, better);
    }

    private void WriteHandshake(Instant now)
    {
        var written = _toBackend.OnSinkWritable();
        if (written.Status != RelayStatus.Ok)
        {
            OnRefused(now, Fault.OfWrite(written.Why));
            return;
        }
        WaitForOk();
    }

    private void WaitForOk()
    {
        WaitFor(ref _client, Readiness.HangUp);
        WaitFor(ref _server,
            _toBackend.WantsWrite ? Readiness.Read | Readiness.Write : Readiness.Read);
    }

    private void OnHandshakeReady(Instant now, Readiness ready)
    {
        if ((ready & Readiness.Write) != 0 && _toBackend.WantsWrite)
        {
            var stream = _server.Stream;
            WriteHandshake(now);
            if (_state != ProxyState.AwaitingOk || _server.Stream != stream)
                return;
        }
        if ((ready & (Readiness.Read | Readiness.HangUp)) != 0)
            ReadOk(now);
    }

    private void ReadOk(Instant now)
    {
        Span<byte> ok = stackalloc byte[Frames.TypeBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(ok, _okFrame);
        var result = _services.Network.Read(_server.Stream, ok[_okBytes..]);
        if (result.Status == IoStatus.WouldBlock)
            return;
        if (!result.IsOk)
        {
            OnRefused(now, Fault.OfRead(result));
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
        _backend!.OnConnectionTaken(_sessionsEnded);
        _set.OnRelaying(this, _backend);
    }

    /// <summary>This backend did not take it, and consumed nothing: try one more, or end.</summary>
    private void OnRefused(Instant now, Fault why)
    {
        var refused = _backend!;
        _set.OnRefused(now, this, refused, why);
        DropBackendStream();
        ForgetHandshake();
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

    private void ForgetHandshake()
    {
        _toBackend.Queue.Clear();
        _okBytes = 0;
        _okFrame = 0;
    }

    private void DropBackendStream()
    {
        if (_server.Stream.IsNone)
            return;
        _services.Owners.Remove(_server.Stream);
        _services.Network.Close(_server.Stream);
        _server = default;
    }

    // ---- Relaying ----

    private void ServeClient(Instant now)
    {
        var ready = TakePending(ref _client);
        if (ready != Readiness.None)
            OnClientReady(now, ready);
    }

    private void ServeBackend(Instant now)
    {
        var ready = TakePending(ref _server);
        if (ready == Readiness.None)
            return;
        if (_state == ProxyState.AwaitingOk)
            OnHandshakeReady(now, ready);
        else
            OnBackendReady(now, ready);
    }

    private void OnClientReady(Instant now, Readiness ready)
    {
        if (_state != ProxyState.Relaying)
        {
            if ((ready & Readiness.HangUp) != 0)
                End(Counter.ConnectionsFailedByClient, IoResult.Failed(IoStatus.Reset));
            return;
        }
        _lastActivity = now;
        var goesOn = (ready & Readiness.Read) == 0 || ReadClient(now);
        if (goesOn && (ready & Readiness.Write) != 0)
            Settle(_toClient.OnSinkWritable(), _toClient);
        // A hang-up with neither is a reset: nothing that is still to come could be delivered.
        if (_state == ProxyState.Relaying && ready == Readiness.HangUp)
            End(Counter.ConnectionsFailedByClient, IoResult.Failed(IoStatus.Reset));
    }

    private void OnBackendReady(Instant now, Readiness ready)
    {
        _lastActivity = now;
        var result = RelayResult.Ok;
        var readBefore = _toClient.BytesRead;
        if ((ready & Readiness.Read) != 0)
            result = _toClient.OnSourceReadable(_services.ReadBuffer);
        if (!_asked.IsNone && _toClient.BytesRead > readBefore && IsAnswered)
        {
            _messages.OnAnswered(_asked);
            _asked = default;
        }
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
        End(failed == _client.Stream
            ? Counter.ConnectionsFailedByClient
            : Counter.ConnectionsFailedByBackend, result.Why);
        return false;
    }

    /// <summary>Ends it if both directions have, else says what to wait for.</summary>
    private void EndOrWait()
    {
        if (_toClient.IsCutShort)
        {
            End(Counter.ConnectionsFailedByBackend, IoResult.Failed(IoStatus.EndOfStream));
            return;
        }
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
        if (_toBackend.MayHaveMore)
            _client.Pending |= Readiness.Read;
        if (_toClient.MayHaveMore)
            _server.Pending |= Readiness.Read;
        WaitFor(ref _client, client);
        if (!_server.Stream.IsNone)
            WaitFor(ref _server, Interest(_toClient, _toBackend));
    }

    private static Readiness Interest(RelayDirection from, RelayDirection to) =>
        (from.WantsRead ? Readiness.Read : Readiness.None)
        | (to.WantsWrite ? Readiness.Write : Readiness.None);

    // ---- What the client asks ----

    /// <summary>What has a name is the first message; else all that was asked counts.</summary>
    private bool IsAnswered => _hasName
        ? _toClient.Whole > _wholeBefore
        : _toClient.Whole >= _toBackend.Whole && !_toBackend.IsInside;

    /// <summary>Reads the client; whether the connection goes on.</summary>
    private bool ReadClient(Instant now)
    {
        var readBefore = _toBackend.BytesRead;
        var result = _toBackend.OnSourceReadable(_services.ReadBuffer);
        if (_toBackend.KeepsBack)
            return Settle(result, _toBackend) && JudgeFirst(now);
        if (_toBackend.BytesRead > readBefore && !_toBackend.IsSinkLost)
            Note(now, default);
        return Settle(result, _toBackend);
    }

    /// <summary>
    /// Looks at the first message as soon as it is whole, too long, or never will be whole; whether
    /// the connection goes on.
    /// </summary>
    private bool JudgeFirst(Instant now)
    {
        Span<byte> kept = stackalloc byte[MessageLengthBytes + Limits.FirstMessageBytes];
        kept = kept[.._toBackend.PeekKept(kept)];
        var isUnknown = kept.Length < MessageLengthBytes;
        var length = isUnknown ? 0 : BinaryPrimitives.ReadUInt16BigEndian(kept);
        var end = MessageLengthBytes + length;
        var isPart = isUnknown || (length <= Limits.FirstMessageBytes && kept.Length < end);
        if (isPart && !_toBackend.HasSourceEnded)
            return true;
        var message = isPart || kept.Length < end ? default : kept[MessageLengthBytes..end];
        // A backend that spoke first, or ended, leaves no room for an answer of the balancer's.
        if (!message.IsEmpty && _toClient.IsUntouched && _messages.IsRefused(now, message))
            return Refuse(message);
        if (!kept.IsEmpty)
            Note(now, _toBackend.Kept == end ? message : default);
        return Settle(_toBackend.PassOn(), _toBackend);
    }

    /// <summary>It is passed on: a first message that is alone, or whatever else.</summary>
    private void Note(Instant now, ReadOnlySpan<byte> message)
    {
        _messages.Remove(_asked);
        _hasName = !message.IsEmpty;
        _wholeBefore = _toClient.Whole;
        _asked = _messages.Add(now, new Asked
        {
            Client = Peer,
            Backend = _backend!,
            Session = _session,
            HasName = _hasName,
            Packet = message,
        });
    }

    /// <summary>Answers it in the backend's place; whether the connection goes on.</summary>
    private bool Refuse(ReadOnlySpan<byte> message)
    {
        _isRefused = true;
        DropBackendStream();
        _toBackend.LoseSink();
        Span<byte> answer = stackalloc byte[MessageLengthBytes + Limits.FirstMessageBytes];
        if (!DnsQuestion.IsQuery(message))
            return Settle(_toClient.EndWith([]), _toClient);
        var length = DnsQuestion.WriteError(
            message, (byte)ResponseCode.Refused, answer[MessageLengthBytes..]);
        BinaryPrimitives.WriteUInt16BigEndian(answer, (ushort)length);
        return Settle(_toClient.EndWith(answer[..(MessageLengthBytes + length)]), _toClient);
    }

    // ---- Its time ----

    private Instant HandshakeEnd =>
        _services.Standstill.Extend(_acceptedAt + Limits.TcpHandshakeTimeout);

    private Instant IdleEnd =>
        _services.Standstill.Extend(_lastActivity + _services.Options.TcpIdleTimeout);

    private void ArmTimer() => _services.Timers.Arm(_timer, Instant.Min(
        IdleEnd, _acceptedAt + _services.Options.TcpLifetime));

    /// <summary>It would be ended because nothing came for too long.</summary>
    private bool IsOverdue(Instant now) =>
        (_state == ProxyState.AwaitingOk && now >= HandshakeEnd)
        || (_state == ProxyState.Relaying && now >= IdleEnd);

    /// <summary>
    /// Reads what may be there without being told of: a wait tells of so many streams and no more.
    /// </summary>
    private void Look(Instant now)
    {
        if (_state == ProxyState.AwaitingOk)
        {
            ReadOk(now);
            return;
        }
        var (lastActivity, seen) = (_lastActivity, Seen);
        OnClientReady(now, Readiness.Read);
        if (_state == ProxyState.Relaying && !_server.Stream.IsNone)
            OnBackendReady(now, Readiness.Read);
        if (_state != ProxyState.Relaying)
            return;
        if (Seen == seen)
            _lastActivity = lastActivity;
        else
            ArmTimer();
    }

    /// <summary>All that was read so far, ends included.</summary>
    private (long, long, bool, bool) Seen => (_toBackend.BytesRead, _toClient.BytesRead,
        _toBackend.HasSourceEnded, _toClient.HasSourceEnded);

    private void OnTimerDue(Instant now) => _set.ServeLater(this);

    /// <summary>A deadline passed, and what came until now was dealt with.</summary>
    private void OnDeadline(Instant now)
    {
        if (IsOverdue(now))
            Look(now);
        if (_state == ProxyState.Ended || (_timer.IsArmed && _timer.Deadline > now))
            return;
        if (_state != ProxyState.Relaying && now >= HandshakeEnd)
            End(Counter.ConnectionsHandshakeTimedOut, IoResult.Ok());
        else if (_state == ProxyState.AwaitingRoom)
            TryAgain(now);
        else if (_state == ProxyState.AwaitingOk)
            _services.Timers.Arm(_timer, HandshakeEnd);
        else if (now >= _acceptedAt + _services.Options.TcpLifetime)
            End(Counter.ConnectionsTooOld, IoResult.Ok());
        else if (now >= IdleEnd)
            End(Counter.ConnectionsIdle, IoResult.Ok());
        else
            ArmTimer();
    }
}
