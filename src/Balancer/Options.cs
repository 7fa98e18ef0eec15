// Owns the command line: what an operator may say, how it is checked, and the one line that a
// wrong word is answered with. System.CommandLine cuts the arguments into options and values and
// prints the help; what a value means, and every complaint, is ours, because its own complaints
// are several lines long, name no bounds and end in a page of usage.
//
// What always holds: Parse never throws and never prints. LOG_LEVEL in the environment beats -l,
// because a supervisor's manifest is harder to change than its environment.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using Balancer.Core;
using Balancer.Linux;
using CommandLines;
using Serilog.Events;

namespace Balancer;

/// <summary>What the command line came to: exactly one of the three is not null.</summary>
/// <param name="Options">Run with these.</param>
/// <param name="Text">Print this on stdout and exit 0: the help, the version.</param>
/// <param name="Complaint">Print this one line on stderr and exit with EX_USAGE.</param>
public sealed record ParsedCommandLine(
    Options? Options = null, string? Text = null, string? Complaint = null);

/// <summary>Everything that the environment and the command line say, checked.</summary>
public sealed record Options
{
    /// <summary>sysexits.h: the command was used incorrectly.</summary>
    public const int ExitUsage = 64;

    /// <summary>An hour; a longer warm-up is surely a slip of the unit.</summary>
    public const int MaxWarmUpSeconds = 3600;

    /// <summary>A week; nobody waits longer for a TCP connection.</summary>
    public const int MaxTcpSeconds = 604_800;

    /// <summary>Each costs two descriptors, and Linux gives a process a million of them.</summary>
    public const int MaxTcpConnections = 500_000;

    /// <summary>A gigabyte of them; there are four billion addresses.</summary>
    public const int MostRemotes = 16_777_216;

    /// <summary>As long as a query may be refused at all.</summary>
    public static readonly int MaxQuarantineSeconds =
        (int)Limits.LongestQuarantine.TotalSeconds;

    /// <summary>An hour; a longer stop is surely a slip of the unit.</summary>
    public const int MaxStopSeconds = 3600;

    /// <summary>Less holds no burst of queries.</summary>
    public const int LeastUdpBuffer = 65_536;

    /// <summary>Linux doubles it, and counts the double in 31 bits.</summary>
    public const int MostUdpBuffer = 1_073_741_823;

    /// <summary>More, at a second each, would be as good as no probes.</summary>
    public const int MaxProbes = 1000;

    /// <summary>The longest path that leaves room for a slash and a name of one byte.</summary>
    public const int MaxDirectoryBytes = Limits.MaxPathBytes - 2;

    /// <summary>The directory of sockets; no slash at its end unless it is the root.</summary>
    public required string BackendPath { get; init; }

    /// <summary>What to listen on, UDP and TCP alike; the port is 1 to 65535.</summary>
    public Endpoint Listen { get; init; } = new(Ipv4.Any, 53);

    /// <summary>The least level that is logged.</summary>
    public LogEventLevel LogLevel { get; init; } = LogEventLevel.Information;

    /// <summary>The number of TCP connections is the operator's, and not the default.</summary>
    public bool NamesTcpConnections { get; init; }

    /// <summary>Remotes that are remembered at most; null for what memory allows.</summary>
    public int? MaxRemotes { get; init; }

    /// <summary>Bytes of receive and of send buffer wanted for the UDP socket.</summary>
    public int UdpBuffer { get; init; } = LinuxNetworkOptions.DefaultDatagramBuffer;

    /// <summary>The options of the core, except MaxRemotes.</summary>
    public BalancerOptions Balancer { get; init; } = new();

    /// <summary>Ids of the users whose sockets may be backends; none for any user.</summary>
    public ImmutableArray<uint> BackendUsers { get; init; } = [];

    /// <summary>
    /// BBAL_NO_BATCH_CALLS=1: one system call a datagram, no inotify and no signalfd, as on old LX.
    /// </summary>
    public bool ForceFallbacks { get; init; }

