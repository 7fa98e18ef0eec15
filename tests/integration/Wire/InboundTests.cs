// What the balancer makes of the bytes it gets: frames cut anywhere and glued together are the
// frames that they are; everything that the protocol forbids closes the session, is logged with
// its cause, and is followed by a new session after the back-off of one second.

using System;
using System.Diagnostics;
using System.Net;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Wire;

public sealed class ProtocolErrorTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly RawBackend _backend;
    private readonly BalancerProcess _balancer;

    public ProtocolErrorTests()
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

    [Theory]
    [InlineData("ec 03 00 00", "frame_before_hello")]
    [InlineData("eb 03 00 00", "frame_before_hello")]
    [InlineData("ea 03 00 00 02 00 00 7f 35 00 00 00 01 00 00 00 00", "frame_before_hello")]
    [InlineData("01 00 00 00", "frame_before_hello|unknown_frame")]
    [InlineData("48 54 54 50", "frame_before_hello|unknown_frame")]
    public void OtherFirstFrame_FaultsTheBackend(string bytes, string fault)
    {
        var session = _backend.Accept();
        session.Expect(Frame.U32(Frame.ClientHello));

        ExpectFault(session, bytes, fault);
    }

    [Theory]
    [InlineData("e9 03 00 00", "second_hello")]
    [InlineData("ec 03 00 00", "unasked_heartbeat")]
    [InlineData("eb 03 00 00", "tcp_frame_on_control_session")]
    [InlineData("00 00 00 00", "unknown_frame")]
    [InlineData("02 00 00 00", "unknown_frame")]
    [InlineData("04 00 00 00", "unknown_frame")]
    [InlineData("ed 03 00 00", "unknown_frame")]
    [InlineData("ff ff ff ff", "unknown_frame")]
    [InlineData("00 00 03 e9", "unknown_frame")]
    [InlineData("ea 03 00 00 02 00 00 7f 35 00 00 00 00 00 01 00", "length_too_large")]
    [InlineData("ea 03 00 00 02 00 00 7f 35 00 00 00 00 00 00 80", "length_too_large")]
    [InlineData("ea 03 00 00 02 00 00 7f 35 00 00 00 ff ff ff ff", "length_too_large")]
    public void ForbiddenFrameAfterTheHello_FaultsTheBackend(string bytes, string fault) =>
        ExpectFault(_backend.AcceptControl(), bytes, fault);

    [Theory]
    [InlineData("")]
    [InlineData("ea")]
    [InlineData("ea 03 00")]
    [InlineData("ea 03 00 00 02 00 00 7f 35 00 00")]
    [InlineData("ea 03 00 00 02 00 00 7f 35 00 00 00 04 00 00 00 01 02")]
    public void EndOfSession_FaultsTheBackendWhereverItComes(string before)
    {
        var session = _backend.AcceptControl();
        session.Write(Frame.Hex(before));
        var ended = Stopwatch.StartNew();
        session.HalfClose();

        ExpectFaultAndReturn(session, ended, "end_of_stream");
    }

    [Fact]
    public void EndOfSessionBeforeTheHello_FaultsTheBackend()
    {
        var session = _backend.Accept();
        session.Expect(Frame.U32(Frame.ClientHello));
        var ended = Stopwatch.StartNew();
        session.HalfClose();

        ExpectFaultAndReturn(session, ended, "end_of_stream");
    }

    private void ExpectFault(RawSession session, string bytes, string fault)
    {
        var written = Stopwatch.StartNew();
        session.Write(Frame.Hex(bytes));
        ExpectFaultAndReturn(session, written, fault);
    }

    private void ExpectFaultAndReturn(RawSession session, Stopwatch since, string fault)
    {
        session.WaitForEnd();
        var record = _balancer.WaitFor(Log.Faulted, 5301);
        Assert.Contains(record.Text("fault"), fault.Split('|'));
        Assert.Equal(50, record.Level);
        Assert.Equal(1.0, record.Number("backoff_s"));

        _backend.AcceptControl().AnswerHeartbeats();
        Assert.True(since.Elapsed.TotalSeconds >= 1, $"a new session after {since.Elapsed}");
        _balancer.WaitFor(Log.Healthy, 5301);
        Assert.Single(_balancer.All(Log.Faulted));
    }
}

