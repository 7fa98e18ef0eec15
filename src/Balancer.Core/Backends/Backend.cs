// Owns one backend: whether it is there, whether there is a session to it, and when to try again.
// What happens on the session, and what the backend's silence or its answers say about it, is
// BackendSession's; all others ask here.
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
// Any fault ends the session and schedules a connect: at once for a backend just discovered or
// restarted, then after 1, 3, 5, … 32 s; a hello sets that back to 1 s. A socket just discovered
// may be bound and not listen yet, or have the mode that it was bound with: it is tried a few times
// before that is a fault. One that is not a stream socket, or another user's, is refused while it
// stays. A session that ends after its backend's socket was removed is handled alike, and logged as
// a stop. A connect for which this process has no descriptor is not a fault of the backend: it is
// retried later; so is one that finds the accept queue full, less and less often. One that never
// said hello is dead, whether it takes connects or not: it may have to give its place to another.
//
// One whose sessions end by faults, or in silence, again and again has no clients for longer each
// time after its hello, while another is warm.
//
// What always holds: there is a session exactly in AwaitingHello, Healthy and Draining; a
// reconnect is scheduled exactly in BackingOff; a session that faults has ended before the back-off
// begins, so nothing of it reaches the next one.

using System;

namespace Balancer.Core;

/// <summary>One backend.</summary>
internal sealed class Backend
{
    private readonly Services _services;
    private readonly IBackendReports _reports;
    private readonly IBackendNeighbours _neighbours;
    private readonly BackendSession _session;
    private readonly byte[] _pathBytes;
    private readonly int _nameStart;
    private RetiredSession? _retired;
    private readonly Timer _reconnect;
    private Duration _nextBackOff = Limits.FirstBackOff;
    private int _quietTriesLeft;
    private EntryIdentity _identity;
    private EntryRefusal? _refusal;
    private bool _hasSaidHello;
    private bool _hadFault;
    private Instant _deadSince = Instant.Never;
    private Duration _fullPause = Limits.ConnectPause;
    private Instant _endedBadlyAt = Instant.Zero - Limits.FlapMemory;
    private Duration _longWarmUp;
    private bool _connectedSinceScan;
    private bool _pathPresent = true;
    private long _connectsStarted;
    private long _connectsFailed;
    private long _udpQueries;
    private long _tcpSessions;
    private long _dropsWhileStuck;

    public Backend(Services services, IBackendReports reports, IBackendNeighbours neighbours,
        FlushList flushList, SessionTurns turns, QueryPairs pairs, Quarantine quarantine,
        BackendId id, int slot, ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name)
    {
        _services = services;
        _reports = reports;
        _neighbours = neighbours;
        Id = id;
        Slot = slot;
        _nameStart = directory.Length + 1;
        _pathBytes = [.. directory, (byte)'/', .. name];
        Path = PathText.Of(_pathBytes);
        _session = new BackendSession(
            services, reports, neighbours, flushList, turns, pairs, quarantine, this);
        _reconnect = new Timer(Connect);
    }

    public BackendId Id { get; }

    /// <summary>Its index in the set, 1 to Limits.MaxBackends.</summary>
    public int Slot { get; }

    /// <summary>The path as text for the log (PathText).</summary>
    public string Path { get; }

    /// <summary>The path as the kernel takes it.</summary>
    public ReadOnlySpan<byte> PathBytes => _pathBytes;

    /// <summary>The entry's name in the directory.</summary>
    public ReadOnlySpan<byte> Name => _pathBytes.AsSpan(_nameStart);

    public BackendState State { get; private set; } = BackendState.BackingOff;

    /// <summary>When a byte of it came last on a session, but for its TCP connections.</summary>
    public Instant AliveAt { get; private set; }

    /// <summary>A byte of it came.</summary>
    public void NoteAlive(Instant now) => AliveAt = now;

    /// <summary>Means something while Removed.</summary>
    public Instant RemovedAt { get; private set; }

