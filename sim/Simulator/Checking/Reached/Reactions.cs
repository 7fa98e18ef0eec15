// Owns the list of the core's reactions that coverage counts (L6): every counter, and every line of
// the log that no counter says as well; a backend's fault and a backend's refusal once for each
// cause, a refused entry once for each reason. And one that neither says alone: with --no-backend
// servfail, which queries are answered so: one that has just come, one whose session has ended, or
// one whose answer was held.
//
// What always holds: a reaction has one number and one name; what is not a reaction - heartbeats,
// start and stop - has none.

using System;
using System.Collections.Frozen;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
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

    /// <summary>
    /// What is not a reaction, is said by a counter, or is counted once for each cause or reason.
    /// </summary>
    private static readonly FrozenSet<Type> OtherTypes = FrozenSet.ToFrozenSet(
    [
        typeof(LogEvent.Started), typeof(LogEvent.Stopping), typeof(LogEvent.Stopped),
        typeof(LogEvent.ClockWentBack), typeof(LogEvent.BackendFaulted),
        typeof(LogEvent.HeartbeatSent), typeof(LogEvent.HeartbeatAnswered),
        typeof(LogEvent.ProbeSent), typeof(LogEvent.EntryRefused),
        typeof(LogEvent.RemoteAssigned), typeof(LogEvent.RemoteExpired),
        typeof(LogEvent.RemoteEvicted), typeof(LogEvent.RemoteMoved),
        typeof(LogEvent.RemotesExpired), typeof(LogEvent.Query), typeof(LogEvent.ReceiveFailed),
        typeof(LogEvent.SendFailed), typeof(LogEvent.ReplyUndeliverable),
        typeof(LogEvent.AcceptFailed), typeof(LogEvent.AcceptAborted),
        typeof(LogEvent.ConnectionsOverLimit), typeof(LogEvent.ClientOverLimit),
        typeof(LogEvent.ConnectWithoutResources), typeof(LogEvent.ConnectionWithoutResources),
        typeof(LogEvent.ConnectionRefusedByBackend), typeof(LogEvent.ConnectionClosed),
        typeof(LogEvent.BackendStatus), typeof(LogEvent.RemoteStatus),
    ]);

    /// <summary>All other events, so that one that is new is a reaction.</summary>
    private static readonly ImmutableArray<Type> LineTypes =
    [
        .. typeof(LogEvent).GetNestedTypes()
            .Where(type => type.IsAssignableTo(typeof(ILogEvent)) && !OtherTypes.Contains(type))
            .OrderBy(type => type.Name, StringComparer.Ordinal),
    ];

    private static readonly int Servfails = Lines + LineTypes.Length;

    /// <summary>A query that has just come is answered SERVFAIL.</summary>
    public static readonly int ServfailToQuery = Servfails;

    /// <summary>One is that was in flight on a session that ended.</summary>
    public static readonly int ServfailToLost = Servfails + 1;

    /// <summary>One is that was to be asked again.</summary>
    public static readonly int ServfailToHeld = Servfails + 2;

    private static readonly FrozenDictionary<Type, int> LineNumbers =
        LineTypes.Select((type, n) => (type, n)).ToFrozenDictionary(
            line => line.type, line => Lines + line.n);

    /// <summary>Their names; a reaction's number is its name's place.</summary>
    public static readonly ImmutableArray<string> Names = MakeNames();

    /// <summary>The number of a line of the log, -1 if it is not a reaction.</summary>
    public static int Of(ILogEvent logged) => logged switch
    {
        LogEvent.BackendFaulted faulted => Faulted + (int)faulted.Fault.Cause,
        LogEvent.ConnectionRefusedByBackend refused => Refused + (int)refused.Why.Cause,
        LogEvent.EntryRefused entry => Entries + (int)entry.Why,
        _ => LineNumbers.GetValueOrDefault(logged.GetType(), -1),
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
        names.AddRange(LineTypes.Select(type => type.Name));
        names.AddRange("Servfail:Query", "Servfail:Lost", "Servfail:Held");
        return names.ToImmutable();
    }
}
