// Quarantine: which queries are refused after backends hung, and that others are not
// (docs/behaviour.md, section 5).

using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class QuarantineHangTests : QuarantineTest
{
    [Fact]
    public void HangsTwoBackends_IsRefusedWhenAskedAgain()
    {
        HangWith(Killer);
        Assert.Equal(2, Binders.Values.Count(backend => !backend.Reads));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        var third = Binders.Values.Single(backend => backend.Reads);

        Ask(1, Killer);

        Assert.False(Has(third, Killer));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        AssertCountersAddUp();
    }

    [Fact]
    public void QueryThatHangsBackends_IsTheOnlyOneRefused()
    {
        HangWith(Killer, isBusy: true);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(Killer, true);
        Assert.Equal(2, Binders.Values.Count(backend => !backend.Reads));
    }

    /// <summary>What the first backend read before it answered something did not hang it.</summary>
    [Fact]
    public void HangsBehindQueriesThatNobodyAnswers_AloneIsRefused()
    {
        for (var n = 0; n < 10; n++)
            Ask(1, QueryFor($"slow{n}"));
        Ask(1, QueryFor("quick"));
        Answer(QueryFor("quick"));
        HangWith(Killer);

        Assert.Equal(2, Binders.Values.Count(backend => !backend.Reads));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(Killer, true);
        for (var n = 0; n < 10; n++)
            AssertRefused(QueryFor($"slow{n}"), false);
    }

    [Fact]
    public void HangsBeforeOthersThatNobodyAnswers_AloneIsRefused()
    {
        BackendOf(1, Killer).Hang();
        for (var n = 0; n < 10; n++)
            Ask(1, QueryFor($"slow{n}"));
        HangWith(null);

        Assert.Equal(2, Binders.Values.Count(backend => !backend.Reads));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(Killer, true);
        for (var n = 0; n < 10; n++)
            AssertRefused(QueryFor($"slow{n}"), false);
    }

    [Fact]
    public void HangsBehindOthersThatNobodyAnswers_OneOfThemIsRefusedUntilItHangsAThird()
    {
        for (var n = 0; n < 3; n++)
            Ask(1, QueryFor($"slow{n}"));
        HangWith(Killer);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(QueryFor("slow0"), true);
        var third = Binders.Values.Single(backend => backend.Reads);

        HangWith(Killer);

        Assert.False(third.Reads);
        Assert.Equal(2, Count(Counter.QuarantinesBegun));
    }

    /// <summary>What is answered afterwards is charged no more; nobody is left to be.</summary>
    [Theory]
    [InlineData(15, 1)]
    [InlineData(16, 0)]
    public void SentBehindSixteenOverUdpAndTcp_IsNotCharged(int before, int begun)
    {
        var first = BackendOf(1, QueryFor("first"));
        Answer(QueryFor("first"));
        for (var n = 0; n < before; n++)
        {
            if (n % 2 == 0)
                AskOverTcp(1, QueryFor($"name{n}"));
            else
                Ask(1, QueryFor($"name{n}"));
        }
        AskOverTcp(1, Killer);
        first.Hang();
        Ask(1, QueryFor("behind"));
        Run(0.6);
        Assert.Equal(1, Count(Counter.BackendsSuspected));
        foreach (var backend in Binders.Values.Where(backend => backend != first))
        {
            foreach (var query in backend.Queries.ToArray())
                SimBackend.Reply(query, query.Payload);
        }
        Run(0.01);
        var second = BackendOf(1, QueryFor("other"));
        Assert.NotEqual(first, second);
        SimBackend.Reply(second.Queries[^1], second.Queries[^1].Payload);
        Run(0.01);
        AskOverTcp(1, Killer);
        second.Hang();
        Ask(1, QueryFor("last"));
        Run(0.6);

        Assert.Equal(2, Count(Counter.BackendsSuspected));
        Assert.Equal(begun, Count(Counter.QuarantinesBegun));
    }

    /// <summary>The third hangs of a copy from before the query was refused.</summary>
    [Fact]
    public void HangsOfACopyFromBeforeItWasRefused_NobodyIsPutInItsPlace()
    {
        var third = BackendOf(3, Killer);
        var first = BackendOf(1, Killer);
        Ask(1, QueryFor("innocent"));
        first.Hang();
        Run(0.6);
        var second = Binders.Values.Single(backend => backend != first && backend != third);
        Assert.True(Has(second, Killer));
        Ask(3, QueryFor("innocent"));
        Assert.True(Has(third, QueryFor("innocent")));
        second.Hang();
        Run(1.5);
        AssertRefused(Killer, true);
        third.Hang();
        Ask(3, QueryFor("other"));
        Assert.True(Has(third, Killer));
        Run(0.6);

        Assert.Equal(3, Count(Counter.BackendsSuspected));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(QueryFor("innocent"), false);
    }

    [Fact]
    public void SameBackendHangsAgain_CountsOnce()
    {
        var first = BackendOf(1, Killer);
        first.Hang();
        Run(0.6);
        first.Resume();
        // What was sent before times out.
        Run(11);
        Assert.False(Snapshot(first.Name).IsSuspect);
        var client = Enumerable.Range(20, 9)
            .First(client => BackendOf(client, QueryFor($"whose{client}")) == first);
        Answer(QueryFor($"whose{client}"));
        Ask(client, Killer);
        Assert.Equal(first, WhoHas(Killer));
        first.Hang();
        Run(0.6);

        Assert.Equal(2, Count(Counter.BackendsSuspected));
        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void HungAndTrustedAgain_ADeathAfterThatCounts()
    {
        var first = BackendOf(1, Killer);
        first.Hang();
        Run(0.7);
        Assert.True(Snapshot(first.Name).IsSuspect);
        first.Resume();
        Run(0.5);
        Assert.False(Snapshot(first.Name).IsSuspect);
        Kill(first);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(Killer, true);
    }

    /// <summary>The backend goes on after the balancer, and dies of something else.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.4, 0)]
    [InlineData(2, 0)]
    public void BalancerStandsStillWhileABackendIsSilent_NobodyIsCharged(double still, int begun)
    {
        var first = BackendOf(1, Killer);
        first.Hang();
        Run(0.25);
        Assert.True(Snapshot(first.Name).IsSuspect);
        Kernel.Faults.Stall = Seconds(still);
        Run(0.28 + still);
        first.Resume();
        Run(0.5);
        Assert.False(Snapshot(first.Name).IsSuspect);
        Kill(first);

        Assert.Equal(begun, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void TwoStoppedAtOnceWhileOthersAsk_NobodyIsRefused()
    {
        foreach (var backend in Binders.Values)
            backend.EchoesQueries = true;
        for (var n = 0; n < 50; n++)
            AskAll(QueryFor($"n{n % 5}"));
        foreach (var backend in Binders.Values.Take(2))
            backend.Hang();
        for (var n = 0; n < 100; n++)
        {
            for (var client = 1; client <= 3; client++)
                Ask(client, QueryFor($"n{(n + client) % 5}"));
            Run(0.01);
        }

        Assert.Equal(2, Count(Counter.BackendsSuspected));
        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void AllStoppedAtOnce_TheNameThatAllAskIsNotRefused()
    {
        AskAll(QueryFor("popular"));
        foreach (var backend in Binders.Values)
            backend.Hang();
        Run(3);

        Assert.Equal(3, Count(Counter.BackendsSuspected));
        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void AnswerAfterAll_ClearsWhatIsRefusedForAHang()
    {
        var first = BackendOf(1, Killer);
        var asked = first.Queries[^1];
        HangWith(null);
        AssertRefused(Killer, true);
        first.Resume();
        Kernel.RequestStatus();
        Run(0.001);
        Assert.Equal(1, Log.Last<LogEvent.Status>().Refused);
        SimBackend.Reply(asked, asked.Payload);
        Run(0.01);

        AssertRefused(Killer, false);
        Assert.Equal(
            QueryRelease.Answered, Assert.Single(Log.Of<LogEvent.QueryReleased>()).Why);
        Kernel.RequestStatus();
        Run(0.001);
        Assert.Equal(0, Log.Last<LogEvent.Status>().Refused);
    }

    [Fact]
    public void HungAndThenKilled_CountsOnce()
    {
        var first = BackendOf(1, Killer);
        first.Hang();
        Run(0.25);
        Answer(QueryFor("nothing"));
        Assert.Equal(1, Count(Counter.BackendsSuspected));
        Kill(first);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    /// <summary>The third is not sent it, though nobody asks over UDP.</summary>
    [Fact]
    public void HangsOverTcpAndIsAskedEveryQuarterOfASecond_HangsTwoBackends()
    {
        for (var n = 0; n < 12; n++)
        {
            AskOverTcp(1, Killer);
            foreach (var backend in Binders.Values.Where(HasOverTcp))
                backend.Hang();
            Run(0.239);
        }
        Run(Limits.TcpCloseTime.TotalSeconds);

        Assert.Equal(2, Binders.Values.Count(backend => !backend.Reads));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Run(6);
        Assert.True(Count(Counter.ConnectionsQuarantined) > 0);
    }

    /// <summary>A busy backend reads its control session first, and then the other.</summary>
    [Fact]
    public void HangsOverTcpAfterItAnsweredALaterQuery_HangsTwoBackends()
    {
        for (var n = 0; n < 12; n++)
        {
            AskOverTcp(1, Killer);
            AskAll(QueryFor("later"));
            Answer(QueryFor("later"));
            foreach (var backend in Binders.Values.Where(HasOverTcp))
                backend.Hang();
            Run(0.239);
        }

        Assert.Equal(2, Binders.Values.Count(backend => !backend.Reads));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    /// <summary>Its clients have connections and no query is on its way.</summary>
    [Fact]
    public void HangsWithTcpConnectionsOnly_ClientThatWaitsIsResetSoon()
    {
        var client = Kernel.ConnectClient(Client(1) with { Port = 2000 });
        Opening.Ask(client);
        Run(1);
        var backend = Binders.Values.Single(one => one.TcpSessions.Any());
        backend.Hang();
        client.Send([0, (byte)Killer.Length, .. Killer]);
        Run(0.19);
        Assert.Equal(0, Count(Counter.BackendsSuspected));
        Run(0.02);
        Assert.Equal(1, Count(Counter.BackendsSuspected));
        Run(0.2);

        Assert.True(client.IsReset);
        Assert.Equal(1, Count(Counter.ConnectionsFailedByBackend));
    }

    /// <summary>Another message is unanswered when the answer to the first comes.</summary>
    [Fact]
    public void HangsAfterAnAnswerOverTcp_IsNoticedByWhatIsLeft()
    {
        AskOverTcp(1, QueryFor("first"));
        AskOverTcp(1, QueryFor("second"));
        var backend = Binders.Values.Single(one => one.TcpSessions.Any());
        backend.TcpSessions[0].Send([0, 31, .. QueryFor("first")]);
        Run(0.01);
        backend.Hang();
        Run(0.3);

        Assert.Equal(1, Count(Counter.BackendsSuspected));
    }

    /// <summary>A slow answer over TCP does not make a backend suspect.</summary>
    [Fact]
    public void AnswersHeartbeatsAndNoMessage_IsNotSuspect()
    {
        AskOverTcp(1, QueryFor("slow"));
        Run(30);

        Assert.Equal(0, Count(Counter.BackendsSuspected));
    }

    /// <summary>
    /// As a process that writes a core file: silent for a while, and then gone. Whether that is
    /// before or after it is said to hang, its copy came when it was known to be silent.
    /// </summary>
    [Theory]
    [InlineData(0.25)]
    [InlineData(0.3)]
    [InlineData(0.4)]
    [InlineData(0.6)]
    public void HangsFirstAndEndsThen_IsRefusedAfterTwo(double lives)
    {
        var first = BackendOf(1, Killer);
        first.Hang();
        Run(0.22);
        var second = WhoHas(Killer)!;
        Assert.NotSame(first, second);
        second.Hang();
        Run(lives - 0.22);
        Kill(first);
        Run(0.1);
        Kill(second);
        Run(0.1);

        AssertRefused(Killer, true);
        Assert.False(Has(Binders.Values.Single(one => one != first && one != second), Killer));
    }

    /// <summary>Nobody ended what hangs, and the third is there still.</summary>
    [Fact]
    public void HangsStillWhenItsTermIsOver_IsRefusedUntilTheyAreBack()
    {
        HangWith(Killer);
        var hung = Binders.Values.Where(backend => !backend.Reads).ToList();
        Run(90);
        AssertRefused(Killer, true);
        var prolonged = Assert.Single(Log.Of<LogEvent.QueryRefusalProlonged>());
        Assert.Contains(hung, backend => backend.Name == $"{prolonged.Id}");
        Assert.Equal(Limits.FirstQuarantine, prolonged.By);
        Assert.Equal(Killer[2..], prolonged.Query[2..]);
        foreach (var backend in hung)
            backend.Resume();
        Run(40);

        AssertRefused(Killer, false);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    /// <summary>Its socket is there still, and nobody starts it.</summary>
    [Fact]
    public void EndedBackendIsNotStartedAgain_IsRefusedUntilItIs()
    {
        Ask(1, Killer);
        KillWhoHas(Killer);
        var second = WhoHas(Killer)!;
        Kill(second, rebinds: false);
        Run(90);
        AssertRefused(Killer, true);
        second.Rebind();
        Run(70);

        AssertRefused(Killer, false);
    }

    [Fact]
    public void HangsForEver_IsRefusedForAnHour()
    {
        HangWith(Killer);
        Run(3590);
        AssertRefused(Killer, true);
        Run(20);
        AssertRefused(Killer, false);
    }

    private static bool HasOverTcp(SimBackend backend) =>
        backend.TcpSessions.Any(session => session.TcpBytes.Count > 2);
}
