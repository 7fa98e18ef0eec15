// Owns one process that a run started: its number, its standard input, whether it has ended and
// how. It runs in a folder, with standard output and error where the command says.
//
// What always holds: it is gone when it is disposed of, stopped or not; no signal is sent to a
// number whose process has ended.

using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using Simulation.Real.Interop;

namespace Simulation.Real;

/// <summary>A process of a run.</summary>
internal sealed class ChildProcess : IDisposable
{
    private readonly Process _process;
    private readonly StreamWriter _input;

    private ChildProcess(Process process)
    {
        _process = process;
        _input = process.StandardInput;
        Pid = process.Id;
    }

    public int Pid { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>Its exit status, over 128 for a signal; only once it has exited.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>
    /// Starts it through the shell, which has the redirections that the framework has not: the
    /// words before the executable are the shell's, such as "ulimit -n 40;".
    /// </summary>
    /// <exception cref="IOException">It cannot be started.</exception>
    public static ChildProcess Start(string before, string redirections, string folder,
        string executable, IEnumerable<string> arguments,
        params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("/bin/sh")
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add($"{before} exec \"$0\" \"$@\" {redirections}");
        start.ArgumentList.Add(executable);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        // What the user's shell has would shift what is tested.
        start.Environment.Remove("LOG_LEVEL");
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        try
        {
            return new ChildProcess(Process.Start(start)!);
        }
        catch (Win32Exception wrong)
        {
            throw new IOException($"{executable}: {wrong.Message}", wrong);
        }
    }

    public void Signal(Signal signal)
    {
        if (!HasExited)
            LibC.Send(Pid, signal);
    }

    /// <summary>Writes a line to its standard input, which must not be full.</summary>
    public void Tell(string line)
    {
        try
        {
            _input.Write(line + "\n");
            _input.Flush();
        }
        catch (IOException)
        {
            // It has ended; whoever follows it will see.
        }
    }

    /// <summary>
    /// The lowest number of a descriptor that it does not have open, the given number of others
    /// passed over.
    /// </summary>
    public int FreeDescriptor(int passedOver)
    {
        var open = new HashSet<string>();
        try
        {
            foreach (var path in Directory.EnumerateFileSystemEntries($"/proc/{Pid}/fd"))
                open.Add(Path.GetFileName(path));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return passedOver;
        }
        for (var descriptor = 0; ; descriptor++)
        {
            var isFree = !open.Contains(
                descriptor.ToString(System.Globalization.CultureInfo.InvariantCulture));
            if (isFree && passedOver-- == 0)
                return descriptor;
        }
    }

    /// <summary>Kills it at once.</summary>
    public void Kill()
    {
        Signal(Interop.Signal.Kill);
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!HasExited)
            Kill();
        try
        {
            _input.Dispose();
        }
        catch (IOException)
        {
            // What was still to be written has no reader.
        }
        _process.Dispose();
    }
}
