// Owns what a command line comes to: the request, and the words that ask for the same runs again.
//
// What always holds: Checks are the ids that may report, already without those left out; Options
// gives, after the same seed, the same scenario under the same checks.

using System;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;
using Balancer.Core;

namespace Simulation.Commands;

/// <summary>What the command line asks for; what its verb does not use is at its default.</summary>
public sealed record Request
{
    /// <summary>The words before the options: run, replay, corpus add, ….</summary>
    public required string Verb { get; init; }

    /// <summary>A scenario's seed or file, where the verb takes one.</summary>
    public string Subject { get; init; } = "";

    /// <summary>The first seed; null for one that the clock gives.</summary>
    public ulong? Seed { get; init; }

    /// <summary>
    /// How many seeds, null for no limit but Time; for failover how often each fault is done, null
    /// for what its scenario has.
    /// </summary>
    public long? Count { get; init; }

    /// <summary>How long to go on, in real time.</summary>
    public TimeSpan? Time { get; init; }

    public int Jobs { get; init; } = 1;

    public Choice Choice { get; init; } = new();

    /// <summary>The checks that may report; empty for all.</summary>
    public ImmutableArray<string> Checks { get; init; } = [];

    /// <summary>Those that were left out by name, as they were given.</summary>
    public ImmutableArray<string> WithoutChecks { get; init; } = [];

    /// <summary>L6 is owed however few the seeds.</summary>
    public bool OwesCoverage { get; init; }

    public string? Json { get; init; }

    /// <summary>For run: the folder in which failures are kept, after which it goes on.</summary>
    public string? Keep { get; init; }

    /// <summary>For run: the commit that results and failures name.</summary>
    public string? Commit { get; init; }

    public string? Html { get; init; }

    public string? Svg { get; init; }

    public bool Ascii { get; init; }

    public Instant Until { get; init; } = Instant.Never;

    public bool Trace { get; init; }

    public TimeSpan Budget { get; init; } = TimeSpan.FromSeconds(60);

    public string? Output { get; init; }

    /// <summary>For corpus add: what it found, in words.</summary>
    public string? Found { get; init; }

    /// <summary>The corpus's folder; null for the one that belongs to the current folder.</summary>
    public string? Directory { get; init; }

    /// <summary>For real: the corpus, and seeds when it has no more.</summary>
    public bool IsCorpus { get; init; }

    /// <summary>For real: no profile was named, so seeds take one after the other.</summary>
    public bool TakesProfilesInTurn { get; init; }

    /// <summary>
    /// For real and failover: the balancer's executable; null for the one beside this one.
    /// </summary>
    public string? Bbal { get; init; }

    /// <summary>
    /// For real and failover: the fake backend's executable; null for the one beside this one.
    /// </summary>
    public string? FakeBinder { get; init; }

    /// <summary>For failover: backends are the real node-mname.</summary>
    public bool IsNode { get; init; }

    /// <summary>For failover: goals that are missed are named, and a failure.</summary>
    public bool IsJudged { get; init; }

    /// <summary>For failover: the one scenario; null for all of them.</summary>
    public string? FailoverScenario { get; init; }

    /// <summary>The bug to plant in the core: a number, a name or a patch; null for none.</summary>
    public string? Planted { get; init; }

    /// <summary>For plant: what it is asked for.</summary>
    public PlantRequest? Plant { get; init; }

    /// <summary>For mutate: what it is asked for.</summary>
    public MutateRequest? Mutate { get; init; }

    /// <summary>It needs a core that is not this program's.</summary>
    public bool NeedsAnotherCore => Plant is not null || Mutate is not null || Planted is not null;

    /// <summary>The options that another command needs for the same runs.</summary>
    public string Options => string.Concat(ScenarioWords().Concat(CheckWords())
        .Concat(PlantedWords()).Select(word => " " + word));

    /// <summary>The options that make the same scenarios of the same seeds.</summary>
    public ImmutableArray<string> ScenarioWords()
    {
        var words = ImmutableArray.CreateBuilder<string>();
        if (Choice.Profile != CommandLine.Profiles[0])
            words.Add("--profile=" + Choice.Profile);
        if (!Choice.Only.IsEmpty)
            words.Add("--only=" + string.Join(',', Choice.Only));
        if (!Choice.Without.IsEmpty)
            words.Add("--without=" + string.Join(',', Choice.Without));
        if (Choice.Virtual is { } time)
        {
            words.Add(string.Create(CultureInfo.InvariantCulture,
                $"--virtual={time.Nanoseconds / 1_000_000_000m:0.#########}s"));
        }
        return words.ToImmutable();
    }

    private ImmutableArray<string> PlantedWords() =>
        Planted is null ? [] : ["--plant=" + Planted];

    private ImmutableArray<string> CheckWords()
    {
        if (Checks.Length + WithoutChecks.Distinct().Count() == Words.CheckIds.Length)
            return ["--without-check=" + string.Join(',', WithoutChecks)];
        return Checks.IsEmpty ? [] : ["--check=" + string.Join(',', Checks)];
    }
}

/// <summary>What the arguments came to: exactly one of the three is not null.</summary>
public sealed record Parsed(
    Request? Request = null, string? Text = null, string? Complaint = null);
