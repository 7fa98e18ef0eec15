// TCP sessions: pipelining, chunking, half-closes both ways, and what they can do wrong.

using System.Linq;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class TcpSessionTests
{
    private const string A = "0023" + "1234850000010001000000000161000001" + "0001"
        + "c00c000100010000001e00040a0c292c";

    private static readonly byte[] QueryA = SessionDriver.Framed(SessionDriver.Query("a"));

    private static SessionDriver Tcp(Misbehaviour? misbehaviour = null)
    {
        var driver = new SessionDriver(misbehaviour);
        driver.Feed(SessionDriver.InboundTcp);
        return driver;
    }

    [Fact]
    public void InboundTcp_IsAnsweredWithOk() => Assert.Equal(
        [SessionDriver.TcpOk], new SessionDriver().Feed(SessionDriver.InboundTcp));

    [Fact]
    public void Query_IsAnsweredBehindItsLength() => Assert.Equal([A], Tcp().Feed(QueryA));

    [Fact]
    public void PipelinedQueriesInAnyChunks_AreAnsweredInOrder()
    {
        byte[] input =
        [
            .. SessionDriver.InboundTcp,
            .. SessionDriver.Framed(SessionDriver.Query("a", id: 1)),
            .. SessionDriver.Framed(SessionDriver.Query("size-300.b", 16, id: 2)),
            .. SessionDriver.Framed(SessionDriver.Query("c", id: 3)),
        ];
        var whole = new SessionDriver().Feed(input);
        Assert.Equal(["eb03", "0001", "0002", "0003"],
            whole.Select((w, i) => i == 0 ? w[..4] : w[4..8]));
        Assert.Equal("012c", whole[2][..4]);

        for (var size = 1; size < input.Length; size++)
        {
            var driver = new SessionDriver();
            Assert.Equal(whole, input.Chunk(size).SelectMany(c => driver.Feed(c)));
        }
    }

    [Fact]
    public void ClientsHalfClose_CostsNoAnswer()
    {
        var driver = Tcp();
        Assert.Empty(driver.Feed(SessionDriver.Framed(SessionDriver.Query("delay-9.a"))));
        Assert.Empty(driver.End());
        var done = driver.Pass(9 * SessionDriver.Ms);
        Assert.Equal(2, done.Length);
        Assert.Equal("Close", done[1]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(11)]
    public void MessageShorterThanAHeader_Closes(byte length)
    {
        var driver = Tcp();
        Assert.Equal(["Close"], driver.Feed([0, length, .. new byte[length]]));
        Assert.Equal($"a message of {length} bytes", driver.Session.EndReason);
    }

    [Fact]
    public void MessageThatIsNotAQuery_ClosesBehindTheAnswersBeforeIt()
    {
        var driver = Tcp();
        var noQuestion = SessionDriver.Query("a");
        noQuestion[5] = 0;

        Assert.Equal([A, "Close"],
            driver.Feed([.. QueryA, .. SessionDriver.Framed(noQuestion), .. QueryA]));
        Assert.Equal("a message that is not a query", driver.Session.EndReason);
        Assert.Equal(0, driver.Shared.Violations);
    }

    [Fact]
    public void DeadlyQuery_CrashesOverTcpToo() => Assert.Equal(
        ["CrashProcess"], Tcp().Feed(SessionDriver.Framed(SessionDriver.Query("crash.a"))));

    [Fact]
    public void QueriesOverTcp_CountForTheProcess() => Assert.Equal(
        [A, "CrashProcess"], Tcp(new Misbehaviour { CrashAfter = 1 }).Feed(QueryA));

    public static TheoryData<Misbehaviour, string[]> OnInboundTcp => new()
    {
        { new Misbehaviour { CrashBeforeTcpOk = true }, ["CrashProcess"] },
        { new Misbehaviour { TcpReset = true }, ["Reset"] },
        { new Misbehaviour { TcpRefuse = true }, ["Close"] },
        { new Misbehaviour { TcpNoOk = true }, [] },
        { new Misbehaviour { TcpWrongFrame = true }, ["e9030000"] },
        { new Misbehaviour { TcpOkDelayNs = 1 }, [] },
        { new Misbehaviour { TcpOkSplit = true }, ["eb03"] },
        { new Misbehaviour { TcpOkWithData = true },
            ["eb030000" + "000c" + "000080000000000000000000"] },
        { new Misbehaviour { TcpHalfCloseFirst = true }, [SessionDriver.TcpOk] },
        { new Misbehaviour { FrameSplit = 2 }, ["eb03", "0000"] },
    };

    [Theory]
    [MemberData(nameof(OnInboundTcp))]
    public void Misbehaviour_OnInboundTcp(Misbehaviour misbehaviour, string[] expected) =>
        Assert.Equal(expected, new SessionDriver(misbehaviour).Feed(SessionDriver.InboundTcp));

    [Fact]
    public void BytesBeforeTheOk_WaitForIt()
    {
        var driver = Tcp(new Misbehaviour { TcpOkDelayNs = 50 });
        Assert.Empty(driver.Feed(QueryA));
        Assert.Empty(driver.End());
        Assert.Equal([SessionDriver.TcpOk, A, "Close"], driver.Pass(50));
    }

    [Fact]
    public void OkSplit_HasItsSecondHalfLater()
    {
        var driver = Tcp(new Misbehaviour { TcpOkSplit = true });
        driver.Feed(QueryA);
        Assert.Empty(driver.Pass(19 * SessionDriver.Ms));
        Assert.Equal(["0000", A], driver.Pass(SessionDriver.Ms));
    }

    [Fact]
    public void NoOk_ReadsOnlySoMuch()
    {
        var driver = Tcp(new Misbehaviour { TcpNoOk = true });
        Assert.Empty(driver.Feed(new byte[65_535]));
        Assert.True(driver.Session.Reads);
        Assert.Empty(driver.Feed(0));
        Assert.False(driver.Session.Reads);
        Assert.Null(driver.Session.NextDeadlineNs);
    }

    [Fact]
    public void HalfCloseFirst_EndsOurDirectionAfterOneAnswer()
    {
        var driver = Tcp(new Misbehaviour { TcpHalfCloseFirst = true });
        Assert.Equal([A, "HalfClose"], driver.Feed([.. QueryA, .. QueryA]));
        Assert.True(driver.Session.Reads);
        Assert.Equal(["Close"], driver.End());
    }

    [Fact]
    public void NeverRead_SaysOkAndReadsNothing()
    {
        var driver = new SessionDriver(new Misbehaviour { TcpNeverRead = true });
        Assert.True(driver.Session.Reads);
        Assert.Equal([SessionDriver.TcpOk], driver.Feed(SessionDriver.InboundTcp));
        Assert.False(driver.Session.Reads);
    }

    [Fact]
    public void Chunk_WritesAnswersInPieces()
    {
        var done = Tcp(new Misbehaviour { TcpChunk = 10 }).Feed(QueryA);
        Assert.Equal([20, 20, 20, 14], done.Select(d => d.Length));
        Assert.Equal(A, string.Concat(done));
    }

    [Fact]
    public void TcpMisdeeds_LeaveTheControlSessionAlone() => Assert.Equal(
        [SessionDriver.Hello],
        new SessionDriver(new Misbehaviour { TcpRefuse = true, TcpNoOk = true })
            .Feed(SessionDriver.ClientHello));
}
