// Instant and Duration: their arithmetic, its edges, and how a log shows them.

using System;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TimeTests
{
    [Fact]
    public void Never_StaysNeverWhateverIsAdded() =>
        Assert.Equal(Instant.Never, Instant.Never + Duration.FromSeconds(5));

    [Fact]
    public void Never_IsLaterThanEverythingElse() =>
        Assert.True(Instant.Never > Instant.Zero + Duration.FromSeconds(1e9));

    [Fact]
    public void DifferenceOfInstants_LeadsFromOneToTheOther()
    {
        var earlier = Instant.Zero + Duration.FromSeconds(3);
        var later = earlier + Duration.FromMilliseconds(250);

        Assert.Equal(Duration.FromMilliseconds(250), later - earlier);
        Assert.Equal(Duration.FromMilliseconds(-250), earlier - later);
        Assert.Equal(earlier, later - Duration.FromMilliseconds(250));
    }

    [Fact]
    public void ResultBeyondTheRange_ThrowsInsteadOfWrapping()
    {
        var late = new Instant(long.MaxValue - 1);

        Assert.Throws<OverflowException>(() => late + Duration.FromSeconds(1));
        Assert.Throws<OverflowException>(() => Duration.FromSeconds(long.MaxValue));
    }

    [Fact]
    public void FractionOfASecond_IsRoundedToTheNearestNanosecond()
    {
        Assert.Equal(100_000_000, Duration.FromSeconds(0.1).Nanoseconds);
        Assert.Equal(2, Duration.FromSeconds(1.6e-9).Nanoseconds);
    }

    [Fact]
    public void Text_IsTheSameInEveryCulture()
    {
        Assert.Equal("1.5 s", Duration.FromSeconds(1.5).ToString());
        Assert.Equal("1.500000000 s", (Instant.Zero + Duration.FromSeconds(1.5)).ToString());
        Assert.Equal("never", Instant.Never.ToString());
    }
}
