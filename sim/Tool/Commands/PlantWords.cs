// Owns the words of `sim plant`: what can be asked for, and what the arguments mean. Which bugs
// there are is known to the planting host alone, so bugs are words here.
//
// What always holds: a word that is wrong is a complaint of the command line's, in one line.

using System;
using System.Collections.Immutable;
using System.CommandLine;

namespace Simulation.Commands;

/// <summary>What `sim plant` is asked for.</summary>
public enum PlantAction
{
    List,
    Run,
    All,
    Ablate,
    Try,
}

/// <summary>The arguments of `sim plant`.</summary>
public sealed record PlantRequest
{
    /// <summary>Seeds of `try`, if it is not told how many.</summary>
    public const int SeedsOfTry = 1000;

    public PlantAction Action { get; init; }

    /// <summary>The bugs that are asked for, by number or name; empty for all.</summary>
    public ImmutableArray<string> Bugs { get; init; } = [];

    /// <summary>The patch of `try`.</summary>
    public string? File { get; init; }

    /// <summary>The checks of `try` that count; empty for all.</summary>
    public ImmutableArray<string> Checks { get; init; } = [];

    /// <summary>The profile of the seeds of `try`.</summary>
    public string Profile { get; init; } = CommandLine.Profiles[0];

    /// <summary>Seeds of `run` and `try`; null for the default.</summary>
    public int? Seeds { get; init; }

    /// <summary>The first seed of the first block.</summary>
    public ulong First { get; init; } = 1;

    public int Blocks { get; init; } = 100;

    public int Jobs { get; init; } = 1;

    /// <summary>How long a seed of `try` may take, in real time.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(60);

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

    private readonly Argument<string> _file = new("FILE")
    {
        Description = "A unified diff against the core, as `git diff` prints it",
    };

    private readonly Option<string> _seeds = CommandLine.New(
        "--seeds", "N", "How many seeds [default: the bug's budget; of try 1000]");

    private readonly Option<string> _check = CommandLine.New(
        "--check", "IDS", "Only these checks may find it, with commas: S1,S7 [default: all]");

    private readonly Option<string> _profile = CommandLine.New(
        "--profile", "NAME", "swarm, calm, udp, tcp or restart [default: swarm]");

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

    private readonly Option<string> _limit = CommandLine.New(
        "--limit", "TIME", "Give up when a seed takes more processor time: a patch may loop"
        + " for ever [default: 60s]");

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
        CommandLine.Add(Command, "try", "Run seeds with a bug of your own until a check finds it;"
            + " exits 1 if none does", _file, [_profile, _check, _seeds, _seed, _jobs, _limit]);
    }

    public Command Command { get; }

    public Request ToRequest(ParseResult line, string verb)
    {
        var action = Enum.Parse<PlantAction>(line.CommandResult.Command.Name, ignoreCase: true);
        var plant = new PlantRequest
        {
            Action = action,
            Bugs = action == PlantAction.Run
                ? [line.GetValue(_bug) ?? ""]
                : CommandLine.Value(line, _bugs, (_, text) => [.. text.Split(',')],
                    ImmutableArray<string>.Empty),
            File = action == PlantAction.Try ? line.GetValue(_file) : null,
            Profile = CommandLine.Value(
                line, _profile, Words.ToProfile, CommandLine.Profiles[0]),
            Checks = CommandLine.Value(line, _check, Words.ToChecks, []),
            Seeds = (int?)CommandLine.Value(line, _seeds, Words.ToCount, null),
            First = CommandLine.Value(line, _seed, Words.ToSeed, null) ?? 1,
            Blocks = CommandLine.Value(line, _blocks, Words.ToBlocks, null)
                ?? CommandLine.Value(line, _ablationBlocks, Words.ToBlocks, null)
                ?? (action == PlantAction.Ablate ? 1 : 100),
            Jobs = CommandLine.Value(line, _jobs, Words.ToJobs, null)
                ?? Environment.ProcessorCount,
            Limit = CommandLine.Value(line, _limit, Words.ToTime, null)
                ?? TimeSpan.FromSeconds(60),
            WithoutChecks = CommandLine.Value(line, _withoutCheck, Words.ToChecks, []),
            WithoutFaults = CommandLine.Value(line, _without, Words.ToFaults, []),
        };
        return new Request { Verb = verb, Plant = plant };
    }
}
