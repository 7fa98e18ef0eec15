// Owns the signals that an operator or a supervisor sends: SIGTERM and SIGINT ask for an orderly
// stop, SIGHUP for a scan of the directory, SIGUSR1 for the state of everything in the log. Each
// becomes an event of the network's Wait. SIGPIPE is not here: the runtime ignores it.
//
// What always holds: from the first Signals on until the process ends, none of the four ends it by
// itself. A signal is served by another thread some time after it came, and the runtime ends the
// process if nobody is registered by then; so whoever ordered a stop and then a scan would have
// killed a balancer that was just about to say that it has stopped.

using System.Collections.Generic;
using System.Runtime.InteropServices;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>
/// Turns signals into events of a network. A network that is disposed takes none any more, so there
/// is nothing to dispose here.
/// </summary>
public static class Signals
{
    /// <summary>SIGUSR1 by its number, since PosixSignal has no name for it.</summary>
    private const PosixSignal UserSignal1 = (PosixSignal)10;

    /// <summary>
    /// Registrations end when they are collected; these live as long as the process.
    /// </summary>
    private static readonly List<PosixSignalRegistration> Registrations = [];

    /// <summary>Has each of the four signals post its event to this network.</summary>
    public static void PostTo(LinuxNetwork network)
    {
        lock (Registrations)
        {
            Registrations.AddRange(
            [
                Register(network, PosixSignal.SIGTERM, NetworkEventKind.StopRequested),
                Register(network, PosixSignal.SIGINT, NetworkEventKind.StopRequested),
                Register(network, PosixSignal.SIGHUP, NetworkEventKind.RescanRequested),
                Register(network, UserSignal1, NetworkEventKind.StatusRequested),
            ]);
        }
    }

    private static PosixSignalRegistration Register(
        LinuxNetwork network, PosixSignal signal, NetworkEventKind kind) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            network.Post(kind);
        });
}
