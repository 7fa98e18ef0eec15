// Owns the signals that an operator or a supervisor sends: SIGTERM and SIGINT ask for an orderly
// stop, SIGHUP for a scan of the directory, SIGUSR1 for the state of everything in the log. Each
// becomes an event of the network's Wait. SIGPIPE is not here: the runtime ignores it.
//
// It is made before the network is, and told of it then: whoever sees the port open may send a
// signal at once, and one that nobody catches yet would end the process.
//
// It lives as long as the process. A signal is served by another thread some time after it came,
// and the runtime ends the process if nobody is registered by then; so whoever ordered a stop and
// then a scan would have killed a balancer that was just about to say that it has stopped.
//
// What always holds: from its making until the process ends, none of the four ends it by itself; a
// signal that came before there was a network is an event of its first Wait, and one that comes
// after the network's end is nothing.

using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>Turns signals into events of a network.</summary>
public sealed class Signals
{
    /// <summary>SIGUSR1 by its number, since PosixSignal has no name for it.</summary>
    private const PosixSignal UserSignal1 = (PosixSignal)10;

    /// <summary>A registration ends when it is collected; these are not.</summary>
    private static readonly List<PosixSignalRegistration> All = [];

    private readonly Lock _lock = new();
    private readonly List<NetworkEventKind> _early = [];
    private LinuxNetwork? _network;

    public Signals()
    {
        PosixSignalRegistration[] registrations =
        [
            Register(PosixSignal.SIGTERM, NetworkEventKind.StopRequested),
            Register(PosixSignal.SIGINT, NetworkEventKind.StopRequested),
            Register(PosixSignal.SIGHUP, NetworkEventKind.RescanRequested),
            Register(UserSignal1, NetworkEventKind.StatusRequested),
        ];
        lock (All)
            All.AddRange(registrations);
    }

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
