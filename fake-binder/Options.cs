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
using System.Linq;
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

    /// <summary>Where plain DNS is served; null for nowhere.</summary>
    public DnsAddress? Listen { get; init; }

    /// <summary>
    /// Reads the file of the script again, with the other options on top; null if there is none.
    /// It throws what ScriptFile.Read and the file throw.
    /// </summary>
    public Func<Misbehaviour>? ReadScriptAgain { get; init; }

    /// <summary>Whether the sockets are asked after, and not made.</summary>
    public bool OnlyAsksForHealth { get; init; }
}

internal sealed class Options
{
    private readonly Argument<string[]> _paths = new("PATH")
    {
        Description = "Sockets to listen on; a stale one is unlinked first.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly List<(Option Option, Misdeed Misdeed)> _misdeeds = [];

    private readonly Option<string?> _id = new("--id")
    {
        Description = "The answer to CH TXT id.server (default: the last part of the path).",
        HelpName = "TEXT",
    };

    private readonly Option<bool> _noAccept = new("--no-accept")
    {
        Description = "Listen, but never accept.",
        Arity = ArgumentArity.Zero,
    };

    private readonly Option<bool> _verbose = new("--verbose")
    {
        Description = "Log every event on stderr.",
        Arity = ArgumentArity.Zero,
    };

    private readonly Option<Misbehaviour> _script = new("--script")
    {
        Description = "Misbehave as this file of JSON says, or the JSON itself: the options' "
            + "names in camel case, {\"crashAfter\": 100, \"delay\": \"250ms\", "
            + "\"noHello\": true}. Other options come on top. SIGHUP has the file read again.",
        HelpName = "FILE|JSON",
        CustomParser = ReadScript,
    };

    private readonly Option<DnsAddress?> _listen = new("--listen")
    {
        Description = "Serve plain DNS there too, over UDP and TCP: an ordinary DNS server that "
            + "misbehaves. What concerns frames alone has no effect there.",
        HelpName = "IP:PORT",
        CustomParser = ReadAddress,
    };

    private readonly Option<bool> _health = new("--health")
    {
        Description = "Serve nothing: exit 0 if every PATH, or --listen, of this command line "
            + "takes a connection, else 1. Without any, those of process 1, so it is a "
            + "container's health check.",
        Arity = ArgumentArity.Zero,
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
        foreach (var misdeed in MisbehaviourTable.All)
            _misdeeds.Add((OptionOf(misdeed), misdeed));
        Root = new RootCommand(
            "A DNS backend behind a balancer, with answers made up from the names asked for and "
            + "misbehaviour on demand. Times are written 250ms, 1.5s or 2m. \"After N\" is after "
            + "N queries, 0 right after the hello. Each option may be given in the environment "
            + "too, --crash-after as FAKE_BINDER_CRASH_AFTER, the PATHs as FAKE_BINDER_PATHS with "
            + "colons between; the command line wins.");
        Root.Options.Clear();
        Root.Directives.Clear();
        Root.Add(_paths);
        Root.Add(_id);
        Root.Add(_listen);
        Root.Add(_noAccept);
        foreach (var (option, _) in _misdeeds)
            Root.Add(option);
        Root.Add(_script);
        Root.Add(_health);
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
        var misbehaviour = OnTop(parsed, parsed.GetValue(_script) ?? Misbehaviour.None);
        return new Settings(parsed.GetValue(_paths) ?? [], parsed.GetValue(_id),
            !parsed.GetValue(_noAccept), parsed.GetValue(_verbose), misbehaviour)
        {
            Journal = parsed.GetValue(_journal),
            TakesCommands = parsed.GetValue(_commands),
            Listen = parsed.GetValue(_listen),
            ReadScriptAgain = parsed.GetResult(_script) is { Tokens: [var file] }
                && !IsInline(file.Value)
                ? () => OnTop(parsed, ScriptFile.Read(File.ReadAllText(file.Value)))
                : null,
            OnlyAsksForHealth = parsed.GetValue(_health),
        };
    }

    /// <summary>The option of that name that may be in the environment; null for none.</summary>
    public Option? Find(string name) => Root.Options.FirstOrDefault(option =>
        option.Name == name && option != _help && option != _version && option != _health);

    /// <summary>What is wrong with the value of an option; null if nothing is.</summary>
    public string? Complaint(Option option, string value)
    {
        var parsed = Parse([$"{option.Name}={value}", "PATH"]);
        return parsed.Errors.FirstOrDefault(error => error.SymbolResult is { } result
            && (result as OptionResult ?? result.Parent as OptionResult)?.Option == option)
            ?.Message;
    }

    /// <summary>Whether there is a PATH or another address to listen on.</summary>
    public bool SaysWhere(ParseResult parsed) =>
        parsed.GetResult(_paths) is { Tokens.Count: > 0 }
        || parsed.GetResult(_listen) is { Implicit: false };

    private Misbehaviour OnTop(ParseResult parsed, Misbehaviour misbehaviour)
    {
        foreach (var (option, misdeed) in _misdeeds)
        {
            if (parsed.GetResult(option) is { Implicit: false } given)
                misbehaviour = misdeed.Set(misbehaviour, TextOf(given)).Result;
        }
        return misbehaviour;
    }

    /// <summary>A script that is written in the place of a file's name.</summary>
    private static bool IsInline(string script) => script.StartsWith('{');

    private static Misbehaviour ReadScript(ArgumentResult result)
    {
        var script = result.Tokens[0].Value;
        try
        {
            return ScriptFile.Read(
                IsInline(script) ? script : File.ReadAllText(script));
        }
        catch (Exception wrong) when (wrong is ScriptFormatException or IOException
            or UnauthorizedAccessException)
        {
            result.AddError(IsInline(script)
                ? $"--script: {wrong.Message}"
                : $"--script {script}: {ScriptFile.Reason(wrong)}");
            return Misbehaviour.None;
        }
    }

    private static DnsAddress? ReadAddress(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        var colon = text.LastIndexOf(':');
        if (colon > 0 && MisbehaviourTable.ToAddress(text[..colon]) is { } address
            && ushort.TryParse(text[(colon + 1)..], NumberStyles.None,
                CultureInfo.InvariantCulture, out var port) && port > 0)
            return new DnsAddress(address, port);
        result.AddError($"--listen {text}: must be an IPv4 address and a port, 127.0.0.1:5353");
        return null;
    }

    private static Option OptionOf(Misdeed misdeed) => misdeed.Form == ValueForm.Flag
        ? new Option<bool>(misdeed.Name)
        {
            Description = misdeed.Description,
            Arity = ArgumentArity.Zero,
        }
        : new Option<string>(misdeed.Name)
        {
            Description = misdeed.Description,
            HelpName = misdeed.Form switch
            {
                ValueForm.Time => "TIME",
                ValueForm.Address => "IP",
                _ => "N",
            },
            CustomParser = result =>
            {
                var text = result.Tokens[0].Value;
                if (misdeed.Set(Misbehaviour.None, text).Wrong is { } wrong)
                    result.AddError($"{misdeed.Name} {text}: {wrong}");
                return text;
            },
        };

    private static string TextOf(OptionResult given) =>
        given.Tokens is [var token, ..] ? token.Value : "true";

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

        var hasPath = result.GetResult(_paths) is { Tokens.Count: > 0 };
        var listens = result.GetResult(_listen) is { Implicit: false };
        if (!hasPath && !listens && result.GetResult(_health) is not { Implicit: false })
        {
            // The value that is missing is most likely the PATH that the option has taken.
            result.AddError("at least one PATH to listen on is needed, or --listen"
                + (result.GetResult(_id) is { Tokens: [var id, ..] }
                    ? $" (--id has taken '{id.Value}')" : ""));
        }
        if (Has("--pause") != Has("--pause-after"))
            result.AddError("--pause and --pause-after come together");
        if (listens && !hasPath && _misdeeds.Find(m => m.Misdeed.IsOfFrames
            && result.GetResult(m.Option) is { Implicit: false }).Misdeed is { } idle)
            result.AddError($"{idle.Name}: has no effect without a PATH");
    }
}
