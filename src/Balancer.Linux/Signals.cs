// Owns the signals that an operator or a supervisor sends: SIGTERM and SIGINT ask for an orderly
// stop, SIGHUP for a scan of the directory, SIGUSR1 for the state of everything in the log. Each
// becomes an event of the network's Wait. What all others do is up to SignalState.
//
// They are blocked everywhere and read from a descriptor by the loop, so that a signal needs
// nothing that is not there when it comes, no thread above all. How they are read is chosen once,
// and said where it is not the first of these:
//   - from a signalfd, in the loop;
//   - where the system refuses that, by a thread that is made at start and waits for them;
//   - where it refuses that as well, and where the program runs on a shared .NET runtime, whose
//     threads cannot be reached to block anything in them, by the runtime. It receives signals
//     on a thread of its own and makes another to serve each.
//
// It is made before the network is, and given it then: whoever sees the port open may send a
// signal at once, and one that nobody catches yet would end the process. It lives as long as the
// process: whoever ordered a stop and then a scan must not kill a balancer that is just about to
// say that it has stopped.
//
// What always holds: from its making until the process ends, none of the four ends it by itself; a
// signal that came before there was a network is an event of its first Wait, and one that comes
// after the network's end is nothing.

using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>Turns signals into events of a network.</summary>
public sealed unsafe class Signals
{
    /// <summary>SIGUSR1 by its number, since PosixSignal has no name for it.</summary>
    private const PosixSignal UserSignal1 = (PosixSignal)C.SIGUSR1;

    /// <summary>A registration ends when it is collected; these are not.</summary>
    private static readonly List<PosixSignalRegistration> All = [];

    private readonly Lock _lock = new();
    private readonly List<NetworkEventKind> _early = [];
    private readonly SignalDescriptor? _descriptor;
    private LinuxNetwork? _network;

    /// <summary>
    /// To be made on the first thread, before there is another. Throws NetworkSetupException where
    /// a thread is needed and none can be made.
    /// </summary>
    /// <param name="forceFallbacks">A thread, as where the kernel has no signalfd.</param>
    public Signals(bool forceFallbacks = false)
    {
        if (RuntimeFeature.IsDynamicCodeSupported)
        {
            RegisterAll();
            return;
        }
        if (!SignalState.TryBlockEverywhere())
        {
            Warning = "signals need a thread that is made when they come: "
                + "they cannot be blocked in the runtime's thread";
            RegisterAll();
            return;
        }
        var errno = 0;
        if (!forceFallbacks)
            _descriptor = SignalDescriptor.TryCreate(out errno);
        if (_descriptor is null)
            FallBack(errno);
    }

    /// <summary>What the system refused that the balancer can be without, or null.</summary>
    public string? Warning { get; private set; }

    /// <summary>
    /// Has every other signal do what our documentation says, whatever the process that started us
    /// had set.
    /// </summary>
    public static void SetOthers() => SignalState.SetOthers();

    /// <summary>Tells the network what came, and from now on what comes.</summary>
    public void Tell(LinuxNetwork network)
    {
        if (_descriptor is not null)
        {
            var errno = network.Attach(_descriptor);
            if (errno == 0)
                return;
            _descriptor.Dispose();
            FallBack(errno);
        }
        lock (_lock)
        {
            _network = network;
            foreach (var kind in _early)
                network.Post(kind);
            _early.Clear();
        }
    }

    /// <summary>What one of our signals asks for.</summary>
    internal static NetworkEventKind KindOf(int signal) => signal switch
    {
        C.SIGHUP => NetworkEventKind.RescanRequested,
        C.SIGUSR1 => NetworkEventKind.StatusRequested,
        _ => NetworkEventKind.StopRequested,
    };

    /// <summary>Chooses the next best to a descriptor; errno 0 if it was not even tried.</summary>
    private void FallBack(int errno)
    {
        if (errno != 0)
            Warning = NetworkSetupException.Explain("signals are read by a thread", errno);
        errno = Take(wait: false);
        if (errno == 0)
        {
            BackgroundThread.Start("signals", TakeForever);
            return;
        }
        Warning = NetworkSetupException.Explain(
            "signals need a thread that is made when they come", errno);
        RegisterAll();
    }

    private void TakeForever()
    {
        while (Take(wait: true) == 0)
        {
        }
    }

    /// <summary>Takes a signal that came, or waits for one; 0 or why that cannot be.</summary>
    private int Take(bool wait)
    {
        var ours = SignalState.Ours;
        TimeSpec atOnce = default;
        var signal = LibC.SigTimedWait(&ours, null, wait ? null : &atOnce);
        var errno = signal < 0 ? LibC.Errno : 0;
        if (signal > 0)
            On(KindOf(signal));
        return errno is Errno.EINTR or Errno.EAGAIN ? 0 : errno;
    }

    private void RegisterAll()
    {
        SignalState.Unblock();
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
