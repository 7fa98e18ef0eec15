// Discovery: what in the directory becomes a backend, with which id, and what a scan that fails
// does not say.

using System;
using System.Linq;
using System.Text;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class DiscoveryTests : CoreTest
{
    [Fact]
    public void EntryThatAppears_IsConnectedToAtOnceByItsEvent()
    {
        Run(1);
        Backend("5301");
        Run(0.05);

        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void WithoutEvents_TheScanEveryFiveSecondsFindsIt()
    {
        Kernel.Directory.TellsChanges = false;
        Run(1);
        Backend("5301");
        Run(3.9);
        Assert.Empty(Balancer.Core.SnapshotBackends());
        Run(0.2);

        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void OperatorAsks_IsScannedAtOnce()
    {
        Kernel.Directory.TellsChanges = false;
        Run(1);
        Backend("5301");
        Kernel.RequestRescan();
        Run(0.01);

        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Theory]
    [InlineData(SimScanOrder.Creation)]
    [InlineData(SimScanOrder.Reversed)]
    [InlineData(SimScanOrder.Shuffled)]
    public void NamesThatFightForAnId_PortsAsUsuallyWrittenWinInAnyOrder(SimScanOrder order)
    {
        Kernel.Directory.Order = order;
        foreach (var name in new[] { "foo", "05301", "5302", "5301", "5300x", "99999", "5299" })
            Backend(name);
        Run(0.1);

        Assert.Equal(5301, Snapshot("5301").Id.Value);
        Assert.Equal(5302, Snapshot("5302").Id.Value);
        // The others, in the order of their bytes, get the highest id in use plus one.
        Assert.Equal([5303, 5304, 5305, 5306, 5307],
            new[] { "05301", "5299", "5300x", "99999", "foo" }.Select(n => Snapshot(n).Id.Value));
    }

    [Fact]
    public void OtherNameAlone_GetsIdOne()
    {
        HealthyBackends("foo");

        Assert.Equal(1, Snapshot("foo").Id.Value);
    }

    [Theory]
    [InlineData("5300", 5300)]
    [InlineData("5399", 5399)]
    [InlineData("05301", 5301)]
    [InlineData("5400", null)]
    [InlineData("5299", null)]
    [InlineData("-5301", null)]
    [InlineData("5301 ", null)]
    [InlineData("", null)]
    [InlineData("530100000000000000000000000000000", null)]
    public void NamedId_IsANumberFrom5300To5399(string name, int? id) =>
        Assert.Equal(id, Backends.NamedId(Encoding.UTF8.GetBytes(name))?.Value);

    [Fact]
    public void EntriesThatAreNotSockets_AreSkippedAndLoggedOnce()
    {
        Kernel.Directory.Create("5301", SimEntryKind.File);
        Kernel.Directory.Create("notes", SimEntryKind.Folder);
        Backend("5302");
        Run(60);

        Assert.Equal(5302, Balancer.Core.SnapshotBackends().Single().Id.Value);
        Assert.Equal(2, Log.Count<LogEvent.EntryNotASocket>());
    }

    [Fact]
    public void SocketOfDatagrams_IsRefusedOnceWhileItStays()
    {
        Kernel.Directory.Create("5301", SimEntryKind.DatagramSocket);
        Backend("5302");
        Run(700);

        var refused = Assert.Single(Log.Of<LogEvent.EntryRefused>());
        Assert.Equal(EntryRefusal.NotAStream, refused.Why);
        Assert.Equal(1, Snapshot("5301").ConnectsStarted);
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Kernel.Directory.Unlink("5301");
        Backend("5301");
        Run(0.1);
        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void SocketOfDatagramsThatWent_IsForgotten()
    {
        Kernel.Directory.Create("5301", SimEntryKind.DatagramSocket);
        Run(1);
        Kernel.Directory.Unlink("5301");
        Run(310);

        Assert.Empty(Balancer.Core.SnapshotBackends());
    }

    [Fact]
    public void EntryCannotBeLookedAt_IsNeitherFoundNorMissing()
    {
        Backend("5301");
        Run(1);
        Kernel.Directory.SetUnknown("5301", true);
        Kernel.Directory.Link("5302", "elsewhere");
        Kernel.Directory.SetUnknown("5302", true);
        Backend("5303");
        Run(20);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(BackendState.Healthy, State("5303"));
        Assert.Equal(0, Log.Count<LogEvent.DirectoryUnreadable>());
        var refused = Assert.Single(Log.Of<LogEvent.EntryRefused>());
        Assert.Equal(EntryRefusal.Unknown, refused.Why);
        Assert.EndsWith("/5302", refused.Path, StringComparison.Ordinal);
    }

    [Fact]
    public void SocketGivenAwayAMomentAfterBind_IsABackendAndNothingIsLogged()
    {
        Run(1);
        Backend("5301");
        Kernel.Directory.ChangeOwner("5301", isForeign: true);
        Run(0.1);
        Assert.Empty(Balancer.Core.SnapshotBackends());
        Kernel.Directory.ChangeOwner("5301", isForeign: false);
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, Log.Count<LogEvent.EntryRefused>());
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void SocketThatStaysAnothersUsers_IsRefusedAfterAThirdOfASecondAndOnce()
    {
        Run(1);
        Kernel.Directory.Create("5301", SimEntryKind.ForeignSocket);
        var scans = Kernel.Calls[SimCall.OpenScan];
        Run(0.3);
        Assert.Equal(0, Log.Count<LogEvent.EntryRefused>());
        Run(0.1);
        Assert.Equal(
            EntryRefusal.WrongUser, Assert.Single(Log.Of<LogEvent.EntryRefused>()).Why);
        // By its event, and at 10, 30, 70, 150 and 310 ms.
        Assert.Equal(6, Kernel.Calls[SimCall.OpenScan] - scans);
        Run(60);

        Assert.Equal(1, Log.Count<LogEvent.EntryRefused>());
        Assert.InRange(Kernel.Calls[SimCall.OpenScan] - scans, 6, 18);
    }

    [Fact]
    public void BackendRestartsAndItsSocketIsGivenAwayLate_ItIsNotMissedUntilThen()
    {
        var backend = HealthyBackends("5301")[0];
        Log.Clear();
        backend.Rebind();
        Kernel.Directory.ChangeOwner("5301", isForeign: true);
        Run(0.1);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Kernel.Directory.ChangeOwner("5301", isForeign: false);
        Run(0.2);

        Assert.Equal(1, Log.Count<LogEvent.BackendRestarted>());
        Assert.Equal(0, Log.Count<LogEvent.BackendDraining>());
        Assert.Equal(0, Log.Count<LogEvent.EntryRefused>());
    }

    [Fact]
    public void SocketChownedToAnotherUser_CountsAsRemoved()
    {
        HealthyBackends("5301");
        Kernel.Directory.ChangeOwner("5301", isForeign: true);
        Run(6);

        Assert.Equal(BackendState.Draining, State("5301"));
        Assert.Equal(1, Log.Count<LogEvent.EntryRefused>());
    }

    [Fact]
    public void PathOf107Bytes_IsABackendOneMoreIsRefusedOnce()
    {
        var fits = new string('a', Limits.MaxPathBytes - Kernel.Directory.Path.Length - 1);
        Backend(fits);
        Kernel.Directory.Create(fits + "b", SimEntryKind.File);
        Run(1);
        Assert.Equal(BackendState.Healthy, State(fits));
        Kernel.Directory.Unlink(fits + "b");
        Kernel.Directory.Bind(fits + "b");
        Run(30);

        Assert.Single(Balancer.Core.SnapshotBackends());
        Assert.Single(Log.Of<LogEvent.EntryRefused>(), e => e.Why == EntryRefusal.PathTooLong);
    }

    [Fact]
    public void DirectoryThatCanBeReadAndCannot_IsLoggedSeldomAndEndsWithWhatIsSo()
    {
        HealthyBackends("5301");
        for (var n = 0; n < 101; n++)
        {
            Kernel.Directory.Readable = n % 2 == 0
                ? IoResult.Failed(IoStatus.AccessDenied, 13) : IoResult.Ok();
            Kernel.RequestRescan();
            Run(0.1);
        }
        Assert.InRange(Log.Count<LogEvent.DirectoryUnreadable>()
            + Log.Count<LogEvent.DirectoryReadable>(), 2, 3);
        Run(6);

        var unreadable = Log.Last<LogEvent.DirectoryUnreadable>();
        Assert.Equal(13, unreadable.Why.Errno);
        Assert.Equal(101, Log.Of<LogEvent.DirectoryUnreadable>().Sum(e => e.Suppressed + 1)
            + Log.Of<LogEvent.DirectoryReadable>().Sum(e => e.Suppressed + 1));
        var before = Log.Count<LogEvent.DirectoryReadable>();
        Kernel.Directory.Readable = IoResult.Ok();
        Kernel.RequestRescan();
        Run(6);
        Assert.Equal(before + 1, Log.Count<LogEvent.DirectoryReadable>());
    }

    [Fact]
    public void DirectoryMissingAtStart_IsSaidOnceAndFoundLater()
    {
        Kernel.Directory.Readable = IoResult.Failed(IoStatus.NotFound, 2);
        Backend("5301");
        Run(20);
        Assert.Equal(1, Log.Count<LogEvent.DirectoryUnreadable>());
        Kernel.Directory.Readable = IoResult.Ok();
        Run(5);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(1, Log.Count<LogEvent.DirectoryReadable>());
    }

    [Fact]
    public void DirectoryThatHangs_ChangesNothingAndIsSaidOnceEachWay()
    {
        HealthyBackends("5301", "5302");
        Kernel.Directory.Hangs = true;
        Run(60);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(BackendState.Healthy, State("5302"));
        Assert.Equal(Limits.DirectoryPatience,
            Assert.Single(Log.Of<LogEvent.DirectoryNotAnswering>()).Since);
        Assert.Empty(Log.Of<LogEvent.DirectoryAnswering>());

        Kernel.Directory.Unlink("5302");
        Kernel.Directory.Hangs = false;
        Run(1);
        Assert.Single(Log.Of<LogEvent.DirectoryAnswering>());
        Assert.Equal(BackendState.Draining, State("5302"));
        Run(20);
        Assert.Single(Log.Of<LogEvent.DirectoryNotAnswering>());
    }

    [Fact]
    public void DirectoryThatHangs_IsAskedOnce()
    {
        Kernel.Directory.Hangs = true;
        Run(60);
        Assert.Equal(1, Kernel.Calls[SimCall.OpenScan]);
        Kernel.RequestRescan();
        Run(1);
        Assert.Equal(1, Kernel.Calls[SimCall.OpenScan]);
    }

    [Fact]
    public void BackendThatRestartsWhileAScanIsOut_KeepsItsNewSession()
    {
        var backend = HealthyBackends("5301")[0];
        Kernel.Directory.Hangs = true;
        Kernel.RequestRescan();
        Run(0.1);
        backend.Crash();
        backend.Rebind();
        Run(2);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Kernel.Directory.Hangs = false;
        Run(1);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Empty(Log.Of<LogEvent.BackendRestarted>());
    }

    [Fact]
    public void StopWhileAScanIsOut_Ends()
    {
        HealthyBackends("5301");
        Kernel.Directory.Hangs = true;
        Run(6);
        Kernel.RequestStop();
        Run(10);
        Assert.True(Balancer.Core.HasStopped);
    }

    [Theory]
    [InlineData(IoStatus.NotFound)]
    [InlineData(IoStatus.TooManyFiles)]
    [InlineData(IoStatus.AccessDenied)]
    public void DirectoryThatCannotBeRead_RemovesNobody(IoStatus why)
    {
        var backend = HealthyBackends("5301")[0];
        Kernel.Directory.Readable = IoResult.Failed(why);
        Run(60);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, Log.Count<LogEvent.BackendDraining>());
        Assert.Single(backend.Sessions);
    }

    [Fact]
    public void ScanThatBreaksOff_RemovesNobody()
    {
        HealthyBackends("5301", "5302", "5303");
        for (var n = 0; n < 5; n++)
        {
            Kernel.Faults.FailScanAfter(1, IoStatus.Other);
            Kernel.RequestRescan();
            Run(0.1);
        }

        Assert.Equal(0, Log.Count<LogEvent.BackendDraining>());
    }

    [Fact]
    public void LargeDirectory_IsReadAFewEntriesATurn()
    {
        for (var n = 0; n < 1000; n++)
            Kernel.Directory.Create($"file{n}", SimEntryKind.File);
        Balancer.Turn();
        long most = 0;
        for (var turn = 0; turn < 30; turn++)
        {
            var before = Kernel.Calls[SimCall.NextEntry];
            Balancer.Turn();
            most = System.Math.Max(most, Kernel.Calls[SimCall.NextEntry] - before);
        }

        Assert.InRange(most, 1, TurnLimits.Standard.EntriesPerTurn);
        Assert.InRange(Log.Count<LogEvent.EntryNotASocket>(), 1, Limits.MaxSkippedEntries);
    }

    [Fact]
    public void EntriesThatComeAndGo_AreForgottenAndTheTableStaysBounded()
    {
        for (var n = 0; n < 1000; n++)
        {
            var backend = Backend($"tmp{n}");
            Run(0.05);
            backend.Stop();
            Run(2);
        }

        Assert.InRange(Balancer.Core.SnapshotBackends().Length, 0, Limits.MaxBackends);
        Assert.InRange(Kernel.OpenDescriptors, 0, 2);
        Run(700);
        Assert.Empty(Balancer.Core.SnapshotBackends());
    }

    [Fact]
    public void MoreSocketsThanMayBe_AreRefusedWithALine()
    {
        for (var n = 0; n < Limits.MaxBackends + 5; n++)
            Backend($"s{n:000}");
        Run(12);

        Assert.Equal(Limits.MaxBackends, Balancer.Core.SnapshotBackends().Length);
        Assert.Equal(5, Log.Of<LogEvent.EntryRefused>().Count(
            e => e.Why == EntryRefusal.TooManyBackends));
        Assert.Equal(5, Count(Counter.EntriesRefused));
    }

    [Fact]
    public void SocketsThatNeverSayHello_DoNotKeepARealBackendOut()
    {
        for (var n = 0; n < Limits.MaxBackends + 20; n++)
            Backend($"d{n:000}").AnswersHello = false;
        Run(2);
        Backend("z");
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("z"));
        Run(60);
        Assert.Equal(BackendState.Healthy, State("z"));
        Assert.Equal(Limits.MaxBackends, Balancer.Core.SnapshotBackends().Length);
    }

    [Fact]
    public void SocketsWithFullQueues_DoNotKeepARealBackendOut()
    {
        for (var n = 0; n < Limits.MaxBackends; n++)
            Kernel.Directory.Create($"d{n:000}", SimEntryKind.Socket);
        Kernel.Faults.Standing(SimCall.Connect, IoStatus.WouldBlock);
        Run(60);
        Assert.InRange(Kernel.Calls[SimCall.Connect], 0, 45L * Limits.MaxBackends);
        Kernel.Faults.Heal(SimCall.Connect);
        Backend("z");
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("z"));
    }

    /// <summary>A socket that is bound anew all the time is no younger for that.</summary>
    [Fact]
    public void SocketsThatAreReplaced_DoNotKeepARealBackendOut()
    {
        var dead = System.Linq.Enumerable.Range(0, Limits.MaxBackends)
            .Select(n => Backend($"d{n:000}")).ToArray();
        foreach (var one in dead)
            one.AnswersHello = false;
        for (var n = 0; n < 4; n++)
        {
            Run(0.5);
            foreach (var one in dead)
                one.Rebind();
        }
        Backend("z");
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("z"));
    }

    [Fact]
    public void DeadSockets_DoNotKeepARealBackendOut()
    {
        for (var n = 0; n < Limits.MaxBackends + 20; n++)
            Kernel.Directory.Create($"d{n:000}", SimEntryKind.Socket);
        Run(2);
        Backend("z");
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("z"));
        Run(60);
        Assert.Equal(BackendState.Healthy, State("z"));
        Assert.Equal(Limits.MaxBackends, Balancer.Core.SnapshotBackends().Length);
    }

    [Fact]
    public void DeadSockets_TakeTurnsWhereThereIsNotRoomForAll()
    {
        for (var n = 0; n < Limits.MaxBackends + 100; n++)
            Kernel.Directory.Create($"d{n:000}", SimEntryKind.Socket);
        Run(60);

        Assert.Equal(Limits.MaxBackends + 100,
            Log.Of<LogEvent.BackendDiscovered>().Select(found => found.Path).Distinct().Count());
    }

    [Fact]
    public void DeadSockets_MoreThanTwiceAsManyAsMayBe_DoNotKeepOneThatIsListedLastOut()
    {
        for (var n = 0; n < 600; n++)
            Kernel.Directory.Create($"d{n:000}", SimEntryKind.Socket);
        Backend("z");
        Run(1);
        Assert.DoesNotContain(
            Balancer.Core.SnapshotBackends(), b => b.Path.EndsWith("/z", StringComparison.Ordinal));
        Run(60);

        Assert.Equal(BackendState.Healthy, State("z"));
    }

    [Fact]
    public void SocketsOfProcessesThatSaidHelloAndDied_KeepANewOneOutForAMinute()
    {
        var died = Enumerable.Range(0, Limits.MaxBackends).Select(n => Backend($"d{n:000}"))
            .ToList();
        Run(1);
        foreach (var backend in died)
            backend.Crash();
        Run(1);
        Backend("5301");
        Run(50);
        Assert.DoesNotContain(Balancer.Core.SnapshotBackends(),
            b => b.Path.EndsWith("/5301", StringComparison.Ordinal));
        Run(30);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(Limits.MaxBackends, Balancer.Core.SnapshotBackends().Length);
    }

    [Theory]
    [InlineData(SimScanOrder.Creation)]
    [InlineData(SimScanOrder.Reversed)]
    public void MoreNewSocketsThanMayBe_PortsComeFirstInAnyOrder(SimScanOrder order)
    {
        Kernel.Directory.Order = order;
        for (var n = 0; n < 150; n++)
            Kernel.Directory.Create($"d{n:000}", SimEntryKind.Socket);
        Backend("5301");
        for (var n = 150; n < 300; n++)
            Kernel.Directory.Create($"d{n:000}", SimEntryKind.Socket);
        Run(1);

        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void DeadSockets_GoWhenTheyAreUnlinked()
    {
        for (var n = 0; n < Limits.MaxBackends; n++)
            Kernel.Directory.Create($"d{n:000}", SimEntryKind.Socket);
        Run(100);
        for (var n = 0; n < Limits.MaxBackends; n++)
            Kernel.Directory.Unlink($"d{n:000}");
        Run(0.1);

        Assert.Empty(Balancer.Core.SnapshotBackends());
    }

    [Fact]
    public void EntriesThatComeAndGo_AreLoggedSeldomAndCounted()
    {
        for (var times = 0; times < 500; times++)
        {
            for (var n = 0; n < 50; n++)
                Kernel.Directory.Create($"f{n}", SimEntryKind.File);
            Run(0.02);
            for (var n = 0; n < 50; n++)
                Kernel.Directory.Unlink($"f{n}");
            Run(0.02);
        }
        Run(10);

        AssertSuppressed<LogEvent.EntryNotASocket>(Limits.RecordsOfEntries + 30);
    }

    [Fact]
    public void SocketThatFlaps_IsLoggedSeldomAndCounted()
    {
        for (var times = 0; times < 500; times++)
        {
            Kernel.Directory.Create("5301", SimEntryKind.Socket);
            Run(0.02);
            Kernel.Directory.Unlink("5301");
            Run(0.02);
        }
        Run(10);

        AssertSuppressed<LogEvent.BackendRestarted>(Limits.RecordsOfEntry + 6);
    }

    /// <summary>Everything that it makes is said a few times, and counted after that.</summary>
    [Fact]
    public void BackendThatIsBoundAgainAllTheTime_IsLoggedSeldomThoughClientsAsk()
    {
        var backend = HealthyBackends("5301")[0];
        for (var times = 0; times < 500; times++)
        {
            backend.EchoesQueries = false;
            // Each asks something else, or it would be refused as what its backend dies of.
            Ask(times, [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2,
                (byte)('a' + times % 26), (byte)('a' + times / 26), 0, 0, 1, 0, 1]);
            backend.Crash();
            Run(0.02);
            Ask(times);
            backend.Rebind();
            Run(0.02);
        }
        Run(10);

        Assert.InRange(Log.Count<LogEvent.QueriesResent>(), 100, 1000);
        // A death has a query refused, and lets go one that was refused before.
        var loud = Log.Events.Where(e => e.Level > LogLevel.Debug
                && e.Event is not (LogEvent.QueryQuarantined or LogEvent.QueryReleased))
            .GroupBy(e => e.Event.GetType().Name).ToDictionary(of => of.Key, of => of.Count());
        Assert.DoesNotContain(loud, of => of.Value > 2 * Limits.RecordsOfEntry);
        Assert.Equal(Count(Counter.QueriesWithoutBackend),
            Log.Of<LogEvent.OutageEnded>().Sum(e => e.QueriesDropped));
    }

    private void AssertSuppressed<TEvent>(int most) where TEvent : struct, ILogEvent
    {
        var loud = Log.Events.Count(e => e.Event is TEvent && e.Level > LogLevel.Debug);
        Assert.InRange(loud, 1, most);
        // Those about an entry are at debug when they are suppressed, and at no other time.
        Assert.Equal(
            Log.Events.Count(e => e.Level == LogLevel.Debug && IsAboutAnEntry(e.Event)),
            Log.Of<LogEvent.EntryRecordsSuppressed>().Sum(e => e.Suppressed));

        static bool IsAboutAnEntry(ILogEvent logged) => logged is LogEvent.EntryNotASocket
            or LogEvent.EntryRefused or LogEvent.BackendDiscovered or LogEvent.BackendReturned
            or LogEvent.BackendRestarted or LogEvent.BackendRemoved or LogEvent.BackendForgotten
            or LogEvent.BackendFaulted;
    }

    [Fact]
    public void NamesThatAreNotUtf8_AreBackendsToo()
    {
        Kernel.Directory.Create([0xff, 0xfe, (byte)'x'], SimEntryKind.Socket);
        Run(1);

        var backend = Balancer.Core.SnapshotBackends().Single();
        Assert.Equal(BackendState.BackingOff, backend.State);
        Assert.EndsWith("x", backend.Path, System.StringComparison.Ordinal);
    }

    [Fact]
    public void EntryListedTwice_IsOneBackend()
    {
        // A file system may list a name again that was unlinked and bound during the scan.
        var twice = new ListedTwice(Kernel.Directory);
        var log = new SimLog(Kernel.Clock);
        var balancer = new LoadBalancer(Kernel.Network, twice, log, NoWarmUp, TurnLimits.Standard);
        var loop = new EventLoop(Kernel.Clock, Kernel.Network, balancer);
        Backend("5301");
        Kernel.WaitLimit = Instant.Zero + Seconds(1);
        while (Kernel.Now < Kernel.WaitLimit)
            loop.RunTurn();

        Assert.Single(balancer.SnapshotBackends());
        Assert.Equal(1, log.Count<LogEvent.BackendDiscovered>());
    }

    private sealed class ListedTwice(IBackendDirectory directory) : IBackendDirectory
    {
        private bool _again;

        public System.ReadOnlySpan<byte> Path => directory.Path;

        public IoResult OpenScan()
        {
            _again = true;
            return directory.OpenScan();
        }

        public IoResult NextEntry(out DirectoryEntry entry)
        {
            var result = directory.NextEntry(out entry);
            if (result.Status != IoStatus.EndOfStream || !_again)
                return result;
            _again = false;
            directory.CloseScan();
            Assert.True(directory.OpenScan().IsOk);
            return directory.NextEntry(out entry);
        }

        public void CloseScan() => directory.CloseScan();

        public IoResult Look(System.ReadOnlySpan<byte> name) => directory.Look(name);
    }

    [Fact]
    public void ChangesWithoutEnd_DoNotStarveQueries()
    {
        HealthyBackends("5301");
        for (var n = 0; n < 200; n++)
        {
            Kernel.Directory.TellChange();
            Ask(n);
        }

        Assert.Equal(200, Count(Counter.RepliesSent));
    }
}
