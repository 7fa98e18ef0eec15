// All checks of a real run at once: nothing of one that is well, the worst of several first.

using System.Linq;
using Simulation.Real.Checks;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class RealChecksTests : RealCheckTest
{
    [Fact]
    public void WellRun_IsNotComplainedOf() => Assert.Empty(RealChecks.Judge(new SeenRun().Seen));

    [Fact]
    public void WorstOfSeveral_IsTheFirst()
    {
        var run = new SeenRun();
        run.Seen.Balancer.ExitCode = 70;
        run.Connection.Got[0]++;

        Assert.Equal(["S13", "S7"], RealChecks.Judge(run.Seen).Select(found => found.Check));
    }
}