    /// <summary>Reads the arguments; the environment is asked by the variable's name.</summary>
    public static ParsedCommandLine Parse(
        IReadOnlyList<string> arguments, Func<string, string?> environment)
    {
        try
        {
            return new CommandLine().Read(arguments, environment);
        }
        catch (UsageException wrong)
        {
            return new ParsedCommandLine(Complaint: "bbal: " + OnOneLine(wrong.Message));
        }
    }

    /// <summary>A value may hold anything; what is printed of it stays one line of text.</summary>
    private static string OnOneLine(string text)
    {
        const int Longest = 300;
        var line = new StringBuilder();
        foreach (var c in text.Length > Longest ? text[..Longest] + "…" : text)
            line.Append(char.IsControl(c) || c is '\u2028' or '\u2029' ? '\ufffd' : c);
        return line.ToString();
    }

    /// <summary>A word of the command line is wrong; never leaves Parse.</summary>
    private sealed class UsageException(string message) : Exception(message);

    /// <summary>The options as System.CommandLine wants them, and what their values mean.</summary>
    private sealed class CommandLine
    {
        private const string Levels =
            "trace, debug, info, warn, error or fatal, or 10, 20, … 60";

        private readonly Option<string[]> _backendPath = Option("BACKEND_PATH",
            "The directory in which the backends make their sockets (required)",
            "--backend-path", "-s");

        private readonly Option<string[]> _address = Option("IP_ADDRESS",
            "The IPv4 address to listen on [default: 0.0.0.0]", "--address", "-b");

        private readonly Option<string[]> _port = Option("PORT",
            "The UDP and TCP port to listen on [default: 53]", "--port", "-p");

        private readonly Option<string[]> _logLevel = Option("LOG_LEVEL",
            $"{Levels}; LOG_LEVEL in the environment overrides it [default: info]",
            "--log-level", "-l");

        private readonly Option<string[]> _warmUp = Option("SECONDS",
            "How long a backend that just said hello gets no clients while a warmer one is "
            + $"healthy; 0 for not at all [default: {Seconds(Limits.WarmUp)}]", "--warm-up");

        private readonly Option<string[]> _probe = Option("NAME",
            "A name that each backend is asked for every second; one that has not answered it, or "
            + "fails to, gets no clients while a better one is healthy [default: none]",
            "--probe");

        private readonly Option<string[]> _probeRise = Option("N",
            "Good answers in a row after which a backend that failed probes is used again "
            + $"[default: {Limits.ProbeRise}]", "--probe-rise");

        private readonly Option<string[]> _probeFall = Option("N",
            "Failed probes in a row after which a backend's clients go to others "
            + $"[default: {Limits.ProbeFall}]", "--probe-fall");

        private readonly Option<string[]> _backendUser = Option("USER[,USER…]",
            "The users, by name or id, whose sockets may be backends [default: any]",
            "--backend-user");

        private readonly Option<string[]> _noBackend = Option("silence|servfail",
            "What a UDP query gets while no backend is healthy [default: silence]",
            "--no-backend");

        private readonly Option<string[]> _udpBuffer = Option("BYTES",
            "The kernel's buffers for queries that come and for replies that go, each "
            + $"[default: {LinuxNetworkOptions.DefaultDatagramBuffer}]", "--udp-buffer");

        private readonly Option<string[]> _quarantine = Option("SECONDS",
            "How long a query is refused that backends seem to die of or to hang on, the first "
            + $"time; 0 for never [default: {Seconds(Limits.FirstQuarantine)}]", "--quarantine");

        private readonly Option<string[]> _stopTime = Option("SECONDS",
            "How long a stop waits for open TCP connections and queries in flight "
            + $"[default: {Seconds(Limits.StopGrace)}]", "--stop-time");

        private readonly Option<string[]> _maxRemotes = Option("N",
            "Client addresses that are remembered "
            + $"[default: {Limits.MaxRemotes}, or what memory allows]", "--max-remotes");

        private readonly Option<string[]> _tcpConnections = Option("N",
            $"TCP connections at a time [default: {Limits.TcpConnections}]",
            "--tcp-connections");

        private readonly Option<string[]> _tcpConnectionsPerClient = Option("N",
            "TCP connections at a time from one address "
            + $"[default: {Limits.TcpConnectionsPerClient}]", "--tcp-connections-per-client");

