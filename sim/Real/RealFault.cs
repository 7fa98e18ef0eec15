// Owns the list of what can be done to a real host from outside, and which of a scenario's faults
// are that. The others - a lost wake-up, a short read, an errno that the kernel has no switch for -
// are left out, and counted by name.
//
// What always holds: every kind of fault is either mapped or named as left out, never both.

using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>What is done to processes, sockets and files.</summary>
internal enum RealFaultKind
{
    /// <summary>SIGKILL; the path stays, stale. Started again after For.</summary>
    Crash,

    /// <summary>SIGTERM: it unlinks its path and exits. Started again after For.</summary>
    Stop,

    /// <summary>Its path is unlinked; the process is killed after For.</summary>
    Unlink,

    /// <summary>SIGSTOP, and SIGCONT after For.</summary>
    Pause,

    /// <summary>It misbehaves from now on (Amount 1) or no more (Amount 0).</summary>
    Script,

    /// <summary>All its sessions are reset.</summary>
    Reset,

    /// <summary>All its sessions end, behind Amount bytes of a frame.</summary>
    End,

    /// <summary>It accepts nothing for For, with a backlog of Amount.</summary>
    Backlog,

    /// <summary>Another process takes its path; the old one goes on.</summary>
    Rebind,

    /// <summary>One in Amount datagrams is not sent.</summary>
    Loss,

    /// <summary>One in Amount datagrams is sent twice.</summary>
    Twice,

    /// <summary>Datagrams are sent late by up to Amount nanoseconds.</summary>
    Late,

    /// <summary>The balancer's limit of descriptors leaves it Amount free ones for For.</summary>
    Descriptors,

    /// <summary>The way to the directory is gone for For.</summary>
    DirectoryGone,

    /// <summary>In the directory's place is what cannot be read as one, for For.</summary>
    DirectoryUnreadable,

    /// <summary>Stray entries are there for For; Amount as in DirectoryEntry.</summary>
    Entries,

    /// <summary>SIGSTOP to the balancer, SIGCONT after For.</summary>
    Stall,

    /// <summary>SIGHUP to the balancer.</summary>
    Rescan,

    /// <summary>SIGUSR1 to the balancer.</summary>
    Status,
}

/// <summary>One of them, at a time.</summary>
internal sealed record RealFault(
    int Id, Instant At, Duration For, RealFaultKind Kind, int Target = -1, long Amount = 0)
{
    private const long TooManyFiles = 0;
    private const int DirectoryTooManyFiles = 1;

    /// <summary>The kind that a fault of a scenario is for real; null if there is none.</summary>
    public static RealFaultKind? KindOf(FaultPlan fault) => fault.Kind switch
    {
        FaultKind.BackendCrash => RealFaultKind.Crash,
        FaultKind.BackendStop => RealFaultKind.Stop,
        FaultKind.BackendUnlink => RealFaultKind.Unlink,
        FaultKind.BackendPause => RealFaultKind.Pause,
        FaultKind.BackendScript => RealFaultKind.Script,
        FaultKind.BackendReset => RealFaultKind.Reset,
        FaultKind.BackendEnd => RealFaultKind.End,
        FaultKind.BackendBacklog => RealFaultKind.Backlog,
        FaultKind.BackendRebind => RealFaultKind.Rebind,
        FaultKind.UdpLoss => RealFaultKind.Loss,
        FaultKind.UdpDuplicate => RealFaultKind.Twice,
        FaultKind.UdpReorder => RealFaultKind.Late,
        FaultKind.KernelAccept or FaultKind.KernelSocket when fault.Amount == TooManyFiles =>
            RealFaultKind.Descriptors,
        FaultKind.DirectoryUnreadable => fault.Amount switch
        {
            0 => RealFaultKind.DirectoryGone,
            DirectoryTooManyFiles => RealFaultKind.Descriptors,
            _ => RealFaultKind.DirectoryUnreadable,
        },
        FaultKind.DirectoryEntry => RealFaultKind.Entries,
        FaultKind.ClockStall => RealFaultKind.Stall,
        FaultKind.OperatorRescan => RealFaultKind.Rescan,
        FaultKind.OperatorStatus => RealFaultKind.Status,
        _ => null,
    };

    /// <summary>What it is called when it is left out.</summary>
    public static string NameOf(FaultPlan fault) => (fault.Kind, fault.Amount) switch
    {
        (FaultKind.KernelAccept, 1) => "KernelAccept ENFILE",
        (FaultKind.KernelAccept, 2) => "KernelAccept ENOMEM",
        (FaultKind.KernelAccept, 4) => "KernelAccept ENOBUFS",
        (FaultKind.KernelAccept, 5) => "KernelAccept EPERM",
        (FaultKind.KernelAccept, 6) => "KernelAccept EPROTO",
        (FaultKind.KernelAccept, _) => "KernelAccept ECONNABORTED",
        (FaultKind.KernelSocket, 2) => "KernelSocket ENOBUFS",
        (FaultKind.KernelSocket, _) => "KernelSocket ENOMEM",
        _ => fault.Kind.ToString(),
    };

    public override string ToString() => Target >= 0
        ? $"{Kind} of backend {Target}"
        : Kind.ToString();
}
