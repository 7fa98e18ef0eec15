// What is claimed of lost questions (S17): each is answered while one backend at most is in trouble
// and another is well.

using System.Linq;
using Simulation.Real;
using Simulation.Real.Checks;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real.Checks;

public sealed class LossCheckTests : RealCheckTest
{
    private const long Second = SeenRun.Second;

    [Fact]
    public void QuestionThatIsNotAnswered_IsS17() =>
        Assert.Contains("asked at 7.000 s", Expect("S17", Lost(), LossCheck.Judge));

    [Theory]
    [InlineData(0, true)]
    [InlineData(7, true)]
    [InlineData(9, false)]
    [InlineData(-1, false)]
    public void Answer_IsInTimeIfItComesInEightSeconds(long after, bool passes)
    {
        var run = Lost();
        Answer(run, 7 * Second + after * Second, 1);

        Judge("S17", passes, run, LossCheck.Judge);
    }

    [Fact]
    public void AnswerToAnother_IsNone()
    {
        var run = Lost();
        Answer(run, 8 * Second, 2);

        Expect("S17", run, LossCheck.Judge);
    }

    [Theory]
    [InlineData("Crash", false)]
    [InlineData("Pause", false)]
    [InlineData("End", false)]
    [InlineData("Script", true)]
    [InlineData("Backlog", true)]
    public void OneBackendInTrouble_CostsNothingUnlessItMisbehaves(string kind, bool passes)
    {
        var run = Lost();
        run.Seen.Troubles.Add(Trouble(0, 6, 8, System.Enum.Parse<RealFaultKind>(kind)));

        Judge("S17", passes, run, LossCheck.Judge);
    }

    [Theory]
    [InlineData(1, 6, 8)]
    [InlineData(1, 4, 5)]
    [InlineData(1, 15, 16)]
    [InlineData(-1, 6, 8)]
    public void TwoBackendsOrAllInTrouble_Excuse(int backend, long from, long until)
    {
        var run = Lost();
        run.Seen.Troubles.Add(Trouble(0, 6, 8, RealFaultKind.Crash));
        run.Seen.Troubles.Add(Trouble(backend, from, until, RealFaultKind.Crash));

        Assert.Null(LossCheck.Judge(run.Seen));
    }

    [Fact]
    public void NoOtherThatIsWarm_Excuses()
    {
        var run = Lost();
        run.Seen.Troubles.Add(Trouble(0, 6, 8, RealFaultKind.Crash));
        run.Other.HelloAt = 5 * Second;

        Assert.Null(LossCheck.Judge(run.Seen));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(0, 1)]
    public void KernelThatDroppedAndBudgetThatWasNotEnough_Excuse(long lost, long overBudget)
    {
        var run = Lost();
        run.Seen.Quiet = new QuietMoment(2, lost, 1, SeenRun.Record(
            isFinal: false, [("resends_over_budget", overBudget)]));

        Assert.Null(LossCheck.Judge(run.Seen));
    }

    [Theory]
    [InlineData(QueryKind.Killer)]
    [InlineData(QueryKind.Garbage)]
    public void WhatIsNotAQuestion_IsOwedNoAnswer(QueryKind kind)
    {
        var run = Lost(kind);

        Assert.Null(LossCheck.Judge(run.Seen));
    }

    [Fact]
    public void QuestionJustBeforeTheStop_IsOwedNoAnswer()
    {
        var run = Lost();
        run.Seen.Balancer.StopAskedAt = 14 * Second;

        Assert.Null(LossCheck.Judge(run.Seen));
    }

    /// <summary>The client asks at 7 s, and nobody answers.</summary>
    private static SeenRun Lost(QueryKind kind = QueryKind.Question)
    {
        var run = new SeenRun();
        var plan = new UdpClientPlan(1, SeenRun.Client.Address, false,
            [new QueryPlan(new Balancer.Core.Instant(7 * Second), 1, kind, 40)]);
        var buffer = new byte[DnsQuestions.MaxPayload];
        var question = buffer[..DnsQuestions.Write(buffer, 1, plan, 0)];
        (question[0], question[1]) = (7, 1);
        run.Seen.Sent.Add(new SentDatagram(7 * Second, SeenRun.Client, question));
        return run;
    }

    private static void Answer(SeenRun run, long at, byte id) => run.Seen.Got.Add(
        new GotDatagram(at, SeenRun.Client, SeenRun.Server, SeenRun.Server,
            [7, id, 0x80, .. Enumerable.Repeat((byte)0, 20)]));

    private static Trouble Trouble(int backend, long from, long until, RealFaultKind kind) =>
        new(backend, from * Second, until * Second, $"{kind}", kind);
}