        private readonly Option<string[]> _tcpIdle = Option("SECONDS",
            "How long a TCP connection may carry no whole question, and no byte of an answer that "
            + "its client takes "
            + $"[default: {Seconds(Limits.TcpIdleTimeout)}]", "--tcp-idle");

        private readonly Option<string[]> _tcpMessage = Option("SECONDS",
            "How long a TCP client may take to send its first byte, and to send all of a message "
            + $"[default: {Seconds(Limits.TcpMessageTime)}]", "--tcp-message");

        private readonly Option<string[]> _tcpNotReading = Option("N",
            "TCP connections at a time whose clients or backends do not take what is for them "
            + $"[default: {Limits.TcpNotReading}]", "--tcp-not-reading");

        private readonly Option<string[]> _tcpLifetime = Option("SECONDS",
            "How long a TCP connection may last "
            + $"[default: {Seconds(Limits.TcpLifetime)}]", "--tcp-lifetime");

        private readonly HelpOption _help = StandardOptions.Help();

        private readonly Option<bool> _version = StandardOptions.Version();

        private readonly RootCommand _root = new(
            "A DNS load balancer for backends that listen on AF_UNIX sockets.");

        public CommandLine()
        {
            _root.Options.Clear();
            _root.Directives.Clear();
            foreach (var option in new Option[]
            {
                _backendPath, _address, _port, _logLevel, _warmUp, _probe, _probeRise,
                _probeFall, _noBackend, _backendUser, _quarantine, _maxRemotes, _udpBuffer,
                _tcpConnections, _tcpConnectionsPerClient, _tcpIdle, _tcpMessage,
                _tcpNotReading, _tcpLifetime, _stopTime, _help, _version,
            })
            {
                _root.Options.Add(option);
            }
        }

        public ParsedCommandLine Read(
            IReadOnlyList<string> arguments, Func<string, string?> environment)
        {
            // Without a replacer, @name is a name and not a file of more arguments.
            var line = _root.Parse(arguments,
                new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (line.GetResult(_help) is { Implicit: false })
                return new ParsedCommandLine(Text: Help(line));
            if (line.GetResult(_version) is { Implicit: false })
                return new ParsedCommandLine(Text: StandardOptions.VersionOf("bbal"));
            RefuseStrays(line);
            if (StandardOptions.GivenTwice(line) is { } twice)
                throw new UsageException(twice);
            var tcp = new BalancerOptions();
            return new ParsedCommandLine(new Options
            {
                BackendPath = Read(line, _backendPath, ToDirectory, null)
                    ?? throw new UsageException("-s BACKEND_PATH is missing (try --help)"),
                Listen = new Endpoint(
                    Read(line, _address, ToAddress, Ipv4.Any),
                    Read(line, _port, ToPort, (ushort)53)),
                LogLevel = ReadLevel(line, environment),
                MaxRemotes = Read(line, _maxRemotes, ToRemotes, null),
                UdpBuffer = Read(
                    line, _udpBuffer, ToBuffer, LinuxNetworkOptions.DefaultDatagramBuffer),
                NamesTcpConnections = line.GetResult(_tcpConnections) is { Implicit: false },
                BackendUsers = Read(line, _backendUser, ToUsers, []),
                ForceFallbacks = environment("BBAL_NO_BATCH_CALLS") == "1",
                Balancer = tcp with
                {
                    WarmUp = Read(line, _warmUp, ToWarmUp, tcp.WarmUp),
                    Probe = ReadProbe(line),
                    ProbeRise = Read(line, _probeRise, ToProbes, tcp.ProbeRise),
                    ProbeFall = Read(line, _probeFall, ToProbes, tcp.ProbeFall),
                    AnswersWithoutBackend = Read(
                        line, _noBackend, ToNoBackend, tcp.AnswersWithoutBackend),
                    Quarantine = Read(line, _quarantine, ToQuarantine, tcp.Quarantine),
                    StopTime = Read(line, _stopTime, ToStopTime, tcp.StopTime),
                    TcpConnections = Read(line, _tcpConnections, ToCount, tcp.TcpConnections),
                    TcpConnectionsPerClient = Read(
                        line, _tcpConnectionsPerClient, ToCount, tcp.TcpConnectionsPerClient),
                    TcpIdleTimeout = Read(line, _tcpIdle, ToTcpTime, tcp.TcpIdleTimeout),
                    TcpMessageTime = Read(line, _tcpMessage, ToTcpTime, tcp.TcpMessageTime),
                    TcpNotReading = Read(line, _tcpNotReading, ToCount, tcp.TcpNotReading),
                    TcpLifetime = Read(line, _tcpLifetime, ToTcpTime, tcp.TcpLifetime),
                },
            });
        }

        /// <summary>
        /// Any number of values each, so that the complaint about a number other than one is ours.
        /// </summary>
        private static Option<string[]> Option(
            string value, string description, string name, params string[] aliases) =>
            new(name, aliases)
            {
                HelpName = value,
                Description = description,
                Arity = ArgumentArity.OneOrMore,
            };

        private static string Help(ParseResult line)
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            line.Invoke(new InvocationConfiguration { Output = text });
            return text.ToString();
        }

