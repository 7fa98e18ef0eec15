// Owns one proxied TCP connection: a client's stream, a backend's stream of its own, and the
// relaying between them, its times and its end.
//
//   Silent ── first bytes ──→ ShakingHands ── INBOUND_TCP_OK ──→ Relaying
//     │                         │                                  │ both directions finished,
//     │ it ends, or 30 s        │ 10 s, or nobody takes it         │ a side failed, idle, too old
//     └─────────────────────────┴──────────────────────────────────┴──────────────────────→ Ended
//
// A client that has sent nothing costs no backend anything: it is bound to none, and there is no
// stream to one. Its first bytes are read once, whatever is there, and kept until a backend takes
// the connection.
//
// Which backend takes it is TcpHandshake's business; what the client asks, ClientQuestion's. If
// a message is refused, the client is answered by the balancer and told the end, the backend's
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
// What always holds: both streams and the timer end with the connection; each direction ends by
// itself, after its last byte; a deadline that passed makes it have something to do; nothing of a
// connection is left in the object when the next one begins.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>One proxied connection after another.</summary>
internal sealed class TcpProxy : IStreamOwner
{
    private readonly Services _services;
    private readonly TcpProxies _set;
    private readonly RelayDirection _toBackend;
    private readonly RelayDirection _toClient;
    private readonly TcpHandshake _handshake;
    private readonly ClientQuestion _question;
    private readonly ClientPatience _patience;
    private readonly Timer _timer;
    private ProxyState _state = ProxyState.Ended;
    private ProxySide _client;
    private ProxySide _server;
    private Instant _acceptedAt;
    private Instant _askedAt;

    private long _questionsSeen;
    private long _bytesTaken;

    /// <summary>Of the client there is more to be read, which waits for INBOUND_TCP_OK.</summary>
    private bool _hasUnread;

    /// <summary>For a client's connection, and for others' once that one has ended.</summary>
    public TcpProxy(
        Services services, TcpProxies set, FirstMessages messages, TcpClient client)
    {
        Client = client;
        _services = services;
        _set = set;
        Node = new LinkedListNode<TcpProxy>(this);
        Idle = new TcpPlace(this);
        Unread = new TcpPlace(this);
        var reads = services.Turn.TcpReadsPerVisit;
        _toBackend = new RelayDirection(services.Network, reads);
        _toClient = new RelayDirection(services.Network, reads) { Queries = _toBackend };
        _handshake = new TcpHandshake(services, set, this);
        _question = new ClientQuestion(messages, _toBackend, _toClient);
        _patience = new ClientPatience(services, _toBackend, _toClient);
        _timer = new Timer(OnTimerDue);
    }

    private enum ProxyState
    {
        Silent,
        ShakingHands,
        Relaying,
        Ended,
    }

    public ConnectionId Id { get; private set; }

    /// <summary>The client's end.</summary>
    public Endpoint Peer { get; private set; }

    /// <summary>
    /// The client it is counted for: set before it is started, valid until it closes.
    /// </summary>
    public TcpClient Client { get; set; }

    /// <summary>It waits for its turn; kept by TcpTurns, like the next that waits.</summary>
    public bool IsWaiting { get; set; }

    public TcpProxy? NextWaiting { get; set; }

    /// <summary>Its place in the set's list.</summary>
    public LinkedListNode<TcpProxy> Node { get; }

    /// <summary>Its places among those that let go; kept by TcpPlaces.</summary>
    public TcpPlace Idle { get; }

    public TcpPlace Unread { get; }

    /// <summary>
    /// When a whole question came of the client or it took bytes of an answer, or a backend it, or
    /// it was accepted; the last of these.
    /// </summary>
    public Instant ActiveAt { get; private set; }

    /// <summary>An event on one of its streams waits for its turn.</summary>
    public bool HasPendingEvent { get; private set; }

    /// <summary>What there is for a side of it waits until that takes more.</summary>
    public bool IsNotRead => _state == ProxyState.Relaying
        && (_toClient.WantsWrite || _toBackend.WantsWrite);

    /// <summary>Its client sent something, so that a backend was looked for.</summary>
    public bool HasAsked { get; private set; }

