// InFlight: which reply answers which query, what goes when there is no room and when time is up,
// that packets come back whole, and that a table of its working size allocates nothing.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class InFlightTests
{
    private static readonly Endpoint Client = new(Ipv4.From(10, 0, 0, 1), 4000);
    private static readonly Ipv4 Local = Ipv4.From(192, 0, 2, 53);

    private readonly Timers _timers = new();
    private readonly Counters _counters = new();
    private readonly QueryPairs _pairs = new();
    private readonly byte[] _packet = new byte[Limits.MaxUdpPayload];
    private readonly Services _services;
    private readonly InFlight _table;
    private Instant _now = Instant.Zero + Duration.FromSeconds(1L);
    private long _frameEnd;

    public InFlightTests()
    {
        _services = new Services(new ScriptedNetwork(), new StreamOwners(), _timers, _counters,
            new SimLog(new SimKernel().Clock), new BalancerOptions(), TurnLimits.Standard);
        _table = new InFlight(_services, _pairs, new Quarantine(_services));
    }

    // ---- Matching ----

    [Fact]
    public void Reply_TakesItsQueryOutAndLeavesFromTheAddressThatWasAsked()
    {
        Add(Client, Packet(1), Local);

        Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(1), out var local));
        Assert.Equal(Local, local);
        Assert.Equal(0, _table.Count);
        Assert.Equal(ReplyMatch.None, Take(Client, Packet(1)));
    }

    [Fact]
    public void AddressPortAndId_HaveToBeTheQuerys()
    {
        Add(Client, Packet(1));

        Assert.Equal(ReplyMatch.None, Take(Client with { Port = 4001 }, Packet(1)));
        Assert.Equal(ReplyMatch.None,
            Take(Client with { Address = Ipv4.From(10, 0, 0, 2) }, Packet(1)));
        Assert.Equal(ReplyMatch.None, Take(Client, Packet(2)));
        Assert.Equal(ReplyMatch.None, Take(Client, Packet(257)));
        Assert.Equal(1, _table.Count);
        Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(1)));
    }

    [Fact]
    public void Question_HasToBeTheQuerysInAnyCase()
    {
        Add(Client, Question(1, "www.example"));

        Assert.Equal(ReplyMatch.None, Take(Client, Question(1, "ww2.example")));
        Assert.Equal(ReplyMatch.Answers, Take(Client, Question(1, "wWw.EXample")));
    }

    [Fact]
    public void QuestionOfALongQuery_IsComparedToo()
    {
        Add(Client, [.. Question(1, "www.example"), .. new byte[500]]);

        Assert.Equal(ReplyMatch.None, Take(Client, Question(1, "ww2.example")));
        Assert.Equal(ReplyMatch.Answers, Take(Client, Question(1, "www.example")));
    }

    [Fact]
    public void ReplyWithoutAQuestion_AnswersByItsIdAlone()
    {
        Add(Client, Question(1, "www.example"));

        Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(1)));
    }

    [Fact]
    public void QueryWithoutAQuestion_IsAnsweredByItsIdAlone()
    {
        Add(Client, []);

        Assert.Equal(ReplyMatch.None, Take(Client, Question(1, "www.example")));
        Assert.Equal(ReplyMatch.Answers, Take(Client, Question(0, "www.example")));
    }

    [Fact]
    public void SameIdAndTwoQuestions_EachReplyFindsItsOwn()
    {
        Add(Client, Question(1, "a.example"), Ipv4.From(192, 0, 2, 1));
        Add(Client, Question(1, "b.example"), Ipv4.From(192, 0, 2, 2));

        Assert.Equal(ReplyMatch.Answers, Take(Client, Question(1, "b.example"), out var second));
        Assert.Equal(ReplyMatch.Answers, Take(Client, Question(1, "a.example"), out var first));
        Assert.Equal((Ipv4.From(192, 0, 2, 1), Ipv4.From(192, 0, 2, 2)), (first, second));
    }

    [Fact]
    public void SeveralThatItCouldAnswer_TheOldestIs()
    {
        for (var n = 1; n <= 5; n++)
            Add(Client, Packet(1), Ipv4.From(192, 0, 2, (byte)n));
        var answered = new List<Ipv4>();
        for (var n = 1; n <= 5; n++)
        {
            Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(1), out var local));
            answered.Add(local);
        }

        Assert.Equal(Enumerable.Range(1, 5).Select(n => Ipv4.From(192, 0, 2, (byte)n)), answered);
    }

    [Fact]
    public void SecondOfAPair_IsADuplicateAndTheFirstIsCountedAsResent()
    {
        var pair = _pairs.Make();
        _table.Add(_now, new Query(Client, Local, _now, pair), Packet(1), ++_frameEnd);
        _table.Add(_now, new Query(Client, Local, _now, pair, WasResent: true),
            Packet(2), ++_frameEnd);

        Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(2)));
        Assert.Equal(1, _counters[Counter.ResendsAnswered]);
        Assert.Equal(ReplyMatch.Duplicate, Take(Client, Packet(1)));
        Assert.Equal(0, _table.Count);
        Assert.Equal(1, _counters[Counter.ResendsAnswered]);
    }

    [Fact]
    public void FirstOfAPairAnswersFirst_NothingIsCountedAsResent()
    {
        var pair = _pairs.Make();
        _table.Add(_now, new Query(Client, Local, _now, pair), Packet(1), ++_frameEnd);
        _table.Add(_now, new Query(Client, Local, _now, pair, WasResent: true),
            Packet(2), ++_frameEnd);

        Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(1)));
        Assert.Equal(ReplyMatch.Duplicate, Take(Client, Packet(2)));
        Assert.Equal(0, _counters[Counter.ResendsAnswered]);
    }

    // ---- Time ----

    [Fact]
    public void TenSecondsOld_IsNotAnsweredAnyMoreAndCounted()
    {
        Add(Client, Packet(1));
        Wait(Limits.InFlightTime - new Duration(1));
        Assert.Equal(1, _table.Count);
        _now += new Duration(1);
        // Even before the timer has run.
        Assert.Equal(ReplyMatch.None, Take(Client, Packet(1)));
        _timers.RunDue(_now, 10);

        Assert.Equal(0, _table.Count);
        Assert.Equal(1, _counters[Counter.UnansweredTimedOut]);
        Assert.Equal(0, _timers.Count);
    }

    [Fact]
    public void OldestWasAnswered_TheNextStillHasItsWholeTime()
    {
        Add(Client, Packet(1));
        Wait(Duration.FromSeconds(4L));
        Add(Client, Packet(2));
        Take(Client, Packet(1));
        Wait(Duration.FromSeconds(6L));
        Assert.Equal(1, _table.Count);
        Wait(Duration.FromSeconds(4L) - new Duration(1));
        Assert.Equal(1, _table.Count);
        Wait(new Duration(1));

        Assert.Equal(0, _table.Count);
        Assert.Equal(1, _counters[Counter.UnansweredTimedOut]);
    }

    [Fact]
    public void ManyAreDueAtOnce_ATurnForgetsItsShare()
    {
        for (var n = 0; n < 600; n++)
            Add(Client, Packet(n));
        Wait(Limits.InFlightTime);
        Assert.Equal(600 - TurnLimits.Standard.ResendsPerTurn, _table.Count);
        Wait(Limits.TimeOutPause);
        Assert.Equal(600 - 2 * TurnLimits.Standard.ResendsPerTurn, _table.Count);
        Wait(Limits.TimeOutPause);

        Assert.Equal(0, _table.Count);
        Assert.Equal(600, _counters[Counter.UnansweredTimedOut]);
    }

    /// <summary>Clients cannot make the balancer wake for each query.</summary>
    [Fact]
    public void ManyAreDueOneAfterTheOther_AreForgottenTogether()
    {
        for (var n = 0; n < 50; n++)
        {
            Add(Client, Packet(n));
            Wait(Duration.FromMilliseconds(1));
        }
        Wait(Limits.InFlightTime - Duration.FromMilliseconds(50));
        Assert.Equal(49, _table.Count);
        Wait(Limits.TimeOutInterval - new Duration(1));
        Assert.Equal(49, _table.Count);
        Wait(new Duration(1));

        Assert.Equal(0, _table.Count);
    }

    [Fact]
    public void BothOfAPairTimeOut_OneQueryIsCounted()
    {
        var pair = _pairs.Make();
        _table.Add(_now, new Query(Client, Local, _now, pair), Packet(1), ++_frameEnd);
        _table.Add(_now, new Query(Client, Local, _now, pair, WasResent: true),
            Packet(2), ++_frameEnd);
        Wait(Limits.InFlightTime);

        Assert.Equal(1, _counters[Counter.UnansweredTimedOut]);
    }

    [Fact]
    public void OneOfAPairWasAnswered_TheOtherTimesOutUncounted()
    {
        var pair = _pairs.Make();
        _table.Add(_now, new Query(Client, Local, _now, pair), Packet(1), ++_frameEnd);
        _table.Add(_now, new Query(Client, Local, _now, pair, WasResent: true),
            Packet(2), ++_frameEnd);
        Take(Client, Packet(2));
        Wait(Limits.InFlightTime);

        Assert.Equal(0, _table.Count);
        Assert.Equal(0, _counters.Sum(Counters.Unanswered));
    }

    [Fact]
    public void AwaitsReply_ForAsLongAsAStopWaitsAfterTheQueryCame()
    {
        Assert.False(_table.AwaitsReply(_now));
        Add(Client, Packet(1));
        Assert.True(_table.AwaitsReply(_now));
        Assert.True(_table.AwaitsReply(_now + Limits.StopGrace - new Duration(1)));
        Assert.False(_table.AwaitsReply(_now + Limits.StopGrace));
        Take(Client, Packet(1));

        Assert.False(_table.AwaitsReply(_now));
    }

    [Fact]
    public void AnsweredByAnother_IsNotAwaited()
    {
        var pair = _pairs.Make();
        _table.Add(_now, new Query(Client, Local, _now, pair), Packet(1), ++_frameEnd);
        Assert.True(_table.AwaitsReply(_now));
        _pairs.TryAnswer(pair);

        Assert.False(_table.AwaitsReply(_now));
    }

    // ---- Room ----

    [Fact]
    public void SeventeenAlike_TheOldestGivesWay()
    {
        for (var n = 1; n <= Limits.InFlightAlike; n++)
            Add(Client, Packet(1), Ipv4.From(192, 0, 2, (byte)n));
        Assert.Equal(Limits.InFlightAlike, _table.Count);
        // Others are not alike.
        Add(Client with { Port = 4001 }, Packet(1));
        Add(Client, Packet(2));
        Assert.Equal(0, _counters[Counter.UnansweredEvicted]);
        Add(Client, Packet(1), Ipv4.From(192, 0, 2, 99));

        Assert.Equal(1, _counters[Counter.UnansweredEvicted]);
        Take(Client, Packet(1), out var local);
        Assert.Equal(Ipv4.From(192, 0, 2, 2), local);
    }

    [Fact]
    public void FullTable_TheOldestOfAllGivesWay()
    {
        for (var n = 0; n < Limits.InFlightQueries; n++)
            Add(Client, Packet(n));
        Assert.Equal(0, _counters[Counter.UnansweredEvicted]);
        Add(Client, Packet(20_000));
        Add(Client, Packet(20_001));

        Assert.Equal(Limits.InFlightQueries, _table.Count);
        Assert.Equal(2, _counters[Counter.UnansweredEvicted]);
        Assert.Equal(ReplyMatch.None, Take(Client, Packet(0)));
        Assert.Equal(ReplyMatch.None, Take(Client, Packet(1)));
        Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(2)));
        Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(20_001)));
    }

    [Fact]
    public void NoMoreBlocks_TheOldestGiveWayUntilThePacketFits()
    {
        // 1500 bytes are 12 blocks, so there is room for 2730 and 8 blocks more.
        const int Fit = Limits.InFlightBlocks / 12;
        for (var n = 0; n < Fit; n++)
            Add(Client, Packet(n, Limits.MaxUdpPayload));
        Add(Client, Packet(5000, 8 * Limits.InFlightBlockBytes));
        Assert.Equal(0, _counters[Counter.UnansweredEvicted]);
        Add(Client, Packet(5001, 1));
        Assert.Equal(1, _counters[Counter.UnansweredEvicted]);
        Add(Client, Packet(5002, 11 * Limits.InFlightBlockBytes));
        Assert.Equal(1, _counters[Counter.UnansweredEvicted]);
        Add(Client, Packet(5003, Limits.MaxUdpPayload));

        Assert.Equal(2, _counters[Counter.UnansweredEvicted]);
        Assert.Equal(ReplyMatch.None, Take(Client, Packet(1)));
        Assert.Equal(ReplyMatch.Answers, Take(Client, Packet(2)));
    }

    [Fact]
    public void Growth_KeepsOrderChainsAndPackets()
    {
        var random = new Random(2);
        var expected = new List<byte[]>();
        for (var n = 0; n < 5000; n++)
        {
            // Two clients, and each id up to three times, so that chains have several of a kind.
            var packet = Packet(n % 900, 2 + random.Next(400));
            random.NextBytes(packet.AsSpan(2));
            if (packet.Length > 12)
                (packet[4], packet[5]) = (0, 0);
            Add(Client with { Port = (ushort)(1 + n / 900) }, packet);
            expected.Add(packet);
        }
        expected.Reverse();

        Assert.Equal(expected, Walk());
        for (var n = 0; n < 5000; n++)
        {
            Assert.Equal(ReplyMatch.Answers,
                Take(Client with { Port = (ushort)(1 + n / 900) }, Packet(n % 900)));
        }
        Assert.Equal(0, _table.Count);
    }

    [Fact]
    public void BlocksThatWereFreed_AreUsedAgainAndPacketsStayWhole()
    {
        var random = new Random(3);
        var kept = new Dictionary<int, byte[]>();
        for (var n = 0; n < 20_000; n++)
        {
            if (kept.Count < 100 || random.Next(2) == 0)
            {
                var packet = Packet(n, 2 + random.Next(Limits.MaxUdpPayload - 1));
                random.NextBytes(packet.AsSpan(2));
                if (packet.Length > 12)
                    (packet[4], packet[5]) = (0, 0);
                Add(Client, packet);
                kept.Add(n, packet);
            }
            else
            {
                var id = kept.Keys.ElementAt(random.Next(kept.Count));
                Assert.Equal(ReplyMatch.Answers, Take(Client, kept[id]));
                kept.Remove(id);
            }
            if (kept.Count > 1000)
                break;
        }

        Assert.Equal(0, _counters[Counter.UnansweredEvicted]);
        Assert.Equal(kept.Values.OrderByDescending(DnsQuestionId), Walk());
    }

    // ---- Walks ----

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(129)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(1500)]
    public void Packet_ComesBackWhole(int length)
    {
        var packet = Enumerable.Range(0, length).Select(n => (byte)(n * 31 + n / 251)).ToArray();
        Add(Client, packet, Local);
        _table.BeginWalk();
        var query = _table.Next(_packet, out _, out var returned);

        Assert.Equal(packet, _packet[..returned]);
        Assert.Equal(new Query(Client, Local, _now), query);
        Assert.Equal(0, _table.Cursor);
    }

    [Fact]
    public void Walk_GoesFromTheNewestAndEndsBehindTheOldest()
    {
        for (var n = 1; n <= 3; n++)
            Add(Client, Packet(n));

        Assert.Equal([3, 2, 1], Walk().Select(DnsQuestionId));
        _table.BeginWalk();
        _table.EndWalk();
        Assert.Equal(0, _table.Cursor);
    }

    [Fact]
    public void EntryAtTheCursorIsRemoved_WalkGoesOnWithTheNext()
    {
        for (var n = 1; n <= 5; n++)
            Add(Client, Packet(n));
        _table.BeginWalk();
        _table.Next(_packet, out _, out _);
        Take(Client, Packet(4));
        Take(Client, Packet(3));
        Add(Client, Packet(6));
        var ids = new List<int>();
        while (_table.Cursor != 0)
        {
            _table.Next(_packet, out var index, out var length);
            ids.Add(DnsQuestionId(_packet[..length]));
            _table.Drop(index);
        }

        Assert.Equal([2, 1], ids);
        Assert.Equal(2, _table.Count);
    }

    [Fact]
    public void LastOfAWalkIsRemoved_WalkIsOver()
    {
        Add(Client, Packet(1));
        _table.BeginWalk();
        Take(Client, Packet(1));

        Assert.Equal(0, _table.Cursor);
    }

    [Fact]
    public void QueryThatWasResent_IsNotTheFirstOfAPair()
    {
        _table.Add(_now, new Query(Client, Local, _now, WasResent: true),
            Packet(1), ++_frameEnd);
        _table.BeginWalk();
        _table.Next(_packet, out var index, out _);

        Assert.Throws<VerificationException>(() => _table.SetPair(index, _pairs.Make()));
    }

    [Fact]
    public void DropAll_LosesEachQueryOnceAndNothingTimesOut()
    {
        var pair = _pairs.Make();
        _table.Add(_now, new Query(Client, Local, _now, pair), Packet(1), ++_frameEnd);
        _table.Add(_now, new Query(Client, Local, _now, pair, WasResent: true),
            Packet(2), ++_frameEnd);
        Add(Client, Packet(3));
        _table.DropAll();

        Assert.Equal(2, _counters[Counter.UnansweredLost]);
        Assert.Equal(0, _table.Count);
        Assert.Equal(0, _timers.Count);
    }

    // ---- Memory ----

    [Fact]
    public void TableOfItsWorkingSize_AllocatesNothing()
    {
        var packets = Enumerable.Range(0, 500).Select(n => Packet(n, 40 + n)).ToArray();
        Churn(packets);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var n = 0; n < 20; n++)
            Churn(packets);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(0, _table.Count);
    }

    private void Churn(byte[][] packets)
    {
        foreach (var packet in packets)
            _table.Add(_now, new Query(Client, Local, _now), packet, ++_frameEnd);
        foreach (var packet in packets)
            _table.TryTake(_now, Client, packet, isAnswer: true, out _);
    }

    private static int DnsQuestionId(byte[] packet) => DnsQuestion.IdOf(packet);

    private static byte[] Packet(int id, int length = 12)
    {
        var packet = new byte[length];
        packet[0] = (byte)(id >> 8);
        if (length > 1)
            packet[1] = (byte)id;
        return packet;
    }

    private static byte[] Question(int id, string name)
    {
        var packet = new List<byte>(Packet(id));
        packet[5] = 1;
        foreach (var label in name.Split('.'))
        {
            packet.Add((byte)label.Length);
            packet.AddRange(label.Select(c => (byte)c));
        }
        packet.AddRange([0, 0, 1, 0, 1]);
        return [.. packet];
    }

    private void Add(Endpoint client, byte[] packet, Ipv4 local = default) =>
        _table.Add(_now, new Query(client, local, _now), packet, ++_frameEnd);

    private ReplyMatch Take(Endpoint client, byte[] reply) => Take(client, reply, out _);

    private ReplyMatch Take(Endpoint client, byte[] reply, out Ipv4 local) =>
        _table.TryTake(_now, client, reply, !DnsQuestion.IsFailure(reply), out local);

    private List<byte[]> Walk()
    {
        var packets = new List<byte[]>();
        for (_table.BeginWalk(); _table.Cursor != 0;)
        {
            _table.Next(_packet, out _, out var length);
            packets.Add(_packet[..length]);
        }
        return packets;
    }

    private void Wait(Duration time)
    {
        _now += time;
        _timers.RunDue(_now, 10);
    }
}
