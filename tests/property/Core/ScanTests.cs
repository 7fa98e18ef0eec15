// Scans of directories that one turn does not read to their end: whatever they hold and whatever is
// asked for meanwhile, each socket up to the bound is a backend, each other entry has its line once
// while it stays, a scan that is wished for while one is open follows it, and a stop closes it.

using System.Globalization;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

/// <summary>What a directory holds: sockets of who says no hello, and plain files.</summary>
public sealed record Folder(int Sockets, int Files);

public static class FolderArbitraries
{
    public static Arbitrary<Folder> Folders() => Arb.From(
        from sockets in Gen.OneOf(Gen.Elements(0, 1, 255, 256, 257), Gen.Choose(0, 300))
        from files in Gen.OneOf(Gen.Elements(0, 63, 64, 65), Gen.Choose(0, 200))
        select new Folder(sockets, files),
        folder => Scripts.Towards(0, folder.Sockets).Select(n => folder with { Sockets = n })
            .Concat(Scripts.Towards(0, folder.Files).Select(n => folder with { Files = n })));
}

public sealed class ScanTests
{
    private const int MostBackends = 256;
    private const int NamesRemembered = 64;
    private static readonly Duration ScanDelay = Duration.FromMilliseconds(10);

    [Property(Arbitrary = [typeof(FolderArbitraries)], MaxTest = 60)]
    public void AnyFolder_EachEntryIsABackendOrHasItsLineOnce(Folder folder)
    {
        var sim = Balancer(folder);
        // Two scans and more: what stays is told no second time.
        sim.Run(Duration.FromSeconds(12L));

        var known = System.Math.Min(folder.Sockets, MostBackends);
        var refused = sim.Log.Of<LogEvent.EntryRefused>().ToList();
        var files = sim.Log.Of<LogEvent.EntryNotASocket>().ToList();
        Assert.Equal(known, sim.Core.SnapshotBackends().Length);
        Assert.Equal(known, sim.Log.Count<LogEvent.BackendDiscovered>());
        Assert.Equal(System.Math.Min(folder.Sockets - known, NamesRemembered),
            refused.Count(logged => logged.Why == EntryRefusal.TooManyBackends));
        Assert.Equal(System.Math.Min(folder.Files, NamesRemembered),
            files.Count);
        Assert.Equal(files.Count, files.Select(logged => logged.Path).Distinct().Count());
        Assert.Equal(refused.Count, refused.Select(logged => logged.Path).Distinct().Count());
    }

    [Property(Arbitrary = [typeof(FolderArbitraries)], MaxTest = 60)]
    public void ScanWishedForWhileOneIsOpen_FollowsIt(Folder folder)
    {
        var sim = Balancer(folder with { Files = folder.Files + 64 });
        sim.Kernel.Directory.TellsChanges = false;
        Assert.True(sim.RunUntil(() => sim.Kernel.Directory.IsScanning, ScanDelay));
        var opened = sim.Kernel.Calls[SimCall.OpenScan];
        sim.Kernel.RequestRescan();
        sim.Turn();
        Assert.Equal(opened, sim.Kernel.Calls[SimCall.OpenScan]);

        Assert.True(sim.RunUntil(() => !sim.Kernel.Directory.IsScanning, ScanDelay));
        var ended = sim.Now;
        Assert.True(sim.RunUntil(
            () => sim.Kernel.Calls[SimCall.OpenScan] > opened, Duration.FromSeconds(1L)));
        Assert.InRange((sim.Now - ended).Nanoseconds, 0, ScanDelay.Nanoseconds);
        sim.Run(Duration.FromSeconds(1L));
        Assert.Equal(opened + 1, sim.Kernel.Calls[SimCall.OpenScan]);
    }

    [Property(Arbitrary = [typeof(FolderArbitraries)], MaxTest = 30)]
    public void StopWhileAScanIsOpen_ClosesIt(Folder folder)
    {
        var sim = Balancer(folder with { Files = folder.Files + 64 });
        Assert.True(sim.RunUntil(() => sim.Kernel.Directory.IsScanning, ScanDelay));
        sim.Kernel.RequestStop();
        Assert.True(sim.RunUntil(() => sim.HasStopped, Duration.FromSeconds(6L)));
        Assert.False(sim.Kernel.Directory.IsScanning);
    }

    private static SimBalancer Balancer(Folder folder)
    {
        var sim = new SimBalancer();
        for (var n = 0; n < folder.Sockets; n++)
            _ = new SimBackend(sim.Kernel, "s" + Number(n));
        for (var n = 0; n < folder.Files; n++)
            sim.Kernel.Directory.Create("f" + Number(n), SimEntryKind.File);
        return sim;
    }

    private static string Number(int number) =>
        number.ToString("0000", CultureInfo.InvariantCulture);
}
