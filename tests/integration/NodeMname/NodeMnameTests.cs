// The balancer with the real node-mname behind it, in Node processes, over UDP and TCP: the peer
// that the protocol was made for, with its frames in two writes and its streams' habits.

using System.Collections.Generic;
using System.IO;
using System.Linq;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.NodeMname;

public sealed class NodeMnameTests
{
    [Fact]
    public void ThreeProcesses_AnswerUdpAndTcpAndShareTheClients()
    {
        using var nodes = new Nodes();

        var met = nodes.WhoMeetsWhom(2, 16);

        Assert.Equal([5, 5, 5], Cluster.Sizes(met));
        foreach (var (address, id) in met)
        {
            using var client = new TcpHost(nodes.Balancer.Endpoint, address);
            Assert.Equal(id, client.Who());
        }
        Assert.Matches(@"^10\.\d+\.\d+\.\d+$",
            Dig.Run(nodes.Balancer.Endpoint, "+short", "www.example.com"));
        Assert.Matches(@"^10\.\d+\.\d+\.\d+$",
            Dig.Run(nodes.Balancer.Endpoint, "+tcp", "+short", "www.example.com"));
    }

    [Fact]
    public void ProcessKilled_ItsClientsMoveTheOthersStay()
    {
        using var nodes = new Nodes();
        var before = nodes.WhoMeetsWhom(2, 13);

        nodes[5302].Signal(Posix.SigKill);
        nodes.Balancer.WaitFor(Log.Faulted, 5302);
        var after = nodes.WhoMeetsWhom(2, 13);

        Assert.DoesNotContain("5302", after.Values);
        foreach (var (address, id) in before.Where(entry => entry.Value != "5302"))
            Assert.Equal(id, after[address]);
    }

    [Fact]
    public void ProcessStoppedInOrder_UnlinksAndIsTakenUpAgain()
    {
        using var nodes = new Nodes();
        nodes[5303].Signal(Posix.SigTerm);
        Assert.Equal(0, nodes[5303].WaitForExit());
        nodes.Balancer.WaitFor(Log.BackendStopped, 5303);
        nodes.Balancer.WaitFor(Log.Removed, 5303);
        Assert.Empty(nodes.Balancer.All(Log.Faulted, 5303));

        nodes.Start(5303);
        nodes.Balancer.WaitFor(Log.Healthy, 5303, nth: 2);

        Assert.Equal([3, 3, 3], Cluster.Sizes(nodes.WhoMeetsWhom(2, 10)));
    }

    [Fact]
    public void ManyPipelinedQueriesAndLargeAnswers_ArriveWholeOverTcp()
    {
        using var nodes = new Nodes();
        // On a loaded machine a backend may be silent for 0.2 s, and who waits for it is reset.
        for (var times = 0; times < 4; times++)
        {
            try
            {
                AskManyAndOneLarge(nodes.Balancer);
                return;
            }
            catch (IOException)
            {
                nodes.Balancer.WaitFor(Log.Suspected);
            }
        }
        AskManyAndOneLarge(nodes.Balancer);
    }

    private static void AskManyAndOneLarge(BalancerProcess balancer)
    {
        using var client = new TcpHost(balancer.Endpoint);
        client.Send([.. Enumerable.Range(1, 100).SelectMany(
            id => DnsWire.Framed(DnsWire.Query((ushort)id, $"n{id}.example.com")))]);
        var ids = Enumerable.Range(1, 100).Select(_ => (int)client.ReceiveMessage().Id);
        Assert.Equal(Enumerable.Range(1, 100), ids.Order());

        var large = client.Ask(DnsWire.Query(101, "size-40000.example.com", DnsWire.Txt));

        Assert.True(large.Length > 40_000, $"{large.Length} bytes");
    }

    [Fact]
    public void ClientThatHalfCloses_GetsTheAnswerThatWasNotReady()
    {
        using var nodes = new Nodes();
        using var client = new TcpHost(nodes.Balancer.Endpoint);
        client.SendMessage(DnsWire.Query(3, "delay-300.example.com"));
        client.HalfClose();

        Assert.Equal(3, client.ReceiveMessage().Id);
        Assert.True(client.IsAtEnd());
    }

    [Fact]
    public void Heartbeats_AreAnswered()
    {
        using var nodes = new Nodes("-l", "trace");

        nodes.Balancer.WaitFor(Log.HeartbeatAnswered, 5301);
        nodes.Balancer.WaitFor(Log.HeartbeatAnswered, 5303);
        Assert.Empty(nodes.Balancer.All(Log.Faulted));
    }

    [Fact]
    public void GarbageOverUdp_IsSurvivedByBoth()
    {
        using var nodes = new Nodes();
        using var host = new UdpHost();
        for (var length = 0; length <= 1500; length += 50)
            host.Send(nodes.Balancer.Endpoint, new byte[length]);

        Assert.NotEmpty(host.Who(nodes.Balancer.Endpoint));
        Assert.Empty(nodes.Balancer.All(Log.Faulted));
    }
}
