// Owns the checker's own count of everything that the core counts, by the same names, made from
// observed calls alone.
//
// What always holds: a number here changes only because of something seen or because the policy
// model says what must have become of it.

using System;
using Balancer.Core;

namespace Simulation.Model;

/// <summary>What the core's counters should be.</summary>
internal sealed class ExpectedCounters
{
    private readonly long[] _values = new long[Enum.GetValues<Counter>().Length];

    public long this[Counter counter]
    {
        get => _values[(int)counter];
        set => _values[(int)counter] = value;
    }

    public static int Kinds { get; } = Enum.GetValues<Counter>().Length;

    public void Add(Counter counter, long count = 1) => _values[(int)counter] += count;
}
