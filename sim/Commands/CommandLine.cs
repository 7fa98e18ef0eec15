// Owns the command line of `sim`: its words, what their values may be, and the one line that a
// wrong one is answered with. System.CommandLine cuts the arguments up and prints the help; what a
// value means, and every complaint, is ours.
//
// What always holds: Parse neither prints nor throws; a complaint is one line.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.IO;
using System.Linq;
using Balancer.Core;
using Simulation.Planting;
using Simulation.Scenarios;

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

    /// <summary>How many seeds; null for no limit but Time.</summary>
    public long? Count { get; init; }

    /// <summary>How long to go on, in real time.</summary>
    public TimeSpan? Time { get; init; }

    public int Jobs { get; init; } = 1;

    public Choice Choice { get; init; } = new();

    public ImmutableArray<string> Checks { get; init; } = [];

    public string? Json { get; init; }

    public string? Html { get; init; }

    public string? Svg { get; init; }

    public bool Ascii { get; init; }

    public Instant Until { get; init; } = Instant.Never;

    public bool Trace { get; init; }

    public TimeSpan Budget { get; init; } = TimeSpan.FromSeconds(60);

    public string? Output { get; init; }

    /// <summary>For corpus add: what it found, in words.</summary>
    public string? Found { get; init; }

    public string Directory { get; init; } = "sim/corpus";

    /// <summary>For plant: what it is asked for besides Seed, Count and Jobs.</summary>
    public PlantRequest? Plant { get; init; }
}

/// <summary>What the arguments came to: exactly one of the three is not null.</summary>
public sealed record Parsed(
    Request? Request = null, string? Text = null, string? Complaint = null);

/// <summary>Reads the arguments.</summary>
public sealed class CommandLine
{
    public static readonly ImmutableArray<string> Profiles =
        ["swarm", "calm", "udp", "tcp", "restart"];

    private static readonly ImmutableArray<string> CheckIds =
        [.. Enumerable.Range(1, 13).Select(n => $"S{n}"), .. Enumerable.Range(1, 6).Select(n => $"L{n}")];

    private readonly Argument<string> _subject = new("SEED|FILE")
    {
        Description = "The scenario: a seed, or a file that holds one",
    };

    private readonly Argument<string> _file = new("FILE") { Description = "A scenario's file" };

    private readonly Option<string> _seed = New("--seed", "N", "The first seed [default: one from the clock]");
    private readonly Option<string> _count = New("--count", "K", "How many seeds [default: 100, or no limit with --time]");
    private readonly Option<string> _seeds = New("--seeds", "K", "How many seeds [default: 100]");
    private readonly Option<string> _time = New("--time", "TIME", "How long to go on, in real time: 90s, 10m");
    private readonly Option<string> _jobs = New("--jobs", "J", "Runs at a time [default: one a core]; results do not depend on it");
    private readonly Option<string> _profile = New("--profile", "NAME", "swarm, calm, udp, tcp or restart [default: swarm]");
    private readonly Option<string> _only = New("--only", "FAULTS", "Only these faults: classes (udp) or kinds (UdpLoss), with commas");
    private readonly Option<string> _without = New("--without", "FAULTS", "None of these faults");
    private readonly Option<string> _virtual = New("--virtual", "TIME", "Virtual time of a run [default: the profile's]");
    private readonly Option<string> _check = New("--check", "IDS", "Only these checks, with commas: S1,S7 [default: all]");
    private readonly Option<string> _json = New("--json", "FILE", "Write the result there, as JSON");
    private readonly Option<string> _until = New("--until", "TIME", "Trace and draw no further than this virtual time");
    private readonly Option<bool> _trace = new("--trace") { Description = "Print one line an event" };
    private readonly Option<string> _break = New("--break", "ID", "Stop where this check fails, and show what led there");
    private readonly Option<string> _html = New("--html", "FILE", "Draw it, as a page");
    private readonly Option<string> _svg = New("--svg", "FILE", "Draw it, as SVG");
    private readonly Option<bool> _ascii = new("--ascii") { Description = "Draw it here, in characters (the default)" };
    private readonly Option<string> _budget = New("--budget", "TIME", "How long to shrink, in real time [default: 60s]");
    private readonly Option<string> _output = New("--output", "FILE", "Write the scenario there", "-o");
    private readonly Option<string> _found = New("--found", "TEXT", "What it found, if it fails no more");
    private readonly Option<string> _directory = New("--directory", "DIR", "Where the corpus is [default: sim/corpus]");

