// What the balancer sends on the wire, byte for byte, to a backend that the test plays by hand:
// each frame, its byte order, and when it is sent.

using System;
using System.Diagnostics;
using System.Net;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Wire;

public sealed class OutboundTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly RawBackend _backend;
    private readonly BalancerProcess _balancer;

    public OutboundTests()
    {
        _backend = new RawBackend(_folder["5301"]);
        _balancer = BalancerProcess.Start(_folder.FullName);
    }

    public void Dispose()
    {
        _balancer.Dispose();
        _backend.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void ControlSession_BeginsWithClientHelloAlone()
    {
        var session = _backend.Accept();

        session.Expect(Frame.Hex("01 00 00 00"));
        using var host = new UdpHost();
        host.Send(_balancer.Endpoint, DnsWire.Query(1, "early.example.com"));
        _balancer.WaitForCount("QueriesWithoutBackend", 1);
        Assert.False(session.HasNews(0), "something follows CLIENT_HELLO before SERVER_HELLO");
    }

    [Fact]
    public void InboundUdp_IsLittleEndianAndCarriesThePacketVerbatim()
    {
        var session = _backend.AcceptControl();
        _balancer.WaitHealthy(5301);
        using var host = new UdpHost("127.77.78.5");
        host.Send(_balancer.Endpoint, [0xde, 0xad, 0x00, 0xef, 0x01]);

        // 127.77.78.5 is 0x7f4d4e05.
        session.Expect(Frame.Hex("02 00 00 00  05 4e 4d 7f"));
        session.Expect([(byte)host.Endpoint.Port, (byte)(host.Endpoint.Port >> 8), 0, 0]);
        session.Expect(Frame.Hex("05 00 00 00  de ad 00 ef 01"));
    }

    [Fact]
    public void InboundTcp_IsLittleEndianAndIsFollowedByTheStream()
    {
        _backend.AcceptControl().AnswerHeartbeats();
        _balancer.WaitHealthy(5301);
        using var client = new TcpHost(_balancer.Endpoint, "127.77.78.5");
        client.Send([0]);
        var session = _backend.Accept();

        session.Expect(Frame.Hex("03 00 00 00  05 4e 4d 7f"));
        session.Expect([(byte)client.Endpoint.Port, (byte)(client.Endpoint.Port >> 8), 0, 0]);
        session.Write(Frame.Hex("eb 03 00 00  ca fe"));
        // A whole message: until the first is whole, it is held.
        client.Send([1, 2]);
        session.Expect([0, 1, 2]);
        Assert.Equal(new byte[] { 0xca, 0xfe }, client.ReceiveExactly(2));
    }

    [Fact]
    public void Replies_ReachTheAddressAndPortInTheirFrame()
    {
        var session = _backend.AcceptControl();
        _balancer.WaitHealthy(5301);
        using var asks = new UdpHost("127.0.0.2");
        using var alsoThere = new UdpHost("127.0.0.2");
        asks.Send(_balancer.Endpoint, [1, 2, 0, 4]);
        session.ReadQuery();
        alsoThere.Send(_balancer.Endpoint, [0xaa, 0xbb]);
        session.ReadQuery();
        var port = alsoThere.Endpoint.Port;

        session.Write(
        [
            .. Frame.Hex("ea 03 00 00  02 00 00 7f"), (byte)port, (byte)(port >> 8), 0, 0,
            .. Frame.Hex("03 00 00 00  aa bb cc"),
        ]);

        Assert.Equal(new byte[] { 0xaa, 0xbb, 0xcc }, alsoThere.Receive()!.Value.Payload);
    }
}

public sealed class HeartbeatTests
{
    [Fact]
    public void Heartbeats_FollowFiveSecondsAfterHelloAndAnswerOneAtATime()
    {
        using var folder = new TestFolder();
        using var backend = new RawBackend(folder["5301"]);
        using var balancer = BalancerProcess.Start(folder.FullName);
        var session = backend.Accept();
        session.Expect(Frame.U32(Frame.ClientHello));
        var hello = Stopwatch.StartNew();
        session.Write(Frame.U32(Frame.ServerHello));

        session.Expect(Frame.Hex("04 00 00 00"));
        Assert.True(hello.Elapsed.TotalSeconds >= 5, $"{hello.Elapsed} after the hello");
        Assert.False(session.HasNews(6000), "a second heartbeat while one is outstanding");
        var answer = Stopwatch.StartNew();
        session.Write(Frame.U32(Frame.ServerHeartbeat));
        session.Expect(Frame.U32(Frame.ClientHeartbeat));
        Assert.True(answer.Elapsed.TotalSeconds >= 5, $"{answer.Elapsed} after the answer");
    }
}
