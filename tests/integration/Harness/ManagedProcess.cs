// Owns one process that a test started: what it wrote, line by line, how it ended, what it costs,
// and that it is gone when the test is.
//
// Each stream is read by a thread of its own, because a pool thread that blocks in a read would
// hold up the tests that run beside this one. A test may also leave the output unread, or close
// it, to see what the process does then.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using Xunit.Sdk;

namespace Tests.Integration.Harness;

/// <summary>Whether the harness reads the process's standard output.</summary>
public enum Output
{
    Read,
    Unread,
}

/// <summary>A child process; killed, if it still runs, when it is disposed of.</summary>
public class ManagedProcess : IDisposable
{
    private const int TicksPerSecond = 100;

    private static readonly ConcurrentDictionary<int, Process> Running = new();

    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly List<string> _errors = [];
    private readonly List<Thread> _readers = [];

    static ManagedProcess() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (var process in Running.Values)
            process.Kill();
    };

    public ManagedProcess(
        string file, IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null, Output output = Output.Read)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        Name = Path.GetFileName(file);
        _process = Process.Start(start)!;
        Pid = _process.Id;
        Running[Pid] = _process;
        _process.StandardInput.Close();
        if (output == Output.Read)
            Read(_process.StandardOutput, _lines);
        Read(_process.StandardError, _errors);
    }

    public string Name { get; }

    public int Pid { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>What it wrote to standard output up to now.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    /// <summary>What it wrote to standard error up to now.</summary>
    public IReadOnlyList<string> Errors
    {
        get
        {
            lock (_errors)
                return [.. _errors];
        }
    }

    /// <summary>Memory that it occupies, in KiB.</summary>
    public long ResidentKiB => StatusKiB("VmRSS:");

    /// <summary>The most memory that it ever occupied, in KiB.</summary>
    public long PeakResidentKiB => StatusKiB("VmHWM:");

    /// <summary>Descriptors that it has open.</summary>
    public int Descriptors => Directory.GetFileSystemEntries($"/proc/{Pid}/fd").Length;

    /// <summary>Processor time that it used, user and system, in seconds.</summary>
    public double CpuSeconds
    {
        get
        {
            var stat = File.ReadAllText($"/proc/{Pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (Number(fields[11]) + Number(fields[12])) / (double)TicksPerSecond;
        }
    }

    public void Signal(int signal) => Posix.Kill(Pid, signal);

    /// <summary>Sets how many descriptors it may have open from now on.</summary>
    public void LimitDescriptors(int count)
    {
        using var prlimit = new ManagedProcess(
            "prlimit", ["--pid", $"{Pid}", $"--nofile={count}:"]);
        if (prlimit.WaitForExit() != 0)
            throw new XunitException(prlimit.Tail());
    }

    /// <summary>Lets it open no descriptor more, until a higher limit is set.</summary>
    public void LimitDescriptorsToThoseOpen() => LimitFreeDescriptors(0);

    /// <summary>
    /// Lets it open so many more. The kernel's limit is of their numbers, not of how many there
    /// are, and one inherited from the caller may have a high number.
    /// </summary>
    public void LimitFreeDescriptors(int free)
    {
        // Those that stay, because a scan of the directory holds one more for a moment, which is
        // long on a busy machine.
        var open = OpenDescriptors().ToHashSet();
        for (var i = 0; i < 10; i++)
        {
            Thread.Sleep(20);
            open.IntersectWith(OpenDescriptors());
        }
        LimitDescriptors(Enumerable.Range(0, open.Count + free + 1)
            .Where(fd => !open.Contains(fd)).ElementAt(free));
    }

    private int[] OpenDescriptors() =>
        [.. Directory.GetFileSystemEntries($"/proc/{Pid}/fd")
            .Select(path => (int)Number(Path.GetFileName(path)))];

    /// <summary>Closes the reading end of its output, as a log reader that dies does.</summary>
    public void CloseOutput() => _process.StandardOutput.BaseStream.Close();

    /// <summary>Reads output that was left unread so far.</summary>
    public void ReadOutput() => Read(_process.StandardOutput, _lines);

    /// <summary>Waits until it ends and all it wrote is read; its exit status.</summary>
    public int WaitForExit(int seconds = Eventually.Seconds)
    {
        if (!_process.WaitForExit(TimeSpan.FromSeconds(seconds)))
            throw new XunitException($"{Name} did not end within {seconds} s\n{Tail()}");
        foreach (var reader in _readers)
            reader.Join();
        return _process.ExitCode;
    }

    /// <summary>Waits for a line on standard output.</summary>
    public string WaitForLine(Func<string, bool> isIt, string what) => Eventually.Gives(
        () => Lines.FirstOrDefault(isIt) ?? (HasExited ? throw Ended(what) : null),
        what, instead: Tail);

    /// <summary>The last of what it wrote, to explain a failure.</summary>
    public string Tail() => $"{Name} ({Pid}) wrote:\n"
        + string.Join('\n', Lines.TakeLast(40).Concat(Errors.TakeLast(20)));

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        Running.TryRemove(Pid, out _);
        _process.Dispose();
        GC.SuppressFinalize(this);
    }

    protected XunitException Ended(string what) =>
        new($"{Name} ended before: {what}\n{Tail()}");

    private void Read(StreamReader from, List<string> into)
    {
        var reader = new Thread(() =>
        {
            try
            {
                while (from.ReadLine() is { } line)
                {
                    lock (into)
                        into.Add(line);
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                // The test closed the stream.
            }
        })
        { IsBackground = true, Name = $"{Name} {Pid}" };
        _readers.Add(reader);
        reader.Start();
    }

    private long StatusKiB(string field) => Number(File.ReadLines($"/proc/{Pid}/status")
        .First(line => line.StartsWith(field, StringComparison.Ordinal))
        .Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^2]
        .Split('\t')[^1]);

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
