// Owns the one way in which an observer ends a run: it throws what it found, from whatever it was
// told, and the run becomes a result with that violation.
//
// What always holds: the first one thrown is the run's; nothing of the core catches it.

using System;
using System.Diagnostics.CodeAnalysis;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>
/// A check did not hold. Where the violation's Event is 0 the run puts the present event's number.
/// </summary>
[SuppressMessage("Design", "CA1032", Justification = "One without a violation means nothing.")]
public sealed class ViolationException(Violation violation)
    : Exception($"{violation.Check}: {violation.Evidence}")
{
    /// <summary>The same, in short; the run numbers the event.</summary>
    public ViolationException(
        string check, Instant at, string evidence, int backend = -1, int client = -1)
        : this(new Violation(check, at, 0, evidence, backend, client))
    {
    }

    public Violation Violation { get; } = violation;
}
