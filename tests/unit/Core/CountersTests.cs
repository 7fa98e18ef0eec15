// Counters: that the groups cover every fate of a query, a reply and a connection once, and that
// they only grow.

using System;
using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class CountersTests
{
    [Fact]
    public void Groups_CoverEveryDropOnce()
    {
        var all = Counters.QueryDrops.Concat(Counters.ReplyDrops)
            .Concat(Counters.ConnectionEnds).Concat(Counters.Unanswered).ToList();

        Assert.Equal(all.Count, all.Distinct().Count());
        foreach (var counter in Enum.GetValues<Counter>().Except(all))
        {
            Assert.Contains(counter, new[]
            {
                Counter.QueriesReceived, Counter.QueriesForwarded, Counter.RepliesReceived,
                Counter.RepliesSent, Counter.ConnectionsAccepted, Counter.AcceptsFailed,
                Counter.ReceivesFailed, Counter.ConnectionsRetried, Counter.RemotesExpired,
                Counter.RemotesEvicted, Counter.RemotesMoved, Counter.ResendsAfterLoss,
                Counter.ResendsFromSuspect, Counter.ResendsOverBudget, Counter.ResendsAnswered,
                Counter.OwnAnswersSent, Counter.OwnAnswersFailed, Counter.BackendsSuspected,
                Counter.BackendsTrusted, Counter.ConnectionsMoved, Counter.ConnectsToFullBackend,
                Counter.QuarantinesBegun, Counter.BackendsFailing, Counter.BackendsNoLongerFailing,
                Counter.ProbesSent, Counter.ProbesAnswered, Counter.ProbesFailed,
                Counter.BackendsDownByProbe, Counter.BackendsUpByProbe, Counter.Standstills,
                Counter.ClockSetbacks,
                Counter.ResendsAfterError, Counter.ConnectsWithoutResources,
                Counter.SessionCallsWithoutMemory,
                Counter.DatagramsDroppedByKernel, Counter.ConnectionsDroppedByKernel,
                Counter.RemotesNew, Counter.RemotesEstablished, Counter.RemotesUnremembered,
                Counter.QueriesNotHeld, Counter.QuarantineFull, Counter.MessagesNotRemembered,
                Counter.EntriesRefused,
            });
        }
    }

    [Fact]
    public void RepliesWithoutQuery_AreThoseThatLeaveNoQueryAnswered() => Assert.Equal(
        [
            Counter.RepliesOversized, Counter.RepliesToPortZero, Counter.RepliesToPortTooLarge,
            Counter.RepliesUnmatched, Counter.RepliesHeld, Counter.RepliesDuplicate,
        ],
        Counters.RepliesWithoutQuery.ToArray());

    [Fact]
    public void Sum_AddsUpItsGroupAndNothingElse()
    {
        var counters = new Counters();
        counters.Add(Counter.QueriesOversized);
        counters.Add(Counter.QueriesToStuckBackend, 4);
        counters.Add(Counter.QueriesForwarded, 100);
        counters.Add(Counter.RepliesFailed, 1000);

        Assert.Equal(5, counters.Sum(Counters.QueryDrops));
        Assert.Equal(1000, counters.Sum(Counters.ReplyDrops));
        Assert.Equal(0, counters.Sum(Counters.ConnectionEnds));
    }

    [Fact]
    public void AddingLessThanNothing_IsABug() =>
        Assert.Throws<VerificationException>(
            () => new Counters().Add(Counter.RepliesSent, -1));
}
