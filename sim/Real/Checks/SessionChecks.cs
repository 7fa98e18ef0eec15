// Claims of control sessions: that nothing comes on one before its hello (S2), that heartbeats come
// one at a time and not too often (S8), and that the balancer ends none to a backend that did
// nothing wrong (S11).
//
// It knows by the journals of backends; a fake backend holds the balancer to the protocol and says
// why it ended a session.

using System;
using Simulation.Running;

namespace Simulation.Real.Checks;

internal static class SessionChecks
{
    /// <summary>What a fake backend says of frames that may not come.</summary>
    private static readonly string[] OutOfPlace =
        ["before SERVER_HELLO", "on a control session", "is no first frame"];

    private const string SecondHeartbeat = "a second heartbeat";

    public static Violation? Hello(Observations seen)
    {
        foreach (var session in seen.Sessions())
        {
            if (session.Over is { } why && Array.Exists(
                OutOfPlace, what => why.Contains(what, StringComparison.Ordinal)))
                return Complain(seen, "S2", session);
        }
        return null;
    }

    public static Violation? Heartbeats(Observations seen)
    {
        foreach (var session in seen.Sessions())
        {
            if (session.Over?.Contains(SecondHeartbeat, StringComparison.Ordinal) == true)
                return Complain(seen, "S8", session);
        }
        return null;
    }

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

    private static Violation Complain(Observations seen, string check, ObservedSession session) =>
        RealChecks.Fail(seen, check, session.OverAt ?? session.AcceptedAt,
            $"backend {RealChecks.Name(seen, session.Backend)} ended its session: {session.Over}",
            session.Backend);
}