    /// <summary>A backend took it at some time.</summary>
    public bool WasRelayed { get; private set; }

    /// <summary>
    /// It waits for a backend that is suspect or whose session ended.
    /// </summary>
    public bool ShouldLeave => IsShakingHands && _handshake.ShouldLeave;

    /// <summary>
    /// The client waits for an answer that will not come: the backend that took it hangs, or lost
    /// its session and has no other. What it has said is read, and has gone to the client.
    /// </summary>
    public bool IsAbandoned => _state == ProxyState.Relaying && _toClient.LacksAnswers
        && !_toClient.HasSourceEnded && !_toClient.WantsWrite && _handshake.IsBackendGone;

    /// <summary>It has begun, and has not ended.</summary>
    public bool IsOpen => _state != ProxyState.Ended;

    /// <summary>No backend has taken it yet.</summary>
    public bool IsShakingHands => _state == ProxyState.ShakingHands;

    /// <summary>The stream to the backend; None while there is none.</summary>
    public SocketHandle BackendStream => _server.Stream;

    /// <summary>What goes to the backend; the handshake's bytes come first.</summary>
    public RelayDirection ToBackend => _toBackend;

    /// <summary>When its handshake must be over.</summary>
    public Instant HandshakeEnd =>
        _services.Standstill.Extend(_askedAt + Limits.TcpHandshakeTimeout);

    /// <summary>Bytes of memory that its queues have grown to.</summary>
    public int QueueMemory => _toBackend.Queue.Memory + _toClient.Queue.Memory;

    /// <summary>
    /// Begins a connection, whose client has to say something now. The owners have room for it. If
    /// it throws because memory is short, the connection is open all the same and can be ended.
    /// </summary>
    public void Start(Instant now, ConnectionId id, SocketHandle stream, Endpoint peer)
    {
        Verify.That(_state == ProxyState.Ended && !_timer.IsArmed && !IsWaiting,
            "a connection is over before its object is used for the next");
        Verify.That(_client.Stream.IsNone && _server.Stream.IsNone,
            "a connection begins without streams");
        (Id, Peer) = (id, peer);
        _services.Owners.Add(stream, this);
        _state = ProxyState.Silent;
        _client = new ProxySide { Stream = stream };
        HasAsked = false;
        WasRelayed = false;
        _hasUnread = false;
        _acceptedAt = now;
        ActiveAt = now;
        HasPendingEvent = false;
        (_questionsSeen, _bytesTaken) = (0, 0);
        _patience.Begin();
        _toBackend.Begin(source: stream);
        _question.Begin();
        _toClient.Begin(source: SocketHandle.None);
        _toClient.Sink = stream;
        _services.Network.SetInterest(stream, Readiness.Read);
        ArmSilent();
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
        HasPendingEvent = true;
        _set.ServeLater(this);
    }

    /// <summary>
    /// Its turn: deals with what is pending; returns what that cost, in bytes that it read and a
    /// price for each message.
    /// </summary>
    public int Visit(Instant now)
    {
        var (readBefore, judgedBefore) = (BytesRead, _question.Judged);
        HasPendingEvent = false;
        ServeClient(now);
        if (_state != ProxyState.Ended)
            ServeBackend(now);
        NoteActivity(now);
        // A handshake that ended just now may have armed a deadline that is over.
        if (_state != ProxyState.Ended && (!_timer.IsArmed || _timer.Deadline <= now))
            OnDeadline(now);
        if (ShouldLeave)
            _handshake.LeaveForBetter(now);
        if (IsAbandoned)
            EndIfAbandoned(now);
        if (_state == ProxyState.Relaying)
        {
            NotePatience(now);
            EndOrWait();
        }
        else if (IsShakingHands)
        {
            WaitForOk();
        }
        else if (_state == ProxyState.Silent)
        {
            WaitFor(ref _client, Readiness.Read);
        }
        if (_state != ProxyState.Ended && (_client.Pending | _server.Pending) != Readiness.None)
            _set.ServeLater(this);
        if (_state != ProxyState.Ended)
            _set.OnVisited(this);
        return (int)(BytesRead - readBefore
            + (_question.Judged - judgedBefore) * Limits.TcpMessageBytes);
    }

