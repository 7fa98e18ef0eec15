// The counting of the failover benchmark: what is answered, what a silence is, what a move is.

using System.Linq;
using Simulation.Real.Failover;
using Xunit;

namespace Tests.Unit.Sim.Real.Failover;

public sealed class FailoverLedgerTests
{
    private const long Ms = 1_000_000;
    private const long Second = 1000 * Ms;

    private readonly FailoverLedger _ledger = new(clients: 2, backends: 3);

    [Fact]
    public void NothingSent_IsAllZero() => Assert.Equal(new FailoverCounts(), _ledger.Finish());

    [Fact]
    public void SentQueries_AreAnsweredOrUnanswered()
    {
        Send(0, 0, 10 * Ms, 20 * Ms);
        Send(1, 5 * Ms);
        Answer(0, 0, 1 * Ms);
        Answer(1, 0, 6 * Ms);

        Assert.Equal(2, _ledger.Waiting);
        var counts = _ledger.Finish();
        Assert.Equal((4, 2, 2), (counts.Sent, counts.Answered, counts.Unanswered));
    }

    [Fact]
    public void UnansweredOfAnOutage_AreCountedApart()
    {
        Send(0, 9 * Ms, 10 * Ms, 15 * Ms, 20 * Ms, 21 * Ms);
        Answer(0, 2, 16 * Ms);
        _ledger.OnOutage(10 * Ms, 20 * Ms);

        var counts = _ledger.Finish();
        Assert.Equal((4, 2), (counts.Unanswered, counts.UnansweredInOutage));
    }

    [Fact]
    public void ReplyAtTheLimit_IsInTime()
    {
        Send(0, 0);
        Answer(0, 0, 5 * Second);

        var counts = _ledger.Finish();
        Assert.Equal((1, 0, 0), (counts.Answered, counts.Unanswered, counts.Late));
    }

    [Fact]
    public void ReplyAfterTheLimit_LeavesItsQueryUnanswered()
    {
        Send(0, 0);
        Answer(0, 0, 5 * Second + 1);

        var counts = _ledger.Finish();
        Assert.Equal((0, 1, 1), (counts.Answered, counts.Unanswered, counts.Late));
        Assert.Equal(0, counts.LongestNs);
    }

    [Fact]
    public void FurtherReplies_AreDuplicates()
    {
        Send(0, 0);
        Answer(0, 0, 1 * Ms);
        Answer(0, 0, 2 * Ms);
        Answer(0, 0, 9 * Second);

        var counts = _ledger.Finish();
        Assert.Equal((1, 2, 0), (counts.Answered, counts.Duplicates, counts.Late));
        Assert.Equal(1 * Ms, counts.LongestNs);
    }

    [Fact]
    public void Refusal_IsAnAnswerThatEndsNoSilenceAndHasNoLatency()
    {
        Send(0, 0, 10 * Ms, 100 * Ms);
        Answer(0, 0, 1 * Ms);
        _ledger.OnReply(0, 1, 11 * Ms, isRefusal: true);
        Answer(0, 2, 101 * Ms);

        var counts = _ledger.Finish();
        Assert.Equal((3, 1, 0), (counts.Answered, counts.Refused, counts.Unanswered));
        Assert.Equal(100 * Ms, counts.LongestSilenceNs);
        Assert.Equal(1 * Ms, counts.LongestNs);
    }

    [Fact]
    public void Stray_IsCountedByItself()
    {
        _ledger.OnStray();

        Assert.Equal(new FailoverCounts { Strays = 1 }, _ledger.Finish());
    }

    // ---- Silence ----

    [Fact]
    public void Silence_IsTheLongestTimeBetweenTwoAnswersOfOneClient()
    {
        Send(0, 0, 10 * Ms, 60 * Ms);
        Send(1, 30 * Ms);
        Answer(0, 0, 1 * Ms);
        Answer(0, 1, 11 * Ms);
        Answer(1, 0, 31 * Ms);
        Answer(0, 2, 61 * Ms);

        Assert.Equal(50 * Ms, _ledger.Finish().LongestSilenceNs);
    }

