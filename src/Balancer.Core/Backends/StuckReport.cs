// Owns the log records that say that a backend is stuck and that it no longer is. From the first
// query that it does not take until everything queued is written, or the session ends, it is one
// episode: backend_stuck at once and every 5 s while it does not take queries, backend_unstuck at
// the end. A backend that is stuck again within 5 s of the last backend_stuck is not logged at
// once; if it has drained by the end of these 5 s, only the end is logged, for all such episodes as
// one.
//
// What always holds: at most one backend_stuck comes in 5 s for one session, and each
// backend_unstuck ends one or takes its place; every query that is dropped is in the number of
// exactly one backend_unstuck, at the latest when its session ends; the timer is armed exactly
// while something is suppressed, so never without a session.

namespace Balancer.Core;

/// <summary>How a backend ceased to be stuck.</summary>
public enum StuckEnd
{
    /// <summary>Everything that was queued for it is written.</summary>
    Drained,

    /// <summary>Its session ended, and what was queued is lost, or was replaced.</summary>
    SessionEnded,
}

/// <summary>Logs the beginning and the end of one backend's being stuck.</summary>
internal sealed class StuckReport
{
    private readonly Services _services;
    private readonly BackendId _id;
    private readonly Timer _due;
    private Instant _since;
    private Instant _drainedAt = Instant.Never;
    private long _dropped;
    private long _suppressed;
    private int _queuedBytes;
    private bool _isStuck;
    private bool _isLogged;
    private LogInterval _interval;

    public StuckReport(Services services, BackendId id)
    {
        _services = services;
        _id = id;
        _due = new Timer(OnDue);
    }

    /// <summary>A query was not taken since so many bytes wait.</summary>
    public void OnRefused(Instant now, int queuedBytes)
    {
        if (!_isStuck)
            _since = now;
        _isStuck = true;
        _suppressed++;
        _queuedBytes = queuedBytes;
        _drainedAt = Instant.Never;
        if (_interval.IsOver(now))
            LogStuck(now);
        else if (!_due.IsArmed)
            _services.Timers.Arm(_due, _interval.End);
    }

    /// <summary>No other backend took the query either.</summary>
    public void OnDropped()
    {
        Verify.That(_isStuck, "a query is dropped when it was not taken");
        _dropped++;
    }

    /// <summary>Nothing is queued for it; called whenever that is so, stuck or not.</summary>
    public void OnDrained(Instant now)
    {
        if (!_isStuck || _drainedAt != Instant.Never)
            return;
        _drainedAt = now;
        if (_isLogged)
            LogEnd(now);
    }

    /// <summary>The session ended; nothing of it is logged later.</summary>
    public void OnSessionEnded(Instant now)
    {
        if (_isStuck)
            LogEnd(now);
    }

    private void OnDue(Instant now)
    {
        Verify.That(_isStuck, "a report is due while there is something to report");
        if (_drainedAt == Instant.Never)
        {
            LogStuck(now);
            return;
        }
        LogEnd(now);
        _interval.Begin(now);
    }

    private void LogStuck(Instant now)
    {
        _services.Timers.Disarm(_due);
        _services.Log.Write(new LogEvent.BackendStuck(_id, _queuedBytes, _suppressed - 1));
        _suppressed = 0;
        _isLogged = true;
        _interval.Begin(now);
    }

    private void LogEnd(Instant now)
    {
        _services.Timers.Disarm(_due);
        var hasDrained = _drainedAt != Instant.Never;
        _services.Log.Write(new LogEvent.BackendUnstuck(_id,
            (hasDrained ? _drainedAt : now) - _since, _dropped,
            hasDrained ? StuckEnd.Drained : StuckEnd.SessionEnded));
        _drainedAt = Instant.Never;
        _isStuck = false;
        _dropped = 0;
        _suppressed = 0;
        _isLogged = false;
    }
}