    private long BytesRead => _toBackend.BytesRead + _toClient.BytesRead;

    /// <summary>Ends it: closes both streams and counts how.</summary>
    public void End(Counter how, IoResult why)
    {
        Verify.That(_state != ProxyState.Ended, "a connection ends once");
        if (_question.IsRefused)
            how = Counter.ConnectionsQuarantined;
        var wasRelaying = _state == ProxyState.Relaying;
        // What a client sent is lost with it if no backend took it, and nothing answers that.
        var isRefused = HasAsked && !WasRelayed && how != Counter.ConnectionsFailedByClient;
        _state = ProxyState.Ended;
        _services.Timers.Disarm(_timer);
        DropBackendStream();
        var stream = _client.Stream;
        _client = default;
        _services.Owners.Remove(stream);
        // A client whose answer was cut short must not take it for whole; one that was told the
        // end has all of it.
        var isCut = _toClient.WantsWrite
            || (how == Counter.ConnectionsFailedByBackend && !_toClient.IsFinished)
            || (how is Counter.ConnectionsGaveWay or Counter.ConnectionsNotReading
                && _toClient.LacksAnswers);
        if ((wasRelaying && isCut) || isRefused || how == Counter.ConnectionsWithoutResources)
            _services.Network.Abort(stream);
        else
            _services.Network.Close(stream);
        _set.OnEnded(this, how);
        _services.Log.Write(new LogEvent.ConnectionClosed(
            Id, Peer, how, why, _toBackend.BytesRead, _toClient.BytesRead));
        _handshake.Reset();
        _set.OnFree(this);
    }

    /// <summary>
    /// The kernel has no memory for it, or no descriptor is left: neither side is at fault.
    /// </summary>
    public void EndWithoutResources(Instant now, IoResult why)
    {
        _set.OnWithoutResources(now, this, why);
        End(Counter.ConnectionsWithoutResources, why);
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

    // ---- For its handshake ----

    /// <summary>A backend is asked: this is the stream to it.</summary>
    public void TakeBackendStream(SocketHandle stream)
    {
        try
        {
            _services.Owners.Reserve(stream);
        }
        catch (OutOfMemoryException)
        {
            _services.Network.Close(stream);
            throw;
        }
        _services.Owners.Add(stream, this);
        _server = new ProxySide { Stream = stream };
        _toBackend.Sink = stream;
        _toClient.Source = stream;
    }

    /// <summary>Closes the stream to the backend, if there is one.</summary>
    public void DropBackendStream()
    {
        if (_server.Stream.IsNone)
            return;
        _services.Owners.Remove(_server.Stream);
        _services.Network.Close(_server.Stream);
        _server = default;
    }

    /// <summary>It has something to do then, whatever happens until then.</summary>
    public void ArmTimer(Instant deadline) => _services.Timers.Arm(_timer, deadline);

    /// <summary>
    /// Says what to wait for, for as long as no backend has taken it. The client is watched for
    /// its reset; as long as it sends no more, what was waited for before does that, too.
    /// </summary>
    public void WaitForOk()
    {
        WaitFor(ref _client, _hasUnread ? Readiness.HangUp : Readiness.Read);
        if (!_server.Stream.IsNone)
            WaitFor(ref _server, _handshake.WantsWrite ? Readiness.Write : Readiness.Read);
    }

    /// <summary>A backend took it.</summary>
    public void BeginRelaying(Instant now)
    {
        _state = ProxyState.Relaying;
        WasRelayed = true;
        _hasUnread = false;
        NoteActive(now);
        ArmTimer();
    }

    /// <summary>What the client sent first may go on to the backend that took it.</summary>
    public void PassOn(Instant now) => JudgeKept(now);

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
        if (IsShakingHands)
            _handshake.OnReady(now, _server.Stream, ready);
        else
            OnBackendReady(now, ready);
    }

