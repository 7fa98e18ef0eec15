// Owns one backend: whether it is there, whether it is alive, and when to try again.
//
//                 ┌──────────── fault: after the back-off ────────────┐
//                 ▼                                                   │
//   discovered → BackingOff ── connect ──→ AwaitingHello ── hello ──→ Healthy
//                 ▲   │                     │  30 s: fault             │  ▲
//                 │   └─ no such path ─┐    └── fault ──→ BackingOff   │  │
//                 │                    ▼                               ▼  │
//                 └── a scan sees it ─ Removed               Draining: path unlinked
//
// When a scan sees another socket at the path, that one is connected to at once; a session that
// had said hello retires and its replies are delivered until it ends (RetiredSession).
//
// A healthy backend is asked for a sign of life 5 s after its hello or its last answer, and has
// 15 s to give it; it may not leave unread for 15 s what waits for it, whatever it sends.
// A deadline does not pass before what the backend sent by then is read, but for a second at most,
// and not in the time that is given after a standstill of the balancer.
// Any fault tears the session down and schedules a connect: at once for a backend just discovered
// or restarted, then after 1, 3, 5, … 32 s; a hello sets that back to 1 s. A socket just
// discovered may be bound and not listen yet: it is tried a few times before that is a fault. A
// session that ends after its backend's socket was removed is handled alike, and logged as a stop.
//
// What always holds: there is a session exactly in AwaitingHello, Healthy and Draining; a
// reconnect is scheduled exactly in BackingOff; at most one heartbeat is out, and it is answered
// only after it was sent; a fault names its cause, and touches only the session that it was seen
// on, because all that belongs to one is cleared when it ends.

using System;
using System.Text;

namespace Balancer.Core;

/// <summary>One backend.</summary>
internal sealed class Backend : IStreamOwner, ISessionReader, ISuspect, IProbed
{
    private readonly Services _services;
    private readonly IBackendReports _reports;
    private readonly FlushList _flushList;
    private readonly SessionTurns _turns;
    private readonly QueryPairs _pairs;
    private readonly Quarantine _quarantine;
    private Suspicion _suspicion;
    private readonly AnswerRecord _answers;
    private readonly Prober _prober;
    private SessionTurn _turn;
    private readonly byte[] _pathBytes;
    private readonly int _nameStart;
    private ControlSession _session;
    private RetiredSession? _retired;
    private readonly Timer _reconnect;
    private readonly Timer _helloTimeout;
    private readonly Timer _heartbeat;
    private readonly Timer _heartbeatTimeout;
    private readonly Timer _stallTimeout;
    private readonly Timer _hang;
    private Instant _suspectedAt;
    private Duration _nextBackOff = Limits.FirstBackOff;
    private int _quietTriesLeft;
    private Instant _warmAt;
    private Instant _helloAt;
    private Instant _heartbeatAt;
    private EntryIdentity _identity;
    private bool _connectedSinceScan;
    private bool _pathPresent = true;
    private bool _refusedQuery;
    private readonly StuckReport _stuck;
    private long _connectsStarted;
    private long _connectsFailed;
    private long _udpQueries;
    private long _tcpSessions;
    private long _dropsWhileStuck;

    public Backend(Services services, IBackendReports reports, FlushList flushList,
        SessionTurns turns, QueryPairs pairs, Quarantine quarantine, BackendId id, int slot,
        ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name)
    {
        _services = services;
        _reports = reports;
        _flushList = flushList;
        _turns = turns;
        _pairs = pairs;
        _quarantine = quarantine;
        _suspicion = new Suspicion(services.Timers, services.Standstill, this);
        _answers = new AnswerRecord(services.Timers, EndFailing);
        _prober = new Prober(services, this);
        Id = id;
        Slot = slot;
        _nameStart = directory.Length + 1;
        _pathBytes = [.. directory, (byte)'/', .. name];
        Path = Encoding.UTF8.GetString(_pathBytes);
        _session = new ControlSession(services, pairs, quarantine);
        _stuck = new StuckReport(services, id);
        _reconnect = new Timer(Connect);
        _helloTimeout = new Timer(OnHelloOverdue);
        _heartbeat = new Timer(OnHeartbeatDue);
        _heartbeatTimeout = new Timer(OnHeartbeatOverdue);
        _stallTimeout = new Timer(OnStallDue);
        _hang = new Timer(OnHangDue);
    }

