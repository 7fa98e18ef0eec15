// Owns the standing session to one backend: which frame may come when, and by when; and what it
// means that the backend is silent, answers badly or does not read. The stream and the bytes are
// ControlSession's, and each watch is a file of its own: Suspicion, AnswerRecord, Prober and
// StuckReport. Whether there is a session is Backend's business: it begins one, hears of its hello
// and of its fault, and ends it.
//
// A backend has 30 s to say hello. A healthy one is asked for a sign of life 5 s after its hello or
// its last answer, and has 15 s to give it; it may not leave unread for 15 s what waits for it,
// whatever it sends. A deadline does not pass before what the backend sent by then is read, but for
// a second at most, and not in the time that is given after a standstill of the balancer, nor while
// the kernel has no memory for a read.
//
// When the backend was restarted, its old session goes on as a RetiredSession, which takes the
// stream, what is in flight and the watch of its silence; what follows begins with new ones.
//
// What always holds: at most one heartbeat is out, and it is answered only after it was sent; a
// fault names its cause, and touches only the session that it was seen on, because all that belongs
// to one is cleared when it ends; without a session no timer is armed.

using System;

namespace Balancer.Core;

/// <summary>The session to one backend; begun again after every connect.</summary>
internal sealed class BackendSession : IStreamOwner, ISessionReader, ISuspect, IProbed
{
    private readonly Services _services;
    private readonly IBackendReports _reports;
    private readonly IBackendNeighbours _neighbours;
    private readonly FlushList _flushList;
    private readonly SessionTurns _turns;
    private readonly QueryPairs _pairs;
    private readonly Quarantine _quarantine;
    private readonly Backend _backend;
    private readonly AnswerRecord _answers;
    private readonly Prober _prober;
    private readonly StuckReport _stuck;
    private ControlSession _control;
    private Suspicion _suspicion;
    private SessionTurn _turn;

    /// <summary>What the next session begins with if this one retires; null if not made.</summary>
    private ControlSession? _next;
    private Suspicion? _nextSuspicion;
    private RetiredSession? _retired;

    private readonly Timer _helloTimeout;
    private readonly Timer _heartbeat;
    private readonly Timer _heartbeatTimeout;
    private readonly Timer _stallTimeout;
    private readonly Timer _memoryRetry;
    private readonly Timer _hang;
    private Instant _helloAt;

    /// <summary>When it is warm with probes, if it has answered one by then.</summary>
    private Instant _provenAt;

    private Instant _heartbeatAt;
    private Instant _suspectedAt;
    private bool _wasHung;
    private bool _refusedQuery;

    public BackendSession(Services services, IBackendReports reports,
        IBackendNeighbours neighbours, FlushList flushList, SessionTurns turns, QueryPairs pairs,
        Quarantine quarantine, Backend backend)
    {
        _services = services;
        _reports = reports;
        _neighbours = neighbours;
        _flushList = flushList;
        _turns = turns;
        _pairs = pairs;
        _quarantine = quarantine;
        _backend = backend;
        _answers = new AnswerRecord(services.Timers, backend.EndFailing);
        _prober = new Prober(services, this);
        _stuck = new StuckReport(services, backend.Id);
        _control = new ControlSession(services, pairs, quarantine);
        _suspicion = new Suspicion(services.Timers, services.Standstill, this);
        _helloTimeout = new Timer(OnHelloOverdue);
        _heartbeat = new Timer(OnHeartbeatDue);
        _heartbeatTimeout = new Timer(OnHeartbeatOverdue);
        _stallTimeout = new Timer(OnStallDue);
        _memoryRetry = new Timer(OnMemoryRetry);
        _hang = new Timer(OnHangDue);
    }

    /// <summary>Kept by FlushList.</summary>
    public bool IsInFlushList { get; set; }

    /// <summary>The queries in flight on it.</summary>
    public InFlight InFlight => _control.InFlight;

    /// <summary>Bytes that wait besides what the kernel holds.</summary>
    public int QueuedBytes => _control.QueuedBytes;

    /// <summary>A heartbeat was sent and is not answered.</summary>
    public bool IsHeartbeatOut => _heartbeatTimeout.IsArmed;

    public bool IsSuspect => _suspicion.IsSuspect;

