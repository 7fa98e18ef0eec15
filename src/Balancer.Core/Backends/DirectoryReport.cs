// Owns the log records that say that the directory of sockets cannot be read, and that it can be
// again. Whoever may change its mode or remove it can make that change at every scan; so after a
// record the next one comes 5 s later at the earliest, and says what is so then.
//
// What always holds: every change is in exactly one record, as its subject or in its number; by the
// time nothing changes for 5 s the last record says what is so; the timer is armed exactly while
// something is suppressed.

namespace Balancer.Core;

/// <summary>Logs whether the directory can be read, at most once every 5 s.</summary>
internal sealed class DirectoryReport : LogGates.ILogGate
{
    private readonly Timers _timers;
    private readonly IBalancerLog _log;
    private readonly string _directory;
    private readonly Timer _due;
    private IoResult _last;
    private long _changes;
    private LogInterval _interval;

    public DirectoryReport(Services services, string directory)
    {
        _timers = services.Timers;
        _log = services.Log;
        _directory = directory;
        _due = new Timer(Pass);
        services.Gates.Add(this);
    }

    /// <summary>It can be read now, or cannot, or for another reason.</summary>
    public void OnChanged(Instant now, IoResult result)
    {
        _last = result;
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
        var suppressed = _changes - 1;
        if (_last.IsOk)
            _log.Write(new LogEvent.DirectoryReadable(_directory, suppressed));
        else
            _log.Write(new LogEvent.DirectoryUnreadable(_directory, _last, suppressed));
        _changes = 0;
        _interval.Begin(now);
    }
}
