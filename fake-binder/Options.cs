// Owns the command line: what each option is called, what it may be, and which misbehaviour it
// makes. A wrong one is one line that names it, in the words of the other executables.
//
// What always holds: counts and lengths are in their bounds, times 0 to an hour, before anything
// is opened. Options that need one another come together.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text;
using CommandLines;

namespace FakeBinder;

/// <summary>What the command line says.</summary>
internal sealed record Settings(
    IReadOnlyList<string> Paths, string? Id, bool Accepts, bool Verbose, Misbehaviour Misbehaviour)
{
    /// <summary>Where the journal goes; null for none.</summary>
    public string? Journal { get; init; }

    /// <summary>Commands are taken on standard input.</summary>
    public bool TakesCommands { get; init; }
}

internal sealed class Options
{
    private const long MaxNs = 3_600_000_000_000;

    private readonly Argument<string[]> _paths = new("PATH")
    {
        Description = "Sockets to listen on; a stale one is unlinked first.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly List<(Option Option, Func<ParseResult, Misbehaviour, Misbehaviour> Apply)>
        _misdeeds = [];

    private readonly Option<string?> _id = new("--id")
    {
        Description = "What CH TXT id.server tells (default: the last part of the path).",
        HelpName = "TEXT",
    };

    private readonly Option<bool> _noAccept = new("--no-accept")
    {
        Description = "Listen, but never accept.",
        Arity = ArgumentArity.Zero,
    };

    private readonly Option<bool> _verbose = new("--verbose")
    {
        Description = "Tell every event on stderr.",
        Arity = ArgumentArity.Zero,
    };

    private readonly Option<Misbehaviour> _script = new("--script")
    {
        Description = "Misbehave as this file of JSON says, in the words of a scenario's backend; "
            + "other options come on top.",
        HelpName = "FILE",
        CustomParser = ReadScript,
    };

    private readonly Option<string?> _journal = new("--journal")
    {
        Description = "Write every byte and end of every session there.",
        HelpName = "FILE",
    };

    private readonly Option<bool> _commands = new("--commands")
    {
        Description = "Take commands on standard input: script {...}, reset, end N, accept on, "
            + "accept off N.",
        Arity = ArgumentArity.Zero,
    };

    private readonly Option _help = StandardOptions.Help();
    private readonly Option<bool> _version = StandardOptions.Version();

    public Options()
    {
        AddProcess();
        AddHello();
        AddControl();
        AddReplies();
        AddTcp();
        Root = new RootCommand(
            "A DNS backend behind a balancer, with answers made up from the names asked for and "
            + "misbehaviour on demand. Times are written 250ms, 1.5s or 2m. \"After N\" is after "
            + "N queries, 0 right after the hello.");
        Root.Options.Clear();
        Root.Directives.Clear();
        Root.Add(_paths);
        Root.Add(_id);
        Root.Add(_noAccept);
        foreach (var (option, _) in _misdeeds)
            Root.Add(option);
        Root.Add(_script);
        Root.Add(_journal);
        Root.Add(_commands);
        Root.Add(_verbose);
        Root.Add(_help);
        Root.Add(_version);
        Root.Validators.Add(CheckTogether);
        _paths.Validators.Add(CheckPaths);
        _id.Validators.Add(CheckId);
    }

    public RootCommand Root { get; }

    public ParseResult Parse(string[] arguments) => Root.Parse(
        arguments, new ParserConfiguration
        {
            EnablePosixBundling = false,
            ResponseFileTokenReplacer = null,
        });

    /// <summary>What is to be printed instead of serving: the help, the version; or null.</summary>
    public string? Text(ParseResult parsed)
    {
        if (parsed.GetResult(_help) is { Implicit: false })
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            parsed.Invoke(new InvocationConfiguration { Output = text });
            return text.ToString();
        }
        return parsed.GetResult(_version) is { Implicit: false }
            ? StandardOptions.VersionOf("fake-binder")
            : null;
    }