    /// <summary>Suspect, and not answering again for the time being.</summary>
    public bool IsSilent => _suspicion.IsSilent;

    /// <summary>Asked for a heartbeat since it owes an answer; nothing came since.</summary>
    public bool MayHang => _suspicion.MayHang;

    /// <summary>Silent, and for so long that something may have hung it.</summary>
    public bool IsHung => _wasHung && _suspicion.IsSilent;

    /// <summary>
    /// It took nothing of a write, or had no room for a query, and not all is written since.
    /// </summary>
    public bool IsStuck => _control.IsStuck || _refusedQuery;

    /// <summary>Something that came on it lies unread, as far as is known.</summary>
    private bool HasUnread => _turn.IsReadable || _control.ReadLacksMemory;

    /// <summary>Silent for a while with a query to answer; it may be suspect soon.</summary>
    public bool IsDoubtful(Instant now) => _suspicion.IsDoubtful(now);

    /// <summary>What the last answers on it were.</summary>
    public AnswerRecord Answers => _answers;

    /// <summary>Its backend failed probes, and is not back.</summary>
    public bool IsDownByProbe => _prober.IsDown;

    /// <summary>When its warm-up is over, or was; of the last hello.</summary>
    public Instant WarmAt { get; private set; }

    /// <summary>See Backend.IsWarm.</summary>
    public bool IsWarm(Instant now) => now >= ColdUntil;

    /// <summary>When it is warm, as far as is known; Never until it answers a probe.</summary>
    public Instant ColdUntil => _prober.IsOn
        ? _prober.HasAnswered ? _provenAt : Instant.Never
        : Instant.Max(WarmAt, _answers.DistrustedUntil);

    /// <summary>A query or a probe had a good answer on it.</summary>
    public bool HasGoodAnswer => _answers.HasGood || _prober.HasAnswered;

    /// <summary>See Backend.LacksData.</summary>
    public bool LacksData(Instant now) => !HasGoodAnswer && _answers.HasErred(now);

    /// <summary>Its hello came a moment ago: the backend may lack its data still.</summary>
    public bool IsStarting(Instant now) => now - _helloAt < Limits.HoldTime;

    // ---- Its life ----

    /// <summary>A connect succeeded: the session begins on this stream.</summary>
    public void Begin(Instant now, SocketHandle stream)
    {
        _services.Owners.Add(stream, this);
        _control.Begin(stream);
        _control.SendHello();
        _flushList.Add(this);
        _turn.HasPutOff = false;
        _services.Timers.Arm(_helloTimeout, now + Limits.HelloTimeout);
    }

    private void OnHello(Instant now)
    {
        _services.Timers.Disarm(_helloTimeout);
        var longWarmUp = _backend.LongWarmUp(now);
        WarmAt = now + Duration.Max(_services.Options.WarmUp, longWarmUp);
        _provenAt = longWarmUp == Duration.Zero ? Instant.Zero : now + longWarmUp;
        _helloAt = now;
        _services.Timers.Arm(_heartbeat, now + Limits.HeartbeatInterval);
        _backend.OnHello(now);
        _prober.OnHello(now);
    }

    /// <summary>Tears it down, with everything that belongs to it.</summary>
    public void End(Instant now)
    {
        DisarmDeadlines();
        _services.Owners.Remove(_control.Stream);
        var lost = _control.TakeInFlight();
        var wasAsked = lost.Count > 0;
        _reports.OnSessionLost(now, _backend, lost);
        _control.End(now);
        _flushList.Remove(this);
        OnQueueGone(now);
        if (wasAsked)
            _reports.OnDoubtful(now, _backend);
    }

    /// <summary>
    /// Makes what Retire takes, unless that is there. If there is no memory for it it throws, and
    /// nothing is changed.
    /// </summary>
    public void PrepareToRetire()
    {
        _next ??= new ControlSession(_services, _pairs, _quarantine);
        _nextSuspicion ??= new Suspicion(_services.Timers, _services.Standstill, this);
        _retired ??= new RetiredSession(_services, _reports, _turns, _backend);
    }

