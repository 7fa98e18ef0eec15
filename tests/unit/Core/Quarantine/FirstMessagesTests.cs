// FirstMessages: what TCP clients ask first is charged when backends die, and refused, as UDP
// queries are; it is read, not altered (docs/behaviour.md, sections 5 and 6).

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class FirstMessagesTests : CoreTest
{
    private static readonly byte[] Killer = QueryFor("killer");
    private static readonly byte[] Refused =
        [0, 32, 0, 7, 0x81, 5, 0, 1, 0, 0, 0, 0, 0, 0, .. Killer.AsSpan(12)];

    private readonly List<SimBackend> _backends = [];
    private ushort _port = 1000;

    public FirstMessagesTests()
    {
        foreach (var backend in HealthyBackends("5301", "5302", "5303"))
        {
            backend.EchoesQueries = false;
            _backends.Add(backend);
        }
    }

    [Fact]
    public void InFlightAtTwoDeaths_IsRefusedOverTcpAndUdp()
    {
        KillTwiceOverTcp(Killer);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        var sessions = TcpSessionsSoFar;

        var client = Connect(2);
        client.Send(Framed(Killer));
        Run(0.01);

        Assert.Equal(Refused, client.Receive());
        Assert.True(client.IsAtEnd);
        Assert.All(TcpSessions.Skip(sessions), session => Assert.Empty(session.TcpBytes));
        client.Close();
        Run(0.01);
        Assert.Equal(1, Count(Counter.ConnectionsQuarantined));
        Assert.Equal(0, Balancer.Core.ConnectionCount);
        Ask(2, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        AssertCountersAddUp();
    }

    [Fact]
    public void RefusedMessageInPiecesOfAByte_IsRefusedAndNothingOfItPassedOn()
    {
        KillTwiceOverTcp(Killer);
        var sessions = TcpSessionsSoFar;

        var client = Connect(2);
        foreach (var one in Framed(Killer))
        {
            client.Send([one]);
            Run(0.001);
        }

        Assert.Equal(Refused, client.Receive());
        Assert.All(TcpSessions.Skip(sessions), session => Assert.Empty(session.TcpBytes));
    }

    [Fact]
    public void WhatComesBehindARefusedMessage_IsThrownAway()
    {
        KillTwiceOverTcp(Killer);
        var client = Connect(2);
        client.Send([.. Framed(Killer), .. Framed(QueryFor("behind"))]);
        Run(0.01);
        client.Send(Framed(QueryFor("later")));
        Run(0.01);

        Assert.Equal(Refused, client.Receive());
        client.Close();
        Run(0.01);
        Assert.False(client.IsReset);
        Assert.Equal(1, Count(Counter.ConnectionsQuarantined));
    }

    [Fact]
    public void OneDeathOverTcpAndOneOverUdp_AddUp()
    {
        AskOverTcp(1, Killer);
        Kill(LastAsked());
        Ask(1, Killer);
        Kill(_backends.Single(b => b.Queries.Count > 0));

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void AnswerInBetween_ClearsIt()
    {
        AskOverTcp(1, Killer);
        Kill(LastAsked());
        AskOverTcp(1, Killer);
        TcpSessions.Last().Send(Framed(Killer));
        Run(0.01);
        Kill(LastAsked());
        AskOverTcp(1, Killer);
        Kill(LastAsked());

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    /// <summary>A cold backend answers so what ends it when it has its data.</summary>
    [Theory]
    [InlineData(2, 1)]
    [InlineData(5, 1)]
    [InlineData(3, 0)]
    public void FailureInBetween_ClearsNothing(byte code, int begun)
    {
        AskOverTcp(1, Killer);
        Kill(LastAsked());
        var answer = Killer.ToArray();
        answer[3] = (byte)(0x80 | code);
        AskOverTcp(1, Killer);
        foreach (var piece in Framed(answer).Chunk(2))
        {
            TcpSessions.Last().Send(piece);
            Run(0.001);
        }
        // It was answered, and nothing is in flight there.
        Kill(LastAsked());
        Assert.Equal(0, Count(Counter.QuarantinesBegun));
        AskOverTcp(1, Killer);
        Kill(LastAsked());

        Assert.Equal(begun, Count(Counter.QuarantinesBegun));
    }

    /// <summary>It is asked over TCP because the answer over UDP was truncated.</summary>
    [Theory]
    [InlineData(0x02, 1)]
    [InlineData(0x00, 0)]
    public void TruncatedAnswerOverUdpInBetween_ClearsNothing(byte flag, int begun)
    {
        for (var n = 0; n < 2; n++)
        {
            Ask(1, Killer);
            var asked = _backends.SelectMany(backend => backend.Queries).Last();
            var reply = asked.Payload.ToArray();
            reply[2] |= (byte)(0x80 | flag);
            foreach (var backend in _backends.Where(backend => backend.Queries.Contains(asked)))
                backend.Reply(Client(1), reply);
            Run(0.01);
            Assert.Equal(n + 1, Count(Counter.RepliesSent));
            AskOverTcp(1, Killer);
            Kill(LastAsked());
        }

        Assert.Equal(begun, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void TruncatedAnswerToWhatWasAskedOverUdpOnly_ClearsIt()
    {
        for (var n = 0; n < 2; n++)
        {
            Ask(1, Killer);
            var victim = _backends.Single(backend => backend.Control is { } control
                && backend.Queries.Any(query => query.Session == control));
            Kill(victim);
            var asked = _backends.SelectMany(backend => backend.Queries).MaxBy(query => query.At)!;
            var reply = asked.Payload.ToArray();
            reply[2] |= 0x82;
            SimBackend.Reply(asked, reply);
            Run(0.01);
            Assert.Equal(n + 1, Count(Counter.RepliesSent));
            Kill(_backends.Single(backend => backend.Queries.Contains(asked)));
        }

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void AnswerInPart_ClearsNothing()
    {
        AskOverTcp(1, Killer);
        Kill(LastAsked());
        AskOverTcp(1, Killer);
        TcpSessions.Last().Send(Framed(Killer).AsSpan(0, 20));
        Run(0.01);
        Kill(LastAsked());

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void ConnectionEndedBeforeItsBackendDied_CountsAllTheSame()
    {
        for (var n = 0; n < 2; n++)
        {
            AskOverTcp(1, Killer);
            TcpSessions.Last().Reset();
            Run(0.01);
            Kill(LastAsked());
        }

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void TenSecondsWithoutAnAnswer_CountsNoMore()
    {
        for (var n = 0; n < 2; n++)
        {
            AskOverTcp(1, Killer);
            Run(10);
            Kill(LastAsked());
        }

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void MessageInPart_IsNotPassedOnAndNotCharged()
    {
        for (var n = 0; n < 2; n++)
        {
            AskOverTcp(1, Killer, bytes: 25);
            Assert.Empty(TcpSessions.Last().TcpBytes);
            Kill(LastAsked());
        }

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(30)]
    public void MessageInPartAndTheEnd_ArePassedOn(int bytes)
    {
        var client = AskOverTcp(1, Killer, bytes);
        client.HalfClose();
        Run(0.01);

        Assert.Equal(Framed(Killer)[..bytes], TcpSessions.Last().TcpBytes);
        Assert.True(TcpSessions.Last().HasEnded);
    }

    [Theory]
    [InlineData(4096, 4095, 0)]
    [InlineData(4097, 4095, 0)]
    [InlineData(4097, 4096, 4096)]
    [InlineData(65_535, 4095, 0)]
    [InlineData(65_535, 4096, 4096)]
    [InlineData(65_535, 20_000, 20_000)]
    public void LongMessageInPart_IsPassedOnWhenItsHeadIsThere(int length, int sent, int passed)
    {
        var client = Connect(1);
        client.Send([(byte)(length >> 8), (byte)length, .. new byte[sent]]);
        Run(0.01);

        Assert.Equal(passed == 0 ? 0 : 2 + passed, TcpSessions.Last().TcpBytes.Count);
    }

    /// <summary>It is padded: what is in an option does not matter, nor how long it is.</summary>
    [Theory]
    [InlineData(600)]
    [InlineData(4000)]
    public void PaddedMessage_IsChargedAndRefused(int padding)
    {
        KillOverTcp(Padded(padding, 0), Padded(padding, 1));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        var sessions = TcpSessionsSoFar;

        var client = Connect(2);
        client.Send(Framed(Padded(padding / 2 + 300, 9)));
        Run(0.05);

        Assert.Equal(Refused, client.Receive());
        Assert.True(client.IsAtEnd);
        Assert.All(TcpSessions.Skip(sessions), session => Assert.Empty(session.TcpBytes));
        Ask(2, Padded(20, 3));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Ask(2, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
    }

    /// <summary>
    /// Nobody reads to its end, where the deadly part may be, so its name does not count.
    /// </summary>
    [Theory]
    [InlineData(4090)]
    [InlineData(60_000)]
    public void LongMessage_IsRefusedByWhateverName(int padding)
    {
        KillOverTcp(
            Padded(padding, 7, QueryFor("name0")), Padded(padding, 7, QueryFor("name1")));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        var sessions = TcpSessionsSoFar;

        var client = Connect(2);
        client.Send(Framed(Padded(6000, 9)));
        Run(0.05);

        Assert.Equal(Refused, client.Receive());
        Assert.All(TcpSessions.Skip(sessions), session => Assert.Empty(session.TcpBytes));
        Ask(2, QueryFor("name1"));
        Ask(2, Killer);
        Assert.Equal(0, Count(Counter.QueriesQuarantined));
    }

    /// <summary>Its backend has it when its last byte has come.</summary>
    [Fact]
    public void LongMessageThatComesSlowly_IsChargedByItsEnd()
    {
        for (var n = 0; n < 2; n++)
        {
            var client = Connect(1);
            var message = Framed(Padded(6000, 0));
            client.Send(message.AsSpan(0, 5000));
            Run(11);
            client.Send(message.AsSpan(5000));
            Run(0.01);
            Kill(LastAsked());
        }

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    /// <summary>Nobody answers it, so what is behind it does not wait, and has its name.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(11)]
    public void MessageBehindOneWithoutAHeader_IsPassedOnWithItAndChargedAndRefused(int length)
    {
        for (var n = 0; n < 2; n++)
        {
            var client = Connect(1);
            client.Send([.. Framed(new byte[length]), .. Framed(Killer), 7]);
            Run(0.005);
            Assert.Equal([.. Framed(new byte[length]), .. Framed(Killer)],
                TcpSessions.Last().TcpBytes);
            Kill(LastAsked());
        }

        AssertKillerIsRefused();
        var last = Connect(1);
        last.Send([.. Framed(new byte[length]), .. Framed(Killer)]);
        Run(0.005);
        Assert.Equal(Refused, last.Receive());
        Assert.True(last.IsAtEnd);
    }

    [Fact]
    public void EmptyMessagesAmongOthersThatWereAllAnswered_TakeNobodysName()
    {
        for (var n = 0; n < 2; n++)
        {
            var client = Connect(1);
            client.Send([.. Framed(QueryFor("slow")), 0, 0, .. Framed(QueryFor("slower"))]);
            Run(0.03);
            TcpSessions.Last().Send(Framed(QueryFor("slow")));
            TcpSessions.Last().Send(Framed(QueryFor("slower")));
            Run(0.01);
            client.Send([0, 0, .. Framed(Killer)]);
            Run(0.01);
            Kill(LastAsked());
        }

        AssertKillerIsRefused();
    }

    /// <summary>Who sends beginnings only hides nobody by that.</summary>
    [Theory]
    [InlineData(new byte[] { 0 })]
    [InlineData(new byte[] { 0, 0 })]
    [InlineData(new byte[] { 0, 40, 1, 2, 3 })]
    public void BytesThatAreNotAMessage_HideNobody(byte[] bytes)
    {
        for (var n = 0; n < 2; n++)
        {
            AskOverTcp(1, Killer);
            var victim = LastAsked();
            var beside = Connect(1);
            beside.Send(bytes);
            beside.HalfClose();
            Run(0.01);
            Assert.Equal(bytes, TcpSessions.Last().TcpBytes);
            Kill(victim);
        }

        AssertKillerIsRefused();
    }

    /// <summary>node-mname ends its side of an idle connection first, and reads on.</summary>
    [Fact]
    public void RefusedMessageBehindTheBackendsEnd_IsNotPassedOn()
    {
        KillTwiceOverTcp(Killer);
        var client = Connect(2);
        Opening.Ask(client);
        Run(0.01);
        var session = TcpSessions.Last();
        session.HalfClose();
        Run(0.01);
        Assert.True(client.IsAtEnd);
        client.Send(Framed(Killer));
        Run(0.01);

        Assert.Empty(session.TcpBytes);
        Assert.Empty(client.Receive());
        client.Close();
        Run(0.01);
        Assert.False(client.IsReset);
        Assert.Equal(1, Count(Counter.ConnectionsQuarantined));
    }

    [Fact]
    public void MessageBehindTheBackendsEnd_IsCharged()
    {
        for (var n = 0; n < 2; n++)
        {
            var client = Connect(2);
            Opening.Ask(client);
            Run(0.01);
            TcpSessions.Last().HalfClose();
            Run(0.01);
            client.Send(Framed(Killer));
            Run(0.01);
            Assert.Equal(Framed(Killer), TcpSessions.Last().TcpBytes);
            Kill(LastAsked());
        }

        AssertKillerIsRefused();
    }

    /// <summary>Its client ended within it: it counts as what is not read to its end.</summary>
    [Fact]
    public void RefusedMessageThatIsCut_IsNotPassedOn()
    {
        KillTwiceOverTcp(Padded(5000, 1));
        var client = AskOverTcp(1, Padded(200, 1), bytes: 100);
        client.HalfClose();
        Run(0.01);

        Assert.Empty(TcpSessions.Last().TcpBytes);
        Assert.Equal(Refused, client.Receive());
    }

    /// <summary>What is in front of it is answered before it is passed on.</summary>
    [Fact]
    public void MessageBehindAnother_IsPassedOnWhenThatIsAnsweredAndCharged()
    {
        for (var n = 0; n < 2; n++)
        {
            Ask(1, QueryFor("innocent"));
            var client = Connect(1);
            client.Send([.. Framed(QueryFor("first")), .. Framed(Killer), 0]);
            Run(0.005);
            Assert.Equal(Framed(QueryFor("first")), TcpSessions.Last().TcpBytes);
            TcpSessions.Last().Send(Framed(QueryFor("first")));
            Run(0.01);
            Assert.Equal(
                [.. Framed(QueryFor("first")), .. Framed(Killer)], TcpSessions.Last().TcpBytes);
            Kill(LastAsked());
        }

        AssertKillerIsRefused();
    }

    [Fact]
    public void LaterMessage_IsChargedAndThenRefusedBehindTheAnswersBeforeIt()
    {
        for (var n = 0; n < 2; n++)
        {
            var client = AskOverTcp(1, QueryFor("first"));
            TcpSessions.Last().Send(Framed(QueryFor("first")));
            Run(0.01);
            client.Send(Framed(Killer));
            Run(0.01);
            Kill(LastAsked());
        }

        AssertKillerIsRefused();
        var last = AskOverTcp(1, QueryFor("first"));
        TcpSessions.Last().Send(Framed(QueryFor("first")));
        last.Send(Framed(Killer));
        Run(0.01);
        Assert.Equal(Framed(QueryFor("first")), TcpSessions.Last().TcpBytes);
        Assert.Equal([.. Framed(QueryFor("first")), .. Refused], last.Receive());
        Assert.True(last.IsAtEnd);
        last.Close();
        Run(0.01);
        Assert.Equal(1, Count(Counter.ConnectionsQuarantined));
    }

    [Fact]
    public void ByteBehindAMessage_DoesNotTakeItsName()
    {
        for (var n = 0; n < 2; n++)
        {
            var client = AskOverTcp(1, Killer);
            client.Send([0]);
            Run(0.01);
            Assert.Equal(Framed(Killer), TcpSessions.Last().TcpBytes);
            Kill(LastAsked());
        }

        AssertKillerIsRefused();
    }

    /// <summary>A slow question in front does not hide what a backend dies of.</summary>
    [Theory]
    [InlineData(1, true)]
    [InlineData(7, true)]
    [InlineData(8, false)]
    public void BehindAFewUnansweredOnes_ItIsKnownByName(int before, bool isRefused)
    {
        for (var n = 0; n < 2; n++)
        {
            var client = Connect(1);
            for (var slow = 0; slow < before; slow++)
                client.Send(Framed(QueryFor($"slow{slow}of{n}")));
            Run(0.03);
            client.Send(Framed(Killer));
            Run(0.03);
            Kill(LastAsked());
        }

        Assert.Equal(isRefused ? 1 : 0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void BehindASlowOneAndAllAnswered_IsCleared()
    {
        for (var n = 0; n < 2; n++)
        {
            var client = Connect(1);
            byte[][] asked = [QueryFor("slow"), Killer];
            client.Send([.. Framed(asked[0]), .. Framed(asked[1])]);
            Run(0.03);
            if (n == 0)
            {
                foreach (var message in asked)
                    TcpSessions.Last().Send(Framed(message));
                Run(0.01);
            }
            AskOverTcp(1, Killer);
            Kill(LastAsked());
        }

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void MessageBehindAnUnansweredOne_GoesOnAfterTwentyMilliseconds()
    {
        for (var n = 0; n < 2; n++)
        {
            Ask(1, QueryFor("innocent"));
            var client = Connect(1);
            var sent = new byte[][] { Framed(QueryFor("victim")), Framed(Killer), [0, 12] };
            client.Send(sent.SelectMany(bytes => bytes).ToArray());
            Run(0.019);
            Assert.Equal(sent[0], TcpSessions.Last().TcpBytes);
            Run(0.002);
            Assert.Equal([.. sent[0], .. sent[1]], TcpSessions.Last().TcpBytes);
            client.Send(new byte[12]);
            Run(0.001);
            Assert.Equal([0, 12, .. new byte[12]], TcpSessions.Last().TcpBytes.TakeLast(14));
            Kill(LastAsked());
        }

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Ask(1, QueryFor("innocent"));
        Assert.Equal(0, Count(Counter.QueriesQuarantined));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void RefusedMessageBehindUnansweredOnes_IsRefusedAfterTwentyMilliseconds(int slow)
    {
        KillTwiceOverTcp(Killer);
        var first = Framed(QueryFor("slow"));
        byte[] before = slow == 1 ? first : [.. first, .. Framed(QueryFor("slower"))];
        var client = Connect(1);
        client.Send([.. before, .. Framed(Killer), .. Framed(QueryFor("behind"))]);
        Run(0.019);
        Assert.Empty(client.Receive());
        Run(0.002);

        Assert.Equal(Refused, client.Receive());
        Assert.True(client.IsAtEnd);
        Assert.Equal(first, TcpSessions.Last().TcpBytes);
        client.Close();
        Run(0.01);
        Assert.Equal(1, Count(Counter.ConnectionsQuarantined));
    }

    [Fact]
    public void RefusedMessageWhileOthersAreUnanswered_IsRefusedWhenItIsWhole()
    {
        KillTwiceOverTcp(Killer);
        var client = Connect(1);
        byte[] before = [.. Framed(QueryFor("slow")), .. Framed(QueryFor("slower"))];
        client.Send([.. before, .. Framed(Killer).AsSpan(0, 9)]);
        Run(0.03);
        Assert.Equal(before, TcpSessions.Last().TcpBytes);
        client.Send(Framed(Killer).AsSpan(9));
        Run(0.001);

        Assert.Equal(Refused, client.Receive());
        Assert.True(client.IsAtEnd);
        Assert.Equal(before, TcpSessions.Last().TcpBytes);
    }

    /// <summary>However slowly a backend answers, a client is held up for no longer.</summary>
    [Fact]
    public void ManyMessagesAtOnce_AllGoOnAfterTwentyMilliseconds()
    {
        var client = Connect(1);
        for (var n = 0; n < 10; n++)
            client.Send(Framed(QueryFor($"q{n}")));
        Run(0.008);
        TcpSessions.Last().Send(Framed(QueryFor("q0")));
        Run(0.008);
        Assert.Equal(2 * Framed(QueryFor("q0")).Length, TcpSessions.Last().TcpBytes.Count);
        Run(0.005);

        Assert.Equal(10 * Framed(QueryFor("q0")).Length, TcpSessions.Last().TcpBytes.Count);
        for (var n = 1; n < 10; n++)
            TcpSessions.Last().Send(Framed(QueryFor($"q{n}")));
        Run(0.01);
        client.Send([.. Framed(QueryFor("a1")), .. Framed(QueryFor("b2"))]);
        Run(0.01);
        // All was answered: messages are passed on one by one again.
        Assert.Equal(11 * Framed(QueryFor("q0")).Length, TcpSessions.Last().TcpBytes.Count);
    }

    [Fact]
    public void ClientEndsBehindTwoMessages_BackendHasTheEndAfterBoth()
    {
        var client = Connect(1);
        client.Send([.. Framed(QueryFor("first")), .. Framed(QueryFor("behind")), 0]);
        client.HalfClose();
        Run(0.01);
        Assert.False(TcpSessions.Last().HasEnded);
        TcpSessions.Last().Send(Framed(QueryFor("first")));
        Run(0.01);
        Assert.False(TcpSessions.Last().HasEnded);
        TcpSessions.Last().Send(Framed(QueryFor("behind")));
        Run(0.01);

        Assert.True(TcpSessions.Last().HasEnded);
        Assert.Equal([.. Framed(QueryFor("first")), .. Framed(QueryFor("behind")), 0],
            TcpSessions.Last().TcpBytes);
    }

    /// <summary>The client gets what it asked before, whole, and then that it is refused.</summary>
    [Fact]
    public void RefusedMessageBehindHalfAnAnswer_WaitsForTheRest()
    {
        KillTwiceOverTcp(Killer);
        var client = AskOverTcp(1, QueryFor("zone"));
        var answer = Framed(QueryFor("zone"));
        TcpSessions.Last().Send([.. answer, .. answer.AsSpan(0, 9)]);
        Run(0.01);
        client.Send(Framed(Killer));
        Run(1);
        Assert.Equal([.. answer, .. answer.AsSpan(0, 9)], client.Receive());
        Assert.Equal(answer, TcpSessions.Last().TcpBytes);
        TcpSessions.Last().Send(answer.AsSpan(9));
        Run(0.01);

        Assert.Equal([.. answer.AsSpan(9), .. Refused], client.Receive());
        Assert.True(client.IsAtEnd);
    }

    [Fact]
    public void RefusedMessageOfAClientThatReadsNothing_WaitsForRoom()
    {
        KillTwiceOverTcp(Killer);
        var client = AskOverTcp(1, QueryFor("zone"));
        var answer = new byte[60_002];
        (answer[0], answer[1]) = (60_000 >> 8, 60_000 & 255);
        for (var n = 0; n < 20; n++)
            TcpSessions.Last().Send(answer);
        Run(0.01);
        client.Send(Framed(Killer));
        Run(1);
        Assert.Equal(Framed(QueryFor("zone")), TcpSessions.Last().TcpBytes);
        var received = new List<byte>();
        for (var n = 0; n < 200; n++)
        {
            received.AddRange(client.Receive());
            Run(0.001);
        }

        Assert.Equal(20 * answer.Length + Refused.Length, received.Count);
        Assert.Equal(Refused, received.TakeLast(Refused.Length));
        Assert.True(client.IsAtEnd);
    }

    /// <summary>Whoever asks much without waiting for answers hides nobody for long.</summary>
    [Fact]
    public void MessagesWithoutAName_HideOthersForThreeDeaths()
    {
        for (var n = 0; n < 4; n++)
        {
            Assert.Equal(0, Count(Counter.QuarantinesBegun));
            AskOverTcp(1, Killer);
            var client = Connect(1);
            for (var message = 0; message <= Limits.NamedMessages; message++)
                client.Send(Framed(QueryFor("one of many")));
            Run(0.11);
            Kill(LastAsked());
        }

        AssertKillerIsRefused();
    }

    [Fact]
    public void OrderlyStop_IsNotADeath()
    {
        for (var n = 0; n < 2; n++)
        {
            AskOverTcp(1, Killer);
            LastAsked().Stop();
            Run(0.1);
        }

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void NewSessionOfTheSameBackend_IsNotChargedForTheOld()
    {
        AskOverTcp(1, Killer);
        var backend = LastAsked();
        Kill(backend);
        Run(1);
        Kill(backend);

        Assert.Equal(0, Count(Counter.QuarantinesBegun));
    }

    [Fact]
    public void MoreThanAreRemembered_TheNewestCounts()
    {
        for (var n = 0; n < 2; n++)
        {
            for (var other = 0; other < Limits.FirstMessages; other++)
                AskOverTcp(1 + other % 2, QueryFor($"slow{other}"), seconds: 0);
            AskOverTcp(1, Killer);
            Kill(LastAsked());
        }

        Assert.NotEqual(0, Count(Counter.MessagesNotRemembered));
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Ask(1, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void NotAQuery_IsRefusedWithAnEndAlone()
    {
        var notify = Killer.ToArray();
        notify[2] = 0x20;
        KillTwiceOverTcp(notify);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));

        var client = Connect(2);
        client.Send(Framed(notify));
        Run(0.01);

        Assert.Empty(client.Receive());
        Assert.True(client.IsAtEnd);
        Assert.False(client.IsReset);
    }

    /// <summary>A Binder without ZooKeeper fails all; another has data.</summary>
    [Fact]
    public void ServfailOverTcp_NextConnectionsGoToOneWithDataForTenSeconds()
    {
        Ask(2, QueryFor("good"));
        var good = _backends.Single(backend => backend.Queries.Count > 0);
        var reply = QueryFor("good");
        reply[2] |= 0x80;
        good.Reply(Client(2), reply);
        Run(0.01);
        AskOverTcp(1, QueryFor("first"));
        var poor = LastAsked();
        Assert.NotSame(good, poor);
        var answer = QueryFor("first");
        (answer[2], answer[3]) = (0x81, 2);
        TcpSessions.Last().Send(Framed(answer));
        Run(0.01);

        AskOverTcp(1, QueryFor("second"));
        Assert.NotSame(poor, LastAsked());
        Run(8);
        AskOverTcp(1, QueryFor("third"));
        Assert.Same(good, LastAsked());
        Run(3);
        AskOverTcp(1, QueryFor("fourth"));
        Assert.Same(poor, LastAsked());
    }

    /// <summary>Its answers are compared as those over UDP are.</summary>
    [Fact]
    public void ServfailOverTcpTwentyTimes_BackendFailsBesideOneThatAnswers()
    {
        // What they say when they have just said hello is not held against them.
        Run(5);
        var clients = new[] { Connect(1), Connect(2) };
        foreach (var client in clients)
            Opening.Ask(client);
        Run(0.01);
        var sessions = TcpSessions.ToList();
        for (var n = 0; n <= Limits.LeastAnswers; n++)
        {
            for (var one = 0; one < 2; one++)
            {
                var answer = QueryFor("name");
                (answer[2], answer[3]) = (0x81, (byte)(one == 0 ? 2 : 0));
                clients[one].Send(Framed(QueryFor("name")));
                Run(0.001);
                sessions[one].Send(Framed(answer));
                Run(0.001);
            }
        }

        Assert.Equal(1, Count(Counter.BackendsFailing));
    }

    /// <summary>A query for NAME.example, type A; the id is 7.</summary>
    private static byte[] QueryFor(string name) =>
    [
        0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0,
        (byte)name.Length, .. System.Text.Encoding.ASCII.GetBytes(name),
        7, .. "example"u8, 0, 0, 1, 0, 1,
    ];

    /// <summary>The killer, or what is given, with EDNS and so many bytes of padding.</summary>
    private static byte[] Padded(int padding, byte content, byte[]? query = null)
    {
        byte[] message = [.. query ?? Killer, 0, 0, 41, 16, 0, 0, 0, 0, 0,
            (byte)(padding + 4 >> 8), (byte)(padding + 4), 0, 12,
            (byte)(padding >> 8), (byte)padding, .. new byte[padding]];
        message[11] = 1;
        message.AsSpan()[^padding..].Fill(content);
        return message;
    }

    private static byte[] Framed(byte[] message) =>
        [(byte)(message.Length >> 8), (byte)message.Length, .. message];

    private IEnumerable<SimBackendSession> TcpSessions => _backends
        .SelectMany(backend => backend.Sessions)
        .Where(session => session.IsTcp)
        .OrderBy(session => session.Source.Port);

    private int TcpSessionsSoFar => TcpSessions.Count();

    /// <summary>A client host with a port of its own, the next one; a backend took it.</summary>
    private SimStream Connect(int host)
    {
        var client = Kernel.ConnectClient(Client(host) with { Port = ++_port });
        Run(0.001);
        return client;
    }

    private SimStream AskOverTcp(
        int host, byte[] query, int bytes = int.MaxValue, double seconds = 0.01)
    {
        var client = Connect(host);
        var all = Framed(query);
        client.Send(all.AsSpan(0, Math.Min(bytes, all.Length)));
        Run(seconds);
        return client;
    }

    private SimBackend LastAsked()
    {
        var last = TcpSessions.Last();
        return _backends.Single(backend => backend.Sessions.Contains(last));
    }

    private void AssertKillerIsRefused()
    {
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Ask(1, Killer);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Ask(1, QueryFor("innocent"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
    }

    private void KillTwiceOverTcp(byte[] query) => KillOverTcp(query, query);

    /// <summary>Each ends the backend that reads it.</summary>
    private void KillOverTcp(params byte[][] queries)
    {
        foreach (var query in queries)
        {
            AskOverTcp(1, query);
            Kill(LastAsked());
        }
    }

    private void Kill(SimBackend victim)
    {
        victim.Crash();
        victim.Rebind();
        Run(0.1);
    }
}
