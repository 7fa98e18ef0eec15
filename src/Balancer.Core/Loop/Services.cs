// Owns nothing: it is the list of what a module of the core may use besides its own, so that a
// constructor takes "the services" and not seven arguments. It has no module in it; wiring them is
// LoadBalancer's business alone.
//
// What always holds: none of it is ever replaced, and what is made when it is first asked for is
// made once.

namespace Balancer.Core;

/// <summary>What every module is given; one for all of them.</summary>
internal sealed record Services(INetwork Network, StreamOwners Owners, Timers Timers,
    Counters Counters, IBalancerLog Log, BalancerOptions Options, TurnLimits Turn)
{
    /// <summary>
    /// Where one read puts its bytes; nothing in it outlives the handling of the read.
    /// </summary>
    public byte[] ReadBuffer { get; } = new byte[Limits.ReadBytes];

    /// <summary>What sessions may take for what they have in flight.</summary>
    public SessionMemory SessionMemory { get; } = new(Options.SessionMemory);

    /// <summary>Makes the gates of what is logged at most so often.</summary>
    public LogGates Gates { get; } = new(Timers, Log);

    /// <summary>Logs when the kernel has no memory for sessions.</summary>
    public KernelMemory KernelMemory => field ??= new(this);

    /// <summary>Logs what happens to entries of the directory.</summary>
    public EntryRecords EntryRecords => Gates.Entries;

    /// <summary>How much later peers' deadlines come after a standstill.</summary>
    public Standstill Standstill { get; } = new(Counters);
}
