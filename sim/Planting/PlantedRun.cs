#if PLANT
// Owns one run with one planted bug: the scenario of a seed, the checks that are wanted, and the
// bug active in this thread while it lasts and not after it.
//
// What always holds: a check that the core without the bug fails in the same scenario does not
// count as having found it.

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
/// <param name="checks">The checks that count; those of the runner, S13 and L5, included.</param>
/// <param name="withoutFaults">Faults that do not happen.</param>
internal sealed class PlantedRun(
    PlantedBug bug, IEnumerable<string> checks, IEnumerable<string> withoutFaults)
{
    private readonly Plant _plant = bug.Number == 0 ? Plant.None : Enum.Parse<Plant>(bug.Name);
    private readonly string[] _checks = [.. checks];
    private readonly GeneratorOptions _options = new() { Without = [.. withoutFaults] };

    /// <summary>All checks, the runner's own among them.</summary>
    public static IEnumerable<string> AllChecks => CheckSet.Ids.Append("S13");

    /// <summary>All but some.</summary>
    public static IEnumerable<string> AllBut(IEnumerable<string> checks) =>
        AllChecks.Except(checks, StringComparer.OrdinalIgnoreCase);

    /// <summary>The check that finds the bug with this seed; null if none does.</summary>
    public string? FindsBy(ulong seed) => Find(seed)?.Check;

    /// <summary>What the bug violates first with this seed; null if nothing.</summary>
    public Violation? Find(ulong seed)
    {
        var scenario = Generator.FromSeed(seed, Profile.Swarm, _options);
        if (Run(scenario, _plant) is not { } found)
            return null;
        var isControlled = _plant == Plant.None || Run(scenario, Plant.None)?.Check != found.Check;
        return isControlled ? found : null;
    }

    private Violation? Run(Scenario scenario, Plant plant)
    {
        Plants.Active = plant;
        try
        {
            var set = new CheckSet(scenario).Only(_checks);
            var violation = ScenarioRun.Execute(scenario, set).Violation;
            return violation is not null && _checks.Contains(violation.Check) ? violation : null;
        }
        finally
        {
            Plants.Active = Plant.None;
        }
    }
}
#endif
