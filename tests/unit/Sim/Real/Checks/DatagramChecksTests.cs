// What is claimed of datagrams (S1, S5): a query arrives as it was sent, a reply as it was given.

using System.Collections.Immutable;
using Balancer.Core;
using Simulation.Real;
using Simulation.Real.Checks;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class DatagramChecksTests : RealCheckTest
{
    private const long Second = SeenRun.Second;

    [Fact]
    public void QueryWithAnotherPayload_IsS1()
    {
        var run = new SeenRun();
        run.First.Queries[0] = SeenRun.Frame(5 * Second, [1, 2, 4]);

        Assert.Contains("which nobody sent so",
            Expect("S1", run, DatagramChecks.Conservation));
    }

    [Fact]
    public void QueryFromAnotherPort_IsS1()
    {
        var run = new SeenRun();
        run.First.Queries[0] = run.First.Queries[0] with { Port = 40_001 };

        Expect("S1", run, DatagramChecks.Conservation);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(1, false)]
    public void QueryArrives_OnASessionNoMoreOftenThanItWasSent(int sent, bool passes)
    {
        var run = new SeenRun();
        run.First.Queries.Add(run.First.Queries[0]);
        for (var more = 1; more < sent; more++)
            run.Seen.Sent.Add(run.Seen.Sent[0]);

        Judge("S1", passes, run, DatagramChecks.Conservation);
    }

    [Theory]
    [InlineData(0x82, true)]
    [InlineData(0x85, true)]
    [InlineData(0x83, false)]
    public void QueryArrivesAgain_AfterAnErrorThatMayHaveBeenHeld(byte codes, bool passes)
    {
        var run = new SeenRun();
        run.First.Queries.Add(run.First.Queries[0]);
        run.First.Replies.Add(SeenRun.Frame(5 * Second + 1500, [1, 2, 0x81, codes]));

        Judge("S1", passes, run, DatagramChecks.Conservation);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void QueryArrives_AtTwoBackendsAtMost(int others, bool passes)
    {
        var run = new SeenRun();
        run.Other.Queries.Add(run.First.Queries[0]);
        if (others > 1)
            run.Session(2, 2 * Second).Queries.Add(run.First.Queries[0]);

        Judge("S1", passes, run, DatagramChecks.Conservation);
    }

    /// <summary>By the last record; the client asked with id 1, 2.</summary>
    [Theory]
    [InlineData(1, 0x85, 1, true)]
    [InlineData(2, 0x85, 1, false)]
    [InlineData(1, 0x80, 1, false)]
    [InlineData(1, 0x85, 0, false)]
    public void RefusalThatNoBackendGave_IsTheBalancersOwn(
        byte id, byte codes, long own, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Got[0] = run.Seen.Got[0] with { Payload = [id, 2, 0x80, codes] };
        run.Seen.Balancer.Records.Add(new CounterRecord(true, 0,
            ImmutableSortedDictionary<string, long>.Empty.Add("own_answers_sent", own)));

        Judge("S5", passes, run, DatagramChecks.NoInvention);
    }

    [Theory]
    [InlineData(true, 1, true)]
    [InlineData(true, 0, false)]
    [InlineData(false, 1, false)]
    public void FailureThatNoBackendGave_IsTheBalancersOwnIfItAnswersByItself(
        bool answers, long own, bool passes)
    {
        var run = new SeenRun(new KernelPlan { AnswersWithoutBackend = answers });
        run.Seen.Got[0] = run.Seen.Got[0] with { Payload = [1, 2, 0x80, 0x82] };
        run.Seen.Balancer.Records.Add(new CounterRecord(true, 0,
            ImmutableSortedDictionary<string, long>.Empty.Add("own_answers_sent", own)));

        Judge("S5", passes, run, DatagramChecks.NoInvention);
    }

    [Fact]
    public void QueryThatIsLost_IsNobodysFault()
    {
        var run = new SeenRun();
        run.First.Queries.Clear();

        Assert.Null(DatagramChecks.Conservation(run.Seen));
    }

    [Fact]
    public void ReplyFromAnotherAddress_IsS5()
    {
        var run = new SeenRun();
        run.Seen.Got[0] = run.Seen.Got[0] with
        {
            From = SeenRun.Server with { Address = Ipv4.From(127, 0, 0, 2) },
        };

        Assert.Contains("from 127.0.0.2:12000; it asked 127.0.0.1:12000",
            Expect("S5", run, DatagramChecks.NoInvention));
    }

    [Fact]
    public void ReplyThatNobodyGave_IsS5()
    {
        var run = new SeenRun();
        run.Seen.Got[0] = run.Seen.Got[0] with { Payload = [4, 5, 6] };

        Assert.Contains("that no backend gave", Expect("S5", run, DatagramChecks.NoInvention));
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(1, false)]
    public void ReplyComes_NoMoreOftenThanItWasGiven(int given, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Got.Add(run.Seen.Got[0]);
        for (var more = 1; more < given; more++)
            run.First.Replies.Add(run.First.Replies[0]);

        Judge("S5", passes, run, DatagramChecks.NoInvention);
    }

    [Fact]
    public void ReplyBeforeItWasGiven_IsS5()
    {
        var run = new SeenRun();
        run.Seen.Got[0] = run.Seen.Got[0] with { At = run.First.Replies[0].At - 1 };

        Assert.Contains("before", Expect("S5", run, DatagramChecks.NoInvention));
    }

    [Fact]
    public void ReplyOver1500Bytes_IsS5()
    {
        var run = new SeenRun();
        var large = new byte[1501];
        run.First.Replies[0] = SeenRun.Frame(5 * Second, large);
        run.Seen.Got[0] = run.Seen.Got[0] with { Payload = large };

        Expect("S5", run, DatagramChecks.NoInvention);
    }
}
