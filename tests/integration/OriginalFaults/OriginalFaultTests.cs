// The faults of the original (docs/original-faults.md) that can be seen from outside. What a class
// of its own already covers is there: a failed send, ports over 65,535 and lengths of 0 in
// Udp/ReplyDropTests, source port 0 in Udp/QueryDropTests, EOF in the middle of a frame in
// Wire/InboundTests, TCP queues without a bound in Tcp/LimitTests, time-outs that fault the wrong
// session in Tcp/HandshakeTests, errors without cause in Wire, the log reader in Logging, plain
// files in Discovery, SO_REUSEADDR in StartUp, a wrong port in CommandLine.

using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Threading;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.OriginalFaults;

public sealed class DescriptorTests
{
    [Fact]
    public void TwoThousandConnectionsWithoutBackend_LeakNoDescriptor()
    {
        using var folder = new TestFolder();
        using var balancer = BalancerProcess.Start(folder.FullName);
        balancer.WaitFor(Log.Started);
        var before = balancer.Descriptors;

        for (var i = 0; i < 2000; i++)
        {
            using var client = new TcpHost(balancer.Endpoint, $"127.0.{i % 50}.{2 + (i % 200)}");
            client.Send([0]);
            Assert.True(client.IsClosedByServer());
        }

        Eventually.That(() => balancer.Descriptors <= before, "descriptors are closed",
            instead: () => $"{balancer.Descriptors} are open, {before} were");
        Assert.Equal(2000, balancer.Counted("ConnectionsWithoutBackend"));
        Assert.True(balancer.ResidentKiB < 16 * 1024, $"{balancer.ResidentKiB} KiB");
    }

    [Fact]
    public void ProcessWithoutFreeDescriptors_NeitherSpinsNorDiesAndServesAgain()
    {
        using var cluster = new Cluster(1);
        cluster.Balancer.LimitDescriptorsToThoseOpen();
        using var client = new TcpHost(cluster.Balancer.Endpoint);
        client.SendMessage(DnsWire.Query(5, "waits.example.com"));
        var failed = cluster.Balancer.WaitFor(Log.AcceptFailed);
        Assert.Equal("EMFILE", failed.Text("errno_name"));

        var cpu = cluster.Balancer.CpuSeconds;
        Thread.Sleep(2000);
        Assert.True(cluster.Balancer.CpuSeconds - cpu < 0.4,
            $"{cluster.Balancer.CpuSeconds - cpu} s of 2");
        Assert.Single(cluster.Balancer.All(Log.AcceptFailed));
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(cluster.Balancer.Endpoint));

        cluster.Balancer.LimitDescriptors(1024);
        Assert.Equal(5, client.ReceiveMessage().Id);
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }

    [Fact]
    public void MoreConnectionsThanDescriptors_AreClosedAndTheOthersAreServed()
    {
        using var cluster = new Cluster(1);
        var before = cluster.Balancer.Descriptors;
        // A connection takes two. With an odd number left, the last one is for a client that no
        // backend can be reached for; with an even one, clients would wait to be accepted.
        cluster.Balancer.LimitFreeDescriptors(41);
        var clients = Enumerable.Range(0, 100)
            .Select(i => AskedBy(cluster.Balancer, $"127.0.0.{2 + i}")).ToList();

        var served = clients.Count(IsServed);
        Assert.InRange(served, 10, 20);
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(cluster.Balancer.Endpoint));

        clients.ForEach(client => client.Dispose());
        Eventually.That(() => cluster.Balancer.Descriptors <= before, "descriptors are closed");
        using var next = new TcpHost(cluster.Balancer.Endpoint, "127.0.0.9");
        Assert.Equal("5301", next.Who());
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }

    [Fact]
    public void DirectoryUnreadableForWantOfDescriptors_TakesNoBackendAway()
    {
        using var cluster = new Cluster(1);
        cluster.Balancer.LimitDescriptorsToThoseOpen();

        cluster.Balancer.Signal(Posix.SigHup);
        var unreadable = cluster.Balancer.WaitFor(Log.Unreadable);

        Assert.Equal("EMFILE", unreadable.Text("errno_name"));
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(cluster.Balancer.Endpoint));
        Assert.Empty(cluster.Balancer.All(Log.Draining));
        cluster.Balancer.LimitDescriptors(1024);
        cluster.Balancer.WaitFor(Log.Readable);
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }

    /// <summary>A client that asks at once; one that does not takes one descriptor.</summary>
    private static TcpHost AskedBy(BalancerProcess balancer, string address)
    {
        var client = new TcpHost(balancer.Endpoint, address);
        client.SendMessage(DnsWire.WhoAreYou(UdpHost.NextId()));
        return client;
    }

    private static bool IsServed(TcpHost client)
    {
        try
        {
            return client.ReceiveMessage().Answers[0] == "5301";
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException)
        {
            return false;
        }
    }
}

public sealed class SessionTests
{
    [Fact]
    public void BackendWhosePathIsUnlinked_GetsNoTcpConnectionThatCanOnlyFail()
    {
        using var cluster = new Cluster(2);
        Assert.Equal([4, 4], Cluster.Sizes(cluster.WhoMeetsWhom(2, 9)));
        File.Delete(cluster.Folder["5301"]);
        cluster.Balancer.WaitFor(Log.Draining, 5301);

        for (var i = 2; i <= 9; i++)
        {
            using var client = new TcpHost(cluster.Balancer.Endpoint, $"127.0.0.{i}");
            Assert.Equal("5302", client.Who());
        }

        // The second try, which any refusal has, would hide that the first one failed.
        Assert.Equal(0, cluster.Balancer.Counted("ConnectionsRetried"));
    }

