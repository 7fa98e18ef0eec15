// Owns one run of a seed's scenario. It is called in the load context of a planted bug, where the
// core is another one, and so takes and gives types of the framework alone.

using System;
using System.Linq;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Planting;

/// <summary>Runs seeds; safe to call from several threads.</summary>
public static class SeedRun
{
    /// <summary>
    /// Runs a seed of a profile under some checks and without some faults. What is violated first:
    /// check, time and evidence; null if nothing is.
    /// </summary>
    public static string[]? Execute(
        ulong seed, string profile, string[] checks, string[] withoutFaults)
    {
        var scenario = Generator.FromSeed(seed, Enum.Parse<Profile>(profile, ignoreCase: true),
            new GeneratorOptions { Without = [.. withoutFaults] });
        var set = new CheckSet(scenario).Only(checks);
        return ScenarioRun.Execute(scenario, set).Violation is { } violation
            && checks.Contains(violation.Check, StringComparer.Ordinal)
            ? [violation.Check, violation.At.ToString(), violation.Evidence]
            : null;
    }
}
