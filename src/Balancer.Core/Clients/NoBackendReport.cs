// Owns the log records that say that clients get no backend, and that one is healthy again, for UDP
// and TCP together: whatever they ask with, the condition is one. An outage begins with the first
// query or connection that finds no backend, since before that nobody misses one, and ends when a
// backend becomes healthy.
//
// What always holds: every query and connection that found no backend is counted in exactly one
// outage_ended; in an outage that has not ended, or in which the balancer stopped, it is counted in
// exactly one no_healthy_backend.

namespace Balancer.Core;

/// <summary>
/// Logs that no backend is healthy, at most once every 5 s, and how long that was and what it cost.
/// </summary>
internal sealed class NoBackendReport(Services services)
{
    private readonly LogGate<LogEvent.NoHealthyBackend> _gate =
        services.Gates.Make<LogEvent.NoHealthyBackend>();

    private Instant _since;
    private long _queries;
    private long _connections;

    /// <summary>A query was dropped, or a connection refused.</summary>
    public void OnDropped(Instant now, Traffic traffic)
    {
        if (_queries + _connections == 0)
            _since = now;
        _ = traffic == Traffic.Udp ? _queries++ : _connections++;
        _gate.Write(now, new LogEvent.NoHealthyBackend(1));
    }

    /// <summary>A backend became healthy, the first one or not.</summary>
    public void OnHealthy(Instant now)
    {
        if (_queries + _connections == 0)
            return;
        _gate.Forget();
        services.Log.Write(new LogEvent.OutageEnded(now - _since, _queries, _connections));
        _queries = 0;
        _connections = 0;
    }
}