    private readonly PlantWords _plant = new();

    private readonly RootCommand _root = new("The simulator of bbal: the real core in virtual time.");

    public CommandLine()
    {
        _root.Directives.Clear();
        Option[] choice = [_profile, _only, _without, _virtual];
        Add(_root, "run", "Run seeds until one fails", null,
            [_seed, _count, _time, _jobs, .. choice, _check, _json, _budget, _output]);
        Add(_root, "replay", "Run one scenario again and tell about it", _subject,
            [.. choice, _check, _until, _trace, _break, _html]);
        Add(_root, "shrink", "Make a failing scenario as small as can be", _subject,
            [.. choice, _check, _budget, _output]);
        Add(_root, "show", "Draw the picture of a run", _subject,
            [.. choice, _check, _until, _html, _svg, _ascii]);
        Add(_root, "det", "Run seeds in two processes and compare", null,
            [_seed, _seeds, _jobs, .. choice]);
        _root.Subcommands.Add(_plant.Command);
        var corpus = new Command("corpus", "Failures ever found, for ever");
        Add(corpus, "add", "Add a scenario, with what it finds", _file,
            [_check, _found, _directory]);
        Add(corpus, "run", "Run them all", null, [_jobs, _directory]);
        _root.Subcommands.Add(corpus);
        var hashes = Add(_root, "hashes", "Print each seed's hash", null, [_seed, _seeds, _jobs, .. choice]);
        hashes.Hidden = true;
    }

    public static Parsed Parse(IReadOnlyList<string> arguments)
    {
        try
        {
            return new CommandLine().Read(arguments);
        }
        catch (UsageException wrong)
        {
            return new Parsed(Complaint: "sim: " + OnOneLine(wrong.Message));
        }
    }

    private Parsed Read(IReadOnlyList<string> arguments)
    {
        var line = _root.Parse(arguments,
            new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (line.Action is System.CommandLine.Help.HelpAction || line.Action?.GetType().Name.Contains("Version", StringComparison.Ordinal) == true)
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            line.Invoke(new InvocationConfiguration { Output = text });
            return new Parsed(Text: text.ToString());
        }
        if (line.UnmatchedTokens is [var stray, ..])
            throw new UsageException($"'{stray}': no such command, option or value (try --help)");
        if (line.Errors is [var error, ..])
            throw new UsageException(error.Message);
        if (line.CommandResult.Command.Subcommands.Count > 0)
            throw new UsageException("a command is missing (try --help)");
        return new Parsed(Request: ToRequest(line));
    }

    private Request ToRequest(ParseResult line)
    {
        var names = new List<string>();
        for (SymbolResult? at = line.CommandResult; at is CommandResult command; at = at.Parent)
        {
            if (command.Command is not RootCommand)
                names.Insert(0, command.Command.Name);
        }
        var verb = string.Join(' ', names);
        var time = Value(line, _time, ToTime, null);
        if (line.CommandResult.Parent is CommandResult { Command.Name: PlantWords.Name })
            return _plant.ToRequest(line, verb);
        var seeds = Value(line, _seeds, ToCount, null) ?? Value(line, _count, ToCount, null);
        var checks = Value(line, _check, ToChecks, default(ImmutableArray<string>));
        checks = Value(line, _break, ToChecks, checks);
        return new Request
        {
            Verb = verb,
            Subject = Subject(line, verb),
            Seed = Value(line, _seed, ToSeed, null),
            Count = seeds ?? (time is null ? 100 : null),
            Time = time,
            Jobs = (int)(Value(line, _jobs, ToCount, null) ?? Environment.ProcessorCount),
            Choice = new Choice
            {
                Profile = Value(line, _profile, ToProfile, "swarm"),
                Only = Value(line, _only, ToFaults, []),
                Without = Value(line, _without, ToFaults, []),
                Virtual = Value(line, _virtual, ToVirtual, null),
            },
            Checks = checks.IsDefault ? [] : checks,
            Json = Value(line, _json, ToPath, null),
            Html = Value(line, _html, ToPath, null),
            Svg = Value(line, _svg, ToPath, null),
            Ascii = line.GetResult(_ascii) is { Implicit: false },
            Trace = line.GetResult(_trace) is { Implicit: false },
            Until = Value(line, _until, ToDuration, null) is { } until
                ? Instant.Zero + until
                : Instant.Never,
            Budget = Value(line, _budget, ToTime, null) ?? TimeSpan.FromSeconds(60),
            Output = Value(line, _output, ToPath, null),
            Found = Value(line, _found, (_, text) => text, null),
            Directory = Value(line, _directory, ToPath, null) ?? "sim/corpus",
        };
    }

