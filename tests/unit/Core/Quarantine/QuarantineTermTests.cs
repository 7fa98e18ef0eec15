// For how long a query is refused the first time, where an operator says it.

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

public sealed class NoQuarantineTests() : QuarantineTest(
    NoWarmUp with { Quarantine = Duration.Zero })
{
    [Fact]
    public void NothingIsRefused_ThoughBackendsDieOfIt()
    {
        KillTwiceWith(Killer);
        Run(1);
        KillTwiceWith(Killer);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
        Assert.Equal(0, Count(Counter.QueriesQuarantined));
        AssertRefused(Killer, isRefused: false);
    }
}