    private void OnClientReady(Instant now, Readiness ready)
    {
        if (_state != ProxyState.Relaying)
        {
            if ((ready & Readiness.HangUp) != 0)
                End(Counter.ConnectionsFailedByClient, IoResult.Failed(IoStatus.Reset));
            else if (_state == ProxyState.Silent)
                ReadFirst(now);
            else
                _hasUnread = true;
            return;
        }
        var goesOn = (ready & Readiness.Read) == 0 || ReadClient(now);
        // An answer of the balancer's may have waited for room.
        if (goesOn && (ready & Readiness.Write) != 0
            && Settle(now, _toClient.OnSinkWritable(), _toClient))
        {
            JudgeKept(now);
        }
        // A hang-up with neither is a reset: nothing that is still to come could be delivered.
        if (_state == ProxyState.Relaying && ready == Readiness.HangUp)
            End(Counter.ConnectionsFailedByClient, IoResult.Failed(IoStatus.Reset));
    }

    /// <summary>
    /// Reads a client's first bytes, and looks for a backend. A client that ends before it has sent
    /// anything is done.
    /// </summary>
    private void ReadFirst(Instant now)
    {
        var reads = 1;
        var result = _toBackend.OnSourceReadable(_services.ReadBuffer, ref reads);
        if (result.Status != RelayStatus.Ok)
        {
            if (result.Why.Status == IoStatus.NoBuffers)
                EndWithoutResources(now, result.Why);
            else
                End(Counter.ConnectionsFailedByClient, result.Why);
            return;
        }
        if (_toBackend.HasSourceEnded)
            End(Counter.ConnectionsFinished, IoResult.Ok());
        if (_toBackend.BytesRead == 0)
            return;
        HasAsked = true;
        if (_set.Choose(now, Peer.Address) is not { } backend)
        {
            End(Counter.ConnectionsWithoutBackend, IoResult.Ok());
            return;
        }
        _state = ProxyState.ShakingHands;
        _askedAt = now;
        _handshake.Begin(now, backend);
    }

    private void OnBackendReady(Instant now, Readiness ready)
    {
        var result = RelayResult.Ok;
        var readBefore = _toClient.BytesRead;
        if ((ready & Readiness.Read) != 0)
            result = _toClient.OnSourceReadable(_services.ReadBuffer);
        var hasMore = _toClient.BytesRead > readBefore;
        if (hasMore)
            _question.OnBackendRead(now);
        if (!Settle(now, result, _toClient) || (hasMore && !JudgeKept(now)))
            return;
        // A hang-up while bytes wait for the backend shows itself in the write.
        if ((ready & (Readiness.Write | Readiness.HangUp)) != 0)
            Settle(now, _toBackend.OnSinkWritable(), _toBackend);
    }

    /// <summary>Reads the client; whether the connection goes on.</summary>
    private bool ReadClient(Instant now)
    {
        var reads = _services.Turn.TcpReadsPerVisit;
        do
        {
            var result = _toBackend.OnSourceReadable(_services.ReadBuffer, ref reads);
            _question.OnClientRead(now);
            if (!Settle(now, result, _toBackend) || !JudgeKept(now))
                return false;
        }
        while (reads > 0 && _toBackend.MayHaveMore && !_toBackend.WantsWrite);
        return true;
    }

    /// <summary>
    /// Passes a message on that is kept back, or answers it in the backend's place, when it is
    /// time; whether the connection goes on.
    /// </summary>
    private bool JudgeKept(Instant now)
    {
        Span<byte> answer = stackalloc byte[ClientQuestion.MaxAnswerBytes];
        var fate = _question.Judge(now, Peer, _handshake, answer, out var length);
        if (_question.KeptUntil < _timer.Deadline)
            ArmTimer();
        if (fate == MessageFate.IsAwaited)
            return true;
        if (fate == MessageFate.IsPassedOn)
            return Settle(now, _toBackend.OnSinkWritable(), _toBackend);
        DropBackendStream();
        _toBackend.LoseSink();
        return Settle(now, _toClient.EndWith(answer[..length]), _toClient);
    }

