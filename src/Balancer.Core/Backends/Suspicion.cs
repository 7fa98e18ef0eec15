// Owns the question whether a backend is silent, and whether it is believed again.
//
//   Idle ── a query is queued ──→ Waiting ── 100 ms ──→ Asked ── 100 ms ──→ Suspect
//    ▲  ▲                            │                    │                   │  ▲
//    │  └────────── a byte ──────────┴────────────────────┘            a byte │  │ silent again
//    └───────── proven, or no proof needed ────────── Proving ←───────────────┘──┘
//
// A query is a question, over TCP too, and so is a heartbeat, which is sent when a query alone
// brought nothing for 100 ms: a query may take its time, a heartbeat does not. A byte answers the
// question, and the queries that it leaves in flight are the next one: a backend that hangs just
// after it said something is found out as fast as any. A backend that was believed again a short
// while ago has to prove itself: it answers heartbeats, one after the other, for as long as it
// takes.
//
// A query that is never answered does not count any more once a heartbeat was answered that was
// sent 100 ms after it. As long as there are only such, the next heartbeat is sent after 200 ms,
// then after 400, and so on, and at once 100 ms after a newer query.
//
// When one is asked because a query brought nothing, all others that owe no answer are asked:
// backends may hang together, and when this one is suspect it must be known which are alive.
//
// One timer does it all. It is left armed when a byte comes, because a busy backend sends one for
// every query, and finds out for itself that there is nothing to do.
//
// A wait that ends late, or while something of the session lies unread, says nothing about the
// backend: the balancer stood still, or the whole machine did. It begins again; and as backends may
// go on later than the balancer, none becomes suspect in the time that is given after that.
//
// It watches a session, and goes on when that retires (RetiredSession).
//
// What always holds: the backend is suspect exactly in Suspect and Proving; in Waiting and Asked
// the timer is armed; each BackendTrusted ends one BackendSuspected.

namespace Balancer.Core;

/// <summary>What a backend does, or its retired session, when it is suspected.</summary>
internal interface ISuspect
{
    /// <summary>Something that came on its session lies unread.</summary>
    bool HasUnread { get; }

    /// <summary>
    /// When the newest of the queries and TCP messages was passed on that it has not answered;
    /// Never if there is none.
    /// </summary>
    Instant NewestQueryAt(Instant now);

    /// <summary>It owes an answer for so long that it may be suspect soon.</summary>
    void OnDoubtful(Instant now);

    /// <summary>Sends a heartbeat, unless one is out.</summary>
    void AskForHeartbeat(Instant now);

    /// <summary>It is suspect from now on, having been silent for so long.</summary>
    void OnSuspected(Instant now, Duration silent);

    /// <summary>It was asked for a heartbeat, and says something before it is suspect.</summary>
    void OnDoubtOver(Instant now);

    /// <summary>It is suspect still, answered again for a while, and is silent.</summary>
    void OnSilentAgain(Instant now);

    /// <summary>It is suspect still, and answers again.</summary>
    void OnAnswersAgain(Instant now);

    /// <summary>It is trusted again, having been suspect for so long.</summary>
    void OnTrusted(Instant now, Duration suspect);
}

/// <summary>Watches one backend's silence.</summary>
internal sealed class Suspicion
{
    private static readonly Duration FirstLongWait = Limits.SilenceTime + Limits.SilenceTime;
    private static readonly Instant BeforeAll = Instant.Zero - Limits.SilenceTime;

    private readonly Timers _timers;
    private readonly Standstill _standstill;
    private ISuspect _watched;
    private readonly Timer _timer;
    private Phase _phase;
    private Instant _since;
    private Instant _suspectSince;
    private Instant _provingSince;
    private Instant _askedBesideAt = BeforeAll;
    private Instant _trustedAt = Instant.Never;
    private Duration _proof;
    private bool _wasAsked;

    /// <summary>How long the wait is that began at _since.</summary>
    private Duration _wait;

    /// <summary>How long it is for queries that were put into its queue up to _oldUntil.</summary>
    private Duration _longWait = FirstLongWait;

    private Instant _oldUntil = BeforeAll;

    public Suspicion(Timers timers, Standstill standstill, ISuspect watched)
    {
        _timers = timers;
        _standstill = standstill;
        _watched = watched;
        _timer = new Timer(OnDue);
    }

