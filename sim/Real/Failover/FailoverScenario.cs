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

    /// <summary>SIGSTOP and SIGCONT in turn every 200 ms, for 20 s.</summary>
    Flutter,

    /// <summary>SIGTERM to one after the other, each started again after a second.</summary>
    Restart,
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

    /// <summary>In the order in which they are run.</summary>
    public static readonly ImmutableArray<FailoverScenario> All =
    [
        new("kill", FailoverFault.Kill, 1, 100, 20_000, 10),
        new("hang", FailoverFault.Hang, 1, 9, 9 * 50, 1),
        new("flutter", FailoverFault.Flutter, 1, 9, 9 * 50, 1),
        new("rolling", FailoverFault.Restart, 1, 10, 200, 3),
        new("kill-many", FailoverFault.Kill, 2, 50, 2_000, 3),
    ];

    /// <summary>The same with a load that node-mname can bear.</summary>
    public FailoverScenario ForNode() => this with { Rate = Math.Min(Rate, MostForNode) };
}