    /// <summary>
    /// Established remotes whose primary it is; kept by Bindings, like the list's two ends.
    /// </summary>
    public int RemoteCount { get; set; }

    /// <summary>Newcomers whose primary it is; kept by Bindings.</summary>
    public int NewcomerCount { get; set; }

    /// <summary>Remotes whose backup it is; kept by Bindings.</summary>
    public int BackupCount { get; set; }

    /// <summary>The established one bound to it last, as index + 1; 0 for none.</summary>
    public int NewestRemote { get; set; }

    /// <summary>It has bytes to write when the turn ends.</summary>
    public bool IsInFlushList => _session.IsInFlushList;

    /// <summary>The scan that last saw its path; kept by Discovery.</summary>
    public long SeenInScan { get; set; }

    /// <summary>The scan that was open at its last connect, 0 if none; kept by Discovery.</summary>
    public long ConnectedInScan { get; set; }

    /// <summary>
    /// It is gone for good, and no remote is bound to it; one that never said hello at once.
    /// </summary>
    public bool IsLongGone(Instant now) => MayBeForgotten
        && (!_hasSaidHello || now - RemovedAt >= Limits.RemovedRetention)
        && !(_refusal is not null && _pathPresent);

    /// <summary>
    /// When it may give its place to a new one: some time after the first connect since its last
    /// hello, whatever socket was there. Never if it has a hello, no connect was made yet, or a
    /// remote is bound to it. One that said hello once may be restarted, which takes longer.
    /// </summary>
    public Instant MayGiveWayAt =>
        State is BackendState.BackingOff or BackendState.AwaitingHello
            && IsUnbound && _deadSince != Instant.Never
            ? _deadSince + (_hasSaidHello ? Limits.DeadAfterHelloTime : Limits.DeadTime)
            : Instant.Never;

    public bool MayBeForgotten => State == BackendState.Removed && IsUnbound;

    private bool IsUnbound => !IsInFlushList
        && RemoteCount == 0 && NewcomerCount == 0 && BackupCount == 0
        && _retired is null or { HasEnded: true };

    /// <summary>A session stands, whether its hello has come or not.</summary>
    public bool HasSession => State
        is BackendState.AwaitingHello or BackendState.Healthy or BackendState.Draining;

    /// <summary>
    /// Sessions that ended after their hello; one that retired serves its TCP connections still.
    /// </summary>
    public long SessionsEnded { get; private set; }

    /// <summary>
    /// Sessions that retired since another socket came. Those made later go to another process, so
    /// their ends say nothing of the connections that the old one has.
    /// </summary>
    public long SessionsRetired { get; private set; }

    /// <summary>
    /// Tells its sessions apart: connects begun so far. The last one's until the next connect.
    /// </summary>
    public long SessionNumber => _connectsStarted;

    // ---- What its session says about it ----

    /// <summary>The queries in flight on its session.</summary>
    public InFlight InFlight => _session.InFlight;

    /// <summary>The queries in flight on its retired session, if that is silent.</summary>
    public InFlight? RetiredSilent => _retired?.SilentInFlight;

    /// <summary>Whether a reply may still come that somebody waits for.</summary>
    public bool AwaitsReply(Instant now) => _session.InFlight.AwaitsReply(now)
        || (_retired?.AwaitsReply(now) ?? false);

    public bool IsSuspect => _session.IsSuspect;

    /// <summary>Suspect, and not answering again for the time being.</summary>
    public bool IsSilent => _session.IsSilent;

    /// <summary>
    /// Asked for a heartbeat since it or another owes an answer, or suspect by now; and silent.
    /// </summary>
    public bool MayHang => _session.MayHang;

    /// <summary>Silent, and for so long that something may have hung it.</summary>
    public bool IsHung => _session.IsHung;

    /// <summary>Suspect, but it answers again, and is not stuck.</summary>
    public bool IsProving => _session.IsSuspect && !_session.IsSilent && !_session.IsStuck;

