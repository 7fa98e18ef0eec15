// Failing backends: whose answers make them fail, who still goes to them, and how that ends
// (docs/behaviour.md, section 3).

using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class AnswerRecordTests : CoreTest
{
    private const int Good = 0;
    private const int ServerFailure = 2;
    private const int NoSuchName = 3;
    private const int Refused = 5;

    private int _id;

    [Theory]
    [InlineData(ServerFailure)]
    [InlineData(Refused)]
    public void AnswersFarWorseThanAnothers_BringNoNewClients(int code)
    {
        var backends = Backends("5301", "5302");
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, code, 20, backends);
        Assert.True(Snapshot("5302") is { IsFailing: true, IsMute: false });
        for (var client = 3; client <= 6; client++)
            Exchange(client, Good, 1, backends);

        Assert.All(Enumerable.Range(3, 4),
            client => Assert.Equal(5301, Remote(client)!.Value.Primary.Value));
        var failing = Log.Last<LogEvent.BackendFailing>();
        Assert.Equal((5302, 20, 20, 5301, 0, 20),
            (failing.Id.Value, failing.Failed, failing.Answers, failing.Other.Value,
                failing.OtherFailed, failing.OtherAnswers));
        Assert.Equal(1, Count(Counter.BackendsFailing));
    }

    [Fact]
    public void ClientsThatAreWithIt_Stay()
    {
        var backends = Backends("5301", "5302");
        Fail(backends);
        var before = backends[1].QueryCount;
        Exchange(client: 2, ServerFailure, 1, backends);

        Assert.Equal(before + 1, backends[1].QueryCount);
        Assert.Equal(BackendId.None, Remote(2)!.Value.Backup);
    }

    [Fact]
    public void ClientThatWentToABackup_DoesNotReturnToIt()
    {
        var backends = Backends("5301", "5302");
        Fail(backends);
        backends[1].AnswersHeartbeats = false;
        Ask(2);
        Run(0.25);
        Assert.True(Snapshot("5302").IsSuspect);
        Ask(2);
        Assert.Equal(5301, Remote(2)!.Value.Backup.Value);
        backends[1].Control!.SendHeartbeat();
        Run(0.01);
        Assert.True(Snapshot("5302") is { IsSuspect: false, IsFailing: true });
        var before = backends[1].QueryCount;
        Ask(2);

        Assert.Equal(before, backends[1].QueryCount);
    }

    [Fact]
    public void NameThatIsRefusedEverywhere_MakesNobodyFail()
    {
        var backends = Backends("5301", "5302");
        Exchange(client: 1, Refused, 60, backends);
        Exchange(client: 2, Refused, 60, backends);

        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    [Fact]
    public void NameThatDoesNotExist_IsAnAnswerLikeOthers()
    {
        var backends = Backends("5301", "5302");
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, NoSuchName, 60, backends);

        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    [Theory]
    [InlineData(19, 20)]
    [InlineData(20, 19)]
    public void TooFewAnswers_SayNothing(int good, int failed)
    {
        var backends = Backends("5301", "5302");
        Exchange(client: 1, Good, good, backends);
        Exchange(client: 2, ServerFailure, failed, backends);

        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    [Theory]
    [InlineData(50, 1)]
    [InlineData(49, 0)]
    public void Margin_IsFiftyPoints(int failed, int times)
    {
        var backends = Backends("5301", "5302");
        Exchange(client: 1, Good, 100, backends);
        Exchange(client: 2, Good, 100 - failed, backends);
        Exchange(client: 2, ServerFailure, failed, backends);

        Assert.Equal(times, Count(Counter.BackendsFailing));
    }

    [Fact]
    public void AllButOneAreWrong_EachOfThemFails()
    {
        var backends = Backends("5301", "5302", "5303");
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, ServerFailure, 20, backends);
        Exchange(client: 3, ServerFailure, 20, backends);

        Assert.True(Snapshot("5302").IsFailing && Snapshot("5303").IsFailing);
        Assert.False(Snapshot("5301").IsFailing);
    }

    [Fact]
    public void LastOneThere_GetsClientsThoughItFails()
    {
        var backends = Backends("5301", "5302");
        Fail(backends);
        backends[0].Crash();
        Run(0.01);
        Exchange(client: 3, ServerFailure, 1, backends);

        Assert.Equal(5302, Remote(3)!.Value.Primary.Value);
    }

    [Fact]
    public void NoAnswersForAWhile_ItsRecordStartsAgain()
    {
        var backends = Backends("5301", "5302");
        Fail(backends);
        Run(9.9);
        Assert.True(Snapshot("5302").IsFailing);
        Run(0.2);

        Assert.False(Snapshot("5302").IsFailing);
        Assert.Equal(1, Count(Counter.BackendsNoLongerFailing));
        Assert.Equal(0, Log.Last<LogEvent.BackendNoLongerFailing>().Answers);
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, ServerFailure, 19, backends);
        Assert.False(Snapshot("5302").IsFailing);
        Exchange(client: 2, ServerFailure, 1, backends);
        Assert.True(Snapshot("5302").IsFailing);
    }

    [Fact]
    public void GoodAnswers_EndItAfterTenSecondsAtTheEarliest()
    {
        var backends = Backends("5301", "5302");
        Fail(backends);
        Exchange(client: 2, Good, 100, backends);
        Assert.True(Snapshot("5302").IsFailing);
        Run(9);
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, Good, 1, backends);
        Run(1);
        Exchange(client: 2, Good, 1, backends);

        Assert.False(Snapshot("5302").IsFailing);
        Assert.Equal((0, 100), (Log.Last<LogEvent.BackendNoLongerFailing>().Failed,
            Log.Last<LogEvent.BackendNoLongerFailing>().Answers));
    }

    [Theory]
    [InlineData(26, 74, true)]
    [InlineData(25, 75, false)]
    public void StillAbove_IsMoreThan25Points(int failed, int good, bool isFailing)
    {
        var backends = Backends("5301", "5302");
        Fail(backends);
        Run(9);
        Exchange(client: 2, ServerFailure, failed, backends);
        Exchange(client: 1, Good, 20, backends);
        Run(2);
        Exchange(client: 2, Good, good, backends);

        Assert.Equal(isFailing, Snapshot("5302").IsFailing);
    }

    [Fact]
    public void ShareBetween25And26Points_IsStillAbove()
    {
        var backends = Backends("5301", "5302");
        Fail(backends);
        Run(9);
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, Good, 1, backends);
        Run(2);
        // 20 of 77 is 25.97 %.
        Exchange(client: 2, Good, 56, backends);
        Assert.True(Snapshot("5302").IsFailing);
        Exchange(client: 2, Good, 3, backends);

        Assert.False(Snapshot("5302").IsFailing);
    }

    [Fact]
    public void NewSession_HasACleanRecord()
    {
        var backends = Backends("5301", "5302");
        Fail(backends);
        backends[1].Crash();
        backends[1].Rebind();
        Run(0.1);

        Assert.Equal(BackendState.Healthy, State("5302"));
        Assert.False(Snapshot("5302").IsFailing);
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, ServerFailure, 19, backends);
        Assert.Equal(1, Count(Counter.BackendsFailing));
    }

    [Fact]
    public void ReplyThatAnswersNothing_OrHasNoHeader_IsNotRecorded()
    {
        var backends = Backends("5301", "5302");
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, Good, 1, backends);
        for (var n = 0; n < 40; n++)
            backends[1].Reply(Client(2), [0xff, 0xff, 0x80, ServerFailure, 0, 0, 0, 0, 0, 0, 0, 0]);
        Run(0.01);
        for (var n = 0; n < 40; n++)
        {
            Ask(2);
            SimBackend.Reply(backends[1].Queries[^1], [0, 2, 0x80, ServerFailure]);
            Run(0.001);
        }

        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnswersHeartbeatsAlone_OrWithIdsOfItsOwn_ItsClientsGoToOthers(bool answersWrongly)
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        if (answersWrongly)
            backends[1].Answers = query => [0xff, 0xee, .. query.Skip(2)];
        Ask(1);
        Ask(2);
        Assert.Equal(5302, Remote(2)!.Value.Primary.Value);
        for (var n = 0; n < 45; n++)
        {
            Ask(2, Question(n));
            Ask(1, Question(n));
            Run(0.1);
        }

        Assert.True(Snapshot("5302") is { IsFailing: true, IsMute: true });
        var mute = Log.Last<LogEvent.BackendMute>();
        Assert.Equal(5302, mute.Id.Value);
        Assert.InRange(mute.Queries, 38, 45);
        var before = backends[1].QueryCount;
        Ask(2, Question(77));
        Assert.Equal(before, backends[1].QueryCount);
        Assert.Equal((Client(2), 77),
            (Kernel.Datagrams.Sent[^1].To, Kernel.Datagrams.Sent[^1].Payload[1]));
        // What it had is answered by the other, too.
        Assert.All(Enumerable.Range(0, 45), n => Assert.Contains(Kernel.Datagrams.Sent,
            sent => sent.To == Client(2) && sent.Payload[1] == n));
        Run(10);
        Assert.True(Snapshot("5302") is { IsFailing: false, IsMute: false });
        backends[1].Answers = query => query;
        Ask(2, Question(78));
        Assert.Equal(before + 1, backends[1].QueryCount);
    }

    [Fact]
    public void NobodyAnswers_NobodyIsMute()
    {
        Backends("5301", "5302");
        Run(10);
        for (var n = 0; n < 150; n++)
        {
            Ask(1 + n % 2, Question(n));
            Run(0.1);
        }

        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    /// <summary>What no Binder answers says nothing of one that does not.</summary>
    [Fact]
    public void AnswersHeartbeatsAloneToWhatCannotBeRead_IsNotMute()
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        for (var n = 0; n < 100; n++)
        {
            Ask(2, Query(n));
            Ask(1, Query(n));
            Run(0.1);
        }

        Assert.False(Snapshot("5302").IsFailing);
    }

    /// <summary>Two questions, an answer, or an authority in a query.</summary>
    [Theory]
    [InlineData(5, 2)]
    [InlineData(7, 1)]
    [InlineData(9, 1)]
    public void AnswersHeartbeatsAloneToWhatNoServerAnswers_IsNotMute(int countAt, byte count)
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        for (var n = 0; n < 100; n++)
        {
            for (var host = 1; host <= 2; host++)
            {
                var query = Question(n);
                query[countAt] = count;
                Ask(host, query);
            }
            Run(0.1);
        }

        Assert.False(Snapshot("5302").IsFailing);
    }

    [Theory]
    [InlineData(false, false, new double[] { 10, 20 })]
    [InlineData(true, false, new double[] { 10, 20 })]
    [InlineData(false, true, new double[] { 10, 10, 20 })]
    public void MuteAgain_ForTwiceAsLongUnlessItsSocketIsNew(
        bool sessionEnds, bool isRestarted, double[] expected)
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        var isDone = false;
        for (var n = 0; n < 700; n++)
        {
            Ask(1, Question(n));
            Ask(2, Question(n));
            Run(0.1);
            if (isDone || Log.Count<LogEvent.BackendNoLongerFailing>() == 0)
                continue;
            isDone = true;
            if (sessionEnds)
                backends[1].CloseSessions();
            if (isRestarted)
                backends[1].Rebind();
        }

        var times = Log.Of<LogEvent.BackendNoLongerFailing>()
            .Select(line => line.Lasted.TotalSeconds);
        Assert.Equal(expected, times);
    }

    /// <summary>20 are not in flight at a time, and one that nobody asks may answer.</summary>
    [Fact]
    public void AnswersHeartbeatsAlone_ItsOnlyHostGoesToAnotherThoughItAsksOnceASecond()
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        Ask(1);
        Run(11);
        for (var n = 0; n < 12; n++)
        {
            Ask(2, Question(n, (char)('a' + n % 2)));
            Run(1);
        }

        Assert.True(Snapshot("5302").IsMute);
        Assert.InRange(Log.Last<LogEvent.BackendMute>().Queries, 5, 10);
        Ask(2, Question(77));
        Assert.Equal(77, Kernel.Datagrams.Sent[^1].Payload[1]);
    }

    [Fact]
    public void MuteBackend_InfrequentClientsMove()
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        for (var n = 0; n < 50; n++)
        {
            Ask(1 + n % 25 * 2, Question(n));
            Run(0.3);
            Ask(2 + n % 25 * 2, Question(n));
            Run(0.3);
        }

        Assert.True(Snapshot("5302").IsMute);
        Assert.InRange(Count(Counter.UnansweredTimedOut), 0, 5);
    }

    /// <summary>One host's one question may have no answer; that is known later.</summary>
    [Theory]
    [InlineData(15, false)]
    [InlineData(30, true)]
    public void OneQuestionOfOneHost_TakesTwenty(int times, bool isMute)
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        Ask(1);
        for (var n = 0; n < times; n++)
        {
            Ask(2, Question(n));
            Run(1);
        }

        Assert.Equal(isMute, Snapshot("5302").IsMute);
    }

    [Fact]
    public void WhatNobodyAnswers_MakesNobodyMuteWhoAnswersOthers()
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        for (var client = 1; client <= 4; client++)
            Ask(client, Question(client));
        for (var n = 0; n < 100; n++)
        {
            Ask(2, Question(n, (char)('a' + n % 20)));
            if (n % 4 == 0)
                Exchange(client: 4, Good, 1, backends);
            Run(1);
        }

        Assert.Equal(5302, Remote(4)!.Value.Primary.Value);
        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    [Fact]
    public void FewQueriesAMinuteApart_SayNothing()
    {
        var backends = Backends("5301", "5302");
        backends[0].EchoesQueries = true;
        Ask(1);
        for (var n = 0; n < 5; n++)
        {
            Ask(2, Question(n, (char)('a' + n)));
            Run(61);
        }

        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    [Fact]
    public void NobodyAnswersFewQueries_NobodyIsMute()
    {
        Backends("5301", "5302");
        Run(10);
        for (var n = 0; n < 60; n++)
        {
            Ask(1, Question(n));
            Ask(2, Question(n));
            Run(1);
        }

        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    /// <summary>A query that every backend answers: a. A IN.</summary>
    private static byte[] Question(int id, char name = 'a') =>
        [0, (byte)id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)name, 0, 0, 1, 0, 1];

    /// <summary>Each has given a good answer, and what it says now is remembered.</summary>
    private SimBackend[] Backends(params string[] names)
    {
        var backends = HealthyBackends(names);
        for (var client = 0; client < names.Length; client++)
            Ask(900 + client);
        foreach (var backend in backends)
            backend.EchoesQueries = false;
        Run(Limits.HoldTime.TotalSeconds);
        return backends;
    }

    /// <summary>The second fails, and client 2 is with it, client 1 with the first.</summary>
    private void Fail(SimBackend[] backends)
    {
        Exchange(client: 1, Good, 20, backends);
        Exchange(client: 2, ServerFailure, 20, backends);
        Assert.True(Snapshot(backends[1].Name).IsFailing);
    }

    /// <summary>A client asks so often, and whoever is asked answers so.</summary>
    private void Exchange(int client, int code, int times, SimBackend[] backends)
    {
        for (var n = 0; n < times; n++)
        {
            var before = backends.Select(backend => backend.Queries.Count).ToArray();
            Ask(client, Query(++_id));
            for (var i = 0; i < backends.Length; i++)
            {
                foreach (var got in backends[i].Queries.Skip(before[i]).ToArray())
                {
                    var reply = got.Payload.ToArray();
                    (reply[2], reply[3]) = (0x80, (byte)code);
                    SimBackend.Reply(got, reply);
                }
            }
            Run(0.0001);
        }
    }
}
