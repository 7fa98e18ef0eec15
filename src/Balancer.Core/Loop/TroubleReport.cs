// Owns the log records that say that a trouble has begun, or is another now, and that it is over.
// What brings it about may come and go at every turn; so after a record the next one comes 5 s
// later at the earliest, and says what is so then.
//
// What always holds: every change is in exactly one record, as its subject or in its number; by the
// time nothing changes for 5 s the last record says what is so; the timer is armed exactly while
// something is suppressed.

namespace Balancer.Core;

/// <summary>Logs that one thing is wrong, or no longer, at most once every 5 s.</summary>
internal sealed class TroubleReport<TBegun, TOver> : LogGates.ILogGate
    where TBegun : struct, IRepeatedEvent<TBegun>
    where TOver : struct, IRepeatedEvent<TOver>
{
    private readonly Timers _timers;
    private readonly IBalancerLog _log;
    private readonly Timer _due;
    private bool _isOn;
    private TBegun _begun;
    private TOver _over;
    private long _changes;
    private LogInterval _interval;

    public TroubleReport(Services services)
    {
        _timers = services.Timers;
        _log = services.Log;
        _due = new Timer(Pass);
        services.Gates.Add(this);
    }

    /// <summary>The trouble is there now, or is another.</summary>
    public void OnBegun(Instant now, in TBegun begun)
    {
        _begun = begun;
        OnChanged(now, isOn: true);
    }

    /// <summary>It is over.</summary>
    public void OnOver(Instant now, in TOver over)
    {
        _over = over;
        OnChanged(now, isOn: false);
    }

    private void OnChanged(Instant now, bool isOn)
    {
        _isOn = isOn;
        _changes++;
        if (_interval.IsOver(now))
            Pass(now);
        else if (!_due.IsArmed)
            _timers.Arm(_due, _interval.End);
    }

    /// <summary>Logs what is suppressed, if anything is, without waiting for its time.</summary>
    public void Settle(Instant now)
    {
        if (_changes > 0)
            Pass(now);
    }

    private void Pass(Instant now)
    {
        Verify.That(_changes > 0, "a report is about a change");
        _timers.Disarm(_due);
        if (_isOn)
            _log.Write(_begun.WithSuppressed(_changes - 1));
        else
            _log.Write(_over.WithSuppressed(_changes - 1));
        _changes = 0;
        _interval.Begin(now);
    }
}
