// Queries and replies over UDP between real clients and fake backends: what an answer looks like
// from outside, who answers whom, and where answers come from.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using DnsClient;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Udp;

public sealed class RelayTests : IDisposable
{
    private readonly Cluster _cluster = new(3);

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public void Dig_IsAnswered()
    {
        var answer = Dig.Run(_cluster.Balancer.Endpoint, "+short", "id.server", "CH", "TXT");

        Assert.Matches("^\"530[123]\"$", answer);
    }

    [Fact]
    public void DnsClient_IsAnswered()
    {
        var client = new LookupClient(new LookupClientOptions(_cluster.Balancer.Endpoint)
        {
            UseCache = false,
            Timeout = TimeSpan.FromSeconds(20),
        });

        var answer = client.Query("www.example.com", QueryType.A);

        Assert.False(answer.HasError);
        Assert.Single(answer.Answers.ARecords());
    }

    [Fact]
    public void ThirtyNineHosts_AreSpreadEvenlyAndStay()
    {
        var first = _cluster.WhoMeetsWhom(2, 40);

        Assert.Equal([13, 13, 13], Cluster.Sizes(first));
        Assert.Equal(first, _cluster.WhoMeetsWhom(2, 40));
    }

    [Fact]
    public void HostsOneAfterTheOther_AreAssignedRoundRobinInIdOrder()
    {
        var met = _cluster.WhoMeetsWhom(2, 7).Values.ToArray();

        var first = int.Parse(met[0], CultureInfo.InvariantCulture);
        var expected = Enumerable.Range(first - 5301, 6).Select(i => $"{5301 + (i % 3)}");
        Assert.Equal(expected, met);
    }

    [Fact]
    public void ManyQueriesAtOnce_AreEachAnsweredToTheirSender()
    {
        const int Hosts = 8;
        const int Queries = 100;
        var hosts = Enumerable.Range(2, Hosts).Select(i => new UdpHost($"127.0.0.{i}")).ToArray();
        foreach (var host in hosts)
        {
            for (ushort id = 1; id <= Queries; id++)
                host.Send(_cluster.Balancer.Endpoint, DnsWire.Query(id, $"n{id}.example.com"));
        }

        foreach (var host in hosts)
        {
            var answered = new HashSet<int>();
            while (answered.Count < Queries)
            {
                var got = host.Receive();
                Assert.NotNull(got);
                var id = DnsWire.Parse(got.Value.Payload).Id;
                Assert.True(answered.Add(id), $"answer {id} came twice");
            }
            host.Dispose();
        }
    }
}

public sealed class SourceAddressTests
{
    [Fact]
    public void BoundToAnyAddress_RepliesLeaveFromTheAddressAsked()
    {
        using var cluster = new Cluster(1, ["-b", "0.0.0.0"]);
        using var host = new UdpHost("127.0.0.2");

        foreach (var asked in new[] { "127.0.0.9", "127.0.0.1", "127.0.0.77" })
        {
            var server = new IPEndPoint(IPAddress.Parse(asked), cluster.Balancer.Port);
            host.Send(server, DnsWire.WhoAreYou(1));

            var got = host.Receive();

            Assert.Equal(server, got!.Value.From);
        }
    }

    [Fact]
    public void BoundToOneAddress_RepliesLeaveFromIt()
    {
        using var cluster = new Cluster(1, ["-b", "127.0.0.33"]);
        using var host = new UdpHost("127.0.0.2");

        host.Send(cluster.Balancer.Endpoint, DnsWire.WhoAreYou(1));

        Assert.Equal(cluster.Balancer.Endpoint, host.Receive()!.Value.From);
    }
}
