// Owns the command line of `sim`: its verbs and options, and the one line that a wrong one is
// answered with. System.CommandLine cuts the arguments up and prints the help; what a value means,
// and every complaint, is ours (Words).
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
using CommandLines;

namespace Simulation.Commands;

/// <summary>Reads the arguments.</summary>
public sealed class CommandLine
{
    public static readonly ImmutableArray<string> Profiles =
        ["swarm", "calm", "udp", "tcp", "restart"];

    private readonly Argument<string> _subject = new("SEED|FILE")
    {
        Description = "The scenario: a seed, or a file that holds one",
    };

    private readonly Argument<string> _scenario = new("SEED|FILE")
    {
        Description = "The scenario: a seed, or a file that holds one; none with --schema",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> _schema = new("--schema")
    {
        Description = "Print the JSON schema of scenario files, for editors",
    };

    private readonly Option<string> _to = New(
        "--output", "FILE", "Write it there [default: standard output]", "-o");

    private readonly Argument<string> _file = new("FILE") { Description = "A scenario's file" };

    private readonly Option<string> _seed = New(
        "--seed", "N", "The first seed [default: one from the clock; for det 1]");

    private readonly Option<string> _count = New(
        "--count", "K", "How many seeds [default: 100, or no limit with --time]");

    private readonly Option<string> _seeds = New("--seeds", "K", "How many seeds [default: 100]");

    private readonly Option<string> _time = New(
        "--time", "TIME", "How long to go on, in real time: 90s, 10m, or seconds");

    private readonly Option<string> _jobs = New(
        "--jobs", "J", "Runs at a time [default: one a core]; no result depends on it");

    private readonly Option<string> _profile = New(
        "--profile", "NAME", "swarm, calm, udp, tcp or restart [default: swarm]");

    private readonly Option<string> _only = New(
        "--only", "FAULTS", "Only these faults: classes (udp) or kinds (UdpLoss), with commas");

    private readonly Option<string> _without = New(
        "--without", "FAULTS", "None of these faults");

    private readonly Option<string> _virtual = New(
        "--virtual", "TIME", "Virtual time of a run, 10s and more [default: the seed's]");

    private readonly Option<string> _check = New(
        "--check", "IDS", "Only these checks, by id or name: S3,streams [default: all]");

    private readonly Option<string> _withoutCheck = New(
        "--without-check", "IDS", "None of these checks");

    private readonly Option<string> _json = New(
        "--json", "FILE", "Write the result there, as JSON");

    private readonly Option<string> _keep = New("--keep", "DIR",
        "Go on after a failure, and keep it there, shrunk [default: end at the first]");

    private readonly Option<string> _commit = New(
        "--commit", "HASH", "The commit that results and kept failures name");

    private readonly Argument<string> _left = new("DIR")
    {
        Description = "The folder with what runs left: results (--json) and failures (--keep)",
    };

    private readonly Option<bool> _oweCoverage = new("--owe-coverage")
    {
        Description = "Fail (L6) where anything that 10,000 seeds owe was never there",
    };

    private readonly Option<string> _until = New(
        "--until", "TIME", "Trace and draw no further than this virtual time");

    private readonly Option<bool> _trace = new("--trace")
    {
        Description = "Print one line an event",
    };

    private readonly Option<string> _break = New(
        "--break", "ID", "Stop where this check fails, and show what led there");

    private readonly Option<string> _html = New("--html", "FILE", "Draw it, as a page");

    private readonly Option<string> _svg = New("--svg", "FILE", "Draw it, as SVG");

    private readonly Option<bool> _ascii = new("--ascii")
    {
        Description = "Draw it here, in characters (the default)",
    };

    private readonly Option<string> _budget = New(
        "--budget", "TIME", "How long to shrink, in real time [default: 60s]");

    private readonly Option<string> _output = New(
        "--output", "FILE", "Write the shrunk scenario there", "-o");

    private readonly Option<string> _found = New(
        "--found", "TEXT", "What it found, if it fails no more");

    private readonly Option<string> _directory = New(
        "--directory", "DIR", "The corpus [default: sim/corpus of the tree one is in]");

    private readonly Argument<string> _realSubject = new("SEED|FILE")
    {
        Description = "The scenario: a seed, or a file that holds one; none with --corpus",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> _corpus = new("--corpus")
    {
        Description = "Run the corpus, and when it has no more seeds from 2000000 on, of each "
            + "profile in turn",
    };

    private readonly Option<string> _realCount = New(
        "--count", "K", "How many scenarios of --corpus [default: 20]");

    private readonly Option<string> _realJobs = New(
        "--jobs", "J", "Runs at a time, which mostly wait [default: four a core, 16 at most]");

    private readonly Option<string> _realVirtual = New("--virtual", "TIME",
        "Wall time from start to stop that is planned, 10s and more; longer scenarios are cut "
        + "where nothing happens, and run faster [default: 30s]");

    private readonly Option<string> _bbal = New(
        "--bbal", "PATH", "The balancer's executable [default: bbal beside this one]");

    private readonly Option<string> _fakeBinder = New("--fake-binder", "PATH",
        "The fake backend's executable [default: fake-binder beside this one]");

    private readonly Option<bool> _node = new("--node")
    {
        Description = "Backends are the real node-mname, which tests/integration/node has "
            + "[default: fake-binder]",
    };

    private readonly Option<string> _failover = New("--scenario", "NAME",
        $"Only this one: {string.Join(", ", Words.FailoverScenarios)}");

    private readonly Option<string> _times = New("--times", "N",
        $"How often each fault is done [default: {Words.FailoverTimes}]");

    private readonly Option<bool> _judged = new("--check")
    {
        Description = "Name each goal that was missed; exit status 1 if one was",
    };

    private readonly Option<string> _planted = New("--plant", "ID|FILE",
        "With this bug in the core: a number or name of `sim plant list`, or a patch");

    private readonly PlantWords _plant = new();
    private readonly MutateWords _mutate = new();

    private readonly RootCommand _root = new(
        "The simulator of bbal: the real core in virtual time.");

    private readonly Option _help = StandardOptions.Help();
    private readonly Option<bool> _version = StandardOptions.Version();

    public CommandLine()
    {
        _root.Directives.Clear();
        _root.Options.Clear();
        _root.Options.Add(_help);
        _root.Options.Add(_version);
        Option[] choice = [_profile, _only, _without, _virtual];
        Option[] checks = [_check, _withoutCheck];
        Add(_root, "run", "Run seeds until one fails", null,
            [_seed, _count, _time, _jobs, .. choice, .. checks, _oweCoverage, _json,
                _keep, _commit, _budget, _output, _planted]);
        Add(_root, "replay", "Run one scenario again and tell about it", _subject,
            [.. choice, .. checks, _until, _trace, _break, _html, _planted]);
        Add(_root, "shrink", "Make a failing scenario as small as can be", _subject,
            [.. choice, .. checks, _budget, _output, _planted]);
        Add(_root, "show", "Draw the picture of a run", _subject,
            [.. choice, .. checks, _until, _html, _svg, _ascii, _planted]);
        Add(_root, "scenario", "Write a seed's scenario as a file", _scenario,
            [.. choice, _to, _schema]);
        Add(_root, "det", "Run seeds in two processes and compare", null,
            [_seed, _seeds, .. choice]);
        _root.Subcommands.Add(_plant.Command);
        _mutate.AddTo(_root);
        Add(_root, "triage", "Tell the failures that runs left, in groups", _left, [_html]);
        var corpus = new Command("corpus", "Failures ever found, for ever");
        Add(corpus, "add", "Add a scenario, with what it finds", _file,
            [.. checks, _found, _directory]);
        Add(corpus, "run", "Run them all", null, [_jobs, _directory]);
        _root.Subcommands.Add(corpus);
        Add(_root, "real", "Run scenarios in wall time, with real processes", _realSubject,
            [_corpus, _realCount, _realJobs, _profile, _only, _without, _realVirtual, _bbal,
                _fakeBinder, _directory, _json]);
        Add(_root, "failover", "Measure what a failing backend costs clients", null,
            [_bbal, _fakeBinder, _node, _failover, _times, _judged, _json]);
        // What `det` starts.
        Add(_root, "hashes", "Print what each seed comes to", null, [_seed, _seeds, .. choice])
            .Hidden = true;
        Add(_root, "steps", "Print the hash after each event", _subject, choice).Hidden = true;
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
        if (line.GetResult(_version) is { Implicit: false })
            return new Parsed(Text: StandardOptions.VersionOf("sim"));
        if (line.GetResult(_help) is { Implicit: false })
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            line.Invoke(new InvocationConfiguration { Output = text });
            return new Parsed(Text: text.ToString());
        }
        var words = line.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens);
        if (words.FirstOrDefault(word => word.Value.StartsWith('-')) is { } unknown)
            throw new UsageException($"'{unknown.Value}': no such option (try --help)");
        if (line.UnmatchedTokens is [var stray, ..])
            throw new UsageException($"'{stray}': no such command, option or value (try --help)");
        if (line.CommandResult.Command.Subcommands.Count > 0)
            throw new UsageException("a command is missing (try --help)");
        if ((StandardOptions.GivenTwice(line) ?? StandardOptions.WithoutValue(line)
            ?? WithoutArgument(line)) is { } complaint)
        {
            throw new UsageException(complaint);
        }
        if (line.Errors is [var error, ..])
            throw new UsageException(error.Message);
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
        if (line.CommandResult.Parent is CommandResult { Command.Name: PlantWords.Name })
            return _plant.ToRequest(line, verb);
        if (verb == MutateWords.Name)
            return _mutate.ToRequest(line);
        if (verb == "real")
            return ToReal(line);
        if (verb == "failover")
            return ToFailover(line);
        if (verb == "scenario")
            CheckScenario(line);
        var subject = Subject(line, verb);
        RefuseChoice(line, subject, _profile, _only, _without, _virtual);
        var time = Value(line, _time, Words.ToTime, null);
        var seeds = Value(line, _seeds, Words.ToCount, null)
            ?? Value(line, _count, Words.ToCount, null);
        var without = Value(line, _withoutCheck, Words.ToWithoutChecks, []);
        return new Request
        {
            Verb = verb,
            Subject = subject,
            Seed = Value(line, _seed, Words.ToSeed, null),
            Count = seeds ?? (time is null ? 100 : null),
            Time = time,
            Jobs = Value(line, _jobs, Words.ToJobs, null) ?? Environment.ProcessorCount,
            Choice = new Choice
            {
                Profile = Value(line, _profile, Words.ToProfile, "swarm"),
                Only = Value(line, _only, Words.ToFaults, []),
                Without = Value(line, _without, Words.ToFaults, []),
                Virtual = Value(line, _virtual, Words.ToVirtual, null),
            },
            Checks = Checks(line, without),
            WithoutChecks = without,
            OwesCoverage = line.GetResult(_oweCoverage) is { Implicit: false },
            Json = Value(line, _json, Words.ToNewFile, null),
            Keep = Value(line, _keep, Words.ToPath, null),
            Commit = Value(line, _commit, Words.ToPath, null),
            Html = Value(line, _html, Words.ToNewFile, null),
            Svg = Value(line, _svg, Words.ToNewFile, null),
            Ascii = line.GetResult(_ascii) is { Implicit: false },
            Trace = line.GetResult(_trace) is { Implicit: false },
            Until = Value(line, _until, Words.ToDuration, null) is { } until
                ? Instant.Zero + until
                : Instant.Never,
            Budget = Value(line, _budget, Words.ToTime, null) ?? TimeSpan.FromSeconds(60),
            Output = Value(line, verb == "scenario" ? _to : _output, Words.ToNewFile, null),
            Found = Value(line, _found, (_, text) => text, null),
            Directory = Value(line, _directory, Words.ToPath, null),
            Planted = Value(line, _planted, Words.ToPath, null),
        };
    }

