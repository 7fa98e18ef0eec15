// Owns what L6 owes: which of the faults, reactions and pairs of them must have been within 10,000
// seeds of the swarm profile.
//
// Every fault is owed. Every reaction is, but for those that no run can bring about; each of these
// has its reason here. Of the pairs, those are owed in which the reaction is what the fault is
// there for.
//
// What always holds: a name here is one of Coverage's; a test sees to it.

using System.Collections.Generic;
using System.Collections.Immutable;

namespace Simulation.Checking;

/// <summary>What must have been hit.</summary>
public static class OwedCoverage
{
    private const string NotControl = "a control session has no INBOUND_TCP_OK to fail at";
    private const string NotProxied = "it is about the control session";

    private static readonly ImmutableSortedDictionary<string, string> Excuses =
        new Dictionary<string, string>
        {
            ["BackendFaulted:NotTcpOk"] = NotControl,
        }.ToImmutableSortedDictionary();

    /// <summary>Pairs, by the names that Coverage gives.</summary>
    public static ImmutableArray<(string Fault, string Reaction)> Pairs { get; } =
    [
        ("BackendCrash", "BackendFaulted:EndOfStream"),
    ];

    /// <summary>Why a reaction is not owed; null if it is.</summary>
    public static string? Excuse(string reaction) => Excuses.GetValueOrDefault(reaction);

    /// <summary>What is owed and was not there, a line each.</summary>
    public static ImmutableArray<string> Missing(Coverage coverage)
    {
        var missing = ImmutableArray.CreateBuilder<string>();
        for (var i = 0; i < Coverage.FaultNames.Length; i++)
        {
            if (coverage.Faults(i) == 0)
                missing.Add($"the fault {Coverage.FaultNames[i]}");
        }
        for (var i = 0; i < Coverage.ReactionNames.Length; i++)
        {
            if (coverage.Reaction(i) == 0 && Excuse(Coverage.ReactionNames[i]) is null)
                missing.Add($"the reaction {Coverage.ReactionNames[i]}");
        }
        foreach (var (fault, reaction) in Pairs)
        {
            if (coverage.Pair(Coverage.FaultNames.IndexOf(fault),
                Coverage.ReactionNames.IndexOf(reaction)) == 0)
            {
                missing.Add($"{reaction} after {fault}");
            }
        }
        return missing.ToImmutable();
    }
}
