// Owns the list of what is checked when a run in wall time is over, and the order in which it is
// reported: what ended the process comes first, since all else may follow from it.
//
// The ids are the simulator's. Each check claims what can be seen from outside of what its namesake
// claims of every event; where wall time makes the difference it is generous with time and strict
// in order and number.
//
// What always holds: a check reads observations and changes nothing; it says one thing at most.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

/// <summary>All checks of a run.</summary>
internal static class RealChecks
{
    private const int MostEvidence = 400;

    /// <summary>What does not hold, the most telling first.</summary>
    public static IReadOnlyList<Violation> Judge(Observations seen)
    {
        Func<Observations, Violation?>[] all =
        [
            ProcessChecks.Survival, ProcessChecks.Stop,
            DatagramChecks.Conservation, DatagramChecks.NoInvention,
            SessionChecks.Hello, SessionChecks.Heartbeats, SessionChecks.Probes,
            SessionChecks.Attribution,
            StreamCheck.Judge, RoutingCheck.Judge, StickinessCheck.Judge,
            CountChecks.Sums, CountChecks.Accounting, LossCheck.Judge,
            LivenessChecks.Recovery, LivenessChecks.Answers,
        ];
        var found = new List<Violation>();
        foreach (var check in all)
        {
            if (check(seen) is { } violation)
                found.Add(violation);
        }
        return found;
    }

    /// <summary>Says that a check does not hold, in one line.</summary>
    public static Violation Fail(Observations seen, string check, long at, string evidence,
        int backend = -1, int client = -1)
    {
        var line = evidence.ReplaceLineEndings(" ");
        return new Violation(check, seen.Since(at), 0,
            line.Length > MostEvidence ? line[..MostEvidence] + "…" : line, backend, client);
    }

    /// <summary>A moment of the run, for people.</summary>
    public static string Moment(Observations seen, long at) =>
        FormattableString.Invariant($"{seen.Since(at).Nanoseconds / 1e9:0.000} s");

    /// <summary>A backend by its name in the directory.</summary>
    public static string Name(Observations seen, int backend)
    {
        foreach (var plan in seen.Scenario.Backends)
        {
            if (plan.Id == backend)
                return plan.Name.Length > 32 ? plan.Name[..32] + "…" : plan.Name;
        }
        return FormattableString.Invariant($"{backend}");
    }

    /// <summary>Whether a backend, or all, were in trouble at any time between.</summary>
    public static bool WasInTrouble(
        Observations seen, int backend, long from, long until, string? besides = null)
    {
        foreach (var trouble in seen.Troubles)
        {
            if ((trouble.Backend == backend || trouble.Backend < 0)
                && trouble.From <= until && trouble.Until >= from && trouble.What != besides)
                return true;
        }
        return false;
    }
}

/// <summary>Where a datagram is from or goes to, and what it holds.</summary>
internal readonly record struct DatagramKey(Ipv4 Host, uint Port, int Length, ulong Hash)
{
    public static DatagramKey Of(Ipv4 host, uint port, ReadOnlySpan<byte> payload)
    {
        var hash = 14_695_981_039_346_656_037ul;
        foreach (var octet in payload)
            hash = unchecked((hash ^ octet) * 1_099_511_628_211ul);
        return new DatagramKey(host, port, payload.Length, hash);
    }
}