    /// <summary>Ends the connection if a side failed; whether it goes on.</summary>
    private bool Settle(Instant now, RelayResult result, RelayDirection direction)
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
        if (result.Why.Status == IoStatus.NoBuffers)
        {
            EndWithoutResources(now, result.Why);
            return false;
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

    /// <summary>
    /// Nothing can be sent to another backend any more: the client is reset at once, so that it can
    /// ask again. What the backend said until now is read before that, in this visit or more.
    /// </summary>
    private void EndIfAbandoned(Instant now)
    {
        OnBackendReady(now, Readiness.Read);
        if (IsAbandoned && !_toClient.MayHaveMore)
            End(Counter.ConnectionsFailedByBackend, IoResult.Ok());
    }

    // ---- Its time ----

    /// <summary>When its client must have said something.</summary>
    private Instant SilentEnd => Instant.Min(IdleEnd,
        _services.Standstill.Extend(_acceptedAt + _services.Options.TcpMessageTime));

    private Instant LifeEnd => _acceptedAt + _services.Options.TcpLifetime;

    private Instant IdleEnd =>
        _services.Standstill.Extend(ActiveAt + _services.Options.TcpIdleTimeout);

    private void ArmTimer() =>
        ArmTimer(Instant.Min(Instant.Min(_question.KeptUntil, _patience.End),
            Instant.Min(IdleEnd, LifeEnd)));

    private void ArmSilent() => ArmTimer(Instant.Min(SilentEnd, LifeEnd));

    /// <summary>
    /// Activity is a whole question, or a byte of an answer that the client took. Messages without
    /// a question do not count, nor do answer bytes that the client does not take.
    /// </summary>
    private void NoteActivity(Instant now)
    {
        if (_toBackend.Questions == _questionsSeen && _toClient.BytesWritten == _bytesTaken)
            return;
        (_questionsSeen, _bytesTaken) = (_toBackend.Questions, _toClient.BytesWritten);
        NoteActive(now);
    }

    private void NoteActive(Instant now)
    {
        if (ActiveAt == now || !IsOpen)
            return;
        ActiveAt = now;
        _set.OnActive(this);
    }

    /// <summary>It would be ended because nothing came for too long.</summary>
    private bool IsOverdue(Instant now) =>
        (_state == ProxyState.Silent && now >= SilentEnd)
        || (IsShakingHands && !_handshake.AwaitsRoom && now >= HandshakeEnd)
        || (_state == ProxyState.Relaying
            && (now >= IdleEnd || _patience.WhatEnds(now) is not null));

    private void NotePatience(Instant now)
    {
        NoteActivity(now);
        _patience.Note(now);
        if (_patience.End < _timer.Deadline)
            ArmTimer();
    }

    /// <summary>
    /// Reads what may be there without an event: a wait reports a limited number of streams.
    /// </summary>
    public void Look(Instant now)
    {
        if (IsShakingHands)
        {
            _handshake.ReadOk(now);
            return;
        }
        OnClientReady(now, Readiness.Read);
        if (_state == ProxyState.Relaying && !_server.Stream.IsNone)
            OnBackendReady(now, Readiness.Read);
        if (_state != ProxyState.Relaying)
            return;
        NotePatience(now);
        ArmTimer();
    }

    private void OnTimerDue(Instant now) => _set.ServeLater(this);

    /// <summary>A deadline passed, and what came until now was dealt with.</summary>
    private void OnDeadline(Instant now)
    {
        if (IsOverdue(now))
            Look(now);
        if (_state == ProxyState.Ended || (_timer.IsArmed && _timer.Deadline > now))
            return;
        if (IsShakingHands && now >= HandshakeEnd)
            _handshake.EndOverdue();
        else if (IsShakingHands)
            _handshake.OnDeadline(now);
        else if (now >= LifeEnd)
            End(Counter.ConnectionsTooOld, IoResult.Ok());
        else if (now >= IdleEnd)
            End(Counter.ConnectionsIdle, IoResult.Ok());
        else if (_state == ProxyState.Silent && now >= SilentEnd)
            End(Counter.ConnectionsSilent, IoResult.Ok());
        else if (_state == ProxyState.Silent)
            ArmSilent();
        else if (_patience.WhatEnds(now) is { } how)
            End(how, IoResult.Ok());
        else if (JudgeKept(now))
            ArmTimer();
    }
}
