// Claims of control sessions: that nothing comes on one before its hello (S2), that heartbeats come
// one at a time, never earlier than 5 s after the hello or the answer before unless the backend may
// have kept silent about a query, and on a session to a backend without fault not much later (S8);
// and that the balancer ends none to a backend that did nothing wrong (S11).
//
// It knows by the journals of backends; a fake backend holds the balancer to the protocol and says
// why it ended a session.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class SessionChecks
{
    /// <summary>What a fake backend says of frames that may not come.</summary>
    private static readonly string[] OutOfPlace =
        ["before SERVER_HELLO", "on a control session", "cannot be the first frame"];

    private const string SecondHeartbeat = "a second heartbeat";

    /// <summary>The least time to the next heartbeat; clocks are read a moment apart.</summary>
    private const long EarliestNs = 4_900_000_000;

    private const long JustNowNs = 1_000_000_000;

    private const long ForgottenNs = 11_000_000_000;

    /// <summary>The most, on a busy machine.</summary>
    private const long LatestNs = 11_000_000_000;

    /// <summary>From one probe to the next: a second, and some for a busy machine.</summary>
    private const long LatestProbeNs = 5_000_000_000;

    public static Violation? Hello(Observations seen)
    {
        foreach (var session in seen.Sessions())
        {
            if (session.Over is { } why && Array.Exists(
                OutOfPlace, what => why.Contains(what, StringComparison.Ordinal)))
                return Fail(seen, "S2", session);
        }
        return null;
    }

    public static Violation? Heartbeats(Observations seen)
    {
        foreach (var session in seen.Sessions())
        {
            if (session.Over?.Contains(SecondHeartbeat, StringComparison.Ordinal) == true)
                return Fail(seen, "S8", session);
            if (session.HelloAt is { } hello && WrongTime(seen, session, hello) is { } wrong)
                return wrong;
        }
        return null;
    }

    private static Violation? WrongTime(Observations seen, ObservedSession session, long hello)
    {
        var last = hello;
        foreach (var at in session.Heartbeats)
        {
            // A balancer that stood still after it read its clock is early by that.
            if (at - last < EarliestNs && !MayOneBeSilent(seen, last, at)
                && !RealChecks.WasInTrouble(seen, -1, last, at))
                return FailHeartbeat(seen, session, last, at, "was sent a heartbeat");
            last = at;
        }
        var end = Math.Min(session.OverAt ?? long.MaxValue, Math.Min(
            session.PeerEndedAt ?? long.MaxValue, EndOf(seen, session)));
        long[] due = [.. session.Heartbeats, end];
        last = hello;
        foreach (var at in due)
        {
            if (at - last > LatestNs && !RealChecks.WasInTrouble(
                seen, session.Backend, hello, at, besides: Trouble.Starts))
                return FailHeartbeat(seen, session, last, at, "was sent no heartbeat");
            last = at;
        }
        return null;
    }

    /// <summary>
    /// When one may hang, all are asked; a TCP connection that waits for its backend shows it too.
    /// What is sent to a backend that does not read is not seen, so one that may not is enough.
    /// </summary>
    private static bool MayOneBeSilent(Observations seen, long last, long at) =>
        seen.Sessions().Any(session => MayBeSilent(session, at))
        || seen.Scenario.Backends.Any(plan => plan.Script.DeafAfter != null
            || plan.Script.HangAfter != null || plan.Script.PauseAfter != null
            || RealChecks.WasInTrouble(seen, plan.Id, last, at, besides: Trouble.Starts))
        || seen.Connections.Any(connection => connection.ConnectedAt <= at
            && connection.Got.Count == 0
            && (connection.EndedAt == 0 || connection.EndedAt > at - JustNowNs));

    /// <summary>
    /// Whether the balancer may have had no byte for 100 ms with a query in flight: one was read
    /// shortly before, on a machine that may be slow, or one that it still waits for has no reply.
    /// </summary>
    private static bool MayBeSilent(ObservedSession session, long at)
    {
        bool IsLate(ObservedFrame frame) => frame.At > at - ForgottenNs && frame.At <= at;
        foreach (var alike in session.Queries.Where(IsLate).GroupBy(KeyOf))
        {
            var replies = session.Replies.Count(
                reply => IsLate(reply) && KeyOf(reply) == alike.Key);
            if (alike.Count() > replies || alike.Any(query => query.At > at - JustNowNs))
                return true;
        }
        return false;
    }

    private static (Ipv4 Peer, uint Port, int Id) KeyOf(ObservedFrame frame) =>
        (frame.Peer, frame.Port,
            frame.Payload.Length < 2 ? 0 : (frame.Payload[0] << 8) | frame.Payload[1]);

    /// <summary>
    /// Of probes (S8): there are none unless they are asked for; then one comes with the hello, and
    /// from then on every second at least, as long as the session lasts and nothing is wrong.
    /// </summary>
    public static Violation? Probes(Observations seen)
    {
        foreach (var session in seen.Sessions())
        {
            if (session.Probes is [var first, ..] && !seen.Scenario.Kernel.Probe)
                return FailProbe(seen, session, first.At, first.At, "was probed");
            if (session.HelloAt is not { } hello || !seen.Scenario.Kernel.Probe)
                continue;
            var end = Math.Min(session.OverAt ?? long.MaxValue, Math.Min(
                session.PeerEndedAt ?? long.MaxValue, EndOf(seen, session)));
            long[] due = [.. session.Probes.Select(probe => probe.At), end];
            var last = hello;
            foreach (var at in due)
            {
                if (at - last > LatestProbeNs && !RealChecks.WasInTrouble(
                    seen, session.Backend, last, at, besides: Trouble.Starts))
                    return FailProbe(seen, session, last, at, "was not probed");
                last = at;
            }
        }
        return null;
    }

    private static Violation FailProbe(Observations seen, ObservedSession session, long from,
        long until, string what) => RealChecks.Fail(seen, "S8", until,
            $"backend {RealChecks.Name(seen, session.Backend)} {what} from "
            + $"{RealChecks.Moment(seen, from)} to {RealChecks.Moment(seen, until)}",
            session.Backend);

    /// <summary>When its process or the balancer ended, or began to.</summary>
    private static long EndOf(Observations seen, ObservedSession session)
    {
        var balancer = seen.Balancer.StopAskedAt ?? seen.Balancer.ExitedAt ?? 0;
        return Math.Min(balancer, seen.Processes
            .Find(process => process.Sessions.Contains(session))?.EndedAt ?? long.MaxValue);
    }

    private static Violation FailHeartbeat(Observations seen, ObservedSession session, long from,
        long until, string what) => RealChecks.Fail(seen, "S8", until,
            $"backend {RealChecks.Name(seen, session.Backend)} {what} from "
            + $"{RealChecks.Moment(seen, from)} to {RealChecks.Moment(seen, until)}; it is due 5 s"
            + " after the hello, then 5 s after each answer, and when one is silent about a query",
            session.Backend);

    public static Violation? Attribution(Observations seen)
    {
        var until = seen.Balancer.StopAskedAt ?? seen.Balancer.ExitedAt ?? long.MaxValue;
        foreach (var session in seen.Sessions())
        {
            if (session is { HelloAt: { } hello, PeerEndedAt: { } ended } && ended < until
                && !RealChecks.WasInTrouble(
                    seen, session.Backend, hello, ended, besides: Trouble.Starts))
            {
                return RealChecks.Fail(seen, "S11", ended,
                    $"the session to backend {RealChecks.Name(seen, session.Backend)} was ended,"
                    + " which had done nothing wrong", session.Backend);
            }
        }
        return null;
    }

    private static Violation Fail(Observations seen, string check, ObservedSession session) =>
        RealChecks.Fail(seen, check, session.OverAt ?? session.AcceptedAt,
            $"backend {RealChecks.Name(seen, session.Backend)} ended its session: {session.Over}",
            session.Backend);
}
