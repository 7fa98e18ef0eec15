// Replies that cannot or must not be sent: each costs the backend that one reply and is in its
// counter, the session stays, and the next reply on it arrives. In the original some of them ended
// the process.

using System;
using System.Net;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Udp;

public sealed class ReplyDropTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly RawBackend _backend;
    private readonly BalancerProcess _balancer;
    private readonly RawSession _session;
    private readonly UdpHost _host = new();
    private readonly Query _query;

    public ReplyDropTests()
    {
        _backend = new RawBackend(_folder["5301"]);
        _balancer = BalancerProcess.Start(_folder.FullName);
        _session = _backend.AcceptControl();
        _balancer.WaitHealthy(5301);
        _host.Send(_balancer.Endpoint, DnsWire.Query(256, "a.example.com"));
        _query = _session.ReadQuery();
    }

    public void Dispose()
    {
        _host.Dispose();
        _balancer.Dispose();
        _backend.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("127.0.0.2", 0, "RepliesToPortZero")]
    [InlineData("127.0.0.2", 65_536, "RepliesToPortTooLarge")]
    [InlineData("127.0.0.2", 4_294_967_295, "RepliesToPortTooLarge")]
    [InlineData("127.0.0.99", 5353, "RepliesUnmatched")]
    [InlineData("255.255.255.255", 5353, "RepliesUnmatched")]
    [InlineData("127.255.255.255", 5353, "RepliesUnmatched")]
    [InlineData("0.0.0.0", 5353, "RepliesUnmatched")]
    [InlineData("224.0.0.1", 5353, "RepliesUnmatched")]
    public void ReplyToWhereNoneCanGo_IsDroppedAndCounted(string address, long port, string counter)
    {
        _session.Write(Frame.Reply(IPAddress.Parse(address), (uint)port, [1, 2, 3]));

        ExpectTheNextReply();
        Assert.Equal(1, _balancer.Counted(counter));
    }

    [Fact]
    public void ReplyToPortOver65535_IsNotCutToSixteenBits()
    {
        var cut = (uint)_host.Endpoint.Port + 65_536;
        _session.Write(Frame.Reply(_query.Address, cut, [1, 2, 3]));

        ExpectTheNextReply();
    }

    [Fact]
    public void ReplyOfLengthZero_IsSentAsItIs()
    {
        _host.Send(_balancer.Endpoint, DnsWire.Query(0, "a.example.com"));
        _session.Write(Frame.Reply(_session.ReadQuery(), []));

        Assert.Empty(_host.Receive()!.Value.Payload);
        ExpectTheNextReply();
    }

    [Theory]
    [InlineData(1500)]
    [InlineData(1)]
    public void ReplyOfUpTo1500Bytes_IsSentAsItIs(int bytes)
    {
        var payload = new byte[bytes];
        // A response, and no SERVFAIL or REFUSED, which would be held.
        Array.Fill(payload, (byte)0xa0);
        AnswerTheQuery(payload);
        _session.Write(Frame.Reply(_query, payload));

        Assert.Equal(payload, _host.Receive()!.Value.Payload);
    }

    [Theory]
    [InlineData(1501)]
    [InlineData(2048)]
    [InlineData(65_535)]
    public void ReplyOverFifteenHundredBytes_IsSkippedAndTheSessionStays(int bytes)
    {
        _session.Write(Frame.Reply(_query, new byte[bytes]));

        ExpectTheNextReply();
        Assert.Equal(1, _balancer.Counted("RepliesOversized"));
    }

    /// <summary>Its id is 256, so that a single byte can name it.</summary>
    private static void AnswerTheQuery(byte[] payload)
    {
        payload[0] = 1;
        if (payload.Length > 1)
            payload[1] = 0;
    }

    private void ExpectTheNextReply()
    {
        byte[] next = [1, 0, 7];
        _session.Write(Frame.Reply(_query, next));
        Assert.Equal(next, _host.Receive()!.Value.Payload);
        Assert.Empty(_balancer.All(Log.Faulted));
    }
}
