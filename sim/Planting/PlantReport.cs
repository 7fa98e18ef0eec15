// Owns the tables that `sim plant` prints: plain text in columns, the same for people and for diff.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using Simulation.Commands;

namespace Simulation.Planting;

public static class PlantReport
{
    public static void List(TextWriter output, IEnumerable<PlantedBug> bugs)
    {
        output.WriteLine($"{"id",3}  {"bug",-32}{"check",-6}{"seeds",5}  what it does");
        foreach (var bug in bugs)
        {
            output.WriteLine(
                $"{bug.Number,3}  {bug.Name,-32}{bug.Check,-6}{bug.Seeds,5}  {bug.What}");
        }
    }

    // ---- Trials ----

    public static void TrialsHead(TextWriter output, PlantRequest request)
    {
        if (request.LeavesOut)
        {
            output.WriteLine("without "
                + string.Join(", ", request.WithoutChecks.Concat(request.WithoutFaults)));
        }
        output.WriteLine($"{"id",3}  {"bug",-32}{(request.LeavesOut ? "mostly by" : "check"),-10}"
            + $"{"budget",6}{"found",10}{"median",8}{"time",8}");
        output.Flush();
    }

    public static void Trial(
        TextWriter output, PlantRequest request, PlantedBug bug, TrialOutcome outcome)
    {
        var found = $"{outcome.Found}/{outcome.Blocks.Length}";
        var median = outcome.Median?.ToString(CultureInfo.InvariantCulture) ?? "-";
        var check = request.LeavesOut ? outcome.MostlyBy : bug.Check;
        var time = string.Create(
            CultureInfo.InvariantCulture, $"{outcome.Time.TotalSeconds:F0} s");
        output.WriteLine($"{bug.Number,3}  {bug.Name,-32}{check,-10}{outcome.Budget,6}"
            + $"{found,10}{median,8}{time,8}{(outcome.IsEnough ? "" : "  falls short")}");
        output.Flush();
    }

    /// <summary>A last line: which bugs fell short, or escape if something was left out.</summary>
    public static void Missed(TextWriter output, PlantRequest request,
        IReadOnlyCollection<(PlantedBug Bug, TrialOutcome Outcome)> missed)
    {
        var bugs = string.Join(", ", missed.Select(
            one => $"{one.Bug.Number} {one.Bug.Name} ({one.Outcome.Found} found)"));
        if (request.LeavesOut)
            output.WriteLine(bugs.Length == 0 ? "nothing escapes" : $"escape: {bugs}");
        else if (bugs.Length > 0)
            output.WriteLine($"fall short: {bugs}");
    }

    // ---- One bug ----

    /// <summary>Which checks found the bug in how many of the runs.</summary>
    public static void Run(TextWriter output, PlantedBug bug, ulong first,
        Detection?[] found, Detection?[] foundAlone)
    {
        output.WriteLine(bug.Number == 0 ? bug.What : $"{bug.Number} {bug.Name}: {bug.What}");
        if (bug.Number > 0)
        {
            var alone = foundAlone.Count(one => one is not null);
            output.WriteLine($"{bug.Check} alone finds it in {alone} of {found.Length} seeds"
                + (alone == 0 ? "" : $", first in {SeedOf(first, foundAlone)}"));
        }
        var checks = found.Where(one => one is not null)
            .GroupBy(one => one!.Check)
            .OrderByDescending(group => group.Count())
            .ThenBy(group => group.Key, StringComparer.Ordinal);
        output.WriteLine(bug.Number == 0 ? "violations:" : "of all checks, found by:");
        foreach (var group in checks)
        {
            var one = group.First()!;
            var seed = SeedOf(first, found, one);
            output.WriteLine($"  {group.Key,-4}{group.Count(),6}  first in seed {seed},"
                + $" at {one.At}: {one.Evidence}");
        }
        if (found.All(one => one is null))
            output.WriteLine("  none");
    }

    // ---- A patch of anybody's ----

    /// <summary>Which check found it first, and how to see it; or that none did.</summary>
    public static void Try(TextWriter output, string file, PlantRequest request, long seeds,
        Detection? found)
    {
        var profile = request.Profile == CommandLine.Profiles[0]
            ? "" : $" --profile={request.Profile}";
        if (found is null)
        {
            var checks = request.Checks.IsEmpty
                ? "any check" : string.Join(", ", request.Checks);
            output.WriteLine($"{file}: escaped {checks} in {seeds} seeds, from {request.First} on"
                + (profile.Length > 0 ? $", of profile {request.Profile}" : ""));
            return;
        }
        var seed = unchecked(request.First + (ulong)seeds - 1);
        output.WriteLine($"{file}: found by {found.Check} in seed {seed}, the {Nth(seeds)} tried");
        output.WriteLine($"  {found.Check} at {found.At}: {found.Evidence}");
        output.WriteLine($"  sim replay {seed}{profile} --plant {file}");
    }

    private static string Nth(long n) => (n % 100, n % 10) switch
    {
        (11 or 12 or 13, _) => $"{n}th",
        (_, 1) => $"{n}st",
        (_, 2) => $"{n}nd",
        (_, 3) => $"{n}rd",
        _ => $"{n}th",
    };

    private static ulong SeedOf(ulong first, Detection?[] found, Detection? one = null)
    {
        var at = Array.FindIndex(found,
            caught => caught is not null && (one is null || ReferenceEquals(caught, one)));
        return unchecked(first + (ulong)at);
    }

    // ---- Ablation ----

    public static void NeverFound(TextWriter output, Ablation ablation)
    {
        foreach (var bug in ablation.NeverFound)
            output.WriteLine($"not found with everything on: {bug.Number} {bug.Name}");
        output.WriteLine($"{"without",-11}escape");
        output.Flush();
    }

    public static void Ablation(
        TextWriter output, LeftOut without, IReadOnlyCollection<PlantedBug> escaping)
    {
        output.WriteLine($"{without.Name,-11}" + (escaping.Count == 0
            ? "nothing"
            : string.Join(", ", escaping.Select(bug => $"{bug.Number} {bug.Name}"))));
        output.Flush();
    }
}