    /// <summary>
    /// Leaves it to end by itself; one at most is kept so, and the one before, if any, ends.
    /// </summary>
    public RetiredSession Retire(Instant now, RetiredSession? before)
    {
        PrepareToRetire();
        var (next, retired, watch) = (_next!, _retired!, _suspicion);
        _suspicion = _nextSuspicion!;
        (_next, _retired, _nextSuspicion) = (null, null, null);
        var askedAt = _heartbeatTimeout.IsArmed ? _heartbeatAt : Instant.Never;
        DisarmDeadlines();
        OnQueueGone(now);
        before?.End(now);
        retired.Begin(now, _control, watch, askedAt);
        _control = next;
        return retired;
    }

    private void DisarmDeadlines()
    {
        _services.Timers.Disarm(_helloTimeout);
        _services.Timers.Disarm(_heartbeat);
        _services.Timers.Disarm(_heartbeatTimeout);
        _services.Timers.Disarm(_stallTimeout);
        _services.Timers.Disarm(_memoryRetry);
    }

    /// <summary>What was queued for the session is gone, or is the retired session's.</summary>
    private void OnQueueGone(Instant now)
    {
        _services.Timers.Disarm(_hang);
        _refusedQuery = false;
        _stuck.OnSessionEnded(now);
        _suspicion.OnSessionEnded();
        _wasHung = false;
        _answers.OnSessionEnded();
        _prober.OnSessionEnded();
    }

    // ---- Its deadlines ----

    private void OnHelloOverdue(Instant now) =>
        OnOverdue(now, _helloTimeout, FaultCause.HelloTimeout);

    private void OnHeartbeatDue(Instant now)
    {
        _services.Timers.Disarm(_heartbeat);
        _control.SendHeartbeat();
        _flushList.Add(this);
        _turn.HasPutOff = false;
        _heartbeatAt = now;
        _services.Timers.Arm(_heartbeatTimeout, now + Limits.HeartbeatTimeout);
        _services.Log.Write(new LogEvent.HeartbeatSent(_backend.Id));
    }

    private void OnHeartbeatAnswer(Instant now)
    {
        Verify.That(IsHeartbeatOut, "a heartbeat is answered that was sent");
        _services.Timers.Disarm(_heartbeatTimeout);
        _services.Timers.Arm(_heartbeat, now + Limits.HeartbeatInterval);
        _suspicion.OnHeartbeatAnswered(now, _heartbeatAt);
        _services.Log.Write(new LogEvent.HeartbeatAnswered(_backend.Id));
    }

    private void OnHeartbeatOverdue(Instant now) =>
        OnOverdue(now, _heartbeatTimeout, FaultCause.HeartbeatTimeout);

    /// <summary>
    /// A deadline passed. What lies unread may have met it: that is waited for, once, and for as
    /// long as it cannot be read. After a standstill it has not passed yet.
    /// </summary>
    private void OnOverdue(Instant now, Timer deadline, FaultCause cause)
    {
        var extended = _services.Standstill.Extend(now);
        if (extended > now)
        {
            _services.Timers.Arm(deadline, extended);
            return;
        }
        if (_control.ReadLacksMemory || _turn.PutsOff())
        {
            _services.Timers.Arm(deadline, now + Limits.UnreadTime);
            return;
        }
        _backend.OnFault(now, new Fault(cause));
    }

    /// <summary>What lacked the kernel's memory is tried again.</summary>
    private void OnMemoryRetry(Instant now)
    {
        // There may be nothing to be read, and then it would not be reported.
        if (_control.ReadLacksMemory)
            _turns.Add(this);
        _control.Retry();
        _flushList.Add(this);
    }

    private void ArmMemoryRetry(Instant now)
    {
        if (_control.AwaitsMemory && !_memoryRetry.IsArmed)
            _services.Timers.Arm(_memoryRetry, now + _control.TakeMemoryPause());
    }

    /// <summary>Nothing was read for too long, unless the balancer itself stood still.</summary>
    private void OnStallDue(Instant now)
    {
        var taken = _control.BytesTaken;
        _control.OnWritable();
        Flush(now);
        if (!_backend.HasSession || _control.BytesTaken > taken)
            return;
        var extended = _services.Standstill.Extend(now);
        if (extended > now)
            _services.Timers.Arm(_stallTimeout, extended);
        else
            _backend.OnFault(now, new Fault(FaultCause.ReadsNothing));
    }

