// Owns the runs with one planted bug: the scenario of a seed, the checks that are wanted, on the
// core with the bug.
//
// What always holds: a check that the core without the bug fails in the same scenario does not
// count as having found it.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using Simulation.Commands;

namespace Simulation.Planting;

/// <summary>SeedRun.Execute, on one core or another.</summary>
internal delegate string[]? Execute(
    ulong seed, string profile, string[] checks, string[] withoutFaults);

/// <summary>What a run violated first.</summary>
/// <param name="Check">The check.</param>
/// <param name="At">When, in virtual time.</param>
/// <param name="Evidence">What the check saw.</param>
public sealed record Detection(string Check, string At, string Evidence);

/// <summary>Runs seeds with a bug; safe to call from several threads.</summary>
/// <param name="execute">Runs a seed on the core with the bug; null for the core as it is.</param>
/// <param name="checks">The checks that count; those of the runner, S13 and L5, included.</param>
/// <param name="withoutFaults">Faults that do not happen.</param>
internal sealed class PlantedRun(
    Execute? execute, IEnumerable<string> checks, IEnumerable<string> withoutFaults)
{
    private readonly string[] _checks = [.. checks];
    private readonly string[] _without = [.. withoutFaults];

    /// <summary>What the seeds are made with.</summary>
    public string Profile { get; init; } = CommandLine.Profiles[0];

    /// <summary>All checks but some.</summary>
    public static IEnumerable<string> AllBut(IEnumerable<string> checks) =>
        PlantedBug.AllChecks.Except(checks, StringComparer.OrdinalIgnoreCase);

    /// <summary>The check that finds the bug with this seed; null if none does.</summary>
    public string? FindsBy(ulong seed) => Find(seed)?.Check;

    /// <summary>What the bug violates first with this seed; null if nothing.</summary>
    public Detection? Find(ulong seed)
    {
        if (Run(execute ?? SeedRun.Execute, seed) is not { } found)
            return null;
        var isControlled = execute is null || Run(SeedRun.Execute, seed)?.Check != found.Check;
        return isControlled ? found : null;
    }

    private Detection? Run(Execute run, ulong seed) =>
        run(seed, Profile, _checks, _without) is [var check, var at, var evidence]
            ? new Detection(check, at, evidence)
            : null;
}

/// <summary>The cores with bugs that were asked for, each compiled and loaded once.</summary>
internal sealed class PlantedCores(CoreSource source)
{
    private readonly ConcurrentDictionary<Patch, Lazy<PlantedCore>> _cores = [];

    /// <summary>Throws PatchException if the patch does not apply or compile.</summary>
    public PlantedCore Of(Patch patch) => _cores.GetOrAdd(patch, _ => new Lazy<PlantedCore>(
        () => new PlantedCore(patch.Name, source.Compile(patch)))).Value;

    /// <summary>Runs seeds on the core with a bug; null for the core as it is.</summary>
    public Execute? ExecuteOf(PlantedBug bug) => bug.Patch is { } patch
        ? Of(patch).Get<Execute>(typeof(SeedRun), nameof(SeedRun.Execute))
        : null;
}