    public BackendId Id { get; }

    /// <summary>Its index in the set, 1 to Limits.MaxBackends.</summary>
    public int Slot { get; }

    /// <summary>The path as text for the log; bytes that are not UTF-8 are replaced.</summary>
    public string Path { get; }

    /// <summary>The path as the kernel takes it.</summary>
    public ReadOnlySpan<byte> PathBytes => _pathBytes;

    /// <summary>The entry's name in the directory.</summary>
    public ReadOnlySpan<byte> Name => _pathBytes.AsSpan(_nameStart);

    public BackendState State { get; private set; } = BackendState.BackingOff;

    /// <summary>Means something while Removed.</summary>
    public Instant RemovedAt { get; private set; }

    /// <summary>Remotes whose primary it is; kept by Remotes, like the list's two ends.</summary>
    public int RemoteCount { get; set; }

    /// <summary>Remotes whose backup it is; kept by Remotes.</summary>
    public int BackupCount { get; set; }

    public int OldestRemote { get; set; }

    public int NewestRemote { get; set; }

    /// <summary>Kept by FlushList.</summary>
    public bool IsInFlushList { get; set; }

    /// <summary>The scan that last saw its path; kept by Discovery.</summary>
    public long SeenInScan { get; set; }

    /// <summary>The scan that was open at its last connect, 0 if none; kept by Discovery.</summary>
    public long ConnectedInScan { get; set; }

    public bool MayBeForgotten => State == BackendState.Removed && !IsInFlushList
        && RemoteCount == 0 && BackupCount == 0 && _retired is null or { HasEnded: true };

    private bool HasSession => State
        is BackendState.AwaitingHello or BackendState.Healthy or BackendState.Draining;

    /// <summary>The queries in flight on its session.</summary>
    public InFlight InFlight => _session.InFlight;

    /// <summary>Sessions that ended; one that retired serves its TCP connections still.</summary>
    public long SessionsEnded { get; private set; }

    /// <summary>Tells its sessions apart; the last one's until the next connect.</summary>
    public long SessionNumber => _connectsStarted;

    public bool IsSuspect => _suspicion.IsSuspect;

    /// <summary>Suspect, and not answering again for the time being.</summary>
    public bool IsSilent => _suspicion.IsSilent;

    /// <summary>Suspect, but it answers again, and is not stuck.</summary>
    public bool IsProving => _suspicion.IsSuspect && !_suspicion.IsSilent && !IsStuck;

    /// <summary>The queries in flight on its retired session, if that is suspect.</summary>
    public InFlight? RetiredSuspect => _retired?.SuspectInFlight;

    /// <summary>Silent for a while with a query to answer; it may be suspect soon.</summary>
    public bool IsDoubtful(Instant now) => _suspicion.IsDoubtful(now);

    /// <summary>What its last answers were.</summary>
    public AnswerRecord Answers => _answers;

    /// <summary>It answers no query at all.</summary>
    public bool IsMute => _answers.IsMute;

    /// <summary>Its answers are far worse than another's, or it gives none.</summary>
    public bool IsFailing => _answers.IsFailing;

    /// <summary>It failed probes, and is not back.</summary>
    public bool IsDownByProbe => _prober.IsDown;

    /// <summary>Neither suspect nor stuck.</summary>
    public bool IsAtEase => !_suspicion.IsSuspect && !IsStuck;

    /// <summary>
    /// It took nothing of a write, or had no room for a query, and not all is written since.
    /// </summary>
    private bool IsStuck => _session.IsStuck || _refusedQuery;

    /// <summary>
    /// It answered a probe since its hello; without probes, that is longer ago than the warm-up,
    /// and it has not just given an error as its only kind of answer.
    /// </summary>
    public bool IsWarm(Instant now) => _prober.IsOn ? _prober.HasAnswered
        : now >= _warmAt && !_answers.IsDistrusted(now);

    /// <summary>A query or a probe had a good answer on this session.</summary>
    public bool HasGoodAnswer => _answers.HasGood || _prober.HasAnswered;

