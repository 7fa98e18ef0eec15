// Owns the tables that `sim plant` prints: plain text in columns, the same for people and for diff.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;

namespace Simulation.Planting;

internal static class PlantReport
{
    public static void List(TextWriter output, IEnumerable<PlantedBug> bugs)
    {
        output.WriteLine($"{"id",3}  {"bug",-29}{"check",-6}{"seeds",6}  what it does");
        foreach (var bug in bugs)
            output.WriteLine($"{bug.Number,3}  {bug.Name,-29}{bug.Check,-6}{bug.Seeds,6}  {bug.What}");
    }

    public static void TrialsHead(TextWriter output) => output.WriteLine(
        $"{"id",3}  {"bug",-29}{"check",-6}{"seeds",6}{"found",10}{"median",8}{"time",8}");

    public static void Trial(TextWriter output, PlantedBug bug, TrialOutcome outcome)
    {
        var found = $"{outcome.Found}/{outcome.Blocks}";
        var median = outcome.Median?.ToString(CultureInfo.InvariantCulture) ?? "-";
        var time = string.Create(
            CultureInfo.InvariantCulture, $"{outcome.Time.TotalSeconds:F0} s");
        output.WriteLine($"{bug.Number,3}  {bug.Name,-29}{bug.Check,-6}{outcome.Budget,6}"
            + $"{found,10}{median,8}{time,8}{(outcome.IsEnough ? "" : "  not enough")}");
        output.Flush();
    }

    /// <summary>Which checks failed in how many of the runs, the one named first.</summary>
    public static void Run(TextWriter output, PlantedBug bug, int seeds, ulong? firstCaught,
        SortedDictionary<string, (int Runs, ulong FirstSeed, string Evidence)> failed)
    {
        output.WriteLine($"{bug.Number} {bug.Name}: {bug.What}");
        output.WriteLine(firstCaught is { } caught
            ? $"{bug.Check} caught it, first in seed {caught}; of {seeds} seeds:"
            : $"{bug.Check} did not catch it in {seeds} seeds:");
        foreach (var (check, (runs, firstSeed, evidence)) in failed)
            output.WriteLine($"  {check,-5}{runs,6}  first in seed {firstSeed}: {evidence}");
        if (failed.Count == 0)
            output.WriteLine("  no check failed");
    }
}
