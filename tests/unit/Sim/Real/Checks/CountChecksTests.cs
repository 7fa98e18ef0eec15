// What is claimed of counters (S1, S12): they add up, and agree with what others counted.

using Balancer.Core;
using Simulation.Real;
using Simulation.Real.Checks;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class CountChecksTests : RealCheckTest
{
    private const long Second = SeenRun.Second;

    [Theory]
    [InlineData("queries_oversized")]
    [InlineData("replies_denied")]
    [InlineData("connections_finished")]
    public void CountersThatDoNotAddUp_AreS1(string counter)
    {
        var run = new SeenRun();
        run.Seen.Balancer.Records[1] = SeenRun.Record(true, (counter, 5));

        Expect("S1", run, CountChecks.Sums);
    }

    /// <summary>
    /// Whoever asks for them is told after what was gathered in the turn has been sent.
    /// </summary>
    [Fact]
    public void RepliesOnTheirWay_AreNone()
    {
        var run = new SeenRun();
        run.Seen.Balancer.Records.Insert(0, SeenRun.Record(false, ("replies_received", 2)));

        Assert.Contains("replies_received is 2", Expect("S1", run, CountChecks.Sums));
    }

    [Fact]
    public void OpenConnections_AreCountedAsSuch()
    {
        var run = new SeenRun();
        var counters = SeenRun.Record(false, ("connections_finished", 0)).Counters;
        run.Seen.Balancer.Records[0] = new CounterRecord(false, 1, counters);

        Assert.Null(CountChecks.Sums(run.Seen));
    }

    [Theory]
    [InlineData(2, 1, true)]
    [InlineData(2, 0, false)]
    [InlineData(1, 1, false)]
    public void QueriesReceived_AreThoseSentAndNotDropped(long sent, long lost, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Quiet = run.Seen.Quiet! with { Sent = sent, Lost = lost };

        Judge("S12", passes, run, CountChecks.Accounting);
    }

    [Fact]
    public void ConnectionsAccepted_AreThoseMade()
    {
        var run = new SeenRun();
        run.Seen.Quiet = run.Seen.Quiet! with { Connected = 2 };

        Assert.Contains("connections_accepted is 1", Expect("S12", run, CountChecks.Accounting));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void QueriesForwarded_AreThoseReadUnlessSomebodyDied(bool died, bool passes)
    {
        var run = new SeenRun();
        run.First.Queries.Clear();
        run.First.Replies.Clear();
        run.Seen.Got.Clear();
        foreach (var at in (int[])[0, 1])
        {
            run.Seen.Balancer.Records[at] = SeenRun.Record(
                at == 1, ("replies_received", 0), ("replies_sent", 0));
        }
        run.Seen.Quiet = run.Seen.Quiet! with { Record = run.Seen.Balancer.Records[0] };
        if (died)
            run.First.OverAt = 9 * Second;

        Judge("S12", passes, run, CountChecks.Accounting);
    }

    [Theory]
    [InlineData("/run/s/5301", 1, true)]
    [InlineData("/run/s/5301", 2, false)]
    [InlineData("/run/s/5302", 1, false)]
    public void QueriesOfABackend_AreThoseItRead(string path, long logged, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Quiet!.Record!.Forwarded[path] = logged;

        Judge("S12", passes, run, CountChecks.Accounting);
    }

    [Theory]
    [InlineData("127.1.0.1", 1, true)]
    [InlineData("127.1.0.1", 0, false)]
    [InlineData("127.1.0.2", 1, false)]
    public void QueriesOfARemote_AreThoseReadOfIt(string address, long logged, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Quiet!.Record!.Remotes[address] = logged;

        Judge("S12", passes, run, CountChecks.Accounting);
    }

    [Theory]
    [InlineData("queries_received", 9)]
    [InlineData("queries_forwarded", 0)]
    [InlineData("replies_received", 9)]
    [InlineData("replies_sent", 0)]
    [InlineData("replies_sent", 2)]
    public void LastRecord_IsBoundedByWhatOthersCounted(string counter, long value)
    {
        var run = new SeenRun();
        run.Seen.Balancer.Records.RemoveAt(0);
        run.Seen.Balancer.Records[0] = SeenRun.Record(true, (counter, value));

        Assert.StartsWith(counter, Expect("S12", run, CountChecks.Accounting));
    }

    [Theory]
    [InlineData("127.1.0.1", 7, true)]
    [InlineData("127.1.0.1", 65_589, false)]
    [InlineData("127.1.0.1", 0, false)]
    [InlineData("127.9.9.9", 7, false)]
    public void ReplyToWhereNobodyLooks_IsSentOnlyIfItMayBe(string host, uint port, bool passes)
    {
        var run = new SeenRun();
        Assert.True(Ipv4.TryParse(host, out var peer));
        run.First.Replies.Add(run.First.Replies[0] with { Peer = peer, Port = port });
        run.Seen.Balancer.Records[1] = SeenRun.Record(
            true, ("replies_sent", 2), ("replies_received", 2));

        Judge("S12", passes, run, CountChecks.Accounting);
    }

    [Fact]
    public void CounterThatFalls_IsS12()
    {
        var run = new SeenRun();
        run.Seen.Balancer.Records.Insert(0, SeenRun.Record(false, ("queries_received", 3)));

        Assert.Equal("queries_received was 3, then 1", Expect("S12", run, CountChecks.Accounting));
    }
}
