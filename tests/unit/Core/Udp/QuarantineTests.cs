// Quarantine: which queries are refused after backends died, for how long, and that nobody's names
// are refused for long along with them (docs/behaviour.md, section 5).

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class QuarantineTests : CoreTest
{
    private static readonly byte[] Killer = QueryFor("killer");

    private readonly Dictionary<string, SimBackend> _backends = [];
    private int _id;

    public QuarantineTests()
    {
        foreach (var backend in HealthyBackends("5301", "5302", "5303"))
        {
            backend.EchoesQueries = false;
            _backends.Add(backend.Name, backend);
        }
    }

    [Fact]
    public void InFlightAtTwoDeaths_IsRefusedToEverybody()
    {
        KillTwiceWith(Killer);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        var before = Kernel.Datagrams.Sent.Count;

        Ask(9, Killer);

        var sent = Kernel.Datagrams.Sent.Skip(before).Single();
        Assert.Equal(Client(9), sent.To);
        Assert.Equal(5, sent.Payload[3] & 0xf);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Assert.Equal(2, Count(Counter.OwnAnswersSent));
        AssertCountersAddUp();
    }

    [Fact]
    public void SecondDeath_ItsClientIsAnsweredRefusedAtOnce()
    {
        KillTwiceWith(Killer);

        var sent = Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal((Client(1), 5), (sent.To, sent.Payload[3] & 0xf));
        Assert.Equal(1, Count(Counter.UnansweredQuarantined));
        Assert.Equal(1, Count(Counter.OwnAnswersSent));
        Assert.Equal(0, Count(Counter.UnansweredLost));
        Assert.Equal(0, Count(Counter.QueriesQuarantined));
        AssertCountersAddUp();
    }

    [Fact]
    public void MoreThanABatchIsLostAndRefused_EachIsAnswered()
    {
        for (var n = 0; n < 100; n++)
            Ask(1, Killer);
        KillWhoHas(Killer);
        KillWhoHas(Killer);

        Assert.Equal(100, Count(Counter.UnansweredQuarantined));
        Assert.Equal(100, Kernel.Datagrams.Sent.Count);
    }

    [Fact]
    public void SuspectHasOneThatIsRefusedByNow_ItsClientIsAnsweredAndAReplyIsLate()
    {
        var third = BackendOf(3, Killer);
        third.AnswersHeartbeats = false;
        Ask(1, Killer);
        Kill(_backends.Values.First(backend => backend != third && Has(backend, Killer)));
        Kill(_backends.Values.First(backend => backend != third && Has(backend, Killer)));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Run(0.1);

        Assert.True(Snapshot(third.Name).IsSuspect);
        Assert.Equal([(Client(1), 5), (Client(3), 5)],
            Kernel.Datagrams.Sent.Select(sent => (sent.To, sent.Payload[3] & 0xf)));
        Assert.Equal(2, Count(Counter.UnansweredQuarantined));
        SimBackend.Reply(third.Queries[^1], third.Queries[^1].Payload);
        Run(0.001);
        Assert.Equal(2, Kernel.Datagrams.Sent.Count);
        Assert.Equal(1, Count(Counter.RepliesDuplicate));
        AssertCountersAddUp();
    }

    [Fact]
    public void BackendDiesWithOneThatWasAnsweredRefused_NobodyIsPutInItsPlace()
    {
        var third = BackendOf(3, Killer);
        third.AnswersHeartbeats = false;
        var innocent = QueryFor("innocent");
        Ask(1, innocent);
        Ask(1, Killer);
        Kill(_backends.Values.First(backend => backend != third && Has(backend, Killer)));
        Kill(_backends.Values.First(backend => backend != third && Has(backend, Killer)));
        Run(0.1);
        Assert.True(Snapshot(third.Name).IsSuspect);
        third.AnswersHeartbeats = true;
        Kill(third);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void TableIsFullAndOneThatHasNoRoomWasSentLast_NobodyRelapses()
    {
        var innocent = QueryFor("innocent");
        KillTwiceWith(innocent);
        Run(61);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        for (var n = 0; n < Limits.QuarantineCases; n++)
        {
            var asked = QueryFor($"other{n}");
            (asked[0], asked[1]) = ((byte)(n >> 8), (byte)n);
            Kernel.InjectDatagram(Client(1), asked);
            if (n % 32 == 31)
                Balancer.Turn();
        }
        Run(0.001);
        var other = QueryFor("other4000");
        KillWhoHas(other);
        var client = Enumerable.Range(2, 9)
            .First(client => BackendOf(client, QueryFor($"whose{client}")) != WhoHas(other));
        Run(0.01);
        Ask(client, innocent);
        Run(0.01);
        Ask(client, QueryFor("culprit"));
        KillWhoHas(QueryFor("culprit"));

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void InFlightAtOneDeath_IsAnsweredByAnother()
    {
        Ask(1, Killer);
        KillWhoHas(Killer);

        Assert.NotNull(WhoHas(Killer));
        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void AnswerInBetween_ClearsIt()
    {
        Ask(1, Killer);
        KillWhoHas(Killer);
        Answer(Killer);
        Ask(1, Killer);
        KillWhoHas(Killer);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void MoreThanAMinuteBetween_DoesNotCountTogether()
    {
        Ask(1, Killer);
        KillWhoHas(Killer);
        // Meanwhile it timed out.
        Run(61);
        Ask(1, Killer);
        KillWhoHas(Killer);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void OrderlyStop_IsNoDeath()
    {
        Ask(1, Killer);
        WhoHas(Killer)!.Stop();
        Run(0.1);
        WhoHas(Killer)!.Stop();
        Run(0.1);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void OthersInFlightAtBothDeaths_AreNotRefused()
    {
        for (var n = 0; n < 300; n++)
            Ask(1, QueryFor($"slow{n}"));
        Ask(1, Killer);
        KillWhoHas(Killer);
        KillWhoHas(Killer);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Ask(2, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        for (var n = 0; n < 300; n++)
            Ask(2, QueryFor($"slow{n}"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void WrongGuess_IsLetGoAtTheNextDeath()
    {
        // The first backend lived on with the killer for longer than with the innocent query.
        Ask(1, Killer);
        Run(0.2);
        Ask(1, QueryFor("innocent"));
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        Ask(2, QueryFor("innocent"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));

        Run(2);
        Ask(3, Killer);
        KillWhoHas(Killer);

        Assert.Equal(2, Count(Counter.QuarantinesBegun));
        Ask(2, QueryFor("innocent"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Ask(2, Killer);
        Assert.Equal(2, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void TermIsAMinute_ThenTwiceAsLongForOneMoreDeath()
    {
        KillTwiceWith(Killer);
        Run(59);
        Ask(3, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Run(2);
        Ask(3, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));

        KillWhoHas(Killer);

        Assert.Equal(2, Count(Counter.QuarantinesBegun));
        Assert.Null(WhoHas(Killer));
        Run(119);
        Ask(3, Killer);
        Assert.Equal(2, Count(Counter.QueriesQuarantined));
        Run(2);
        Ask(3, Killer);
        Assert.Equal(2, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void AnotherQuestion_IsNotRefused()
    {
        KillTwiceWith(Killer);

        Ask(3, QueryFor("killer2"));
        Ask(3, QueryFor("killer", type: 28));

        Assert.Equal(0, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void InFlightTwiceOnOneSession_IsOutlivedForAsLongAsTheOlderWas()
    {
        Ask(1, QueryFor("innocent"));
        Ask(1, Killer);
        KillWhoHas(Killer);
        // What was sent again times out.
        Run(11);
        Ask(1, QueryFor("innocent"));
        Run(0.1);
        Ask(1, Killer);
        Run(0.05);
        Ask(1, QueryFor("innocent"));
        KillWhoHas(Killer);

        AssertRefused(QueryFor("innocent"), false);
        AssertRefused(Killer, true);
    }

    [Fact]
    public void AnsweredByTheOtherOfAPair_IsNotChargedWhenTheSuspectDies()
    {
        var suspect = BackendOf(1, Killer);
        suspect.AnswersHeartbeats = false;
        foreach (var other in _backends.Values.Where(backend => backend != suspect))
            other.EchoesQueries = true;
        Run(0.3);
        Assert.Equal(1, Count(Counter.ResendsAnswered));
        foreach (var backend in _backends.Values)
            backend.EchoesQueries = false;
        Kill(suspect);

        Ask(1, Killer);
        KillWhoHas(Killer);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void RefusedSinceItWasCopied_IsNotSentFromASuspect()
    {
        var suspect = BackendOf(3, Killer);
        Ask(1, Killer);
        KillWhoHas(Killer, but: suspect);
        KillWhoHas(Killer, but: suspect);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Run(2);
        suspect.AnswersHeartbeats = false;
        Ask(3, QueryFor("other"));
        Run(0.5);

        Assert.Equal(1, Count(Counter.ResendsFromSuspect));
        Assert.DoesNotContain(_backends.Values, backend => backend != suspect
            && LastAsked(backend, Killer) is not null);
    }

    [Fact]
    public void MoreDeaths_WeighMoreThanAShorterTime()
    {
        // The killer was answered lately, so it takes a third death.
        for (var n = 0; n < Limits.QuarantineSample; n++)
        {
            Ask(1, Killer);
            Answer(Killer);
        }
        Ask(1, Killer);
        Run(1);
        KillWhoHas(Killer, rebinds: false);
        Ask(1, QueryFor("innocent"));
        KillWhoHas(Killer, rebinds: false);
        Ask(1, Killer);
        Run(0.1);
        Ask(1, QueryFor("innocent"));
        KillWhoHas(Killer, rebinds: false);

        AssertRefused(QueryFor("innocent"), false);
        AssertRefused(Killer, true);
    }

    [Fact]
    public void NeverTakenByTheKernel_IsNotCharged()
    {
        for (var n = 0; n < 2; n++)
        {
            var victim = BackendOf(1, QueryFor($"other{n}"));
            Answer(QueryFor($"other{n}"));
            victim.Crash();
            // Forwarded in the turn that sees the end, so it is in the session's queue only.
            Ask(1, QueryFor("innocent"));
            Assert.Equal(n, Count(Counter.ResendsAfterLoss));
            victim.Rebind();
            Run(0.1);
            Assert.Equal(n + 1, Count(Counter.ResendsAfterLoss));
        }

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void AllKilledAtOnceAgainAndAgain_ANameThatAllAskIsNotRefused()
    {
        AnswerOften(QueryFor("popular"));
        for (var n = 0; n < 2; n++)
        {
            AskAll(QueryFor("popular"));
            Assert.All(_backends.Values,
                backend => Assert.True(Has(backend, QueryFor("popular"))));
            KillAll();
        }

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void OnTwoAtOnceAndNeverAnswered_IsRefused()
    {
        AskAll(Killer);
        KillAll();

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void AnsweredLatelyAndOnAllAtOnceThreeTimes_IsRefused()
    {
        AnswerOften(Killer);
        for (var n = 0; n < 3; n++)
        {
            AskAll(Killer);
            KillAll();
        }

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(Killer, true);
    }

    [Fact]
    public void DeathsAtOnce_TheLongestLifeCountsOnce()
    {
        // The innocent query outlives the killer on the first of them alone.
        AnswerOften(QueryFor("innocent"));
        AnswerOften(Killer);
        for (var n = 0; n < 3; n++)
        {
            Ask(1, QueryFor("innocent"));
            Run(0.1);
            AskAll(Killer);
            AskAll(QueryFor("innocent"));
            KillAll();
        }

        AssertRefused(QueryFor("innocent"), false);
        AssertRefused(Killer, true);
    }

    [Fact]
    public void AskedAgainAtOnceAndTheNextDies_CountsForEach()
    {
        AnswerOften(Killer);
        // A client that hears of the end at once asks again at once.
        for (var n = 0; n < 3; n++)
        {
            var client = Enumerable.Range(10 * n + 1, 9).First(client =>
                BackendOf(client, QueryFor($"c{client}")).Control is not null);
            BackendOf(client, Killer).Crash();
            Run(0.001);
        }
        Run(0.1);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    // ---- Hangs ----

    [Fact]
    public void HangsTwoBackends_IsRefusedWhenAskedAgain()
    {
        HangWith(Killer);
        Assert.Equal(2, _backends.Values.Count(backend => !backend.Reads));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        var third = _backends.Values.Single(backend => backend.Reads);

        Ask(1, Killer);

        Assert.False(Has(third, Killer));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        AssertCountersAddUp();
    }

    [Fact]
    public void HangsWhileOthersAsk_AloneIsRefused()
    {
        HangWith(Killer, isBusy: true);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(Killer, true);
        Assert.Equal(2, _backends.Values.Count(backend => !backend.Reads));
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

        Assert.Equal(2, _backends.Values.Count(backend => !backend.Reads));
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

        Assert.Equal(2, _backends.Values.Count(backend => !backend.Reads));
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
        var third = _backends.Values.Single(backend => backend.Reads);

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
        foreach (var backend in _backends.Values.Where(backend => backend != first))
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
        var second = _backends.Values.Single(backend => backend != first && backend != third);
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
        foreach (var backend in _backends.Values)
            backend.EchoesQueries = true;
        for (var n = 0; n < 50; n++)
            AskAll(QueryFor($"n{n % 5}"));
        foreach (var backend in _backends.Values.Take(2))
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
        foreach (var backend in _backends.Values)
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
        SimBackend.Reply(asked, asked.Payload);
        Run(0.01);

        AssertRefused(Killer, false);
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

    // ---- Wrong guesses ----

    [Fact]
    public void CulpritThatTakesThreeDeaths_HasTheInnocentLetGo()
    {
        for (var n = 0; n < Limits.QuarantineSample; n++)
        {
            Ask(1, Killer);
            Answer(Killer);
        }
        Ask(1, Killer);
        Ask(1, QueryFor("innocent"));
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        AssertRefused(QueryFor("innocent"), true);
        Run(2);
        Ask(3, Killer);
        KillWhoHas(Killer);

        AssertRefused(Killer, true);
        AssertRefused(QueryFor("innocent"), false);
    }

    [Fact]
    public void InnocentBehindTwoCulprits_IsLetGoWhenOneIsFound()
    {
        var killers = new[] { QueryFor("killer1"), QueryFor("killer2") };
        foreach (var killer in killers)
        {
            Ask(1, killer);
            Ask(1, QueryFor("innocent"));
            KillWhoHas(killer);
            // What was sent again times out.
            Run(11);
        }
        AssertRefused(QueryFor("innocent"), true);
        Ask(3, killers[0]);
        KillWhoHas(killers[0]);

        AssertRefused(killers[0], true);
        AssertRefused(QueryFor("innocent"), false);
    }

    [Fact]
    public void CopyFromBeforeItWasRefused_DoesNotKeepItRefused()
    {
        Ask(1, Killer);
        Run(0.5);
        AskAll(QueryFor("innocent"));
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        AssertRefused(QueryFor("innocent"), true);
        Assert.NotNull(WhoHas(QueryFor("innocent")));
        Ask(3, Killer);
        KillWhoHas(Killer);

        AssertRefused(Killer, true);
        AssertRefused(QueryFor("innocent"), false);
    }

    [Fact]
    public void DeathOfACopyFromBefore_HasNobodyElseRefused()
    {
        for (var client = 1; client <= 3; client++)
        {
            Ask(client, QueryFor("slow"));
            Ask(client, Killer);
        }
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        AssertRefused(Killer, true);
        KillWhoHas(Killer);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(QueryFor("slow"), false);
        // Nor is it refused for longer: it has not come again.
        Run(60);
        AssertRefused(Killer, false);
    }

    [Fact]
    public void BackAfterItsTermWithAnotherSentBehindIt_TakesTwoDeaths()
    {
        KillTwiceWith(Killer);
        Run(61);
        Ask(3, Killer);
        Ask(3, QueryFor("behind"));
        KillWhoHas(Killer);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));

        Answer(QueryFor("behind"));
        KillWhoHas(Killer);

        Assert.Equal(2, Count(Counter.QuarantinesBegun));
        Assert.Equal(Seconds(120), Log.Last<LogEvent.QueryQuarantined>().Term);
    }

    // ---- What is forgotten ----

    [Fact]
    public void AMinuteAfterADeath_NothingIsRememberedAndNoTimerArmed()
    {
        Run(1);
        var armed = Balancer.Core.TimerCount;
        Ask(1, Killer);
        KillWhoHas(Killer);
        Run(50);
        Assert.Equal(armed + 1, Balancer.Core.TimerCount);
        Run(12);

        Assert.Equal(armed, Balancer.Core.TimerCount);
    }

    [Fact]
    public void RepliesLongAfterADeath_CostWhatTheyDidBefore()
    {
        var timers = new Timers();
        var services = new Services(Kernel.Network, new StreamOwners(), timers, new Counters(),
            Log, NoWarmUp);
        var quarantine = new Quarantine(services);
        var queries = new InFlight(services, new QueryPairs(), quarantine);
        var died = Instant.Zero + Seconds(5);
        queries.Add(died, new Query(Client(1), Ipv4.Any, died), Killer, 0);
        var wanted = () => Enumerable.Range(0, 80).Count(_ => quarantine.WantsAnswer());
        Assert.Equal(10, wanted());

        var backend = new Backend(services, null!, new FlushList(), null!, new QueryPairs(),
            quarantine, new BackendId(1), 1, "d"u8, "b"u8);
        quarantine.OnDeath(died, backend, queries, new LinkedList<FirstMessage>());
        Assert.Equal(80, wanted());
        queries.OnSessionEnded();
        timers.RunDue(died + Seconds(61), 10);

        Assert.Equal(10, wanted());
        Assert.Equal(0, timers.Count);
    }

    /// <summary>A query for NAME.example, class IN; the id is the next one.</summary>
    private static byte[] QueryFor(string name, byte type = 1) =>
    [
        0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
        (byte)name.Length, .. System.Text.Encoding.ASCII.GetBytes(name),
        7, .. "example"u8, 0, 0, type, 0, 1,
    ];

    private void KillTwiceWith(byte[] query)
    {
        Ask(1, query);
        KillWhoHas(query);
        KillWhoHas(query);
    }

    private new void Ask(int client, byte[] query)
    {
        var asked = query.ToArray();
        _id++;
        (asked[0], asked[1]) = ((byte)(_id >> 8), (byte)_id);
        base.Ask(client, asked);
    }

    private void AskOverTcp(int host, byte[] query)
    {
        var client = Kernel.ConnectClient(Client(host) with { Port = (ushort)(2000 + ++_id) });
        Run(0.001);
        client.Send([0, (byte)query.Length, .. query]);
        Run(0.01);
    }

    /// <summary>The backend that lives and was sent this question last, or null.</summary>
    private SimBackend? WhoHas(byte[] query) => _backends.Values
        .Where(backend => LastAsked(backend, query) is not null)
        .MaxBy(backend => LastAsked(backend, query));

    private static Instant? LastAsked(SimBackend backend, byte[] query) => backend.Queries
        .LastOrDefault(got => got.Session == backend.Control
            && got.Payload.AsSpan(2).SequenceEqual(query.AsSpan(2)))?.At;

    private static bool Has(SimBackend backend, byte[] query) =>
        LastAsked(backend, query) is not null;

    /// <summary>Asks every backend that lives.</summary>
    private void AskAll(byte[] query)
    {
        for (var client = 1; client <= 3; client++)
            Ask(client, query);
    }

    /// <summary>Asks, and says which backend was asked.</summary>
    private SimBackend BackendOf(int client, byte[] query)
    {
        Ask(client, query);
        return WhoHas(query)!;
    }

    /// <summary>Asks for it once more to see.</summary>
    private void AssertRefused(byte[] query, bool isRefused)
    {
        var before = Count(Counter.QueriesQuarantined);
        Ask(9, query);
        Assert.Equal(isRefused ? 1 : 0, Count(Counter.QueriesQuarantined) - before);
    }

    private void KillWhoHas(byte[] query, SimBackend? but = null, bool rebinds = true) =>
        Kill(_backends.Values
            .Where(backend => backend != but && LastAsked(backend, query) is not null)
            .MaxBy(backend => LastAsked(backend, query))!, rebinds);

    private void Kill(SimBackend victim, bool rebinds = true)
    {
        victim.Crash();
        if (rebinds)
            victim.Rebind();
        Run(0.1);
    }

    /// <summary>
    /// Asks a query, and whoever reads it hangs, for a second and a half. When it is busy, six
    /// others ask a hundred times a second meanwhile, and are answered by those that live.
    /// </summary>
    private void HangWith(byte[]? query, bool isBusy = false)
    {
        var answered = _backends.Values.ToDictionary(backend => backend, _ => 0);
        var all = query ?? Killer;
        if (query is not null)
            Ask(1, query);
        for (var n = 0; n < 150; n++)
        {
            foreach (var backend in _backends.Values.Where(backend => backend.Reads))
            {
                for (; answered[backend] < backend.Queries.Count; answered[backend]++)
                {
                    var asked = backend.Queries[answered[backend]];
                    if (asked.Payload.AsSpan(2).SequenceEqual(all.AsSpan(2)))
                    {
                        backend.Hang();
                        break;
                    }
                    if (isBusy)
                        SimBackend.Reply(asked, asked.Payload);
                }
            }
            for (var client = 1; client <= 6 && isBusy; client++)
                Ask(client, QueryFor($"other{n}of{client}"));
            Run(isBusy ? 0.004 : 0.01);
        }
    }

    /// <summary>So often that it is remembered as answered lately.</summary>
    private void AnswerOften(byte[] query)
    {
        for (var n = 0; n < Limits.QuarantineSample; n++)
        {
            Ask(1, query);
            Answer(query);
        }
    }

    /// <summary>All die in one turn, and are back soon.</summary>
    private void KillAll()
    {
        foreach (var backend in _backends.Values)
            backend.Crash();
        Run(0.05);
        foreach (var backend in _backends.Values)
            backend.Rebind();
        Run(2);
    }

    private void Answer(byte[] query)
    {
        foreach (var backend in _backends.Values)
        {
            foreach (var got in backend.Queries.ToArray())
            {
                if (got.Session == backend.Control
                    && got.Payload.AsSpan(2).SequenceEqual(query.AsSpan(2)))
                {
                    SimBackend.Reply(got, got.Payload);
                }
            }
        }
        Run(0.001);
    }
}
