// A directory of sockets that does not answer, as a mount whose server is gone: nothing but what is
// new in it waits for that.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using Balancer.Core;
using Balancer.Linux;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Discovery;

public sealed class HungDirectoryTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly string _current;
    private readonly string _good;
    private readonly HungMount? _mount;

    public HungDirectoryTests()
    {
        _good = _folder["good"];
        _current = _folder["current"];
        Directory.CreateDirectory(_good);
        Directory.CreateDirectory(_folder["hung"]);
        if (HungMount.CanMount)
            _mount = new HungMount(_folder["hung"]);
    }

    public void Dispose()
    {
        _mount?.Dispose();
        _folder.Dispose();
    }

    [FactNeedingHungMount]
    public void DirectoryBecomesOneThatHangs_EverythingElseGoesOn()
    {
        using var binder = new FakeBinderProcess(Path.Combine(_good, "5301"));
        Switch("good");
        using var balancer = BalancerProcess.Start(_current);
        balancer.WaitHealthy(5301);
        Switch("hung");
        balancer.Signal(Posix.SigHup);
        Assert.Equal(50, balancer.WaitFor(Log.NotAnswering).Level);

        using var host = new UdpHost();
        for (var i = 0; i < 20; i++)
        {
            Assert.NotNull(host.AskOnce(
                balancer.Endpoint, DnsWire.WhoAreYou(UdpHost.NextId()), milliseconds: 1000));
        }
        using (var client = new TcpHost(balancer.Endpoint))
        {
            client.SendMessage(DnsWire.WhoAreYou(7));
            Assert.NotEmpty(client.ReceiveSome());
        }
        Assert.Equal(1, balancer.Status().Number("healthy"));

        Switch("good");
        _mount!.Fail();
        balancer.WaitFor(Log.Answering);
        using var another = new FakeBinderProcess(Path.Combine(_good, "5302"));
        balancer.WaitHealthy(5302);
        Assert.Single(balancer.All(Log.NotAnswering));
        Assert.Empty(balancer.All(Log.Draining));
        Assert.Equal(0, balancer.Stop());
    }

    /// <summary>
    /// With so few descriptors no socket is held, and the reader waits for nothing yet. Without
    /// openat2 the loop would wait, so that is not done without here.
    /// </summary>
    [FactNeedingHungMount]
    public void BackendIsLostWhereItsSocketIsNotHeld_NothingWaitsForTheDirectory()
    {
        using var backend = new RawBackend(Path.Combine(_good, "5301"));
        Switch("good");
        using var balancer = BalancerProcess.Start(_current,
            by: ["bash", "-c", "ulimit -n 70; exec \"$@\"", "bash"],
            environment: new Dictionary<string, string> { ["BBAL_NO_BATCH_CALLS"] = "0" });
        var session = backend.Accept();
        Switch("hung");
        session.Dispose();

        balancer.WaitFor(Log.ConnectWithoutResources);
        balancer.Status();
        _mount!.Fail();
        Switch("good");
        backend.Accept().Dispose();
        Assert.Equal(0, balancer.Stop());
    }

    [TheoryNeedingHungMount]
    [InlineData("0")]
    [InlineData("1")]
    public void LinkLeadsToAServerThatHangs_EveryOtherEntryIsFoundAndMissed(string fallbacks)
    {
        var link = Path.Combine(_good, "5301");
        using var binder = new FakeBinderProcess(Path.Combine(_good, "5302"));
        File.CreateSymbolicLink(link, Path.Combine(_folder["hung"], "5301"));
        using var balancer = BalancerProcess.Start(_good,
            environment: new Dictionary<string, string> { ["BBAL_NO_BATCH_CALLS"] = fallbacks });
        balancer.WaitHealthy(5302);
        Assert.Equal("unknown", balancer.WaitFor(Log.Refused).Text("refusal"));

        using (var another = new FakeBinderProcess(Path.Combine(_good, "5303")))
            balancer.WaitHealthy(5303);
        File.Delete(Path.Combine(_good, "5302"));
        balancer.WaitFor(Log.Draining);
        Assert.Empty(balancer.All(Log.Unreadable));
        Assert.Empty(balancer.All(Log.NotAnswering));
        Assert.Equal(0, balancer.Stop());
    }

    /// <summary>It leads elsewhere now, and the thread is free when the server is gone.</summary>
    [FactNeedingHungMount]
    public void LinkLedToAServerThatHangs_IsFollowedAgain()
    {
        var link = Path.Combine(_good, "5301");
        using var binder = new FakeBinderProcess(_folder["binder"]);
        File.CreateSymbolicLink(link, Path.Combine(_folder["hung"], "5301"));
        using var balancer = BalancerProcess.Start(_good);
        Assert.Equal("unknown", balancer.WaitFor(Log.Refused).Text("refusal"));
        File.Delete(link);
        File.CreateSymbolicLink(link, _folder["binder"]);
        _mount!.Fail();

        balancer.WaitHealthy(5301);
        Assert.Equal(0, balancer.Stop());
    }

    [FactNeedingHungMount]
    public void LinkLeadsToADeadServer_EveryOtherEntryIsFoundAndMissed()
    {
        using var binder = new FakeBinderProcess(Path.Combine(_good, "5302"));
        File.CreateSymbolicLink(
            Path.Combine(_good, "5301"), Path.Combine(_folder["hung"], "5301"));
        _mount!.Fail();
        using var balancer = BalancerProcess.Start(_good);
        balancer.WaitHealthy(5302);
        Assert.Equal("unknown", balancer.WaitFor(Log.Refused).Text("refusal"));

        using (var another = new FakeBinderProcess(Path.Combine(_good, "5303")))
            balancer.WaitHealthy(5303);
        File.Delete(Path.Combine(_good, "5302"));
        balancer.WaitFor(Log.Draining);
        Assert.Empty(balancer.All(Log.Unreadable));
        Assert.Equal(0, balancer.Stop());
    }

    /// <summary>As where a label of SELinux denies it.</summary>
    [FactNeedingHungMount]
    public void EntryThatMayNotBeLookedAt_EveryOtherIsFoundAndMissed()
    {
        using var denied = new RawBackend(Path.Combine(_good, "5301"));
        using var mount = HungMount.OfAnother(Path.Combine(_good, "5301"));
        using var binder = new FakeBinderProcess(Path.Combine(_good, "5302"));
        using var balancer = BalancerProcess.Start(_good);
        balancer.WaitHealthy(5302);
        Assert.Equal("unknown", balancer.WaitFor(Log.Refused).Text("refusal"));

        using (var another = new FakeBinderProcess(Path.Combine(_good, "5303")))
            balancer.WaitHealthy(5303);
        File.Delete(Path.Combine(_good, "5302"));
        balancer.WaitFor(Log.Draining);
        Assert.Empty(balancer.All(Log.Unreadable));
        Assert.Single(balancer.All(Log.Refused));
        Assert.Equal(0, balancer.Stop());
    }

    [FactNeedingHungMount]
    public void BackendThatRestartsWhileTheDirectoryHangs_IsReconnectedTo()
    {
        var path = Path.Combine(_good, "5301");
        using var backend = new RawBackend(path);
        Switch("good");
        using var balancer = BalancerProcess.Start(_current);
        backend.Accept().Dispose();
        Switch("hung");
        balancer.Signal(Posix.SigHup);
        using var again = backend.Accept();
        Assert.Equal(0, balancer.Stop());
    }

    [FactNeedingHungMount]
    public void DirectoryThatHangsFromTheStart_NeitherKeepsItFromStartingNorFromStopping()
    {
        Switch("hung");
        using var balancer = BalancerProcess.Start(_current);
        balancer.WaitFor(Log.NotAnswering);
        Assert.Equal(0, balancer.Status().Number("healthy"));
        Assert.Equal(0, balancer.Stop());
    }

    /// <summary>
    /// Whoever fetches an answer late finds the thread looking at the path. That look may hang, and
    /// no answer is told a second time.
    /// </summary>
    [FactNeedingHungMount]
    public void AnswerIsFetchedLate_WhileThePathIsLookedAt_IsThere()
    {
        File.WriteAllText(Path.Combine(_good, "file"), "");
        Switch("good");
        using var network = LinuxNetwork.Open(new LinuxNetworkOptions
        {
            Address = Ipv4.Loopback,
            Port = 0,
            ForceFallbacks = false,
        });
        using var directory = new SocketDirectory(
            Encoding.UTF8.GetBytes(_current), network, forceFallbacks: false);
        Assert.Equal(IoStatus.WouldBlock, directory.OpenScan().Status);
        var events = new NetworkEvent[Limits.EventsPerTurn];
        var end = new MonotonicClock().Now + Duration.FromSeconds(30L);
        while (!Array.Exists(
            events[..network.Wait(end, events)],
            came => came.Kind == NetworkEventKind.DirectoryAnswered))
        {
            Assert.True(new MonotonicClock().Now < end);
        }
        Switch("hung");
        // Longer than it takes until the next look, which hangs from then on.
        Thread.Sleep(500);

        Assert.Equal(IoStatus.Ok, directory.OpenScan().Status);
        Assert.Equal(IoStatus.Ok, directory.NextEntry(out _).Status);
        directory.CloseScan();
        _mount!.Fail();
    }

    /// <summary>
    /// The answer to a link comes when no scan waits for it any more, and none begins after that.
    /// </summary>
    [FactNeedingHungMount]
    public void AnswerThatNobodyTook_IsClosedAtTheEnd()
    {
        var target = Path.Combine(_folder["hung"], "5301");
        File.CreateSymbolicLink(Path.Combine(_good, "5301"), target);
        using var network = LinuxNetwork.Open(new LinuxNetworkOptions
        {
            Address = Ipv4.Loopback,
            Port = 0,
            ForceFallbacks = false,
        });
        var directory = new SocketDirectory(
            Encoding.UTF8.GetBytes(_good), network, forceFallbacks: false);
        Eventually.That(() => directory.OpenScan().IsOk, "the scan has what could be found");
        Assert.True(directory.NextEntry(out var entry).IsOk);
        Assert.Equal(EntryKind.Unknown, entry.Kind);
        directory.CloseScan();
        _mount!.FindSocket();
        Eventually.That(() => IsHeld(target), "the link is followed, too late");

        directory.Dispose();

        Eventually.That(() => !IsHeld(target), "what it leads to is closed");
    }

    /// <summary>Whether a descriptor of this process is open for a path.</summary>
    private static bool IsHeld(string path) => Directory
        .GetFileSystemEntries("/proc/self/fd").Any(held => new FileInfo(held).LinkTarget == path);

    /// <summary>Has the path lead somewhere else, in one step.</summary>
    private void Switch(string target)
    {
        File.CreateSymbolicLink(_folder["next"], target);
        Assert.Equal(0, Rename(Text(_folder["next"]), Text(_current)));

        static byte[] Text(string path) => [.. Encoding.UTF8.GetBytes(path), 0];
    }

    /// <summary>File.Move takes no link that leads to a folder.</summary>
    [DllImport("libc", EntryPoint = "rename")]
    private static extern int Rename(byte[] from, byte[] to);
}
