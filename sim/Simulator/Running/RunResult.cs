// Owns what a run comes to: nothing, or the first violation; its hash; and its numbers.
//
// What always holds: the first violation ends the run, so there is at most one; equal scenarios
// have equal results, and equal hashes.

using System.Collections.Immutable;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>What a run came to.</summary>
public sealed record RunResult
{
    public required Scenario Scenario { get; init; }

    /// <summary>The first check that did not hold; null if all did.</summary>
    public Violation? Violation { get; init; }

    /// <summary>Over every event, draw and effect.</summary>
    public ulong Hash { get; init; }

    /// <summary>Events reported to observers.</summary>
    public long Events { get; init; }

    /// <summary>Turns of the loop.</summary>
    public long Turns { get; init; }

    /// <summary>Virtual time that passed.</summary>
    public Duration Time { get; init; }

    /// <summary>How often each kind of fault happened.</summary>
    public ImmutableSortedDictionary<FaultKind, long> Faults { get; init; } =
        ImmutableSortedDictionary<FaultKind, long>.Empty;

    public bool Passed => Violation is null;
}
