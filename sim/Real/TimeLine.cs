// Owns the mapping of a scenario's virtual time to the wall time of a real run. Nobody waits five
// minutes for what happens in ten seconds of them, so a stretch in which nothing is planned is cut
// to two seconds; and if what is left is still longer than it may be, all of it runs faster.
//
// Times that belong to processes (heartbeats, time-outs, delays of a script) are their own and
// stay as they are: only what is planned moves.
//
// What always holds: order is kept, equal instants stay equal, 0 stays 0, and nothing moves that
// is short enough as it is; after the last planned instant time goes on one to one.

using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Real;

/// <summary>Maps instants to earlier ones.</summary>
internal sealed class TimeLine
{
    /// <summary>What a stretch without anything planned is cut to.</summary>
    public static readonly Duration LongestPause = Duration.FromSeconds(2L);

    private readonly ImmutableArray<Instant> _from;
    private readonly ImmutableArray<Instant> _to;

    /// <param name="planned">Instants at which something happens.</param>
    /// <param name="longest">No planned instant is mapped beyond this.</param>
    public TimeLine(IEnumerable<Instant> planned, Duration longest)
    {
        _from = [.. planned.Where(at => at > Instant.Zero).Append(Instant.Zero)
            .Distinct().Order()];
        var to = ImmutableArray.CreateBuilder<Instant>(_from.Length);
        to.Add(Instant.Zero);
        for (var i = 1; i < _from.Length; i++)
        {
            var gap = _from[i] - _from[i - 1];
            to.Add(to[i - 1] + (gap > LongestPause ? LongestPause : gap));
        }
        var length = to[^1] - Instant.Zero;
        for (var i = 0; length > longest && i < to.Count; i++)
            to[i] = Scale(to[i], longest.Nanoseconds, length.Nanoseconds);
        _to = to.MoveToImmutable();
    }

    public Instant this[Instant at]
    {
        get
        {
            var found = _from.BinarySearch(at);
            if (found >= 0)
                return _to[found];
            var next = ~found;
            if (next == 0)
                return Instant.Zero;
            var before = next - 1;
            if (next == _from.Length)
                return _to[before] + (at - _from[before]);
            var part = Scale(new Instant((at - _from[before]).Nanoseconds),
                (_to[next] - _to[before]).Nanoseconds, (_from[next] - _from[before]).Nanoseconds);
            return new Instant(_to[before].Nanoseconds + part.Nanoseconds);
        }
    }

    private static Instant Scale(Instant at, long part, long whole) =>
        new((long)((System.Int128)at.Nanoseconds * part / whole));
}
