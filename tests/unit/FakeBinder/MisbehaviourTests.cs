// Each thing that a control session can be told to do wrong, and that it does nothing else.

using System;
using System.Linq;
using FakeBinder;
using Xunit;

namespace Tests.Unit.FakeBinder;

public sealed class MisbehaviourTests
{
    private const string Header = "ea030000" + "054d4d0a" + "92100000";
    private const string A = "1234850000010001000000000161000001" + "0001"
        + "c00c000100010000001e00040a0c292c";
    private const long Second = 1000 * SessionDriver.Ms;

    private static readonly string[] AnswerToA = [Header + "23000000", A];

    private static string[] HelloOf(Misbehaviour misbehaviour) =>
        new SessionDriver(misbehaviour).Feed(SessionDriver.ClientHello);

    [Fact]
    public void NoHello_SaysNothing() =>
        Assert.Empty(HelloOf(new Misbehaviour { NoHello = true }));

    [Fact]
    public void HelloDelay_SendsItLater()
    {
        var driver = SessionDriver.Control(new Misbehaviour { HelloDelayNs = Second });
        Assert.Empty(driver.Pass(Second - 1));
        Assert.Equal([SessionDriver.Hello], driver.Pass(1));
        Assert.Equal(AnswerToA, driver.FeedQuery("a"));
    }

    [Fact]
    public void HelloTwice_SendsItTwice() => Assert.Equal(
        [SessionDriver.Hello, SessionDriver.Hello],
        HelloOf(new Misbehaviour { HelloTwice = true }));

    [Fact]
    public void ReplyBeforeHello_IsAWholeReply() => Assert.Equal(
        ["ea030000" + "0100007f" + "35000000" + "0c000000", "000080000000000000000000",
            SessionDriver.Hello],
        HelloOf(new Misbehaviour { ReplyBeforeHello = true }));

    [Fact]
    public void CloseAfterHello_ClosesLater()
    {
        var driver = SessionDriver.Control(new Misbehaviour { CloseAfterHelloNs = Second });
        Assert.Empty(driver.Pass(Second - 1));
        Assert.Equal(["Close"], driver.Pass(1));
    }

    [Fact]
    public void HeartbeatDelay_AnswersLater()
    {
        var driver = SessionDriver.Control(new Misbehaviour { HeartbeatDelayNs = Second });
        Assert.Empty(driver.Feed(SessionDriver.ClientHeartbeat));
        Assert.Equal([SessionDriver.Heartbeat], driver.Pass(Second));
    }

    [Fact]
    public void HeartbeatTwice_AnswersTwice() => Assert.Equal(
        [SessionDriver.Heartbeat, SessionDriver.Heartbeat],
        SessionDriver.Control(new Misbehaviour { HeartbeatTwice = true })
            .Feed(SessionDriver.ClientHeartbeat));

    [Fact]
    public void HeartbeatUnasked_ComesOnce()
    {
        var driver = SessionDriver.Control(new Misbehaviour { HeartbeatUnaskedNs = Second });
        Assert.Empty(driver.Pass(Second - 1));
        Assert.Equal([SessionDriver.Heartbeat], driver.Pass(100 * Second));
    }

    public static TheoryData<Misbehaviour, string> Afterwards => new()
    {
        { new Misbehaviour { UnknownFrameAfter = 2 }, "4b040000" },
        { new Misbehaviour { TcpFrameOnControlAfter = 2 }, SessionDriver.TcpOk },
        { new Misbehaviour { HelloAgainAfter = 2 }, SessionDriver.Hello },
        { new Misbehaviour { HalfCloseAfter = 2 }, "HalfClose" },
        { new Misbehaviour { PauseAfter = 2, PauseNs = 7 }, "PauseProcess 7" },
        { new Misbehaviour { CrashAfter = 2 }, "CrashProcess" },
    };

    [Theory]
    [MemberData(nameof(Afterwards))]
    public void AfterN_ComesRightBehindTheAnswerToQueryN(Misbehaviour misbehaviour, string what)
    {
        var driver = SessionDriver.Control(misbehaviour);
        Assert.Equal(AnswerToA, driver.FeedQuery("a"));
        Assert.Equal([.. AnswerToA, what], driver.FeedQuery("a"));
        Assert.DoesNotContain(what, driver.FeedQuery("a"));
    }

    public static TheoryData<Misbehaviour, string> AtOnce => new()
    {
        { new Misbehaviour { UnknownFrameAfter = 0 }, "4b040000" },
        { new Misbehaviour { TcpFrameOnControlAfter = 0 }, SessionDriver.TcpOk },
        { new Misbehaviour { HalfCloseAfter = 0 }, "HalfClose" },
        { new Misbehaviour { PauseAfter = 0, PauseNs = 7 }, "PauseProcess 7" },
        { new Misbehaviour { CrashAfter = 0 }, "CrashProcess" },
    };

    [Theory]
    [MemberData(nameof(AtOnce))]
    public void AfterZero_ComesRightBehindTheHello(Misbehaviour misbehaviour, string what) =>
        Assert.Equal([SessionDriver.Hello, what], HelloOf(misbehaviour));