    /// <summary>The first complaint, on one line; null if all is right.</summary>
    public string? Complaint(string[] arguments, ParseResult parsed) =>
        FlagWithValue(arguments) is { } flag ? $"{flag}: takes no value"
        : StandardOptions.GivenTwice(parsed) ?? StandardOptions.WithoutValue(parsed)
            ?? (parsed.Errors is [var error, ..] ? error.Message : null);

    /// <summary>
    /// The first option that takes no value and is given one with = or :, which the parser would
    /// take for a PATH; null if there is none.
    /// </summary>
    private string? FlagWithValue(string[] arguments)
    {
        foreach (var argument in arguments)
        {
            if (argument == "--")
                break;
            var end = argument.AsSpan().IndexOfAny('=', ':');
            if (end < 0)
                continue;
            foreach (var option in Root.Options)
            {
                if (option.Arity.MaximumNumberOfValues == 0
                    && argument.AsSpan(0, end).SequenceEqual(option.Name))
                    return option.Name;
            }
        }
        return null;
    }

    public Settings Read(ParseResult parsed)
    {
        var misbehaviour = parsed.GetValue(_script) ?? Misbehaviour.None;
        foreach (var (option, apply) in _misdeeds)
        {
            if (parsed.GetResult(option) is { Implicit: false })
                misbehaviour = apply(parsed, misbehaviour);
        }
        return new Settings(parsed.GetRequiredValue(_paths), parsed.GetValue(_id),
            !parsed.GetValue(_noAccept), parsed.GetValue(_verbose), misbehaviour)
        {
            Journal = parsed.GetValue(_journal),
            TakesCommands = parsed.GetValue(_commands),
        };
    }

    private static Misbehaviour ReadScript(ArgumentResult result)
    {
        var file = result.Tokens[0].Value;
        try
        {
            return ScriptFile.Read(File.ReadAllText(file));
        }
        catch (Exception wrong) when (wrong is ScriptFormatException or IOException
            or UnauthorizedAccessException)
        {
            result.AddError($"--script {file}: {wrong.Message}");
            return Misbehaviour.None;
        }
    }

    private void AddProcess()
    {
        Time("--delay", "Answer everything this much later.",
            (m, v) => m with { DelayNs = v });
        Count("--drop-every", "Do not answer every N-th query.", 1, int.MaxValue,
            (m, v) => m with { DropEvery = v });
        After("--hang-after", "Read and write nothing more after N queries.",
            (m, v) => m with { HangAfter = v });
        After("--pause-after", "Do nothing for the time of --pause, once.",
            (m, v) => m with { PauseAfter = v });
        Time("--pause", "How long --pause-after pauses.", (m, v) => m with { PauseNs = v });
        After("--crash-after", "Exit 1 after N queries and leave the path behind.",
            (m, v) => m with { CrashAfter = v });
        After("--crash-mid-frame-after", "Exit 1 in the middle of reply N + 1.",
            (m, v) => m with { CrashMidFrameAfter = v });
        Time("--servfail-for", "Answer SERVFAIL for this long after the start.",
            (m, v) => m with { ServfailForNs = v });
    }

    private void AddHello()
    {
        Flag("--no-hello", "Never say SERVER_HELLO.", m => m with { NoHello = true });
        Time("--hello-delay", "Say SERVER_HELLO this much later.",
            (m, v) => m with { HelloDelayNs = v });
        Flag("--hello-twice", "Say SERVER_HELLO twice.", m => m with { HelloTwice = true });
        Time("--close-after-hello", "Close the control session this long after the hello.",
            (m, v) => m with { CloseAfterHelloNs = v });
        Flag("--reply-before-hello", "Send a reply before SERVER_HELLO.",
            m => m with { ReplyBeforeHello = true });
        Flag("--no-heartbeat", "Never answer a heartbeat.",
            m => m with { NoHeartbeat = true });
        Time("--heartbeat-delay", "Answer heartbeats this much later.",
            (m, v) => m with { HeartbeatDelayNs = v });
        Flag("--heartbeat-twice", "Answer each heartbeat twice.",
            m => m with { HeartbeatTwice = true });
        Time("--heartbeat-unasked", "Send one heartbeat nobody asked for, this long after hello.",
            (m, v) => m with { HeartbeatUnaskedNs = v });
    }