    /// <summary>It said hello a moment ago, and may lack its data still.</summary>
    private bool IsStarting(Instant now) => now - _helloAt < Limits.HoldTime;

    /// <summary>
    /// An error of it says nothing yet: it is starting, or has given nothing else and another has.
    /// </summary>
    public bool MayErr(Instant now) =>
        IsStarting(now) || (!HasGoodAnswer && _reports.HasAnotherAnswers(this));

    /// <summary>Sessions that it has had; tells whether it has another one now.</summary>
    public long Sessions => _connectsStarted;

    // ---- What a scan of the directory sees ----

    /// <summary>A scan sees the path for the first time: connect.</summary>
    public void OnDiscovered(Instant now, EntryIdentity identity)
    {
        _identity = identity;
        _services.Log.Write(new LogEvent.BackendDiscovered(Id, Path));
        _quietTriesLeft = Limits.QuietTries;
        Connect(now);
    }

    /// <summary>A scan sees the path, perhaps with another socket than before.</summary>
    public void OnPathSeen(Instant now, long scan, EntryIdentity identity)
    {
        // What the scan saw is from before the session, perhaps; another was asked for.
        if (HasSession && ConnectedInScan == scan)
            return;
        // A session begun since the last scan may be with a newer socket than that scan saw. That
        // a connect asks for a scan keeps this doubt short: a socket bound later is another.
        var isAnother = identity != _identity && !(HasSession && _connectedSinceScan);
        _identity = identity;
        _connectedSinceScan = false;
        _pathPresent = true;
        if (State == BackendState.Removed)
            OnReturned(now);
        else if (isAnother)
            OnRestarted(now);
        else if (State == BackendState.Draining)
            OnRestored(now);
    }

    private void OnRestored(Instant now)
    {
        State = BackendState.Healthy;
        _services.Log.Write(new LogEvent.BackendResumed(Id, Path));
        _reports.OnHealthy(now);
    }

    /// <summary>A whole scan did not see the path.</summary>
    public void OnPathMissing(long scan)
    {
        // A connect that succeeded while that scan was open knows better; it asked for another.
        if (HasSession && ConnectedInScan == scan)
            return;
        _pathPresent = false;
        _connectedSinceScan = false;
        if (State != BackendState.Healthy)
            return;
        State = BackendState.Draining;
        _services.Log.Write(new LogEvent.BackendDraining(Id, Path));
    }

    private void OnReturned(Instant now)
    {
        State = BackendState.BackingOff;
        _nextBackOff = Limits.FirstBackOff;
        _services.Log.Write(new LogEvent.BackendReturned(Id, Path));
        _quietTriesLeft = Limits.QuietTries;
        Connect(now);
    }

    /// <summary>The backend was restarted: its new socket is connected to at once.</summary>
    private void OnRestarted(Instant now)
    {
        _services.Log.Write(new LogEvent.BackendRestarted(Id, Path));
        _nextBackOff = Limits.FirstBackOff;
        if (State == BackendState.AwaitingHello)
        {
            _connectsFailed++;
            EndSession(now);
        }
        else if (HasSession)
        {
            Retire(now);
        }
        State = BackendState.BackingOff;
        _quietTriesLeft = Limits.QuietTries;
        Connect(now);
    }

    /// <summary>Leaves the session to end by itself; one at most is kept so.</summary>
    private void Retire(Instant now)
    {
        var watch = _suspicion;
        _suspicion = new Suspicion(_services.Timers, _services.Standstill, this);
        var askedAt = _heartbeatTimeout.IsArmed ? _heartbeatAt : Instant.Never;
        DisarmSessionTimers();
        OnQueueGone(now);
        _retired?.End(now);
        _retired = new RetiredSession(
            _services, _reports, _turns, this, _session, watch, askedAt, now);
        _session = new ControlSession(_services, _pairs, _quarantine);
    }

    // ---- The session's life ----

