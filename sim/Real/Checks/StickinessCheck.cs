// Claims that a client host stays with its backend (S3): it meets another only with a reason. A
// reason is that one of the two, or the balancer, was in trouble between the host's last query at
// the one and its first at the other; five minutes of silence; or a rebalance.
//
// It knows by which backend read each query. A rebalance is told in the log at every level; where
// the log cannot be read, one may have taken place once the first was due.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Running;

namespace Simulation.Real.Checks;

internal static class StickinessCheck
{
    private const long Second = 1_000_000_000;

    public static Violation? Judge(Observations seen)
    {
        var hosts = new SortedDictionary<uint, List<(long At, int Backend)>>();
        foreach (var session in seen.Sessions())
        {
            foreach (var query in session.Queries)
            {
                if (!hosts.TryGetValue(query.Peer.Value, out var met))
                    hosts[query.Peer.Value] = met = [];
                met.Add((query.At, session.Backend));
            }
        }
        foreach (var (host, met) in hosts)
        {
            var inOrder = met.OrderBy(one => one.At).ToArray();
            for (var i = 1; i < inOrder.Length; i++)
            {
                if (inOrder[i].Backend != inOrder[i - 1].Backend
                    && !HasReason(seen, inOrder[i - 1], inOrder[i]))
                    return Fail(seen, new Ipv4(host), inOrder[i - 1], inOrder[i]);
            }
        }
        return null;
    }

    private static bool HasReason(
        Observations seen, (long At, int Backend) before, (long At, int Backend) after) =>
        IsTroubled(seen, before.Backend, before.At, after.At)
        || IsTroubled(seen, after.Backend, before.At, after.At)
        || after.At - before.At > Law.RemoteExpiry.Nanoseconds - Second
        || MayHaveRebalanced(seen, after.At);

    private static bool IsTroubled(Observations seen, int backend, long from, long until) =>
        RealChecks.WasInTrouble(seen, backend, from - Second, until + Second);

    private static bool MayHaveRebalanced(Observations seen, long at) =>
        seen.Balancer.LogIsWhole
            ? seen.Balancer.Rebalanced
            : at > seen.Balancer.ReadyAt + Law.RebalanceInterval.Nanoseconds - Second;

    private static Violation Fail(Observations seen, Ipv4 host,
        (long At, int Backend) before, (long At, int Backend) after) =>
        RealChecks.Fail(seen, "S3", after.At,
            $"{host} met backend {RealChecks.Name(seen, before.Backend)} at "
            + $"{RealChecks.Moment(seen, before.At)} and {RealChecks.Name(seen, after.Backend)} at "
            + $"{RealChecks.Moment(seen, after.At)}; nothing was wrong with either", after.Backend);
}