    private void AddControl()
    {
        After("--unknown-frame-after", "Send a frame of unknown type.",
            (m, v) => m with { UnknownFrameAfter = v });
        After("--tcp-frame-on-control-after", "Send INBOUND_TCP_OK on the control session.",
            (m, v) => m with { TcpFrameOnControlAfter = v });
        After("--garbage-after", "Send 64 bytes of garbage.",
            (m, v) => m with { GarbageAfter = v });
        After("--hello-again-after", "Say SERVER_HELLO again.",
            (m, v) => m with { HelloAgainAfter = v });
        After("--half-close-after", "End our direction of the control session, read on.",
            (m, v) => m with { HalfCloseAfter = v });
        After("--end-mid-frame-after", "Close the control session in the middle of reply N + 1.",
            (m, v) => m with { EndMidFrameAfter = v });
        Count("--frame-split", "Write frames in pieces of N bytes.", 1, 65_535,
            (m, v) => m with { FrameSplit = v });
    }

    private void AddReplies()
    {
        Count("--reply-length", "Cut or pad every UDP reply to N bytes.", 0, 65_535,
            (m, v) => m with { ReplyLength = v });
        Word("--reply-length-claim", "Claim N bytes in a reply's header and send none.",
            (m, v) => m with { ReplyLengthClaim = v });
        Word("--reply-port", "Send UDP replies to this port.", (m, v) => m with { ReplyPort = v });
        Value("--reply-address", "Send UDP replies to this address.", "IP", ParseAddress,
            (m, v) => m with { ReplyAddress = v });
        Count("--duplicate-replies", "Send every UDP reply N times more.", 0, 1000,
            (m, v) => m with { DuplicateReplies = v });
    }

    private void AddTcp()
    {
        Flag("--crash-before-tcp-ok", "Exit 1 between INBOUND_TCP and INBOUND_TCP_OK.",
            m => m with { CrashBeforeTcpOk = true });
        Flag("--tcp-refuse", "Close TCP sessions on INBOUND_TCP.",
            m => m with { TcpRefuse = true });
        Flag("--tcp-reset", "Reset TCP sessions on INBOUND_TCP.",
            m => m with { TcpReset = true });
        Flag("--tcp-no-ok", "Never say INBOUND_TCP_OK.", m => m with { TcpNoOk = true });
        Flag("--tcp-wrong-frame", "Say SERVER_HELLO in the place of INBOUND_TCP_OK.",
            m => m with { TcpWrongFrame = true });
        Time("--tcp-ok-delay", "Say INBOUND_TCP_OK this much later.",
            (m, v) => m with { TcpOkDelayNs = v });
        Flag("--tcp-ok-split", "Say INBOUND_TCP_OK in two halves, 20 ms apart.",
            m => m with { TcpOkSplit = true });
        Flag("--tcp-ok-with-data", "Send an unasked message in the same write as INBOUND_TCP_OK.",
            m => m with { TcpOkWithData = true });
        Flag("--tcp-half-close-first", "End our direction after the first answer.",
            m => m with { TcpHalfCloseFirst = true });
        Flag("--tcp-never-read", "Read nothing after INBOUND_TCP_OK.",
            m => m with { TcpNeverRead = true });
        Count("--tcp-chunk", "Write TCP answers in pieces of N bytes.", 1, 65_537,
            (m, v) => m with { TcpChunk = v });
    }

    private void Flag(string name, string description, Func<Misbehaviour, Misbehaviour> apply)
    {
        var option = new Option<bool>(name)
        {
            Description = description,
            Arity = ArgumentArity.Zero,
        };
        _misdeeds.Add((option, (parsed, m) => parsed.GetValue(option) ? apply(m) : m));
    }