    [Fact]
    public void SessionMisdeeds_ComeAgainOnTheNextSession()
    {
        var misbehaviour = new Misbehaviour { UnknownFrameAfter = 1 };
        var first = SessionDriver.Control(misbehaviour);
        Assert.Equal(3, first.FeedQuery("a").Length);
        Assert.Equal(3, SessionDriver.Control(misbehaviour, first.Shared).FeedQuery("a").Length);
    }

    [Fact]
    public void DeafBackend_AnswersNoMoreQueriesButHeartbeatsUnread()
    {
        var driver = SessionDriver.Control(new Misbehaviour { DeafAfter = 1 });
        Assert.True(driver.Session.Reads);

        Assert.Equal(2, driver.FeedQuery("a").Length);

        Assert.False(driver.Session.Reads);
        Assert.Empty(driver.FeedQuery("b"));
        Assert.Equal([SessionDriver.Heartbeat], driver.Pass(14_000 * SessionDriver.Ms));
        Assert.Equal([SessionDriver.Heartbeat], driver.Pass(14_000 * SessionDriver.Ms));
        Assert.Empty(driver.Pass(13_999 * SessionDriver.Ms));
    }

    [Fact]
    public void DeafBackendWithADelay_AnswersAsMuchLater()
    {
        var driver = SessionDriver.Control(
            new Misbehaviour { DeafAfter = 0, HeartbeatDelayNs = 1_000 * SessionDriver.Ms });

        Assert.Empty(driver.Pass(5_999 * SessionDriver.Ms));
        Assert.Equal([SessionDriver.Heartbeat], driver.Pass(SessionDriver.Ms));
        Assert.Equal([SessionDriver.Heartbeat], driver.Pass(6_000 * SessionDriver.Ms));
    }

    [Fact]
    public void HeartbeatThatADeafBackendHadRead_IsAnsweredAsEver()
    {
        var driver = SessionDriver.Control(new Misbehaviour { DeafAfter = 1 });
        driver.Pass(5_000 * SessionDriver.Ms);
        Assert.Equal([SessionDriver.Heartbeat], driver.Feed(SessionDriver.ClientHeartbeat));
        driver.FeedQuery("a");

        Assert.Empty(driver.Pass(13_999 * SessionDriver.Ms));
        Assert.Equal([SessionDriver.Heartbeat], driver.Pass(1 * SessionDriver.Ms));
    }

    [Fact]
    public void Garbage_IsTheSameInEveryRunAndNoFrame()
    {
        var garbage = SessionDriver.Control(new Misbehaviour { GarbageAfter = 1 })
            .FeedQuery("a")[2];
        Assert.Equal(garbage, HelloOf(new Misbehaviour { GarbageAfter = 0 })[1]);
        var bytes = Convert.FromHexString(garbage);
        Assert.Equal(64, bytes.Length);
        Assert.True(BitConverter.ToUInt32(bytes) > 1_000_000);
    }

    [Fact]
    public void HalfClose_ReadsOnAndWritesNothing()
    {
        var driver = SessionDriver.Control(new Misbehaviour { HalfCloseAfter = 1 });
        driver.FeedQuery("a");
        Assert.True(driver.Session.Reads);
        Assert.Empty(driver.FeedQuery("a"));
        Assert.Equal(["Close"], driver.End());
    }

    [Fact]
    public void Hang_StopsEverySessionOfTheProcess()
    {
        var misbehaviour = new Misbehaviour { HangAfter = 1 };
        var first = SessionDriver.Control(misbehaviour);
        var second = SessionDriver.Control(misbehaviour, first.Shared);
        second.FeedQuery("delay-5.x");

        Assert.True(first.Shared.Hung);
        Assert.False(first.Session.Reads);
        Assert.False(second.Session.Reads);
        Assert.Empty(first.FeedQuery("a"));
        Assert.Empty(second.Pass(Second));
        Assert.Null(second.Session.NextDeadlineNs);
        Assert.Empty(second.End());
    }

    [Fact]
    public void HangAfterZero_SaysHelloAndNothingElse()
    {
        var driver = new SessionDriver(new Misbehaviour { HangAfter = 0 });
        Assert.Equal([SessionDriver.Hello], driver.Feed(SessionDriver.ClientHello));
        Assert.Empty(driver.Feed(SessionDriver.ClientHeartbeat));
    }

    [Fact]
    public void Crash_StopsEverySessionOfTheProcess()
    {
        var first = SessionDriver.Control();
        var second = SessionDriver.Control(null, first.Shared);

        Assert.Equal(["CrashProcess"], first.FeedQuery("crash.x"));
        Assert.True(first.Shared.Crashed);
        Assert.Empty(second.FeedQuery("a"));
    }

    [Fact]
    public void CrashMidFrame_WritesHalfOfTheReply()
    {
        var driver = SessionDriver.Control(new Misbehaviour { CrashMidFrameAfter = 1 });
        Assert.Equal(AnswerToA, driver.FeedQuery("a"));
        // 16 + 35 bytes in all, so 25 of them: the header and 9.
        Assert.Equal([AnswerToA[0], A[..18], "CrashProcess"], driver.FeedQuery("a"));
    }

