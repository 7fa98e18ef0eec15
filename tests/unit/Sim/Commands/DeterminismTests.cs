// `sim det` with two simulators in the place of its two processes.

using System;
using Simulation.Commands;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class DeterminismTests
{
    private const string FiveSeeds = "det --seed 3 --seeds 5 --virtual 60s --profile calm";

    [Fact]
    public void Alike_IsAPass()
    {
        var run = CommandRun.Of(FiveSeeds, new RealSimulator(), twin: Twin(
            new RealSimulator(), new RealSimulator()));

        Assert.Equal(0, run.Code);
        Assert.Equal("passed: 5 seeds came to the same in two processes\n", run.Output);
    }

    [Fact]
    public void SeedThatDiffers_Is3AndItsFirstEventIsNamed()
    {
        var run = CommandRun.Of(FiveSeeds, new RealSimulator(), twin: Twin(
            new RealSimulator(), new Other(6)));

        Assert.Equal(3, run.Code);
        Assert.Contains("NOT DETERMINISTIC seed 6", run.Lines);
        Assert.Matches("(?m)^event [0-9]+ is the first that differs$", run.Output);
        Assert.Matches("(?m)^  once   [0-9]+ +2[0-9].[0-9]+ ", run.Output);
        Assert.Matches("(?m)^  again  [0-9]+ +2[0-9].[0-9]+ ", run.Output);
    }

    [Fact]
    public void SeedsThatWereNotRun_DoNotPass()
    {
        var run = CommandRun.Of(FiveSeeds, new RealSimulator(), twin: (_, _) => []);

        Assert.Equal(64, run.Code);
        Assert.Contains("0 and 0 seeds were run", run.Error, StringComparison.Ordinal);
    }

    private static Twin Twin(Simulator one, Simulator two) => (arguments, isSecond) =>
        CommandRun.Of(string.Join(' ', arguments), isSecond ? two : one).Lines[..^1];

    /// <summary>Always the other run, which a second process alone would see.</summary>
    private sealed class Other(ulong seed) : FakeSimulator
    {
        public override Simulation.Running.RunResult Run(
            Simulation.Scenarios.Scenario scenario,
            System.Collections.Immutable.ImmutableArray<string> checks,
            params Simulation.Running.RunObserver[] watchers)
        {
            var forgetful = new ForgetfulSimulator(seed);
            if (scenario.Seed == seed)
                forgetful.Run(scenario, checks);
            return forgetful.Run(scenario, checks, watchers);
        }
    }
}