    /// <summary>It takes nothing for now.</summary>
    public bool IsStuck => _session.IsStuck;

    /// <summary>Neither suspect nor stuck.</summary>
    public bool IsAtEase => !_session.IsSuspect && !_session.IsStuck;

    /// <summary>Silent for a while with a query to answer; it may be suspect soon.</summary>
    public bool IsDoubtful(Instant now) => _session.IsDoubtful(now);

    /// <summary>What its last answers were.</summary>
    public AnswerRecord Answers => _session.Answers;

    /// <summary>It answers no query at all.</summary>
    public bool IsMute => _session.Answers.IsMute;

    /// <summary>Its answers are far worse than another's, or it gives none.</summary>
    public bool IsFailing => _session.Answers.IsFailing;

    /// <summary>It failed probes, and is not back.</summary>
    public bool IsDownByProbe => _session.IsDownByProbe;

    /// <summary>
    /// It answered a probe since its hello; without probes, that is longer ago than the warm-up,
    /// and it has not just given an error as its only kind of answer.
    /// </summary>
    public bool IsWarm(Instant now) => _session.IsWarm(now);

    /// <summary>It answers none of the queries that any backend answers.</summary>
    public bool AnswersNothing(Instant now) => _session.AnswersNothing(now);

    /// <summary>Nothing says that it does not answer queries.</summary>
    public bool MayAnswer(Instant now) => _session.MayAnswer(now);

    /// <summary>A query or a probe had a good answer on this session.</summary>
    public bool HasGoodAnswer => _session.HasGoodAnswer;

    /// <summary>It gave SERVFAIL lately and no good answer: it has no data, perhaps.</summary>
    public bool LacksData(Instant now) => _session.LacksData(now);

    /// <summary>
    /// An error of it says nothing yet: it is starting, and may have some of its data and not all,
    /// or it has given nothing else and another has.
    /// </summary>
    public bool MayErr(Instant now) => IsStarting(now)
        || (!HasGoodAnswer && _neighbours.HasAnotherGoodAnswer(this));

    /// <summary>Its hello came a moment ago: it may lack its data still.</summary>
    public bool IsStarting(Instant now) => _session.IsStarting(now);

    /// <summary>It may lack some of its data or all: an error of it may be wrong.</summary>
    public bool MayBeLoading(Instant now) => IsStarting(now) || LacksData(now);

    // ---- What it is given ----

    /// <summary>Puts a query into its queue; false if it takes no more for now.</summary>
    public bool TryForward(Instant now, in Query query, ReadOnlySpan<byte> payload)
    {
        if (!_session.TryForward(now, in query, payload))
            return false;
        _udpQueries++;
        return true;
    }

    /// <summary>
    /// Whether it is behind, and a client of it has more than its share of that; never while it is
    /// nobody else's backend, whom that would harm.
    /// </summary>
    public bool IsOverShare(Instant now, Ipv4 client, bool isNewcomer) =>
        RemoteCount + NewcomerCount + BackupCount > 1
        && _session.IsOverShare(now, client, isCrowd: isNewcomer && RemoteCount > 0);

    /// <summary>A query that it did not take was dropped, since no other backend took it.</summary>
    public void CountDrop()
    {
        _dropsWhileStuck++;
        _session.OnQueryDropped();
    }

    /// <summary>
    /// A TCP connection was made to it and waits, or a message was passed on to it: that it hangs
    /// shows by this as by a query.
    /// </summary>
    public void OnConnectionWaits(Instant now)
    {
        if (State == BackendState.Healthy)
            _session.OnConnectionWaits(now);
    }

    /// <summary>
    /// It took a connection; so many of its sessions had ended when the connection was made.
    /// </summary>
    public void OnConnectionTaken(Instant now, long sessionsEnded)
    {
        _tcpSessions++;
        if (SessionsEnded == sessionsEnded)
            _session.OnConnectionTaken(now);
    }

