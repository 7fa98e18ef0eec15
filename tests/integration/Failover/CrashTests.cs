// Backends that die: at once, in an orderly way, in the middle of a frame, or over and over. The
// clients of the dead move, the others stay, and all are where they were when it is back.

using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Failover;

public sealed class KilledBackendTests
{
    private const int RefusedCode = 5;

    [Fact]
    public void BackendKilled_ItsClientsMoveOthersStayAndAllAreBackWhenItReturns()
    {
        using var cluster = new Cluster(3);
        var before = cluster.WhoMeetsWhom(2, 19);

        cluster[5302].Signal(Posix.SigKill);
        cluster.Balancer.WaitFor(Log.Faulted, 5302);
        var during = cluster.WhoMeetsWhom(2, 19);

        Assert.DoesNotContain("5302", during.Values);
        foreach (var (host, id) in before.Where(entry => entry.Value != "5302"))
            Assert.Equal(id, during[host]);

        cluster[5302].WaitForExit();
        cluster.StartBackendAnew(5302);
        cluster.Balancer.WaitFor(Log.Healthy, 5302, nth: 2);

        Assert.Equal(before, cluster.WhoMeetsWhom(2, 19));
    }

    [Fact]
    public void BackendKilled_TcpClientsOfItMoveToo()
    {
        using var cluster = new Cluster(2);
        using var open = new TcpHost(cluster.Balancer.Endpoint);
        var killed = open.Who();

        cluster[int.Parse(killed, System.Globalization.CultureInfo.InvariantCulture)]
            .Signal(Posix.SigKill);

        Assert.True(open.IsClosedByServer());
        cluster.Balancer.WaitFor(Log.Faulted);
        using var next = new TcpHost(cluster.Balancer.Endpoint);
        Assert.NotEqual(killed, next.Who());
    }

    [Fact]
    public void BackendThatCrashesInTheMiddleOfAFrame_IsFaultedAndNothingOfItIsSent()
    {
        using var cluster = new Cluster(1, backend: ["--crash-mid-frame-after", "0"]);
        using var host = new UdpHost();

        host.Send(cluster.Balancer.Endpoint, DnsWire.WhoAreYou(1));

        cluster.Balancer.WaitFor(Log.Faulted, 5301);
        Assert.Equal(0, cluster.Balancer.Counted("RepliesReceived"));
        Assert.Null(host.Receive(milliseconds: 100));
    }

    [Fact]
    public void QueryThatKillsItsBackend_KillsOneMoreAndIsRefused()
    {
        using var cluster = new Cluster(3);
        using var killer = new UdpHost("127.0.0.2");
        using var other = new UdpHost("127.0.0.3");
        var endpoint = cluster.Balancer.Endpoint;
        killer.Who(endpoint);

        killer.Send(endpoint, DnsWire.Query(1, "crash.example.com"));
        cluster.Balancer.WaitFor(Log.QueryQuarantined);

        var stays = other.Who(endpoint);
        Assert.Equal(stays, killer.Who(endpoint));
        for (ushort id = 2; id < 12; id++)
        {
            var answer = killer.AskOnce(endpoint, DnsWire.Query(id, "crash.example.com"));
            Assert.Equal(RefusedCode, answer!.Rcode);
        }
        Assert.Equal(stays, other.Who(endpoint));
        Assert.Equal(10, cluster.Balancer.Counted("QueriesQuarantined"));
    }
}

public sealed class StoppedBackendTests
{
    [Fact]
    public void BackendThatUnlinksAndExits_LosesItsClientsAndIsTakenUpAgainWithItsId()
    {
        using var cluster = new Cluster(2);
        var before = cluster.WhoMeetsWhom(2, 5);

        cluster[5302].Signal(Posix.SigTerm);
        Assert.Equal(0, cluster[5302].WaitForExit());
        Assert.False(File.Exists(cluster.Folder["5302"]));
        cluster.Balancer.WaitFor(Log.BackendStopped, 5302);
        cluster.Balancer.WaitFor(Log.Removed, 5302);
        Assert.Empty(cluster.Balancer.All(Log.Faulted, 5302));
        Assert.All(cluster.WhoMeetsWhom(2, 5).Values, id => Assert.Equal("5301", id));

        cluster.StartBackend(5302);
        cluster.Balancer.WaitFor(Log.Healthy, 5302, nth: 2);

        Assert.Equal(2, cluster.WhoMeetsWhom(6, 9).Values.Distinct().Count());
        Assert.Equal(4, before.Count);
    }

