// Owns what follows from a standstill of the balancer's own loop. A turn that begins much later
// than its wait was to end was kept from running: its process was stopped, its container frozen, or
// the whole machine suspended. What should have come in the meantime may lie unread; or the peers
// that should have sent it were stopped too, and go on a moment later than the balancer. So no
// peer is faulted by that clock alone: whatever is waited for has a short time more, as long as the
// standstill was, up to a bound. For what is waited for in fractions of a second the bound is
// smaller, so that a backend that really hangs is noticed all the same. What is left of such time
// when another standstill begins is left when that is over.
//
// Standstills may follow each other for ever. All the time that is given without a break in between
// has a bound too, after which the next deadline counts.
//
// What always holds: a turn that is late by more than Limits.LatenessAllowed faults no peer, unless
// that bound is reached; time that was given is used up by running, not by standing still.

namespace Balancer.Core;

/// <summary>The time that is given after a standstill.</summary>
internal sealed class Standstill(Counters counters)
{
    private Instant _end;
    private Instant _beganAt;
    private Duration _left;

    /// <summary>
    /// When the last one ended that was so long that what came meanwhile says nothing of how fast
    /// anybody is; long ago if there was none. A machine that is busy all the time has short ones.
    /// </summary>
    public Instant LongEndedAt { get; private set; } = Instant.Zero - Limits.TimeOfStandstills;

    /// <summary>A turn begins, so much later than the wait before it was to end.</summary>
    public void OnTurn(Instant now, Duration late)
    {
        if (late <= Limits.LatenessAllowed)
            return;
        counters.Add(Counter.Standstills);
        var unused = _end - (now - late);
        _left = unused >= Duration.Zero ? _left + unused : Limits.TimeOfStandstills;
        var given = Duration.Max(Duration.Min(late, Limits.StandstillTime), unused);
        given = Duration.Min(given, _left);
        _left -= given;
        Verify.That(given >= Duration.Zero && _left >= Duration.Zero,
            "no more time is given than there is");
        _beganAt = now;
        if (late >= Limits.FairTime)
            LongEndedAt = now;
        _end = now + given;
    }

    /// <summary>A deadline, or the end of the time given now if that comes later.</summary>
    public Instant Extend(Instant deadline) => Instant.Max(deadline, _end);

    /// <summary>
    /// The same for what is waited for in fractions of a second, a moment after whatever else is
    /// judged: a session that ends need not be suspect before.
    /// </summary>
    public Instant ExtendShort(Instant deadline) => Instant.Max(deadline,
        Instant.Min(_end, _beganAt + Limits.ShortStandstillTime) + Limits.TimeOutPause);
}
