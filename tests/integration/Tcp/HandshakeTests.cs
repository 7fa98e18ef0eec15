// What a backend may do between the connect and INBOUND_TCP_OK, and right after it. A backend
// that gives up before the OK has consumed nothing, so the connection goes to one more; a client
// learns of it only when both have failed.

using System.Diagnostics;
using System.Linq;
using System.Net;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Tcp;

public sealed class HandshakeTests
{
    [Theory]
    [InlineData("--tcp-ok-split")]
    [InlineData("--tcp-ok-delay", "500ms")]
    [InlineData("--tcp-chunk", "1")]
    [InlineData("--frame-split", "1")]
    public void BackendThatAnswersInItsOwnWay_IsUnderstood(params string[] behaviour)
    {
        using var cluster = new Cluster(1, backend: behaviour);
        using var client = new TcpHost(cluster.Balancer.Endpoint);

        Assert.Equal(7, client.Ask(DnsWire.Query(7, "www.example.com")).Id);
    }

    [Fact]
    public void DataInTheSameWriteAsTheOk_ReachesTheClientFirst()
    {
        using var cluster = new Cluster(1, backend: ["--tcp-ok-with-data"]);
        using var client = new TcpHost(cluster.Balancer.Endpoint);

        client.SendMessage(DnsWire.Query(7, "www.example.com"));
        var greeting = client.ReceiveMessage();

        Assert.True(greeting.IsResponse);
        Assert.NotEqual(7, greeting.Id);
        Assert.Equal(7, client.ReceiveMessage().Id);
    }

    [Theory]
    [InlineData("--tcp-refuse")]
    [InlineData("--tcp-reset")]
    public void BackendThatGivesUpBeforeTheOk_IsReplacedByAnother(string behaviour)
    {
        // Both listen before the balancer looks: one that it meets between its bind and its listen
        // refuses the connect, which is a fault of another kind.
        using var folder = new TestFolder();
        using var reluctant = new FakeBinderProcess(folder["5301"], behaviour);
        using var willing = new FakeBinderProcess(folder["5302"]);
        using var balancer = BalancerProcess.Start(folder.FullName);
        balancer.WaitHealthy(5301, 5302);

        // Of four hosts in turn, two meet the backend that gives up.
        for (var i = 2; i <= 5; i++)
        {
            using var client = new TcpHost(balancer.Endpoint, $"127.0.0.{i}");
            Assert.Equal("5302", client.Who());
        }

        Assert.InRange(balancer.Counted("ConnectionsRetried"), 1, 4);
        Assert.Empty(balancer.All(Log.Faulted));
    }

    [Fact]
    public void BackendsThatAllGiveUpBeforeTheOk_CloseTheClient()
    {
        using var cluster = new Cluster(2, backend: ["--tcp-refuse"]);
        using var client = new TcpHost(cluster.Balancer.Endpoint);
        client.SendMessage(DnsWire.Query(1, "www.example.com"));

        Assert.True(client.IsClosedByServer());
        cluster.Balancer.WaitForCount("ConnectionsRefusedByBackend", 1);
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }

    [Fact]
    public void BackendThatDiesBeforeTheOk_IsReplacedByAnother()
    {
        using var cluster = new Cluster(1, backend: ["--crash-before-tcp-ok"]);
        cluster.StartBackend(5302);
        cluster.Balancer.WaitHealthy(5302);

        for (var i = 2; i <= 5; i++)
        {
            using var client = new TcpHost(cluster.Balancer.Endpoint, $"127.0.0.{i}");
            Assert.Equal("5302", client.Who());
        }
    }

    [Fact]
    public void BackendThatHalfClosesFirst_StillGetsWhatTheClientSends()
    {
        using var folder = new TestFolder();
        using var backend = new RawBackend(folder["5301"]);
        using var balancer = BalancerProcess.Start(folder.FullName);
        backend.AcceptControl().AnswerHeartbeats();
        balancer.WaitHealthy(5301);
        using var client = new TcpHost(balancer.Endpoint);
        client.Send([0]);
        var session = backend.AcceptTcp(out _);

        session.Write([.. Frame.U32(Frame.InboundTcpOk), 1, 2, 3]);
        session.HalfClose();
        Assert.Equal(new byte[] { 1, 2, 3 }, client.ReceiveExactly(3));
        Assert.True(client.IsAtEnd());
        client.Send([1, 6]);
        session.Expect([0, 1, 6]);
        client.HalfClose();
        session.WaitForEnd();

        balancer.WaitForCount("ConnectionsFinished", 1);
    }

    [Fact]
    public void BytesSentBeforeTheOk_ArriveAfterIt()
    {
        using var folder = new TestFolder();
        using var backend = new RawBackend(folder["5301"]);
        using var balancer = BalancerProcess.Start(folder.FullName);
        backend.AcceptControl().AnswerHeartbeats();
        balancer.WaitHealthy(5301);
        using var client = new TcpHost(balancer.Endpoint);
        client.Send([1, 2, 3, 4]);
        client.HalfClose();
        var session = backend.AcceptTcp(out var from);

        Assert.Equal(client.Endpoint, from);
        Assert.False(session.HasNews(300), "a byte came before INBOUND_TCP_OK");
        session.Write(Frame.U32(Frame.InboundTcpOk));
        session.Expect([1, 2, 3, 4]);
        session.WaitForEnd();
        session.Write([9]);
        session.HalfClose();
        Assert.Equal(new byte[] { 9 }, client.ReceiveExactly(1));
        Assert.True(client.IsAtEnd());
    }

    [Fact]
    public void ClientThatResetsInEachPhase_LeavesBackendAndBalancerSound()
    {
        using var cluster = new Cluster(1, backend: ["--tcp-ok-delay", "200ms"]);
        for (var round = 0; round < 20; round++)
        {
            var client = new TcpHost(cluster.Balancer.Endpoint);
            if (round % 4 >= 1)
                client.SendMessage(DnsWire.Query(1, "size-48000.example.com", DnsWire.Txt));
            if (round % 4 >= 2)
                client.HasNews(Eventually.Seconds * 1000);
            if (round % 4 >= 3)
                client.ReceiveExactly(2);
            client.Reset();
        }

        Eventually.That(() => EndedConnections(cluster.Balancer) == 20, "all connections ended");
        using var last = new TcpHost(cluster.Balancer.Endpoint);
        Assert.Equal("5301", last.Who());
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }

    private static long EndedConnections(BalancerProcess balancer)
    {
        var status = balancer.Status();
        return Log.CounterOf(status, "ConnectionsFinished")
            + Log.CounterOf(status, "ConnectionsFailedByClient")
            + Log.CounterOf(status, "ConnectionsFailedByBackend");
    }
}

public sealed class HandshakeTimeoutTests
{
    [Fact]
    public void NoOkWithinTenSeconds_ClosesTheClientAndFaultsNobody()
    {
        using var cluster = new Cluster(1, backend: ["--tcp-no-ok"]);
        var began = Stopwatch.StartNew();
        using var client = new TcpHost(cluster.Balancer.Endpoint);
        client.SendMessage(DnsWire.Query(1, "www.example.com"));

        Assert.True(client.IsClosedByServer());

        Assert.True(began.Elapsed.TotalSeconds >= 10, "closed too early");
        cluster.Balancer.WaitForCount("ConnectionsHandshakeTimedOut", 1);
        using var host = new UdpHost();
        Assert.Equal("5301", host.Who(cluster.Balancer.Endpoint));
        Assert.Empty(cluster.Balancer.All(Log.Faulted));
    }
}
