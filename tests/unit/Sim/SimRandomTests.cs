// SplitMix64 against the published numbers, so that a seed means the same for ever.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class SimRandomTests
{
    [Fact]
    public void Seed0_GivesThePublishedNumbers()
    {
        var random = new SimRandom(0);
        Assert.Equal(0xe220a8397b1dcdafUL, random.NextUInt64());
        Assert.Equal(0x6e789e6aa1b965f4UL, random.NextUInt64());
        Assert.Equal(0x06c45d188009454fUL, random.NextUInt64());
        Assert.Equal(0xf88bb8a8724c81ecUL, random.NextUInt64());
    }

    [Fact]
    public void Seed1234567_GivesThePublishedNumbers()
    {
        var random = new SimRandom(1234567);
        ulong[] published =
        [
            6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
            16408922859458223821,
        ];
        Assert.Equal(published, published.Select(_ => random.NextUInt64()));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-3, 3)]
    [InlineData(int.MinValue, int.MaxValue)]
    public void Range_HoldsEveryDraw(int low, int high)
    {
        var random = new SimRandom(7);
        for (var i = 0; i < 1000; i++)
            Assert.InRange(random.Next(low, high), low, high);
    }

    [Fact]
    public void SmallRange_IsDrawnInFull()
    {
        var random = new SimRandom(7);
        Assert.Equal([0, 1, 2, 3, 4],
            Enumerable.Range(0, 200).Select(_ => random.Next(5)).Distinct().Order());
    }

    [Fact]
    public void Durations_LieInTheirRange()
    {
        var random = new SimRandom(7);
        var low = Duration.FromMilliseconds(5);
        var high = Duration.FromMilliseconds(6);
        for (var i = 0; i < 1000; i++)
            Assert.InRange(random.NextDuration(low, high).Nanoseconds, 5_000_000, 6_000_000);
    }

    [Fact]
    public void Shuffle_KeepsTheItems()
    {
        var items = Enumerable.Range(0, 50).ToArray();
        new SimRandom(1).Shuffle(items.AsSpan());
        Assert.NotEqual(Enumerable.Range(0, 50), items);
        Assert.Equal(Enumerable.Range(0, 50), items.Order());
    }

    [Fact]
    public void DerivedSeeds_DifferByEachNumber()
    {
        ulong[] seeds =
        [
            SimRandom.Derive(1, 0, 0, 0), SimRandom.Derive(2, 0, 0, 0),
            SimRandom.Derive(1, 1, 0, 0), SimRandom.Derive(1, 0, 1, 0),
            SimRandom.Derive(1, 0, 0, 1), SimRandom.Derive(1, 1, 1, 0),
        ];
        Assert.Equal(seeds.Length, seeds.Distinct().Count());
    }
}
