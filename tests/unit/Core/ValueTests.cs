// The small types of Time.cs, Ids.cs, Counters.cs, Limits.cs and LogGate.cs.

using System;
using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class ValueTests
{
    [Fact]
    public void Limits_HoldTogether() => Limits.VerifyRelations();

    [Fact]
    public void Ipv4_FirstOctetIsTheMostSignificant()
    {
        Assert.Equal(0x0a4d4d05u, Ipv4.From(10, 77, 77, 5).Value);
        Assert.Equal("10.77.77.5", Ipv4.From(10, 77, 77, 5).ToString());
    }

    [Theory]
    [InlineData("0.0.0.0", 0u)]
    [InlineData("127.0.0.1", 0x7f000001u)]
    [InlineData("255.255.255.255", 0xffffffffu)]
    public void Ipv4_DottedQuadIsRead(string text, uint value)
    {
        Assert.True(Ipv4.TryParse(text, out var address));
        Assert.Equal(value, address.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1.2.3")]
    [InlineData("1.2.3.4.5")]
    [InlineData("1.2.3.256")]
    [InlineData("1.2.3.-4")]
    [InlineData("1.2.3.4 ")]
    [InlineData(" 1.2.3.4")]
    [InlineData("1..3.4")]
    [InlineData("1.2.3.0004")]
    [InlineData("0x7f.1.1.1")]
    [InlineData("::1")]
    [InlineData("localhost")]
    public void Ipv4_AnythingElseIsNot(string text) => Assert.False(Ipv4.TryParse(text, out _));

    [Fact]
    public void Never_StaysNeverWhateverIsAdded() =>
        Assert.Equal(Instant.Never, Instant.Never + Duration.FromSeconds(5));

    [Fact]
    public void CounterGroups_CoverEveryDropOnce()
    {
        var all = Counters.QueryDrops.Concat(Counters.ReplyDrops)
            .Concat(Counters.ConnectionEnds).ToList();

        Assert.Equal(all.Count, all.Distinct().Count());
        foreach (var counter in Enum.GetValues<Counter>().Except(all))
        {
            Assert.Contains(counter, new[]
            {
                Counter.QueriesReceived, Counter.QueriesForwarded, Counter.RepliesReceived,
                Counter.RepliesSent, Counter.ConnectionsAccepted, Counter.AcceptsFailed,
                Counter.ReceivesFailed, Counter.ConnectionsRetried, Counter.RemotesExpired,
                Counter.RemotesEvicted, Counter.RemotesMoved,
            });
        }
    }

    [Fact]
    public void LogGate_LetsOneLinePassPerIntervalAndCountsTheRest()
    {
        var gate = new LogGate();
        var start = Instant.Zero + Duration.FromSeconds(1);

        Assert.True(gate.TryPass(start, out var heldBack));
        Assert.Equal(0, heldBack);
        for (var i = 0; i < 9; i++)
            Assert.False(gate.TryPass(start + Duration.FromMilliseconds(i), out _));
        Assert.True(gate.TryPass(start + Limits.RepeatedLogInterval, out heldBack));
        Assert.Equal(9, heldBack);
    }
}
