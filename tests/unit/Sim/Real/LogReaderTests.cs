// What a run reads out of the balancer's log.

using Simulation.Real;
using Xunit;

namespace Tests.Unit.Sim.Real;

public sealed class LogReaderTests
{
    private readonly ObservedBalancer _seen = new();

    [Fact]
    public void RecordWithCounters_IsTaken()
    {
        LogReader.Take("""
            {"level":30,"msg":"status: 1 of 1 backend healthy","connections":2,
             "queries_received":7,"replies_sent":6,"v":0}
            """, _seen);

        var record = Assert.Single(_seen.Records);
        Assert.False(record.IsFinal);
        Assert.Equal(2, record.Connections);
        Assert.Equal((7L, 6L, 0L), (record["queries_received"], record["replies_sent"],
            record["queries_oversized"]));
    }

    [Fact]
    public void LastRecord_IsFinal()
    {
        LogReader.Take("""{"msg":"stopped","queries_received":7}""", _seen);

        Assert.True(Assert.Single(_seen.Records).IsFinal);
    }

    [Fact]
    public void Rebalance_IsNoted()
    {
        Assert.False(_seen.Rebalanced);
        LogReader.Take("""{"msg":"rebalancing: backend 5301 has 9 more remotes"}""", _seen);

        Assert.True(_seen.Rebalanced);
    }

    [Theory]
    [InlineData("")]
    [InlineData("no record")]
    [InlineData("[1]")]
    [InlineData("{\"msg\":\"backend 5301 is healthy\",\"be_id\":5301}")]
    public void OtherLines_ChangeNothing(string line)
    {
        LogReader.Take(line, _seen);

        Assert.Empty(_seen.Records);
        Assert.False(_seen.Rebalanced);
    }
}
