// Claims of where a TCP connection goes (S2): one that its backend gave up before INBOUND_TCP_OK is
// given to another one. Whether each was asked before any is asked again, only the simulator sees.
//
// It knows by the sessions in the journals; INBOUND_TCP tells whose each is. The second try is
// claimed where it is plain that the one seen was the first, that there was time for another, and
// that one could be made: a backend was warm, and nothing happened to any but the one that gave up.

using System;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class RoutingCheck
{
    private const long Second = 1_000_000_000;

    /// <summary>How soon a try follows another, on a busy machine.</summary>
    private const long NextTryNs = 8 * Second;

    /// <summary>How a fake backend tells that it ended a session in place of an OK.</summary>
    private static readonly string[] GivesUp =
        [SessionEnd.Closed + SessionEnd.TcpRefused, SessionEnd.Reset];

    public static Violation? Judge(Observations seen)
    {
        var sessions = seen.Sessions().Where(session => session.Client != null)
            .ToLookup(session => session.Client!.Value);
        foreach (var connection in seen.Connections)
        {
            ObservedSession[] tries = [.. sessions[connection.From]];
            if (SecondTry(seen, connection, tries) is { } violation)
                return violation;
        }
        return null;
    }

    private static Violation? SecondTry(
        Observations seen, ObservedConnection connection, ObservedSession[] tries)
    {
        if (tries is not [{ OkAt: null, PeerEndedAt: null, OverAt: { } gaveUp } session]
            || !GivesUp.Contains(session.Over)
            || connection.End == ConnectionEnd.ByClient)
            return null;
        // One that slept until the connection's time was over gave up what was at an end.
        var from = connection.ConnectedAt - StickinessCheck.EffectNs;
        var until = gaveUp + NextTryNs;
        if (gaveUp - from > SpecifiedLimits.HandshakeTime.Nanoseconds
            || !(until < seen.Balancer.StopAskedAt)
            || !AllWasQuiet(seen, from, until, besides: session.Backend)
            || !seen.Scenario.Backends.Any(plan => plan.Id != session.Backend
                && seen.WarmSince(plan.Id, from, until) <= from))
            return null;
        return Fail(seen, connection, gaveUp,
            $"backend {RealChecks.Name(seen, session.Backend)} gave it up before INBOUND_TCP_OK at "
            + $"{RealChecks.Moment(seen, gaveUp)}, and it was given to no other");
    }

    /// <summary>
    /// Nothing happened that could end a try unseen: no fault, no end of a process, no session on
    /// which nothing was read. What a script does to a try stands in a journal, unless it hangs,
    /// which is a trouble of its own.
    /// </summary>
    private static bool AllWasQuiet(Observations seen, long from, long until, int besides)
    {
        bool IsBetween(long? at) => at >= from && at <= until;
        return !seen.Troubles.Exists(trouble => trouble.Backend != besides
                && trouble.What != Trouble.Misbehaves
                && trouble.Until >= from && trouble.From <= until)
            && !seen.Processes.Exists(process => process.Backend != besides
                && (IsBetween(process.EndedAt) || process.Sessions.Exists(
                    session => session is { IsControl: false, Client: null }
                        && IsBetween(session.AcceptedAt))));
    }

    private static Violation Fail(
        Observations seen, ObservedConnection connection, long at, string evidence) =>
        RealChecks.Fail(seen, "S2", at, $"connection of {connection.From}: {evidence}",
            client: connection.Client);
}