    private string Subject(ParseResult line, string verb) => verb switch
    {
        "replay" or "shrink" or "show" => line.GetValue(_subject) ?? "",
        "corpus add" => line.GetValue(_file) ?? "",
        _ => "",
    };

    internal static Command Add(Command to, string name, string description, Argument? argument,
        ReadOnlySpan<Option> options)
    {
        var command = new Command(name, description);
        if (argument is not null)
            command.Arguments.Add(argument);
        foreach (var option in options)
            command.Options.Add(option);
        command.SetAction(_ => 0);
        to.Subcommands.Add(command);
        return command;
    }

    internal static Option<string> New(
        string name, string value, string description, params string[] aliases) =>
        new(name, aliases) { HelpName = value, Description = description };

    internal static T Value<T>(
        ParseResult line, Option<string> option, Func<string, string, T> convert, T otherwise) =>
        line.GetResult(option) is { Implicit: false, Tokens: [.., var token] }
            ? convert(option.Name, token.Value)
            : otherwise;

    internal static ulong? ToSeed(string name, string text) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw new UsageException($"{name}: '{text}' is not a seed (0 to 2^64 - 1)");

    internal static long? ToCount(string name, string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count is >= 1 and <= 1_000_000_000
            ? count
            : throw new UsageException($"{name}: '{text}' is not a number (1 to 1000000000)");

    private static TimeSpan? ToTime(string name, string text) =>
        TimeSpan.FromSeconds(Nanoseconds(name, text) / 1e9);

    private static Duration? ToVirtual(string name, string text) =>
        Nanoseconds(name, text) is >= 10_000_000_000 and var time
            ? new Duration(time)
            : throw new UsageException($"{name}: '{text}' is less than 10 s");

    private static Duration? ToDuration(string name, string text) =>
        new(Nanoseconds(name, text));

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
            && value * unit <= 864_000_000_000_000m
            ? (long)(value * unit)
            : throw new UsageException(
                $"{name}: '{text}' is not a time (250ms, 12.345s, 10m; up to 10 days)");
    }

    private static string ToProfile(string name, string text) => Profiles.Contains(text)
        ? text
        : throw new UsageException($"{name}: '{text}' is not a profile ({string.Join(", ", Profiles)})");

    internal static ImmutableArray<string> ToChecks(string name, string text)
    {
        ImmutableArray<string> ids = [.. text.ToUpperInvariant().Split(',')];
        foreach (var id in ids)
        {
            if (!CheckIds.Contains(id))
                throw new UsageException($"{name}: '{id}' is not a check (S1 to S13, L1 to L6)");
        }
        return ids;
    }

    internal static ImmutableArray<string> ToFaults(string name, string text)
    {
        ImmutableArray<string> words = [.. text.Split(',')];
        if (new GeneratorOptions { Only = words }.UnknownWord() is { } unknown)
        {
            throw new UsageException($"{name}: '{unknown}' names no fault (a class such as udp or "
                + "script, or a kind such as UdpLoss)");
        }
        return words;
    }

    private static string? ToPath(string name, string text) => text.Length > 0
        ? text
        : throw new UsageException($"{name}: '' is not a path");

    private static string OnOneLine(string text) =>
        string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));

    /// <summary>A word of the command line is wrong; never leaves Parse.</summary>
    internal sealed class UsageException(string message) : Exception(message);
}
