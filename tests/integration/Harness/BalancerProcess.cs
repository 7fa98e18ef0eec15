// Owns a running bbal: its port, its log records and its status report. It listens on 127.0.0.1
// unless told otherwise and is started without a warm-up, so that tests that are not about it need
// not wait for it.
//
// Ready means that the kernel shows both of its sockets; nothing is sent to find out, so every
// counter of a fresh balancer is 0.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Text.Json;

namespace Tests.Integration.Harness;

/// <summary>One Bunyan record.</summary>
public sealed record LogRecord(string Line, JsonElement Json)
{
    public string Event => Json.GetProperty("event").GetString()!;

    public string Message => Json.GetProperty("msg").GetString()!;

    public int Level => Json.GetProperty("level").GetInt32();

    public DateTimeOffset Time => Json.GetProperty("time").GetDateTimeOffset();

    public int BackendId => Json.TryGetProperty("be_id", out var id) ? id.GetInt32() : 0;

    public string BackendPath =>
        Json.TryGetProperty("be_path", out var path) ? path.GetString()! : "";

    public bool Has(string field) => Json.TryGetProperty(field, out _);

    public double Number(string field) => Json.GetProperty(field).GetDouble();

    public string Text(string field) => Json.GetProperty(field).ToString();
}

/// <summary>A bbal process.</summary>
public sealed class BalancerProcess : ManagedProcess
{
    private readonly List<LogRecord> _records = [];

    private BalancerProcess(
        string file, IEnumerable<string> arguments, IPEndPoint endpoint,
        IReadOnlyDictionary<string, string>? environment, Output output)
        : base(file, arguments, environment, output) => Endpoint = endpoint;

    /// <summary>Where clients ask.</summary>
    public IPEndPoint Endpoint { get; }

    public int Port => Endpoint.Port;

    /// <summary>
    /// The log up to now; every line must be one record. It is written behind what it tells of,
    /// so that what a client saw may not be in it yet: wait for a record, or for the end.
    /// </summary>
    public IReadOnlyList<LogRecord> Records
    {
        get
        {
            lock (_records)
            {
                foreach (var line in Lines.Skip(_records.Count))
                    _records.Add(new LogRecord(line, JsonDocument.Parse(line).RootElement));
                return [.. _records];
            }
        }
    }

    /// <summary>Starts it on a folder of sockets and waits until it listens.</summary>
    /// <param name="folder">The value of -s.</param>
    /// <param name="arguments">What else the command line says; -b, -p and --warm-up win.</param>
    /// <param name="environment">Variables besides those of the test run.</param>
    /// <param name="output">Unread to leave the log in its pipe.</param>
    /// <param name="by">A command that ends by executing the one that is appended to it.</param>
    public static BalancerProcess Start(
        string folder, IEnumerable<string>? arguments = null,
        IReadOnlyDictionary<string, string>? environment = null, Output output = Output.Read,
        IEnumerable<string>? by = null)
    {
        var command = new List<string>(by ?? []) { Places.Bbal, "-s", folder };
        command.AddRange(arguments ?? []);
        var port = int.Parse(Default(command, "-p", () =>
            Ports.Next().ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        var address = IPAddress.Parse(Default(command, "-b", () => "127.0.0.1"));
        Default(command, "--warm-up", () => "0");
        var asked = address.Equals(IPAddress.Any) ? IPAddress.Loopback : address;
        var started = new BalancerProcess(
            command[0], command.Skip(1), new IPEndPoint(asked, port), environment, output);
        try
        {
            Eventually.That(
                () => started.HasExited ? throw started.Ended("listening") : started.Listens(),
                "bbal listens", instead: started.Tail);
            return started;
        }
        catch
        {
            started.Dispose();
            throw;
        }
    }

    /// <summary>Runs a command line to its end: its exit status and what it wrote.</summary>
    public static (int Status, IReadOnlyList<string> Errors, IReadOnlyList<string> Lines) Run(
        params string[] arguments)
    {
        using var process = new ManagedProcess(Places.Bbal, arguments);
        return (process.WaitForExit(), process.Errors, process.Lines);
    }

    public LogRecord WaitForRecord(Func<LogRecord, bool> isIt, string what) => Eventually.Gives(
        () => Records.FirstOrDefault(isIt) ?? (HasExited ? throw Ended(what) : null),
        what, instead: Tail);

    /// <summary>Waits for the nth record of a kind about a backend.</summary>
    public LogRecord WaitFor(LogKind kind, int backendId = 0, int nth = 1) => Eventually.Gives(
        () => All(kind, backendId).Skip(nth - 1).FirstOrDefault()
            ?? (HasExited ? throw Ended(kind.Event) : null),
        $"record {nth} \"{kind}\" of {backendId}", instead: Tail);

    /// <summary>The records of a kind up to now, about a backend or (0) about any.</summary>
    public IReadOnlyList<LogRecord> All(LogKind kind, int backendId = 0) =>
        [.. Records.Where(record => (backendId == 0 || record.BackendId == backendId)
            && kind.Is(record))];

    /// <summary>Waits until these backends said hello, each for the first time or again.</summary>
    public void WaitHealthy(params int[] ids)
    {
        foreach (var id in ids)
            WaitFor(Log.Healthy, id);
    }

    /// <summary>Asks for the status report; its first line, with every counter.</summary>
    public LogRecord Status()
    {
        var before = All(Log.Status).Count;
        Signal(Posix.SigUsr1);
        return WaitFor(Log.Status, nth: before + 1);
    }

    /// <summary>A counter, by the name that the status report has for it.</summary>
    public long Counted(string counter) => Log.CounterOf(Status(), counter);

    /// <summary>Waits until a counter has a value.</summary>
    public void WaitForCount(string counter, long value) =>
        Eventually.That(() => Counted(counter) == value, $"{counter} = {value}",
            instead: () => $"{counter} = {Counted(counter)}\n{Tail()}");

    /// <summary>Orders a stop and waits for it; the exit status.</summary>
    public int Stop()
    {
        Signal(Posix.SigTerm);
        return WaitForExit();
    }

    private static string Default(List<string> command, string option, Func<string> value)
    {
        var at = command.IndexOf(option);
        if (at < 0)
        {
            command.AddRange([option, value()]);
            at = command.Count - 2;
        }
        return command[at + 1];
    }

    private bool Listens() => Shown("udp", "07") && Shown("tcp", "0A");

    private bool Shown(string table, string state)
    {
        var port = ":" + Port.ToString("X4", CultureInfo.InvariantCulture);
        return File.ReadLines($"/proc/net/{table}")
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Any(fields => fields.Length > 3 && fields[1].EndsWith(port, StringComparison.Ordinal)
                && fields[3] == state);
    }
}
