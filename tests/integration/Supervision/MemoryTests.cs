// Floods where there is little memory: of forged sources, and of large queries to backends that
// never answer, while some of these die and others come. The process lives, hosts that were known
// before keep their backends, and the operator has an answer.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net;
using System.Threading;
using Balancer.Core;
using Balancer.Linux;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Supervision;

public sealed class MemoryTests
{
    private const int Sources = 500_000;

    [Theory]
    [InlineData(25_165_824, 98_304, 153, 16, 6_291_456)]
    [InlineData(256_000_000, Limits.MaxRemotes, 1_562, 162, 64_000_000)]
    [InlineData(long.MaxValue, Limits.MaxRemotes, int.MaxValue, int.MaxValue, long.MaxValue / 4)]
    [InlineData(0, Limits.LeastRemotes, 1, 1, Limits.LeastSessionMemory)]
    public void Memory_LeavesAQuarterToEach(
        long limit, int remotes, int connections, int notReading, long sessions) => Assert.Equal(
            new MemoryRoom(limit, remotes, connections, notReading, sessions),
            MemoryRoom.Of(limit));

    [FactNeedingRawSocket]
    public void Flood_UnderALimitOf48MB() => Survives("3000000", remotes: 196_608);

    [FactNeedingRawSocket]
    public void Flood_UnderALimitOf24MB() => Survives("1800000", remotes: 98_304);

    /// <summary>The operator asks for more than there is memory for.</summary>
    [FactNeedingRawSocket]
    public void Flood_UnderALimitOf24MBThatTheTableMayExceed() =>
        Survives("1800000", null, "--max-remotes", "4000000");

    /// <summary>
    /// What is in flight would take 126 MB. While it is as much as it may be, backends die with all
    /// that they have, others come, and the status is asked for.
    /// </summary>
    [Fact]
    public void LargeQueriesThatNobodyAnswers_UnderALimitOf24MB()
    {
        const int Backends = 24;
        using var folder = new TestFolder();
        var mute = Enumerable.Range(5301, Backends).Select(id => new MuteBackend(folder[$"{id}"]))
            .ToList();
        using var balancer = BalancerProcess.Start(folder.FullName,
            environment: new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = "1800000" });
        balancer.WaitHealthy([.. Enumerable.Range(5301, Backends)]);
        var hosts = Enumerable.Range(1, 200).Select(n => new UdpHost($"127.0.8.{n}")).ToList();
        var waited = Stopwatch.StartNew();
        var sent = 0;
        for (var round = 0; waited.Elapsed.TotalSeconds < 14; round++)
        {
            foreach (var host in hosts)
            {
                host.Send(balancer.Endpoint, Large(sent++));
                if (sent % 32 == 0)
                    Thread.Sleep(5);
            }
            if (round % 20 != 19)
                continue;
            balancer.Status();
            var again = round / 20 % Backends;
            mute[again].Dispose();
            mute[again] = new MuteBackend(folder[$"{5301 + again}"]);
        }

        foreach (var backend in mute)
            backend.Dispose();
        using var good = new FakeBinderProcess(folder["5320"]);
        balancer.WaitHealthy(5320);
        using var client = new UdpHost("127.0.9.1");
        Assert.Equal("5320", client.Who(balancer.Endpoint));
        using (var connection = new TcpHost(balancer.Endpoint))
            Assert.Equal("5320", connection.Who());
        foreach (var host in hosts)
            host.Dispose();
        Assert.Equal(0, balancer.Stop());
    }

    /// <summary>A query of 1,400 bytes, each of another name.</summary>
    private static byte[] Large(int n)
    {
        var query = DnsWire.Query((ushort)n, $"large-{n}.example.com");
        var large = new byte[1400];
        query.CopyTo(large, 0);
        return large;
    }

    /// <summary>Reads all, and answers heartbeats alone.</summary>
    private sealed class MuteBackend : IDisposable
    {
        private readonly RawBackend _backend;
        private readonly Thread _thread;

        public MuteBackend(string path)
        {
            _backend = new RawBackend(path);
            _thread = new Thread(Run);
            _thread.Start();
        }

        public void Dispose()
        {
            _backend.Dispose();
            _thread.Join();
        }

        private void Run()
        {
            try
            {
                using var session = _backend.AcceptControl();
                while (true)
                    session.ReadQuery();
            }
            catch (Exception)
            {
                // It was disposed of.
            }
        }
    }

    private static void Survives(string limit, int? remotes, params string[] arguments)
    {
        using var cluster = new Cluster(2, arguments,
            environment: new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = limit });
        var balancer = cluster.Balancer;
        if (remotes is { } said)
            Assert.Equal(said, balancer.WaitFor(Log.MemoryLimit).Number("remotes"));
        var hosts = Enumerable.Range(1, 20).Select(n => new UdpHost($"127.0.7.{n}")).ToList();
        var before = hosts.ConvertAll(host => host.Who(balancer.Endpoint));
        Eventually.That(
            () =>
            {
                Assert.Equal(before, hosts.ConvertAll(host => host.Who(balancer.Endpoint)));
                return balancer.Status().Number("established") == hosts.Count;
            },
            "hosts that asked again after an answer are established");
        var lines = balancer.Lines.Count;
        var flood = Stopwatch.StartNew();

        RawDatagram.SendFromMany(
            Enumerable.Range(0, Sources).Select(i => new IPEndPoint(
                new IPAddress([127, (byte)(64 + (i >> 16)), (byte)(i >> 8), (byte)i]), 9)),
            balancer.Endpoint, DnsWire.Query(1, "flood.example.com"));

        Assert.Equal(before, hosts.ConvertAll(host => host.Who(balancer.Endpoint)));
        // A condition is logged every 5 s, so a flood that takes longer may have more records: ten
        // conditions are more than there are.
        var intervals = 1 + (int)(flood.Elapsed / TimeSpan.FromSeconds(5));
        Assert.True(balancer.Lines.Count <= lines + 10 * intervals,
            $"{flood.Elapsed.TotalSeconds} s\n{string.Join('\n', balancer.Lines.Skip(lines))}");
        var status = balancer.Status();
        Assert.InRange(status.Number("remotes"), 1000, remotes ?? 4_000_000);
        Assert.Equal(status.Number("remotes"), status.Number("remotes_new")
            - status.Number("remotes_evicted") - status.Number("remotes_expired"));
        foreach (var host in hosts)
            host.Dispose();
        Assert.Equal(0, balancer.Stop());
    }
}
