// Claims that, once chaos is over and clients and backends stay as they are, the remotes settle:
// the spread is at most the number n of healthy backends, and then nothing moves; or nobody may be
// moved, since all that the fullest has were moved a moment ago, or not answered for a minute.
//
// A rebalance takes from one fullest backend only, so when several are equally full it takes one
// rebalance for each: what is owed is "within n rebalances, two at least". Any remote that comes,
// goes or is bound for another reason than a rebalance, and any backend that becomes healthy or
// ceases to be begins the counting again; that a rebalance without need moves nobody is S3's.
//
// It knows by the model's counts at each multiple of 15 s.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class L4Spread() : Check("L4")
{
    private Instant _next = Instant.Never;
    private int _rebalances;
    private (int Count, long Gone, long Bindings) _remotes;
    private int _healthy;
    private ExpectedBackend? _fullest;
    private Instant _fullestSince;

    public override void OnHealed(Instant now) => _next = now + SpecifiedLimits.RebalanceInterval;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (_next == Instant.Never || !Model.IsCalm)
            return;
        var healthy = Model.Policy.Measure(now, out var fullest, out var spread, out _);
        var remotes = (Model.Policy.Established, Model.Counters[Counter.RemotesExpired]
            + Model.Counters[Counter.RemotesEvicted], Model.Policy.Bindings);
        if (remotes != _remotes || healthy != _healthy)
        {
            (_remotes, _healthy, _rebalances) = (remotes, healthy, 0);
            _next = now + SpecifiedLimits.RebalanceInterval;
        }
        // Those that were less full until now had no rebalance yet.
        if (fullest != _fullest)
            (_fullest, _fullestSince) = (fullest, now);
        if (now <= _next + Model.Lateness)
            return;
        // The rebalance before the last one, at the latest.
        var before = new Instant(Math.Max(0L, now.Nanoseconds
            - 2 * (SpecifiedLimits.RebalanceInterval + Model.Lateness).Nanoseconds));
        _next = now + SpecifiedLimits.RebalanceInterval;
        if (++_rebalances > Math.Max(2, healthy) && spread > healthy && _fullestSince <= before
            && Model.Policy.Remotes.Values.Any(remote => remote.Primary == fullest
                && remote.MustBeMoved(since: before, now, Model.Policy.Rebalances - 2)))
        {
            Fail($"the spread over {healthy} backends is {spread} after {_rebalances} rebalances;"
                + $" {fullest} has the most", fullest?.PlanId ?? -1);
        }
    }
}
