// Properties as a user of Balancer.Simulation writes them: scenarios by the builder, the outcome
// looked at, checks of one's own beside the simulator's; and what comes of one that does not hold.

using System;
using System.IO;
using System.Linq;
using Balancer.Simulation;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Sim;

public sealed class LibraryTests
{
    /// <summary>A crash is noticed at once, and one retry later everybody is served.</summary>
    [Property(MaxTest = 25)]
    public void AfterACrash_NobodyWaitsForLong(byte crash, byte restart) => TwoBackends()
        .Crash("5301", At(5 + crash / 10.0), At(restart / 10.0))
        .Build()
        .Verify(outcome => outcome.LongestSilence < At(2.5)
            && outcome.Counters["QueriesWithoutBackend"] == 0);

    /// <summary>Whoever is not lost on the way is answered by a backend that was named.</summary>
    [Property(MaxTest = 25)]
    public void WhileDatagramsAreLost_AnswersComeFromTheTwoBackends(byte from, byte oneIn) =>
        TwoBackends()
            .Loss(At(3 + from / 10.0), At(10), 2 + oneIn % 8)
            .Build()
            .Verify(outcome => outcome.Answers.All(query => query.Backend is "5301" or "5302")
                && outcome.Answers.Count() > 200
                && outcome.Counters["RepliesSent"] >= outcome.Answers.Count());

    [Fact]
    public void PropertyThatDoesNotHold_ComesBackSmallAndDrawn()
    {
        var scenario = TwoBackends()
            .Crash("5301", At(5), At(2)).Crash("5302", At(20), At(2)).Pause("5301", At(30), At(1))
            .Build();
        var thrown = Assert.Throws<CounterexampleException>(
            () => scenario.Verify(_ => true, () => [new OneCrashAtMost()]));
        try
        {
            Assert.StartsWith("ours at ", thrown.Message, StringComparison.Ordinal);
            Assert.Equal(2, thrown.Outcome.Scenario.ToJson().Split("backendCrash").Length - 1);
            Assert.DoesNotContain("backendPause", thrown.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("udpClients", thrown.Message, StringComparison.Ordinal);
            Assert.StartsWith("<!DOCTYPE html>", File.ReadAllText(thrown.PictureFile),
                StringComparison.OrdinalIgnoreCase);
        }
        finally
        {
            File.Delete(thrown.PictureFile);
        }
    }

    [Fact]
    public void CheckOfOnesOwn_EndsTheRunWhereItFails()
    {
        var outcome = TwoBackends().Stop("5302", At(9), At(2)).Build().Run(new NobodyLeaves());
        Assert.Equal("ours at 9 s: backendStop", outcome.Violation);
        Assert.Equal(At(9), outcome.Time);
    }

    [Fact]
    public void FaultThatCanDoNothing_IsRefusedByTheBuilder()
    {
        var builder = TwoBackends().Crash("5303", At(5), At(1));
        var wrong = Assert.ThrowsAny<FormatException>(builder.Build);
        Assert.Contains("there is no backend '5303'", wrong.Message, StringComparison.Ordinal);
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static ScenarioBuilder TwoBackends() => new ScenarioBuilder()
        .Backend("5301")
        .Backend("5302", script: """{ "delay": "20ms" }""")
        .UdpClient(from: At(2), every: At(0.25), times: 200)
        .UdpClient(from: At(3), every: At(0.5), times: 100);

    private sealed class OneCrashAtMost() : SimulationCheck("ours")
    {
        private int _crashes;

        public override void OnFault(TimeSpan at, string kind, bool began)
        {
            if (kind == "backendCrash" && began && ++_crashes == 2)
                Fail("a second crash");
        }
    }

    private sealed class NobodyLeaves() : SimulationCheck("ours")
    {
        public override void OnFault(TimeSpan at, string kind, bool began) => Fail(kind);
    }
}
