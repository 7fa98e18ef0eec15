// What is claimed of the process (S13, S15): it ends when it is asked to, in time, and else never.

using Simulation.Real.Checks;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class ProcessChecksTests : RealCheckTest
{
    private const long Second = SeenRun.Second;

    [Fact]
    public void EndByItself_IsS13WithItsStatusAndWords()
    {
        var run = new SeenRun();
        run.Seen.Balancer.StopAskedAt = null;
        run.Seen.Balancer.ExitCode = 139;
        run.Seen.Balancer.ErrorOutput = "oh\nno";

        Assert.Equal("it ended by itself, of signal 11; it said: oh no",
            Expect("S13", run, ProcessChecks.Survival));
    }

    [Fact]
    public void NeverListening_IsS13()
    {
        var run = new SeenRun();
        run.Seen.Balancer.NeverReady = true;

        Assert.StartsWith("it never listened", Expect("S13", run, ProcessChecks.Survival));
    }

    [Fact]
    public void StatusAfterTheStop_MustBe0()
    {
        var run = new SeenRun();
        run.Seen.Balancer.ExitCode = 1;

        Assert.Contains("with status 1", Expect("S13", run, ProcessChecks.Survival));
    }

    [Theory]
    [InlineData(29, 0, true)]
    [InlineData(31, 0, false)]
    [InlineData(31, 2, true)]
    public void Stop_EndsWithinItsGrace(long ended, long stalled, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Balancer.ExitedAt = ended * Second;
        run.Seen.Balancer.StalledSinceStop = stalled * Second;

        Judge("S15", passes, run, ProcessChecks.Stop);
    }

    [Fact]
    public void StopThatHadToBeForced_IsS15()
    {
        var run = new SeenRun();
        run.Seen.Balancer.ExitedAt = null;
        run.Seen.Balancer.ExitCode = null;

        Assert.Contains("killed", Expect("S15", run, ProcessChecks.Stop));
    }
}
