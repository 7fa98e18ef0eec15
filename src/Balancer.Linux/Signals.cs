// Owns the signals that an operator or a supervisor sends: SIGTERM and SIGINT ask for an orderly
// stop, SIGHUP for a scan of the directory, SIGUSR1 for the state of everything in the log. Each
// becomes an event of the network's Wait. SIGPIPE is not here: the runtime ignores it.
//
// It is made before the network is, and told of it then: whoever sees the port open may send a
// signal at once, and one that nobody catches yet would end the process.
//
// What always holds: while this lives, none of the four ends the process by itself; a signal that
// came before there was a network is an event of its first Wait.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>Turns signals into events of a network, until it is disposed.</summary>
public sealed class Signals : IDisposable
{
    /// <summary>SIGUSR1 by its number, since PosixSignal has no name for it.</summary>
    private const PosixSignal UserSignal1 = (PosixSignal)10;

    private readonly Lock _lock = new();
    private readonly List<NetworkEventKind> _early = [];
    private readonly PosixSignalRegistration[] _registrations;
    private LinuxNetwork? _network;

    public Signals() => _registrations =
    [
        Register(PosixSignal.SIGTERM, NetworkEventKind.StopRequested),
        Register(PosixSignal.SIGINT, NetworkEventKind.StopRequested),
        Register(PosixSignal.SIGHUP, NetworkEventKind.RescanRequested),
        Register(UserSignal1, NetworkEventKind.StatusRequested),
    ];

    /// <summary>Tells the network what came, and from now on what comes.</summary>
    public void Tell(LinuxNetwork network)
    {
        lock (_lock)
        {
            _network = network;
            foreach (var kind in _early)
                network.Post(kind);
            _early.Clear();
        }
    }

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }

    private PosixSignalRegistration Register(PosixSignal signal, NetworkEventKind kind) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            On(kind);
        });

    private void On(NetworkEventKind kind)
    {
        lock (_lock)
        {
            // A network knows each kind once, however often it came.
            if (_network is null && !_early.Contains(kind))
                _early.Add(kind);
            _network?.Post(kind);
        }
    }
}
