// Owns the order of one turn: wait → read the clock once → events → deadlines and lasting work →
// write and send → a share of what TCP connections have to do. Everything in a turn happens at the
// same instant, the one read after the wait, so a deadline is never judged by a clock that was read
// before the loop slept. When the machine's monotonic clock goes back (on some hypervisors it does,
// after a migration), time stands still here until the clock has caught up, which is reported to
// the balancer. So is a standstill: a turn that begins much later than its wait was to
// end follows one (Standstill). The clock is read once more when the turn ends, to measure how long
// it took; nothing depends on that.
//
// What always holds: work per turn is bounded; time never goes back; after the last turn nothing is
// open that the core opened.

using System;

namespace Balancer.Core;

/// <summary>Runs a LoadBalancer, turn by turn.</summary>
public sealed class EventLoop(IClock clock, INetwork network, LoadBalancer balancer)
{
    private readonly NetworkEvent[] _events = new NetworkEvent[Limits.EventsPerTurn];
    private Instant _lastTurn;
    private Instant _lastShown;
    private bool _hasStarted;

    /// <summary>
    /// Runs one turn; false when the balancer has stopped and no turn may follow.
    /// </summary>
    public bool RunTurn()
    {
        Verify.That(!balancer.HasStopped, "no turn follows a stop");
        if (!_hasStarted)
        {
            _hasStarted = true;
            _lastShown = _lastTurn = clock.Now;
            balancer.Start(_lastTurn);
        }
        var wake = Instant.Max(balancer.NextWake, _lastTurn);
        // What is due is so for the network too, whose clock may be behind.
        var count = network.Wait(
            balancer.NextWake <= _lastTurn ? Instant.Zero : balancer.NextWake, _events);
        var shown = clock.Now;
        var now = Instant.Max(shown, _lastTurn);
        _lastTurn = now;
        balancer.BeginTurn(now, wake);
        if (shown < _lastShown)
            balancer.OnClockWentBack(now, _lastShown - shown);
        _lastShown = shown;
        for (var i = 0; i < count; i++)
            balancer.OnEvent(now, _events[i]);
        balancer.OnTime(now);
        if (!balancer.HasStopped)
            balancer.Flush(now);
        balancer.OnTurnEnded(clock.Now - shown);
        return !balancer.HasStopped;
    }
}
