// Backend and its path: an orderly stop, a socket that is removed, replaced, moved away and back
// (docs/behaviour.md, section 3).

using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class BackendPathTests : CoreTest
{
    /// <summary>The name of an entry whose path is too long for an AF_UNIX address.</summary>
    private static readonly string NameOfNone = new('x', 120);

    [Theory]
    [InlineData(0)]
    [InlineData(0.005)]
    [InlineData(0.5)]
    public void StopsInOrder_IsNotAFaultHoweverSoonItsSessionEnds(double drains)
    {
        var backend = HealthyBackends("5301")[0];
        backend.Unlink();
        Run(drains);
        backend.Crash();
        Run(0.1);

        Assert.Empty(Log.Of<LogEvent.BackendFaulted>());
        var stopped = Assert.Single(Log.Of<LogEvent.BackendStopped>());
        Assert.Equal(new BackendId(5301), stopped.Id);
        Assert.Equal(Seconds(1), stopped.BackOff);
        Run(1);
        Assert.Equal(BackendState.Removed, State("5301"));
    }

    [Fact]
    public void StopsInOrderWithQueriesUnread_IsNotAFaultAndLogsTheErrno()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Unlink();
        backend.ResetSessions();
        Run(0.1);

        Assert.Empty(Log.Of<LogEvent.BackendFaulted>());
        var stopped = Assert.Single(Log.Of<LogEvent.BackendStopped>());
        Assert.Equal(IoStatus.Reset, stopped.How.Status);
    }

    [Fact]
    public void SocketRemovedAndAnotherFault_IsAFaultAllTheSame()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Unlink();
        Run(0.1);
        backend.Control!.SendType(77);
        Run(0.1);

        Assert.Equal(FaultCause.UnknownFrame, FirstFault().Cause);
        Assert.Empty(Log.Of<LogEvent.BackendStopped>());
    }

    [Theory]
    [InlineData(IoStatus.AccessDenied, true)]
    [InlineData(IoStatus.TooManyFiles, false)]
    [InlineData(IoStatus.NotFound, true)]
    public void SessionEndsWhileTheDirectoryIsUnreadable_IsAFaultUnlessTheSocketIsKnownToBeGone(
        IoStatus why, bool faults)
    {
        var backend = HealthyBackends("5301")[0];
        Kernel.Directory.Readable = IoResult.Failed(why, 1);
        Run(6);
        backend.Stop();
        Run(0.1);

        Assert.Equal(faults ? 1 : 0, Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(faults ? 0 : 1, Log.Count<LogEvent.BackendStopped>());
    }

    [Fact]
    public void PathGoneAtConnect_IsRemovedAndNotTriedUntilAScanSeesIt()
    {
        Kernel.Directory.TellsChanges = false;
        var backend = HealthyBackends("5301")[0];
        backend.Stop();
        Run(1.2);
        Assert.Equal(BackendState.Removed, State("5301"));
        var tries = Snapshot("5301").ConnectsStarted;
        Run(60);
        Assert.Equal(tries, Snapshot("5301").ConnectsStarted);
        backend.Rebind();
        Run(5.1);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(1, Log.Count<LogEvent.BackendReturned>());
        Assert.Equal(new BackendId(5301), Snapshot("5301").Id);
    }

    [Fact]
    public void RemovedForLong_IsForgottenWithItsId()
    {
        var backend = HealthyBackends("5301")[0];
        Ask(1);
        backend.Stop();
        Run(250);
        Assert.Equal(BackendState.Removed, State("5301"));
        Run(100);

        Assert.Empty(Balancer.Core.SnapshotBackends());
        Assert.Equal(1, Log.Count<LogEvent.BackendForgotten>());
    }

    [Fact]
    public void RestartedWhileBackingOff_IsConnectedToAtOnce()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Crash();
        Run(30);
        Assert.Equal(BackendState.BackingOff, State("5301"));
        backend.Rebind();
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(1, Log.Count<LogEvent.BackendRestarted>());
    }

    [Fact]
    public void RestartedWhileItsOldSessionLives_IsConnectedToAtOnceAndTheOldOneRetires()
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        Ask(1);
        var old = backend.Control!;
        backend.Rebind();
        Run(0.1);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(2, backend.Sessions.Count);

        // What is in flight on the old session is still answered; new queries go to the new one.
        old.Reply(Client(1), Query(1));
        Ask(2);
        Assert.Equal(1, Kernel.Datagrams.SentCount);
        Assert.Same(backend.Sessions[1], backend.Queries[^1].Session);
        old.Close();
        Run(0.1);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(1, Kernel.OpenDescriptors);
    }

    /// <summary>What its process answered before it ended lies unread when a write fails.</summary>
    [Fact]
    public void OldProcessAnsweredAndEndedBeforeItsSessionRetires_ItsAnswersAreDelivered()
    {
        // More than a turn reads of a session, and no more than the UDP socket takes in one.
        const int Queries = 250;
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        for (var n = 0; n < Queries; n++)
            Ask(n);
        var old = backend.Control!;
        for (var n = 0; n < Queries; n++)
            old.Reply(Client(n), Query(n));
        old.Close();
        Kernel.InjectDatagram(Client(Queries), Query(Queries));
        backend.Rebind();
        Kernel.RequestRescan();
        Run(1);

        Assert.Equal(1, Log.Count<LogEvent.BackendRestarted>());
        Assert.Equal(Queries, Kernel.Datagrams.SentCount);
        Assert.Equal(0, Balancer.Core.Counters[Counter.UnansweredLost]);
    }

    [Fact]
    public void RetiredSession_EndsByItselfAfterItsTime()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Rebind();
        Run(14);
        Assert.Equal(2, Kernel.OpenDescriptors);
        Run(2);

        Assert.Equal(1, Kernel.OpenDescriptors);
        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Theory]
    [InlineData(1001u)]
    [InlineData(1003u)]
    [InlineData(4711u)]
    public void WrongFrameOnARetiredSession_CostsThatSessionAlone(uint type)
    {
        var backend = HealthyBackends("5301")[0];
        var old = backend.Control!;
        backend.Rebind();
        Run(0.1);
        old.SendType(type);
        Run(0.1);

        Assert.Equal(1, Kernel.OpenDescriptors);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void RestartedAgainAndAgain_KeepsOneRetiredSessionAtMost()
    {
        var backend = HealthyBackends("5301")[0];
        for (var n = 0; n < 10; n++)
        {
            backend.Rebind();
            Run(0.1);
            Assert.Equal(BackendState.Healthy, State("5301"));
        }

        Assert.Equal(2, Kernel.OpenDescriptors);
    }

    [Fact]
    public void ReconnectedWhileAScanWasOpen_IsNotJudgedByIt()
    {
        for (var n = 0; n < 100; n++)
            Kernel.Directory.Create($"file{n}", SimEntryKind.File);
        Kernel.Directory.TellsChanges = false;
        var backend = HealthyBackends("5301")[0];
        Run(1);
        backend.Stop();
        Run(0.99);
        // The scan lists the directory without the socket; the reconnect finds it restarted.
        Kernel.RequestRescan();
        Balancer.Turn();
        backend.Rebind();
        Kernel.Faults.Stall = Seconds(0.2);
        Run(60);

        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void RestartedBeforeTheHello_OldSessionIsGivenUpForTheNewSocket()
    {
        var backend = Backend("5301");
        backend.AnswersHello = false;
        Run(6);
        backend.AnswersHello = true;
        backend.Rebind();
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(1, Kernel.OpenDescriptors);
    }

    [Fact]
    public void RestartedBetweenScans_NewSessionIsHealthyAndStaysSo()
    {
        Kernel.Directory.TellsChanges = false;
        var backend = HealthyBackends("5301")[0];
        Run(0.4);
        backend.Crash();
        backend.Rebind();
        Run(2);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Run(20);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, Log.Count<LogEvent.BackendRestarted>());
    }

    [Fact]
    public void PathIsMovedAwayAndBack_IsLoggedBothTimes()
    {
        HealthyBackends("5301");
        Kernel.Directory.Rename("5301", NameOfNone);
        Run(6);
        Assert.Equal(BackendState.Draining, State("5301"));
        Kernel.Directory.Rename(NameOfNone, "5301");
        Run(6);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(1, Log.Count<LogEvent.BackendDraining>());
        Assert.Equal(1, Log.Count<LogEvent.BackendResumed>());
    }

    [Fact]
    public void HelloComesWhileThePathIsGone_IsDraining()
    {
        var backend = HealthyBackends("5301")[0];
        backend.AnswersHello = false;
        backend.CloseSessions();
        Run(2);
        Assert.Equal(BackendState.AwaitingHello, State("5301"));
        Kernel.Directory.Rename("5301", NameOfNone);
        Run(6);
        Assert.Equal(0, Log.Count<LogEvent.BackendDraining>());

        backend.Sessions[^1].SendHello();
        Run(1);

        Assert.Equal(BackendState.Draining, State("5301"));
        Assert.Equal(2, Log.Count<LogEvent.BackendHealthy>());
        Assert.Equal(1, Log.Count<LogEvent.BackendDraining>());
    }

    [Fact]
    public void UnlinkedWhileItsSessionLives_DrainsUntilItEnds()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        Assert.Single(backends[0].Queries);
        backends[0].Unlink();
        Run(0.1);
        Assert.Equal(BackendState.Draining, State("5301"));
        for (var client = 1; client <= 10; client++)
            Ask(client);

        // Another one is healthy, so the remote that it had goes there too.
        Assert.Equal(1, backends[0].QueryCount);
        Assert.Equal(11, backends[1].QueryCount);
        Assert.Equal(5301, Remote(1)!.Value.Primary.Value);
        backends[0].CloseSessions();
        Run(2);
        Assert.Equal(BackendState.Removed, State("5301"));
    }

    [Fact]
    public void UnlinkedAndNoOtherIsHealthy_ServesWhoIsBoundToIt()
    {
        var backends = HealthyBackends("5301", "5302");
        Ask(1);
        Ask(2);
        backends[0].Unlink();
        Run(0.1);
        backends[1].Crash();
        Run(0.1);
        Ask(1);
        Ask(2);

        Assert.Equal(2, backends[0].QueryCount);
        Assert.Equal(1, Count(Counter.QueriesWithoutBackend));
    }

    private Fault FirstFault() => Log.Of<LogEvent.BackendFaulted>().First().Fault;
}
