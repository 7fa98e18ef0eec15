// Owns the planted bugs: what each does, the check that must find it, and within how many seeds.
// All of it stands at the head of the bug's patch under sim/plants, which is the only place that
// has it. The first twenty are those that the simulator was planned with; the others are what a
// reader of this core would fear.
//
// What always holds: a bug has a number of its own, its patch is called NN-name.patch, and its
// check is one of the simulator's.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Linq;
using Simulation.Checking;

namespace Simulation.Planting;

/// <summary>One planted bug.</summary>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Name">Its name, in small letters with hyphens.</param>
/// <param name="Check">The check that must find it.</param>
/// <param name="Seeds">Within so many seeds.</param>
/// <param name="What">What it does, in a few words.</param>
/// <param name="Patch">How the core is changed; null for no change.</param>
public sealed record PlantedBug(
    int Number, string Name, string Check, int Seeds, string What, Patch? Patch)
{
    /// <summary>The core as it is, to see what checks say where there is nothing to find.</summary>
    public static readonly PlantedBug None =
        new(0, "none", "no check", 100, "no bug is planted", null);

    /// <summary>All checks, the runner's own among them.</summary>
    public static IEnumerable<string> AllChecks => CheckSet.Ids.Append("S13");

    /// <summary>The bugs of a folder, by their numbers; throws PatchException.</summary>
    public static ImmutableArray<PlantedBug> ReadAll(string folder)
    {
        var bugs = Directory.EnumerateFiles(folder, "*.patch")
            .Select(Read).OrderBy(bug => bug.Number).ToImmutableArray();
        foreach (var (first, second) in bugs.Zip(bugs.Skip(1)))
        {
            if (first.Number == second.Number)
            {
                throw new PatchException(
                    $"{first.Patch!.Name} and {second.Patch!.Name} have the same number");
            }
        }
        return bugs;
    }

    /// <summary>Reads a patch with a whole head; throws PatchException.</summary>
    public static PlantedBug Read(string file)
    {
        var patch = Patch.Load(file);
        var bug = new PlantedBug(NumberOf(patch, "Number"), Field(patch, "Name"),
            Field(patch, "Check"), NumberOf(patch, "Seeds"), Field(patch, "What"), patch);
        if (!AllChecks.Contains(bug.Check))
            throw new PatchException($"{patch.Name}: Check: '{bug.Check}' is not a check");
        var name = string.Create(
            CultureInfo.InvariantCulture, $"{bug.Number:00}-{bug.Name}.patch");
        return name == patch.Name
            ? bug
            : throw new PatchException($"{patch.Name}: by its head it is called {name}");
    }

    /// <summary>
    /// The bug of this number or name, in any case of letters; "none" is number 0; null if there is
    /// no such bug.
    /// </summary>
    public static PlantedBug? Find(IEnumerable<PlantedBug> bugs, string id) =>
        bugs.Prepend(None).FirstOrDefault(
            bug => bug.Name.Equals(id, StringComparison.OrdinalIgnoreCase)
                || (bug.Number > 0
                    && bug.Number.ToString(CultureInfo.InvariantCulture) == id));

    private static string Field(Patch patch, string key)
    {
        foreach (var line in patch.Head.Split('\n'))
        {
            if (line.StartsWith(key + ": ", StringComparison.Ordinal)
                && line[(key.Length + 2)..].Trim() is { Length: > 0 } value)
            {
                return value;
            }
        }
        throw new PatchException($"{patch.Name}: no line '{key}: …' at its head");
    }

    private static int NumberOf(Patch patch, string key) =>
        int.TryParse(Field(patch, key), NumberStyles.None, CultureInfo.InvariantCulture,
            out var number) && number > 0
            ? number
            : throw new PatchException(
                $"{patch.Name}: {key}: '{Field(patch, key)}' is not a number from 1 on");
}