    private void Connect(Instant now)
    {
        Verify.That(State == BackendState.BackingOff, "one attempt at a time, none while removed");
        _services.Timers.Disarm(_reconnect);
        _connectsStarted++;
        var result = _services.Network.ConnectBackend(_pathBytes, out var stream);
        if (!result.IsOk)
        {
            OnConnectFailed(now, result);
            return;
        }
        _quietTriesLeft = 0;
        _connectedSinceScan = true;
        _pathPresent = true;
        State = BackendState.AwaitingHello;
        _services.Owners.Add(stream, this);
        _session.Begin(stream);
        _session.SendHello();
        _flushList.Add(this);
        _turn.HasPutOff = false;
        _services.Timers.Arm(_helloTimeout, now + Limits.HelloTimeout);
        _reports.OnConnected(now, this);
        _services.Log.Write(new LogEvent.BackendConnected(Id, Path));
    }

    private void OnConnectFailed(Instant now, IoResult why)
    {
        _connectsFailed++;
        if (_quietTriesLeft > 0 && why.Status is IoStatus.Refused or IoStatus.NotFound)
        {
            var tried = Limits.QuietTries - _quietTriesLeft--;
            var delay = new Duration(Limits.FirstQuietDelay.Nanoseconds << tried);
            _services.Timers.Arm(_reconnect, now + delay);
            return;
        }
        _quietTriesLeft = 0;
        if (why.Status != IoStatus.NotFound)
        {
            BackOff(now, new Fault(FaultCause.ConnectFailed, why));
            return;
        }
        State = BackendState.Removed;
        RemovedAt = now;
        _services.Log.Write(new LogEvent.BackendRemoved(Id, Path));
    }

    private void OnHello(Instant now)
    {
        _services.Timers.Disarm(_helloTimeout);
        State = _pathPresent ? BackendState.Healthy : BackendState.Draining;
        _nextBackOff = Limits.FirstBackOff;
        _warmAt = now + _services.Options.WarmUp;
        _helloAt = now;
        _services.Timers.Arm(_heartbeat, now + Limits.HeartbeatInterval);
        _services.Log.Write(new LogEvent.BackendHealthy(Id, Path));
        if (_pathPresent)
            _reports.OnHealthy(now);
        else
            _services.Log.Write(new LogEvent.BackendDraining(Id, Path));
        _prober.OnHello(now);
    }

    private void OnHelloOverdue(Instant now) =>
        OnOverdue(now, _helloTimeout, FaultCause.HelloTimeout);

    private void OnHeartbeatDue(Instant now)
    {
        _services.Timers.Disarm(_heartbeat);
        _session.SendHeartbeat();
        _flushList.Add(this);
        _turn.HasPutOff = false;
        _heartbeatAt = now;
        _services.Timers.Arm(_heartbeatTimeout, now + Limits.HeartbeatTimeout);
        _services.Log.Write(new LogEvent.HeartbeatSent(Id));
    }

    private void OnHeartbeatAnswer(Instant now)
    {
        _services.Timers.Disarm(_heartbeatTimeout);
        _services.Timers.Arm(_heartbeat, now + Limits.HeartbeatInterval);
        _suspicion.OnHeartbeatAnswered(_heartbeatAt);
        _services.Log.Write(new LogEvent.HeartbeatAnswered(Id));
    }

    private void OnHeartbeatOverdue(Instant now) =>
        OnOverdue(now, _heartbeatTimeout, FaultCause.HeartbeatTimeout);

    /// <summary>
    /// A deadline passed. What lies unread may have met it: that is waited for, once. After a
    /// standstill it has not passed yet.
    /// </summary>
    private void OnOverdue(Instant now, Timer deadline, FaultCause cause)
    {
        var extended = _services.Standstill.Extend(now);
        if (extended > now)
        {
            _services.Timers.Arm(deadline, extended);
            return;
        }
        if (_turn.PutsOff())
        {
            _services.Timers.Arm(deadline, now + Limits.UnreadTime);
            return;
        }
        OnFault(now, new Fault(cause));
    }

    /// <summary>Nothing was read for too long, unless the balancer itself stood still.</summary>
    private void OnStallDue(Instant now)
    {
        var taken = _session.BytesTaken;
        _session.OnWritable();
        Flush(now);
        if (!HasSession || _session.BytesTaken > taken)
            return;
        var extended = _services.Standstill.Extend(now);
        if (extended > now)
            _services.Timers.Arm(_stallTimeout, extended);
        else
            OnFault(now, new Fault(FaultCause.ReadsNothing));
    }

