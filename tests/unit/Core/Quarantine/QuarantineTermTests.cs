// For how long a query is refused the first time, where an operator says it.

using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class QuarantineTermTests() : QuarantineTest(
    NoWarmUp with { Quarantine = Duration.FromSeconds(7) })
{
    [Fact]
    public void FirstTerm_IsAsLongAsIsSaidAndTheNextIsTwiceThat()
    {
        KillTwiceWith(Killer);
        Run(6.5);
        AssertRefused(Killer, isRefused: true);
        Run(0.6);
        AssertRefused(Killer, isRefused: false);
        KillWhoHas(Killer);
        Run(13.5);
        AssertRefused(Killer, isRefused: true);
        Run(0.6);

        AssertRefused(Killer, isRefused: false);
    }
}

public sealed class QuarantineShortTermTests() : QuarantineTest(
    NoWarmUp with { Quarantine = Duration.FromSeconds(1) })
{
    /// <summary>
    /// Both hang still when it begins, and go on before the middle of it: so it is not longer.
    /// </summary>
    [Fact]
    public void TermOfASecond_IsLookedAtInItsMiddle()
    {
        Ask(1, Killer);
        while (Count(Counter.QuarantinesBegun) == 0)
        {
            foreach (var backend in Binders.Values.Where(each => Has(each, Killer)))
                backend.Hang();
            Run(0.01);
        }
        foreach (var backend in Binders.Values)
            backend.Resume();
        Run(0.8);
        AssertRefused(Killer, isRefused: true);
        Run(0.3);

        AssertRefused(Killer, isRefused: false);
    }

    /// <summary>Whoever hangs backends would fill the log with a record a second.</summary>
    [Fact]
    public void TermsThatBecomeLongerAllTheTime_AreLoggedAtMostEveryFiveSeconds()
    {
        HangWith(Killer);
        Run(60);
        foreach (var backend in Binders.Values)
            backend.Resume();
        Run(10);

        var prolonged = Log.Of<LogEvent.QueryRefusalProlonged>().ToList();
        Assert.InRange(prolonged.Count, 10, 14);
        Assert.InRange(prolonged.Sum(record => record.Suppressed + 1), 55, 65);
        AssertRefused(Killer, isRefused: false);
    }
}
