// Owns everything that must be gone when the demo ends: the temporary folder of sockets, the fake
// Binders and the balancer, each a process of its own.
//
// What always holds: Dispose ends every process that was started, by its own id, and removes the
// folder. Where setpriv is installed, the kernel ends them as well should the demo itself be
// killed; it does so when the thread that started them ends, so one thread starts them all.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading;

namespace Demo;

internal sealed partial class Stage(Settings settings) : IDisposable
{
    public static readonly IReadOnlyList<string> BackendIds = ["5301", "5302", "5303"];

    private const int SignalTerminate = 15;
    private const string SetPriv = "/usr/bin/setpriv";

    /// <summary>For a process to start on a busy machine.</summary>
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(20);

    /// <summary>An orderly stop takes up to 5 s.</summary>
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(7);

    private readonly Dictionary<string, Process> _backends = [];
    private readonly string _sockets = Directory.CreateTempSubdirectory("bbal-demo-").FullName;
    private Process? _balancer;
    private volatile string _lastComplaint = "";

    /// <summary>Starts the backends and the balancer, and returns when they listen.</summary>
    public void Open(ManualResetEventSlim stop)
    {
        var balancer = Executable("bbal");
        Executable("fake-binder");
        foreach (var id in BackendIds)
            StartBackend(id);
        _balancer = Start(balancer, "listening on", stop,
            "-s", _sockets, "-b", "127.0.0.1", "-p",
            settings.Port.ToString(CultureInfo.InvariantCulture), "-l", "info");
    }

    public void StartBackend(string id) => _backends[id] = Start(
        Executable("fake-binder"), "listening", null, "--id", id, Path.Combine(_sockets, id));

    /// <summary>As a crash: its socket's path stays.</summary>
    public void KillBackend(string id)
    {
        if (_backends.Remove(id, out var backend))
            End(backend);
    }

    /// <summary>Throws when the balancer has ended, unless the demo is being stopped.</summary>
    public void CheckBalancer(ManualResetEventSlim stop)
    {
        // Ctrl-C reaches both of us at once: it may be gone before we have heard of it.
        if (_balancer is { HasExited: true } && !stop.Wait(TimeSpan.FromSeconds(1)))
        {
            var words = _lastComplaint.Length == 0 ? "" : ": " + _lastComplaint;
            throw new DemoException(string.Create(CultureInfo.InvariantCulture,
                $"bbal ended with status {_balancer.ExitCode}{words}"));
        }
    }

    public void Dispose()
    {
        if (_balancer is { } balancer)
        {
            if (!balancer.HasExited)
                _ = Kill(balancer.Id, SignalTerminate);
            balancer.WaitForExit(StopTime);
            End(balancer);
        }
        foreach (var backend in _backends.Values)
            End(backend);
        Directory.Delete(_sockets, recursive: true);
    }

    private string Executable(string name)
    {
        var path = Path.GetFullPath(Path.Combine(settings.BuildDirectory, name));
        return File.Exists(path)
            ? path
            : throw new DemoException($"{path} is not there; build it first (make)");
    }

    private Process Start(
        string path, string readyWord, ManualResetEventSlim? stop, params string[] arguments)
    {
        var start = new ProcessStartInfo(path, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (File.Exists(SetPriv))
        {
            start.FileName = SetPriv;
            foreach (var word in new[] { path, "--", "KILL", "--pdeathsig" })
                start.ArgumentList.Insert(0, word);
        }
        var process = new Process { StartInfo = start };
        var ready = new ManualResetEventSlim();
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.Contains(readyWord, StringComparison.Ordinal) == true)
                ready.Set();
        };
        process.ErrorDataReceived += (_, line) =>
        {
            if (!string.IsNullOrWhiteSpace(line.Data))
                _lastComplaint = line.Data;
        };
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            AwaitReady(process, ready, stop);
            return process;
        }
        catch (DemoException)
        {
            End(process);
            throw;
        }
    }

    private void AwaitReady(
        Process process, ManualResetEventSlim ready, ManualResetEventSlim? stop)
    {
        var clock = Stopwatch.StartNew();
        while (!ready.Wait(10))
        {
            if (stop?.IsSet == true)
                return;
            if (process.HasExited)
            {
                process.WaitForExit(); // And so have its last words been read.
                throw new DemoException(
                    _lastComplaint.Contains("already in use", StringComparison.Ordinal)
                        ? $"port {settings.Port} of 127.0.0.1 is taken; choose another with PORT="
                        : "it did not start: " + _lastComplaint);
            }
            if (clock.Elapsed > StartTime)
                throw new DemoException($"{process.StartInfo.FileName} does not say it is ready");
        }
    }

    private static void End(Process process)
    {
        if (!process.HasExited)
            process.Kill();
        process.WaitForExit();
        process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);
}
