// Each check of safety alone, on a calm run into which one false event is fed: what it must object
// to. Beside each is what comes close to it and is in order: the same event where it belongs, or
// the real thing that the false one pretended.
//
// Here are the checks of what becomes of queries and what is counted: S1 to S6 and S12. S7's are in
// StreamViolationTests, S8, S9 and S11's in SessionViolationTests, S10, S14 and S15's in
// TurnViolationTests, S16's in ResendViolationTests.

using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Scenarios;
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
    public void QueryThatFindsNobodyAndIsNotLogged_BreaksS1() => Breaks("S1", static sim =>
    {
        sim.First.Crash();
        sim.Second.Crash();
        sim.Run(0.1);
        sim.Observer.OnReceived(sim.Now, Header(7, 12), [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    }, Answering);

    [Fact]
    public void QueryThatFindsNobodyAndIsLogged_PassesS1() => Passes("S1", static sim =>
    {
        sim.First.Crash();
        sim.Second.Crash();
        sim.Run(0.1);
        sim.Query(Asker, 1007);
        sim.Run(0.1);
        Assert.Equal(1, sim.Core.Counters[Counter.OwnAnswersSent]);
    }, Answering);

    [Fact]
    public void ReplyThatIsCountedTwice_BreaksS1() => Breaks("S1", static sim =>
        sim.Core.Counters.Add(Counter.RepliesSent));

    [Fact]
    public void DatagramThatIsDroppedAndCounted_PassesS1() => Passes("S1", static sim =>
        sim.Kernel.InjectDatagram(
            new Endpoint(Asker, 1007), [0, 1, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0]));

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
        sim.Query(Asker, 1007);
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
        sim.Query(Asker, 1007);
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
        sim.Query(Other, 1007);
    });

    [Fact]
    public void RemoteMore_PassesS4() => Passes("S4", static sim =>
    {
        sim.Query(Other, 1007);
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
        sim.First.Reply(new Endpoint(Asker, 1007), [1, 2, 3]);
        sim.Run(0.1);
        sim.Observer.OnSent(sim.Now, Header(7, 3), [1, 2, 3]);
    });

    [Fact]
    public void ReplyThatNobodyAskedForToARemote_PassesS5() => Passes("S5", static sim =>
    {
        sim.First.Reply(new Endpoint(Asker, 1007), [1, 2, 3]);
        sim.First.Reply(new Endpoint(Asker, 1007), []);
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
    public void RecordThatIsOwedAndNotLogged_BreaksS12() => Breaks("S12", static sim =>
    {
        sim.Observer.OnAccepted(
            sim.Now, IoResult.Failed(IoStatus.TooManyFiles), SocketHandle.None, default);
        sim.Core.Counters.Add(Counter.AcceptsFailed);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
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
