// Each check of safety alone, on a calm run into which one false event is fed: what it must object
// to. Beside each is what comes close to it and is in order: the same event where it belongs, or
// the real thing that the false one pretended. S7's are in StreamViolationTests.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;
using static Tests.Unit.Sim.Checking.Suspect;

namespace Tests.Unit.Sim.Checking;

public sealed class ViolationTests
{
    private static readonly BackendId Id = new(5301);
    private const string Path = "/run/bbal/5301";

    private static Scenario Answering => new()
    {
        Kernel = new KernelPlan { AnswersWithoutBackend = true },
    };

    [Fact]
    public void DatagramThatIsNotSentOn_BreaksS1() => Breaks("S1", static sim =>
        sim.Observer.OnReceived(sim.Now, Header(7), [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]));

    [Fact]
    public void QueryThatFindsNobodyAndIsNotTold_BreaksS1() => Breaks("S1", static sim =>
    {
        sim.First.Crash();
        sim.Second.Crash();
        sim.Run(0.1);
        sim.Observer.OnReceived(sim.Now, Header(7, 12), [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }, Answering);

    [Fact]
    public void QueryThatFindsNobodyAndIsTold_PassesS1() => Passes("S1", static sim =>
    {
        sim.First.Crash();
        sim.Second.Crash();
        sim.Run(0.1);
        sim.Query(Asker, 7);
        sim.Run(0.1);
        Assert.Equal(1, sim.Core.Counters[Counter.OwnAnswersSent]);
    }, Answering);

    [Fact]
    public void ReplyThatIsCountedTwice_BreaksS1() => Breaks("S1", static sim =>
        sim.Core.Counters.Add(Counter.RepliesSent));

    [Fact]
    public void DatagramThatIsDroppedAndCounted_PassesS1() => Passes("S1", static sim =>
        sim.Kernel.InjectDatagram(new Endpoint(Asker, 7), [0, 1, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0]));

    [Fact]
    public void QueryToABackendThatHasEnded_BreaksS2() => Breaks("S2", static sim =>
    {
        var stream = sim.FirstSession;
        sim.Observer.OnRead(sim.Now, stream, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnWritten(sim.Now, stream, IoResult.Ok(4), [2, 0, 0, 0]);
    });

    [Fact]
    public void QueryWhenABackendHasEnded_PassesS2() => Passes("S2", static sim =>
    {
        sim.First.CloseSessions();
        sim.Query(Asker, 7);
    });

    [Fact]
    public void BindingThatNobodyNeeds_BreaksS3() => Breaks("S3", static sim =>
        sim.Observer.OnLogged(sim.Now,
            new LogEvent.RemoteAssigned(Asker, new BackendId(5302), false)));

    [Fact]
    public void BackupForAPrimaryThatIsDown_PassesS3() => Passes("S3", static sim =>
    {
        sim.First.CloseSessions();
        sim.Run(0.1);
        sim.Query(Asker, 7);
        sim.Run(0.1);
        Assert.Equal(2, sim.Log.Count<LogEvent.RemoteAssigned>());
    });

    [Fact]
    public void BackendCalledUnlinkedWithoutAScan_BreaksS3() => Breaks("S3", static sim =>
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendDraining(Id, Path)));

    [Fact]
    public void BackendUnlinked_PassesS3() => Passes("S3", static sim =>
    {
        sim.First.Unlink();
        sim.Run(2);
        Assert.Equal(1, sim.Log.Count<LogEvent.BackendDraining>());
    });

    [Fact]
    public void RemoteThatTheModelDoesNotKnow_BreaksS4() => Breaks("S4", static sim =>
    {
        sim.HidesDatagrams = true;
        sim.Query(Other, 7);
    });

    [Fact]
    public void RemoteMore_PassesS4() => Passes("S4", static sim =>
    {
        sim.Query(Other, 7);
        sim.Run(1);
        Assert.Equal(2, sim.Core.RemoteCount);
    });

    [Fact]
    public void DatagramOfNoReply_BreaksS5() => Breaks("S5", static sim =>
        sim.Observer.OnSent(sim.Now, Header(7), [1, 2, 3]));

    [Fact]
    public void ServfailWhileABackendIsThere_BreaksS5() => Breaks("S5", static sim =>
        sim.Observer.OnSent(
            sim.Now, Header(7, 12), [0, 1, 0x81, 2, 0, 0, 0, 0, 0, 0, 0, 0]), Answering);

    [Fact]
    public void ReplySentTwice_BreaksS5() => Breaks("S5", static sim =>
    {
        sim.First.Reply(new Endpoint(Asker, 7), [1, 2, 3]);
        sim.Run(0.1);
        sim.Observer.OnSent(sim.Now, Header(7, 3), [1, 2, 3]);
    });

    [Fact]
    public void ReplyThatNobodyAskedForToARemote_PassesS5() => Passes("S5", static sim =>
    {
        sim.First.Reply(new Endpoint(Asker, 7), [1, 2, 3]);
        sim.First.Reply(new Endpoint(Asker, 7), []);
        sim.Run(0.1);
        Assert.Equal(1, sim.Core.Counters[Counter.RepliesSent]);
        Assert.Equal(2, sim.Core.Counters[Counter.RepliesUnmatched]);
    });

    [Fact]
    public void HeartbeatAnswerThatNeverCame_BreaksS6() => Breaks("S6", static sim =>
    {
        sim.Observer.OnLogged(sim.Now, new LogEvent.HeartbeatAnswered(Id));
        sim.Observer.OnLogged(sim.Now, new LogEvent.HeartbeatAnswered(Id));
        sim.Observer.OnLogged(sim.Now, new LogEvent.HeartbeatAnswered(Id));
    });

    [Fact]
    public void SessionThatOutlivesAnUnknownFrame_BreaksS6() => Breaks("S6", static sim =>
    {
        sim.Observer.OnRead(sim.Now, sim.FirstSession, IoResult.Ok(4), [77, 0, 0, 0]);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void SessionEndedByAnUnknownFrame_PassesS6() => Passes("S6", static sim =>
    {
        sim.First.Control!.SendType(77);
        sim.Run(0.1);
        Assert.Equal(1, sim.Log.Count<LogEvent.BackendFaulted>());
    });

    [Fact]
    public void HelloInPieces_PassesS6() => Passes("S6", static sim =>
    {
        sim.First.AnswersHello = false;
        sim.First.CloseSessions();
        sim.Run(2);
        foreach (var part in (byte[])[0xe9, 3, 0, 0])
        {
            sim.First.Send([part]);
            sim.Run(0.1);
        }
        Assert.Equal(3, sim.Log.Count<LogEvent.BackendHealthy>());
    });

    [Fact]
    public void HeartbeatTooEarly_BreaksS8() => Breaks("S8", static sim =>
        sim.Observer.OnLogged(sim.Now, new LogEvent.HeartbeatSent(Id)));

    [Fact]
    public void HeartbeatThatDoesNotComeInTime_BreaksS8() => Breaks("S8", static sim =>
        sim.Observer.OnTurnEnded(sim.Now + Duration.FromSeconds(6L), sim.Core));

    [Fact]
    public void HeartbeatUnansweredForLessThan15s_PassesS8() => Passes("S8", static sim =>
    {
        sim.First.AnswersHeartbeats = false;
        sim.Run(40);
        Assert.True(sim.Log.Count<LogEvent.BackendFaulted>() > 0);
    });

    [Fact]
    public void BackendThatReadsNothingFor15s_AndIsNotFaulted_BreaksS8() =>
        Breaks("S8", "it takes nothing since", static sim =>
        {
            FillFirst(sim);
            // The heartbeat that was asked for after 100 ms of silence is due a little later.
            sim.Run(6);
            sim.Observer.OnTurnEnded(sim.Now + Duration.FromSeconds(9L), sim.Core);
        });

    [Fact]
    public void BackendThatReadsNothingForLessThan15s_PassesS8() => Passes("S8", static sim =>
    {
        FillFirst(sim);
        sim.Run(20);
        Assert.Contains(sim.Log.Of<LogEvent.BackendFaulted>(),
            faulted => faulted.Fault.Cause == FaultCause.ReadsNothing);
    });

    /// <summary>First reads nothing, and is full before it is suspect.</summary>
    private static void FillFirst(Suspect sim)
    {
        sim.First.Hang();
        for (ushort port = 1000; port < 1500; port++)
        {
            sim.Query(Suspect.Asker, port);
            sim.Run(0.0001);
        }
    }

    [Fact]
    public void ConnectWhileASessionLives_BreaksS9() => Breaks("S9", static sim =>
        sim.Observer.OnConnected(sim.Now, "/run/bbal/5301"u8, IoResult.Ok(),
            new SocketHandle(900, 1)));

    [Fact]
    public void BackOffOfAnotherLength_BreaksS9() => Breaks("S9", static sim =>
    {
        sim.Observer.OnRead(sim.Now, sim.FirstSession, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnClosed(sim.Now, sim.FirstSession, aborted: false);
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendFaulted(
            Id, Path, new Fault(FaultCause.EndOfStream), Duration.FromSeconds(3L)));
    });

    [Fact]
    public void ConnectsThatFailEverLater_PassS9() => Passes("S9", static sim =>
    {
        sim.First.Crash();
        sim.Run(60);
        Assert.True(sim.Log.Count<LogEvent.BackendFaulted>() > 5);
    });

    [Fact]
    public void StreamThatNothingNeeds_BreaksS10() => Breaks("S10", static sim =>
    {
        sim.Observer.OnAccepted(sim.Now, IoResult.Ok(), new SocketHandle(900, 1),
            new Endpoint(Asker, 7));
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void LineThatRepeatsAtOnce_BreaksS10() => Breaks("S10", static sim =>
    {
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoHealthyBackend(1));
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoHealthyBackend(1));
    });

    [Fact]
    public void LineThatRepeatsAfter5s_PassesS10() => Passes("S10", static sim =>
    {
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoHealthyBackend(1));
        sim.Run(5);
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoHealthyBackend(1));
    });

    [Fact]
    public void StreamThatIsClosedAgain_PassesS10() => Passes("S10", static sim =>
    {
        var client = sim.Kernel.ConnectClient(new Endpoint(Asker, 7));
        sim.Run(1);
        client.Reset();
    });

    // ---- What a turn may do ----

    [Fact]
    public void DatagramsBeyondATurns_BreakS10() => Breaks(
        "S10", "129 datagrams were received in one turn", static sim => Receive(sim, 129));

    [Fact]
    public void DatagramsOfATurn_PassS10() => Passes("S10", static sim => Receive(sim, 128));

    private static void Receive(Suspect sim, int count)
    {
        sim.Observer.OnTurnBegan(sim.Now, []);
        for (var n = 0; n < count; n++)
            sim.Observer.OnReceived(sim.Now, Header(7), [0, 1, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }

    [Fact]
    public void AcceptsBeyondATurns_BreakS10() => Breaks(
        "S10", "17 connections were accepted in one turn", static sim =>
        {
            sim.Observer.OnTurnBegan(sim.Now, []);
            for (var n = 0; n < 17; n++)
                sim.Observer.OnAccepted(sim.Now, IoResult.Ok(), new SocketHandle(900 + n, 1),
                    new Endpoint(Asker, (ushort)n));
            sim.Observer.OnTurnEnded(sim.Now, sim.Core);
        });

    [Fact]
    public void AcceptsOfATurn_PassS10() => Passes("S10", static sim =>
        Assert.Equal(40, sim.Connect(Asker, 40).Length));

    /// <summary>32 visits use a turn's 256 KB up, though they find nothing to read.</summary>
    [Fact]
    public void VisitsBeyondATurns_BreakS10() => Breaks(
        "S10", "had its turn when 32 visits had read 0 bytes", static sim => Visit(sim, 33));

    [Fact]
    public void VisitsOfATurn_PassS10() => Passes("S10", static sim => Visit(sim, 32));

    private static void Visit(Suspect sim, int count)
    {
        var streams = sim.Connect(Asker, count);
        sim.Observer.OnTurnBegan(sim.Now, []);
        foreach (var stream in streams)
            sim.Observer.OnRead(sim.Now, stream, IoResult.Failed(IoStatus.WouldBlock), []);
    }

    [Fact]
    public void BytesOfOneConnectionBeyondATurns_BreakS10() => Breaks(
        "S10", "344064 bytes of TCP connections were read in one turn",
        static sim => Relay(sim, 21));

    [Fact]
    public void BytesOfOneConnectionInATurn_PassS10() =>
        Passes("S10", static sim => Relay(sim, 20));

    private static void Relay(Suspect sim, int times)
    {
        var client = sim.Connect(Asker, 1)[0];
        var bytes = new byte[16 * 1024];
        sim.Observer.OnTurnBegan(sim.Now, []);
        for (var n = 0; n < times; n++)
        {
            sim.Observer.OnRead(sim.Now, client, IoResult.Ok(bytes.Length), bytes);
            sim.Observer.OnWritten(
                sim.Now, sim.LastConnected, IoResult.Ok(bytes.Length), bytes);
        }
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }

    [Fact]
    public void SessionReadBeyondATurnsReads_BreaksS10() => Breaks(
        "S10", "was read when 128 reads of sessions had been made in one turn",
        static sim => ReadReplies(sim, 129));

    [Fact]
    public void SessionReadsOfATurn_PassS10() =>
        Passes("S10", static sim => ReadReplies(sim, 128));

    /// <summary>So many reads, each of one reply to a stranger.</summary>
    private static void ReadReplies(Suspect sim, int count)
    {
        byte[] reply = [0xea, 3, 0, 0, 9, 9, 9, 9, 53, 0, 0, 0, 0, 0, 0, 0];
        sim.Observer.OnTurnBegan(sim.Now, []);
        for (var n = 0; n < count; n++)
            sim.Observer.OnRead(sim.Now, sim.FirstSession, IoResult.Ok(16), reply);
    }

    [Fact]
    public void FaultOfASessionThatLives_BreaksS11() => Breaks("S11", static sim =>
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendFaulted(
            Id, Path, new Fault(FaultCause.HelloTimeout), Duration.FromSeconds(1L))));

    [Fact]
    public void FaultOfAnotherCause_BreaksS11() => Breaks("S11", static sim =>
    {
        sim.Observer.OnRead(sim.Now, sim.FirstSession, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnClosed(sim.Now, sim.FirstSession, aborted: false);
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendFaulted(
            Id, Path, new Fault(FaultCause.HeartbeatTimeout), Duration.FromSeconds(1L)));
    });

    [Fact]
    public void FaultOfABackendWhoseSocketIsGone_BreaksS11() => Breaks("S11", static sim =>
    {
        sim.Observer.OnRead(sim.Now, sim.FirstSession, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnClosed(sim.Now, sim.FirstSession, aborted: false);
        sim.Observer.OnLooked(sim.Now, "5301"u8, IoResult.Failed(IoStatus.NotFound));
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendFaulted(Id, Path,
            new Fault(FaultCause.EndOfStream, IoResult.Failed(IoStatus.EndOfStream)),
            Duration.FromSeconds(1L)));
    });

    [Fact]
    public void FaultBeforeTheSocketWasLookedAt_BreaksS11() => Breaks("S11", static sim =>
    {
        sim.Observer.OnRead(sim.Now, sim.FirstSession, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnClosed(sim.Now, sim.FirstSession, aborted: false);
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendFaulted(Id, Path,
            new Fault(FaultCause.EndOfStream, IoResult.Failed(IoStatus.EndOfStream)),
            Duration.FromSeconds(1L)));
    });

    [Fact]
    public void FaultOfASessionThatHasEnded_PassesS11() => Passes("S11", static sim =>
    {
        sim.First.CloseSessions();
        sim.Run(0.1);
        Assert.Equal(1, sim.Log.Count<LogEvent.BackendFaulted>());
    });

    [Fact]
    public void CounterThatNothingSeenExplains_BreaksS12() => Breaks("S12", static sim =>
        sim.Core.Counters.Add(Counter.AcceptsFailed));

    [Fact]
    public void CounterOfWhatWasSeen_PassesS12() => Passes("S12", static sim =>
    {
        sim.Observer.OnAccepted(
            sim.Now, IoResult.Failed(IoStatus.TooManyFiles), SocketHandle.None, default);
        sim.Core.Counters.Add(Counter.AcceptsFailed);
        sim.Observer.OnLogged(sim.Now,
            new LogEvent.AcceptFailed(IoResult.Failed(IoStatus.TooManyFiles), 0));
    });

    [Fact]
    public void LineThatIsOwedAndNotTold_BreaksS12() => Breaks("S12", static sim =>
    {
        sim.Observer.OnAccepted(
            sim.Now, IoResult.Failed(IoStatus.TooManyFiles), SocketHandle.None, default);
        sim.Core.Counters.Add(Counter.AcceptsFailed);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void ScanBeforeItsTime_BreaksS9() => Breaks("S9", static sim =>
        sim.Observer.OnScanOpened(sim.Now, IoResult.Ok()));

    [Fact]
    public void SessionThatNobodyListensTo_BreaksS14() => Breaks("S14", static sim =>
    {
        sim.Observer.OnInterest(sim.Now, sim.FirstSession, Readiness.None);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void SessionThatIsListenedTo_PassesS14() => Passes("S14", static sim =>
    {
        sim.Observer.OnInterest(sim.Now, sim.FirstSession, Readiness.Read);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void DatagramThatWaitsForTwoTurns_BreaksS14() => Breaks("S14", static sim =>
        SendAndDoNotRead(sim, queued: true));

    [Fact]
    public void DatagramThatFoundNoRoom_PassesS14() => Passes("S14", static sim =>
        SendAndDoNotRead(sim, queued: false));

    private static void SendAndDoNotRead(Suspect sim, bool queued)
    {
        sim.Observer.OnClientSent(
            sim.Now, 0, new Endpoint(Suspect.Asker, 1000), [0], queued);
        for (var n = 0; n < 2; n++)
        {
            sim.Observer.OnTurnBegan(sim.Now, []);
            sim.Observer.OnTurnEnded(sim.Now, sim.Core);
        }
    }

    [Fact]
    public void ClientWhoseConnectionsGoFirst_BreaksS14() => Breaks(
        "S14", "10.1.0.1 had a connection's turn twice while 1 connections of 10.1.0.2 waited",
        static sim => Take(sim, 0, 1, 2));

    [Fact]
    public void ClientsByTurns_PassS14() => Passes("S14", static sim => Take(sim, 0, 2, 1));

    [Fact]
    public void ClientThatIsAlone_PassesS14() => Passes("S14", static sim => Take(sim, 2, 0, 1));

    /// <summary>
    /// Two connections of one client and one of another are ready, and read in this order.
    /// </summary>
    private static void Take(Suspect sim, params int[] order)
    {
        SocketHandle[] streams = [.. sim.Connect(Asker, 2), .. sim.Connect(Other, 1)];
        sim.Observer.OnTurnBegan(sim.Now, [.. streams.Select(
            stream => new NetworkEvent(NetworkEventKind.Socket, stream, Readiness.Read))]);
        foreach (var n in order)
            sim.Observer.OnRead(sim.Now, streams[n], IoResult.Failed(IoStatus.WouldBlock), []);
    }

    [Fact]
    public void StopWithAnOpenListener_BreaksS15() => Breaks("S15", static sim =>
    {
        sim.Observer.OnLogged(sim.Now, new LogEvent.Stopping(0));
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void StopThatTheBalancerMakes_PassesS15() => Passes("S15", static sim =>
    {
        sim.Kernel.RequestStop();
        sim.Run(1);
        Assert.True(sim.Core.HasStopped);
    });

    // ---- Queries that are sent again ----

    [Fact]
    public void QuerySentAThirdTime_BreaksS16() => Breaks(
        "S16", "1 queries were sent a third time or more; the answers of 0 were held",
        static sim => SendAgain(sim, 3));

    [Fact]
    public void QuerySentToAThirdSession_BreaksS16() => Breaks(
        "S16", "that came 1 times was sent to 3 sessions", static sim =>
        {
            SendAgain(sim, 1);
            foreach (var name in new[] { "5303", "5304" })
            {
                _ = new SimBackend(sim.Kernel, name);
                sim.Run(0.1);
                sim.Observer.OnWritten(
                    sim.Now, sim.LastConnected, IoResult.Ok(Frame.Length), Frame);
            }
        });

    [Fact]
    public void DatagramToWhereProbesComeFrom_BreaksS16() => Breaks(
        "S16", static sim =>
        {
            sim.Observer.OnReceived(
                sim.Now, new DatagramHeader { Peer = SpecifiedLimits.ProbeSource }, [0, 1]);
            sim.Observer.OnSent(
                sim.Now, new DatagramHeader { Peer = SpecifiedLimits.ProbeSource }, [0, 1]);
        },
        new Scenario { Kernel = new KernelPlan { Probe = true } });

    [Fact]
    public void QuerySentTwice_PassesS16() => Passes("S16", static sim => SendAgain(sim, 2));

    private static byte[] Frame =>
    [
        2, 0, 0, 0, 1, 0, 1, 10, 7, 0, 0, 0, 12, 0, 0, 0,
        0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
    ];

    /// <summary>
    /// A query comes, and so many frames with it are written, the first in pieces.
    /// </summary>
    private static void SendAgain(Suspect sim, int times)
    {
        var frame = Frame;
        sim.Observer.OnReceived(sim.Now, Header(7), frame.AsSpan(16..));
        sim.Observer.OnWritten(sim.Now, sim.FirstSession, IoResult.Ok(9), frame.AsSpan(..9));
        sim.Observer.OnWritten(sim.Now, sim.FirstSession, IoResult.Ok(19), frame.AsSpan(9..));
        for (var n = 1; n < times; n++)
        {
            sim.Observer.OnWritten(
                sim.Now, sim.FirstSession, IoResult.Ok(frame.Length), frame);
        }
    }

    [Fact]
    public void SecondReplyToOneQuery_BreaksS16() => Breaks(
        "S16", "it has asked 1 times", static sim => ReplyTo(sim, queries: 1, replies: 2));

    [Fact]
    public void ReplyToEachOfTwoQueries_PassesS16() =>
        Passes("S16", static sim => ReplyTo(sim, queries: 2, replies: 2));

    private static void ReplyTo(Suspect sim, int queries, int replies)
    {
        for (var n = 0; n < queries; n++)
            sim.Observer.OnReceived(sim.Now, Header(7), [0, 9, 1]);
        for (var n = 0; n < replies; n++)
            sim.Observer.OnSent(sim.Now, Header(7), [0, 9, 0x81]);
    }

    [Fact]
    public void CopiesBeyondTheBudget_BreakS16() => Breaks(
        "S16", "51 queries of suspect backends were sent again", static sim => Copy(sim, 51));

    [Fact]
    public void CopiesOfTheBudget_PassS16() => Passes("S16", static sim => Copy(sim, 50));

    private static void Copy(Suspect sim, int count)
    {
        sim.Core.Counters.Add(Counter.ResendsFromSuspect, count);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }

    [Fact]
    public void QueryThatIsNeitherAnsweredNorInFlight_BreaksS1() => Breaks("S1", static sim =>
    {
        sim.Core.Counters.Add(Counter.UnansweredLost);
        sim.Kernel.RequestStop();
        sim.Run(1);
    });

    // ---- Silence ----

    [Fact]
    public void SuspicionOfABackendThatAnswers_BreaksS12() => Breaks("S12", static sim =>
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendSuspected(
            Id, Path, Duration.FromMilliseconds(200L), 1)));

    [Fact]
    public void SuspicionOfABackendThatPauses_PassesS12() => Passes("S12", static sim =>
    {
        sim.First.EchoesQueries = false;
        sim.First.AnswersHeartbeats = false;
        sim.Query(Asker, 7);
        sim.Run(1);
        Assert.Equal(1, sim.Log.Count<LogEvent.BackendSuspected>());
    });

    [Fact]
    public void BackendAskedBecauseItIsSilent_PassesS8() => Passes("S8", static sim =>
    {
        var before = sim.Log.Count<LogEvent.HeartbeatSent>();
        sim.First.EchoesQueries = false;
        sim.Query(Asker, 7);
        sim.Run(0.15);
        // The other one, which owes nothing, is asked as well.
        Assert.Equal(before + 2, sim.Log.Count<LogEvent.HeartbeatSent>());
    });

    [Fact]
    public void UnknownCheck_MakesAnEmptySet()
    {
        var checks = new CheckSet(new Simulation.Scenarios.Scenario()).Only(["S99"]);

        checks.OnLogged(Instant.Zero, new LogEvent.HeartbeatSent(Id));

        Assert.Null(checks.Violation);
    }

    private static Ipv4 Other => Ipv4.From(10, 1, 0, 2);

    private static DatagramHeader Header(ushort port, int length = 12) => new()
    {
        Peer = new Endpoint(Asker, port),
        Local = Ipv4.From(10, 99, 99, 1),
        Length = length,
    };
}
