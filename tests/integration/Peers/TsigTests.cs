// Signed queries and answers pass byte for byte, over UDP and TCP: the bytes are the same at both
// ends, and dig, whose bytes the test does not know, takes the signed answer to its signed query.

using System;
using System.Buffers.Binary;
using System.Globalization;
using System.Linq;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Peers;

public sealed class TsigTests : IDisposable
{
    private readonly Tsig _key = new("peers", [.. Enumerable.Range(1, 32).Select(i => (byte)i)]);
    private readonly TestFolder _folder = new();
    private readonly RawBackend _backend;
    private readonly BalancerProcess _balancer;
    private readonly RawSession _control;

    public TsigTests()
    {
        _backend = new RawBackend(_folder["5301"]);
        _balancer = BalancerProcess.Start(_folder.FullName);
        _control = _backend.AcceptControl();
        _balancer.WaitHealthy(5301);
    }

    public void Dispose()
    {
        _balancer.Dispose();
        _backend.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void SignedQueryAndAnswerOverUdp_AreTheSameAtBothEnds()
    {
        using var host = new UdpHost();
        var signed = _key.Sign(DnsWire.Query(1, "signed.example.com"));

        host.Send(_balancer.Endpoint, signed);
        var query = _control.ReadQuery();
        Assert.Equal(signed, query.Payload);
        var answer = SignedAnswer(query.Payload);
        _control.Write(Frame.Reply(query, answer));

        Assert.Equal(answer, host.Receive()!.Value.Payload);
    }

    [Fact]
    public void SignedQueryAndAnswerOverTcp_AreTheSameAtBothEnds()
    {
        using var client = new TcpHost(_balancer.Endpoint);
        var signed = _key.Sign(DnsWire.Query(2, "signed.example.com"));

        client.SendMessage(signed);
        var session = AcceptTcp();
        var query = ReadMessage(session);
        Assert.Equal(signed, query);
        var answer = DnsWire.Framed(SignedAnswer(query));
        session.Write(answer);

        Assert.Equal(answer, client.ReceiveExactly(answer.Length));
    }

    [Fact]
    public void OneBitOfASignedQueryChanged_IsNoticedByTheCheck()
    {
        var signed = _key.Sign(DnsWire.Query(3, "signed.example.com"));
        Assert.NotNull(_key.Check(signed));

        signed[14] ^= 0x20;

        Assert.Null(_key.Check(signed));
    }

    [Theory]
    [InlineData("+notcp")]
    [InlineData("+tcp")]
    public void DigWithAKey_TakesTheSignedAnswer(string transport)
    {
        using var dig = new ManagedProcess("dig",
        [
            "@127.0.0.1", "-p", _balancer.Port.ToString(CultureInfo.InvariantCulture),
            "+time=30", "+tries=1", transport, "-y", _key.ForDig, "signed.example.com",
        ]);

        if (transport == "+tcp")
        {
            var session = AcceptTcp();
            session.Write(DnsWire.Framed(SignedAnswer(ReadMessage(session))));
        }
        else
        {
            var query = _control.ReadQuery();
            _control.Write(Frame.Reply(query, SignedAnswer(query.Payload)));
        }

        Assert.True(dig.WaitForExit() == 0, dig.Tail());
        var said = string.Join('\n', dig.Lines.Concat(dig.Errors));
        Assert.Contains("status: NOERROR", said, StringComparison.Ordinal);
        Assert.Contains("TSIG PSEUDOSECTION", said, StringComparison.Ordinal);
        Assert.DoesNotContain("could not be validated", said, StringComparison.Ordinal);
    }

    /// <summary>Checks the query's signature and answers it with nothing, signed.</summary>
    private byte[] SignedAnswer(byte[] query)
    {
        var mac = _key.Check(query);
        Assert.NotNull(mac);
        var id = BinaryPrimitives.ReadUInt16BigEndian(query);
        return _key.Sign(DnsWire.Query(id, "signed.example.com", isResponse: true), mac);
    }

    private RawSession AcceptTcp()
    {
        var session = _backend.AcceptTcp(out _);
        session.Write(Frame.U32(Frame.InboundTcpOk));
        return session;
    }

    private static byte[] ReadMessage(RawSession session) =>
        session.Read(BinaryPrimitives.ReadUInt16BigEndian(session.Read(2)));
}
