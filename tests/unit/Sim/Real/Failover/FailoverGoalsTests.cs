// The goals of the failover benchmark: a result at its bound meets them, and one beyond it is named
// with the number and the bound.

using System;
using System.Linq;
using Simulation.Real.Failover;
using Xunit;

namespace Tests.Unit.Sim.Real.Failover;

public sealed class FailoverGoalsTests
{
    private const long Ms = 1_000_000;

    public static TheoryData<string> Names =>
        [.. FailoverScenario.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void NothingLost_MeetsTheGoals(string name) => Assert.Empty(
        FailoverGoals.Missed(Of(name, new FailoverCounts { Sent = 1000, Answered = 1000 })));

    [Theory]
    [MemberData(nameof(Names))]
    public void UnansweredRefusedOrTwice_IsNamed(string name) => Assert.Equal<string>(
        [
            $"{name}: unanswered 1, 0 at most",
            $"{name}: refused 2, 0 at most",
            $"{name}: duplicates 3, 0 at most",
        ],
        FailoverGoals.Missed(Of(name, new FailoverCounts
        {
            Unanswered = 1,
            Refused = 2,
            Duplicates = 3,
        })));

    [Fact]
    public void UnansweredWhileNoBackendWasThere_IsNoMissedGoal()
    {
        var counts = new FailoverCounts { Unanswered = 7, UnansweredInOutage = 7 };

        Assert.Empty(FailoverGoals.Missed(Of("storm", counts)));
        Assert.Equal<string>(["storm: unanswered 1, 0 at most"],
            FailoverGoals.Missed(Of("storm", counts with { Unanswered = 8 })));
    }

    [Theory]
    [InlineData("hang")]
    [InlineData("hang-two")]
    public void SilenceOfAHang_IsAsLongAsClientsWereLateAndAQuarterOfASecond(string name)
    {
        var late = new FailoverCounts { LongestSilenceNs = 260 * Ms };

        Assert.Empty(FailoverGoals.Missed(Of(name, late) with { LongestDelayNs = 10 * Ms }));
        Assert.Equal<string>([$"{name}: longest silence ms 260, 259 at most"],
            FailoverGoals.Missed(Of(name, late) with { LongestDelayNs = 9 * Ms }));
    }

    [Theory]
    [InlineData("kill")]
    [InlineData("storm")]
    [InlineData("flutter")]
    public void SilenceOfAnotherFault_HasNoGoal(string name) => Assert.Empty(
        FailoverGoals.Missed(Of(name, new FailoverCounts { LongestSilenceNs = 5000 * Ms })));

    [Theory]
    [InlineData(1, 19)]
    [InlineData(3, 57)]
    public void Flutter_MovesFewerThanTwentyTimesAMinute(int minutes, int most)
    {
        var met = Of("flutter", new FailoverCounts { Moves = most }) with { Times = minutes };

        Assert.Empty(FailoverGoals.Missed(met));
        Assert.Equal<string>([$"flutter: moves {most + 1}, {most} at most"], FailoverGoals.Missed(
            met with { Counts = new FailoverCounts { Moves = most + 1 } }));
        Assert.Empty(FailoverGoals.Missed(
            Of("kill", new FailoverCounts { Moves = most + 1 })));
    }

    [Fact]
    public void Killer_EndsTwoBackendsAMinute()
    {
        var result = Of("killer-20", new FailoverCounts());

        Assert.Empty(FailoverGoals.Missed(result with { Deaths = [2, 0, 2] }));
        Assert.Equal<string>(["killer-20: deaths in a minute 3, 2 at most"],
            FailoverGoals.Missed(result with { Deaths = [2, 3, 0] }));
    }

    private static FailoverResult Of(string name, FailoverCounts counts) => new(
        FailoverScenario.All.First(scenario => scenario.Name == name), counts)
    {
        Backends = "fake-binder",
        Times = 1,
        Took = TimeSpan.FromSeconds(10),
        LongestDelayNs = 0,
        DroppedByKernel = 0,
    };
}
