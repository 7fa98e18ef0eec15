// Owns a process that does what a command line says: the real simulator, this process's output, and
// nothing else. The first Ctrl-C, SIGTERM or SIGHUP asks `run`, `real` and `failover` to end in
// good order, the last two with all processes and folders that they made; a second one, and one
// during any other command, ends the process as usual. Output that cannot be written is one line
// and exit code 74, whatever else came of it.

using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using CommandLines;

namespace Simulation.Commands;

/// <summary>What a process of `sim` does.</summary>
public static class Entry
{
    /// <summary>Does it, in `sim` or in the planting host; the exit code.</summary>
    public static int Run(string[] arguments, bool isPlantingHost)
    {
        StandardStreams.Occupy();
        using var stop = new CancellationTokenSource();
        using var onInterrupt = StopAt(PosixSignal.SIGINT);
        using var onTerminate = StopAt(PosixSignal.SIGTERM);
        using var onHangUp = StopAt(PosixSignal.SIGHUP);
        return WithOutput(stop.Cancel, output =>
            new Tool(new RealSimulator(), output, Console.Error)
            {
                IsTerminal = !Console.IsErrorRedirected,
                IsPlantingHost = isPlantingHost,
                Stop = stop.Token,
            }.Main(arguments));

        PosixSignalRegistration? StopAt(PosixSignal signal) =>
            arguments is ["run" or "real" or "failover", ..]
            ? PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = !stop.IsCancellationRequested;
                stop.Cancel();
            })
            : null;
    }

    /// <summary>
    /// Does something that prints; its exit code, unless output cannot be written.
    /// </summary>
    public static int WithOutput(Action onFailure, Func<TextWriter, int> print)
    {
        if (StandardStreams.OutputWasClosed)
        {
            Console.Error.WriteLine("sim: " + StandardOptions.OutputIsClosed);
            return StandardOptions.ExitCannotWrite;
        }
        // A result that nobody gets is not worth hours of work: `run`, `real` and `failover` end as
        // if interrupted.
        using var written = new OutputStream(Console.OpenStandardOutput(), onFailure);
        using var output = new StreamWriter(written, new UTF8Encoding(false));
        var code = print(output);
        output.Flush();
        if (written.Failure is not { } failure)
            return code;
        Console.Error.WriteLine("sim: " + StandardOptions.CannotWrite(failure));
        return StandardOptions.ExitCannotWrite;
    }
}
