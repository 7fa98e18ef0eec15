// Owns the balancer's process in a run: its command line, what becomes of its log, its limit of
// descriptors, its standing still, and its end.
//
// Ready means that the kernel shows both of its sockets; nothing is sent to find out, so every
// counter of a fresh balancer is 0.
//
// What always holds: what is written down of its log is whole lines; a process that does not end
// when it is told to is killed, and that is written down as well.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using Balancer.Core;
using Simulation.Real.Interop;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>The balancer under test.</summary>
internal sealed class RealBalancer(
    Reactor reactor, RealStage stage, RealPlan plan, Observations seen) : IDisposable
{
    private const long ReadyLimitNs = 20_000_000_000;
    private const long ReadyLookNs = 10_000_000;
    private const long ExitLookNs = 10_000_000;
    private const int PageBytes = 4096;
    private const int MostLooks = 100;
    private const int MostPorts = 5;

    private readonly byte[] _buffer = new byte[65_536];
    private readonly List<byte> _log = [];
    private ChildProcess _process = null!;
    private int _pipe = -1;
    private long _limit = -1;
    private long _stalledAt = -1;
    private int _parsed;

    public ushort Port { get; private set; } = (ushort)RealStage.NextPort();

    private ObservedBalancer Seen => seen.Balancer;

    public bool HasExited => _process.HasExited;

    /// <summary>Where a host asks: on 0.0.0.0 some ask at another address.</summary>
    public Endpoint ServerOf(Ipv4 host) => new(
        plan.Scenario.Kernel.Listen == Ipv4.Any && (host.Value & 1) != 0
            ? Ipv4.From(127, 0, 0, 2)
            : Ipv4.Loopback, Port);

    /// <summary>Starts it and waits until it listens; whether it does.</summary>
    public bool Start()
    {
        var listens = Launch();
        for (var n = 1; n < MostPorts && FoundPortTaken; n++)
        {
            _process.Dispose();
            Port = (ushort)RealStage.NextPort();
            listens = Launch();
        }
        Seen.ReadyAt = Reactor.NowNs;
        Seen.LogClockAheadNs = LogReader.ToNs(DateTime.UtcNow) - Seen.ReadyAt;
        Seen.NeverReady = HasExited || !listens;
        _limit = LibC.DescriptorLimit(_process.Pid);
        return !Seen.NeverReady;
    }

    /// <summary>
    /// It was free when it was chosen; others on this host choose ports too. The log may be full,
    /// but the line on standard error has the errno as well.
    /// </summary>
    private bool FoundPortTaken => HasExited && ErrorOutput().Contains(
        "(EADDRINUSE)", StringComparison.Ordinal);

    /// <summary>Whether it was seen to listen.</summary>
    private bool Launch()
    {
        var limit = plan.DescriptorLimit is { } count
            ? string.Create(CultureInfo.InvariantCulture, $"ulimit -n {count};")
            : "";
        _process = ChildProcess.Start(limit, $"{OpenLog()} 2>err </dev/null", stage.Folder,
            stage.Executables.Balancer, Arguments(),
            plan.Scenario.Kernel.TellsChanges ? [] : [("BBAL_NO_BATCH_CALLS", "1")]);
        var until = Reactor.NowNs + ReadyLimitNs;
        // Once is enough: while other sockets come and go the kernel's table may leave one out.
        while (!Listens())
        {
            if (HasExited || Reactor.NowNs >= until)
                return false;
            reactor.RunUntil(() => false, Reactor.NowNs + ReadyLookNs);
        }
        return true;
    }

    public void Signal(Signal signal) => _process.Signal(signal);

    /// <summary>Leaves it so many descriptors; null for all that it had.</summary>
    public void LimitFreeDescriptors(int? free)
    {
        if (!HasExited && _limit > 0)
        {
            LibC.SetDescriptorLimit(_process.Pid, free is { } some
                ? Math.Min(_limit, _process.FreeDescriptor(some))
                : _limit);
        }
    }

    public void SetStalled(bool stalled)
    {
        if (stalled == _stalledAt >= 0)
            return;
        _process.Signal(stalled ? Interop.Signal.Stop : Interop.Signal.Continue);
        if (!stalled && Seen.StopAskedAt is { } asked)
            Seen.StalledSinceStop += Reactor.NowNs - Math.Max(_stalledAt, asked);
        _stalledAt = stalled ? Reactor.NowNs : -1;
    }

    /// <summary>Tells it to stop; a second time if it is asked for again.</summary>
    public void AskToStop()
    {
        if (HasExited)
            return;
        Seen.StopAskedAt ??= Reactor.NowNs;
        _process.Signal(Interop.Signal.Terminate);
    }

    /// <summary>Waits for its end, and kills it when the time is over.</summary>
    public void WaitForExit(long untilNs)
    {
        while (!HasExited && Reactor.NowNs < untilNs)
            reactor.RunUntil(() => HasExited, Reactor.NowNs + ExitLookNs);
        NoteExit();
        if (Seen.ExitedAt is null)
            _process.Kill();
    }

    /// <summary>Writes down that it has ended, if it has.</summary>
    public void NoteExit()
    {
        if (!HasExited || Seen.ExitedAt is not null)
            return;
        Seen.ExitedAt = Reactor.NowNs;
        Seen.ExitCode = _process.ExitCode;
    }

    /// <summary>Datagrams that the kernel dropped because its queue was full.</summary>
    public long LostDatagrams()
    {
        var port = ":" + Port.ToString("X4", CultureInfo.InvariantCulture);
        // It has one socket, which the table may leave out while others come and go.
        for (var n = 0; n < MostLooks; n++)
        {
            if (Shown("udp", port).FirstOrDefault() is { } fields)
                return long.Parse(fields[^1], CultureInfo.InvariantCulture);
        }
        return 0;
    }

    // ---- The log ----

    /// <summary>What was logged since the last time is taken in.</summary>
    public void ReadLog()
    {
        if (plan.Nemesis.Log == LogFate.Kept)
            ReadFile();
        else if (plan.Nemesis.Log == LogFate.Stalls)
            DrainPipe();
        var bytes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_log);
        int end;
        while ((end = bytes[_parsed..].IndexOf((byte)'\n')) >= 0)
        {
            var line = Encoding.UTF8.GetString(bytes.Slice(_parsed, end));
            Seen.Log.Add(line);
            LogReader.Take(line, Seen);
            _parsed += end + 1;
        }
    }

    /// <summary>A pipe's reader stalls from now on, or goes away.</summary>
    public void LoseReader()
    {
        if (_pipe < 0)
            return;
        reactor.Forget(_pipe);
        if (plan.Nemesis.Log == LogFate.Stalls)
            return;
        LibC.Close(_pipe);
        _pipe = -1;
    }

    /// <summary>A reader that stalled reads on.</summary>
    public void ReadOn()
    {
        if (_pipe >= 0 && plan.Nemesis.Log == LogFate.Stalls)
            reactor.Watch(_pipe, LibC.PollIn, _ => DrainPipe());
    }

    /// <summary>All that is left of its output is taken in.</summary>
    public void Finish()
    {
        ReadLog();
        const string Lost = "\"event\":\"log_lines_lost\"";
        Seen.LogIsWhole = plan.Nemesis.LogIsReadable
            && !Seen.Log.Any(line => line.Contains(Lost, StringComparison.Ordinal));
        Seen.ErrorOutput = ErrorOutput();
    }

    public void Dispose()
    {
        _process?.Dispose();
        if (_pipe >= 0)
            LibC.Close(_pipe);
        _pipe = -1;
    }

    private string ErrorOutput() =>
        File.Exists(stage["err"]) ? File.ReadAllText(stage["err"]).Trim() : "";

    private string OpenLog()
    {
        var fate = plan.Nemesis.Log;
        if (fate == LogFate.Kept)
            return ">log";
        if (fate == LogFate.Full)
            return ">/dev/full";
        if (_pipe < 0 && LibC.MakePipe(stage["log"]))
            _pipe = LibC.OpenPipe(stage["log"], PageBytes);
        if (_pipe < 0)
            throw new IOException($"{stage["log"]}: cannot make a pipe");
        if (fate != LogFate.Unread)
            reactor.Watch(_pipe, LibC.PollIn, _ => DrainPipe());
        return ">log";
    }

    private void ReadFile()
    {
        using var file = new FileStream(
            stage["log"], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = _log.Count;
        int count;
        while ((count = file.Read(_buffer)) > 0)
            _log.AddRange((ReadOnlySpan<byte>)_buffer.AsSpan(0, count));
    }

    private void DrainPipe()
    {
        if (_pipe < 0)
            return;
        int count;
        while ((count = LibC.Read(_pipe, _buffer)) > 0)
            _log.AddRange((ReadOnlySpan<byte>)_buffer.AsSpan(0, count));
        // An end that would be told again and again, once there was a writer.
        if (count == 0)
            reactor.Forget(_pipe);
    }

    // ---- Its command line ----

    private List<string> Arguments()
    {
        var host = plan.Scenario.Kernel;
        var address = host.Listen == Ipv4.Any ? "0.0.0.0" : "127.0.0.1";
        return
        [
            "-s", stage.Way, "-b", address, "-p", Text(Port), "-l", plan.Nemesis.Level,
            "--warm-up", Seconds(host.WarmUp, 0, 3600),
            "--tcp-connections", Text(Math.Min(host.TcpConnections, 10_000)),
            "--tcp-connections-per-client", Text(Math.Min(host.TcpConnectionsPerClient, 10_000)),
            "--tcp-idle", Seconds(host.TcpIdle, 0.001m, 3600),
            "--tcp-message", Seconds(host.TcpMessage, 0.001m, 3600),
            "--tcp-not-reading", Text(host.TcpNotReading),
            "--tcp-lifetime", Seconds(host.TcpLifetime, 0.001m, 3600),
            "--no-backend", host.AnswersWithoutBackend ? "servfail" : "silence",
            .. host.Probe ? Probes(host) : [],
        ];
    }

    private static string[] Probes(KernelPlan host) =>
    [
        "--probe", SpecifiedLimits.ProbeName,
        "--probe-rise", Text(host.ProbeRise), "--probe-fall", Text(host.ProbeFall),
    ];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Seconds(Duration time, decimal least, decimal most) =>
        Math.Clamp(time.Nanoseconds / 1_000_000_000m, least, most)
            .ToString("0.#########", CultureInfo.InvariantCulture);

    private bool Listens()
    {
        var port = ":" + Port.ToString("X4", CultureInfo.InvariantCulture);
        return Shown("udp", port).Any() && Shown("tcp", port).Any(fields => fields[3] == "0A");
    }

    private static IEnumerable<string[]> Shown(string table, string port) =>
        File.ReadLines($"/proc/net/{table}").Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields.Length > 3
                && fields[1].EndsWith(port, StringComparison.Ordinal));
}
