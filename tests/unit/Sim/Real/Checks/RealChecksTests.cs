// The checks of real runs, each on a run that is well but for one thing that it must see, and on
// one close by that it must not complain of.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Real;
using Simulation.Real.Checks;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class RealChecksTests
{
    private const long Second = SeenRun.Second;

    [Fact]
    public void WellRun_IsNotComplainedOf() => Assert.Empty(RealChecks.Judge(new SeenRun().Seen));

    [Fact]
    public void WorstOfSeveral_IsTheFirst()
    {
        var run = new SeenRun();
        run.Seen.Balancer.ExitCode = 70;
        run.Connection.Got[0]++;

        Assert.Equal(["S13", "S7"], RealChecks.Judge(run.Seen).Select(found => found.Check));
    }

    // ---- S13 and S15: the process ----

    [Fact]
    public void EndByItself_IsS13WithItsStatusAndWords()
    {
        var run = new SeenRun();
        run.Seen.Balancer.StopAskedAt = null;
        run.Seen.Balancer.ExitCode = 139;
        run.Seen.Balancer.Complaints = "oh\nno";

        Assert.Equal("it ended by itself, of signal 11; it said: oh no",
            Expect("S13", run, ProcessChecks.Survival));
    }

    [Fact]
    public void NeverListening_IsS13()
    {
        var run = new SeenRun();
        run.Seen.Balancer.NeverReady = true;

        Assert.StartsWith("it never listened", Expect("S13", run, ProcessChecks.Survival));
    }

    [Fact]
    public void StatusAfterTheStop_MustBe0()
    {
        var run = new SeenRun();
        run.Seen.Balancer.ExitCode = 1;

        Assert.Contains("with status 1", Expect("S13", run, ProcessChecks.Survival));
    }

    [Theory]
    [InlineData(29, 0, true)]
    [InlineData(31, 0, false)]
    [InlineData(31, 2, true)]
    public void Stop_EndsWithinItsGrace(long ended, long stalled, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Balancer.ExitedAt = ended * Second;
        run.Seen.Balancer.StalledSinceStop = stalled * Second;

        Judge("S15", passes, run, ProcessChecks.Stop);
    }

    [Fact]
    public void StopThatHadToBeForced_IsS15()
    {
        var run = new SeenRun();
        run.Seen.Balancer.ExitedAt = null;
        run.Seen.Balancer.ExitCode = null;

        Assert.Contains("killed", Expect("S15", run, ProcessChecks.Stop));
    }

    // ---- S1 and S5: datagrams ----

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
    public void QueryArrives_NoMoreOftenThanItWasSent(int sent, bool passes)
    {
        var run = new SeenRun();
        run.Other.Queries.Add(run.First.Queries[0]);
        for (var more = 1; more < sent; more++)
            run.Seen.Sent.Add(run.Seen.Sent[0]);

        Judge("S1", passes, run, DatagramChecks.Conservation);
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

    // ---- S2, S8, S11: sessions ----

    [Theory]
    [InlineData("S2", "closed: InboundUdp before SERVER_HELLO")]
    [InlineData("S2", "closed: InboundTcp on a control session")]
    [InlineData("S8", "closed: a second heartbeat before the answer to the first")]
    [InlineData(null, "closed: closed after hello")]
    [InlineData(null, "closed: ended in the middle of a reply")]
    public void WhatABackendComplainsOf_IsTold(string? check, string over)
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
    public void SessionEndedByTheStop_IsNoComplaint()
    {
        var run = new SeenRun();
        run.First.PeerEndedAt = run.Seen.Balancer.StopAskedAt;

        Assert.Null(SessionChecks.Attribution(run.Seen));
    }

    // ---- S7: streams ----

    [Fact]
    public void BytesThatDiffer_AreS7()
    {
        var run = new SeenRun();
        run.Connection.Got[^1]++;

        Assert.Contains("not the first of any backend's", Expect("S7", run, StreamCheck.Judge));
    }

    [Fact]
    public void BytesThatTheClientNeverSent_AreS7()
    {
        var run = new SeenRun();
        run.Tcp.FromClient.Add(9);

        Assert.Contains("not the first that it sent", Expect("S7", run, StreamCheck.Judge));
    }

    [Theory]
    [InlineData(nameof(ConnectionEnd.EndOfStream), false)]
    [InlineData(nameof(ConnectionEnd.Reset), true)]
    [InlineData(nameof(ConnectionEnd.ByClient), true)]
    public void CleanEnd_ComesAfterAllBytes(string end, bool passes)
    {
        var run = new SeenRun();
        run.Connection.Got.RemoveAt(3);
        run.Connection.End = Enum.Parse<ConnectionEnd>(end);

        Judge("S7", passes, run, StreamCheck.Judge);
    }

    [Fact]
    public void EndThatATimeOutMayHaveMade_OwesNoBytes()
    {
        var run = new SeenRun(new KernelPlan { TcpIdle = Balancer.Core.Duration.FromSeconds(1L) });
        run.Connection.Got.RemoveAt(3);

        Assert.Null(StreamCheck.Judge(run.Seen));
    }

    [Fact]
    public void EndOfABackendThatDied_OwesNoBytes()
    {
        var run = new SeenRun();
        run.Connection.Got.RemoveAt(3);
        run.Tcp.Over = null;

        Assert.Null(StreamCheck.Judge(run.Seen));
    }

    [Fact]
    public void BytesBeforeTheOk_AreS7()
    {
        var run = new SeenRun();
        run.Tcp.EarlyBytes = 1;

        Assert.Contains("before INBOUND_TCP_OK", Expect("S7", run, StreamCheck.Judge));
    }

    [Fact]
    public void ConnectionThatNobodyMade_IsS7()
    {
        var run = new SeenRun();
        run.Session(0, 6 * Second).Client = new Endpoint(Ipv4.From(127, 9, 9, 9), 1);

        Assert.Contains("who made none", Expect("S7", run, StreamCheck.Judge));
    }

    // ---- S3: stickiness ----

    [Fact]
    public void HostThatMovesForNothing_IsS3()
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
    [InlineData(true, 16, true)]
    [InlineData(true, 0, false)]
    [InlineData(false, 0, true)]
    public void Rebalance_IsAReasonIfItIsToldOrCannotBeRead(bool readable, long told, bool passes)
    {
        var run = new SeenRun();
        run.Ask(18 * Second, run.Other);
        run.Seen.Balancer.LogIsWhole = readable;
        run.Seen.Balancer.Rebalances.Add(told * Second);

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

    // ---- S8: heartbeats ----

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

    // ---- S7: ends ----

    [Theory]
    [InlineData(12, null, true, false)]
    [InlineData(14, null, true, true)]
    [InlineData(12, 19, true, true)]
    [InlineData(12, 21, true, false)]
    [InlineData(12, null, false, true)]
    public void EndOfTheBackend_IsToldToAClientThatReads(
        long ended, int? seenAt, bool reads, bool passes)
    {
        var run = new SeenRun();
        run.Tcp.HalfClosedAt = run.Tcp.OverAt = ended * Second;
        run.Seen.Connections[0] = new ObservedConnection(1000, SeenRun.TcpClient)
        {
            WasConnected = true,
            ConnectedAt = 6 * Second,
            End = seenAt is null ? ConnectionEnd.Open : ConnectionEnd.Reset,
            EndedAt = (seenAt ?? 0) * Second,
            Reads = reads,
        };
        run.Seen.Connections[0].Sent.AddRange(SeenRun.Question);
        run.Seen.Connections[0].Got.AddRange(SeenRun.Answer);

        Judge("S7", passes, run, StreamCheck.Judge);
    }

    [Theory]
    [InlineData(12, null, false, false)]
    [InlineData(14, null, false, true)]
    [InlineData(12, 19, false, true)]
    [InlineData(12, 21, false, false)]
    [InlineData(12, null, true, true)]
    public void EndOfTheClient_IsToldToABackendThatReads(
        long ended, int? readAt, bool misbehaves, bool passes)
    {
        var run = new SeenRun();
        run.Connection.SaidAllAt = ended * Second;
        run.Tcp.PeerEndedAt = run.Tcp.OverAt = readAt * Second;
        run.Tcp.Over = null;
        if (misbehaves)
            run.Seen.Troubles.Add(new Trouble(1, 0, long.MaxValue, "misbehaves"));

        Judge("S7", passes, run, StreamCheck.Judge);
    }

    // ---- S1 and S12: counters ----

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

        Judge("S12", passes, run, CountChecks.Truth);
    }

    [Fact]
    public void ConnectionsAccepted_AreThoseMade()
    {
        var run = new SeenRun();
        run.Seen.Quiet = run.Seen.Quiet! with { Connected = 2 };

        Assert.Contains("connections_accepted is 1", Expect("S12", run, CountChecks.Truth));
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

        Judge("S12", passes, run, CountChecks.Truth);
    }

    [Theory]
    [InlineData("/run/s/5301", 1, true)]
    [InlineData("/run/s/5301", 2, false)]
    [InlineData("/run/s/5302", 1, false)]
    public void QueriesOfABackend_AreThoseItRead(string path, long told, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Quiet!.Record!.Forwarded[path] = told;

        Judge("S12", passes, run, CountChecks.Truth);
    }

    [Theory]
    [InlineData("127.1.0.1", 1, true)]
    [InlineData("127.1.0.1", 0, false)]
    [InlineData("127.1.0.2", 1, false)]
    public void QueriesOfARemote_AreThoseReadOfIt(string address, long told, bool passes)
    {
        var run = new SeenRun();
        run.Seen.Quiet!.Record!.Remotes[address] = (told, 0);

        Judge("S12", passes, run, CountChecks.Truth);
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

        Assert.StartsWith(counter, Expect("S12", run, CountChecks.Truth));
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

        Judge("S12", passes, run, CountChecks.Truth);
    }

    [Fact]
    public void CounterThatFalls_IsS12()
    {
        var run = new SeenRun();
        run.Seen.Balancer.Records.Insert(0, SeenRun.Record(false, ("queries_received", 3)));

        Assert.Equal("queries_received was 3, then 1", Expect("S12", run, CountChecks.Truth));
    }

    // ---- L1 and L2: liveness ----

    [Theory]
    [InlineData(39, true)]
    [InlineData(41, false)]
    public void Answer_ComesInTime(long answered, bool passes)
    {
        var run = Probed(out var probe);
        probe.Answered = answered * Second + 1;

        Judge("L1", passes, run, LivenessChecks.Answers);
    }

    [Fact]
    public void NoAnswer_IsL1()
    {
        var run = Probed(out _);

        Assert.Equal("127.1.0.1:40000 asked 7 times from 10.000 s on and is unanswered; a core "
            + "backend is healthy since 1.000 s", Expect("L1", run, LivenessChecks.Answers));
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(1, false)]
    public void HostAtABackendThatNeverHeals_IsExcused(int backend, bool passes)
    {
        var run = Probed(out _);
        run.Session(backend, 11 * Second).Queries.Add(
            SeenRun.Frame(12 * Second, SeenRun.Question));

        Judge("L1", passes, run, LivenessChecks.Answers);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public void AnswerOverTcp_IsOwedToo(int backend, bool passes)
    {
        var run = new SeenRun();
        run.Seen.SettledAt = 60 * Second;
        run.First.PeerEndedAt = run.Other.PeerEndedAt = 70 * Second;
        var host = Ipv4.From(127, 254, 0, 1);
        run.Seen.Probes.Add(new ObservedProbe(new Endpoint(host, 0), 10 * Second, overTcp: true));
        run.Session(backend, 11 * Second).Client = new Endpoint(host, 40_000);

        Judge("L1", passes, run, LivenessChecks.Answers);
    }

    [Fact]
    public void NoCoreBackendHealthy_OwesNoAnswer()
    {
        var run = Probed(out _);
        run.First.OverAt = run.Other.OverAt = 12 * Second;

        Assert.Null(LivenessChecks.Answers(run.Seen));
    }

    [Theory]
    [InlineData(84, false, true)]
    [InlineData(86, false, false)]
    [InlineData(86, true, true)]
    public void CoreBackend_IsHealthyInTime(long settled, bool healthy, bool passes)
    {
        var run = new SeenRun();
        run.Seen.SettledAt = settled * Second;
        run.Other.PeerEndedAt = 200 * Second;
        run.First.PeerEndedAt = healthy ? 200 * Second : 9 * Second;

        Judge("L2", passes, run, LivenessChecks.Recovery);
    }

    /// <summary>
    /// A third backend was there and died early, so it may be the one that a host is bound to.
    /// </summary>
    private static void Unsettle(SeenRun run) =>
        run.Seen.Processes.Add(new ObservedProcess(2, 0) { EndedAt = Second });

    private static SeenRun Probed(out ObservedProbe probe)
    {
        var run = new SeenRun();
        run.Seen.SettledAt = 60 * Second;
        run.First.PeerEndedAt = run.Other.PeerEndedAt = 70 * Second;
        probe = new ObservedProbe(SeenRun.Client, 10 * Second) { Tries = 7 };
        run.Seen.Probes.Add(probe);
        return run;
    }

    private static string Expect(
        string check, SeenRun run, Func<Observations, Violation?> judge)
    {
        var found = judge(run.Seen);
        Assert.NotNull(found);
        Assert.Equal(check, found.Check);
        Assert.Contains(RealChecks.Judge(run.Seen), one => one.Check == check);
        return found.Evidence;
    }

    private static void Judge(
        string check, bool passes, SeenRun run, Func<Observations, Violation?> judge)
    {
        if (passes)
            Assert.Null(judge(run.Seen));
        else
            Expect(check, run, judge);
    }
}
