// What is no query that a server would take: garbage, one byte, nothing, a header without a
// question, an operation that does not exist. The balancer forwards it, for it does not judge.
// Neither the real node-mname nor the fake backend answers any of it, and neither takes harm.
//
// The order tells, not the time: all goes the same way, so an answer would come before that to the
// sound query sent after it.

using System;
using System.Globalization;
using System.Linq;
using Tests.Integration.Harness;
using Tests.Integration.NodeMname;
using Xunit;

namespace Tests.Integration.Peers;

public sealed class NoQueryTests
{
    private const ushort SoundId = 0x5a5a;

    private static readonly byte[] OneByte = [0x2a];
    private static readonly byte[] Nothing = [];

    /// <summary>Without the response bit, which the balancer would drop it for.</summary>
    private static readonly byte[] Garbage = Frame.Hex(
        "4f6c 3a21 7b08 1913 0d0a 4854 5450 2f31 2e31 3fff 00c3 2871 fe80 0000 0102 0304");

    private static readonly byte[] NoQuestion = Frame.Hex("1234 0100 0000 0000 0000 0000");

    private static readonly byte[] Opcode15 = WithOpcode15();

    private static readonly byte[][] All = [Garbage, OneByte, Nothing, NoQuestion, Opcode15];

    [Fact]
    public void NodeMname_AnswersNoneOfItAndIsHealthyAtItsNextHeartbeat()
    {
        using var nodes = new Nodes("-l", "trace");
        using var host = new UdpHost();
        var backend = int.Parse(
            host.Who(nodes.Balancer.Endpoint), CultureInfo.InvariantCulture);

        foreach (var junk in All)
            ExpectNoAnswer(host, nodes.Balancer, junk);

        Assert.Equal(1 + 2 * All.Length, nodes.Balancer.Counted("QueriesForwarded"));
        ExpectHealthyAtTheNextHeartbeat(nodes.Balancer, backend);
    }

    [Fact]
    public void NodeMname_ClosesAConnectionThatSendsANonQuery_AndAnswersTheNextHeartbeat()
    {
        using var nodes = new Nodes("-l", "trace");
        string? id = null;
        // A message of no bytes is for node-mname the beginning of one, and it waits for the rest.
        foreach (var junk in All.Where(junk => junk.Length > 0))
        {
            using var client = new TcpHost(nodes.Balancer.Endpoint);
            id = client.Who();
            client.SendMessage(junk);

            Assert.True(client.IsClosedByServer());
        }

        ExpectHealthyAtTheNextHeartbeat(
            nodes.Balancer, int.Parse(id!, CultureInfo.InvariantCulture));
    }

    [Fact]
    public void FakeBinder_AnswersNoneOfItAndIsHealthyAtItsNextHeartbeat()
    {
        using var cluster = new Cluster(1, ["-l", "trace"]);
        using var host = new UdpHost();

        foreach (var junk in All)
            ExpectNoAnswer(host, cluster.Balancer, junk);

        Assert.Equal(2 * All.Length, cluster.Balancer.Counted("QueriesForwarded"));
        ExpectHealthyAtTheNextHeartbeat(cluster.Balancer, 5301);
    }

    [Fact]
    public void FakeBinder_ClosesAConnectionThatSendsANonQuery_AndAnswersTheNextHeartbeat()
    {
        using var cluster = new Cluster(1, ["-l", "trace"]);
        foreach (var junk in All)
        {
            using var client = new TcpHost(cluster.Balancer.Endpoint);
            client.Who();
            client.SendMessage(junk);

            Assert.True(client.IsClosedByServer());
        }

        ExpectHealthyAtTheNextHeartbeat(cluster.Balancer, 5301);
    }

    private static byte[] WithOpcode15()
    {
        var query = DnsWire.Query(0x1235, "opcode.example.com");
        query[2] = 0x79;
        return query;
    }

    private static void ExpectNoAnswer(UdpHost host, BalancerProcess balancer, byte[] junk)
    {
        host.Send(balancer.Endpoint, junk);
        host.Send(balancer.Endpoint, DnsWire.WhoAreYou(SoundId));

        var first = DnsWire.Parse(host.Receive()!.Value.Payload);

        Assert.Equal(SoundId, first.Id);
        Assert.Null(host.Receive(0));
    }

    private static void ExpectHealthyAtTheNextHeartbeat(BalancerProcess balancer, int backend)
    {
        var answered = balancer.All(Log.HeartbeatAnswered, backend).Count;
        balancer.WaitFor(Log.HeartbeatAnswered, backend, nth: answered + 1);
        Assert.Empty(balancer.All(Log.Faulted));
        Assert.Single(balancer.All(Log.Healthy, backend));
    }
}