    /// <summary>Tears the session down, with everything that belongs to it.</summary>
    private void OnFault(Instant now, Fault fault)
    {
        Verify.That(HasSession, "only a session can fault");
        if (State == BackendState.AwaitingHello)
            _connectsFailed++;
        EndSession(now);
        BackOff(now, fault);
    }

    private void DisarmSessionTimers()
    {
        _services.Timers.Disarm(_helloTimeout);
        _services.Timers.Disarm(_heartbeat);
        _services.Timers.Disarm(_heartbeatTimeout);
        _services.Timers.Disarm(_stallTimeout);
    }

    private void EndSession(Instant now)
    {
        SessionsEnded++;
        DisarmSessionTimers();
        _services.Owners.Remove(_session.Stream);
        _reports.OnSessionLost(now, this, _session.TakeInFlight());
        _session.End();
        OnQueueGone(now);
    }

    /// <summary>What was queued for the session is gone, or is the retired session's.</summary>
    private void OnQueueGone(Instant now)
    {
        _services.Timers.Disarm(_hang);
        _refusedQuery = false;
        _stuck.OnSessionEnded(now);
        _suspicion.OnSessionEnded();
        _answers.OnSessionEnded();
        _prober.OnSessionEnded();
    }

    /// <summary>The balancer stops: the session ends, and nothing comes after it.</summary>
    public void Shutdown(Instant now)
    {
        _services.Timers.Disarm(_reconnect);
        _retired?.End(now);
        if (HasSession)
            EndSession(now);
        State = BackendState.BackingOff;
    }

    private void BackOff(Instant now, Fault fault)
    {
        State = BackendState.BackingOff;
        var backOff = _nextBackOff;
        _nextBackOff = Duration.Min(_nextBackOff + Limits.BackOffStep, Limits.MaxBackOff);
        _services.Timers.Arm(_reconnect, now + backOff);
        if (IsPlainStop(fault))
        {
            _services.Log.Write(new LogEvent.BackendStopped(Id, Path, fault.Io, backOff));
            return;
        }
        _services.Log.Write(new LogEvent.BackendFaulted(Id, Path, fault, backOff));
        if (fault.Cause == FaultCause.EndOfStream)
            _reports.OnDied(now, this);
    }

    /// <summary>
    /// Its process removed its socket and then ended the session, as an orderly stop does. The end
    /// often comes before the scan that would see the path gone, so the path is looked at.
    /// </summary>
    private bool IsPlainStop(Fault fault) => fault.Cause == FaultCause.EndOfStream
        && (!_pathPresent || _reports.IsGone(this));

    // ---- Its stream ----

    /// <summary>Puts a query into its queue; false if it takes no more for now.</summary>
    public bool TryForward(Instant now, in Query query, ReadOnlySpan<byte> payload)
    {
        if (!_session.TryForward(now, in query, payload))
        {
            _refusedQuery = true;
            _stuck.OnRefused(now, _session.QueuedBytes);
            return false;
        }
        _suspicion.OnQuery(now);
        _answers.OnQuery(now);
        _udpQueries++;
        _flushList.Add(this);
        return true;
    }

    /// <summary>A query that it did not take was dropped, since no other backend took it.</summary>
    public void CountDrop()
    {
        _dropsWhileStuck++;
        _stuck.OnDropped();
    }

    /// <summary>Whether a reply may still come that somebody waits for.</summary>
    public bool AwaitsReply(Instant now) => _session.InFlight.AwaitsReply(now)
        || (_retired?.AwaitsReply(now) ?? false);

    // ---- Suspicion ----

    /// <summary>Another may hang: whether this one is alive is to be known soon.</summary>
    public void AskBeside(Instant now)
    {
        if (State == BackendState.Healthy)
            _suspicion.AskBeside(now);
    }

    bool ISuspect.HasUnread => _turn.IsReadable;

    Instant ISuspect.NewestQueryAt => InFlight.NewestAt;

    void ISuspect.OnDoubtful(Instant now) => _reports.OnDoubtful(now, this);

    void ISuspect.AskForHeartbeat(Instant now)
    {
        if (!_heartbeatTimeout.IsArmed)
            OnHeartbeatDue(now);
    }

