// The mapping of virtual to wall time.

using System.Linq;
using Balancer.Core;
using Simulation.Real;
using Xunit;

namespace Tests.Unit.Sim.Real;

public sealed class TimeLineTests
{
    [Fact]
    public void ShortAndBusy_StaysAsItIs()
    {
        var line = Line(60, 0, 1.5, 3, 4);

        Assert.Equal(At(1.5), line[At(1.5)]);
        Assert.Equal(At(4), line[At(4)]);
        Assert.Equal(At(2), line[At(2)]);
    }

    [Fact]
    public void QuietStretch_IsCutToTwoSeconds()
    {
        var line = Line(60, 1, 101, 102);

        Assert.Equal(At(1), line[At(1)]);
        Assert.Equal(At(3), line[At(101)]);
        Assert.Equal(At(4), line[At(102)]);
        Assert.Equal(At(2), line[At(51)]);
    }

    [Fact]
    public void WhatIsStillTooLong_RunsFaster()
    {
        var line = Line(10, [.. Enumerable.Range(0, 41).Select(second => (double)second)]);

        Assert.Equal(At(0), line[At(0)]);
        Assert.Equal(At(5), line[At(20)]);
        Assert.Equal(At(10), line[At(40)]);
    }

    [Fact]
    public void AfterTheLast_TimeGoesOnOneToOne()
    {
        var line = Line(60, 100);

        Assert.Equal(At(2), line[At(100)]);
        Assert.Equal(At(5), line[At(103)]);
    }

    [Fact]
    public void Order_IsKept()
    {
        double[] planned = [0.001, 7, 7.5, 30, 31, 200, 200.5, 201, 290];
        var line = Line(5, planned);
        var mapped = planned.Select(at => line[At(at)]).ToArray();

        Assert.Equal(mapped.Order(), mapped);
        Assert.Equal(mapped.Length, mapped.Distinct().Count());
        Assert.Equal(At(5), mapped[^1]);
    }

    private static TimeLine Line(double longest, params double[] planned) =>
        new(planned.Select(At), Duration.FromSeconds(longest));

    private static Instant At(double seconds) => Instant.Zero + Duration.FromSeconds(seconds);
}
