// What is claimed of control sessions (S2, S8, S11): nothing before the hello, heartbeats at their
// time, no end without a cause.

using Balancer.Core;
using Simulation.Real;
using Simulation.Real.Checks;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class SessionChecksTests : RealCheckTest
{
    private const long Second = SeenRun.Second;

    [Theory]
    [InlineData("S2", "closed: InboundUdp before SERVER_HELLO")]
    [InlineData("S2", "closed: InboundTcp on a control session")]
    [InlineData("S8", "closed: a second heartbeat before the answer to the first")]
    [InlineData(null, "closed: closed after hello")]
    [InlineData(null, "closed: ended in the middle of a reply")]
    public void WhatABackendComplainsOf_IsReported(string? check, string over)
    {
        var run = new SeenRun();
        run.First.Over = over;
        run.First.OverAt = 8 * Second;

        var found = SessionChecks.Hello(run.Seen) ?? SessionChecks.Heartbeats(run.Seen);
        Assert.Equal(check, found?.Check);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void SessionEnded_NeedsACause(bool wasPaused, bool passes)
    {
        var run = new SeenRun();
        run.First.PeerEndedAt = 8 * Second;
        if (wasPaused)
            run.Seen.Troubles.Add(new Trouble(0, 3 * Second, 4 * Second, "Pause"));

        Judge("S11", passes, run, SessionChecks.Attribution);
    }

    [Fact]
    public void SessionEndedByTheStop_Passes()
    {
        var run = new SeenRun();
        run.First.PeerEndedAt = run.Seen.Balancer.StopAskedAt;

        Assert.Null(SessionChecks.Attribution(run.Seen));
    }

    [Theory]
    [InlineData(6, 10, false)]
    [InlineData(6, 11, true)]
    [InlineData(5, 11, false)]
    public void Heartbeat_ComesNoEarlierThan5SecondsAfterTheOneBefore(
        long first, long second, bool passes)
    {
        var run = new SeenRun();
        run.First.Heartbeats.Clear();
        run.First.Heartbeats.AddRange([first * Second, second * Second, 16 * Second]);

        Judge("S8", passes, run, SessionChecks.Heartbeats);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void HeartbeatTooSoon_IsS8UnlessTheBalancerStoodStill(bool stoodStill, bool passes)
    {
        var run = new SeenRun();
        run.First.Heartbeats.Insert(1, run.First.Heartbeats[0] + 3 * Second);
        if (stoodStill)
        {
            run.Seen.Troubles.Add(new Trouble(-1, run.First.Heartbeats[0],
                run.First.Heartbeats[2], Trouble.StoodStill));
        }

        Judge("S8", passes, run, SessionChecks.Heartbeats);
    }

    [Theory]
    [InlineData(12, 0, 1, false)]
    [InlineData(2, 0, 1, true)]
    [InlineData(2, 1, 1, false)]
    [InlineData(2, 1, 2, true)]
    [InlineData(0.5, 0.1, 1, true)]
    public void HeartbeatTooSoon_IsRightWhereAQueryMayHaveMetWithSilence(
        double askedBefore, double answeredAfter, uint repliedTo, bool passes)
    {
        var run = new SeenRun();
        var at = 9 * Second;
        run.First.Heartbeats.Clear();
        run.First.Heartbeats.AddRange([6 * Second, at, 14 * Second]);
        run.First.Queries.Clear();
        run.First.Replies.Clear();
        var asked = at - (long)(askedBefore * Second);
        run.First.Queries.Add(new ObservedFrame(asked, new Ipv4(1), 1, 0, []));
        if (answeredAfter > 0)
        {
            run.First.Replies.Add(new ObservedFrame(
                asked + (long)(answeredAfter * Second), new Ipv4(1), repliedTo, 0, []));
        }

        Judge("S8", passes, run, SessionChecks.Heartbeats);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void HeartbeatThatNeverComes_IsS8UnlessTheBackendWasInTrouble(
        bool wasPaused, bool passes)
    {
        var run = new SeenRun();
        run.First.Heartbeats.Clear();
        if (wasPaused)
            run.Seen.Troubles.Add(new Trouble(0, 3 * Second, 4 * Second, "Pause"));

        Judge("S8", passes, run, SessionChecks.Heartbeats);
    }

    [Theory]
    [InlineData(true, 1, true)]
    [InlineData(true, 7, false)]
    [InlineData(true, 100, false)]
    [InlineData(false, 1, false)]
    [InlineData(false, 100, true)]
    public void Probes_ComeAllTheTimeIfTheyAreAskedForAndElseNever(
        bool probes, int every, bool passes)
    {
        var run = new SeenRun(new KernelPlan { Probe = probes });
        foreach (var session in (ObservedSession[])[run.First, run.Other])
        {
            for (var at = session.HelloAt!.Value; at < 21 * Second; at += every * Second)
            {
                if (every < 100)
                    session.Probes.Add(new ObservedFrame(at, new Ipv4(0xc0000008), 53, 0, []));
            }
        }

        Judge("S8", passes, run, SessionChecks.Probes);
    }

    [Fact]
    public void ProbesThatStop_AreRightWhereTheBackendWasInTrouble()
    {
        var run = new SeenRun(new KernelPlan { Probe = true });
        run.Seen.Troubles.Add(new Trouble(0, 3 * Second, 4 * Second, "Pause"));
        run.Seen.Troubles.Add(new Trouble(1, 3 * Second, 4 * Second, "Pause"));

        Judge("S8", passes: true, run, SessionChecks.Probes);
    }
}
