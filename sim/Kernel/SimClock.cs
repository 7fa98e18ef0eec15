// Owns the balancer's view of virtual time: what its clock shows at the kernel's present instant.
// A real clock may tick coarsely, so this one can too; the kernel's own time stays exact.
//
// A real one may also go back or stand still for a while, against its promise; then this one does.
//
// What always holds: unless it is told to, the clock never goes back, and SimNetwork.Wait(until)
// that ran out of time leaves the clock at `until` or later, whatever its granularity.

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>The monotonic clock of a simulated host.</summary>
public sealed class SimClock : IClock
{
    /// <summary>Keeps a loop that waits for a clock that stands still from spinning.</summary>
    private static readonly Duration LeastWait = Duration.FromMilliseconds(1);

    private readonly SimKernel _kernel;
    private long _granularity = 1;

    internal SimClock(SimKernel kernel) => _kernel = kernel;

    /// <summary>How coarse the clock's ticks are; 1 ns or more, and 1 ns at first.</summary>
    public Duration Granularity
    {
        get => new(_granularity);
        set
        {
            Verify.That(value.Nanoseconds >= 1, "a clock's tick is at least a nanosecond");
            Verify.That(_kernel.Now == Instant.Zero, "a clock's tick is set before time passes");
            _granularity = value.Nanoseconds;
        }
    }

    /// <summary>How far it is behind the kernel's time; 0 at first.</summary>
    public Duration Behind { get; set; }

    /// <summary>What it shows as long as it stands still; null while it goes.</summary>
    public Instant? StandsAt { get; set; }

    /// <summary>It is behind, or stands still.</summary>
    public bool IsWrong => Behind > Duration.Zero || StandsAt is not null;

    public Instant Now
    {
        get
        {
            var shown = Shown;
            Highest = Instant.Max(Highest, shown);
            return shown;
        }
    }

    /// <summary>What it shows, for observers.</summary>
    public Instant Shown
    {
        get
        {
            if (StandsAt is { } at)
                return at;
            var exact = Math.Max(0, _kernel.Now.Nanoseconds - Behind.Nanoseconds);
            return new Instant(exact - exact % _granularity);
        }
    }

    /// <summary>The highest time that was read: the loop's time is never below it.</summary>
    public Instant Highest { get; private set; }

    /// <summary>The loop's time if it reads the clock now: it never goes back.</summary>
    public Instant Steady => Instant.Max(Highest, Shown);

    /// <summary>
    /// The earliest instant of the kernel at which this clock shows `shown` or later.
    /// </summary>
    internal Instant WhenShown(Instant shown)
    {
        if (shown == Instant.Never)
            return shown;
        // The kernel counts on, and reads the clock again after the time that was asked for.
        if (StandsAt is { } at)
            return shown <= at ? shown : _kernel.Now + Duration.Max(shown - at, LeastWait);
        var past = shown.Nanoseconds % _granularity;
        return (past <= 0 ? shown : shown + new Duration(_granularity - past)) + Behind;
    }
}