    [Fact]
    public void EndMidFrame_ClosesAndTheProcessLives()
    {
        var misbehaviour = new Misbehaviour { EndMidFrameAfter = 0, ReplyLength = 0 };
        var driver = SessionDriver.Control(misbehaviour);
        Assert.Equal([Header[..16], "Close"], driver.FeedQuery("a"));
        Assert.False(driver.Shared.Stopped);
    }

    [Fact]
    public void DropEvery_LeavesEachNthUnanswered()
    {
        var driver = SessionDriver.Control(new Misbehaviour { DropEvery = 3 });
        var answered = Enumerable.Range(1, 6).Select(_ => driver.FeedQuery("a").Length > 0);
        Assert.Equal([true, true, false, true, true, false], answered);
    }

    [Fact]
    public void Servfail_IsAnsweredUntilItsTimeIsOver()
    {
        var driver = SessionDriver.Control(new Misbehaviour { ServfailForNs = Second });
        driver.Pass(Second - 1);
        Assert.Equal("8102", driver.FeedQuery("a")[1][4..8]);
        driver.Pass(1);
        Assert.Equal(AnswerToA, driver.FeedQuery("a"));
    }

    [Fact]
    public void NamesAreLoadedOneByOne_ThoseThatAreNotYetAreRefused()
    {
        var driver = SessionDriver.Control(new Misbehaviour { LoadForNs = Second });
        string[] names = [.. Enumerable.Range(0, 40).Select(n => $"n{n}")];
        int Refused() => names.Count(name => driver.FeedQuery(name)[1][4..8] == "8105");

        Assert.Equal(names.Length, Refused());
        driver.Pass(Second / 2);
        Assert.InRange(Refused(), 10, 30);
        driver.Pass(Second / 2);
        Assert.Equal(0, Refused());
    }

    [Theory]
    [InlineData(0, Header + "00000000")]
    [InlineData(4, Header + "04000000", "12348500")]
    [InlineData(37, Header + "25000000", A + "0000")]
    public void ReplyLength_CutsAndPads(int length, params string[] expected) => Assert.Equal(
        expected, SessionDriver.Control(new Misbehaviour { ReplyLength = length })
            .FeedQuery("a"));

    [Fact]
    public void ReplyLength_GoesUpToTheLargestPacket()
    {
        var done = SessionDriver.Control(new Misbehaviour { ReplyLength = 65_535 })
            .FeedQuery("a");
        Assert.Equal(Header + "ffff0000", done[0]);
        Assert.Equal(2 * 65_535, done[1].Length);
    }

    [Fact]
    public void ReplyLengthClaim_WritesOnlyTheHeader()
    {
        var driver = SessionDriver.Control(new Misbehaviour { ReplyLengthClaim = 0x80000000 });
        Assert.Equal([Header + "00000080"], driver.FeedQuery("a"));
        Assert.Equal([Header + "00000080"], driver.FeedQuery("a"));
    }

    [Fact]
    public void ReplyPortAndAddress_ReplaceTheClients() => Assert.Equal(
        ["ea030000" + "ffffffff" + "00000100" + "23000000", A],
        SessionDriver.Control(new Misbehaviour
        {
            ReplyPort = 65_536,
            ReplyAddress = 0xFFFFFFFF,
        }).FeedQuery("a"));

    [Fact]
    public void DuplicateReplies_ComeNTimesMore()
    {
        var driver = SessionDriver.Control(new Misbehaviour { DuplicateReplies = 2 });
        Assert.Equal([.. AnswerToA, .. AnswerToA, .. AnswerToA], driver.FeedQuery("a"));
        Assert.Equal(1, driver.Shared.Replies);
    }

    [Fact]
    public void OtherQuestionEvery_IsAboutAnotherName()
    {
        var driver = SessionDriver.Control(new Misbehaviour { OtherQuestionEvery = 2 });
        Assert.Equal(AnswerToA, driver.FeedQuery("a"));
        var other = driver.FeedQuery("a");
        Assert.Equal(Header + "23000000", other[0]);
        Assert.Equal(A.Replace("016100", "016000", StringComparison.Ordinal), other[1]);
        Assert.Equal(AnswerToA, driver.FeedQuery("a"));
    }

    [Fact]
    public void OtherQuestionEvery_ChangesTheTypeOfTheRoot()
    {
        var driver = SessionDriver.Control(new Misbehaviour { OtherQuestionEvery = 1 });
        var asItIs = SessionDriver.Control(Misbehaviour.None).FeedQuery("");
        var other = driver.FeedQuery("");
        Assert.Equal("000001", asItIs[1][24..30]);
        Assert.Equal("000000", other[1][24..30]);
    }

    [Fact]
    public void FrameSplit_WritesPieces()
    {
        var driver = new SessionDriver(new Misbehaviour { FrameSplit = 3 });
        Assert.Equal(["e90300", "00"], driver.Feed(SessionDriver.ClientHello));
        var done = driver.FeedQuery("a");
        Assert.Equal(6 + 12, done.Length);
        Assert.Equal(AnswerToA[0] + A, string.Concat(done));
    }
}
