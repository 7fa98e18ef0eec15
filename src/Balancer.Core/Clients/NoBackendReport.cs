// Owns the log records that say that clients get no backend, and that one is healthy again, for UDP
// and TCP together: whatever they ask with, the condition is one. An outage begins with the first
// query or connection that finds no backend, since before that nobody misses one, and ends when a
// backend becomes healthy. One backend that comes and goes makes any number of them: those that end
// within 5 s of the last record share the next.
//
// What always holds: every query and connection that found no backend is counted in exactly one
// outage_ended; of those after the last one, when the balancer has stopped, each is in exactly one
// no_healthy_backend; the timer is armed only while the end of an outage is to be logged.

namespace Balancer.Core;

/// <summary>
/// Logs that no backend is healthy, and how long that was and what it cost, each at most once every
/// 5 s.
/// </summary>
internal sealed class NoBackendReport : LogGates.ILogGate
{
    private readonly Services _services;
    private readonly LogGate<LogEvent.NoHealthyBackend> _gate;
    private readonly Timer _due;
    private bool _isOutage;
    private Instant _since;
    private Duration _lasted;
    private long _ended;
    private long _queries;
    private long _connections;
    private LogInterval _interval;

    public NoBackendReport(Services services)
    {
        _services = services;
        _gate = services.Gates.Make<LogEvent.NoHealthyBackend>();
        _due = new Timer(OnDue);
        services.Gates.Add(this);
    }

    /// <summary>A query was dropped, or a connection refused.</summary>
    public void OnDropped(Instant now, Traffic traffic)
    {
        if (!_isOutage)
            (_isOutage, _since) = (true, now);
        _ = traffic == Traffic.Udp ? _queries++ : _connections++;
        _gate.Write(now, new LogEvent.NoHealthyBackend(1));
    }

    /// <summary>A backend became healthy, the first one or not.</summary>
    public void OnHealthy(Instant now)
    {
        if (!_isOutage)
            return;
        _isOutage = false;
        _lasted += now - _since;
        _ended++;
        if (_interval.IsOver(now))
            LogEnded(now);
        else if (!_due.IsArmed)
            _services.Timers.Arm(_due, _interval.End);
    }

    /// <summary>The balancer stops. What an outage cost that goes on, the gate says.</summary>
    public void Settle(Instant now)
    {
        _services.Timers.Disarm(_due);
        OnDue(now);
    }

    /// <summary>While there is another outage, its end is the record's.</summary>
    private void OnDue(Instant now)
    {
        if (_ended > 0 && !_isOutage)
            LogEnded(now);
    }

    private void LogEnded(Instant now)
    {
        _services.Timers.Disarm(_due);
        _gate.Forget();
        _services.Log.Write(
            new LogEvent.OutageEnded(_lasted, _queries, _connections, _ended - 1));
        (_lasted, _ended, _queries, _connections) = (Duration.Zero, 0, 0, 0);
        _interval.Begin(now);
    }
}
