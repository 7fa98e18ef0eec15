// TCP connections between real clients and fake backends: messages whole, in pieces, by the
// hundred and large; both directions ending on their own; and what the two sides of one
// connection may do to each other.

using System;
using System.Linq;
using DnsClient;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Tcp;

public sealed class RelayTests : IDisposable
{
    private readonly Cluster _cluster = new(2);

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public void Dig_IsAnswered()
    {
        var answer = Dig.Run(
            _cluster.Balancer.Endpoint, "+tcp", "+short", "id.server", "CH", "TXT");

        Assert.Matches("^\"530[12]\"$", answer);
    }

    [Fact]
    public void DnsClient_IsAnswered()
    {
        var client = new LookupClient(new LookupClientOptions(_cluster.Balancer.Endpoint)
        {
            UseCache = false,
            UseTcpOnly = true,
            Timeout = TimeSpan.FromSeconds(20),
        });

        var answer = client.Query("www.example.com", QueryType.A);

        Assert.False(answer.HasError);
        Assert.Single(answer.Answers.ARecords());
    }

    [Fact]
    public void TruncatedUdpAnswer_IsRepeatedWholeOverTcp()
    {
        var answer = Dig.Run(_cluster.Balancer.Endpoint, "size-4000.example.com", "TXT");

        Assert.Contains("(TCP)", answer, StringComparison.Ordinal);
        Assert.Matches("MSG SIZE +rcvd: 4000", answer);
    }

    [Fact]
    public void HundredPipelinedQueries_AreAllAnswered()
    {
        using var client = new TcpHost(_cluster.Balancer.Endpoint);
        client.Send([.. Enumerable.Range(1, 100).SelectMany(
            id => DnsWire.Framed(DnsWire.Query((ushort)id, $"n{id}.example.com")))]);

        var ids = Enumerable.Range(1, 100).Select(_ => (int)client.ReceiveMessage().Id);

        Assert.Equal(Enumerable.Range(1, 100), ids.Order());
    }

    [Fact]
    public void AnswerOf48Kilobytes_ArrivesWhole()
    {
        using var client = new TcpHost(_cluster.Balancer.Endpoint);

        var answer = client.Ask(DnsWire.Query(1, "size-48000.example.com", DnsWire.Txt));

        Assert.Equal(48_000, answer.Length);
        Assert.False(answer.IsTruncated);
    }

    [Fact]
    public void QuerySentByteByByte_IsAnswered()
    {
        using var client = new TcpHost(_cluster.Balancer.Endpoint);
        foreach (var one in DnsWire.Framed(DnsWire.Query(5, "slow.example.com")))
            client.Send([one]);

        Assert.Equal(5, client.ReceiveMessage().Id);
    }

    [Fact]
    public void ClientThatHalfClosesAfterItsQuery_GetsTheAnswerThenTheEnd()
    {
        using var client = new TcpHost(_cluster.Balancer.Endpoint);
        client.SendMessage(DnsWire.Query(6, "delay-300.example.com"));
        client.HalfClose();

        Assert.Equal(6, client.ReceiveMessage().Id);
        Assert.True(client.IsAtEnd());
    }

    [Fact]
    public void HostThatUsesUdpAndTcp_MeetsTheSameBackend()
    {
        for (var i = 2; i <= 9; i++)
        {
            using var udp = new UdpHost($"127.0.0.{i}");
            using var tcp = new TcpHost(_cluster.Balancer.Endpoint, $"127.0.0.{i}");

            Assert.Equal(udp.Who(_cluster.Balancer.Endpoint), tcp.Who());
        }
    }

    [Fact]
    public void ClosedConnections_AreCountedFinishedAndLeaveNothing()
    {
        using (var first = new TcpHost(_cluster.Balancer.Endpoint))
            first.Who();
        _cluster.Balancer.WaitForCount("ConnectionsFinished", 1);
        var before = _cluster.Balancer.Descriptors;

        for (var i = 0; i < 50; i++)
        {
            using var client = new TcpHost(_cluster.Balancer.Endpoint);
            client.Who();
        }

        _cluster.Balancer.WaitForCount("ConnectionsFinished", 51);
        Eventually.That(() => _cluster.Balancer.Descriptors <= before, "descriptors are closed");
    }
}