        private static void RefuseStrays(ParseResult line)
        {
            // A first word in brackets is cut out as a directive, which bbal has none of.
            string[] strays =
            [
                .. line.Tokens.Where(token => token.Type == TokenType.Directive)
                    .Select(token => token.Value),
                .. line.UnmatchedTokens,
            ];
            if (strays is not [var stray, ..])
                return;
            throw new UsageException(stray.Length > 1 && stray[0] == '-'
                ? $"{stray}: no such option (try --help)"
                : $"'{stray}': an argument that belongs to no option (try --help)");
        }

        private static T Read<T>(
            ParseResult line, Option option, Func<string, string, T> convert, T otherwise)
        {
            if (line.GetResult(option) is not { Implicit: false } found)
                return otherwise;
            var name = found.IdentifierToken!.Value;
            return found.Tokens.Count < found.IdentifierTokenCount
                ? throw new UsageException($"{name}: its value is missing")
                : convert(name, found.Tokens[^1].Value);
        }

        private ImmutableArray<byte> ReadProbe(ParseResult line)
        {
            var name = Read(line, _probe, ToName, []);
            foreach (var option in new[] { _probeRise, _probeFall })
            {
                if (name.IsEmpty && line.GetResult(option) is { Implicit: false })
                    throw new UsageException($"{option.Name}: there is no --probe");
            }
            return name;
        }

        private LogEventLevel ReadLevel(ParseResult line, Func<string, string?> environment)
        {
            var level = Read(line, _logLevel, ToLevel, LogEventLevel.Information);
            return environment("LOG_LEVEL") is { Length: > 0 } variable
                ? ToLevel("LOG_LEVEL", variable)
                : level;
        }

        private static string ToDirectory(string name, string value)
        {
            if (value.Length == 0)
                throw new UsageException($"{name}: '' is not a directory");
            // The runtime decodes arguments as UTF-8; what it could not is not the path meant.
            if (value.Contains('\ufffd', StringComparison.Ordinal))
                throw new UsageException($"{name}: '{value}' is not UTF-8");
            var path = value.TrimEnd('/') is { Length: > 0 } trimmed ? trimmed : "/";
            var bytes = Encoding.UTF8.GetByteCount(path);
            return bytes > MaxDirectoryBytes
                ? throw new UsageException($"{name}: the path is {bytes} bytes long; over "
                    + $"{MaxDirectoryBytes}, no socket in it can be connected to")
                : path;
        }

        private static Ipv4 ToAddress(string name, string value)
        {
            if (!Ipv4.TryParse(value, out var address))
                throw new UsageException($"{name}: '{value}' is not an IPv4 address (a.b.c.d)");
            // From 224.0.0.0 on they are groups, reserved, and broadcast.
            if (address.Value >> 28 >= 14)
                throw new UsageException($"{name}: {value} is not the address of a host");
            return address;
        }

