// How a balancer starts: what it says first, what happens when its port is taken, and what it
// costs while nothing happens.

using System;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.StartUp;

public sealed class StartUpTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void FirstRecord_SaysWhereItListensAndWhereBackendsAre()
    {
        using var balancer = BalancerProcess.Start(_folder.FullName);

        var started = balancer.WaitFor(Log.Started);

        Assert.Equal("127.0.0.1", started.Text("listen_ip"));
        Assert.Equal(balancer.Port, started.Number("listen_port"));
        Assert.Equal(_folder.FullName, started.Text("directory"));
    }

    [Fact]
    public void SecondBalancerOnTheSamePort_FailsWithOneClearLine()
    {
        using var first = BalancerProcess.Start(_folder.FullName);

        var second = BalancerProcess.Run("-s", _folder.FullName, "-b", "127.0.0.1",
            "-p", first.Port.ToString(CultureInfo.InvariantCulture));

        Assert.Equal(1, second.Status);
        var line = Assert.Single(second.Errors);
        Assert.Contains(first.Port.ToString(CultureInfo.InvariantCulture), line,
            StringComparison.Ordinal);
    }

    /// <summary>At any limit of open files it serves, or says at once that it cannot.</summary>
    [Theory]
    [InlineData(64, true)]
    [InlineData(63, true)]
    [InlineData(24, true)]
    [InlineData(16, false)]
    [InlineData(12, false)]
    [InlineData(11, false)]
    [InlineData(10, false)]
    [InlineData(8, false)]
    [InlineData(5, false)]
    public void LimitOfOpenFiles_IsServedWithOrSaid(int limit, bool serves)
    {
        string[] limited = ["bash", "-c", $"ulimit -n {limit}; exec \"$@\"", "bash"];
        if (!serves)
        {
            using var refused = new ManagedProcess("bash", [.. limited[1..], Places.Bbal, "-s",
                _folder.FullName, "-b", "127.0.0.1", "-p",
                Ports.Next().ToString(CultureInfo.InvariantCulture)]);
            Assert.Equal(1, refused.WaitForExit());
            Assert.Contains("EMFILE", Assert.Single(refused.Errors), StringComparison.Ordinal);
            return;
        }
        using var two = new FakeBinderProcess(_folder["5302"]);
        using var host = new UdpHost();
        using var balancer = BalancerProcess.Start(_folder.FullName, by: limited);
        using (new FakeBinderProcess(_folder["5301"]))
        {
            balancer.WaitHealthy(5301, 5302);
            host.Who(balancer.Endpoint);
            using var client = new TcpHost(balancer.Endpoint);
            client.Who();
        }
        using var again = new FakeBinderProcess(_folder["5301"]);
        balancer.WaitFor(Log.Healthy, 5301, nth: 2);
        Assert.Empty(balancer.All(Log.AcceptFailed));
        Assert.Equal(0, balancer.Stop());
    }

    [Fact]
    public void UdpPortTakenByAnother_FailsThoughTheTcpPortIsFree()
    {
        using var other = new Socket(
            AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        var port = Ports.Next();
        other.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        other.Bind(new IPEndPoint(IPAddress.Loopback, port));

        var run = BalancerProcess.Run("-s", _folder.FullName, "-b", "127.0.0.1",
            "-p", port.ToString(CultureInfo.InvariantCulture));

        Assert.Equal(1, run.Status);
        Assert.Single(run.Errors);
    }

    [Fact]
    public void AddressThatTheHostDoesNotHave_FailsWithOneClearLine()
    {
        var run = BalancerProcess.Run("-s", _folder.FullName, "-b", "192.0.2.1",
            "-p", Ports.Next().ToString(CultureInfo.InvariantCulture));

        Assert.Equal(1, run.Status);
        Assert.Contains("192.0.2.1", Assert.Single(run.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void Restart_TakesThePortAtOnceThoughOldConnectionsLinger()
    {
        using var binder = new FakeBinderProcess(_folder["5301"]);
        int port;
        using (var first = BalancerProcess.Start(_folder.FullName))
        {
            port = first.Port;
            first.WaitHealthy(5301);
            using var client = new TcpHost(first.Endpoint);
            client.Who();
            Assert.Equal(0, first.Stop());
        }

        using var second = BalancerProcess.Start(
            _folder.FullName, ["-p", port.ToString(CultureInfo.InvariantCulture)]);
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(second.Endpoint));
    }
}

public sealed class CostTests
{
    [Fact]
    public void IdleBalancer_UsesUnderHalfAPercentOfAProcessor()
    {
        // The one test that measures time spent: a share of ten seconds, so that a slow machine
        // does not matter, of the balancer's own time, so that a busy one does not either.
        const double Seconds = 10;
        using var cluster = new Cluster(3);
        cluster.WhoMeetsWhom(2, 40);
        var before = cluster.Balancer.CpuSeconds;

        Thread.Sleep(TimeSpan.FromSeconds(Seconds));

        var share = (cluster.Balancer.CpuSeconds - before) / Seconds;
        Assert.True(share < 0.005, $"{share:P2} of a processor");
    }

    [Fact]
    public void BalancerAfterABurst_OccupiesUnder16MiB()
    {
        using var cluster = new Cluster(2);
        using var host = new UdpHost();
        var clients = Enumerable.Range(2, 20)
            .Select(i => new TcpHost(cluster.Balancer.Endpoint, $"127.0.0.{i}")).ToArray();

        for (var round = 0; round < 50; round++)
        {
            for (ushort id = 0; id < 200; id++)
                host.Send(cluster.Balancer.Endpoint, DnsWire.Query(id, $"n{id}.example.com"));
            foreach (var client in clients)
                client.Ask(DnsWire.Query(1, "size-48000.example.com", DnsWire.Txt));
        }

        Assert.True(cluster.Balancer.PeakResidentKiB < 16 * 1024,
            $"{cluster.Balancer.PeakResidentKiB} KiB");
        foreach (var client in clients)
            client.Dispose();
    }
}