    /// <summary>A file holds one scenario: nothing is left to choose.</summary>
    private static void RefuseChoice(
        ParseResult line, string subject, params ReadOnlySpan<Option> choice)
    {
        if (subject.Length == 0 || Words.IsSeed(subject))
            return;
        foreach (var option in choice)
        {
            if (line.GetResult(option) is { Implicit: false })
            {
                throw new UsageException($"{option.Name}: comes with a seed, not with a file "
                    + "(a file's scenario is run as it is)");
            }
        }
    }

    private void CheckScenario(ParseResult line)
    {
        var isSchema = line.GetResult(_schema) is { Implicit: false };
        if (isSchema == (line.GetValue(_scenario) ?? "").Length > 0)
            throw new UsageException("scenario: takes a seed, a file, or --schema (try --help)");
        if (isSchema && line.GetResult(_to) is { Implicit: false })
            throw new UsageException("--output: does not come with --schema");
    }

    private Request ToReal(ParseResult line)
    {
        var subject = line.GetValue(_realSubject) ?? "";
        var isCorpus = line.GetResult(_corpus) is { Implicit: false };
        if (isCorpus == subject.Length > 0)
            throw new UsageException("real: takes a seed, a file, or --corpus (try --help)");
        RefuseChoice(line, subject, _profile, _only, _without);
        var count = Value(line, _realCount, Words.ToCount, null);
        if (!isCorpus && count is not null)
            throw new UsageException("--count: comes with --corpus");
        return new Request
        {
            Verb = "real",
            Subject = subject,
            IsCorpus = isCorpus,
            TakesProfilesInTurn = isCorpus
                && line.GetResult(_profile) is null or { Implicit: true },
            Count = count ?? 20,
            Jobs = Value(line, _realJobs, Words.ToJobs, null)
                ?? Math.Min(16, 4 * Environment.ProcessorCount),
            Choice = new Choice
            {
                Profile = Value(line, _profile, Words.ToProfile, "swarm"),
                Only = Value(line, _only, Words.ToFaults, []),
                Without = Value(line, _without, Words.ToFaults, []),
                Virtual = Value(line, _realVirtual, Words.ToVirtual, null)
                    ?? Duration.FromSeconds(30L),
            },
            Bbal = Value(line, _bbal, Words.ToPath, null),
            FakeBinder = Value(line, _fakeBinder, Words.ToPath, null),
            Directory = Value(line, _directory, Words.ToPath, null),
            Json = Value(line, _json, Words.ToNewFile, null),
        };
    }

