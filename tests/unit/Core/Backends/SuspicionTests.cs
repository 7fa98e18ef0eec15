// Suspicion: each arrow of its picture, what proves nothing, and how long trust takes the next
// time.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class SuspicionTests
{
    private readonly Timers _timers = new();
    private readonly Standstill _standstill = new(new Counters());
    private readonly Watched _backend = new();
    private readonly Suspicion _suspicion;
    private double _now = 1;

    public SuspicionTests() => _suspicion = new Suspicion(_timers, _standstill, _backend);

    [Fact]
    public void SilentAfterAQueryAndAHeartbeat_IsSuspect()
    {
        Query();
        Pass(0.099);
        Assert.Equal(0, _backend.Asked);
        Pass(0.001);
        Assert.Equal(1, _backend.Asked);
        Pass(0.099);
        Assert.False(_suspicion.IsSuspect);
        Pass(0.001);

        Assert.True(_suspicion.IsSuspect);
        Assert.Equal([Seconds(0.2)], _backend.Suspected);
        Assert.Equal(0, _timers.Count);
    }

    [Fact]
    public void NoQuery_NothingIsAskedHoweverSilentItIs()
    {
        Pass(100);

        Assert.Equal(0, _backend.Asked);
        Assert.False(_suspicion.IsSuspect);
        Assert.Equal(0, _timers.Count);
    }

    [Fact]
    public void AnotherMayHang_SilentForTwiceTheTimeAfterTheHeartbeat_IsSuspect()
    {
        _suspicion.AskBeside(Now);
        Assert.Equal(1, _backend.Asked);
        Pass(0.199);
        Assert.True(_suspicion.IsDoubtful(Now));
        Assert.False(_suspicion.IsSuspect);
        Pass(0.001);

        Assert.Equal([Seconds(0.2)], _backend.Suspected);
        Assert.Equal(0, _backend.Doubted);
    }

    [Fact]
    public void AnotherMayHang_ItIsAskedOnceInThatTime()
    {
        for (var n = 0; n < 100; n++)
        {
            _suspicion.AskBeside(Now);
            Byte();
            Pass(0.01);
        }

        Assert.Equal(10, _backend.Asked);
    }

    [Theory]
    [InlineData(0, 0.2)]
    [InlineData(0.15, 0.15)]
    [InlineData(0.19, 0.11)]
    public void AnotherMayHang_OneThatOwesOldQueriesHasNoLongerThanItWouldHave(
        double waited, double left)
    {
        _backend.NewestAt = Now;
        Query();
        Pass(0.15);
        AnswerHeartbeat();
        Pass(waited);
        _suspicion.AskBeside(Now);
        Pass(left - 0.001);
        Assert.False(_suspicion.IsSuspect);
        Pass(0.001);

        Assert.True(_suspicion.IsSuspect);
    }

    [Fact]
    public void AnotherMayHang_OneThatIsWaitedForIsAskedInItsOwnTime()
    {
        Query();
        Pass(0.05);
        _suspicion.AskBeside(Now);
        Assert.Equal(0, _backend.Asked);
        Pass(0.05);

        Assert.Equal((1, 1), (_backend.Asked, _backend.Doubted));
    }

    [Fact]
    public void ByteInTime_EndsTheWaitUntilTheNextQuery()
    {
        Query();
        Pass(0.09);
        Byte();
        Pass(100);

        Assert.Equal((0, 0), (_backend.Asked, _backend.DoubtsOver));
        Assert.Equal(0, _timers.Count);
    }

    [Fact]
    public void ByteAfterItWasAsked_EndsTheWait()
    {
        Query();
        Pass(0.15);
        Assert.Equal(1, _backend.Asked);
        Byte();
        Pass(100);

        Assert.Equal((1, 1), (_backend.Asked, _backend.DoubtsOver));
        Assert.Empty(_backend.Suspected);
    }

    [Fact]
    public void QueryAfterAByte_IsWaitedForItsWholeTime()
    {
        Query();
        Pass(0.05);
        Byte();
        Pass(0.03);
        Query();
        // The timer of the first is due now, and finds the second.
        Pass(0.099);
        Assert.Equal(0, _backend.Asked);
        Pass(0.001);
        Assert.Equal(1, _backend.Asked);
        Pass(0.1);

        Assert.Equal([Seconds(0.2)], _backend.Suspected);
    }

    [Fact]
    public void ByteThatLeavesQueriesInFlight_BeginsTheNextWait()
    {
        Query();
        Pass(0.05);
        _backend.NewestAt = Now;
        Byte();
        _suspicion.OnRead(Now);
        Pass(0.099);
        Assert.Equal(0, _backend.Asked);
        Pass(0.001);
        Assert.Equal(1, _backend.Asked);
        Pass(0.1);

        Assert.Equal([Seconds(0.2)], _backend.Suspected);
    }

    [Fact]
    public void ProofIsOverAndQueriesAreInFlight_TheyAreWaitedFor()
    {
        BecomeSuspect();
        Byte();
        BecomeSuspect();
        Byte();
        _backend.NewestAt = Now;
        for (var n = 0; n < 19; n++)
            AnswerWithin(0.1);
        Pass(0.1);
        Assert.False(_suspicion.IsSuspect);
        Pass(0.2);

        Assert.True(_suspicion.IsSuspect);
    }

    [Fact]
    public void QueryThatIsNeverAnswered_IsAskedForLessAndLessOften()
    {
        Query();
        _backend.NewestAt = Now;
        var times = new List<double>();
        for (var n = 0; n < 10_000; n++)
        {
            Pass(0.001);
            if (_backend.Asked == times.Count)
                continue;
            times.Add(Math.Round(_now - 1, 2));
            AnswerHeartbeat();
        }

        Assert.Equal([0.1, 0.3, 0.7, 1.5, 3.1, 6.3], times);
        Assert.Empty(_backend.Suspected);
    }

    [Theory]
    [InlineData(0.05)]
    [InlineData(0.25)]
    [InlineData(2)]
    public void NewerQueryWhileAnOldOneIsNotAnswered_HangIsFoundAsFastAsEver(double later)
    {
        Query();
        _backend.NewestAt = Now;
        Pass(0.1);
        AnswerHeartbeat();
        for (var n = 0; n < later * 1000; n++)
        {
            var asked = _backend.Asked;
            Pass(0.001);
            if (_backend.Asked > asked)
                AnswerHeartbeat();
        }
        Assert.Empty(_backend.Suspected);
        Assert.False(_suspicion.IsDoubtful(Now));
        Query();
        _backend.NewestAt = Now;
        Pass(0.199);
        Assert.False(_suspicion.IsSuspect);
        Pass(0.001);

        Assert.True(_suspicion.IsSuspect);
        Assert.Equal([Seconds(0.2)], _backend.Suspected);
    }

    [Fact]
    public void NewerQueryShortlyBeforeAnOldOneIsAskedFor_DoesNotPutThatOff()
    {
        Query();
        _backend.NewestAt = Now;
        Pass(0.1);
        AnswerHeartbeat();
        Pass(0.19);
        Query();
        Pass(0.01);
        Assert.Equal(2, _backend.Asked);
        Pass(0.1);

        Assert.True(_suspicion.IsSuspect);
    }

    [Fact]
    public void HeartbeatSoonAfterAQuery_IsNotAnAnswerToIt()
    {
        Query();
        _backend.NewestAt = Now;
        Pass(0.05);
        // One that was due anyway.
        AnswerHeartbeat();
        Pass(0.2);

        Assert.True(_suspicion.IsSuspect);
    }

    [Fact]
    public void FurtherQueries_DoNotRestartTheWait()
    {
        Query();
        for (var n = 0; n < 20; n++)
        {
            Pass(0.01);
            Query();
        }

        Assert.True(_suspicion.IsSuspect);
        Assert.Equal([Seconds(0.2)], _backend.Suspected);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void WaitThatEndsLate_ProvesNothingAndBeginsAgain(double before)
    {
        Query();
        Pass(before);
        var asked = _backend.Asked;
        Stand(0.151);
        Assert.Equal(asked, _backend.Asked);
        Assert.False(_suspicion.IsSuspect);
        Pass(0.099);
        Assert.Equal(asked, _backend.Asked);
        Assert.False(_suspicion.IsSuspect);
        Pass(0.001);

        Assert.Equal(before > 0, _suspicion.IsSuspect);
        Assert.Equal(1, _backend.Asked);
    }

    [Fact]
    public void WaitThatEndsALittleLate_CountsAllTheSame()
    {
        Query();
        Stand(0.15);
        Assert.Equal(1, _backend.Asked);
        Stand(0.15);

        Assert.True(_suspicion.IsSuspect);
    }

    [Fact]
    public void SomethingLiesUnread_ProvesNothing()
    {
        Query();
        Pass(0.1);
        _backend.HasUnread = true;
        Pass(1);
        Assert.False(_suspicion.IsSuspect);
        Assert.Equal(1, _backend.Asked);
        _backend.HasUnread = false;
        Pass(0.1);

        Assert.True(_suspicion.IsSuspect);
    }

    [Fact]
    public void FirstSuspicion_EndsWithTheFirstByte()
    {
        BecomeSuspect();
        Pass(3);
        Byte();

        Assert.False(_suspicion.IsSuspect);
        Assert.Equal([Seconds(3)], _backend.Trusted);
        Assert.Equal(0, _timers.Count);
        Pass(100);
        Assert.Equal(1, _backend.Asked);
    }

    [Fact]
    public void SuspectAgainAndAgain_ProvesItselfForLongerEachTime()
    {
        BecomeSuspect();
        Byte();
        foreach (var proof in new[] { 2, 4, 8, 16, 32, 32 })
        {
            BecomeSuspect();
            Byte();
            Assert.True(_suspicion.IsSuspect);
            for (var n = 1; n < proof * 10; n++)
            {
                AnswerWithin(0.1);
                Assert.True(_suspicion.IsSuspect, $"{n} of a proof of {proof} s");
            }
            AnswerWithin(0.1);
            Assert.False(_suspicion.IsSuspect, $"proof of {proof} s");
            Assert.Equal(Seconds(proof), _backend.Trusted[^1]);
        }
        Assert.Equal(_backend.Suspected.Count, _backend.Trusted.Count);
    }

    [Fact]
    public void LongTrusted_IsTrustedAtOnceAgain()
    {
        BecomeSuspect();
        Byte();
        Pass(59.799);
        BecomeSuspect();
        Byte();
        Assert.True(_suspicion.IsSuspect);
        for (var n = 0; n < 20; n++)
            AnswerWithin(0.1);
        Assert.False(_suspicion.IsSuspect);

        Pass(59.8);
        BecomeSuspect();
        Byte();
        Assert.False(_suspicion.IsSuspect);
        // And the next proof is as short as the first.
        BecomeSuspect();
        Byte();
        for (var n = 0; n < 20; n++)
            AnswerWithin(0.1);
        Assert.False(_suspicion.IsSuspect);
    }

    [Fact]
    public void SilentWhileProving_RestartsTheProof()
    {
        BecomeSuspect();
        Byte();
        BecomeSuspect();
        Byte();
        for (var n = 0; n < 15; n++)
            AnswerWithin(0.1);
        var asked = _backend.Asked;
        Pass(0.2);
        // It is not asked again before it says something, and it is not suspected twice.
        Pass(10);
        Assert.InRange(_backend.Asked - asked, 0, 1);
        Assert.True(_suspicion.IsSuspect);
        Assert.Equal(2, _backend.Suspected.Count);
        // But who has its queries elsewhere hears that it is silent again, and that it answers.
        Assert.Equal((1, 1), (_backend.SilentAgain, _backend.AnswersAgain));
        Byte();
        Assert.Equal(2, _backend.AnswersAgain);
        for (var n = 0; n < 19; n++)
            AnswerWithin(0.1);
        Assert.True(_suspicion.IsSuspect);
        AnswerWithin(0.1);

        Assert.False(_suspicion.IsSuspect);
    }

    [Fact]
    public void LateWaitWhileProving_IsNotSilence()
    {
        BecomeSuspect();
        Byte();
        BecomeSuspect();
        Byte();
        Pass(0.1);
        Stand(1);
        Byte();
        for (var n = 0; n < 12; n++)
            AnswerWithin(0.1);

        Assert.False(_suspicion.IsSuspect);
    }

    [Fact]
    public void SessionEnds_NextOneBeginsWithACleanSheet()
    {
        BecomeSuspect();
        Byte();
        BecomeSuspect();
        _suspicion.OnSessionEnded();
        Assert.False(_suspicion.IsSuspect);
        Assert.Equal(0, _timers.Count);
        BecomeSuspect();
        Byte();

        Assert.False(_suspicion.IsSuspect);
    }

    private static Duration Seconds(double seconds) =>
        Duration.FromMilliseconds((long)(seconds * 1000 + 0.5));

    private Instant Now => Instant.Zero + Seconds(_now);

    private void Query() => _suspicion.OnQuery(Now);

    private void Byte() => _suspicion.OnByte(Now);

    /// <summary>It answers a heartbeat at once, and the queries stay.</summary>
    private void AnswerHeartbeat()
    {
        Byte();
        _suspicion.OnHeartbeatAnswered(Now, Now);
        _suspicion.OnRead(Now);
    }

    private void BecomeSuspect()
    {
        Query();
        Pass(0.2);
        Assert.True(_suspicion.IsSuspect);
    }

    /// <summary>Time passes, and the byte that it was asked for comes at its end.</summary>
    private void AnswerWithin(double seconds)
    {
        Pass(seconds);
        Byte();
    }

    /// <summary>Time passes, a millisecond a turn.</summary>
    private void Pass(double seconds)
    {
        for (var end = _now + seconds - 0.000_5; _now < end;)
            Stand(0.001);
    }

    /// <summary>Time passes without a turn before its end.</summary>
    private void Stand(double seconds)
    {
        _now += seconds;
        _timers.RunDue(Now, 10);
    }

    private sealed class Watched : ISuspect
    {
        public bool HasUnread { get; set; }

        public Instant NewestAt { get; set; } = Instant.Never;

        public Instant NewestQueryAt(Instant now) => NewestAt;

        public int Asked { get; private set; }

        public List<Duration> Suspected { get; } = [];

        public List<Duration> Trusted { get; } = [];

        public int Doubted { get; private set; }

        public void OnDoubtful(Instant now) => Doubted++;

        public void AskForHeartbeat(Instant now) => Asked++;

        public void OnSuspected(Instant now, Duration silent) => Suspected.Add(silent);

        public void OnTrusted(Instant now, Duration suspect) => Trusted.Add(suspect);

        public int SilentAgain { get; private set; }

        public int AnswersAgain { get; private set; }

        public int DoubtsOver { get; private set; }

        public void OnDoubtOver(Instant now) => DoubtsOver++;

        public void OnSilentAgain(Instant now) => SilentAgain++;

        public void OnAnswersAgain(Instant now) => AnswersAgain++;
    }
}
