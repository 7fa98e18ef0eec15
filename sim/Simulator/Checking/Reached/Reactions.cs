// Owns the list of the core's reactions that coverage counts (L6): every counter, and every line of
// the log that no counter says as well; a backend's fault and a backend's refusal once for each
// cause, a refused entry once for each reason.
//
// What always holds: a reaction has one number and one name; what is no reaction - heartbeats,
// start and stop - has none.

using System;
using System.Collections.Immutable;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;

namespace Simulation.Checking;

/// <summary>Numbers the core's reactions.</summary>
internal static class Reactions
{
    private static readonly int Causes = Enum.GetValues<FaultCause>().Length;
    private static readonly int Faulted = ExpectedCounters.Kinds;
    private static readonly int Refused = Faulted + Causes;
    private static readonly int Entries = Refused + Causes;
    private static readonly int Lines = Entries + Enum.GetValues<EntryRefusal>().Length;

    private static readonly ImmutableArray<string> LineNames =
    [
        nameof(LogEvent.BackendDiscovered), nameof(LogEvent.BackendReturned),
        nameof(LogEvent.BackendMadeAnew), nameof(LogEvent.BackendConnected),
        nameof(LogEvent.BackendHealthy), nameof(LogEvent.BackendUnlinked),
        nameof(LogEvent.BackendRelinked),
        nameof(LogEvent.BackendRemoved), nameof(LogEvent.BackendForgotten),
        nameof(LogEvent.BackendStuck), nameof(LogEvent.DirectoryUnreadable),
        nameof(LogEvent.DirectoryReadable), nameof(LogEvent.NoBackend),
        nameof(LogEvent.Rebalancing), nameof(LogEvent.ConnectionOpened),
        nameof(LogEvent.ConnectionRelaying), nameof(LogEvent.RescanRequested),
        nameof(LogEvent.Status),
    ];

    /// <summary>Their names; a reaction's number is its name's place.</summary>
    public static readonly ImmutableArray<string> Names = MakeNames();

    /// <summary>The number of a line of the log, -1 if it is no reaction.</summary>
    public static int Of(LogEvent told) => told switch
    {
        LogEvent.BackendFaulted faulted => Faulted + (int)faulted.Fault.Cause,
        LogEvent.ConnectionRefusedByBackend refused => Refused + (int)refused.Why.Cause,
        LogEvent.EntryRefused entry => Entries + (int)entry.Why,
        LogEvent.BackendDiscovered => Lines,
        LogEvent.BackendReturned => Lines + 1,
        LogEvent.BackendMadeAnew => Lines + 2,
        LogEvent.BackendConnected => Lines + 3,
        LogEvent.BackendHealthy => Lines + 4,
        LogEvent.BackendUnlinked => Lines + 5,
        LogEvent.BackendRelinked => Lines + 6,
        LogEvent.BackendRemoved => Lines + 7,
        LogEvent.BackendForgotten => Lines + 8,
        LogEvent.BackendStuck => Lines + 9,
        LogEvent.DirectoryUnreadable => Lines + 10,
        LogEvent.DirectoryReadable => Lines + 11,
        LogEvent.NoBackend => Lines + 12,
        LogEvent.Rebalancing => Lines + 13,
        LogEvent.ConnectionOpened => Lines + 14,
        LogEvent.ConnectionRelaying => Lines + 15,
        LogEvent.RescanRequested => Lines + 16,
        LogEvent.Status => Lines + 17,
        _ => -1,
    };

    private static ImmutableArray<string> MakeNames()
    {
        var names = ImmutableArray.CreateBuilder<string>();
        foreach (var counter in Enum.GetValues<Counter>())
            names.Add(counter.ToString());
        foreach (var cause in Enum.GetValues<FaultCause>())
            names.Add($"Fault:{cause}");
        foreach (var cause in Enum.GetValues<FaultCause>())
            names.Add($"Refusal:{cause}");
        foreach (var why in Enum.GetValues<EntryRefusal>())
            names.Add($"Entry:{why}");
        names.AddRange(LineNames);
        return names.ToImmutable();
    }
}
