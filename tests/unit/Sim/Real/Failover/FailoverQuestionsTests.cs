// The queries of the failover benchmark, and which reply answers which of them.

using System;
using System.Buffers.Binary;
using System.Linq;
using System.Text;
using FakeBinder;
using Simulation.Real.Failover;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real.Failover;

public sealed class FailoverQuestionsTests
{
    private const int Client = 3;

    [Fact]
    public void Queries_HaveIdsOfTheirOwnAndAllButThoseForTheServerNamesOfTheirOwn()
    {
        var queries = Enumerable.Range(0, 1000).Select(Query).ToList();

        Assert.Equal(1000, queries.Select(query =>
            BinaryPrimitives.ReadUInt16BigEndian(query)).Distinct().Count());
        Assert.Equal(751, queries.Select(query =>
            Encoding.Latin1.GetString(query, 12, query.Length - 12)).Distinct().Count());
    }

    [Fact]
    public void PopularQueries_AreAlikeButForTheirIds()
    {
        var buffer = new byte[DnsQuestions.MaxBytes];
        var queries = Enumerable.Range(0, 100).Select(query =>
            buffer[..FailoverQuestions.Write(buffer, query % 7, query, isPopular: true)])
            .ToList();

        Assert.Equal(2, queries.Select(query =>
            Encoding.Latin1.GetString(query, 2, query.Length - 2)).Distinct().Count());
        Assert.All(Enumerable.Range(0, 100), number =>
        {
            var answer = queries[number].ToArray();
            answer[2] |= 0x80;
            Assert.Equal(number, FailoverQuestions.Read(
                answer, number % 7, sent: 100, isPopular: true)?.Query);
        });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(999)]
    public void Answer_LeadsToItsQuery(int query) => Assert.Equal(
        new FailoverReply(query, IsRefusal: false),
        FailoverQuestions.Read(Answer(query), Client, sent: 1000));

    [Theory]
    [InlineData(65_536)]
    [InlineData(131_000)]
    [InlineData(131_071)]
    public void AnswerBehindTheLastId_LeadsToItsQuery(int query) => Assert.Equal(
        query, FailoverQuestions.Read(Answer(query), Client, sent: 131_072)?.Query);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Failure_IsARefusal(int query) => Assert.Equal(
        new FailoverReply(query, IsRefusal: true),
        FailoverQuestions.Read(Answer(query, failing: true), Client, sent: 1000));

    [Fact]
    public void AnswerToAQueryThatWasNotSent_IsAStray()
    {
        Assert.Null(FailoverQuestions.Read(Answer(10), Client, sent: 10));
        Assert.Null(FailoverQuestions.Read(Answer(0), Client, sent: 0));
    }

    [Fact]
    public void AnswerToAQueryWhoseIdWasUsedAgain_IsAStray() =>
        Assert.Null(FailoverQuestions.Read(Answer(65_535), Client, sent: 131_072));

    [Fact]
    public void AnswerToAnotherClient_IsAStray() =>
        Assert.Null(FailoverQuestions.Read(Answer(2), Client + 4, sent: 1000));

    [Fact]
    public void WhatIsNotAResponse_IsAStray()
    {
        Assert.Null(FailoverQuestions.Read(Query(7), Client, sent: 1000));
        Assert.Null(FailoverQuestions.Read([], Client, sent: 1000));
    }

    [Fact]
    public void Server_IsTheIdInTheAnswer() => Assert.Equal(
        "5302", Encoding.UTF8.GetString(FailoverQuestions.Server(Answer(Who))));

    /// <summary>node-mname does not compress names.</summary>
    [Fact]
    public void Server_IsReadAlsoBehindANameThatIsWrittenOut()
    {
        var answer = Answer(Who).ToList();
        answer.RemoveRange(27, 2);
        answer.InsertRange(27, answer[12..23]);

        Assert.Equal("5302", Encoding.UTF8.GetString(FailoverQuestions.Server([.. answer])));
    }

    [Fact]
    public void Server_OfARefusalOrACutAnswer_IsNobody()
    {
        Assert.True(FailoverQuestions.Server(Answer(Who, failing: true)).IsEmpty);
        var answer = Answer(Who);
        for (var length = 12; length < answer.Length; length++)
            Assert.True(FailoverQuestions.Server(answer.AsSpan(0, length)).IsEmpty);
    }

    private static int Who { get; } =
        Enumerable.Range(0, 1000).First(query => FailoverQuestions.AsksWho(Client, query));

    private static byte[] Query(int query)
    {
        var buffer = new byte[DnsQuestions.MaxBytes];
        return buffer[..FailoverQuestions.Write(buffer, Client, query)];
    }

    private static byte[] Answer(int query, bool failing = false)
    {
        var buffer = new byte[DnsWriter.MaxMessage];
        var reply = DnsAnswers.Answer(Query(query), false, "5302"u8, failing, buffer);
        return buffer[..reply.Length];
    }
}
