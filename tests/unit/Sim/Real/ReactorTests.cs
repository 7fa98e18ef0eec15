// The one thread of a real run: what it does when it comes late to what it has to do.

using System.Collections.Generic;
using System.Threading;
using Simulation.Real;
using Xunit;

namespace Tests.Unit.Sim.Real;

public sealed class ReactorTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void TurnThatTakesLong_IsReportedWithItsBeginAndEnd()
    {
        var logged = new List<(long From, long Until)>();
        var reactor = new Reactor { OnStoodStill = (from, until) => logged.Add((from, until)) };
        var begin = Reactor.NowNs;
        reactor.At(0, () => Thread.Sleep(1500));

        reactor.RunUntil(() => logged.Count > 0, begin + 60 * Second);

        Assert.InRange(logged[0].From, begin, begin + 60 * Second);
        Assert.InRange(logged[0].Until - logged[0].From, 1_499_000_000, 60 * Second);
        Assert.InRange(logged[0].Until, begin, Reactor.NowNs);
    }
}
