// The control session: what it does right, what it holds the balancer to, and each thing that it
// can be told to do wrong.

using System;
using System.Collections.Generic;
using System.Linq;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class ControlSessionTests
{
    private const string Header = "ea030000" + "054d4d0a" + "92100000"; // to 10.77.77.5:4242
    private const string A = "1234850000010001000000000161000001" + "0001"
        + "c00c000100010000001e00040a0c292c";

    // The answer to "a" is 35 bytes long: 0x23.
    private static readonly string[] AnswerToA = [Header + "23000000", A];

    [Fact]
    public void Hello_IsAnsweredOnce() =>
        Assert.Equal([SessionDriver.Hello], new SessionDriver().Feed(1, 0, 0, 0));

    [Fact]
    public void Query_IsAnsweredInTwoWrites() =>
        Assert.Equal(AnswerToA, SessionDriver.Control().FeedQuery("a"));

    [Fact]
    public void Heartbeat_IsAnswered()
    {
        var driver = SessionDriver.Control();
        Assert.Equal([SessionDriver.Heartbeat], driver.Feed(SessionDriver.ClientHeartbeat));
        Assert.Equal([SessionDriver.Heartbeat], driver.Feed(SessionDriver.ClientHeartbeat));
        Assert.Equal(2, driver.Shared.Heartbeats);
    }

    [Fact]
    public void AnyChunking_GivesTheSameBytes()
    {
        byte[] input =
        [
            .. SessionDriver.ClientHello,
            .. SessionDriver.InboundUdp(SessionDriver.Query("a")),
            .. SessionDriver.ClientHeartbeat,
            .. SessionDriver.InboundUdp([]),
            .. SessionDriver.InboundUdp(SessionDriver.Query("b")),
        ];
        var whole = new SessionDriver().Feed(input);
        Assert.Equal(6, whole.Length);

        for (var size = 1; size < input.Length; size++)
        {
            var driver = new SessionDriver();
            Assert.Equal(whole, input.Chunk(size).SelectMany(c => driver.Feed(c)));
        }
        for (var cut = 1; cut < input.Length; cut++)
        {
            var driver = new SessionDriver();
            Assert.Equal(whole, driver.Feed(input[..cut]).Concat(driver.Feed(input[cut..])));
        }
    }

    public static TheoryData<byte[], string> Violations => new()
    {
        { [9, 0, 0, 0], "unknown frame type 9" },
        { SessionDriver.ClientHello, "ClientHello on a control session" },
        { SessionDriver.InboundTcp, "InboundTcp on a control session" },
        { [2, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], "INBOUND_UDP from port 0" },
    };

    [Theory]
    [MemberData(nameof(Violations))]
    public void WrongFrame_EndsTheSessionWithReason(byte[] frame, string reason)
    {
        var driver = SessionDriver.Control();

        Assert.Equal(["Close"], driver.Feed(frame));
        Assert.Equal(reason, driver.Session.EndReason);
        Assert.Equal(1, driver.Shared.Violations);
        Assert.False(driver.Session.Reads);
        Assert.Empty(driver.FeedQuery("a"));
    }

    [Fact]
    public void OtherFirstFrame_EndsTheSession()
    {
        var driver = new SessionDriver();
        Assert.Equal(["Close"], driver.Feed(SessionDriver.ClientHeartbeat));
        Assert.Equal("ClientHeartbeat cannot be the first frame", driver.Session.EndReason);

        driver = new SessionDriver();
        Assert.Equal(["Close"], driver.Feed(77, 0, 0, 0));
        Assert.Equal("unknown frame type 77", driver.Session.EndReason);
    }

    [Fact]
    public void FrameBeforeOurHello_EndsTheSession()
    {
        var driver = SessionDriver.Control(new Misbehaviour { NoHello = true });
        Assert.Equal(["Close"], driver.FeedQuery("a"));
        Assert.Equal("InboundUdp before SERVER_HELLO", driver.Session.EndReason);
    }

    [Fact]
    public void SecondHeartbeatBeforeTheAnswer_EndsTheSession()
    {
        var driver = SessionDriver.Control(new Misbehaviour { NoHeartbeat = true });
        Assert.Empty(driver.Feed(SessionDriver.ClientHeartbeat));
        Assert.Equal(["Close"], driver.Feed(SessionDriver.ClientHeartbeat));
    }

    [Fact]
    public void EndOfStream_ClosesOnceEverythingIsAnswered()
    {
        var driver = SessionDriver.Control();
        Assert.Empty(driver.FeedQuery("delay-100.a"));
        Assert.Empty(driver.End());
        Assert.False(driver.Session.Reads);
        Assert.Empty(driver.Pass(99 * SessionDriver.Ms));
        var done = driver.Pass(SessionDriver.Ms);
        Assert.Equal(3, done.Length);
        Assert.Equal("Close", done[2]);
        Assert.Equal("end of stream", driver.Session.EndReason);
    }

    [Fact]
    public void EndOfStreamInsideAFrame_SaysSo()
    {
        var driver = SessionDriver.Control();
        driver.Feed(4, 0);
        Assert.Equal(["Close"], driver.End());
        Assert.Equal("end of stream inside a frame or message", driver.Session.EndReason);
    }

    [Fact]
    public void DelayedAnswers_ComeInTheOrderOfTheirTimes()
    {
        var driver = SessionDriver.Control(new Misbehaviour { DelayNs = 5 });
        driver.Feed(SessionDriver.InboundUdp(SessionDriver.Query("delay-2.x", id: 1)));
        driver.Feed(SessionDriver.InboundUdp(SessionDriver.Query("delay-1.x", id: 2)));
        driver.Feed(SessionDriver.InboundUdp(SessionDriver.Query("y", id: 3)));
        driver.Feed(SessionDriver.InboundUdp(SessionDriver.Query("z", id: 4)));

        Assert.Empty(driver.Pass(4));
        Assert.Equal(["0003", "0004"], Ids(driver.Pass(1)));
        Assert.Equal(["0002"], Ids(driver.Pass(SessionDriver.Ms)));
        Assert.Equal(["0001"], Ids(driver.Pass(SessionDriver.Ms)));
    }

    private static IEnumerable<string> Ids(string[] done) =>
        done.Where((_, i) => i % 2 == 1).Select(d => d[..4]);
}
