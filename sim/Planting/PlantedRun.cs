#if PLANT
// Owns one run with one planted bug: the scenario of a seed, the checks that are wanted, and the
// bug active in this thread while it lasts and not after it.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Planting;

/// <summary>Runs seeds with a bug; safe to call from several threads.</summary>
/// <param name="bug">The bug.</param>
/// <param name="options">Which checks and faults are left out.</param>
/// <param name="only">The checks that are on; null for all.</param>
internal sealed class PlantedRun(
    PlantedBug bug, PlantOptions options, IReadOnlyCollection<string>? only)
{
    private readonly Plant _plant = Enum.Parse<Plant>(bug.Name);
    private readonly string[] _checks = [.. (only ?? CheckSet.Ids.Append("S13"))
        .Except(options.WithoutChecks, StringComparer.OrdinalIgnoreCase)];

    private readonly GeneratorOptions _narrowed = new() { Without = [.. options.WithoutFaults] };

    /// <summary>
    /// Whether the check that must catch the bug fails in this seed's run, and does not fail in the
    /// same run without the bug.
    /// </summary>
    public bool Catches(ulong seed) =>
        Find(seed, _plant)?.Check == bug.Check && Find(seed, Plant.None)?.Check != bug.Check;

    /// <summary>What a run of this seed's scenario with the bug violates first, or null.</summary>
    public Violation? Find(ulong seed) => Find(seed, _plant);

    private Violation? Find(ulong seed, Plant plant)
    {
        var scenario = Generator.FromSeed(seed, Profile.Swarm, _narrowed);
        var checks = new CheckSet(scenario).Only(_checks);
        Plants.Active = plant;
        try
        {
            var violation = ScenarioRun.Execute(scenario, checks).Violation;
            // What the runner itself finds counts only where that check is wanted.
            return violation is not null && _checks.Contains(violation.Check) ? violation : null;
        }
        finally
        {
            Plants.Active = Plant.None;
        }
    }
}
#endif