    /// <summary>
    /// It answered a message over TCP, which was passed on then to this session of it, with this
    /// code; null if that is not known.
    /// </summary>
    public void OnMessageAnswered(
        Instant now, long session, Instant passedOnAt, ResponseCode? code)
    {
        if (State == BackendState.Healthy && SessionNumber == session)
            _session.OnMessageAnswered(now, passedOnAt, code);
    }

    /// <summary>Another may hang: whether this one is alive is to be known soon.</summary>
    public void AskBeside(Instant now)
    {
        if (State == BackendState.Healthy)
            _session.AskBeside(now);
    }

    // ---- What its answers are beside the others' ----

    /// <summary>Its answers are far worse than those of another.</summary>
    public void BeginFailing(Instant now, Backend than)
    {
        Answers.BeginFailing(now);
        _services.Counters.Add(Counter.BackendsFailing);
        _services.Log.Write(new LogEvent.BackendFailing(Id, Path, Answers.Failed,
            Answers.Answers, than.Id, than.Answers.Failed, than.Answers.Answers));
    }

    /// <summary>It answers no query, and another does: its clients go to others.</summary>
    public void BeginMute(Instant now)
    {
        _services.Counters.Add(Counter.BackendsFailing);
        _services.Log.Write(new LogEvent.BackendMute(Id, Path, InFlight.Count));
        Answers.BeginMute(now);
        _reports.OnSuspected(now, InFlight);
    }

    /// <summary>They are like the others' again, or are forgotten.</summary>
    public void EndFailing(Instant now)
    {
        Verify.That(IsFailing, "who fails no longer has failed");
        // Queries of a suspect backend continue to be copied.
        if (IsMute && !IsSuspect)
            InFlight.EndWalks();
        if (IsMute)
            InFlight.ForgetUnanswered(now);
        Answers.EndFailing();
        _services.Counters.Add(Counter.BackendsNoLongerFailing);
        _services.Log.Write(new LogEvent.BackendNoLongerFailing(
            Id, Path, Answers.Failed, Answers.Answers, now - Answers.FailingSince));
    }

    /// <summary>Logs what happens to it, as much as may be logged of an entry.</summary>
    private void Say<TEvent>(Instant now, in TEvent logged) where TEvent : struct, ILogEvent =>
        _services.EntryRecords.Write(now, Name, _hasSaidHello, in logged);

    /// <summary>It is forgotten.</summary>
    public void OnForgotten(Instant now) => Say(now, new LogEvent.BackendForgotten(Id, Path));

    // ---- What a scan of the directory sees ----

    /// <summary>A scan sees the path for the first time: connect.</summary>
    public void OnDiscovered(Instant now, EntryIdentity identity)
    {
        _identity = identity;
        Say(now, new LogEvent.BackendDiscovered(Id, Path));
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
        // If there is no memory for that, another scan sees it.
        if (isAnother && HasSession)
            _session.PrepareToRetire();
        if (identity != _identity)
            _refusal = null;
        _identity = identity;
        _connectedSinceScan = false;
        _pathPresent = true;
        if (_refusal is not null)
            return;
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
        Say(now, new LogEvent.BackendResumed(Id, Path));
        _reports.OnHealthy(now);
    }

    /// <summary>
    /// A whole scan did not see the path. One that never said hello is not waited for.
    /// </summary>
    public void OnPathMissing(Instant now, long scan)
    {
        // A connect that succeeded while that scan was open knows better; it asked for another.
        if (HasSession && ConnectedInScan == scan)
            return;
        _pathPresent = false;
        _connectedSinceScan = false;
        if (State == BackendState.BackingOff && _hadFault && !_hasSaidHello)
            Remove(now);
        if (State != BackendState.Healthy)
            return;
        State = BackendState.Draining;
        Say(now, new LogEvent.BackendDraining(Id, Path));
    }

