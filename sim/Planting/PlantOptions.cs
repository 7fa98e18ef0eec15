// Owns what follows `sim plant`: list, run ID, or all, and their options, read from the arguments.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Simulation.Checking;
using Simulation.Scenarios;

namespace Simulation.Planting;

/// <summary>What `sim plant` is asked for.</summary>
public enum PlantAction
{
    List,
    Run,
    All,
}

/// <summary>The arguments of `sim plant`.</summary>
public sealed record PlantOptions
{
    public const string Usage = """
        usage: sim plant list
               sim plant run ID [--seeds N] [--first SEED]
               sim plant all [--blocks N] [--first SEED] [--only ID,ID…]

        list  the planted bugs, the check that must catch each, within how many seeds
        run   runs N seeds (its budget) with one bug, all checks on: which check failed how often;
              with `none` for a bug, the core as it is
        all   tries each bug in N (100) disjoint blocks of its budget of seeds, with its check alone;
              a catch counts if the same run without the bug passes that check;
              exits 1 if a bug is caught in fewer than 99 of 100

        --jobs N               threads; as many as there are cores
        --without-check S6,…   leaves checks out, to see what they are there for
        --without-fault UDP,…  leaves classes of faults out of the scenarios, likewise
        """;

    public PlantAction Action { get; private init; }

    /// <summary>The bugs that are asked for; all but for `run` and `--only`.</summary>
    public IReadOnlyList<PlantedBug> Bugs { get; private init; } = PlantedBug.All;

    /// <summary>Seeds of `run`; null for the bug's budget.</summary>
    public int? Seeds { get; private init; }

    public int Blocks { get; private init; } = 100;

    /// <summary>The first seed of the first block.</summary>
    public ulong First { get; private init; } = 1;

    public int Jobs { get; private init; } = Environment.ProcessorCount;

    public IReadOnlyList<string> WithoutChecks { get; private init; } = [];

    public IReadOnlyList<string> WithoutFaults { get; private init; } = [];

    /// <summary>Reads what follows `plant`; what is wrong with it otherwise.</summary>
    public static PlantOptions? TryParse(ReadOnlySpan<string> arguments, out string problem)
    {
        problem = "plant: list, run or all?";
        PlantOptions? options = arguments switch
        {
            ["list", ..] => new PlantOptions { Action = PlantAction.List },
            ["run", ..] => new PlantOptions { Action = PlantAction.Run },
            ["all", ..] => new PlantOptions { Action = PlantAction.All },
            _ => null,
        };
        if (options is null)
            return null;
        var at = 1;
        if (options.Action == PlantAction.Run)
        {
            problem = "plant run: which bug? `sim plant list` has them";
            if (arguments.Length < 2 || FindAll(arguments[1]) is not [var bug])
                return null;
            options = options with { Bugs = [bug] };
            at = 2;
        }
        for (; at < arguments.Length; at += 2)
        {
            problem = $"plant {arguments[0]}: {arguments[at]} is no option of it, or has no value "
                + "that it may have";
            if (at + 1 == arguments.Length
                || options.TryWith(arguments[at], arguments[at + 1]) is not { } more)
            {
                return null;
            }
            options = more;
        }
        problem = "";
        return options;
    }

    private PlantOptions? TryWith(string name, string value) => (Action, name) switch
    {
        (PlantAction.List, _) => null,
        (PlantAction.Run, "--seeds") when Number(value) is { } seeds => this with { Seeds = seeds },
        (PlantAction.All, "--blocks") when Number(value) is { } blocks =>
            this with { Blocks = blocks },
        (PlantAction.All, "--only") when FindAll(value) is { } bugs => this with { Bugs = bugs },
        (_, "--first") when ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture,
            out var first) => this with { First = first },
        (_, "--jobs") when Number(value) is { } jobs => this with { Jobs = jobs },
        (_, "--without-check") when value.ToUpperInvariant().Split(',') is var checks
            && checks.All(check => check == "S13" || CheckSet.Ids.Contains(check)) =>
                this with { WithoutChecks = checks },
        (_, "--without-fault") when value.Split(',') is var faults
            && new GeneratorOptions { Without = [.. faults] }.UnknownWord() is null =>
                this with { WithoutFaults = faults },
        _ => null,
    };

    private static int? Number(string value) => int.TryParse(
        value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
            ? number
            : null;

    private static List<PlantedBug>? FindAll(string ids)
    {
        var found = new List<PlantedBug>();
        foreach (var id in ids.Split(','))
        {
            if (PlantedBug.Find(id) is not { } bug)
                return null;
            found.Add(bug);
        }
        return found;
    }
}