    [Fact]
    public void BackendThatReturnsBetweenScans_IsNotBounced()
    {
        using var cluster = new Cluster(1);
        cluster[5301].Signal(Posix.SigTerm);
        cluster[5301].WaitForExit();
        cluster.Balancer.WaitFor(Log.Removed, 5301);

        cluster.StartBackendAnew(5301);
        cluster.Balancer.WaitFor(Log.Healthy, 5301, nth: 2);
        var faults = cluster.Balancer.All(Log.Faulted).Count;
        for (var i = 1; i <= 3; i++)
        {
            cluster.Balancer.Signal(Posix.SigHup);
            cluster.Balancer.WaitFor(Log.Rescan, nth: i);
        }
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(cluster.Balancer.Endpoint));

        Assert.Equal(2, cluster.Balancer.All(Log.Healthy, 5301).Count);
        Assert.Equal(faults, cluster.Balancer.All(Log.Faulted).Count);
    }

    [Fact]
    public void ClientThatSendsAndResetsBeforeTheOk_LeavesTheBalancerSound()
    {
        using var cluster = new Cluster(1, backend: ["--tcp-ok-delay", "300ms"]);
        for (var i = 0; i < 50; i++)
        {
            var client = new TcpHost(cluster.Balancer.Endpoint);
            client.Send(new byte[100]);
            client.Reset();
        }

        using var last = new TcpHost(cluster.Balancer.Endpoint);
        Assert.Equal("5301", last.Who());
    }
}

public sealed class CountingTests
{
    [Fact]
    public void EveryDatagram_IsInExactlyOneCounter()
    {
        using var cluster = new Cluster(2, backend: ["--reply-length", "1501"]);
        using var host = new UdpHost();
        for (var i = 0; i < 30; i++)
        {
            host.Send(cluster.Balancer.Endpoint, DnsWire.Query((ushort)i, "a.example.com"));
            host.Send(cluster.Balancer.Endpoint, new byte[1501 + i]);
            host.Send(cluster.Balancer.Endpoint,
                DnsWire.Query(1, "b.example.com", isResponse: true));
        }

        cluster.Balancer.WaitForCount("QueriesReceived", 90);
        cluster.Balancer.WaitForCount("RepliesReceived", 30);
        var status = cluster.Balancer.Status();
        Assert.Equal(30, Log.CounterOf(status, "QueriesForwarded"));
        Assert.Equal(30, Log.CounterOf(status, "QueriesOversized"));
        Assert.Equal(30, Log.CounterOf(status, "QueriesWithResponseBit"));
        Assert.Equal(30, Log.CounterOf(status, "RepliesOversized"));
        Assert.Equal(0, Log.CounterOf(status, "RepliesSent"));
    }

    [Fact]
    public void QueriesToAStuckBackend_AreDroppedAndCountedUntilAnotherIsThere()
    {
        using var folder = new TestFolder();
        using var backend = new RawBackend(folder["5301"]);
        using var balancer = BalancerProcess.Start(folder.FullName);
        backend.AcceptControl().AnswerHeartbeats();
        balancer.WaitHealthy(5301);
        using var host = new UdpHost("127.0.0.2");

        Eventually.That(
            () =>
            {
                for (var i = 0; i < 100; i++)
                    host.Send(balancer.Endpoint, new byte[1400]);
                return balancer.Counted("QueriesToStuckBackend") > 0;
            },
            "queries to the backend that reads nothing are dropped", seconds: 300);

        using var sound = new FakeBinderProcess(folder["5302"]);
        balancer.WaitHealthy(5302);
        Assert.Equal("5302", host.Who(balancer.Endpoint));
        Assert.True(balancer.ResidentKiB < 16 * 1024, $"{balancer.ResidentKiB} KiB");
    }
}

public sealed class FloodTests
{
    [FactNeedingRawSocket]
    public void FloodOfForgedSources_CostsLittleMemoryAndNoLog()
    {
        const int Sources = 50_000;
        using var cluster = new Cluster(1);
        cluster.Balancer.WaitFor(Log.Started);
        var before = cluster.Balancer.ResidentKiB;
        var lines = cluster.Balancer.Lines.Count;
        var query = DnsWire.Query(1, "flood.example.com");
        using var host = new UdpHost();

        RawDatagram.SendFromMany(
            Enumerable.Range(0, Sources).Select(i => new System.Net.IPEndPoint(
                new System.Net.IPAddress([127, 9, (byte)(i >> 8), (byte)i]), 9)),
            cluster.Balancer.Endpoint, query);
        host.Who(cluster.Balancer.Endpoint);

        // The original took 690 bytes and two lines a source; the bound here is 64 bytes.
        Assert.InRange(cluster.Balancer.Lines.Count, lines, lines + 2);
        Assert.True(cluster.Balancer.ResidentKiB - before < 8 * 1024,
            $"{cluster.Balancer.ResidentKiB - before} KiB for {Sources} sources");
    }
}

public sealed class TimerTests
{
    [Fact]
    public void TimersWhileTheBalancerIsIdle_AreNotASecondOff()
    {
        var started = Stopwatch.StartNew();
        using var cluster = new Cluster(1, ["-l", "trace"]);

        cluster.Balancer.WaitFor(Log.HeartbeatSent, 5301);

        // Never early; how late says more of the machine than of the balancer.
        Assert.True(started.Elapsed.TotalSeconds >= 5, $"{started.Elapsed}");
    }
}