    private void OnReturned(Instant now)
    {
        Verify.That(State == BackendState.Removed, "who returns was removed");
        State = BackendState.BackingOff;
        _nextBackOff = Limits.FirstBackOff;
        _hadFault = false;
        _deadSince = Instant.Never;
        Answers.ForgetMutes();
        Say(now, new LogEvent.BackendReturned(Id, Path));
        _quietTriesLeft = Limits.QuietTries;
        Connect(now);
    }

    /// <summary>The backend was restarted: its new socket is connected to at once.</summary>
    private void OnRestarted(Instant now)
    {
        Say(now, new LogEvent.BackendRestarted(Id, Path));
        _nextBackOff = Limits.FirstBackOff;
        _hadFault = false;
        Answers.ForgetMutes();
        if (IsSuspect)
            NoteBadEnd(now);
        if (State == BackendState.AwaitingHello)
        {
            _connectsFailed++;
            EndSession(now);
        }
        else if (HasSession)
        {
            SessionsRetired++;
            _retired = _session.Retire(now, _retired);
        }
        State = BackendState.BackingOff;
        _quietTriesLeft = Limits.QuietTries;
        Connect(now);
    }

    // ---- Whether there is a session ----

    private void Connect(Instant now)
    {
        Verify.That(State == BackendState.BackingOff, "one attempt at a time, none while removed");
        _services.Timers.Disarm(_reconnect);
        _connectsStarted++;
        var result = _services.Network.ConnectBackend(_pathBytes, out var stream);
        if (result.Status is not (IoStatus.TooManyFiles or IoStatus.NoBuffers))
            _deadSince = Instant.Min(_deadSince, now);
        if (result.Status != IoStatus.WouldBlock)
            _fullPause = Limits.ConnectPause;
        if (!result.IsOk)
        {
            OnConnectFailed(now, result);
            return;
        }
        try
        {
            _services.Owners.Reserve(stream);
        }
        catch (OutOfMemoryException)
        {
            _services.Network.Close(stream);
            OnConnectFailed(now, IoResult.Failed(IoStatus.NoBuffers));
            return;
        }
        _quietTriesLeft = 0;
        _connectedSinceScan = true;
        _pathPresent = true;
        State = BackendState.AwaitingHello;
        _session.Begin(now, stream);
        _reports.OnConnected(now, this);
        _services.Log.Write(new LogEvent.BackendConnected(Id, Path));
    }

    private void OnConnectFailed(Instant now, IoResult why)
    {
        _connectsFailed++;
        if (why.Status is IoStatus.TooManyFiles or IoStatus.NoBuffers or IoStatus.WouldBlock)
        {
            _services.Timers.Arm(_reconnect, now + _fullPause);
            if (why.Status == IoStatus.WouldBlock)
                _fullPause = Duration.Min(_fullPause + _fullPause, Limits.LongestConnectPause);
            _reports.OnWithoutResources(now, this, why);
            return;
        }
        if (_quietTriesLeft > 0 && why.Status
            is IoStatus.Refused or IoStatus.NotFound or IoStatus.AccessDenied)
        {
            var tried = Limits.QuietTries - _quietTriesLeft--;
            var delay = new Duration(Limits.FirstQuietDelay.Nanoseconds << tried);
            _services.Timers.Arm(_reconnect, now + delay);
            return;
        }
        _quietTriesLeft = 0;
        _refusal = why.Status switch
        {
            IoStatus.WrongType => EntryRefusal.NotAStream,
            IoStatus.WrongUser => EntryRefusal.WrongUser,
            _ => null,
        };
        if (_refusal is null && why.Status != IoStatus.NotFound)
        {
            BackOff(now, new Fault(FaultCause.ConnectFailed, why));
            return;
        }
        Remove(now);
    }

    private void Remove(Instant now)
    {
        _services.Timers.Disarm(_reconnect);
        State = BackendState.Removed;
        RemovedAt = now;
        if (_refusal is { } refusal)
            Say(now, new LogEvent.EntryRefused(Path, refusal));
        else
            Say(now, new LogEvent.BackendRemoved(Id, Path));
    }

