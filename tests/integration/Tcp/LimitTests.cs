// The bounds of TCP: how many connections, for how long, and how much waits for a peer that does
// not read. None of them may cost the others anything.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Sockets;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Tcp;

public sealed class LimitTests
{
    [Fact]
    public void ConnectionsOverTheLimit_AreClosedAtOnceAndCounted()
    {
        using var cluster = new Cluster(1, ["--tcp-connections", "3"]);
        var open = Enumerable.Range(2, 3)
            .Select(i => new TcpHost(cluster.Balancer.Endpoint, $"127.0.0.{i}")).ToList();
        open.ForEach(client => client.Who());

        using (var fourth = new TcpHost(cluster.Balancer.Endpoint, "127.0.0.9"))
            Assert.True(fourth.IsClosedByServer());

        Assert.Equal(1, cluster.Balancer.Counted("ConnectionsOverLimit"));
        open[0].Dispose();
        cluster.Balancer.WaitForCount("ConnectionsFinished", 1);
        using var fifth = new TcpHost(cluster.Balancer.Endpoint, "127.0.0.9");
        Assert.Equal("5301", fifth.Who());
        open.ForEach(client => client.Dispose());
    }

    [Fact]
    public void ConnectionsOverTheLimitOfOneClient_AreClosedAndOthersAreServed()
    {
        using var cluster = new Cluster(1, ["--tcp-connections-per-client", "2"]);
        using var first = new TcpHost(cluster.Balancer.Endpoint);
        using var second = new TcpHost(cluster.Balancer.Endpoint);
        first.Who();
        second.Who();

        using var third = new TcpHost(cluster.Balancer.Endpoint);
        using var other = new TcpHost(cluster.Balancer.Endpoint, "127.0.0.3");

        Assert.True(third.IsClosedByServer());
        Assert.Equal("5301", other.Who());
        Assert.Equal(1, cluster.Balancer.Counted("ConnectionsOverClientLimit"));
    }

    /// <summary>
    /// Each was relayed once, and has two streams. The allowance is that of the documents, and some
    /// of what was allocated is garbage.
    /// </summary>
    [Fact]
    public void TwoThousandIdleConnections_TakeTwentyKilobytesEachAtMost()
    {
        const int Connections = 2000;
        using var cluster = new Cluster(1, ["--tcp-connections-per-client", "4000"]);
        using var first = new TcpHost(cluster.Balancer.Endpoint);
        first.Who();
        var before = cluster.Balancer.ResidentKiB;
        var open = Enumerable.Range(0, Connections).Select(_ =>
        {
            var client = new TcpHost(cluster.Balancer.Endpoint);
            client.Who();
            return client;
        }).ToList();

        var grown = cluster.Balancer.ResidentKiB - before;
        Assert.Equal(Connections + 1, cluster.Balancer.Status().Number("connections"));
        Assert.InRange(grown, 0, 20 * Connections);
        open.ForEach(client => client.Dispose());
        cluster.Balancer.WaitForCount("ConnectionsFinished", Connections);
    }

    [Fact]
    public void ConnectionIdleForItsTime_IsClosedAndCounted()
    {
        using var cluster = new Cluster(1, ["--tcp-idle", "2"]);
        using var client = new TcpHost(cluster.Balancer.Endpoint);
        client.Who();

        Assert.True(client.IsClosedByServer());
        cluster.Balancer.WaitForCount("ConnectionsIdle", 1);
    }

    [Fact]
    public void ClientThatSendsNothing_IsClosedAndCounted()
    {
        using var cluster = new Cluster(1, ["--tcp-message", "2"]);
        using var client = new TcpHost(cluster.Balancer.Endpoint);

        Assert.True(client.IsClosedByServer());
        cluster.Balancer.WaitForCount("ConnectionsSilent", 1);
    }

    [Fact]
    public void ConnectionOlderThanItsLifetime_IsClosedThoughItIsBusy()
    {
        using var cluster = new Cluster(1, ["--tcp-lifetime", "2"]);
        using var client = new TcpHost(cluster.Balancer.Endpoint);
        var answers = 0;

        Eventually.That(() => !Answers(client, ref answers), "the connection is closed");

        Assert.True(answers > 0);
        cluster.Balancer.WaitForCount("ConnectionsTooOld", 1);
    }

    private static bool Answers(TcpHost client, ref int answers)
    {
        try
        {
            client.Who();
            answers++;
            return true;
        }
        catch (Exception e) when (e is SocketException or System.IO.EndOfStreamException)
        {
            return false;
        }
    }
}

public sealed class BackPressureTests
{
    [Fact]
    public void ClientThatNeverReads_CostsBoundedMemoryAndNobodyElse()
    {
        const long BoundKiB = 8 * 1024;
        using var folder = new TestFolder();
        using var backend = new RawBackend(folder["5301"]);
        using var balancer = BalancerProcess.Start(folder.FullName);
        var control = backend.AcceptControl();
        balancer.WaitHealthy(5301);
        using var client = new TcpHost(balancer.Endpoint, receiveBuffer: 4096);
        client.Send([0]);
        var session = backend.AcceptTcp(out _);
        session.Write(Frame.U32(Frame.InboundTcpOk));
        var before = balancer.ResidentKiB;

        var taken = session.WriteUntilStuck(most: 300 << 20);

        Assert.True(taken < 64 << 20, $"{taken} bytes were taken for a client that does not read");
        Assert.True(balancer.ResidentKiB - before < BoundKiB, $"{balancer.ResidentKiB} KiB");
        using var host = new UdpHost();
        host.Send(balancer.Endpoint, DnsWire.Query(3, "other.example.com"));
        Assert.Equal(3, control.ReadQuery().Payload[1]);
    }

    [Fact]
    public void BackendThatNeverReads_HoldsUpItsClientAlone()
    {
        using var cluster = new Cluster(1, backend: ["--tcp-never-read"]);
        using var client = new TcpHost(cluster.Balancer.Endpoint);
        var before = cluster.Balancer.ResidentKiB;

        var taken = client.SendUntilStuck(most: 300 << 20);

        Assert.True(taken < 64 << 20, $"{taken} bytes were taken for a backend that does not read");
        Assert.True(cluster.Balancer.ResidentKiB - before < 8 * 1024);
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(cluster.Balancer.Endpoint));
    }
}
