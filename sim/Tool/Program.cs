// Owns the start of `sim`: the real simulator, this process's output, and nothing else. The first
// Ctrl-C, SIGTERM or SIGHUP asks `run` and `real` to end in good order, `real` with all processes
// and folders that it made; a second one, and one during any other command, ends the process as
// usual. Output that cannot be written is one line and exit code 74, whatever else came of it.

using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using CommandLines;
using Simulation.Commands;

using var stop = new CancellationTokenSource();
using var onInterrupt = StopAt(PosixSignal.SIGINT);
using var onTerminate = StopAt(PosixSignal.SIGTERM);
using var onHangUp = StopAt(PosixSignal.SIGHUP);
// A result that nobody gets is not worth hours of work: `run` and `real` end as if interrupted.
using var written = new OutputStream(Console.OpenStandardOutput(), stop.Cancel);
using var output = new StreamWriter(written, new UTF8Encoding(false));
var code = new Tool(new RealSimulator(), output, Console.Error)
{
    IsTerminal = !Console.IsErrorRedirected,
    Stop = stop.Token,
}.Main(args);
output.Flush();
if (written.Failure is not { } failure)
    return code;
Console.Error.WriteLine("sim: " + StandardOptions.CannotWrite(failure));
return StandardOptions.ExitCannotWrite;

PosixSignalRegistration? StopAt(PosixSignal signal) => args is ["run" or "real", ..]
    ? PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = !stop.IsCancellationRequested;
        stop.Cancel();
    })
    : null;