    [Fact]
    public void QueryThatWaits_IsASilenceThoughOthersAreAnswered()
    {
        Send(0, 0, 10 * Ms, 20 * Ms);
        Answer(0, 1, 11 * Ms);
        Answer(0, 2, 21 * Ms);
        Answer(0, 0, 30 * Ms);

        Assert.Equal(30 * Ms, _ledger.Finish().LongestSilenceNs);
    }

    [Fact]
    public void FirstAnswer_EndsASilenceSinceTheFirstQuery()
    {
        Send(0, 7 * Ms, 20 * Ms);
        Answer(0, 1, 21 * Ms);

        Assert.Equal(14 * Ms, _ledger.Finish().LongestSilenceNs);
    }

    [Fact]
    public void ClientThatHearsNothingMore_IsSilentUntilItGivesUpItsLastQuery()
    {
        Send(0, 0, 100 * Ms, 200 * Ms);
        Answer(0, 0, 1 * Ms);

        Assert.Equal(5 * Second + 199 * Ms, _ledger.Finish().LongestSilenceNs);
    }

    [Fact]
    public void ClientThatNeverHears_IsSilentFromItsFirstQuery()
    {
        Send(0, 3 * Ms);

        Assert.Equal(5 * Second, _ledger.Finish().LongestSilenceNs);
    }

    [Fact]
    public void UnansweredQueryBeforeAnAnswer_IsNotSilenceAtTheEnd()
    {
        Send(0, 0, 10 * Ms);
        Answer(0, 1, 12 * Ms);

        Assert.Equal(12 * Ms, _ledger.Finish().LongestSilenceNs);
    }

    // ---- Moves ----

    [Fact]
    public void Move_IsAnAnswerFromAnotherBackendThanBefore()
    {
        Send(0, 0, 1, 2, 3, 4);
        Send(1, 0);
        Serve(0, 0, backend: 1);
        Serve(0, 1, backend: 1);
        Serve(0, 2, backend: 2);
        Answer(0, 3, 10 * Ms);
        Serve(0, 4, backend: 1);
        Serve(1, 0, backend: 0);

        Assert.Equal(2, _ledger.Finish().Moves);
    }

    [Fact]
    public void OlderQueryThatIsAnsweredLater_IsNotAMove()
    {
        Send(0, 0, 1, 2);
        Serve(0, 1, backend: 2);
        Serve(0, 0, backend: 1);
        Serve(0, 2, backend: 2);

        Assert.Equal(0, _ledger.Finish().Moves);
    }

    [Fact]
    public void ServedAt_IsWhenTheLatestQueryWasSentThatTheBackendAnswered()
    {
        Send(0, 5 * Ms, 8 * Ms);
        Serve(0, 1, backend: 1);
        Serve(0, 0, backend: 1);

        Assert.Equal(8 * Ms, _ledger.ServedAt(1));
        Assert.Equal(long.MinValue, _ledger.ServedAt(0));
    }

    // ---- Latencies ----

    [Fact]
    public void Percentiles_AreAtMostOneStepMoreThanTheExactOnes()
    {
        var latencies = new Latencies();
        foreach (var ms in Enumerable.Range(1, 200))
            latencies.Add(ms * Ms);

        Assert.InRange(latencies.Percentile(50), 100 * Ms, 100 * Ms + 10_000);
        Assert.InRange(latencies.Percentile(99), 198 * Ms, 198 * Ms + 10_000);
        Assert.Equal(200 * Ms, latencies.Percentile(100));
        Assert.Equal(200 * Ms, latencies.Longest);
    }

    [Fact]
    public void PercentilesOfOne_AreThatOne()
    {
        var latencies = new Latencies();
        latencies.Add(FailoverLedger.AnswerLimitNs);

        Assert.Equal(FailoverLedger.AnswerLimitNs, latencies.Percentile(50));
        Assert.Equal(FailoverLedger.AnswerLimitNs, latencies.Percentile(99));
    }

    private void Send(int client, params long[] at)
    {
        foreach (var time in at)
            _ledger.OnSent(client, time);
    }

    private void Answer(int client, int query, long at) =>
        _ledger.OnReply(client, query, at, isRefusal: false);

    private void Serve(int client, int query, int backend) =>
        _ledger.OnReply(client, query, 10 * Ms, isRefusal: false, backend);
}
