// Owns the signals that an operator or a supervisor sends: SIGTERM and SIGINT ask for an orderly
// stop, SIGHUP for a scan of the directory, SIGUSR1 for the state of everything in the log. Each
// becomes an event of the network's Wait. SIGPIPE is not here: the runtime ignores it.
//
// What always holds: while this lives, none of the four ends the process by itself.

using System;
using System.Runtime.InteropServices;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>Turns signals into events of a network, until it is disposed.</summary>
public sealed class Signals : IDisposable
{
    /// <summary>SIGUSR1 by its number, since PosixSignal has no name for it.</summary>
    private const PosixSignal UserSignal1 = (PosixSignal)10;

    private readonly PosixSignalRegistration[] _registrations;

    public Signals(LinuxNetwork network) => _registrations =
    [
        Register(network, PosixSignal.SIGTERM, NetworkEventKind.StopRequested),
        Register(network, PosixSignal.SIGINT, NetworkEventKind.StopRequested),
        Register(network, PosixSignal.SIGHUP, NetworkEventKind.RescanRequested),
        Register(network, UserSignal1, NetworkEventKind.StatusRequested),
    ];

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }

    private static PosixSignalRegistration Register(
        LinuxNetwork network, PosixSignal signal, NetworkEventKind kind) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            network.Post(kind);
        });
}
