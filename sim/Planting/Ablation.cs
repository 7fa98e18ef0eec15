// Owns the question what each check and each class of faults is for: which bugs escape when it is
// left out. First it finds, with everything on, a handful of seeds for each bug that find it, and
// by which check. Whoever is also found by another check does not escape without the one; else the
// same seeds are run without it, and only when none of them finds the bug is it looked for in all
// seeds that it is allowed.
//
// What always holds: a bug escapes when none of its seeds finds it; one that nothing finds with
// everything on is told apart, and never called escaping.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Threading;
using Simulation.Commands;
using Simulation.Scenarios;

namespace Simulation.Planting;

/// <summary>What is left out.</summary>
public sealed record LeftOut(
    string Name, ImmutableArray<string> Checks, ImmutableArray<string> Faults)
{
    public static readonly LeftOut Nothing = new("nothing", [], []);
}

/// <summary>Leaves out one thing after another.</summary>
/// <param name="bugs">The bugs.</param>
/// <param name="request">The first seed, blocks and jobs.</param>
/// <param name="findsBy">The check that finds a bug with a seed, something being left out.</param>
/// <param name="onProgress">Told what goes on.</param>
public sealed class Ablation(ImmutableArray<PlantedBug> bugs, PlantRequest request,
    Func<PlantedBug, ulong, LeftOut, string?> findsBy, Action<string> onProgress)
{
    private const int MostSeeds = 500;
    private const int Handful = 5;

    private readonly Dictionary<PlantedBug, List<(ulong Seed, string Check)>> _found = [];

    /// <summary>Bugs that something finds with everything on.</summary>
    public IEnumerable<PlantedBug> Known => bugs.Where(bug => _found[bug].Count > 0);

    public IEnumerable<PlantedBug> NeverFound =>
        bugs.Where(bug => _found[bug].Count == 0);

    /// <summary>Each check and each class of faults, one at a time.</summary>
    public static IEnumerable<LeftOut> Everything(IEnumerable<string> checks)
    {
        foreach (var check in checks.OrderBy(id => id[0] == 'L').ThenBy(id => id.Length)
            .ThenBy(id => id, StringComparer.Ordinal))
        {
            yield return new LeftOut(check, [check], []);
        }
        var classes = Enum.GetValues<FaultKind>().Select(GeneratorOptions.ClassOf).Distinct();
        foreach (var word in classes.Append(GeneratorOptions.ScriptClass))
            yield return new LeftOut(word, [], [word]);
    }

    /// <summary>Finds each bug a few times, with everything on.</summary>
    public void FindAll()
    {
        var found = new List<(ulong, string)>[bugs.Length];
        var done = 0;
        BlockTrial.InParallel(bugs.Length, request.Jobs, at =>
        {
            var bug = bugs[at];
            found[at] = [];
            foreach (var seed in SeedsOf(bug))
            {
                if (findsBy(bug, seed, LeftOut.Nothing) is not { } check)
                    continue;
                found[at].Add((seed, check));
                if (found[at].Count == Handful)
                    break;
            }
            onProgress($"{Interlocked.Increment(ref done)} of {found.Length} bugs looked for");
        });
        for (var at = 0; at < found.Length; at++)
            _found[bugs[at]] = found[at];
    }

    /// <summary>The bugs that escape when this is left out, in their order.</summary>
    public ImmutableArray<PlantedBug> EscapingWithout(LeftOut without)
    {
        var known = Known.ToArray();
        var escapes = new bool[known.Length];
        var done = 0;
        BlockTrial.InParallel(known.Length, request.Jobs, at =>
        {
            escapes[at] = Escapes(known[at], without);
            onProgress($"without {without.Name}: {Interlocked.Increment(ref done)}"
                + $" of {known.Length} bugs");
        });
        return [.. known.Where((_, at) => escapes[at])];
    }

    private bool Escapes(PlantedBug bug, LeftOut without)
    {
        var known = _found[bug];
        if (without.Faults.IsEmpty && known.Any(one => !without.Checks.Contains(one.Check)))
            return false;
        var seeds = known.Select(one => one.Seed).Concat(SeedsOf(bug)).Distinct();
        return seeds.All(seed => findsBy(bug, seed, without) is null);
    }

    private IEnumerable<ulong> SeedsOf(PlantedBug bug)
    {
        var seeds = request.Blocks * Math.Min(bug.Seeds, MostSeeds);
        for (var n = 0; n < seeds; n++)
            yield return unchecked(request.First + (ulong)n);
    }
}
