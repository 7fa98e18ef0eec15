// What is claimed of whose a client host is (S3): which changes are a reason to go to another
// backend, which are none, and when it must be back.

using System;
using Balancer.Core;
using Simulation.Real;
using Simulation.Real.Checks;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class StickinessCheckTests : RealCheckTest
{
    private const long Second = SeenRun.Second;

    [Fact]
    public void HostThatMovesWithoutCause_FailsS3()
    {
        var run = new SeenRun();
        run.Ask(8 * Second, run.Other);

        Assert.Equal("127.1.0.1 met backend 5301 at 5.000 s and 5302 at 8.000 s; nothing was wrong "
            + "with either", Expect("S3", run, StickinessCheck.Judge));
    }

    /// <summary>A session that begins, becomes warm or ends; of these two backends.</summary>
    [Theory]
    [InlineData(0, 5, 9, true)]
    [InlineData(1, 5, 9, true)]
    [InlineData(1, 15, 19, false)]
    [InlineData(2, 5, 9, false)]
    public void SessionOfEitherThatChanges_IsAReason(
        int backend, long accepted, long ended, bool passes)
    {
        var run = new SeenRun();
        Unsettle(run);
        run.Ask(12 * Second, run.Other);
        var session = run.Session(backend, accepted * Second);
        session.IsControl = true;
        session.OverAt = ended * Second;

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(null, true)]
    [InlineData(0, false)]
    public void ConnectionInBetween_MakesItsBackendsChangesAReason(int? backend, bool passes)
    {
        var run = new SeenRun();
        Unsettle(run);
        run.Ask(12 * Second, run.Other);
        var changed = run.Session(2, 9 * Second);
        changed.IsControl = true;
        var from = new Endpoint(SeenRun.Client.Address, 50_001);
        if (backend is { } given)
            run.Session(given, 10 * Second).Client = from;
        run.Seen.Connections.Add(new ObservedConnection(1001, from)
        {
            WasConnected = true,
            ConnectedAt = 10 * Second,
        });

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    [Theory]
    [InlineData(0, nameof(RealFaultKind.Pause), true)]
    [InlineData(2, nameof(RealFaultKind.Pause), true)]
    [InlineData(-1, nameof(RealFaultKind.Stall), true)]
    [InlineData(-1, nameof(RealFaultKind.DirectoryGone), true)]
    [InlineData(-1, nameof(RealFaultKind.Descriptors), false)]
    [InlineData(0, nameof(RealFaultKind.Script), false)]
    [InlineData(2, nameof(RealFaultKind.Crash), false)]
    [InlineData(0, nameof(RealFaultKind.Rebind), true)]
    [InlineData(2, nameof(RealFaultKind.Rebind), false)]
    [InlineData(2, nameof(RealFaultKind.Unlink), true)]
    [InlineData(2, nameof(RealFaultKind.Stop), true)]
    public void FaultThatBlindsOrTakesAPathAway_IsAReason(int backend, string kind, bool passes)
    {
        var run = new SeenRun();
        Unsettle(run);
        run.Ask(8 * Second, run.Other);
        run.Seen.Troubles.Add(new Trouble(
            backend, 6 * Second, 7 * Second, kind, Enum.Parse<RealFaultKind>(kind)));

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    [Theory]
    [InlineData(6, true)]
    [InlineData(60, false)]
    public void HostThatStoodStill_IsAReason(long at, bool passes)
    {
        var run = new SeenRun();
        Unsettle(run);
        run.Ask(8 * Second, run.Other);
        run.Seen.Troubles.Add(
            new Trouble(-1, at * Second, (at + 1) * Second, Trouble.StoodStill));

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    [Theory]
    [InlineData(true, 7, true)]
    [InlineData(true, 20, false)]
    [InlineData(false, 20, true)]
    public void BackendThatIsSuspect_ExcusesTheMoveIfItIsLoggedOrUnreadable(
        bool readable, long logged, bool passes)
    {
        var run = new SeenRun();
        run.Ask(8 * Second, run.Other);
        run.Seen.Balancer.LogIsWhole = readable;
        run.Seen.Balancer.Suspicions.Add(logged * Second);

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    [Theory]
    [InlineData(true, 16, true)]
    [InlineData(true, 0, false)]
    [InlineData(false, 0, true)]
    public void RebalanceThatIsLoggedOrUnreadable_ExcusesTheMove(
        bool readable, long logged, bool passes)
    {
        var run = new SeenRun();
        run.Ask(18 * Second, run.Other);
        run.Seen.Balancer.LogIsWhole = readable;
        run.Seen.Balancer.Rebalances.Add(logged * Second);

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    [Theory]
    [InlineData(20, false, false, false)]
    [InlineData(15, false, false, true)]
    [InlineData(20, true, false, true)]
    [InlineData(20, false, true, true)]
    public void HostWhoseBackendIsBack_ComesBackUnlessItMayBeAnothers(
        long at, bool unlinked, bool lateToCome, bool passes)
    {
        var run = new SeenRun();
        run.First.OverAt = 9 * Second;
        run.Ask(10 * Second, run.Other);
        var back = run.Session(0, 13 * Second);
        back.IsControl = true;
        back.HelloAt = 13 * Second;
        run.Ask(at * Second, run.Other);
        // Over TCP it may have been bound to that one before.
        if (lateToCome)
            run.Seen.Troubles.Add(new Trouble(2, 0, Second, "Rebind", RealFaultKind.Rebind));
        if (unlinked)
        {
            run.Seen.Troubles.Add(new Trouble(
                0, 9 * Second, 10 * Second, "Unlink", RealFaultKind.Unlink));
        }

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    /// <summary>Its journal tells of no end of the session.</summary>
    [Fact]
    public void HostWhoseBackendWasKilled_MayGo()
    {
        var run = new SeenRun();
        run.Seen.Processes[0].EndedAt = 9 * Second;
        run.First.PeerEndedAt = null;
        run.Ask(10 * Second, run.Other);
        run.Ask(20 * Second, run.Other);

        Assert.Null(StickinessCheck.Judge(run.Seen));
    }

    /// <summary>
    /// A third backend drains until its process ends, and is removed a second later: who was
    /// bound to it has met a stand-in by then, and is bound anew.
    /// </summary>
    [Theory]
    [InlineData(11, true)]
    [InlineData(5, false)]
    [InlineData(null, false)]
    public void EndOfABackendThatIsUnlinked_IsAReason(int? ended, bool passes)
    {
        var run = new SeenRun();
        Unsettle(run);
        var third = run.Session(2, Second);
        third.IsControl = true;
        third.HelloAt = Second;
        run.Seen.Processes[^1].EndedAt = ended * Second;
        run.Seen.Troubles.Add(new Trouble(
            2, 3 * Second, 40 * Second, "Unlink", RealFaultKind.Unlink));
        run.Ask(11 * Second, run.First);
        run.Ask(13 * Second, run.Other);

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    /// <summary>Its journal tells of no query that it did not come to read.</summary>
    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    public void QueryThatAThirdBackendTookWithItWhenItEnded_IsAReason(
        bool lost, bool ended, bool passes)
    {
        var run = new SeenRun();
        Unsettle(run);
        run.Ask(8 * Second, run.First);
        if (lost)
            run.Seen.Sent.Add(new SentDatagram(9 * Second, SeenRun.Client, SeenRun.Question));
        if (ended)
            run.Seen.Processes.Add(new ObservedProcess(2, Second) { EndedAt = 9 * Second });
        run.Ask(10 * Second, run.Other);

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    /// <summary>The balancer chooses when it accepts, the backend perhaps long after.</summary>
    [Theory]
    [InlineData(9, true)]
    [InlineData(2, false)]
    public void ConnectionThatItsBackendTakesLate_CountsFromItsBeginning(long at, bool passes)
    {
        var run = new SeenRun();
        Unsettle(run);
        run.Ask(8 * Second, run.First);
        run.Ask(10 * Second, run.Other);
        var changed = run.Session(2, 9 * Second);
        changed.IsControl = true;
        var from = new Endpoint(SeenRun.Client.Address, 50_001);
        run.Session(2, 17 * Second).Client = from;
        run.Seen.Connections.Add(new ObservedConnection(1001, from)
        {
            WasConnected = true,
            ConnectedAt = at * Second,
        });

        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    /// <summary>
    /// While another backend warms up, a host that is bound to it already meets a stand-in.
    /// </summary>
    [Theory]
    [InlineData(6, true)]
    [InlineData(1, false)]
    public void HostThatCameWhileABackendWarmedUp_MayBeThatOnes(long hello, bool passes)
    {
        var run = new SeenRun(new KernelPlan { WarmUp = Duration.FromSeconds(4L) });
        run.First.Queries.Clear();
        run.First.HelloAt = run.Other.HelloAt = Second;
        var third = run.Session(2, hello * Second);
        third.IsControl = true;
        third.HelloAt = hello * Second;
        run.Ask(8 * Second, run.First);
        run.Ask(12 * Second, third);

        // Only the way back is looked at: the third backend's session is a reason to move.
        run.Seen.Processes.Add(new ObservedProcess(2, 11 * Second));
        Judge("S3", passes, run, StickinessCheck.Judge);
    }

    /// <summary>
    /// A third backend was there and died early, so it may be the one that a host is bound to.
    /// </summary>
    private static void Unsettle(SeenRun run) =>
        run.Seen.Processes.Add(new ObservedProcess(2, 0) { EndedAt = Second });
}