    void ISuspect.OnSuspected(Instant now, Duration silent)
    {
        _services.Counters.Add(Counter.BackendsSuspected);
        _services.Log.Write(new LogEvent.BackendSuspected(Id, Path, silent, InFlight.Count));
        _suspectedAt = now;
        _services.Timers.Arm(_hang, now + Limits.QuarantineHangTime);
        _reports.OnSuspected(now, InFlight);
    }

    void ISuspect.OnTrusted(Instant now, Duration suspect)
    {
        _services.Timers.Disarm(_hang);
        _session.InFlight.OnTrusted();
        _session.InFlight.EndWalk();
        _services.Counters.Add(Counter.BackendsTrusted);
        _services.Log.Write(new LogEvent.BackendTrusted(Id, Path, suspect));
        _reports.OnAtEase(now);
    }

    private void OnHangDue(Instant now)
    {
        if (!IsSilent)
            return;
        var spared = _services.Standstill.ExtendShort(now);
        if (now - _hang.Deadline > Limits.LatenessAllowed || _turn.IsReadable)
            _services.Timers.Arm(_hang, now + Limits.QuarantineHangTime);
        else if (spared > now)
            _services.Timers.Arm(_hang, spared);
        else
            _reports.OnHang(now, _suspectedAt, this);
    }

    // ---- Probes ----

    bool IProbed.HasUnread => _turn.IsReadable;

    bool IProbed.IsStuck => IsStuck;

    bool IProbed.TrySendProbe(Instant now, ushort id, ReadOnlySpan<byte> packet)
    {
        if (!_session.TrySendProbe(Prober.Source, packet))
            return false;
        _flushList.Add(this);
        _services.Log.Write(new LogEvent.ProbeSent(Id, id));
        return true;
    }

    void IProbed.OnProbeDown(ProbeFailure why, int failures) =>
        _services.Log.Write(new LogEvent.BackendDownByProbe(Id, Path, why, failures));

    void IProbed.OnProbeUp(Duration lasted) =>
        _services.Log.Write(new LogEvent.BackendUpByProbe(Id, Path, lasted));

    // ---- Answers ----

    private void OnAnswer(Instant now, ReadOnlySpan<byte> reply)
    {
        if (_answers.OnMatch(now))
            EndFailing(now);
        if (!DnsQuestion.HasHeader(reply))
            return;
        var isFailure = DnsQuestion.IsFailure(reply);
        _answers.OnAnswer(now, isFailure);
        // What it says while it starts is not held against it.
        if (!IsStarting(now) && _answers.Add(now, isFailure))
            _reports.OnDoubt(now, this);
    }

    /// <summary>Its answers are far worse than those of another.</summary>
    public void BeginFailing(Instant now, Backend than)
    {
        _answers.BeginFailing(now);
        _services.Counters.Add(Counter.BackendsFailing);
        _services.Log.Write(new LogEvent.BackendFailing(Id, Path, _answers.Failed,
            _answers.Answers, than.Id, than.Answers.Failed, than.Answers.Answers));
    }

    /// <summary>It answers no query, and another does: its clients go to others.</summary>
    public void BeginMute(Instant now)
    {
        _services.Counters.Add(Counter.BackendsFailing);
        _services.Log.Write(new LogEvent.BackendMute(Id, Path, _answers.InVain));
        _answers.BeginMute(now);
        _reports.OnSuspected(now, InFlight);
    }

    /// <summary>They are like the others' again, or are forgotten.</summary>
    public void EndFailing(Instant now)
    {
        _answers.EndFailing();
        _services.Counters.Add(Counter.BackendsNoLongerFailing);
        _services.Log.Write(new LogEvent.BackendNoLongerFailing(
            Id, Path, _answers.Failed, _answers.Answers, now - _answers.FailingSince));
    }

    /// <summary>Counts a TCP session that it took.</summary>
    /// <summary>
    /// A TCP connection was made to it and waits: that it hangs shows by this as by a query.
    /// </summary>
    public void OnConnectionWaits(Instant now)
    {
        if (State == BackendState.Healthy)
            _suspicion.OnQuery(now);
    }

    /// <summary>
    /// It took a connection; so many of its sessions had ended when the connection was made.
    /// </summary>
    public void OnConnectionTaken(long sessionsEnded)
    {
        _tcpSessions++;
        if (SessionsEnded == sessionsEnded)
            _suspicion.OnConnectionTaken();
    }