        private static ushort ToPort(string name, string value) =>
            ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port)
                && port != 0
                ? port
                : throw new UsageException($"{name}: '{value}' is not a port (1 to 65535)");

        private static int ToCount(string name, string value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && count is >= 1 and <= MaxTcpConnections
                ? count
                : throw new UsageException(
                    $"{name}: '{value}' is not a number of connections (1 to {MaxTcpConnections})");

        private static int? ToRemotes(string name, string value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && count is >= Limits.LeastRemotes and <= MostRemotes
                ? count
                : throw new UsageException($"{name}: '{value}' is not a number of addresses "
                    + $"({Limits.LeastRemotes} to {MostRemotes})");

        private static ImmutableArray<byte> ToName(string name, string value) =>
            DnsName.TryParse(value, out var bytes)
                ? bytes
                : throw new UsageException($"{name}: '{value}' is not a domain name (labels of 1 "
                    + "to 63 letters, digits, hyphens and underscores, 253 characters in all)");

        private static ImmutableArray<uint> ToUsers(string name, string value)
        {
            var users = ImmutableArray.CreateBuilder<uint>();
            foreach (var user in value.Split(','))
            {
                users.Add(UserNames.IdOf(user) ?? throw new UsageException(
                    $"{name}: '{user}' is neither a user of this host nor the id of one"));
            }
            return users.ToImmutable();
        }

        private static int ToProbes(string name, string value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && count is >= 1 and <= MaxProbes
                ? count
                : throw new UsageException(
                    $"{name}: '{value}' is not a number of probes (1 to {MaxProbes})");

        private static Duration ToWarmUp(string name, string value) =>
            ToDuration(value, MaxWarmUpSeconds) ?? throw new UsageException(
                $"{name}: '{value}' is not a number of seconds (0 to {MaxWarmUpSeconds})");

        private static Duration ToQuarantine(string name, string value) =>
            ToDuration(value, MaxQuarantineSeconds) is { } time
                && (time == Duration.Zero || time >= Duration.FromSeconds(1))
                ? time
                : throw new UsageException($"{name}: '{value}' is not a number of seconds (0, or 1 "
                    + $"to {MaxQuarantineSeconds})");

        private static Duration ToStopTime(string name, string value) =>
            ToDuration(value, MaxStopSeconds) ?? throw new UsageException(
                $"{name}: '{value}' is not a number of seconds (0 to {MaxStopSeconds})");

        private static int ToBuffer(string name, string value) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
                && bytes is >= LeastUdpBuffer and <= MostUdpBuffer
                ? bytes
                : throw new UsageException($"{name}: '{value}' is not a number of bytes "
                    + $"({LeastUdpBuffer} to {MostUdpBuffer})");

        private static bool ToNoBackend(string name, string value) => value switch
        {
            "silence" => false,
            "servfail" => true,
            _ => throw new UsageException($"{name}: '{value}' is neither silence nor servfail"),
        };

        private static Duration ToTcpTime(string name, string value) =>
            ToDuration(value, MaxTcpSeconds) is { } time && time >= Duration.FromMilliseconds(1)
                ? time
                : throw new UsageException(
                    $"{name}: '{value}' is not a number of seconds (0.001 to {MaxTcpSeconds})");

        private static Duration? ToDuration(string value, int maxSeconds) =>
            decimal.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
                out var seconds) && seconds <= maxSeconds
                ? new Duration((long)(seconds * 1_000_000_000))
                : null;

        private static string Seconds(Duration time) =>
            time.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);

        /// <summary>By its name in any case, or by Bunyan's number.</summary>
        private static LogEventLevel ToLevel(string name, string value) =>
            value.ToUpperInvariant() switch
            {
                "TRACE" or "10" => LogEventLevel.Verbose,
                "DEBUG" or "20" => LogEventLevel.Debug,
                "INFO" or "30" => LogEventLevel.Information,
                "WARN" or "40" => LogEventLevel.Warning,
                "ERROR" or "50" => LogEventLevel.Error,
                "FATAL" or "60" => LogEventLevel.Fatal,
                _ => throw new UsageException($"{name}: '{value}' is not a log level ({Levels})"),
            };
    }
}
