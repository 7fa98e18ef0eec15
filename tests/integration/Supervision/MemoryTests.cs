// A flood of forged sources where there is little memory: the process lives, hosts that were known
// before keep their backends, and the operator has an answer.

using System.Collections.Generic;
using System.Linq;
using System.Net;
using Balancer.Core;
using Balancer.Linux;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Supervision;

public sealed class MemoryTests
{
    private const int Sources = 500_000;

    [Theory]
    [InlineData(25_165_824, 98_304, 153)]
    [InlineData(256_000_000, Limits.MaxRemotes, 1_562)]
    [InlineData(long.MaxValue, Limits.MaxRemotes, int.MaxValue)]
    [InlineData(0, Limits.LeastRemotes, 1)]
    public void Memory_LeavesAQuarterToRemotesAndOneToConnections(
        long limit, int remotes, int connections) =>
        Assert.Equal(new MemoryRoom(limit, remotes, connections), MemoryRoom.Of(limit));

    [FactNeedingRawSocket]
    public void Flood_UnderALimitOf48MB() => Survives("3000000", remotes: 196_608);

    [FactNeedingRawSocket]
    public void Flood_UnderALimitOf24MB() => Survives("1800000", remotes: 98_304);

    /// <summary>The operator asks for more than there is memory for.</summary>
    [FactNeedingRawSocket]
    public void Flood_UnderALimitOf24MBThatTheTableMayExceed() =>
        Survives("1800000", null, "--max-remotes", "4000000");

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

        RawDatagram.SendFromMany(
            Enumerable.Range(0, Sources).Select(i => new IPEndPoint(
                new IPAddress([127, (byte)(64 + (i >> 16)), (byte)(i >> 8), (byte)i]), 9)),
            balancer.Endpoint, DnsWire.Query(1, "flood.example.com"));

        Assert.Equal(before, hosts.ConvertAll(host => host.Who(balancer.Endpoint)));
        Assert.InRange(balancer.Lines.Count, lines, lines + 10);
        var status = balancer.Status();
        Assert.InRange(status.Number("remotes"), 1000, remotes ?? 4_000_000);
        Assert.Equal(status.Number("remotes"), status.Number("remotes_new")
            - status.Number("remotes_evicted") - status.Number("remotes_expired"));
        foreach (var host in hosts)
            host.Dispose();
        Assert.Equal(0, balancer.Stop());
    }
}
