// Each check alone, on a calm run into which one false event is fed: what it must object to. The
// calm run itself, with the same check, is the sequence that it must let pass.

using System;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Kernel;
using Simulation.Running;
using Xunit;

namespace Tests.Unit.Sim.Checking;

public sealed class ComplaintTests
{
    private static readonly BackendId Id = new(5301);
    private const string Path = "/run/bbal/5301";

    [Fact]
    public void DatagramThatIsNotSentOn_BreaksS1() => Breaks("S1", static sim =>
        sim.Observer.OnReceived(sim.Now, Header(7), [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]));

    [Fact]
    public void ReplyThatIsCountedTwice_BreaksS1() => Breaks("S1", static sim =>
        sim.Core.Counters.Add(Counter.RepliesSent));

    [Fact]
    public void QueryToABackendThatHasEnded_BreaksS2() => Breaks("S2", static sim =>
    {
        var stream = Stream(sim);
        sim.Observer.OnRead(sim.Now, stream, IoResult.Failed(IoStatus.EndOfStream), []);
        sim.Observer.OnWritten(sim.Now, stream, IoResult.Ok(4), [2, 0, 0, 0]);
    });

    [Fact]
    public void BindingThatNobodyNeeds_BreaksS3() => Breaks("S3", static sim =>
        sim.Observer.OnLogged(sim.Now,
            new LogEvent.RemoteAssigned(Host, new BackendId(5302), false)));

    [Fact]
    public void BackendCalledUnlinkedWithoutAScan_BreaksS3() => Breaks("S3", static sim =>
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendUnlinked(Id, Path)));

    [Fact]
    public void DatagramOfNoReply_BreaksS5() => Breaks("S5", static sim =>
        sim.Observer.OnSent(sim.Now, Header(7), [1, 2, 3]));

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
        sim.Observer.OnRead(sim.Now, Stream(sim), IoResult.Ok(4), [77, 0, 0, 0]);
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void HeartbeatTooEarly_BreaksS8() => Breaks("S8", static sim =>
        sim.Observer.OnLogged(sim.Now, new LogEvent.HeartbeatSent(Id)));

    [Fact]
    public void ConnectWhileASessionLives_BreaksS9() => Breaks("S9", static sim =>
        sim.Observer.OnConnected(sim.Now, "/run/bbal/5301"u8, IoResult.Ok(),
            new SocketHandle(900, 1)));

    [Fact]
    public void StreamThatNothingNeeds_BreaksS10() => Breaks("S10", static sim =>
    {
        sim.Observer.OnAccepted(sim.Now, IoResult.Ok(), new SocketHandle(900, 1),
            new Endpoint(Host, 7));
        sim.Observer.OnTurnEnded(sim.Now, sim.Core);
    });

    [Fact]
    public void LineThatRepeatsAtOnce_BreaksS10() => Breaks("S10", static sim =>
    {
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoBackend(1));
        sim.Observer.OnLogged(sim.Now, new LogEvent.NoBackend(1));
    });

    [Fact]
    public void FaultOfASessionThatLives_BreaksS11() => Breaks("S11", static sim =>
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendFaulted(
            Id, Path, new Fault(FaultCause.HelloTimeout), Duration.FromSeconds(1L))));

    [Fact]
    public void CounterThatNothingSeenExplains_BreaksS12() => Breaks("S12", static sim =>
        sim.Core.Counters.Add(Counter.AcceptsFailed));

    [Fact]
    public void UnknownCheck_MakesAnEmptySet()
    {
        var checks = new CheckSet(new Simulation.Scenarios.Scenario()).Only(["S99"]);

        checks.OnLogged(Instant.Zero, new LogEvent.HeartbeatSent(Id));

        Assert.Null(checks.Violation);
    }

    private static Ipv4 Host => Ipv4.From(10, 1, 0, 1);

    private static DatagramHeader Header(ushort port) =>
        new() { Peer = new Endpoint(Host, port), Local = Ipv4.From(10, 99, 99, 1), Length = 12 };

    private static SocketHandle Stream(Watched sim) => sim.FirstSession;

    private static void Breaks(string id, Action<Watched> feed)
    {
        var sim = new Watched(choose: checks => checks.Only([id]));
        _ = new SimBackend(sim.Kernel, "5301") { EchoesQueries = true };
        _ = new SimBackend(sim.Kernel, "5302") { EchoesQueries = true };
        sim.Run(3);
        sim.Query(Host, 999);
        sim.Run(5);
        Assert.Null(sim.Checks.Violation);

        try
        {
            feed(sim);
            sim.Run(5);
        }
        catch (ViolationException)
        {
            // Checks.Violation has it.
        }

        Assert.Equal(id, sim.Checks.Violation?.Check);
    }
}