    public void OnReady(Instant now, SocketHandle stream, Readiness ready)
    {
        if ((ready & (Readiness.Read | Readiness.HangUp)) != 0)
            _turns.Add(this);
        if ((ready & Readiness.Write) != 0)
        {
            _session.OnWritable();
            _flushList.Add(this);
        }
    }

    /// <summary>Writes what waits, once; called when the turn ends.</summary>
    public void Flush(Instant now)
    {
        if (!HasSession)
            return;
        var taken = _session.BytesTaken;
        var wasStuck = IsStuck;
        var result = _session.Flush();
        if (!result.IsOk)
            OnWriteFailed(now, result);
        else if (_session.QueuedBytes == 0)
            OnDrained(now, wasStuck);
        else if (_session.BytesTaken > taken || !_stallTimeout.IsArmed)
            _services.Timers.Arm(_stallTimeout, now + Limits.StallTimeout);
    }

    /// <summary>
    /// The stream takes nothing any more. What its process answered before it ended may lie unread,
    /// so that is taken first.
    /// </summary>
    private void OnWriteFailed(Instant now, IoResult why)
    {
        for (var n = 0; n < Limits.LastReads && State != BackendState.AwaitingHello; n++)
        {
            var result = _services.Network.Read(_session.Stream, _services.ReadBuffer);
            if (!result.IsOk || !TryTakeReplies(now, _services.ReadBuffer.AsSpan(0, result.Count)))
                break;
        }
        OnFault(now, Fault.OfWrite(why));
    }

    /// <summary>Takes replies, and heartbeats for nothing; false if anything else came.</summary>
    private bool TryTakeReplies(Instant now, ReadOnlySpan<byte> input)
    {
        while (true)
        {
            var status = _session.Reader.Next(ref input, out var frame);
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

    ref SessionTurn ISessionReader.Turn => ref _turn;

    /// <summary>One read, and every frame in it.</summary>
    int ISessionReader.Read(Instant now, int mostBytes, out bool mayHaveMore)
    {
        mayHaveMore = false;
        if (!HasSession)
            return 0;
        var buffer = _services.ReadBuffer.AsSpan(0, mostBytes);
        var result = _services.Network.Read(_session.Stream, buffer);
        if (result.IsOk)
        {
            mayHaveMore = result.Count == mostBytes;
            _suspicion.OnByte(now);
            var frames = ReadFrames(now, buffer[..result.Count]);
            _suspicion.OnRead(now);
            if (_answers.AnswersNothing(now))
                _reports.OnDoubt(now, this);
            return frames;
        }
        if (result.Status != IoStatus.WouldBlock)
            OnFault(now, Fault.OfRead(result));
        return 0;
    }

    private int ReadFrames(Instant now, ReadOnlySpan<byte> input)
    {
        for (var frames = 0; ; frames++)
        {
            var status = _session.Reader.Next(ref input, out var frame);
            if (status == FrameStatus.Incomplete)
                return frames;
            if (FaultIn(status, in frame) is { } fault)
            {
                OnFault(now, fault);
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
                && _reports.OnReply(now, in frame, _session.InFlight, this))
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
            return State == BackendState.AwaitingHello
                ? new Fault(FaultCause.FrameBeforeHello, Detail: frame.Length)
                : new Fault(FaultCause.UnknownFrame, Detail: frame.Length);
        }
        var isHello = status == FrameStatus.Frame && frame.Type == FrameType.ServerHello;
        if (State == BackendState.AwaitingHello)
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
                || _session.HasUnsentHeartbeat => new Fault(FaultCause.UnaskedHeartbeat),
            _ => null,
        };
    }

    public BackendSnapshot Snapshot() => new(
        Id,
        Path,
        State,
        RemoteCount,
        _heartbeatTimeout.IsArmed,
        _nextBackOff,
        _connectsStarted,
        _connectsFailed,
        _udpQueries,
        _tcpSessions,
        _dropsWhileStuck,
        _session.QueuedBytes,
        _suspicion.IsSuspect,
        _answers.IsFailing,
        _prober.IsDown,
        _session.InFlight.Count);
}