    private Request ToFailover(ParseResult line)
    {
        var isNode = line.GetResult(_node) is { Implicit: false };
        if (isNode && line.GetResult(_fakeBinder) is { Implicit: false })
            throw new UsageException("--fake-binder: does not come with --node");
        return new Request
        {
            Verb = "failover",
            Bbal = Value(line, _bbal, Words.ToPath, null),
            FakeBinder = Value(line, _fakeBinder, Words.ToPath, null),
            IsNode = isNode,
            FailoverScenario = Value(line, _failover, Words.ToFailover, null),
            Count = Value(line, _times, Words.ToTimes, null),
            IsJudged = line.GetResult(_judged) is { Implicit: false },
            Json = Value(line, _json, Words.ToNewFile, null),
        };
    }

    /// <summary>The checks that may report: those named, without those left out.</summary>
    private ImmutableArray<string> Checks(ParseResult line, ImmutableArray<string> without)
    {
        var named = Value(line, _break, Words.ToChecks, Value(line, _check, Words.ToChecks, []));
        if (without.IsEmpty)
            return named;
        var left = (named.IsEmpty ? Words.CheckIds : named).RemoveRange(without);
        return left.IsEmpty
            ? throw new UsageException("--without-check: no check is left")
            : left;
    }

    private static string? WithoutArgument(ParseResult line) => line.CommandResult.Children
        .OfType<ArgumentResult>()
        .Where(given => given.Tokens.Count < given.Argument.Arity.MinimumNumberOfValues)
        .Select(given => $"{line.CommandResult.Command.Name}: {given.Argument.Name} is missing "
            + "(try --help)")
        .FirstOrDefault();

    private string Subject(ParseResult line, string verb) => verb switch
    {
        "replay" or "shrink" or "show" or "steps" => line.GetValue(_subject) ?? "",
        "corpus add" => line.GetValue(_file) ?? "",
        "triage" => line.GetValue(_left) ?? "",
        "scenario" => line.GetValue(_scenario) ?? "",
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

    private static string OnOneLine(string text) =>
        string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
