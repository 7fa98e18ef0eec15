// Quarantine: which queries are refused after backends died, for how long, and that others are not
// (docs/behaviour.md, section 5).

using System;
using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class QuarantineTests : QuarantineTest
{
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

    [Theory]
    [InlineData(9)]
    [InlineData(0xdeadbeef)]
    [InlineData((uint)FrameType.ServerHello)]
    [InlineData((uint)FrameType.ServerHeartbeat)]
    [InlineData((uint)FrameType.InboundTcpOk)]
    public void MakesTwoBackendsAnswerNonsense_IsRefused(uint frame)
    {
        Ask(1, Killer);
        for (var n = 0; n < 2; n++)
        {
            AssertRefusedOf(0);
            var bytes = new byte[4];
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes, frame);
            WhoHas(Killer)!.Send(bytes);
            Run(0.1);
        }

        AssertRefusedOf(1);
        Assert.Equal(2, Binders.Values.Count(backend =>
            backend.Queries.Any(query => query.Payload.AsSpan(2).SequenceEqual(Killer.AsSpan(2)))));
        AssertRefused(Killer, isRefused: true);

        void AssertRefusedOf(int begun) =>
            Assert.Equal(begun, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void BackendThatSendsNonsenseByItself_HasNoInnocentRefused()
    {
        for (var n = 0; n < 10; n++)
        {
            AskAll(QueryFor("good"));
            Binders["5301"].Send([9, 0, 0, 0]);
            Run(0.1);
            Answer(QueryFor("good"));
            Run(10);
        }

        Assert.Equal(10, Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void ErrorOfABackendThatHasItsData_IsAnAnswer(byte code)
    {
        Run(Limits.HoldTime.TotalSeconds);
        AskAll(QueryFor("good"));
        Answer(QueryFor("good"));
        Ask(1, Killer);
        KillWhoHas(Killer, rebinds: false);
        var second = WhoHas(Killer)!;
        var asked = second.Queries[^1];
        byte[] error = [.. asked.Payload];
        error[2] |= 0x80;
        error[3] |= code;
        SimBackend.Reply(asked, error);
        Run(0.001);
        Assert.Equal(Client(1), Kernel.Datagrams.Sent[^1].To);
        Assert.Equal(code, Kernel.Datagrams.Sent[^1].Payload[3] & 0xf);
        Ask(1, Killer);
        Kill(second);

        AssertRefused(Killer, isRefused: false);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TwoHostsAskOneBackend_TheirQueryMeetsOneMore(bool hangs)
    {
        for (var client = 1; client <= 4; client++)
            Ask(client, QueryFor("good"));
        Answer(QueryFor("good"));
        var first = BackendOf(1, Killer);
        Assert.Equal(first, BackendOf(4, Killer));
        if (hangs)
            first.Hang();
        else
            first.Crash();
        Run(hangs ? 0.25 : 0.03);

        var second = Binders.Values.Single(backend => backend != first && Has(backend, Killer));
        Assert.Equal(2, second.Queries.Count(
            query => query.Payload.AsSpan(2).SequenceEqual(Killer.AsSpan(2))));
        if (hangs)
            second.Hang();
        else
            second.Crash();
        Run(0.5);
        AssertRefused(Killer, isRefused: true);
        Assert.DoesNotContain(Binders.Values,
            backend => backend != first && backend != second && Has(backend, Killer));
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
        Kill(Binders.Values.First(backend => backend != third && Has(backend, Killer)));
        Kill(Binders.Values.First(backend => backend != third && Has(backend, Killer)));
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
        Kill(Binders.Values.First(backend => backend != third && Has(backend, Killer)));
        Kill(Binders.Values.First(backend => backend != third && Has(backend, Killer)));
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
        var without = Count(Counter.QuarantineFull);
        KillWhoHas(QueryFor("culprit"));

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Assert.InRange(
            Count(Counter.QuarantineFull), without + 1, without + Limits.QuarantineCases);
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

    /// <summary>Binder's handler of reverse names minds the case.</summary>
    [Fact]
    public void AnswerToTheNameInOtherCase_DoesNotClearWhatWasCharged()
    {
        var decoy = QueryFor("KILLER");
        Ask(1, decoy);
        Ask(1, Killer);
        KillWhoHas(Killer);
        Answer(decoy);
        Ask(1, decoy);
        Answer(decoy);
        KillWhoHas(Killer);

        AssertRefused(Killer, isRefused: true);
        AssertRefused(decoy, isRefused: true);
    }

    [Fact]
    public void NameInManyCases_IsClearedWhenEachIsAnswered()
    {
        byte[][] forms = [QueryFor("name"), QueryFor("Name"), QueryFor("nAme")];
        for (var death = 0; death < 2; death++)
        {
            foreach (var form in forms)
                Ask(1, form);
            KillWhoHas(forms[0]);
            foreach (var form in forms)
                Answer(form);
        }

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public void MoreFormsThanAreRemembered_TakeFourDeathsWhateverIsAnswered(
        int deaths, bool isRefused)
    {
        for (var death = 0; death < deaths; death++)
        {
            Run(2);
            for (var n = 0; n <= Limits.QuarantineForms + 1; n++)
                Ask(1, [.. Killer, .. Enumerable.Repeat((byte)1, n)]);
            KillWhoHas(Killer);
            for (var n = 0; n <= Limits.QuarantineForms + 1 && death < deaths - 1; n++)
                Answer([.. Killer, .. Enumerable.Repeat((byte)1, n)]);
        }

        AssertRefused([.. Killer, 1], isRefused);
        AssertRefused(Killer, isRefused: false);
    }

    /// <summary>Some resolvers draw the case of each query anew.</summary>
    [Fact]
    public void AllKilledAtOnce_ANameThatIsAskedInEveryCaseIsNotRefused()
    {
        AnswerOften(QueryFor("everybodys"));
        for (var client = 1; client <= 3; client++)
        {
            foreach (var form in new[] { "Everybodys", "eVerybodys", "evErybodys" })
                Ask(client, QueryFor(form));
        }
        KillAll();

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    /// <summary>Ten new ones with a question that nobody answers come with it each time.</summary>
    [Fact]
    public void CulpritWithoutAQuestion_IsNotHiddenForEverByOthersThatHaveOne()
    {
        byte[] culprit = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1];
        for (var death = 0; death < 6 && Refused(culprit) == 0; death++)
        {
            Run(2);
            Ask(1, culprit);
            for (var decoy = 0; decoy < 10; decoy++)
                Ask(1, QueryFor($"decoy{decoy}of{death}"));
            if (WhoHas(culprit) is { } victim)
                Kill(victim);
        }

        AssertRefused(culprit, isRefused: true);
    }

    private long Refused(byte[] query)
    {
        var before = Count(Counter.QueriesQuarantined);
        Ask(9, query);
        return Count(Counter.QueriesQuarantined) - before;
    }

    [Fact]
    public void QueryThatDiffersInWhatNobodyReads_IsRefusedToo()
    {
        byte[] first = [.. Killer, 0, 0, 41, 0, 20, 0, 0, 0, 0, 0, 6, 0, 10, 0, 2, 7, 7, 1, 2];
        byte[] second = [.. Killer, 0, 0, 41, 0, 12, 0, 0, 0, 9, 0, 6, 0, 12, 0, 2, 8, 8, 3];
        (first[11], second[11], second[3]) = (1, 1, 0x30);
        KillTwiceWith(first);

        AssertRefused(second, isRefused: true);
        AssertRefused(Killer, isRefused: false);
    }

    /// <summary>A server that dies of so small a size does so whatever it is asked.</summary>
    [Fact]
    public void SizeOfEdnsIsDeadlyAndTheNameIsAnotherEachTime_EndsTwoBackends()
    {
        Ask(1, Small("one", 20));
        Kill(WhoHas(Small("one", 20))!);
        // The copy of the first is answered nowhere either, so it is charged with both.
        Ask(2, Small("two", 0));
        Kill(WhoHas(Small("two", 0))!);
        Ask(3, Small("three", 20));
        Assert.Null(WhoHas(Small("three", 20)));

        AssertRefused(Small("four", 255), isRefused: true);
        AssertRefused(QueryFor("one"), isRefused: false);
    }

    /// <summary>Each name is a form of its own, and there are too many to be cleared.</summary>
    [Fact]
    public void SizeOfEdnsIsDeadlyAndManyNamesAreInFlight_EndsTwoBackends()
    {
        AskBurst(n => Small($"name{n}", 20));
        KillWhoHas(Small("name0", 20));
        KillWhoHas(Small("name0", 20));

        AssertRefused(Small("other", 255), isRefused: true);
        AssertRefused(QueryFor("name0"), isRefused: false);
    }

    [Fact]
    public void PointerIsDeadlyAndManyNamesAreInFlight_EndsTwoBackends()
    {
        byte[] Pointed(int n) =>
            [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)('a' + n), 0xc0, 12, 0, 1, 0, 1];
        AskBurst(Pointed);
        KillWhoHas(Pointed(0));
        KillWhoHas(Pointed(0));

        AssertRefused(Pointed(99), isRefused: true);
    }

    /// <summary>A client may offer such a size in earnest, and its copies are answered.</summary>
    [Theory]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public void ManyNamesOfWhichOneIsAnsweredInBetween_TakeFourDeaths(int deaths, bool isRefused)
    {
        for (var death = 0; death < deaths; death++)
        {
            Run(2);
            AskBurst(n => Small($"name{n}", 20));
            KillWhoHas(Small("name0", 20));
            if (death == 0)
                Answer(Small("name0", 20));
        }

        AssertRefused(Small("name1", 20), isRefused);
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public void ManyNamesOfWhichOneWasAnsweredLately_TakeFourDeaths(int deaths, bool isRefused)
    {
        AnswerOften(Small("before", 20));
        for (var death = 0; death < deaths; death++)
        {
            Run(2);
            AskBurst(n => Small($"name{n}", 20));
            KillWhoHas(Small("name0", 20));
        }

        AssertRefused(Small("name1", 20), isRefused);
    }

    /// <summary>The name at 12 points to 6, where a pointer leads back to 12.</summary>
    [Fact]
    public void NameThatPointsInCircles_IsRefusedWithWhateverIsBehindIt()
    {
        byte[] loop = [0, 0, 1, 0, 0, 1, 0xc0, 12, 0, 0, 0, 1, 0xc0, 6, 0, 1, 0, 1];
        byte[] Cookie(byte value) =>
            [.. loop, 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 5, 0, 10, 0, 1, value];
        KillTwiceWith(Cookie(1));

        AssertRefused(Cookie(2), isRefused: true);
    }

    /// <summary>Messages without a question are alike, and so are at every death.</summary>
    [Fact]
    public void MessagesWithoutAQuestionEverywhere_DoNotHideWhatHasOne()
    {
        for (var client = 1; client <= 3; client++)
            Ask(client, Query(client, 30 + client));
        Ask(1, QueryFor("other killer"));
        KillWhoHas(QueryFor("other killer"));
        KillWhoHas(QueryFor("other killer"));
        Run(2);
        for (var client = 1; client <= 3; client++)
            Ask(client, Query(client, 30 + client));
        KillTwiceWith(Killer);

        AssertRefused(Killer, isRefused: true);
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
    public void OrderlyStop_IsNotADeath()
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
        foreach (var other in Binders.Values.Where(backend => backend != suspect))
            other.EchoesQueries = true;
        Run(0.3);
        Assert.Equal(1, Count(Counter.ResendsAnswered));
        foreach (var backend in Binders.Values)
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
        Assert.DoesNotContain(Binders.Values, backend => backend != suspect
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
            Assert.All(Binders.Values,
                backend => Assert.True(Has(backend, QueryFor("popular"))));
            KillAll();
        }

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void UnansweredQueryOnTwoBackendsThatDie_IsRefused()
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

    /// <summary>Asks as many at once as have more forms than are remembered.</summary>
    private void AskBurst(Func<int, byte[]> query)
    {
        for (var n = 0; n <= Limits.QuarantineForms; n++)
            Ask(1, query(n));
    }

    /// <summary>A query with so small an EDNS size.</summary>
    private static byte[] Small(string name, byte size)
    {
        byte[] query = [.. QueryFor(name), 0, 0, 41, 0, size, 0, 0, 0, 0, 0, 0];
        query[11] = 1;
        return query;
    }
}
