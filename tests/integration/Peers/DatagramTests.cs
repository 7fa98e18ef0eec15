// Datagrams as the tests of other balancers and resolvers have them: with bytes behind the message,
// with an answer that is too large, to one of several addresses, and what is no query at all. A
// balancer does not judge what it forwards; whether there is an answer is the backend's to say, and
// whatever it says, it stays up.

using System;
using System.Net;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Peers;

public sealed class TrailingByteTests
{
    [Fact]
    public void BytesBehindTheMessage_AreKeptBothWays()
    {
        using var folder = new TestFolder();
        using var backend = new RawBackend(folder["5301"]);
        using var balancer = BalancerProcess.Start(folder.FullName);
        using var host = new UdpHost();
        using var session = backend.AcceptControl();
        balancer.WaitHealthy(5301);
        byte[] asked = [.. DnsWire.Query(1, "trailing.example.com"), 0xde, 0xad, 0, 0xbe, 0xef];
        byte[] answer =
        [
            .. DnsWire.Query(1, "trailing.example.com", isResponse: true), 0, 0xff, 0,
        ];

        host.Send(balancer.Endpoint, asked);
        var query = session.ReadQuery();
        session.Write(Frame.Reply(query, answer));

        Assert.Equal(asked, query.Payload);
        Assert.Equal(answer, host.Receive()!.Value.Payload);
    }
}

public sealed class LargeAnswerTests
{
    [Fact]
    public void AnswerOf8192Bytes_IsWholeOverTcpAndAbsentOverUdp_AndTheBackendStays()
    {
        // Over UDP this backend makes every answer 8,192 bytes long; over TCP the name does.
        using var cluster = new Cluster(1, ["-l", "trace"], ["--reply-length", "8192"]);
        var balancer = cluster.Balancer;
        using var udp = new UdpHost();
        using var tcp = new TcpHost(balancer.Endpoint);
        var query = DnsWire.Query(1, "size-8192.example.com", DnsWire.Txt);

        udp.Send(balancer.Endpoint, query);
        balancer.WaitForCount("RepliesOversized", 1);
        var whole = tcp.Ask(query);

        Assert.Equal(8192, whole.Length);
        Assert.False(whole.IsTruncated);
        Assert.Null(udp.Receive(0));
        // A heartbeat that is answered after it: the session is the same and sound.
        var answered = balancer.All(Log.HeartbeatAnswered).Count;
        balancer.WaitFor(Log.HeartbeatAnswered, nth: answered + 1);
        Assert.Empty(balancer.All(Log.Faulted));
        Assert.Single(balancer.All(Log.Healthy));
    }
}

public sealed class AskedAddressTests
{
    // dig takes no answer from another address than the one that it asked.
    [Theory]
    [InlineData("127.0.0.2", "127.0.0.2")]
    [InlineData("0.0.0.0", "127.0.0.2")]
    [InlineData("0.0.0.0", "127.0.0.1")]
    public void Dig_TakesTheAnswerBecauseItComesFromWhereItAsked(string bound, string asked)
    {
        using var cluster = new Cluster(1, ["-b", bound]);
        var server = new IPEndPoint(IPAddress.Parse(asked), cluster.Balancer.Port);

        foreach (var transport in new[] { "+notcp", "+tcp" })
        {
            var answer = Dig.Run(server, transport, "id.server", "CH", "TXT");

            Assert.Contains("\"5301\"", answer, StringComparison.Ordinal);
            Assert.Contains($"SERVER: {asked}#", answer, StringComparison.Ordinal);
            Assert.DoesNotContain("unexpected source", answer, StringComparison.Ordinal);
        }
    }
}
