// Owns the two types of time that the core reckons with: an Instant on a clock that only goes
// forward, and a Duration between two of them. Both count nanoseconds in 64 bits, which last 292
// years from the clock's zero.
//
// What always holds: the core never reads a clock of its own. The event loop reads IClock once a
// turn, after the wait, and everything below it is handed `now`; wall-clock time does not exist
// here, so a clock that an operator sets back or forward changes nothing.

using System;
using System.Globalization;

namespace Balancer.Core;

/// <summary>
/// A point on the monotonic clock, in nanoseconds since a zero that means nothing.
/// </summary>
public readonly record struct Instant(long Nanoseconds) : IComparable<Instant>
{
    /// <summary>The clock's own zero: no event of a running balancer is earlier.</summary>
    public static readonly Instant Zero = new(0);

    /// <summary>
    /// Later than every instant that can be reached; a deadline that never comes.
    /// </summary>
    public static readonly Instant Never = new(long.MaxValue);

    public static Instant operator +(Instant at, Duration by) =>
        at == Never ? Never : new Instant(checked(at.Nanoseconds + by.Nanoseconds));

    public static Instant operator -(Instant at, Duration by) =>
        new(checked(at.Nanoseconds - by.Nanoseconds));

    public static Duration operator -(Instant later, Instant earlier) =>
        new(checked(later.Nanoseconds - earlier.Nanoseconds));

    public static bool operator <(Instant a, Instant b) => a.Nanoseconds < b.Nanoseconds;
    public static bool operator >(Instant a, Instant b) => a.Nanoseconds > b.Nanoseconds;
    public static bool operator <=(Instant a, Instant b) => a.Nanoseconds <= b.Nanoseconds;
    public static bool operator >=(Instant a, Instant b) => a.Nanoseconds >= b.Nanoseconds;

    public static Instant Min(Instant a, Instant b) => a <= b ? a : b;
    public static Instant Max(Instant a, Instant b) => a >= b ? a : b;

    public int CompareTo(Instant other) => Nanoseconds.CompareTo(other.Nanoseconds);

    public override string ToString() => this == Never
        ? "never"
        : (Nanoseconds / 1e9).ToString("0.000000000", CultureInfo.InvariantCulture) + " s";
}

/// <summary>A length of time in nanoseconds; negative when it leads back.</summary>
public readonly record struct Duration(long Nanoseconds) : IComparable<Duration>
{
    public static readonly Duration Zero = new(0);

    public static Duration FromSeconds(double seconds) =>
        new(checked((long)Math.Round(seconds * 1e9)));

    public static Duration FromSeconds(long seconds) => new(checked(seconds * 1_000_000_000));
    public static Duration FromMilliseconds(long ms) => new(checked(ms * 1_000_000));

    public double TotalSeconds => Nanoseconds / 1e9;
    public long WholeMilliseconds => Nanoseconds / 1_000_000;

    public long WholeMicroseconds => Nanoseconds / 1_000;

    public static Duration operator +(Duration a, Duration b) =>
        new(checked(a.Nanoseconds + b.Nanoseconds));

    public static Duration operator -(Duration a, Duration b) =>
        new(checked(a.Nanoseconds - b.Nanoseconds));

    public static bool operator <(Duration a, Duration b) => a.Nanoseconds < b.Nanoseconds;
    public static bool operator >(Duration a, Duration b) => a.Nanoseconds > b.Nanoseconds;
    public static bool operator <=(Duration a, Duration b) => a.Nanoseconds <= b.Nanoseconds;
    public static bool operator >=(Duration a, Duration b) => a.Nanoseconds >= b.Nanoseconds;

    public static Duration Min(Duration a, Duration b) => a <= b ? a : b;
    public static Duration Max(Duration a, Duration b) => a >= b ? a : b;

    public int CompareTo(Duration other) => Nanoseconds.CompareTo(other.Nanoseconds);

    public override string ToString() =>
        TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture) + " s";
}
