// Owns the start of `sim`: the real simulator, this process's output, and nothing else. The first
// Ctrl-C asks `run` and `real` to end in good order; a second one, and one during any other
// command, ends the process as usual.

using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using Simulation.Commands;

using var stop = new CancellationTokenSource();
using var onInterrupt = args is ["run" or "real", ..]
    ? PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
    {
        context.Cancel = !stop.IsCancellationRequested;
        stop.Cancel();
    })
    : null;
using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false));
var code = new Tool(new RealSimulator(), output, Console.Error)
{
    IsTerminal = !Console.IsErrorRedirected,
    Stop = stop.Token,
}.Main(args);
output.Flush();
return code;
