// Claims that nothing is lost or doubled: every datagram received is queued to a backend or in one
// counter of drops; every query that was forwarded is answered, in flight, or in one counter of
// those that are not; every reply decoded is sent or in one counter of drops, every connection
// accepted is open or in one counter of ends.
//
// It knows by the identities between the core's counters and, since an identity alone could hold by
// two mistakes, by its own counts of datagrams received and sent, replies decoded and connections
// accepted. Queries in flight it counts one by one every 64th turn. The payload itself is compared
// byte for byte as it is written (QueryAltered).

using Balancer.Core;
using Simulation.Model;

namespace Simulation.Checking;

internal sealed class S1Conservation() : Check("S1")
{
    private const long TurnsBetweenCounts = 64;

    public override bool Claims(ViolationKind kind) =>
        kind is ViolationKind.QueryAltered or ViolationKind.ReplyLost;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        var counters = core.Counters;
        Compare("datagrams received", counters[Counter.QueriesReceived],
            Model.Counters[Counter.QueriesReceived]);
        Compare("queries forwarded and dropped",
            counters[Counter.QueriesForwarded] + counters.Sum(Counters.QueryDrops),
            counters[Counter.QueriesReceived]);
        Compare("queries forwarded", counters[Counter.QueriesForwarded],
            Model.Counters[Counter.QueriesForwarded]);
        if (Model.Turn % TurnsBetweenCounts == 0 || Model.Life.HasStopped)
        {
            Compare("queries answered, in flight and unanswered",
                counters[Counter.RepliesReceived] - counters.Sum(Counters.RepliesWithoutQuery)
                + Model.Flights.CountInFlight() + counters.Sum(Counters.Unanswered),
                counters[Counter.QueriesForwarded]);
        }
        Compare("replies decoded", counters[Counter.RepliesReceived],
            Model.Counters[Counter.RepliesReceived]);
        Compare("replies sent and dropped",
            counters[Counter.RepliesSent] + counters.Sum(Counters.ReplyDrops),
            counters[Counter.RepliesReceived]);
        Compare("replies sent", counters[Counter.RepliesSent], Model.Counters[Counter.RepliesSent]);
        Compare("connections accepted", counters[Counter.ConnectionsAccepted],
            Model.Counters[Counter.ConnectionsAccepted]);
        Compare("connections open and ended",
            core.ConnectionCount + counters.Sum(Counters.ConnectionEnds),
            counters[Counter.ConnectionsAccepted]);
    }

    private void Compare(string what, long logged, long real)
    {
        if (logged != real)
            Fail($"{what}: the core counts {logged}; it should be {real}");
    }
}
