// Owns what every IBackendDirectory must do: list what is there, say which entries are sockets
// and which socket each is, and have changes told by the network's Wait.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Balancer.Core;
using Xunit;

namespace Tests.Integration.Contract;

public abstract class DirectoryContract : IDisposable
{
    private readonly NetworkWorld _world;

    protected DirectoryContract(NetworkWorld world) => _world = world;

    private IBackendDirectory Directory => _world.Directory;

    public void Dispose()
    {
        _world.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void Path_IsWithoutASlashAtItsEnd() =>
        Assert.Equal<byte>(_world.PathOf("x"), (byte[])[.. Directory.Path, .. "/x"u8]);

    [Fact]
    public void Scan_EmptyDirectory_EndsAtOnce() => Assert.Empty(Scan());

    [Fact]
    public void Scan_AllKindsOfEntries_SaysWhichAreSockets()
    {
        using var socket = _world.Listen("5301");
        _world.Listen("säule").Dispose();
        _world.MakeFile("file");
        _world.MakeFolder("folder");
        _world.MakeLink("to-socket", "5301");
        _world.MakeLink("to-file", "file");
        _world.MakeLink("to-nothing", "absent");
        _world.MakeLink("to-itself", "to-itself");
        var found = Scan();
        Assert.Equal(
            ["5301", "file", "folder", "säule", "to-file", "to-itself", "to-nothing",
                "to-socket"],
            found.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(["5301", "säule", "to-socket"],
            found.Where(f => f.Value is not null).Select(f => f.Key)
                .Order(StringComparer.Ordinal));
        Assert.Equal(found["5301"], found["to-socket"]);
        Assert.NotEqual(found["5301"], found["säule"]);
    }

    [Fact]
    public void Look_SaysWhetherASocketIsThere_WithAScanOpenOrNot()
    {
        using var socket = _world.Listen("5301");
        _world.MakeFile("file");
        _world.MakeLink("to-socket", "5301");
        _world.MakeLink("to-nothing", "absent");
        Assert.True(_world.OpenScan().IsOk);
        Assert.True(Directory.Look("5301"u8).IsOk);
        Directory.CloseScan();
        Assert.True(Directory.Look("5301"u8).IsOk);
        Assert.True(Directory.Look("to-socket"u8).IsOk);
        Assert.Equal(IoStatus.NotFound, Directory.Look("file"u8).Status);
        Assert.Equal(IoStatus.NotFound, Directory.Look("absent"u8).Status);
        Assert.Equal(IoStatus.NotFound, Directory.Look("to-nothing"u8).Status);
    }

    [Fact]
    public void Look_SocketThatAScanSawWasUnlinked_IsNotFound()
    {
        using var socket = _world.Listen("5301");
        Assert.Single(Scan());
        _world.Delete("5301");
        Assert.Equal(IoStatus.NotFound, Directory.Look("5301"u8).Status);
        using var next = _world.Listen("5301");
        Assert.True(Directory.Look("5301"u8).IsOk);
    }

    [Fact]
    public void Scan_ManyEntries_ListsEachOnce()
    {
        var names = Enumerable.Range(0, 2000)
            .Select(i => $"an-entry-with-a-long-name-{i}").ToHashSet();
        foreach (var name in names)
            _world.MakeFile(name);
        Assert.Equal(names, Scan().Keys.ToHashSet());
    }

    [Fact]
    public void Scan_EntryDeletedDuringTheScan_IsReportedAsItWasOrNotAtAll()
    {
        _world.Listen("5301").Dispose();
        Assert.True(_world.OpenScan().IsOk);
        _world.Delete("5301");
        var told = 0;
        IoResult result;
        while ((result = _world.NextEntry(out _)).IsOk)
            told++;
        Assert.Equal(IoStatus.EndOfStream, result.Status);
        Assert.InRange(told, 0, 1);
        Directory.CloseScan();
        Assert.Empty(Scan());
    }

    [Fact]
    public void Scan_SocketReplacedDuringTheScan_IsReportedOnceAsOneOfTheTwo()
    {
        using var one = _world.Listen("5301");
        using var two = _world.Listen("5302");
        var before = Scan();
        Assert.True(_world.OpenScan().IsOk);
        Assert.True(_world.NextEntry(out var entry).IsOk);
        var other = Encoding.UTF8.GetString(entry.Name) == "5301" ? "5302" : "5301";
        using var young = _world.Listen(other);
        Assert.True(_world.NextEntry(out entry).IsOk);
        Assert.Equal(other, Encoding.UTF8.GetString(entry.Name));
        Assert.True(entry.IsSocket);
        var told = entry.Identity;
        Assert.Equal(IoStatus.EndOfStream, _world.NextEntry(out _).Status);
        Directory.CloseScan();
        var after = Scan();
        Assert.NotEqual(before[other], after[other]);
        Assert.True(told == before[other] || told == after[other]);
    }

    [Fact]
    public void Scan_AbandonedBeforeItIsAnswered_IsFollowedByAnother()
    {
        _world.MakeFile("a");
        Directory.OpenScan();
        Directory.CloseScan();
        _world.MakeFile("b");
        Assert.Equal(2, Scan().Count);
    }

    [Fact]
    public void Connect_SocketReplacedSinceTheScan_ReachesTheNewOne()
    {
        using var old = _world.Listen("5301");
        Scan();
        using var young = _world.Listen("5301");
        var stream = _world.Connect("5301");
        using var accepted = young.Accept();
        Assert.False(stream.IsNone);
    }

    [Fact]
    public void Scan_StaleSocket_IsTheSocketThatItWas()
    {
        var socket = _world.Listen("5301");
        var before = Scan()["5301"];
        socket.Dispose();
        Assert.NotNull(before);
        Assert.Equal(before, Scan()["5301"]);
        using var next = _world.Listen("5302");
        next.Retire();
        Assert.Equal(["5301"], Scan().Keys);
    }

    [Fact]
    public void Scan_DirectoryThatMayNotBeRead_IsDenied_AndConnectsGoOn()
    {
        using var socket = _world.Listen("5301");
        _world.ChangeMode("5301");
        _world.WhileUnreadable(() =>
        {
            Assert.Equal(
                IoResult.Failed(IoStatus.AccessDenied, 13), _world.OpenScan());
            _world.Connect("5301");
            DrainEvents();
        });
        _world.Await(came => came.Kind == NetworkEventKind.DirectoryChanged);
        Assert.Single(Scan());
        DrainEvents();
        _world.MakeFile("file");
        AssertChangeIsReported();
    }

    [Fact]
    public void Scan_MissingDirectory_IsNotFound_AndWorksOnceItIsThere()
    {
        _world.RemoveDirectory();
        Assert.Equal(IoStatus.NotFound, _world.OpenScan().Status);
        Assert.Equal(IoStatus.NotFound, _world.OpenScan().Status);
        _world.MakeDirectory();
        using var socket = _world.Listen("5301");
        Assert.Single(Scan());
    }

    [Fact]
    public void Scan_BrokenOff_StartsAfresh()
    {
        _world.MakeFile("a");
        _world.MakeFile("b");
        Assert.True(_world.OpenScan().IsOk);
        Assert.True(_world.NextEntry(out _).IsOk);
        Directory.CloseScan();
        Assert.Equal(2, Scan().Count);
    }

    [Fact]
    public void Scan_OpenedTwice_IsABug()
    {
        Assert.True(_world.OpenScan().IsOk);
        Assert.Throws<VerificationException>(() => Directory.OpenScan());
        Directory.CloseScan();
        Assert.Throws<VerificationException>(() => Directory.NextEntry(out _));
    }

    // ---- Identity ----

    [Fact]
    public void Identity_OfASocketLeftAlone_StaysThroughModesConnectsAndRenames()
    {
        using var socket = _world.Listen("5301");
        var before = Scan()["5301"];
        _world.ChangeMode("5301");
        _world.Connect("5301");
        Assert.Equal(before, Scan()["5301"]);
        _world.Rename("5301", "5302");
        Assert.Equal(before, Scan()["5302"]);
    }

    [Fact]
    public void Identity_OfASocketThatWasReplaced_DiffersEachTime()
    {
        var seen = new HashSet<EntryIdentity?>();
        for (var times = 0; times < 5; times++)
        {
            using var socket = _world.Listen("5301");
            Assert.True(seen.Add(Scan()["5301"]));
            socket.Retire();
            PassTime();
        }
    }

    [Fact]
    public void Identity_OfASocketRenamedOverAnother_TakesItsPlace()
    {
        using var old = _world.Listen("5301");
        using var young = _world.Listen("5302");
        var before = Scan();
        _world.Rename("5302", "5301");
        Assert.Equal(before["5302"], Assert.Single(Scan()).Value);
        Assert.NotEqual(before["5301"], before["5302"]);
    }

    // ---- Changes ----

    [Fact]
    public void Change_OfEachKind_IsReported()
    {
        Scan();
        using var socket = _world.Listen("5301");
        AssertChangeIsReported();
        _world.Rename("5301", "5302");
        AssertChangeIsReported();
        _world.Delete("5302");
        AssertChangeIsReported();
        _world.MakeFile("file");
        AssertChangeIsReported();
    }

    [Fact]
    public void Changes_Many_AreReportedOnce()
    {
        Scan();
        for (var i = 0; i < 100; i++)
            _world.MakeFile($"f{i}");
        AssertChangeIsReported();
        Assert.Empty(_world.Poll());
    }

    [Fact]
    public void Change_DirectoryRemovedAndCreatedAgain_IsReportedAndFollowedByTheNextScan()
    {
        Scan();
        _world.RemoveDirectory();
        AssertChangeIsReported();
        Assert.Equal(IoStatus.NotFound, _world.OpenScan().Status);
        _world.MakeDirectory();
        Scan();
        DrainEvents();
        _world.MakeFile("file");
        AssertChangeIsReported();
    }

    [Fact]
    public void Change_SocketReplacedInOneStep_IsReported()
    {
        using var old = _world.Listen("5301");
        Scan();
        DrainEvents();
        using var young = _world.Listen("5301");
        AssertChangeIsReported();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Change_DirectoryThatComesAgain_IsReported(bool scannedMeanwhile)
    {
        Scan();
        _world.RemoveDirectory();
        _world.Await(came => came.Kind == NetworkEventKind.DirectoryChanged);
        if (scannedMeanwhile)
            Assert.Equal(IoStatus.NotFound, _world.OpenScan().Status);
        PassTime();
        DrainEvents();
        _world.MakeDirectory();
        _world.MakeFile("file");
        _world.Await(came => came.Kind == NetworkEventKind.DirectoryChanged);
        Assert.Single(Scan());
    }

    [Fact]
    public void Change_OfAModeOrByAConnect_IsNone()
    {
        using var socket = _world.Listen("5301");
        Scan();
        DrainEvents();
        _world.ChangeMode("5301");
        _world.Connect("5301");
        Assert.Empty(_world.Poll());
    }

    [Fact]
    public void Scan_IsNotAChangeItself()
    {
        using var socket = _world.Listen("5301");
        Scan();
        DrainEvents();
        Scan();
        Assert.Empty(_world.Poll());
    }

    /// <summary>Lets the clock that stamps files go on, by more than its grain.</summary>
    private void PassTime()
    {
        var until = _world.Clock.Now + Duration.FromMilliseconds(20);
        while (_world.Clock.Now < until)
            _world.Network.Wait(until, new NetworkEvent[16]);
    }

    private void DrainEvents()
    {
        while (_world.Poll().Length > 0)
        {
        }
    }

    private void AssertChangeIsReported()
    {
        if (_world.NoticesChanges)
            _world.Await(came => came.Kind == NetworkEventKind.DirectoryChanged);
        DrainEvents();
        Assert.Empty(_world.Poll());
    }

    /// <summary>Every entry's name, with its identity if it is a socket.</summary>
    private Dictionary<string, EntryIdentity?> Scan()
    {
        var found = new Dictionary<string, EntryIdentity?>();
        Assert.Equal(IoStatus.Ok, _world.OpenScan().Status);
        IoResult result;
        while ((result = _world.NextEntry(out var entry)).IsOk)
        {
            found.Add(Encoding.UTF8.GetString(entry.Name),
                entry.IsSocket ? entry.Identity : null);
        }
        Assert.Equal(IoStatus.EndOfStream, result.Status);
        Directory.CloseScan();
        return found;
    }
}
