// What of the directory of sockets shows at the seam alone: when it reports that another one is at
// the path, or who may read it, without inotify; and how much it hands over at a time.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.Versioning;
using System.Text;
using System.Threading;
using Balancer.Core;
using Balancer.Linux;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Linux;

[SupportedOSPlatform("linux")]
public sealed class SocketDirectoryTests : IDisposable
{
    private const UnixFileMode OwnersAlone = (UnixFileMode)0b111_000_000;

    private readonly TestFolder _folder = new();
    private readonly string _sockets;
    private readonly NetworkEvent[] _events = new NetworkEvent[Limits.EventsPerTurn];
    private readonly LinuxNetwork _network = LinuxNetwork.Open(new LinuxNetworkOptions
    {
        Address = Ipv4.Loopback,
        Port = 0,
        ForceFallbacks = true,
    });

    public SocketDirectoryTests()
    {
        _sockets = _folder["sockets"];
        Directory.CreateDirectory(_sockets);
    }

    public void Dispose()
    {
        _network.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void OthersMayNoLongerReadIt_IsReported()
    {
        using var directory = Open();
        while (IsChangeReported(milliseconds: 500))
        {
        }

        File.SetUnixFileMode(_sockets, OwnersAlone);
        Assert.True(IsChangeReported(milliseconds: 30_000));
    }

    [Fact]
    public void ThousandsOfEntries_AreHandedOverSomeHundredAtATime()
    {
        const int Entries = 2000;
        for (var n = 0; n < Entries; n++)
            File.WriteAllText(Path.Combine(_sockets, $"{n:d60}"), "");
        using var directory = Open();
        Eventually.That(() => directory.OpenScan().IsOk, "the scan is open");

        var shares = new List<int> { 0 };
        var result = IoResult.Ok();
        while (result.Status != IoStatus.EndOfStream)
        {
            result = directory.NextEntry(out _);
            if (result.IsOk)
                shares[^1]++;
            else if (shares[^1] > 0)
                shares.Add(0);
            else
                Thread.Sleep(1);
        }
        directory.CloseScan();

        Assert.Equal(Entries, shares.Sum());
        Assert.InRange(shares.Max(), 200, 800);
    }

    private SocketDirectory Open() =>
        new(Encoding.UTF8.GetBytes(_sockets), _network, forceFallbacks: true);

    private bool IsChangeReported(int milliseconds)
    {
        var clock = new MonotonicClock();
        var end = clock.Now + Duration.FromMilliseconds(milliseconds);
        while (clock.Now < end)
        {
            var count = _network.Wait(end, _events);
            if (_events.Take(count).Any(
                happened => happened.Kind == NetworkEventKind.DirectoryChanged))
            {
                return true;
            }
        }
        return false;
    }
}