    private enum Phase
    {
        /// <summary>It has no query, or none that it was given or kept since a byte came.</summary>
        Idle,

        /// <summary>
        /// A query is queued or sent, or was left over, and no byte came since.
        /// </summary>
        Waiting,

        /// <summary>It was asked for a heartbeat, and no byte came since.</summary>
        Asked,

        /// <summary>It is not trusted, and silent.</summary>
        Suspect,

        /// <summary>It is not trusted, and answers.</summary>
        Proving,
    }

    public bool IsSuspect => _phase >= Phase.Suspect;

    /// <summary>Suspect, and nothing came since.</summary>
    public bool IsSilent => _phase == Phase.Suspect;

    /// <summary>
    /// It was asked for a heartbeat because it owes an answer, and no byte came yet.
    /// </summary>
    public bool MayHang => _phase is Phase.Asked or Phase.Suspect;

    private bool IsCondemned => _phase == Phase.Asked || (_phase == Phase.Proving && _wasAsked);

    /// <summary>
    /// It owes an answer for so long that it may have hung; what must not be lost a second time is
    /// better sent to another.
    /// </summary>
    public bool IsDoubtful(Instant now) => _phase == Phase.Asked
        || (_phase == Phase.Waiting && _wait == Limits.SilenceTime
            && now - _since >= Limits.DoubtTime);

    /// <summary>
    /// A query was put into the backend's queue, a TCP message was passed on to it, or a TCP
    /// connection waits for it.
    /// </summary>
    public void OnQuery(Instant now)
    {
        if (_phase == Phase.Idle)
        {
            Wait(now, Limits.SilenceTime);
        }
        else if (_phase == Phase.Waiting && _wait != Limits.SilenceTime)
        {
            // No longer than for this one, and no longer than it would have been without it.
            var end = Instant.Min(_since + _wait, now + Limits.SilenceTime);
            _since = end - Limits.SilenceTime;
            _wait = Limits.SilenceTime;
        }
    }

    /// <summary>
    /// Another may hang: asks it for a heartbeat, if nothing is waited for that shows soon whether
    /// it does too, and if it was not asked so less than Limits.SilenceTime ago.
    /// </summary>
    public void AskBeside(Instant now)
    {
        if ((_phase != Phase.Idle && !(_phase == Phase.Waiting && _wait != Limits.SilenceTime))
            || now - _askedBesideAt < Limits.SilenceTime)
        {
            return;
        }
        // It owes nothing, so a short pause is no more to it than to any other; or only what it was
        // to be asked for anyway, and then it has no longer than it would have had.
        var due = now + Limits.SilenceTime + Limits.SilenceTime;
        if (_phase == Phase.Waiting)
            due = Instant.Min(due, _since + _wait + Limits.SilenceTime);
        _askedBesideAt = now;
        _since = now;
        _phase = Phase.Asked;
        _wasAsked = true;
        _timers.Arm(_timer, due);
        _watched.AskForHeartbeat(now);
    }

    /// <summary>
    /// It took a TCP connection, so it is alive; only queries are waited for, if there are any.
    /// </summary>
    public void OnConnectionTaken(Instant now)
    {
        if (_phase == Phase.Waiting && _watched.NewestQueryAt(now) == Instant.Never)
            _phase = Phase.Idle;
    }

    /// <summary>
    /// It answered a TCP message that was passed on then. That it was alive since the wait began is
    /// sure only if that was not before; what is read over TCP may be old, since its client may not
    /// have taken it. So a suspect is not trusted because of it, but by its heartbeat.
    /// </summary>
    public void OnMessageAnswered(Instant now, Instant passedOnAt)
    {
        if (_phase is Phase.Waiting or Phase.Asked && passedOnAt >= _since)
        {
            EndWait(now);
            OnRead(now);
            return;
        }
        OnConnectionTaken(now);
    }

    private void Wait(Instant now, Duration time)
    {
        _phase = Phase.Waiting;
        _since = now;
        _wait = time;
        // After a standstill it is armed for later.
        if (!_timer.IsArmed || _timer.Deadline > now + Limits.SilenceTime)
            _timers.Arm(_timer, now + Limits.SilenceTime);
    }

