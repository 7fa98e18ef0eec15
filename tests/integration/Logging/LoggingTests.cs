// The log as its readers see it: Bunyan records that the real bunyan command reads, at the level
// that is due; and readers that stall or die, which cost lines, never queries.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Logging;

public sealed class RecordTests
{
    private static readonly int[] Levels = [10, 20, 30, 40, 50, 60];

    [Fact]
    public void EveryRecord_HasBunyansFields()
    {
        using var cluster = new Cluster(2, ["-l", "trace"]);
        cluster.WhoMeetsWhom(2, 5);
        using (var client = new TcpHost(cluster.Balancer.Endpoint))
            client.Who();
        cluster.Balancer.WaitForCount("ConnectionsFinished", 1);
        Assert.Equal(0, cluster.Balancer.Stop());

        Assert.All(cluster.Balancer.Records, record =>
        {
            Assert.Equal("mname-balancer", record.Text("name"));
            Assert.Equal(cluster.Balancer.Pid, record.Number("pid"));
            Assert.Equal(System.Net.Dns.GetHostName(), record.Text("hostname"));
            Assert.Equal(0, record.Number("v"));
            Assert.Contains(record.Level, Levels);
            Assert.NotEmpty(record.Message);
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", record.Text("time"));
            Assert.InRange(record.Time, DateTimeOffset.UtcNow.AddMinutes(-10),
                DateTimeOffset.UtcNow.AddSeconds(1));
        });
        var levels = cluster.Balancer.Records.Select(record => record.Level).ToHashSet();
        Assert.Contains(20, levels);
        Assert.Contains(30, levels);
        var connection = cluster.Balancer.Records.First(record => record.Has("conn_id"));
        Assert.Equal("127.0.0.2", connection.Text("remote_ip"));
        Assert.True(connection.Number("remote_port") > 0);
    }

    [Fact]
    public void TheBunyanCommand_ReadsEveryLine()
    {
        using var folder = new TestFolder();
        File.WriteAllText(folder["no \"socket\" \\ {here}\n"], "");
        using var binder = new FakeBinderProcess(folder["5301"]);
        using var balancer = BalancerProcess.Start(folder.FullName, ["-l", "debug"]);
        balancer.WaitHealthy(5301);
        balancer.WaitFor(Log.NotASocket);
        using (var client = new TcpHost(balancer.Endpoint))
            client.Who();
        balancer.Status();
        Assert.Equal(0, balancer.Stop());
        var log = folder["log"];
        File.WriteAllLines(log, balancer.Lines);

        using var bunyan = new ManagedProcess("node",
            [Path.Combine(Places.Node, "node_modules", ".bin", "bunyan"), "--no-color",
                "-o", "short", log]);

        Assert.Equal(0, bunyan.WaitForExit());
        Assert.Empty(bunyan.Errors);
        var record = new Regex(@"^\d\d:\d\d:\d\d\.\d{3}Z +(TRACE|DEBUG|INFO|WARN|ERROR|FATAL) ");
        Assert.Equal(balancer.Lines.Count, bunyan.Lines.Count(line => record.IsMatch(line)));
        Assert.DoesNotContain(bunyan.Lines, line => line.StartsWith('{'));
    }

    [Fact]
    public void BackendRecords_CarryIdAndPath()
    {
        using var cluster = new Cluster(1);

        foreach (var kind in new[] { Log.Discovered, Log.Healthy })
        {
            var record = cluster.Balancer.WaitFor(kind, 5301);
            Assert.Equal(cluster.Folder["5301"], record.BackendPath);
        }
    }

    [Fact]
    public void DefaultLevel_SaysNothingOfClients()
    {
        using var cluster = new Cluster(1);
        cluster.Balancer.WaitFor(Log.Started);
        var lines = cluster.Balancer.Lines.Count;
        for (var i = 2; i <= 60; i++)
        {
            using var host = new UdpHost($"127.0.3.{i}");
            host.Who(cluster.Balancer.Endpoint);
            using var client = new TcpHost(cluster.Balancer.Endpoint, $"127.0.3.{i}");
            client.Who();
        }

        Assert.Equal(lines, cluster.Balancer.Lines.Count);
    }

