// LogGate: one line an interval, and the number of those held back.

using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class LogGateTests
{
    private static readonly Instant Start = Instant.Zero + Duration.FromSeconds(1);

    [Fact]
    public void ManyInOneInterval_OnePassesAndTheRestAreCounted()
    {
        var gate = new LogGate();

        Assert.True(gate.TryPass(Start, out var heldBack));
        Assert.Equal(0, heldBack);
        for (var i = 0; i < 9; i++)
            Assert.False(gate.TryPass(Start + Duration.FromMilliseconds(i), out _));
        Assert.True(gate.TryPass(Start + Limits.RepeatedLogInterval, out heldBack));
        Assert.Equal(9, heldBack);
    }

    [Fact]
    public void WhatWasHeldBack_IsToldOnce()
    {
        var gate = new LogGate();
        gate.TryPass(Start, out _);
        gate.TryPass(Start, out _);
        gate.TryPass(Start + Limits.RepeatedLogInterval, out var first);

        Assert.True(gate.TryPass(
            Start + Limits.RepeatedLogInterval + Limits.RepeatedLogInterval, out var second));
        Assert.Equal(1, first);
        Assert.Equal(0, second);
    }

    [Fact]
    public void FirstLineAtTheClocksZero_Passes()
    {
        var gate = new LogGate();

        Assert.True(gate.TryPass(Instant.Zero, out _));
    }
}
