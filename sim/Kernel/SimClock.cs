// Owns the balancer's view of virtual time: what its clock shows at the kernel's present instant.
// A real clock may tick coarsely, so this one can too; the kernel's own time stays exact.
//
// What always holds: the clock never goes back, and SimNetwork.Wait(until) that ran out of time
// leaves the clock at `until` or later, whatever its granularity.

using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>The monotonic clock of a simulated host.</summary>
public sealed class SimClock : IClock
{
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

    public Instant Now =>
        new(_kernel.Now.Nanoseconds - _kernel.Now.Nanoseconds % _granularity);

    /// <summary>
    /// The earliest instant of the kernel at which this clock shows `shown` or later.
    /// </summary>
    internal Instant WhenShown(Instant shown)
    {
        var past = shown.Nanoseconds % _granularity;
        return past <= 0 || shown == Instant.Never
            ? shown
            : shown + new Duration(_granularity - past);
    }
}
