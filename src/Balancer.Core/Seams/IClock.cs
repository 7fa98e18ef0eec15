// The seam to time. There is one clock, it is the kernel's or the simulator's, and only the event
// loop reads it: everything below is handed the instant of its turn.

namespace Balancer.Core;

/// <summary>
/// The clock of the event loop: monotonic, in nanoseconds, unmoved by changes of the wall clock.
/// Read once a turn, after the wait; two readings may be equal.
/// </summary>
public interface IClock
{
    Instant Now { get; }
}