public sealed class FramingTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly RawBackend _backend;
    private readonly BalancerProcess _balancer;
    private readonly UdpHost _host = new();

    public FramingTests()
    {
        _backend = new RawBackend(_folder["5301"]);
        _balancer = BalancerProcess.Start(_folder.FullName);
    }

    public void Dispose()
    {
        _host.Dispose();
        _balancer.Dispose();
        _backend.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void HelloCutIntoBytes_IsAHello()
    {
        var session = _backend.Accept();
        session.Expect(Frame.U32(Frame.ClientHello));
        foreach (var one in Frame.U32(Frame.ServerHello))
        {
            Assert.Empty(_balancer.All(Log.Healthy));
            session.Write([one]);
        }

        _balancer.WaitHealthy(5301);
    }

    [Fact]
    public void RepliesCutAtEveryByte_AllArriveWhole()
    {
        var session = _backend.AcceptControl();
        var query = Ask(session, [1]);
        var frames = new byte[][]
        {
            Frame.Reply(query, [1]), Frame.Reply(query, [2, 2]), Frame.Reply(query, []),
        };
        byte[] all = [.. frames[0], .. frames[1], .. frames[2]];

        for (var cut = 0; cut <= all.Length; cut++)
        {
            if (cut > 0)
                Ask(session, [1]);
            Ask(session, [2, 2]);
            Ask(session, []);
            session.Write(all.AsSpan(0, cut));
            if (cut >= frames[0].Length)
                Assert.Equal(new byte[] { 1 }, _host.Receive()!.Value.Payload);
            session.Write(all.AsSpan(cut));
            if (cut < frames[0].Length)
                Assert.Equal(new byte[] { 1 }, _host.Receive()!.Value.Payload);
            Assert.Equal(new byte[] { 2, 2 }, _host.Receive()!.Value.Payload);
            Assert.Empty(_host.Receive()!.Value.Payload);
        }
        Assert.Empty(_balancer.All(Log.Faulted));
    }

    [Fact]
    public void RepliesByteByByte_AllArriveWhole()
    {
        var session = _backend.AcceptControl();
        for (byte i = 0; i < 5; i++)
        {
            var query = Ask(session, [i, i, i]);
            foreach (var one in Frame.Reply(query, [i, i, i]))
                session.Write([one]);
            Assert.Equal(new[] { i, i, i }, _host.Receive()!.Value.Payload);
        }
    }

    [Fact]
    public void HelloAndManyFramesGluedTogether_AreAllUnderstood()
    {
        // Nobody can have asked before the hello, so what comes in its write answers nobody.
        var session = _backend.Accept();
        session.Expect(Frame.U32(Frame.ClientHello));
        var to = new Query(_host.Endpoint.Address, (uint)_host.Endpoint.Port, []);
        var glued = new System.Collections.Generic.List<byte>(Frame.U32(Frame.ServerHello));
        for (byte i = 0; i < 200; i++)
            glued.AddRange(Frame.Reply(to, [i, 7]));
        session.Write(glued.ToArray());
        session.Write(Frame.Reply(Ask(session, [6]), [6]));

        Assert.Equal(new byte[] { 6 }, _host.Receive()!.Value.Payload);
        Assert.Equal(200, _balancer.Counted("RepliesUnmatched"));
        Assert.Empty(_balancer.All(Log.Faulted));
    }

    [Theory]
    [InlineData(1501)]
    [InlineData(9000)]
    [InlineData(65_535)]
    public void OversizedReplyInPieces_IsSkippedToItsLastByteAndTheNextArrives(int bytes)
    {
        var session = _backend.AcceptControl();
        var query = Ask(session, [6]);
        var frame = Frame.Reply(query, new byte[bytes]);
        for (var at = 0; at < frame.Length; at += 997)
            session.Write(frame.AsSpan(at, Math.Min(997, frame.Length - at)));
        session.Write(Frame.Reply(query, [6]));

        Assert.Equal(new byte[] { 6 }, _host.Receive()!.Value.Payload);
        Assert.Equal(1, _balancer.Counted("RepliesOversized"));
        Assert.Empty(_balancer.All(Log.Faulted));
    }

    [Fact]
    public void TcpOkCutIntoBytesWithDataBehindIt_IsUnderstood()
    {
        _backend.AcceptControl().AnswerHeartbeats();
        _balancer.WaitHealthy(5301);
        using var client = new TcpHost(_balancer.Endpoint);
        client.Send([0]);
        var session = _backend.AcceptTcp(out _);
        foreach (var one in Frame.Hex("eb 03 00 00 11"))
            session.Write([one]);

        Assert.Equal(new byte[] { 0x11 }, client.ReceiveExactly(1));
    }

    [Theory]
    [InlineData("ec 03 00 00")]
    [InlineData("e9 03 00 00")]
    [InlineData("00 00 00 00")]
    public void OtherFrameInPlaceOfTheTcpOk_ClosesTheClientAndFaultsNobody(string bytes)
    {
        _backend.AcceptControl().AnswerHeartbeats();
        _balancer.WaitHealthy(5301);
        using var client = new TcpHost(_balancer.Endpoint);
        client.Send([0]);
        _backend.AcceptTcp(out _).Write(Frame.Hex(bytes));

        Assert.True(client.IsClosedByServer());
        Assert.Empty(_balancer.All(Log.Faulted));
    }

    private Query Ask(RawSession session, byte[] query)
    {
        _balancer.WaitFor(Log.Healthy, 5301);
        _host.Send(_balancer.Endpoint, query);
        return session.ReadQuery();
    }
}
