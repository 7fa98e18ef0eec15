// A backend and its session: states, heartbeats, faults, back-off (docs/behaviour.md, section 3).

using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class BackendTests : CoreTest
{
    [Theory]
    [InlineData(IoStatus.TooManyFiles, 40, 42, 0.2)]
    [InlineData(IoStatus.NoBuffers, 40, 42, 0.2)]
    [InlineData(IoStatus.WouldBlock, 6, 6, 1.7)]
    public void ConnectFailsForWantOfSomethingOfOurOwn_IsNotAFaultAndTriedAgainSoon(
        IoStatus status, int least, int most, double again)
    {
        var backend = HealthyBackends("5301")[0];
        backend.CloseSessions();
        Run(0.1);
        Kernel.Faults.Standing(SimCall.Connect, status);
        Run(5);

        Assert.Equal(BackendState.BackingOff, State("5301"));
        Assert.Equal(1, Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(1, Log.Count<LogEvent.ConnectWithoutResources>());
        Assert.InRange(
            Balancer.Core.Counters[Counter.ConnectsWithoutResources], least, most);
        Assert.Equal(Seconds(3), Snapshot("5301").ReconnectDelay);
        Kernel.Faults.Heal(SimCall.Connect);
        Run(again);
        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void SocketAtStart_IsConnectedToAndHealthyAfterItsHello()
    {
        HealthyBackends("5301");

        Assert.Equal(1, Log.Count<LogEvent.BackendDiscovered>());
        Assert.Equal(new BackendId(5301), Log.Last<LogEvent.BackendHealthy>().Id);
        Assert.Equal(1, Snapshot("5301").ConnectsStarted);
    }

    [Fact]
    public void NoHello_FaultsAfterThirtySecondsAndNotEarlier()
    {
        Backend("5301").AnswersHello = false;
        Run(29.99);
        Assert.Equal(BackendState.AwaitingHello, State("5301"));
        Run(0.02);

        Assert.Equal(FaultCause.HelloTimeout, Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
        Assert.Equal(1, Snapshot("5301").ConnectsFailed);
    }

    [Fact]
    public void Healthy_IsAskedForAHeartbeatFiveSecondsAfterHelloAndAfterEachAnswer()
    {
        var backend = Backend("5301");
        backend.HeartbeatDelay = Seconds(2);
        Run(30);

        var times = backend.Control!.HeartbeatTimes;
        Assert.Equal([5, 12, 19, 26], times.Select(t => t.Nanoseconds / 1_000_000_000));
    }

    [Fact]
    public void HeartbeatAnsweredJustInTime_IsNotAFault()
    {
        Backend("5301").HeartbeatDelay = Seconds(14.9);
        Run(120);

        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void HeartbeatNotAnswered_FaultsAfterFifteenSeconds(bool late)
    {
        var backend = HealthyBackends("5301")[0];
        backend.AnswersHeartbeats = late;
        backend.HeartbeatDelay = Seconds(15.1);
        Run(19.8);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.True(Snapshot("5301").HeartbeatOutstanding);
        Run(0.3);

        Assert.Equal(
            FaultCause.HeartbeatTimeout, Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
        Assert.Equal(1, backend.Sessions[0].Heartbeats);
    }

    [Fact]
    public void ReadsNothingButSendsHeartbeats_IsAtFaultForTheFirstThatItCannotHaveRead()
    {
        var backend = Stuck("5301");
        var session = backend.Control!;
        // Before 5 s none is out at all; after that one waits in a full queue.
        Run(5);
        Assert.True(Snapshot("5301").HeartbeatOutstanding);
        for (var n = 0; n < 12 && Log.Count<LogEvent.BackendFaulted>() == 0; n++)
        {
            session.SendHeartbeat();
            Run(5.1);
        }

        Assert.Equal(FaultCause.UnaskedHeartbeat, FirstFault().Cause);
    }

    [Fact]
    public void ReadsNothingAndReplies_IsAtFaultAfterFifteenSeconds()
    {
        var backend = Stuck("5301");
        var session = backend.Control!;
        for (var n = 0; n < 16; n++)
        {
            session.Reply(Client(1), [1, 2, 3]);
            Run(0.9);
        }
        Assert.Empty(Log.Of<LogEvent.BackendFaulted>());
        Run(0.7);

        Assert.Equal(FaultCause.ReadsNothing, FirstFault().Cause);
    }

    [Fact]
    public void BalancerThatStoodStill_DoesNotTakeItsOwnSleepForTheBackends()
    {
        var backend = Stuck("5301");
        backend.Resume();
        Kernel.Pass(Seconds(16));
        Run(1);

        Assert.DoesNotContain(Log.Of<LogEvent.BackendFaulted>(),
            logged => logged.Fault.Cause == FaultCause.ReadsNothing);
    }

    [Fact]
    public void HeartbeatOutstandingAtAFault_IsForgottenByTheNextSession()
    {
        var backend = HealthyBackends("5301")[0];
        backend.AnswersHeartbeats = false;
        Run(6);
        Assert.True(Snapshot("5301").HeartbeatOutstanding);
        backend.CloseSessions();
        Run(1.5);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.False(Snapshot("5301").HeartbeatOutstanding);
        // An answer now is one that the new session did not ask for.
        backend.Control!.SendHeartbeat();
        Run(0.1);
        Assert.Equal(
            FaultCause.UnaskedHeartbeat, Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
    }

    [Theory]
    [InlineData(1004u, FaultCause.FrameBeforeHello)]
    [InlineData(1002u, FaultCause.FrameBeforeHello)]
    [InlineData(1003u, FaultCause.FrameBeforeHello)]
    [InlineData(77u, FaultCause.FrameBeforeHello)]
    public void AnotherFrameBeforeHello_Faults(uint type, FaultCause cause)
    {
        var backend = Backend("5301");
        backend.AnswersHello = false;
        Run(0.1);
        if (type == 1002)
            backend.Control!.Reply(Client(1), Query(1));
        else
            backend.Control!.SendType(type);
        Run(0.1);

        var fault = Log.Last<LogEvent.BackendFaulted>().Fault;
        Assert.Equal(cause, fault.Cause);
        Assert.Equal(type, fault.Detail);
    }

    [Theory]
    [InlineData(1001u, FaultCause.SecondHello)]
    [InlineData(1003u, FaultCause.TcpFrameOnControlSession)]
    [InlineData(1004u, FaultCause.UnaskedHeartbeat)]
    [InlineData(1u, FaultCause.UnknownFrame)]
    [InlineData(9999u, FaultCause.UnknownFrame)]
    public void WrongFrameWhileHealthy_Faults(uint type, FaultCause cause)
    {
        var backend = HealthyBackends("5301")[0];
        backend.Control!.SendType(type);
        Run(0.1);

        Assert.Equal(cause, Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
        Run(1);
        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void HeartbeatAnsweredTwice_FaultsForTheSecond()
    {
        var backend = HealthyBackends("5301")[0];
        Run(5.5);
        backend.Control!.SendHeartbeat();
        Run(0.1);

        Assert.Equal(
            FaultCause.UnaskedHeartbeat, Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
    }

    [Theory]
    [InlineData(65_536u, true)]
    [InlineData(0x80000000u, true)]
    [InlineData(65_535u, false)]
    [InlineData(1501u, false)]
    public void ReplyLength_OverAnyDatagramFaultsOverTheLimitIsSkipped(uint length, bool faults)
    {
        var backend = HealthyBackends("5301")[0];
        Ask(1);
        backend.Control!.SendOutbound(Client(1).Address.Value, 4000, length,
            new byte[length > 65_535 ? 100 : (int)length]);
        Run(0.1);

        Assert.Equal(faults ? 1 : 0, Log.Count<LogEvent.BackendFaulted>());
        if (!faults)
            Assert.Equal(1, Count(Counter.RepliesOversized));
        AssertCountersAddUp();
    }

    [Fact]
    public void EndOfStream_FaultsAndReconnectsAfterOneSecond()
    {
        var backend = HealthyBackends("5301")[0];
        backend.CloseSessions();
        Run(0.1);
        Assert.Equal(BackendState.BackingOff, State("5301"));
        Assert.Equal(FaultCause.EndOfStream, Log.Last<LogEvent.BackendFaulted>().Fault.Cause);
        Run(0.8);
        Assert.Equal(BackendState.BackingOff, State("5301"));
        Run(0.2);

        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void Reset_IsAFaultWithItsCause()
    {
        var backend = HealthyBackends("5301")[0];
        backend.ResetSessions();
        Run(0.1);

        var fault = Log.Last<LogEvent.BackendFaulted>().Fault;
        Assert.Equal(FaultCause.EndOfStream, fault.Cause);
        Assert.Equal(IoStatus.Reset, fault.Io.Status);
        Assert.NotEqual(0, fault.Io.Errno);
    }

    [Fact]
    public void RefusedForLong_BackOffIsOneThreeFiveUpToThirtyTwo()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Crash();
        Run(400);

        var delays = Log.Of<LogEvent.BackendFaulted>().Select(e => e.BackOff.TotalSeconds);
        Assert.Equal(
            [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 32, 32, 32],
            delays.Take(19));
    }

    [Theory]
    [InlineData(0.015)]
    [InlineData(0.09)]
    [InlineData(0.3)]
    public void SocketBoundAMomentBeforeItListens_IsHealthyWithoutAFault(double late)
    {
        Run(0.1);
        var listener = Kernel.Directory.Bind("5301", listen: false);
        Kernel.At(Kernel.Now + Seconds(late), listener.Listen);
        Run(late);
        Assert.Equal(BackendState.BackingOff, State("5301"));
        Run(late + 0.02);

        Assert.Equal(BackendState.AwaitingHello, State("5301"));
        Assert.Empty(Log.Of<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void SocketThatDoesNotListen_IsTriedQuietlyAndThenFaultsAsEver()
    {
        Kernel.Directory.Create("5301", SimEntryKind.Socket);
        Run(0.3);
        Assert.Equal(5, Snapshot("5301").ConnectsStarted);
        Assert.Empty(Log.Of<LogEvent.BackendFaulted>());
        Run(0.1);

        var fault = Assert.Single(Log.Of<LogEvent.BackendFaulted>());
        Assert.Equal(IoStatus.Refused, fault.Fault.Io.Status);
        Assert.Equal(Seconds(1), fault.BackOff);
        Assert.Equal(1 + Limits.QuietTries, Snapshot("5301").ConnectsFailed);
        Run(1);
        Assert.Equal(2, Log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void SocketWhoseModeIsChangedAfterBind_IsTriedQuietlyUntilThen()
    {
        var backend = Backend("5301");
        backend.Listener.DeniesConnects = true;
        Run(0.1);
        Assert.Equal(BackendState.BackingOff, State("5301"));
        backend.Listener.DeniesConnects = false;
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void SocketGoneAtItsFirstConnect_IsRemovedAfterTheQuietTries()
    {
        Kernel.Faults.NextConnect(IoStatus.NotFound, times: 1 + Limits.QuietTries);
        Backend("5301");
        Run(0.3);
        Assert.Equal(BackendState.BackingOff, State("5301"));
        Run(0.1);

        Assert.Equal(BackendState.Removed, State("5301"));
        Assert.Empty(Log.Of<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void HealthyBackendThatRefuses_FaultsAtOnce()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Crash();
        Run(1.01);

        Assert.Equal(2, Log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void Hello_SetsTheBackOffToOneSecond()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Accepts = false;
        backend.ResetSessions();
        Run(40);
        Assert.True(Snapshot("5301").ReconnectDelay > Seconds(1));
        backend.Accepts = true;
        Run(60);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(Seconds(1), Snapshot("5301").ReconnectDelay);
    }

    [Fact]
    public void EveryFault_ClosesItsSession()
    {
        var backend = Backend("5301");
        backend.AnswersHello = false;
        for (var round = 0; round < 20; round++)
        {
            Run(5);
            backend.Control?.SendType(4711);
        }
        Run(0.1);

        Assert.InRange(Kernel.OpenDescriptors, 0, 1);
    }

    [Fact]
    public void OldSessionsBytes_NeverReachTheNewOne()
    {
        var backend = HealthyBackends("5301")[0];
        // Half a frame, then the end: the other half must not be waited for in the next session.
        backend.Control!.Send([0xea, 0x03, 0, 0, 1, 2]);
        backend.CloseSessions();
        Run(2);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Ask(1);

        Assert.Equal(1, Kernel.Datagrams.SentCount);
    }

    [Fact]
    public void StuckBackendReadsAgain_SaysForHowLongAndHowManyWereDropped()
    {
        var backend = Stuck("5301");
        var dropped = Count(Counter.QueriesToStuckBackend);
        Assert.True(dropped > 1);
        backend.Resume();
        Run(1);

        var end = Assert.Single(Log.Of<LogEvent.BackendUnstuck>());
        Assert.Equal(StuckEnd.Drained, end.End);
        Assert.Equal(dropped, end.Dropped);
        Assert.Equal(dropped, Snapshot("5301").DropsWhileStuck);
        Assert.True(end.Lasted > Duration.Zero);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SessionEndsWhileStuck_SaysTheSame(bool restarted)
    {
        var backend = Stuck("5301");
        var dropped = Count(Counter.QueriesToStuckBackend);
        if (restarted)
            backend.Rebind();
        else
            backend.CloseSessions();
        Run(0.1);

        var end = Assert.Single(Log.Of<LogEvent.BackendUnstuck>());
        Assert.Equal(StuckEnd.SessionEnded, end.End);
        Assert.Equal(dropped, end.Dropped);
    }

    private Fault FirstFault() => Log.Of<LogEvent.BackendFaulted>().First().Fault;

    /// <summary>A backend that reads nothing more, its queue filled to the last byte.</summary>
    private SimBackend Stuck(string name)
    {
        var backend = HealthyBackends(name)[0];
        backend.Hang();
        // Batches, so that the stream takes one in part: of the next it would take nothing at all.
        foreach (var length in (int[])[1400, 0])
        {
            for (var n = 0; n < 1600; n++)
            {
                Kernel.InjectDatagram(Client(1), Query(n, length));
                if (n % 32 == 31)
                    Run(0.0001);
            }
        }
        Assert.InRange(Snapshot(name).QueuedBytes,
            Limits.BackendQueueBytes - Limits.ControlReserveBytes - 15, Limits.BackendQueueBytes);
        return backend;
    }
}
