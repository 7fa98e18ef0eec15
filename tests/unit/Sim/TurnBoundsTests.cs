// What a scenario may say of a turn's work: there is a bound for each number, and whatever is drawn
// meets what the core demands.

using System.Linq;
using System.Reflection;
using Balancer.Core;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class TurnBoundsTests
{
    [Fact]
    public void EachNumber_HasABoundOrAReason()
    {
        var numbers = typeof(TurnLimits)
            .GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(one => one.Name);
        string[] fixedOnes = [nameof(TurnLimits.TimersPerTurn), nameof(TurnLimits.EvictionLooks)];

        Assert.Equal(numbers.Except(fixedOnes).Order(), TurnBounds.All
            .Select(bound => char.ToUpperInvariant(bound.Name[0]) + bound.Name[1..]).Order());
        Assert.All(TurnBounds.All, bound =>
        {
            Assert.True(bound.Least < bound.Standard, bound.Name);
            Assert.Equal(bound.Least, bound.Get(bound.Set(TurnLimits.Standard, bound.Least)));
            Assert.Equal(TurnLimits.Standard, bound.Set(
                bound.Set(TurnLimits.Standard, bound.Least), bound.Standard));
        });
    }

    [Fact]
    public void LeastOfAll_IsWhatTheCoreTakes()
    {
        var least = TurnLimits.Standard;
        foreach (var bound in TurnBounds.All)
        {
            bound.Set(TurnLimits.Standard, bound.Least).VerifyRelations();
            least = bound.Set(least, bound.Least);
        }
        least.VerifyRelations();
    }

    [Fact]
    public void Draws_StayWithinTheBoundsAndDiffer()
    {
        var random = new SimRandom(1);
        var drawn = Enumerable.Range(0, 200).Select(_ => TurnBounds.Draw(random)).ToList();

        Assert.All(drawn, limits => Assert.All(TurnBounds.All, bound =>
            Assert.InRange(bound.Get(limits), bound.Least, bound.Standard)));
        Assert.All(TurnBounds.All, bound =>
        {
            Assert.Contains(drawn, limits => bound.Get(limits) == bound.Least);
            Assert.Contains(drawn, limits => bound.Get(limits) == bound.Standard);
        });
        Assert.All(drawn, limits => limits.VerifyRelations());
    }

    [Fact]
    public void TurnsForOne_IsOneWithADaemonsTurns()
    {
        Assert.Equal(1, TurnBounds.TurnsForOne(TurnLimits.Standard));
        Assert.Equal(2048, TurnBounds.TurnsForOne(
            TurnLimits.Standard with { RemotesPerTurn = 1, MovesPerTurn = 2 }));
        Assert.Equal(2, TurnBounds.TurnsForOne(
            TurnLimits.Standard with { ResendsPerTurn = 255 }));
    }
}
