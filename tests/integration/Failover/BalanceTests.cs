// Who gets clients when: a backend that joins takes its share at the next rebalance and no more
// moves than must, and one that has just said hello gets nobody while a warmer one is there.

using System;
using System.Collections.Generic;
using System.Linq;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Failover;

public sealed class RebalanceTests
{
    [Fact]
    public void BackendThatJoins_GetsItsShareAndNobodyElseIsMoved()
    {
        const int Hosts = 20;
        using var cluster = new Cluster(1);
        Assert.All(cluster.Establish(2, 1 + Hosts).Values, id => Assert.Equal("5301", id));

        cluster.StartBackend(5302);
        cluster.Balancer.WaitHealthy(5302);
        var rebalance = cluster.Balancer.WaitFor(Log.Rebalancing);

        // Two healthy backends with 20 and 0 remotes: all above an even share moves.
        Assert.Equal(Hosts, rebalance.Number("spread"));
        Assert.Equal(Hosts / 2, rebalance.Number("remotes"));
        cluster.Balancer.WaitForCount("RemotesMoved", Hosts / 2);

        var after = cluster.WhoMeetsWhom(2, 1 + Hosts);
        Assert.Equal([10, 10], Cluster.Sizes(after));
        Assert.Equal(after, cluster.WhoMeetsWhom(2, 1 + Hosts));
    }
}

public sealed class SettledBalanceTests
{
    [Fact]
    public void SpreadUpToTheNumberOfBackends_MovesNobody()
    {
        // Two backends; 5302 comes when 5301 has two remotes: the spread is 2, which is allowed.
        using var cluster = new Cluster(1);
        var before = cluster.Establish(2, 3);
        cluster.StartBackend(5302);
        cluster.Balancer.WaitHealthy(5302);

        // An unanswered heartbeat takes twenty seconds; a rebalance is due every fifteen.
        using var clock = new FakeBinderProcess(cluster.Folder["clock"], "--no-heartbeat");
        cluster.Balancer.WaitFor(Log.Faulted);

        Assert.Equal(before, cluster.WhoMeetsWhom(2, 3));
        Assert.Empty(cluster.Balancer.All(Log.Rebalancing));
        Assert.Equal(0, cluster.Balancer.Counted("RemotesMoved"));
    }
}

public sealed class WarmUpTests
{
    [Fact]
    public void NewBackendWithoutItsData_ShowsNoClientAServFail()
    {
        using var cluster = new Cluster(1, ["--warm-up", "1"]);
        WaitUntilWarm(cluster, 5301, seconds: 1);
        cluster.StartBackend(5302, "--servfail-for", "300ms");

        var met = new HashSet<string>();
        var next = 2;
        Eventually.That(
            () =>
            {
                using var host = new UdpHost($"127.0.1.{next++ % 250}");
                var answer = host.Ask(
                    cluster.Balancer.Endpoint, DnsWire.WhoAreYou(UdpHost.NextId()));
                Assert.NotEqual(DnsWire.ServFail, answer.Rcode);
                met.Add(answer.Answers[0]);
                return met.Count == 2;
            },
            "new clients meet both backends");
    }

    [Fact]
    public void WarmUpOfNothing_StillShowsNoClientAServFailThatAnotherNeedNotGive()
    {
        using var cluster = new Cluster(1, ["--warm-up", "0"]);
        cluster.StartBackend(5302, "--servfail-for", "20s");
        cluster.Balancer.WaitHealthy(5302);

        for (var i = 2; i <= 3; i++)
        {
            using var host = new UdpHost($"127.0.0.{i}");
            var answer = host.Ask(
                cluster.Balancer.Endpoint, DnsWire.WhoAreYou(UdpHost.NextId()));
            Assert.NotEqual(DnsWire.ServFail, answer.Rcode);
        }

        // One of the two was the new backend's client, and its answer was held.
        Assert.True(cluster.Balancer.Counted("RepliesHeld") > 0);
    }

    [Fact]
    public void OnlyBackendsThatWarmUp_GetTheClients()
    {
        using var cluster = new Cluster(2, ["--warm-up", "600"]);

        Assert.Equal([3, 3], Cluster.Sizes(cluster.WhoMeetsWhom(2, 7)));
    }

    [Fact]
    public void BackendThatReturns_GetsItsClientsOnlyWhenWarm()
    {
        using var cluster = new Cluster(1, ["--warm-up", "2"]);
        using var host = new UdpHost("127.0.0.2");
        Assert.Equal("5301", host.Who(cluster.Balancer.Endpoint));
        cluster.StartBackend(5302);
        WaitUntilWarm(cluster, 5302, seconds: 2);
        cluster[5301].Signal(Posix.SigKill);
        cluster[5301].WaitForExit();
        cluster.Balancer.WaitFor(Log.Faulted, 5301);
        Assert.Equal("5302", host.Who(cluster.Balancer.Endpoint));

        cluster.StartBackendAnew(5301, "--servfail-for", "500ms");
        cluster.Balancer.WaitFor(Log.Healthy, 5301, nth: 2);
        Eventually.That(
            () =>
            {
                var answer = host.Ask(
                    cluster.Balancer.Endpoint, DnsWire.WhoAreYou(UdpHost.NextId()));
                Assert.NotEqual(DnsWire.ServFail, answer.Rcode);
                return answer.Answers[0] == "5301";
            },
            "the client meets its primary again");
    }

    /// <summary>Waits until a backend's warm-up is over by the log's clock.</summary>
    private static void WaitUntilWarm(Cluster cluster, int id, double seconds)
    {
        var healthy = cluster.Balancer.WaitFor(Log.Healthy, id);
        Eventually.That(
            () => DateTimeOffset.UtcNow > healthy.Time.AddSeconds(seconds + 0.1), "it is warm");
    }
}