    // ---- What is sent on it ----

    /// <summary>Queues a query; false if it takes no more for now.</summary>
    public bool TryForward(Instant now, in Query query, ReadOnlySpan<byte> payload)
    {
        if (!_control.TryForward(now, in query, payload))
        {
            _refusedQuery = true;
            _stuck.OnRefused(now, _control.QueuedBytes);
            return false;
        }
        _suspicion.OnQuery(now);
        _flushList.Add(this);
        return true;
    }

    /// <summary>A client has more than its share of what its backend is behind with.</summary>
    public bool IsOverShare(Instant now, Ipv4 client, bool isCrowd) =>
        _control.IsOverShare(now, client, isCrowd, _suspicion.MayHang);

    /// <summary>A query that it did not take was dropped.</summary>
    public void OnQueryDropped() => _stuck.OnDropped();

    /// <summary>Writes what waits, once; called when the turn ends.</summary>
    public void Flush(Instant now)
    {
        if (!_backend.HasSession)
            return;
        var taken = _control.BytesTaken;
        var wasStuck = IsStuck;
        var result = _control.Flush(now);
        ArmMemoryRetry(now);
        if (!result.IsOk)
            OnWriteFailed(now, result);
        else if (_control.QueuedBytes == 0)
            OnDrained(now, wasStuck);
        else if (_control.BytesTaken > taken || !_stallTimeout.IsArmed)
            _services.Timers.Arm(_stallTimeout, now + Limits.StallTimeout);
    }

    /// <summary>
    /// The stream takes nothing any more. What its process answered before it ended may lie unread,
    /// so that is taken first.
    /// </summary>
    private void OnWriteFailed(Instant now, IoResult why)
    {
        for (var n = 0; n < Limits.LastReads && _backend.State != BackendState.AwaitingHello; n++)
        {
            var result = _services.Network.Read(_control.Stream, _services.ReadBuffer);
            if (!result.IsOk || !TryTakeReplies(now, _services.ReadBuffer.AsSpan(0, result.Count)))
                break;
        }
        _backend.OnFault(now, Fault.OfWrite(why));
    }

    /// <summary>Takes replies, and heartbeats for nothing; false if anything else came.</summary>
    private bool TryTakeReplies(Instant now, ReadOnlySpan<byte> input)
    {
        while (true)
        {
            var status = _control.Reader.Next(ref input, out var frame);
            if (status == FrameStatus.Frame && frame.Type == FrameType.OutboundUdp)
                OnFrame(now, in frame);
            else if (status != FrameStatus.Frame || frame.Type != FrameType.ServerHeartbeat)
                return status == FrameStatus.Incomplete;
        }
    }

    private void OnDrained(Instant now, bool wasStuck)
    {
        _services.Timers.Disarm(_stallTimeout);
        _refusedQuery = false;
        _stuck.OnDrained(now);
        if (wasStuck)
            _reports.OnAtEase(now);
    }

    // ---- What comes on it ----

    public void OnReady(Instant now, SocketHandle stream, Readiness ready)
    {
        if ((ready & (Readiness.Read | Readiness.HangUp)) != 0)
            _turns.Add(this);
        if ((ready & Readiness.Write) != 0)
        {
            _control.OnWritable();
            _flushList.Add(this);
        }
    }

    ref SessionTurn ISessionReader.Turn => ref _turn;

    /// <summary>One read, and every frame in it.</summary>
    int ISessionReader.Read(Instant now, int mostBytes, out bool mayHaveMore)
    {
        mayHaveMore = false;
        if (!_backend.HasSession)
            return 0;
        var buffer = _services.ReadBuffer.AsSpan(0, mostBytes);
        var result = _control.Read(now, buffer);
        ArmMemoryRetry(now);
        if (result.IsOk)
        {
            mayHaveMore = result.Count == mostBytes;
            _backend.NoteAlive(now);
            _suspicion.OnByte(now);
            var frames = ReadFrames(now, buffer[..result.Count]);
            // What came may have ended it.
            if (!_backend.HasSession)
                return frames;
            _suspicion.OnRead(now);
            if (AnswersNothing(now))
                _reports.OnAnswersInDoubt(now, _backend);
            return frames;
        }
        if (result.Status != IoStatus.WouldBlock)
            _backend.OnFault(now, Fault.OfRead(result));
        return 0;
    }

