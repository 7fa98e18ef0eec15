// Owns the scenarios of the failover benchmark: how much load there is while which fault is done to
// which of the three backends, and how often.
//
// What always holds: each has a name of its own, which the command line and the reports use.

using System;
using System.Collections.Immutable;

namespace Simulation.Real.Failover;

/// <summary>What is done to backends.</summary>
internal enum FailoverFault
{
    /// <summary>SIGKILL, and started again after a second.</summary>
    Kill,

    /// <summary>SIGSTOP for 10 s.</summary>
    Hang,

    /// <summary>
    /// SIGKILL to one, as Kill, and SIGSTOP for 10 s to another at the same time.
    /// </summary>
    KillAndHang,

    /// <summary>SIGSTOP and SIGCONT in turn every 200 ms, for a minute.</summary>
    Flutter,

    /// <summary>SIGTERM to one after the other, each started again after a second.</summary>
    Restart,

    /// <summary>SIGTERM to all at the same time, started again after a second.</summary>
    Storm,

    /// <summary>
    /// A client repeats a query that ends the backend which reads it, for a minute. A backend that
    /// ended is started again after a second.
    /// </summary>
    Killer,
}

/// <summary>A scenario of the benchmark.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Fault">What is done.</param>
/// <param name="Victims">To how many backends at the same time.</param>
/// <param name="Clients">Client hosts, which take turns.</param>
/// <param name="Rate">Queries of all of them in a second.</param>
/// <param name="Times">How often the fault is done unless the user says otherwise.</param>
internal sealed record FailoverScenario(
    string Name, FailoverFault Fault, int Victims, int Clients, int Rate, int Times)
{
    public const int Backends = 3;

    /// <summary>
    /// What two of three node-mname processes answer while all that is measured shares two cores.
    /// </summary>
    private const int MostForNode = 4_000;

    /// <summary>As long as a Binder takes at most to get its data.</summary>
    private const int ColdMs = 800;

    /// <summary>In the order in which they are run.</summary>
    public static readonly ImmutableArray<FailoverScenario> All =
    [
        new("kill", FailoverFault.Kill, 1, 100, 20_000, 10),
        new("hang", FailoverFault.Hang, 1, 9, 9 * 50, 1),
        new("hang-two", FailoverFault.Hang, 2, 9, 9 * 50, 1),
        new("kill-hang", FailoverFault.KillAndHang, 2, 50, 2_000, 3),
        new("flutter", FailoverFault.Flutter, 1, 9, 9 * 50, 1),
        new("rolling", FailoverFault.Restart, 1, 10, 200, 3),
        new("kill-many", FailoverFault.Kill, 2, 50, 2_000, 3),
        new("kill-alike", FailoverFault.Kill, 2, 50, 2_000, 3) { IsPopular = true },
        new("rolling-cold", FailoverFault.Restart, 1, 10, 200, 1) { ColdForMs = ColdMs },
        new("storm", FailoverFault.Storm, Backends, 10, 200, 3) { ColdForMs = ColdMs },
        new("storm-probe", FailoverFault.Storm, Backends, 10, 200, 3)
        {
            ColdForMs = ColdMs,
            Probes = true,
        },
        Of("killer-20", FailoverKiller.Edns20),
        Of("killer-0", FailoverKiller.Edns0),
        Of("killer-ptr", FailoverKiller.Reverse),
        Of("killer-tcp", FailoverKiller.ReverseOverTcp),
        Of("killer-opt", FailoverKiller.LongAnswer),
        Of("killer-big", FailoverKiller.TooLongAnswer),
        Of("killer-names", FailoverKiller.SecondEdns),
    ];

    /// <summary>All clients ask for the same name.</summary>
    public bool IsPopular { get; init; }

    /// <summary>How long after its start a backend answers with SERVFAIL.</summary>
    public int ColdForMs { get; init; }

    /// <summary>The balancer probes its backends.</summary>
    public bool Probes { get; init; }

    /// <summary>What is repeated, where that is the fault.</summary>
    public FailoverKiller? Killer { get; init; }

    /// <summary>The same with a load that node-mname can bear.</summary>
    public FailoverScenario ForNode() => this with { Rate = Math.Min(Rate, MostForNode) };

    /// <summary>Three clients beside the killer ask for a popular name.</summary>
    private static FailoverScenario Of(string name, FailoverKiller killer) =>
        new(name, FailoverFault.Killer, 1, 3, 3 * 50, 1) { Killer = killer, IsPopular = true };
}
