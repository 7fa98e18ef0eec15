// The simulated directory: what scans tell, in which order, and how they fail.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class DirectoryTests
{
    private readonly Host _host = new();

    private SimDirectory Directory => _host.Kernel.Directory;

    [Fact]
    public void Scan_TellsNamesKindsAndIdentities()
    {
        Directory.Bind("5301");
        Directory.Create("notes", SimEntryKind.File);
        Directory.Create("old", SimEntryKind.Folder);
        Directory.Link("alias", "5301");
        Directory.Link("dangling", "gone");
        Directory.Link("loop", "loop");
        Assert.True(Directory.OpenScan().IsOk);
        Assert.Equal(1, _host.Kernel.OpenDescriptors);
        var logged = Rest();
        Directory.CloseScan();
        Assert.Equal(0, _host.Kernel.OpenDescriptors);
        Assert.Equal(
            [
                "5301:True", "notes:False", "old:False", "alias:True", "dangling:False",
                "loop:False",
            ],
            logged.Select(entry => $"{entry.Name}:{entry.IsSocket}"));
        Assert.Equal(logged[0].Identity, logged[3].Identity);
        Assert.True(_host.Connect("alias", out _).IsOk);
        Assert.Equal(IoStatus.NotFound, _host.Connect("dangling", out _).Status);
        Assert.Equal(IoResult.Failed(IoStatus.Other, 40), _host.Connect("loop", out _));
    }

    [Fact]
    public void Rebinding_GivesAnotherIdentity()
    {
        Directory.Bind("5301");
        var first = Assert.Single(Scan());
        Directory.Unlink("5301");
        Directory.NextInode--;
        _host.Kernel.Pass(Duration.FromMilliseconds(1));
        Directory.Bind("5301");
        var second = Assert.Single(Scan());
        Assert.Equal(first.Identity.Inode, second.Identity.Inode);
        Assert.NotEqual(first.Identity, second.Identity);
    }

    [Fact]
    public void Order_IsTheTests()
    {
        foreach (var name in new[] { "c", "a", "b", "d" })
            Directory.Bind(name);
        Assert.Equal("cabd", Names());
        Directory.Order = SimScanOrder.Reversed;
        Assert.Equal("dbac", Names());
        Directory.Order = SimScanOrder.Shuffled;
        Directory.Draw = new SimRandom(3).Next;
        var shuffled = Names();
        Assert.Equal("abcd", string.Concat(shuffled.Order()));
        Directory.Draw = new SimRandom(3).Next;
        Assert.Equal(shuffled, Names());
    }

    [Fact]
    public void EntryThatVanishesMidScan_IsReportedAsItWas()
    {
        Directory.Bind("a");
        Directory.Bind("b");
        Directory.OpenScan();
        Directory.Unlink("b");
        Assert.Equal(["a", "b"], Rest().Select(entry => entry.Name));
        Directory.CloseScan();
        Assert.Equal("a", Assert.Single(Scan()).Name);
    }

    [Fact]
    public void DirectoryThatHangs_AnswersAtItsEndWithWhatWasThereAtTheBeginning()
    {
        Directory.Bind("a");
        Directory.Hangs = true;
        Assert.Equal(IoStatus.WouldBlock, Directory.OpenScan().Status);
        Assert.Equal(IoStatus.WouldBlock, Directory.Look("a"u8).Status);
        Directory.Bind("b");
        Assert.DoesNotContain(_host.Poll(), e => e.Kind == NetworkEventKind.DirectoryAnswered);
        Directory.Hangs = false;
        Assert.Contains(_host.Poll(), e => e.Kind == NetworkEventKind.DirectoryAnswered);
        Assert.True(Directory.OpenScan().IsOk);
        Assert.Equal("a", Assert.Single(Rest()).Name);
        Directory.CloseScan();
    }

    [Fact]
    public void DirectoryThatHangsInAScan_IsReadOnAtItsEnd()
    {
        Directory.Bind("a");
        Directory.Bind("b");
        Assert.True(Directory.OpenScan().IsOk);
        Assert.True(Directory.NextEntry(out _).IsOk);
        Directory.Hangs = true;
        Assert.Equal(IoStatus.WouldBlock, Directory.NextEntry(out _).Status);
        Directory.Hangs = false;
        Assert.Contains(_host.Poll(), e => e.Kind == NetworkEventKind.DirectoryAnswered);
        Assert.Equal("b", Assert.Single(Rest()).Name);
        Directory.CloseScan();
    }

    [Fact]
    public void EntryReplacedMidScan_IsReportedOnceAsTheOldOne()
    {
        Directory.Bind("a");
        Directory.Bind("b");
        Directory.OpenScan();
        Directory.NextEntry(out _);
        Directory.Bind("b.new");
        Directory.Rename("b.new", "b");
        var logged = Assert.Single(Rest());
        Directory.CloseScan();
        Assert.Equal("b", logged.Name);
        Assert.Equal(1001ul, logged.Identity.Inode);
        Assert.Equal(1002ul, Scan()[1].Identity.Inode);
    }

    [Fact]
    public void UnreadableDirectory_SaysWhyAndOpensNoScan()
    {
        Directory.Readable = IoResult.Failed(IoStatus.AccessDenied);
        Assert.Equal(IoStatus.AccessDenied, Directory.OpenScan().Status);
        Directory.Readable = IoResult.Ok();
        _host.Kernel.Faults.NextOpenScan(IoStatus.NoBuffers);
        Assert.Equal(IoStatus.NoBuffers, Directory.OpenScan().Status);
        Assert.Equal(0, _host.Kernel.OpenDescriptors);
        Assert.Empty(Scan());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(3)]
    public void ScanThatBreaksOff_TellsThatManyFirst(int entries)
    {
        foreach (var name in new[] { "a", "b", "c" })
            Directory.Bind(name);
        _host.Kernel.Faults.FailScanAfter(entries, IoStatus.Other);
        Directory.OpenScan();
        for (var i = 0; i < entries; i++)
            Assert.True(Directory.NextEntry(out _).IsOk);
        Assert.Equal(IoStatus.Other, Directory.NextEntry(out _).Status);
        Directory.CloseScan();
        Assert.Equal(3, Scan().Count);
    }

    [Fact]
    public void Changes_AreReportedUnlessSwitchedOff()
    {
        Directory.Bind("5301");
        Directory.Bind("5302");
        Assert.Equal(NetworkEventKind.DirectoryChanged, Assert.Single(_host.Poll()).Kind);
        Directory.Unlink("5301");
        Assert.Single(_host.Poll());
        Directory.Unlink("5301");
        Assert.Empty(_host.Poll());
        Directory.TellsChanges = false;
        Directory.Unlink("5302");
        Assert.Empty(_host.Poll());
    }

    [Fact]
    public void RemovedDirectory_IsReportedOnceAndWatchedAgainAfterAScan()
    {
        var listener = Directory.Bind("5301");
        _host.Poll();
        Directory.Remove();
        Assert.Single(_host.Poll());
        Assert.Equal(IoStatus.NotFound, Directory.OpenScan().Status);
        Assert.Equal(IoStatus.NotFound, _host.Connect("5301", out _).Status);
        Assert.True(listener.IsListening);
        Directory.Make();
        Assert.Single(_host.Poll());
        Directory.Bind("5301");
        Assert.Empty(_host.Poll());
        Assert.Single(Scan());
        Directory.Unlink("5301");
        Assert.Single(_host.Poll());
    }

    [Fact]
    public void DirectoryThatMayNotBeRead_IsNotWatchedUntilAScanCan()
    {
        Directory.Readable = IoResult.Failed(IoStatus.AccessDenied);
        Assert.Single(_host.Poll());
        Directory.OpenScan();
        Directory.Readable = IoResult.Ok();
        Assert.Single(_host.Poll());
        Directory.Bind("5301");
        Assert.Empty(_host.Poll());
        Scan();
        Directory.Bind("5302");
        Assert.Single(_host.Poll());
    }

    [Fact]
    public void LackOfDescriptors_LeavesTheWatch()
    {
        Directory.Readable = IoResult.Failed(IoStatus.TooManyFiles);
        Directory.OpenScan();
        Directory.Bind("5301");
        Assert.Single(_host.Poll());
    }

    private string Names() => string.Concat(Scan().Select(entry => entry.Name));

    private List<(string Name, bool IsSocket, EntryIdentity Identity)> Scan()
    {
        Assert.True(Directory.OpenScan().IsOk);
        var logged = Rest();
        Directory.CloseScan();
        return logged;
    }

    private List<(string Name, bool IsSocket, EntryIdentity Identity)> Rest()
    {
        var logged = new List<(string, bool, EntryIdentity)>();
        while (Directory.NextEntry(out var entry).IsOk)
            logged.Add((Encoding.UTF8.GetString(entry.Name), entry.IsSocket, entry.Identity));
        return logged;
    }
}
