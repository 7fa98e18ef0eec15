// What a run reads out of the balancer's log.

using System;
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
            {"level":30,"event":"status","connections":2,"longest_turn_us":5,
             "queries_received":7,"replies_sent":6,"v":0}
            """, _seen);

        var record = Assert.Single(_seen.Records);
        Assert.False(record.IsFinal);
        Assert.Equal(2, record.Connections);
        Assert.Equal((7L, 6L, 0L), (record["queries_received"], record["replies_sent"],
            record["queries_oversized"]));
        Assert.Equal(0, record["longest_turn_us"]);
    }

    [Fact]
    public void LastRecord_IsFinal()
    {
        LogReader.Take("""{"event":"stopped","queries_received":7}""", _seen);

        Assert.True(Assert.Single(_seen.Records).IsFinal);
    }

    [Fact]
    public void Rebalance_IsNoted()
    {
        _seen.LogClockAheadNs = LogReader.ToNs(new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        LogReader.Take("""
            {"event":"rebalancing","time":"2026-01-02T03:04:06.250Z"}
            """, _seen);

        Assert.Equal([1_250_000_000], _seen.Rebalances);
    }

    [Theory]
    [InlineData("backend_suspected")]
    [InlineData("backend_trusted")]
    [InlineData("backend_down_by_probe")]
    [InlineData("backend_up_by_probe")]
    public void Suspicion_IsNoted(string name)
    {
        _seen.LogClockAheadNs = LogReader.ToNs(new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        LogReader.Take($$"""
            {"event":"{{name}}","time":"2026-01-02T03:04:06.250Z"}
            """, _seen);

        Assert.Equal([1_250_000_000], _seen.Suspicions);
    }

    [Fact]
    public void LinesAfterARecord_AreItsBackendsAndRemotes()
    {
        LogReader.Take("""{"event":"status","queries_received":7}""", _seen);
        LogReader.Take("""
            {"event":"backend_status","be_path":"/s/5301","udp_queries":5}
            """, _seen);
        LogReader.Take("""
            {"event":"remote_status","remote_ip":"127.1.0.1",
             "udp_forwarded":4,"udp_dropped":2}
            """, _seen);

        var record = Assert.Single(_seen.Records);
        Assert.Equal(5, record.Forwarded["/s/5301"]);
        Assert.Equal(4, record.Remotes["127.1.0.1"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("no record")]
    [InlineData("[1]")]
    [InlineData("{\"event\":\"backend_healthy\",\"be_id\":5301}")]
    public void OtherLines_ChangeNothing(string line)
    {
        LogReader.Take(line, _seen);

        Assert.Empty(_seen.Records);
        Assert.Empty(_seen.Rebalances);
    }
}