    /// <summary>The session's SERVER_HELLO came.</summary>
    public void OnHello(Instant now)
    {
        Verify.That(State == BackendState.AwaitingHello, "a session says hello once");
        State = _pathPresent ? BackendState.Healthy : BackendState.Draining;
        _nextBackOff = Limits.FirstBackOff;
        _hasSaidHello = true;
        _deadSince = Instant.Never;
        Say(now, new LogEvent.BackendHealthy(Id, Path));
        if (_pathPresent)
            _reports.OnHealthy(now);
        else
            Say(now, new LogEvent.BackendDraining(Id, Path));
    }

    /// <summary>Something is wrong with the session: ends it.</summary>
    public void OnFault(Instant now, Fault fault)
    {
        Verify.That(HasSession, "only a session can fault");
        var saidHello = State != BackendState.AwaitingHello;
        var wasSuspect = IsSuspect;
        _connectsFailed += saidHello ? 0 : 1;
        EndSession(now);
        var isStop = BackOff(now, fault);
        if (saidHello && (wasSuspect || !isStop))
            NoteBadEnd(now);
    }

    /// <summary>
    /// A session ended by a fault, or while it was suspect. When that happens again soon, and soon
    /// after it was warm, the next one is cold for longer: it may be hung or dead again as soon as
    /// it has clients.
    /// </summary>
    private void NoteBadEnd(Instant now)
    {
        if (now - _session.WarmAt >= Limits.FlapTime)
            return;
        _longWarmUp = now - _endedBadlyAt >= Limits.FlapMemory ? Duration.Zero
            : Duration.Max(Limits.FirstLongWarmUp,
                Duration.Min(_longWarmUp + _longWarmUp, Limits.LongestWarmUp));
        _endedBadlyAt = now;
    }

    /// <summary>How long a session is cold, at least, that says hello now; zero for most.</summary>
    public Duration LongWarmUp(Instant now) =>
        now - _endedBadlyAt < Limits.FlapMemory ? _longWarmUp : Duration.Zero;

    private void EndSession(Instant now)
    {
        // TCP connections belong to a process that said hello; one that never did, has none.
        if (State != BackendState.AwaitingHello)
            SessionsEnded++;
        _session.End(now);
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

    /// <summary>Schedules the next connect; whether what ended was an orderly stop.</summary>
    private bool BackOff(Instant now, Fault fault)
    {
        State = BackendState.BackingOff;
        _hadFault = true;
        var backOff = _nextBackOff;
        _nextBackOff = Duration.Min(_nextBackOff + Limits.BackOffStep, Limits.MaxBackOff);
        _services.Timers.Arm(_reconnect, now + backOff);
        if (IsPlainStop(fault))
        {
            Say(now, new LogEvent.BackendStopped(Id, Path, fault.Io, backOff));
            return true;
        }
        Say(now, new LogEvent.BackendFaulted(Id, Path, fault, backOff));
        if (fault.IsDeath)
            _reports.OnDied(now, this);
        return false;
    }

    /// <summary>
    /// Its process removed its socket and then ended the session, as an orderly stop does. The end
    /// often comes before the scan that would see the path gone, so the path is looked at.
    /// </summary>
    private bool IsPlainStop(Fault fault) => fault.Cause == FaultCause.EndOfStream
        && (!_pathPresent || _neighbours.IsGone(this));

    public BackendSnapshot Snapshot() => new(
        Id,
        Path,
        State,
        RemoteCount,
        _session.IsHeartbeatOut,
        _nextBackOff,
        _connectsStarted,
        _connectsFailed,
        _udpQueries,
        _tcpSessions,
        _dropsWhileStuck,
        _session.QueuedBytes,
        _session.IsSuspect,
        HasSession && _session.IsStuck,
        _session.Answers.IsFailing,
        _session.Answers.IsMute,
        _session.IsDownByProbe,
        State is BackendState.Healthy or BackendState.Draining ? _session.ColdUntil : Instant.Zero,
        _session.InFlight.Count);
}
