// Owns one backend of the failover benchmark through all its processes. It is a real process of
// fake-binder or of node-mname, which is killed, stopped and started again from outside.
//
// Starting takes milliseconds in which the clients would send nothing, so another thread does it.
//
// What always holds: there is one process at a time, but for one that was told to end and still
// does; none is left when this is disposed of.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Simulation.Real.Interop;

namespace Simulation.Real.Failover;

/// <summary>What backends are made of.</summary>
/// <param name="Kind">What it is called in reports.</param>
/// <param name="Executable">A path, or a command.</param>
/// <param name="Arguments">What comes before the name of the socket.</param>
internal sealed record FailoverProgram(
    string Kind, string Executable, params IReadOnlyList<string> Arguments)
{
    /// <summary>It is the real node-mname, in tests/integration/node.</summary>
    public bool IsNode { get; init; }
}

/// <summary>A backend of the benchmark.</summary>
/// <param name="stage">Where it runs.</param>
/// <param name="program">What it is.</param>
/// <param name="name">What its socket is called.</param>
/// <param name="coldForMs">
/// How long after a start it answers with SERVFAIL; then its names are loaded one by one, until it
/// is up for twice as long.
/// </param>
internal sealed class FailoverBackend(
    RealStage stage, FailoverProgram program, string name, int coldForMs = 0) : IDisposable
{
    /// <summary>What tells server.js and fake-binder how long they are cold.</summary>
    private readonly (string Name, string Value)[] _cold = program.IsNode
        ?
        [
            ("SERVFAIL_FOR_MS", FormattableString.Invariant($"{coldForMs}")),
            ("LOAD_FOR_MS", FormattableString.Invariant($"{2 * coldForMs}")),
        ]
        :
        [
            ("FAKE_BINDER_SERVFAIL_FOR", FormattableString.Invariant($"{coldForMs}ms")),
            ("FAKE_BINDER_LOAD_FOR", FormattableString.Invariant($"{2 * coldForMs}ms")),
        ];

    /// <summary>Beside the folder of sockets, in which backends run.</summary>
    private readonly string _errors = name + ".err";

    private readonly List<Task<ChildProcess>> _processes = [];

    /// <summary>Its socket's, which it tells who asks id.server.</summary>
    public string Name => name;

    public bool HasSocket => File.Exists(stage.SocketOf(name));

    /// <summary>Its latest process has ended.</summary>
    public bool HasEnded => HasExited(_processes[^1]);

    /// <summary>Why its latest process has ended; null if it has not.</summary>
    public string? End
    {
        get
        {
            var process = _processes[^1];
            if (process.IsFaulted)
                return process.Exception.InnerException!.Message;
            return HasExited(process)
                ? $"it exited with status {process.Result.ExitCode}{Said()}"
                : null;
        }
    }

    public void Start()
    {
        // Each has a descriptor here until it is disposed of.
        foreach (var ended in _processes.Where(HasExited).ToList())
        {
            ended.Result.Dispose();
            _processes.Remove(ended);
        }
        // Node takes a number for a port.
        string[] arguments = [.. program.Arguments, "./" + name];
        _processes.Add(Task.Run(() => ChildProcess.Start("", $">/dev/null 2>>../{_errors}",
            stage.Sockets, program.Executable, arguments, _cold)));
    }

    public void Signal(Signal signal) => _processes[^1].GetAwaiter().GetResult().Signal(signal);

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            try
            {
                process.Wait();
            }
            catch (AggregateException)
            {
                // It was not started, so there is nothing to end.
                continue;
            }
            process.Result.Dispose();
        }
    }

    private static bool HasExited(Task<ChildProcess> process) =>
        process.IsCompletedSuccessfully && process.Result.HasExited;

    /// <summary>The line that says most, which in Node's is not the last.</summary>
    private string Said()
    {
        var lines = File.Exists(stage[_errors])
            ? File.ReadLines(stage[_errors]).Where(line => line.Length > 0).ToList()
            : [];
        var line = lines.Find(line => line.Contains("Error", StringComparison.Ordinal))
            ?? lines.LastOrDefault();
        return line is null ? "" : ": " + line.Trim();
    }
}
