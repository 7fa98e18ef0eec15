// Owns what the values of options may be, and the complaint about each that may not.
//
// What always holds: a value is taken whole or refused; a complaint names the option first.

using System;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Real.Failover;
using Simulation.Scenarios;

namespace Simulation.Commands;

/// <summary>A word of the command line is wrong; never leaves CommandLine.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>Reads the values of options.</summary>
internal static class Words
{
    /// <summary>The runner's own check: the end of the process ends the run.</summary>
    private const string Survival = "S13";

    public static ImmutableArray<string> CheckIds => CheckNames.Ids;

    /// <summary>Whether a scenario is named by its seed; elsewhere by its file.</summary>
    public static bool IsSeed(string subject) =>
        ulong.TryParse(subject, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    public static ImmutableArray<string> FailoverScenarios =>
        [.. FailoverScenario.All.Select(scenario => scenario.Name)];

    /// <summary>How often each scenario does its fault, unless the user says otherwise.</summary>
    public static string FailoverTimes => string.Join(", ", FailoverScenario.All.Select(
        scenario => FormattableString.Invariant($"{scenario.Name} {scenario.Times}")));

    public static ulong? ToSeed(string name, string text) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw new UsageException($"{name}: '{text}' is not a seed (0 to 2^64 - 1)");

    public static long? ToCount(string name, string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count is >= 1 and <= 1_000_000_000
            ? count
            : throw new UsageException($"{name}: '{text}' is not a number (1 to 1000000000)");

    public static int? ToJobs(string name, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var jobs)
            && jobs is >= 1 and <= 1024
            ? jobs
            : throw new UsageException($"{name}: '{text}' is not a number of jobs (1 to 1024)");

    public static int? ToPercent(string name, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var percent)
            && percent is >= 0 and <= 100
            ? percent
            : throw new UsageException($"{name}: '{text}' is not a number of percent (0 to 100)");

    public static int? ToBlocks(string name, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var blocks)
            && blocks is >= 1 and <= 100_000
            ? blocks
            : throw new UsageException($"{name}: '{text}' is not a number of blocks (1 to 100000)");

    public static long? ToTimes(string name, string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var times)
            && times is >= 1 and <= 1000
            ? times
            : throw new UsageException($"{name}: '{text}' is not a number of times (1 to 1000)");

    public static string? ToFailover(string name, string text) =>
        FailoverScenarios.Contains(text)
            ? text
            : throw new UsageException($"{name}: '{text}' is not a scenario "
                + $"({string.Join(", ", FailoverScenarios)})");

    public static TimeSpan? ToTime(string name, string text) =>
        TimeSpan.FromTicks(Math.Max(1, Nanoseconds(name, text) / 100));

    /// <summary>A run's length, enough for the generator to place its clients in.</summary>
    public static Duration? ToVirtual(string name, string text) =>
        Nanoseconds(name, text) is >= 10_000_000_000 and var time
            ? new Duration(time)
            : throw new UsageException($"{name}: '{text}' is less than 10 s");

    public static Duration? ToDuration(string name, string text) =>
        new(Nanoseconds(name, text));

    public static string ToProfile(string name, string text) =>
        CommandLine.Profiles.Contains(text)
            ? text
            : throw new UsageException(
                $"{name}: '{text}' is not a profile ({string.Join(", ", CommandLine.Profiles)})");

    /// <summary>The ids of the checks that are given by id or by name.</summary>
    public static ImmutableArray<string> ToChecks(string name, string text)
    {
        return [.. text.Split(',').Select(word => CheckNames.Find(word)
            ?? throw new UsageException($"{name}: '{word}' is not a check (S1 to S19, L1 to L6,"
                + " or a name such as stickiness)"))];
    }

    /// <summary>Checks to leave out: any but the one that no run goes on after.</summary>
    public static ImmutableArray<string> ToWithoutChecks(string name, string text)
    {
        var ids = ToChecks(name, text);
        return ids.Contains(Survival)
            ? throw new UsageException(
                $"{name}: {Survival} cannot be left out: a run ends where the process does")
            : ids;
    }

    public static ImmutableArray<string> ToFaults(string name, string text)
    {
        ImmutableArray<string> words = [.. text.Split(',')];
        if (new GeneratorOptions { Only = words }.UnknownWord() is { } unknown)
        {
            throw new UsageException($"{name}: '{unknown}' names no fault (a class - "
                + $"{string.Join(", ", GeneratorOptions.Classes)} - or a kind:"
                + $" {string.Join(", ", Enum.GetNames<FaultKind>())})");
        }
        return words;
    }

    public static string? ToPath(string name, string text) => text.Length > 0
        ? text
        : throw new UsageException($"{name}: '' is not a path");

    /// <summary>
    /// A file to be made, where one can be: what a run came to is lost if only then nobody can
    /// write it. Whether its folder lets us is not asked, but when it is written.
    /// </summary>
    public static string? ToNewFile(string name, string text)
    {
        var path = Path.GetFullPath(ToPath(name, text)!);
        if (Directory.Exists(path))
            throw new UsageException($"{name}: '{text}' is a folder");
        return Directory.Exists(Path.GetDirectoryName(path))
            ? text
            : throw new UsageException($"{name}: '{text}' is in a folder that is not there");
    }

    private static long Nanoseconds(string name, string text)
    {
        var (digits, unit) = text switch
        {
            [.. var d, 'm', 's'] => (d, 1_000_000L),
            [.. var d, 's'] => (d, 1_000_000_000L),
            [.. var d, 'm'] => (d, 60_000_000_000L),
            [.. var d, 'h'] => (d, 3_600_000_000_000L),
            _ => (text, 1_000_000_000L),
        };
        return decimal.TryParse(digits, NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture, out var value) && value > 0
            && value <= 864_000_000_000_000m / unit
            ? (long)(value * unit)
            : throw new UsageException(
                $"{name}: '{text}' is not a time (250ms, 12.345s, 10m; up to 10 days)");
    }
}