    [Fact]
    public void SocketUnlinkedWhileItsSessionLives_GetsNobodyWhileAnotherIsThere()
    {
        using var cluster = new Cluster(2);
        var before = cluster.WhoMeetsWhom(2, 5);
        using var its = new UdpHost(before.First(entry => entry.Value == "5301").Key);

        File.Delete(cluster.Folder["5301"]);
        cluster.Balancer.WaitFor(Log.Draining, 5301);

        Assert.All(cluster.WhoMeetsWhom(30, 33).Values, id => Assert.Equal("5302", id));
        for (var i = 2; i <= 5; i++)
        {
            using var tcp = new TcpHost(cluster.Balancer.Endpoint, $"127.0.0.{i}");
            Assert.Equal("5302", tcp.Who());
        }
        Assert.Equal(0, cluster.Balancer.Counted("ConnectionsRetried"));
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
        Assert.Equal("5302", its.Who(cluster.Balancer.Endpoint));
    }
}

public sealed class RestartedBackendTests
{
    [Fact]
    public void DeadBackend_IsTriedAfterOneThreeAndFiveSeconds()
    {
        using var cluster = new Cluster(1);

        // From before the death, and by the test's clock: a line of the log may be written any
        // while after the moment that it tells of.
        var killed = Stopwatch.StartNew();
        var due = 0.0;
        cluster[5301].Signal(Posix.SigKill);

        foreach (var (nth, backOff) in new[] { 1.0, 3.0, 5.0, 7.0 }.Index())
        {
            var fault = cluster.Balancer.WaitFor(Log.Faulted, 5301, nth + 1);
            Assert.Equal(backOff, fault.Number("backoff_s"));
            Assert.True(killed.Elapsed.TotalSeconds >= due, $"fault {nth} at {killed.Elapsed}");
            due += backOff;
        }
    }

    [Fact]
    [Trait("Needs", "inotify")]
    public void BackendRestarted_IsConnectedToBeforeItsBackOffEnds()
    {
        using var cluster = new Cluster(1);
        cluster[5301].Signal(Posix.SigKill);
        var fault = cluster.Balancer.WaitFor(Log.Faulted, 5301, nth: 3);

        cluster[5301].WaitForExit();
        cluster.StartBackendAnew(5301);
        var healthy = cluster.Balancer.WaitFor(Log.Healthy, 5301, nth: 2);

        var due = fault.Time.AddSeconds(fault.Number("backoff_s"));
        Assert.True(healthy.Time < due, $"healthy at {healthy.Time:O}, back-off to {due:O}");
        cluster.Balancer.WaitFor(Log.Restarted, 5301);
    }

    [Fact]
    public void HelloAfterFaults_SetsTheBackOffToItsStart()
    {
        using var cluster = new Cluster(1);
        cluster[5301].Signal(Posix.SigKill);
        cluster.Balancer.WaitFor(Log.Faulted, 5301, nth: 3);
        cluster[5301].WaitForExit();
        cluster.StartBackendAnew(5301);
        cluster.Balancer.WaitFor(Log.Healthy, 5301, nth: 2);
        var faults = cluster.Balancer.All(Log.Faulted, 5301).Count;

        cluster[5301].Signal(Posix.SigKill);

        var next = cluster.Balancer.WaitFor(Log.Faulted, 5301, nth: faults + 1);
        Assert.Equal(1.0, next.Number("backoff_s"));
    }
}