    /// <summary>
    /// It answers none of the queries that any backend answers, and they are enough to say so; with
    /// probes, they tell.
    /// </summary>
    public bool AnswersNothing(Instant now) => !_prober.IsOn && _answers.MayBeMute(now)
        && InFlight.LeftUnanswered(now - Limits.VainTime).IsTelling(now);

    /// <summary>
    /// It answered a query lately, or was asked none for a while that it did not answer.
    /// </summary>
    public bool MayAnswer(Instant now) => _answers.AnswersAtAll(now)
        || !InFlight.LeftUnanswered(now - Limits.VainTime).IsAny(now);

    private int ReadFrames(Instant now, ReadOnlySpan<byte> input)
    {
        for (var frames = 0; ; frames++)
        {
            var status = _control.Reader.Next(ref input, out var frame);
            if (status == FrameStatus.Incomplete)
                return frames;
            if (FaultIn(status, in frame) is { } fault)
            {
                _backend.OnFault(now, fault);
                return frames;
            }
            OnFrame(now, in frame);
        }
    }

    private void OnFrame(Instant now, in Frame frame)
    {
        if (frame.Type == FrameType.OutboundUdp)
        {
            if (!_prober.TryTake(now, in frame)
                && _reports.OnReply(now, in frame, _control.InFlight, _backend))
            {
                OnAnswer(now, frame.Payload);
            }
        }
        else if (frame.Type == FrameType.ServerHello)
        {
            OnHello(now);
        }
        else
        {
            OnHeartbeatAnswer(now);
        }
    }

    /// <summary>What is wrong with a frame at this point of the session, or null.</summary>
    private Fault? FaultIn(FrameStatus status, in Frame frame)
    {
        if (status == FrameStatus.UnknownType)
        {
            return _backend.State == BackendState.AwaitingHello
                ? new Fault(FaultCause.FrameBeforeHello, Detail: frame.Length)
                : new Fault(FaultCause.UnknownFrame, Detail: frame.Length);
        }
        var isHello = status == FrameStatus.Frame && frame.Type == FrameType.ServerHello;
        if (_backend.State == BackendState.AwaitingHello)
        {
            return isHello ? null : new Fault(FaultCause.FrameBeforeHello,
                Detail: (uint)(status == FrameStatus.Frame ? frame.Type : FrameType.OutboundUdp));
        }
        if (status == FrameStatus.LengthTooLarge)
            return new Fault(FaultCause.LengthTooLarge, Detail: frame.Length);
        return frame.Type switch
        {
            FrameType.ServerHello => new Fault(FaultCause.SecondHello),
            FrameType.InboundTcpOk => new Fault(FaultCause.TcpFrameOnControlSession),
            FrameType.ServerHeartbeat when !_heartbeatTimeout.IsArmed
                || _control.HasUnsentHeartbeat => new Fault(FaultCause.UnaskedHeartbeat),
            _ => null,
        };
    }

    private void OnAnswer(Instant now, ReadOnlySpan<byte> reply)
    {
        InFlight.ForgetUnanswered(now);
        if (_answers.OnMatch(now))
            _backend.EndFailing(now);
        if (!DnsQuestion.HasHeader(reply))
            return;
        NoteCode(now, DnsQuestion.CodeOf(reply));
    }

    private void NoteCode(Instant now, ResponseCode code)
    {
        var isFailure = code is ResponseCode.ServerFailure or ResponseCode.Refused;
        _answers.OnAnswer(now, code);
        // What it says while it starts is not held against it.
        if (!IsStarting(now) && _answers.Add(now, isFailure))
            _reports.OnAnswersInDoubt(now, _backend);
    }

    // ---- Silence ----

    /// <summary>See Backend.AskBeside.</summary>
    public void AskBeside(Instant now) => _suspicion.AskBeside(now);

    /// <summary>
    /// A TCP connection to its backend waits, or a message over TCP, as a query does.
    /// </summary>
    public void OnConnectionWaits(Instant now) => _suspicion.OnQuery(now);

    /// <summary>Its backend took a connection, so it is alive.</summary>
    public void OnConnectionTaken(Instant now) => _suspicion.OnConnectionTaken(now);

