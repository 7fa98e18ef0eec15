// What the seed draws for the balancer's process.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Real;
using Xunit;

namespace Tests.Unit.Sim.Real;

public sealed class NemesisTests
{
    private static readonly Instant ChaosEnd = Instant.Zero + Duration.FromSeconds(15L);

    [Fact]
    public void SameSeed_HasTheSame()
    {
        for (var seed = 0ul; seed < 50; seed++)
        {
            var first = Nemesis.Of(seed, ChaosEnd);
            var again = Nemesis.Of(seed, ChaosEnd);

            Assert.Equal(first with { Faults = [] }, again with { Faults = [] });
            Assert.Equal(first.Faults.AsEnumerable(), again.Faults);
        }
    }

    [Fact]
    public void Seeds_HaveThemAll()
    {
        var drawn = Enumerable.Range(0, 200)
            .Select(seed => Nemesis.Of((ulong)seed, ChaosEnd)).ToArray();

        Assert.Equal(Enum.GetValues<LogFate>(),
            drawn.Select(nemesis => nemesis.Log).Distinct().Order());
        Assert.Equal(["debug", "info", "trace"],
            drawn.Select(nemesis => nemesis.Level).Distinct().Order());
        Assert.Contains(drawn, nemesis => nemesis.Faults.Length == 2);
        Assert.Contains(drawn, nemesis => nemesis.Faults.IsEmpty);
    }

    [Fact]
    public void WhatLasts_EndsWithChaos()
    {
        for (var seed = 0ul; seed < 100; seed++)
        {
            var nemesis = Nemesis.Of(seed, ChaosEnd);

            Assert.True(nemesis.LogFrom >= Instant.Zero && nemesis.LogFrom <= ChaosEnd);
            Assert.All(nemesis.Faults, fault => Assert.True(fault.At + fault.For <= ChaosEnd));
        }
    }
}
