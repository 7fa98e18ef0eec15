// Owns the reading of CLOCK_MONOTONIC, which on Linux is what Stopwatch reads, in nanoseconds.
// epoll's timeouts run on the same clock, so a wait until an instant ends at that instant.

using System.Diagnostics;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>CLOCK_MONOTONIC; any two of these agree.</summary>
public sealed class MonotonicClock : IClock
{
    public MonotonicClock() =>
        Verify.That(Stopwatch.Frequency == 1_000_000_000, "the clock counts nanoseconds");

    public Instant Now => Read();

    internal static Instant Read() => new(Stopwatch.GetTimestamp());
}
