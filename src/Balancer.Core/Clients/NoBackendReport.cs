// Owns the log record that says that clients get no backend, for UDP and TCP together: whatever
// they ask with, the condition is one.
//
// What always holds: every query and connection that found no backend is in one record, as the one
// that caused it or in a later one's number.

namespace Balancer.Core;

/// <summary>
/// Says that no backend is healthy, at most once every 5 s, for UDP and TCP together.
/// </summary>
internal sealed class NoBackendReport(IBalancerLog log)
{
    private LogGate _gate;

    public void Report(Instant now)
    {
        if (_gate.TryPass(now, out var suppressed))
            log.Write(new LogEvent.NoHealthyBackend(suppressed + 1));
    }
}