    private void After(
        string name, string description, Func<Misbehaviour, int, Misbehaviour> apply) =>
        Count(name, description, 0, int.MaxValue, apply);

    private void Count(string name, string description, int min, int max,
        Func<Misbehaviour, int, Misbehaviour> apply) =>
        Value(name, description, "N", text => ParseNumber(text, min, max),
            (m, v) => apply(m, (int)v));

    private void Word(
        string name, string description, Func<Misbehaviour, uint, Misbehaviour> apply) =>
        Value(name, description, "N", text => ParseNumber(text, 0, uint.MaxValue),
            (m, v) => apply(m, (uint)v));

    private void Time(
        string name, string description, Func<Misbehaviour, long, Misbehaviour> apply) =>
        Value(name, description, "TIME", ParseTime, apply);

    private void Value<T>(string name, string description, string helpName,
        Func<string, (T Value, string? Wrong)> parse, Func<Misbehaviour, T, Misbehaviour> apply)
    {
        var option = new Option<T>(name)
        {
            Description = description,
            HelpName = helpName,
            CustomParser = result =>
            {
                var text = result.Tokens[0].Value;
                var (value, wrong) = parse(text);
                if (wrong is not null)
                    result.AddError($"{name} {text}: {wrong}");
                return value;
            },
        };
        _misdeeds.Add((option, (parsed, m) => apply(m, parsed.GetValue(option)!)));
    }

    private static (long, string?) ParseNumber(string text, long min, long max) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
            out var number) && number >= min && number <= max
            ? (number, null)
            : (0, $"must be a whole number, {min} to {max}");

    private static (long, string?) ParseTime(string text)
    {
        var (unit, ns) = text.EndsWith("ms", StringComparison.Ordinal) ? ("ms", 1_000_000L)
            : text.EndsWith('s') ? ("s", 1_000_000_000L)
            : text.EndsWith('m') ? ("m", 60_000_000_000L)
            : ("", 0);
        if (ns == 0 || !decimal.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture, out var number) || number > MaxNs / ns)
            return (0, "must be a time such as 250ms, 1.5s or 2m, an hour at most");
        return ((long)(number * ns), null);
    }

    private static (uint, string?) ParseAddress(string text)
    {
        if (!IPAddress.TryParse(text, out var address)
            || address.AddressFamily != AddressFamily.InterNetwork
            || address.ToString() != text)
            return (0, "must be an IPv4 address");
        var number = 0u;
        foreach (var octet in address.GetAddressBytes())
            number = number << 8 | octet;
        return (number, null);
    }

    private static void CheckPaths(ArgumentResult result)
    {
        var seen = new HashSet<string>();
        foreach (var token in result.Tokens)
        {
            var path = token.Value;
            if (path.StartsWith('-'))
                result.AddError($"{path}: no such option (try --help)");
            else if (path.Length == 0 || Encoding.UTF8.GetByteCount(path) > LibC.MaxPath)
                result.AddError($"{path}: a socket's path has 1 to {LibC.MaxPath} bytes");
            else if (!seen.Add(path))
                result.AddError($"{path} is given twice");
        }
    }

    private static void CheckId(OptionResult result)
    {
        if (result.Tokens.Count > 0 && Encoding.UTF8.GetByteCount(result.Tokens[0].Value) > 255)
            result.AddError("--id: must have 255 bytes at most");
    }

    private void CheckTogether(CommandResult result)
    {
        bool Has(string name) => _misdeeds.Exists(
            m => m.Option.Name == name && result.GetResult(m.Option) is { Implicit: false });

        if (result.GetResult(_paths) is not { Tokens.Count: > 0 })
        {
            // The value that is missing is most likely the PATH that the option has taken.
            result.AddError("at least one PATH to listen on is needed"
                + (result.GetValue(_id) is { } id ? $" (--id has taken '{id}')" : ""));
        }
        if (Has("--pause") != Has("--pause-after"))
            result.AddError("--pause and --pause-after come together");
    }
}
