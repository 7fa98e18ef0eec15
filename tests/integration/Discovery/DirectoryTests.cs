// What becomes a backend and under which id: sockets by their names, everything else not; and
// directories that are missing, empty, unreadable or full of other things.

using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Discovery;

public sealed class DirectoryTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void DirectoryThatAppearsLater_IsReadThen()
    {
        using var balancer = BalancerProcess.Start(_folder["sockets"]);
        var record = balancer.WaitFor(Log.Unreadable);
        Assert.Equal(50, record.Level);
        Assert.Equal(_folder["sockets"], record.Text("directory"));

        Directory.CreateDirectory(_folder["sockets"]);
        using var binder = new FakeBinderProcess(Path.Combine(_folder["sockets"], "5301"));

        balancer.WaitFor(Log.Readable);
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(balancer.Endpoint));
    }

    [Fact]
    public void EmptyDirectory_TakesItsFirstBackendWhenItComes()
    {
        using var balancer = BalancerProcess.Start(_folder.FullName);
        using var binder = new FakeBinderProcess(_folder["5301"]);
        using var host = new UdpHost();

        Assert.Equal("5301", host.Who(balancer.Endpoint));
    }

    [Fact]
    public void DirectoryThatGoesAway_TakesNoBackendAway()
    {
        using var binder = new FakeBinderProcess(_folder["5301"]);
        var link = _folder.FullName + ".link";
        Directory.CreateSymbolicLink(link, _folder.FullName);
        try
        {
            using var balancer = BalancerProcess.Start(link);
            balancer.WaitHealthy(5301);

            File.Delete(link);
            balancer.Signal(Posix.SigHup);
            balancer.WaitFor(Log.Unreadable);

            using var host = new UdpHost();
            Assert.Equal("5301", host.Who(balancer.Endpoint));
            Assert.Empty(balancer.All(Log.Draining));
            Assert.Empty(balancer.All(Log.Faulted));
        }
        finally
        {
            File.Delete(link);
        }
    }

    [Fact]
    public void EntriesThatAreNotSockets_AreSkippedAndLoggedOnce()
    {
        File.WriteAllText(_folder["5302"], "not a socket");
        Directory.CreateDirectory(_folder["5303"]);
        using var binder = new FakeBinderProcess(_folder["foo"]);
        using var balancer = BalancerProcess.Start(_folder.FullName);
        balancer.WaitFor(Log.Healthy);

        for (var i = 1; i <= 3; i++)
        {
            balancer.Signal(Posix.SigHup);
            balancer.WaitFor(Log.Rescan, nth: i);
        }
        using var host = new UdpHost();
        host.Who(balancer.Endpoint);

        var refused = balancer.All(Log.NotASocket);
        Assert.Equal(["5302", "5303"],
            refused.Select(record => Path.GetFileName(record.Text("path"))).Order());
        Assert.All(refused, record => Assert.Equal("not_a_socket", record.Text("refusal")));
        Assert.Single(balancer.All(Log.Discovered));
    }

    [Theory]
    [InlineData(SocketType.Dgram)]
    [InlineData(SocketType.Seqpacket)]
    public void SocketThatIsNotAStream_IsRefusedOnceAsAFileIs(SocketType type)
    {
        using var other = new Socket(AddressFamily.Unix, type, ProtocolType.Unspecified);
        other.Bind(new UnixDomainSocketEndPoint(_folder["5301"]));
        if (type == SocketType.Seqpacket)
            other.Listen();
        using var binder = new FakeBinderProcess(_folder["5302"]);
        using var balancer = BalancerProcess.Start(_folder.FullName);
        balancer.WaitFor(Log.Refused);
        balancer.WaitHealthy(5302);
        for (var i = 1; i <= 3; i++)
        {
            balancer.Signal(Posix.SigHup);
            balancer.WaitFor(Log.Rescan, nth: i);
        }
        using var host = new UdpHost();
        host.Who(balancer.Endpoint);

        var refused = Assert.Single(balancer.All(Log.Refused));
        Assert.Equal("not_a_stream", refused.Text("refusal"));
        Assert.Empty(balancer.All(Log.Faulted));
    }

    [Fact]
    public void PlainFileNamed5302_DoesNotTakeTheIdOfASocketThatComesLater()
    {
        File.WriteAllText(_folder["5302"], "not a socket");
        using var first = new FakeBinderProcess(_folder["5301"]);
        using var balancer = BalancerProcess.Start(_folder.FullName);
        balancer.WaitFor(Log.NotASocket);

        File.Delete(_folder["5302"]);
        using var second = new FakeBinderProcess(_folder["5302"]);

        var found = balancer.WaitFor(Log.Healthy, 5302);
        Assert.Equal(_folder["5302"], found.BackendPath);
    }

    [Fact]
    public void NamesThatAreNotIds_GetTheHighestIdInUsePlusOne()
    {
        using var binder = new FakeBinderProcess(_folder["5302"]);
        using var balancer = BalancerProcess.Start(_folder.FullName);
        balancer.WaitHealthy(5302);
        Assert.Equal(5303, IdOfNext("foo"));
        Assert.Equal(5304, IdOfNext("5299"));
        Assert.Equal(5301, IdOfNext("5301"));
        Assert.Equal(5305, IdOfNext("5400"));
        Assert.Equal(5399, IdOfNext("5399"));
        Assert.Equal(5400, IdOfNext("5303"));

        int IdOfNext(string name)
        {
            using var other = new FakeBinderProcess(_folder[name]);
            return balancer.WaitForRecord(
                record => Log.Discovered.Is(record) && record.BackendPath == _folder[name],
                name + " is discovered").BackendId;
        }
    }

    [Fact]
    public void NamesThatAreTheSameNumber_GetTwoIds()
    {
        using var first = new FakeBinderProcess(_folder["5301"]);
        using var second = new FakeBinderProcess(_folder["05301"]);
        using var balancer = BalancerProcess.Start(_folder.FullName);
        balancer.WaitFor(Log.Healthy, nth: 2);

        var ids = balancer.All(Log.Healthy).Select(record => record.BackendId).Distinct();
        Assert.Equal([5301, 5302], ids.Order());
    }

    [Fact]
    public void PathOf107Bytes_IsABackend()
    {
        using var binder = new FakeBinderProcess(PathOfBytes(107));
        using var balancer = BalancerProcess.Start(Path.GetDirectoryName(PathOfBytes(107))!);
        using var host = new UdpHost();

        Assert.NotEmpty(host.Who(balancer.Endpoint));
    }

    [Fact]
    public void PathOf108Bytes_IsRefusedWithAnErrorAndCostsNobody()
    {
        var path = PathOfBytes(108);
        using var sound = new FakeBinderProcess(Path.Combine(Path.GetDirectoryName(path)!, "5301"));
        // No socket can be bound to a path this long, so it is made with a short one and moved.
        using var binder = new FakeBinderProcess(_folder["short"]);
        File.Move(_folder["short"], path);

        using var balancer = BalancerProcess.Start(Path.GetDirectoryName(path)!);
        var refused = balancer.WaitFor(Log.Refused);

        Assert.Equal("path_too_long", refused.Text("refusal"));
        Assert.Equal(50, refused.Level);
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(balancer.Endpoint));
    }

    [Fact]
    public void NameThatIsNotAscii_IsABackend()
    {
        using var binder = new FakeBinderProcess(_folder["bäcker-名"], "--id", "umlaut");
        using var balancer = BalancerProcess.Start(_folder.FullName);
        using var host = new UdpHost();

        Assert.Equal("umlaut", host.Who(balancer.Endpoint));
        Assert.Equal(_folder["bäcker-名"], balancer.WaitFor(Log.Healthy).BackendPath);
    }

    [Fact]
    public void NamesWithControlCharacters_ForgeNoLine()
    {
        const string Forged = "\n{\"level\":60,\"msg\":\"forged\"}\n\u001b[2K\r\u202e";
        File.WriteAllText(_folder["file" + Forged], "");
        using var backend = new RawBackend(_folder["s" + Forged]);
        using var balancer = BalancerProcess.Start(_folder.FullName);
        using var session = backend.AcceptControl();
        balancer.WaitFor(Log.Healthy);
        balancer.WaitFor(Log.NotASocket);

        var refused = balancer.All(Log.NotASocket).Single();
        foreach (var text in new[]
        {
            balancer.WaitFor(Log.Discovered).BackendPath, refused.Text("path"), refused.Text("msg"),
        })
        {
            Assert.DoesNotContain(text, c => char.IsControl(c) || c == '\u202e');
            Assert.Contains("\ufffd", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void SymbolicLinkToASocket_IsABackend()
    {
        using var binder = new FakeBinderProcess(_folder["real"]);
        var linked = Directory.CreateDirectory(_folder["linked"]).FullName;
        File.CreateSymbolicLink(Path.Combine(linked, "5301"), _folder["real"]);
        using var balancer = BalancerProcess.Start(linked);

        balancer.WaitHealthy(5301);
    }

    [Fact]
    public void StaleSocketThatNobodyListensOn_IsFaultedAndCostsTheOthersNothing()
    {
        using (var dead = new FakeBinderProcess(_folder["5301"]))
        {
            dead.Signal(Posix.SigKill);
            dead.WaitForExit();
        }
        using var sound = new FakeBinderProcess(_folder["5302"]);
        using var balancer = BalancerProcess.Start(_folder.FullName);

        var fault = balancer.WaitFor(Log.Faulted, 5301);

        Assert.Equal("connect_failed", fault.Text("fault"));
        Assert.Equal("ECONNREFUSED", fault.Text("errno_name"));
        using var host = new UdpHost();
        Assert.Equal("5302", host.Who(balancer.Endpoint));
    }

    private string PathOfBytes(int bytes)
    {
        var folder = Directory.CreateDirectory(_folder["f"]).FullName;
        var left = bytes - Encoding.UTF8.GetByteCount(folder) - 1;
        return Path.Combine(folder, new string('n', left));
    }
}

public sealed class NoticeTests
{
    private const int FirstBorn = 5301;
    private const int LastBorn = 5306;

    /// <summary>
    /// Seconds that scans alone, one in 5 s, need for backends of which each is born when the one
    /// before was found: the first may be found at once, no other.
    /// </summary>
    private const int LeastByScans = (LastBorn - FirstBorn) * 5;

    /// <summary>It takes 0.2 s; a busy machine may take longer, but no scan's time.</summary>
    private static readonly TimeSpan NoticeTime = TimeSpan.FromSeconds(1.5);

    /// <summary>
    /// A socket that does not listen: the connect is refused, since one that succeeds asks for a
    /// scan, which may find the next.
    /// </summary>
    private static Socket Birth(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    [Fact]
    [Trait("Needs", "inotify")]
    public void SocketThatAppears_IsDiscoveredBeforeTheNextScan()
    {
        using var folder = new TestFolder();
        using var balancer = BalancerProcess.Start(folder.FullName);
        balancer.WaitFor(Log.Started);

        var waited = Stopwatch.StartNew();
        for (var id = FirstBorn; id <= LastBorn; id++)
        {
            using var born = Birth(folder[$"{id}"]);
            balancer.WaitFor(Log.Discovered, id);
        }

        Assert.True(waited.Elapsed.TotalSeconds < LeastByScans, $"{waited.Elapsed}");
    }

    /// <summary>
    /// Four changes of the directory itself, of which each would wait up to 5 s for a scan.
    /// </summary>
    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    public void DirectoryThatComesAndGoes_IsNoticedBeforeTheNextScan(string withoutBatches)
    {
        using var folder = new TestFolder();
        var sockets = folder["run/sockets"];
        using var balancer = BalancerProcess.Start(sockets, environment:
            new System.Collections.Generic.Dictionary<string, string>
            {
                ["BBAL_NO_BATCH_CALLS"] = withoutBatches,
            });
        balancer.WaitFor(Log.Unreadable);
        var slowest = TimeSpan.Zero;
        for (var id = FirstBorn; id < FirstBorn + 4; id++)
        {
            Directory.CreateDirectory(sockets);
            var waited = Stopwatch.StartNew();
            using var born = Birth(Path.Combine(sockets, $"{id}"));
            balancer.WaitFor(Log.Discovered, id);
            slowest = waited.Elapsed > slowest ? waited.Elapsed : slowest;
            Directory.Delete(folder["run"], recursive: true);
            balancer.WaitFor(Log.Unreadable, nth: id - FirstBorn + 2);
        }

        Assert.True(slowest < NoticeTime, $"{slowest}");
    }

    [Fact]
    public void LinkOnThePathThatIsSwapped_IsNoticedBeforeTheNextScan()
    {
        using var folder = new TestFolder();
        Directory.CreateDirectory(folder["1/sockets"]);
        File.CreateSymbolicLink(folder["data"], "1");
        using var balancer = BalancerProcess.Start(folder["data/sockets"]);
        balancer.WaitFor(Log.Started);
        var slowest = TimeSpan.Zero;
        for (var id = FirstBorn; id < FirstBorn + 4; id++)
        {
            var next = Directory.CreateDirectory(folder[$"{id}/sockets"]).FullName;
            using var born = Birth(Path.Combine(next, $"{id}"));
            File.CreateSymbolicLink(folder["new"], $"{id}");
            var waited = Stopwatch.StartNew();
            Assert.Equal(0, Rename(Text(folder["new"]), Text(folder["data"])));
            balancer.WaitFor(Log.Discovered, id);
            slowest = waited.Elapsed > slowest ? waited.Elapsed : slowest;
        }

        Assert.True(slowest < NoticeTime, $"{slowest}");

        static byte[] Text(string path) => [.. Encoding.UTF8.GetBytes(path), 0];
    }

    /// <summary>File.Move takes no link that leads to a folder.</summary>
    [DllImport("libc", EntryPoint = "rename")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Rename(byte[] from, byte[] to);

    [Fact]
    public void Sighup_ScansAtOnceWithoutInotify()
    {
        using var folder = new TestFolder();
        using var balancer = BalancerProcess.Start(folder.FullName, environment:
            new System.Collections.Generic.Dictionary<string, string>
            {
                ["BBAL_NO_BATCH_CALLS"] = "1",
            });
        balancer.WaitFor(Log.Started);

        var waited = Stopwatch.StartNew();
        for (var id = FirstBorn; id <= LastBorn; id++)
        {
            using var born = Birth(folder[$"{id}"]);
            balancer.Signal(Posix.SigHup);
            balancer.WaitFor(Log.Discovered, id);
        }

        Assert.True(waited.Elapsed.TotalSeconds < LeastByScans, $"{waited.Elapsed}");
    }

    [Fact]
    public void SocketThatAppearsWithoutInotify_IsFoundByThePeriodicScan()
    {
        using var folder = new TestFolder();
        using var balancer = BalancerProcess.Start(folder.FullName, environment:
            new System.Collections.Generic.Dictionary<string, string>
            {
                ["BBAL_NO_BATCH_CALLS"] = "1",
            });
        balancer.WaitFor(Log.Started);
        using var binder = new FakeBinderProcess(folder["5301"]);

        balancer.WaitHealthy(5301);
    }
}
