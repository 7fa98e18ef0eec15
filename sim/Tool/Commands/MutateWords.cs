// Owns the words of `sim mutate`: what can be asked for, and what the arguments mean. Which files
// the core has is known to the planting host alone, so files are words here.

using System;
using System.Collections.Immutable;
using System.CommandLine;

namespace Simulation.Commands;

/// <summary>The arguments of `sim mutate`.</summary>
public sealed record MutateRequest
{
    /// <summary>The files of the core whose mutants are wanted; empty for all.</summary>
    public ImmutableArray<string> Files { get; init; } = [];

    /// <summary>How long to go on, in real time; null for as long as it takes.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>The first seed.</summary>
    public ulong First { get; init; } = 1;

    /// <summary>Seeds, of which each mutant is tried with some that reach it.</summary>
    public int Count { get; init; } = 1000;

    /// <summary>Seeds that a mutant is tried with at most.</summary>
    public int Tries { get; init; } = 50;

    /// <summary>The least score that passes, in percent.</summary>
    public int Least { get; init; } = 95;

    public int Jobs { get; init; } = 1;

    public string? Json { get; init; }

    /// <summary>The file that survivors are written to, as rows of their list.</summary>
    public string? Output { get; init; }
}

/// <summary>Makes the command, and reads it.</summary>
internal sealed class MutateWords
{
    public const string Name = "mutate";

    private static readonly MutateRequest Defaults = new();

    private readonly Option<string> _files = CommandLine.New(
        "--files", "NAMES", "Only these files of the core, with commas [default: all]");

    private readonly Option<string> _time = CommandLine.New(
        "--time", "TIME", "Try only as many mutants as there is time for, of all files evenly");

    private readonly Option<string> _seed = CommandLine.New(
        "--seed", "FIRST", "The first seed [default: 1]");

    private readonly Option<string> _count = CommandLine.New(
        "--count", "K", $"Seeds that there are to try mutants with [default: {Defaults.Count}]");

    private readonly Option<string> _tries = CommandLine.New(
        "--tries", "N", $"Seeds that a mutant is tried with at most [default: {Defaults.Tries}]");

    private readonly Option<string> _least = CommandLine.New(
        "--least", "PERCENT", $"Exit with 1 if the score is lower [default: {Defaults.Least}]");

    private readonly Option<string> _jobs = CommandLine.New(
        "--jobs", "J", "Processes [default: one a core]; no result depends on it");

    private readonly Option<string> _json = CommandLine.New(
        "--json", "FILE", "Write what each mutant came to there, as JSON");

    private readonly Option<string> _output = CommandLine.New(
        "--output", "FILE", "Write the survivors there, as rows of sim/mutants/survivors.tsv",
        "-o");

    /// <summary>Adds the command to others.</summary>
    public void AddTo(Command to) => CommandLine.Add(to, Name,
        "Change the core in one place after another, to see whether a check notices", null,
        [_files, _time, _seed, _count, _tries, _least, _jobs, _json, _output]);

    public Request ToRequest(ParseResult line) => new()
    {
        Verb = Name,
        Mutate = new MutateRequest
        {
            Files = CommandLine.Value(line, _files, (_, text) => [.. text.Split(',')],
                ImmutableArray<string>.Empty),
            Time = CommandLine.Value(line, _time, Words.ToTime, null),
            First = CommandLine.Value(line, _seed, Words.ToSeed, null) ?? Defaults.First,
            Count = CommandLine.Value(line, _count, Words.ToBlocks, null) ?? Defaults.Count,
            Tries = CommandLine.Value(line, _tries, Words.ToBlocks, null) ?? Defaults.Tries,
            Least = CommandLine.Value(line, _least, Words.ToPercent, null) ?? Defaults.Least,
            Jobs = CommandLine.Value(line, _jobs, Words.ToJobs, null)
                ?? Environment.ProcessorCount,
            Json = CommandLine.Value(line, _json, Words.ToNewFile, null),
            Output = CommandLine.Value(line, _output, Words.ToNewFile, null),
        },
    };
}
