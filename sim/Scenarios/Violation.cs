// Owns a violation: the one thing that a check says, whether it watched a run in virtual time or
// looks at what was seen of one in wall time.
//
// What always holds: a violation is about one moment, and its evidence is one line.

using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>A check that did not hold.</summary>
/// <param name="Check">Its id: S1 to S19, L1 to L6.</param>
/// <param name="At">The virtual time.</param>
/// <param name="Event">The number of the event, from 1.</param>
/// <param name="Evidence">One line: what was seen, what should have been.</param>
/// <param name="Backend">The backend it is about, -1 for none.</param>
/// <param name="Client">The client it is about, -1 for none.</param>
public sealed record Violation(
    string Check, Instant At, long Event, string Evidence, int Backend = -1, int Client = -1);
