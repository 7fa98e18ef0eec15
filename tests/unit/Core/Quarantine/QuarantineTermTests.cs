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
