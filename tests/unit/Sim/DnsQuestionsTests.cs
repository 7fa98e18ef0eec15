// The questions of scenarios that end backends, as fake-binder must be asked them for real.

using System;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class DnsQuestionsTests
{
    private readonly byte[] _buffer = new byte[DnsQuestions.MaxPayload];

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(123_456)]
    public void KillerMadeDeadly_EndsFakeBinder(int which)
    {
        var length = Write(QueryKind.Killer, which);
        Assert.Equal(DnsFate.Answered, FateOf(length));

        length = DnsQuestions.MakeDeadly(_buffer.AsSpan(0, length));

        Assert.Equal(DnsFate.Deadly, FateOf(length));
    }

    [Fact]
    public void QuestionMadeDeadly_IsTheSame()
    {
        var before = _buffer[..Write(QueryKind.Question, 0)];

        Assert.Equal(before.Length, DnsQuestions.MakeDeadly(_buffer.AsSpan(0, before.Length)));
        Assert.Equal(before, _buffer.Take(before.Length));
    }

    [Theory]
    [InlineData(QueryKind.Question, 0, true)]
    [InlineData(QueryKind.Question, 1400, true)]
    [InlineData(QueryKind.Killer, 0, false)]
    [InlineData(QueryKind.Response, 40, false)]
    [InlineData(QueryKind.Garbage, 200, false)]
    public void Question_IsKnownAndCutInAnyPlaceIsNone(QueryKind kind, int bytes, bool isOne)
    {
        var length = Write(kind, bytes);

        Assert.Equal(isOne, DnsQuestions.IsQuestion(_buffer.AsSpan(0, length)));
        var whole = Write(QueryKind.Question, 0);
        for (var cut = 0; cut < whole; cut++)
            Assert.False(DnsQuestions.IsQuestion(_buffer.AsSpan(0, cut)));
    }

    [Theory]
    [InlineData(0, false, false, false)]
    [InlineData(12, false, true, false)]
    [InlineData(16, true, false, false)]
    [InlineData(16 + 1, true, true, false)]
    [InlineData(32 + 64, false, false, false)] // CD and AD
    [InlineData(512, false, false, false)] // CH, or any other class
    [InlineData(128, false, false, true)] // Z
    [InlineData(256 + 16, false, false, true)] // TC
    public void VariantOfAKiller_IsKnownByWhatItHas(
        int variant, bool hasOptions, bool hasTail, bool hasFlags)
    {
        var message = _buffer.AsSpan(0, Write(QueryKind.Killer, 17, variant));

        Assert.Equal(new KillerName(hasFlags ? 0 : 17, hasOptions, hasTail, hasFlags),
            DnsQuestions.KillerOf(message));
        Assert.Null(DnsQuestions.KillerOf(message[..20]));
    }

    [Theory]
    [InlineData(QueryKind.Decoy, DnsFate.Answered)]
    [InlineData(QueryKind.Dropped, DnsFate.Ignored)]
    public void Decoy_IsAnsweredAndADroppedQuestionIsNot(QueryKind kind, DnsFate fate)
    {
        var length = Write(kind, 17);

        Assert.Equal(fate, FateOf(length));
        Assert.Null(DnsQuestions.KillerOf(_buffer.AsSpan(0, length)));
        Assert.Equal(-1, DnsQuestions.FindKiller(_buffer.AsSpan(0, length)));
    }

    [Fact]
    public void LateQuestion_IsAnsweredLateAndTheAnswerIsKnown()
    {
        var plan = new TcpClientPlan(1, Ipv4.Loopback, 1, Instant.Zero, 2, 1, TcpManner.Proper,
            Duration.Zero, Killer: 1, Late: Duration.FromMilliseconds(70));
        var answer = new byte[DnsWriter.MaxMessage];
        var length = DnsQuestions.Write(_buffer, plan, 0);

        var reply = DnsAnswers.Answer(
            _buffer.AsSpan(0, length), true, "5301"u8, failing: false, answer);

        Assert.Equal(70_000_000, reply.DelayNs);
        Assert.True(DnsQuestions.Answers(answer.AsSpan(0, reply.Length), plan, 0));
        Assert.False(DnsQuestions.Answers(answer.AsSpan(0, reply.Length), plan, 1));
    }

    private int Write(QueryKind kind, int bytes, int variant = 0) => DnsQuestions.Write(
        _buffer, 3, new UdpClientPlan(1, Ipv4.Loopback, false,
            [new QueryPlan(Instant.Zero, 1, kind, bytes, Variant: variant)]), 0);

    private DnsFate FateOf(int length) => DnsAnswers.Answer(_buffer.AsSpan(0, length), false,
        "5301"u8, failing: false, new byte[DnsWriter.MaxMessage]).Fate;
}