    [Fact]
    public void Sigusr1_ReportsBackendsAndRemotes()
    {
        using var cluster = new Cluster(2);
        LogRecord? status = null;
        var reports = 0;
        Eventually.That(
            () =>
            {
                cluster.WhoMeetsWhom(2, 5);
                status = cluster.Balancer.Status();
                reports++;
                return status.Number("established") == 4;
            },
            "all four are established");
        cluster.Balancer.WaitFor(Log.RemoteStatus, nth: 4 * reports);

        Assert.Equal(2, status!.Number("backends"));
        Assert.Equal(2, status.Number("healthy"));
        Assert.Equal(4, status.Number("remotes"));
        Assert.True(Log.CounterOf(status, "QueriesForwarded") >= 4);
        var backends = cluster.Balancer.All(Log.BackendStatus).TakeLast(2).ToList();
        Assert.Equal([5301, 5302], backends.Select(record => record.BackendId));
        Assert.All(backends, record =>
        {
            Assert.Equal("healthy", record.Text("state"));
            Assert.Equal(2, record.Number("remotes"));
            Assert.Equal(1, record.Number("connects_started"));
            Assert.True(record.Number("udp_queries") >= 2);
        });
        Assert.Equal(["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"],
            cluster.Balancer.All(Log.RemoteStatus).TakeLast(4)
                .Select(record => record.Text("remote_ip")).Order());
    }
}

public sealed class ReaderTests
{
    private static readonly Dictionary<string, string> Trace = new() { ["LOG_LEVEL"] = "trace" };

    [Fact]
    public void ReaderThatStalls_CostsNoQuery()
    {
        using var folder = new TestFolder();
        using var binder = new FakeBinderProcess(folder["5301"]);
        using var balancer = BalancerProcess.Start(
            folder.FullName, environment: Trace, output: Output.Unread);
        using var first = new UdpHost();
        first.Who(balancer.Endpoint);

        // Each new host, and each connection, is a line or more: far over the pipe's 64 KiB.
        for (var round = 0; round < 40; round++)
        {
            for (var i = 1; i <= 25; i++)
            {
                using var host = new UdpHost($"127.{round}.7.{i}");
                Assert.NotNull(host.AskOnce(
                    balancer.Endpoint, DnsWire.WhoAreYou(UdpHost.NextId()), milliseconds: 20_000));
                using var client = new TcpHost(balancer.Endpoint, $"127.{round}.7.{i}");
                client.Who();
            }
        }

        Assert.True(balancer.ResidentKiB < 24 * 1024, $"{balancer.ResidentKiB} KiB");
        balancer.ReadOutput();
        Assert.Equal(0, balancer.Stop());
        Assert.True(balancer.Lines.Sum(line => line.Length) > 64 * 1024);
        Assert.All(balancer.Records, record => Assert.NotEmpty(record.Message));
    }

    [Fact]
    public void ReaderThatStalls_DoesNotHoldUpAStop()
    {
        using var folder = new TestFolder();
        using var binder = new FakeBinderProcess(folder["5301"]);
        using var balancer = BalancerProcess.Start(
            folder.FullName, environment: Trace, output: Output.Unread);
        for (var i = 0; i < 1000; i++)
        {
            using var host = new UdpHost($"127.{i / 200}.9.{1 + (i % 200)}");
            host.Who(balancer.Endpoint);
        }

        var took = Stopwatch.StartNew();
        Assert.Equal(0, balancer.Stop());
        // A second for the reader, and what a slow machine takes.
        Assert.InRange(took.Elapsed.TotalSeconds, 0.95, 6);
    }

    [Fact]
    public void ReaderThatDies_KillsNobody()
    {
        using var folder = new TestFolder();
        using var binder = new FakeBinderProcess(folder["5301"]);
        using var balancer = BalancerProcess.Start(
            folder.FullName, environment: Trace, output: Output.Unread);
        using var host = new UdpHost();
        host.Who(balancer.Endpoint);

        balancer.CloseOutput();
        for (var i = 1; i <= 100; i++)
        {
            using var next = new UdpHost($"127.0.8.{i}");
            Assert.Equal("5301", next.Who(balancer.Endpoint));
        }

        Assert.Equal(0, balancer.Stop());
    }
}
