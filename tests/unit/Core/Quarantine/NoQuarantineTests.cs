// Nothing is refused where an operator says so, whatever backends die of.

using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

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