    /// <summary>Its backend answered a TCP message that was passed on then.</summary>
    public void OnMessageAnswered(Instant now, Instant passedOnAt, ResponseCode? code)
    {
        _suspicion.OnMessageAnswered(now, passedOnAt);
        if (code is { } answer && !_answers.IsMute)
            NoteCode(now, answer);
    }

    bool ISuspect.HasUnread => HasUnread;

    Instant ISuspect.NewestQueryAt(Instant now)
    {
        var query = InFlight.NewestAt;
        if (!_backend.HasSession)
            return query;
        var message = _neighbours.NewestMessageAt(now, _backend);
        return query == Instant.Never ? message
            : message == Instant.Never ? query : Instant.Max(query, message);
    }

    void ISuspect.OnDoubtful(Instant now) => _reports.OnDoubtful(now, _backend);

    void ISuspect.AskForHeartbeat(Instant now)
    {
        if (!_heartbeatTimeout.IsArmed)
            OnHeartbeatDue(now);
    }

    void ISuspect.OnSuspected(Instant now, Duration silent)
    {
        _services.Counters.Add(Counter.BackendsSuspected);
        _services.EntryRecords.Write(now, _backend.Name, isBackend: true,
            new LogEvent.BackendSuspected(_backend.Id, _backend.Path, silent, InFlight.Count));
        OnSilent(now);
    }

    void ISuspect.OnDoubtOver(Instant now) => _reports.OnDoubtOver(now);

    void ISuspect.OnSilentAgain(Instant now) => OnSilent(now);

    void ISuspect.OnAnswersAgain(Instant now)
    {
        InFlight.OnSilenceOver(now);
        _reports.OnAtEase(now);
    }

    /// <summary>It is silent. What hung another, perhaps, is not given to a third.</summary>
    private void OnSilent(Instant now)
    {
        _suspectedAt = now;
        InFlight.OnSilent(now);
        if (!InFlight.WasJudged && _neighbours.MayHaveHungAnother(now, _backend))
            _reports.OnHang(now, _suspectedAt, _backend);
        _services.Timers.Arm(_hang, now + Limits.QuarantineHangTime);
        _reports.OnSuspected(now, InFlight);
    }

    void ISuspect.OnTrusted(Instant now, Duration suspect)
    {
        _services.Timers.Disarm(_hang);
        _wasHung = false;
        _control.InFlight.OnTrusted();
        if (!_answers.IsMute)
            _control.InFlight.EndWalks();
        _services.Counters.Add(Counter.BackendsTrusted);
        _services.EntryRecords.Write(now, _backend.Name, isBackend: true,
            new LogEvent.BackendTrusted(_backend.Id, _backend.Path, suspect));
        InFlight.OnSilenceOver(now);
        _reports.OnAtEase(now);
    }

    private void OnHangDue(Instant now)
    {
        if (!_suspicion.IsSilent)
            return;
        var spared = _services.Standstill.ExtendShort(now);
        if (now - _hang.Deadline > Limits.LatenessAllowed || HasUnread)
            _services.Timers.Arm(_hang, now + Limits.QuarantineHangTime);
        else if (spared > now)
            _services.Timers.Arm(_hang, spared);
        else
        {
            _wasHung = true;
            _reports.OnHang(now, _suspectedAt, _backend);
        }
    }

    // ---- Probes ----

    bool IProbed.HasUnread => HasUnread;

    bool IProbed.CannotBeRead => _control.ReadLacksMemory;

    bool IProbed.IsStuck => IsStuck;

    bool IProbed.TrySendProbe(Instant now, ushort id, ReadOnlySpan<byte> packet)
    {
        if (!_control.TrySendProbe(Prober.Source, packet))
            return false;
        _flushList.Add(this);
        _services.Log.Write(new LogEvent.ProbeSent(_backend.Id, id));
        return true;
    }

    void IProbed.OnProbeDown(ProbeFailure why, int failures) =>
        _services.Log.Write(new LogEvent.BackendDownByProbe(
            _backend.Id, _backend.Path, why, failures));

    void IProbed.OnProbeUp(Duration lasted) =>
        _services.Log.Write(new LogEvent.BackendUpByProbe(_backend.Id, _backend.Path, lasted));
}