    /// <summary>At least one byte came.</summary>
    public void OnByte(Instant now)
    {
        if (_phase <= Phase.Asked)
        {
            EndWait(now);
        }
        else if (_phase == Phase.Proving)
        {
            _wasAsked = false;
        }
        else if (_proof == Duration.Zero)
        {
            Trust(now);
        }
        else
        {
            _phase = Phase.Proving;
            _provingSince = now;
            _wasAsked = false;
            _timers.Arm(_timer, now + Limits.SilenceTime);
            _watched.OnAnswersAgain(now);
        }
    }

    /// <summary>It is not suspect, and alive.</summary>
    private void EndWait(Instant now)
    {
        var wasInDoubt = _phase == Phase.Asked;
        _phase = Phase.Idle;
        if (wasInDoubt)
            _watched.OnDoubtOver(now);
    }

    /// <summary>What came was dealt with: the queries that are left are waited for.</summary>
    public void OnRead(Instant now)
    {
        // Each read asks, so the queries are looked for only where they matter.
        if (_phase == Phase.Idle && _watched.NewestQueryAt(now) is var newest
            && newest != Instant.Never)
        {
            Wait(now, newest > _oldUntil ? Limits.SilenceTime : _longWait);
        }
    }

    /// <summary>A heartbeat was answered that was sent then.</summary>
    public void OnHeartbeatAnswered(Instant now, Instant sentAt)
    {
        var isNewer = _watched.NewestQueryAt(now) > _oldUntil;
        _longWait = isNewer ? FirstLongWait
            : Duration.Min(_longWait + _longWait, Limits.HeartbeatInterval);
        _oldUntil = sentAt - Limits.SilenceTime;
    }

    /// <summary>The session that it watches is somebody else's from now on.</summary>
    public void PassTo(ISuspect heir) => _watched = heir;

    /// <summary>The session ended: the next one begins with a clean sheet.</summary>
    public void OnSessionEnded()
    {
        _timers.Disarm(_timer);
        _phase = Phase.Idle;
        _trustedAt = Instant.Never;
        _proof = Duration.Zero;
        _oldUntil = BeforeAll;
        _longWait = FirstLongWait;
        _askedBesideAt = BeforeAll;
    }

    private void OnDue(Instant now)
    {
        if (_phase == Phase.Idle)
            return;
        Verify.That(_phase != Phase.Suspect, "nothing is due of a backend that is silent");
        if (now - _timer.Deadline > Limits.LatenessAllowed || _watched.HasUnread)
        {
            if (_phase == Phase.Waiting)
                _since = now;
            _timers.Arm(_timer, now + Limits.SilenceTime);
        }
        else if (_phase == Phase.Waiting && _since + _wait > now)
        {
            // A newer query may make the wait shorter, so no more than that is slept.
            _timers.Arm(_timer, Instant.Min(_since + _wait, now + Limits.SilenceTime));
        }
        else if (IsCondemned && _standstill.ExtendShort(now) > now)
        {
            _timers.Arm(_timer, _standstill.ExtendShort(now));
        }
        else if (_phase == Phase.Asked)
        {
            Suspect(now);
        }
        else if (IsCondemned)
        {
            _phase = Phase.Suspect;
            _watched.OnSilentAgain(now);
        }
        else if (_phase == Phase.Proving && now - _provingSince >= _proof)
        {
            Trust(now);
            OnRead(now);
        }
        else
        {
            var isFirst = _phase == Phase.Waiting;
            if (isFirst)
                _phase = Phase.Asked;
            _wasAsked = true;
            _timers.Arm(_timer, now + Limits.SilenceTime);
            if (isFirst)
                _watched.OnDoubtful(now);
            // The session may end by this.
            _watched.AskForHeartbeat(now);
        }
    }

    private void Suspect(Instant now)
    {
        Verify.That(_phase == Phase.Asked, "who is suspected was asked");
        _phase = Phase.Suspect;
        _suspectSince = now;
        _proof = NeedsProof(now)
            ? Duration.Max(
                Limits.FirstProof, Duration.Min(_proof + _proof, Limits.LongestProof))
            : Duration.Zero;
        _watched.OnSuspected(now, now - _since);
    }

    private bool NeedsProof(Instant now) =>
        _trustedAt != Instant.Never && now - _trustedAt < Limits.SuspicionMemory;

    private void Trust(Instant now)
    {
        Verify.That(IsSuspect, "who is trusted again was suspect");
        _timers.Disarm(_timer);
        _phase = Phase.Idle;
        _trustedAt = now;
        _watched.OnTrusted(now, now - _suspectSince);
    }
}
