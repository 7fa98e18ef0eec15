// Owns `sim triage`: it reads what runs have left in a folder - results (`--json`) and failures
// (`--keep`) - and tells the failures in groups, those with one check and one cause together. Two
// evidences have one cause if they differ in numbers, addresses and times alone.
//
// What always holds: a failure that a result and a file tell of is one; a file that cannot be read
// costs a line on standard error and nothing else; files are taken in the order of their names.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using Simulation.Checking;

namespace Simulation.Commands;

/// <summary>A failure that a run has left.</summary>
internal sealed record LeftFailure(
    ulong Seed, string Commit, string Options, string Check, string Evidence, string Scenario);

/// <summary>What a run came to, as its result has it.</summary>
/// <param name="Finished">When it ended, in UTC; empty for a result that does not say.</param>
/// <param name="Met">Of faults, reactions and situations how many it met, of how many.</param>
internal sealed record LeftRun(string Finished, string Commit, string Profile, ulong FirstSeed,
    long Seeds, double VirtualSeconds, double RealSeconds, long Failures,
    ImmutableArray<(string What, int Met, int All)> Met);

/// <summary>Failures with one check and one cause.</summary>
internal sealed record FailureGroup(
    string Check, string Cause, ImmutableArray<LeftFailure> Failures);

/// <summary>All that runs have left in a folder.</summary>
internal sealed partial class Triage(Request request, TextWriter output, TextWriter error)
{
    private const int SeedsTold = 8;

    private static readonly ImmutableArray<string> Counted = ["faults", "reactions", "situations"];

    private readonly List<LeftFailure> _failures = [];
    private readonly List<LeftRun> _runs = [];

    public int Run()
    {
        if (!Directory.Exists(request.Subject))
        {
            throw new FormatException(
                $"'{request.Subject}' is not a folder with what runs have left");
        }
        foreach (var file in Directory.EnumerateFiles(
            request.Subject, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            Read(file);
        }
        var groups = GroupsOf(_failures);
        Write(groups);
        return request.Html is not { } html || Tool.Save(error, html, path =>
            File.WriteAllText(path, TriagePage.Of(_runs, groups)))
            ? Tool.Passed : Tool.CannotWrite;
    }

    /// <summary>The groups of failures, the largest first.</summary>
    public static ImmutableArray<FailureGroup> GroupsOf(IEnumerable<LeftFailure> failures) =>
    [
        .. failures.GroupBy(failure => (failure.Seed, failure.Commit, failure.Check))
            .Select(same => same.MaxBy(failure => failure.Scenario.Length > 0)!)
            .GroupBy(failure => (failure.Check, Cause: CauseOf(failure.Evidence)))
            .Select(group => new FailureGroup(group.Key.Check, group.Key.Cause, [.. group]))
            .OrderByDescending(group => group.Failures.Length)
            .ThenBy(group => group.Check, StringComparer.Ordinal)
            .ThenBy(group => group.Cause, StringComparer.Ordinal),
    ];

    /// <summary>An evidence without what differs from run to run.</summary>
    public static string CauseOf(string evidence) =>
        Numbers().Replace(Addresses().Replace(evidence, "ADDRESS"), "#");

    private void Write(ImmutableArray<FailureGroup> groups)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{_runs.Count} runs, {_runs.Sum(run => run.Seeds):N0} seeds, "
            + $"{groups.Sum(group => group.Failures.Length)} failures of {groups.Length} causes"));
        foreach (var group in groups)
        {
            var seeds = group.Failures.Select(failure => failure.Seed).Distinct().ToArray();
            output.WriteLine();
            output.WriteLine(
                $"{group.Failures.Length} × {group.Check} {CheckNames.Of(group.Check)}");
            output.WriteLine($"  cause     {group.Cause}");
            output.WriteLine($"  evidence  {group.Failures[0].Evidence}");
            output.WriteLine($"  seeds     {string.Join(", ", seeds.Take(SeedsTold))}"
                + (seeds.Length > SeedsTold ? $" and {seeds.Length - SeedsTold} more" : ""));
            output.WriteLine("  commits   " + string.Join(", ",
                group.Failures.Select(failure => Short(failure.Commit)).Distinct()));
            if (Smallest(group) is { } scenario)
                output.WriteLine($"  replay    sim replay {scenario} --trace");
        }
    }

    /// <summary>The file of a group's shortest scenario; null if none was kept.</summary>
    public static string? Smallest(FailureGroup group) => group.Failures
        .Select(failure => failure.Scenario).Where(File.Exists)
        .MinBy(file => new FileInfo(file).Length);

    public static string Short(string commit) =>
        commit.Length == 0 ? "unknown" : commit[..Math.Min(10, commit.Length)];

    // ---- Reading ----

    private void Read(string file)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return;
            if (file.EndsWith(KeptFailures.Suffix, StringComparison.Ordinal))
                ReadFailure(root, file);
            else if (root.TryGetProperty("virtual_seconds", out _))
                ReadRun(root);
        }
        catch (Exception wrong) when (wrong is JsonException or IOException
            or UnauthorizedAccessException or InvalidOperationException or KeyNotFoundException
            or FormatException)
        {
            error.WriteLine($"sim: {file}: not read: {Tool.OnOneLine(wrong)}");
        }
    }

    private void ReadFailure(JsonElement root, string file)
    {
        var scenario = TextOf(root, "scenario");
        _failures.Add(new LeftFailure(root.GetProperty("seed").GetUInt64(),
            TextOf(root, "commit"), TextOf(root, "options"), TextOf(root, "check"),
            TextOf(root, "evidence"), scenario.Length == 0
                ? "" : Path.Combine(Path.GetDirectoryName(file)!, Path.GetFileName(scenario))));
    }

    private void ReadRun(JsonElement root)
    {
        var commit = TextOf(root, "commit");
        var hasFailed = root.TryGetProperty("failure", out var failure);
        if (hasFailed)
        {
            _failures.Add(new LeftFailure(failure.GetProperty("seed").GetUInt64(), commit, "",
                TextOf(failure, "check"), TextOf(failure, "evidence"), ""));
        }
        _runs.Add(new LeftRun(TextOf(root, "finished"), commit, TextOf(root, "profile"),
            root.GetProperty("first_seed").GetUInt64(), root.GetProperty("seeds").GetInt64(),
            root.GetProperty("virtual_seconds").GetDouble(),
            root.GetProperty("real_seconds").GetDouble(),
            root.TryGetProperty("failures", out var count) ? count.GetInt64() : hasFailed ? 1 : 0,
            [.. Counted.Where(what => root.TryGetProperty(what, out _))
                .Select(what => MetOf(root.GetProperty(what), what))]));
    }

    private static (string, int, int) MetOf(JsonElement counts, string what)
    {
        var all = counts.EnumerateObject().ToArray();
        return (what, all.Count(one => one.Value.GetInt64() > 0), all.Length);
    }

    private static string TextOf(JsonElement of, string name) =>
        of.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";

    [GeneratedRegex(@"\d+\.\d+\.\d+\.\d+(:\d+)?")]
    private static partial Regex Addresses();

    [GeneratedRegex(@"\d[\d.,]*\d|\d")]
    private static partial Regex Numbers();
}
