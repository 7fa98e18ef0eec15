// What the tests of queries that are sent again share: how a backend falls silent, and that no
// query is left over.

using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public abstract class ResendsTest : CoreTest
{
    protected static void Silence(SimBackend backend)
    {
        backend.EchoesQueries = false;
        backend.AnswersHeartbeats = false;
    }

    /// <summary>Each forwarded query was answered or is in a counter that says why not.</summary>
    protected void AssertNothingInFlight()
    {
        AssertCountersAddUp();
        Assert.All(Balancer.Core.SnapshotBackends(), backend => Assert.Equal(0, backend.InFlight));
        var answered = Count(Counter.RepliesReceived)
            - Balancer.Counters.Sum(Counters.RepliesWithoutQuery);
        Assert.Equal(Count(Counter.QueriesForwarded),
            answered + Balancer.Counters.Sum(Counters.Unanswered));
    }
}
