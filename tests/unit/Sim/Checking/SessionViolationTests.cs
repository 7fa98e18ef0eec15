// As ViolationTests, for the checks of sessions: heartbeats and silence (S8), connects and scans
// (S9), and why a session ends (S11).

using System.Linq;
using Balancer.Core;
using Xunit;
using static Tests.Unit.Sim.Checking.Suspect;

namespace Tests.Unit.Sim.Checking;

public sealed class SessionViolationTests
{
    private static readonly BackendId Id = new(5301);
    private const string Path = "/run/bbal/5301";

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
    public void ScanBeforeItsTime_BreaksS9() => Breaks("S9", static sim =>
        sim.Observer.OnScanOpened(sim.Now, IoResult.Ok()));

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
    public void SuspicionOfABackendThatAnswers_BreaksS12() => Breaks("S12", static sim =>
        sim.Observer.OnLogged(sim.Now, new LogEvent.BackendSuspected(
            Id, Path, Duration.FromMilliseconds(200L), 1)));

    [Fact]
    public void SuspicionOfABackendThatPauses_PassesS12() => Passes("S12", static sim =>
    {
        sim.First.EchoesQueries = false;
        sim.First.AnswersHeartbeats = false;
        sim.Query(Asker, 1007);
        sim.Run(1);
        Assert.Equal(1, sim.Log.Count<LogEvent.BackendSuspected>());
    });

    [Fact]
    public void BackendAskedBecauseItIsSilent_PassesS8() => Passes("S8", static sim =>
    {
        var before = sim.Log.Count<LogEvent.HeartbeatSent>();
        sim.First.EchoesQueries = false;
        sim.Query(Asker, 1007);
        sim.Run(0.15);
        // The other one, which owes nothing, is asked as well.
        Assert.Equal(before + 2, sim.Log.Count<LogEvent.HeartbeatSent>());
    });
}
