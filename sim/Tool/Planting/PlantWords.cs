// Owns the words of `sim plant`: what can be asked for, and what the arguments mean.
//
// What always holds: a word that is wrong is a complaint of the command line's, in one line.

using System;
using System.Collections.Immutable;
using System.CommandLine;
using Simulation.Commands;

namespace Simulation.Planting;

/// <summary>What `sim plant` is asked for.</summary>
public enum PlantAction
{
    List,
    Run,
    All,
    Ablate,
}

/// <summary>The arguments of `sim plant`.</summary>
public sealed record PlantRequest
{
    public PlantAction Action { get; init; }

    /// <summary>The bugs that are asked for.</summary>
    public ImmutableArray<PlantedBug> Bugs { get; init; } = PlantedBug.All;

    /// <summary>Seeds of `run`; null for the bug's budget.</summary>
    public int? Seeds { get; init; }

    /// <summary>The first seed of the first block.</summary>
    public ulong First { get; init; } = 1;

    public int Blocks { get; init; } = 100;

    public int Jobs { get; init; } = 1;

    public ImmutableArray<string> WithoutChecks { get; init; } = [];

    public ImmutableArray<string> WithoutFaults { get; init; } = [];

    /// <summary>Something is left out: then any check that is left may find a bug.</summary>
    public bool LeavesOut => !WithoutChecks.IsEmpty || !WithoutFaults.IsEmpty;
}

/// <summary>Makes the command, and reads it.</summary>
internal sealed class PlantWords
{
    public const string Name = "plant";

    private readonly Argument<string> _bug = new("ID")
    {
        Description = "The bug, by number or name; none for the core as it is",
    };

    private readonly Option<string> _seeds = CommandLine.New(
        "--seeds", "N", "How many seeds [default: the bug's budget]");

    private readonly Option<string> _seed = CommandLine.New(
        "--seed", "FIRST", "The first seed [default: 1]");

    private readonly Option<string> _blocks = CommandLine.New(
        "--blocks", "N", "Blocks of seeds, none shared [default: 100]");

    private readonly Option<string> _ablationBlocks = CommandLine.New(
        "--blocks", "N",
        "Blocks of a bug's budget, 500 seeds at most, that it is looked for in [default: 1]");

    private readonly Option<string> _bugs = CommandLine.New(
        "--bugs", "IDS", "Only these bugs, with commas: 2,13 [default: all]");

    private readonly Option<string> _withoutCheck = CommandLine.New(
        "--without-check", "IDS", "All other checks are on, and any of them may find a bug");

    private readonly Option<string> _without = CommandLine.New(
        "--without", "FAULTS", "None of these faults; all checks are on, and any may find a bug");

    private readonly Option<string> _jobs = CommandLine.New(
        "--jobs", "J", "Runs at a time [default: one a core]; results do not depend on it");

    public PlantWords()
    {
        Command = new Command(Name, "Bugs planted in the core, to prove that checks find them");
        CommandLine.Add(Command, "list", "The bugs: number, name, check, budget, what it does",
            null, []);
        CommandLine.Add(Command, "run", "Run seeds with one bug and tell which checks find it;"
            + " exits 1 if the one that must does not, alone", _bug, [_seeds, _seed, _jobs]);
        CommandLine.Add(Command, "all", "Look for each bug in blocks of its budget of seeds, with"
            + " its check alone; exits 1 if one is missed in more than 1 of 100", null,
            [_blocks, _seed, _bugs, _withoutCheck, _without, _jobs]);
        CommandLine.Add(Command, "ablate", "For each check and each class of faults: the bugs that"
            + " escape without it", null, [_ablationBlocks, _seed, _bugs, _jobs]);
    }

    public Command Command { get; }

    public Request ToRequest(ParseResult line, string verb)
    {
        var action = Enum.Parse<PlantAction>(line.CommandResult.Command.Name, ignoreCase: true);
        var plant = new PlantRequest
        {
            Action = action,
            Bugs = action == PlantAction.Run
                ? [ToBug("plant run", line.GetValue(_bug) ?? "", orNone: true)]
                : CommandLine.Value(line, _bugs, ToBugs, PlantedBug.All),
            Seeds = (int?)CommandLine.Value(line, _seeds, Words.ToCount, null),
            First = CommandLine.Value(line, _seed, Words.ToSeed, null) ?? 1,
            Blocks = CommandLine.Value(line, _blocks, Words.ToBlocks, null)
                ?? CommandLine.Value(line, _ablationBlocks, Words.ToBlocks, null)
                ?? (action == PlantAction.Ablate ? 1 : 100),
            Jobs = CommandLine.Value(line, _jobs, Words.ToJobs, null)
                ?? Environment.ProcessorCount,
            WithoutChecks = CommandLine.Value(line, _withoutCheck, Words.ToChecks, []),
            WithoutFaults = CommandLine.Value(line, _without, Words.ToFaults, []),
        };
        return new Request { Verb = verb, Plant = plant };
    }

    private static ImmutableArray<PlantedBug> ToBugs(string name, string text)
    {
        var bugs = ImmutableArray.CreateBuilder<PlantedBug>();
        foreach (var id in text.Split(','))
            bugs.Add(ToBug(name, id, orNone: false));
        return bugs.ToImmutable();
    }

    private static PlantedBug ToBug(string name, string id, bool orNone)
    {
        var bug = PlantedBug.Find(id);
        if (bug is null || (bug.Number == 0 && !orNone))
        {
            throw new UsageException(
                $"{name}: '{id}' is not a planted bug (`sim plant list` has them)");
        }
        return bug;
    }
}
