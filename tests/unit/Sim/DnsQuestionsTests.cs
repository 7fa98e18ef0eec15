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

    private int Write(QueryKind kind, int bytes) => DnsQuestions.Write(_buffer, 3,
        new UdpClientPlan(1, Ipv4.Loopback, false, [new QueryPlan(Instant.Zero, 1, kind, bytes)]),
        0);

    private DnsFate FateOf(int length) => DnsAnswers.Answer(_buffer.AsSpan(0, length), false,
        "5301"u8, failing: false, new byte[DnsWriter.MaxMessage]).Fate;
}
