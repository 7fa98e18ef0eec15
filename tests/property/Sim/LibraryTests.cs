// Properties as a user of Balancer.Simulation writes them: scenarios by the builder, the outcome
// looked at, checks of one's own beside the simulator's; and what comes of one that does not hold.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Balancer.Simulation;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Sim;

public sealed class LibraryTests
{
    /// <summary>A crash is noticed at once, and one retry later everybody is served.</summary>
    [Property(MaxTest = 25)]
    public void AfterACrash_NobodyWaitsForLong(byte crash, byte restart) => TwoBackends()
        .Crash("5301", At(5 + crash / 10.0), At(restart / 10.0))
        .Build()
        .Verify(outcome => outcome.LongestSilence < At(2.5)
            && outcome.Counters["queries_without_backend"] == 0);

    [Fact]
    public void Counters_HaveTheNamesOfTheLog()
    {
        var counters = TwoBackends().Build().Run().Counters;
        Assert.Contains("queries_without_backend", counters.Keys);
        Assert.Equal(300, counters["queries_received"]);
        Assert.Equal(300, counters["QueriesReceived"]);
        Assert.False(counters.ContainsKey("queries_recieved"));
    }

    /// <summary>
    /// Two backends hang one after the other, so that some answers are of the second that was
    /// asked; then nobody is there, and the balancer answers itself.
    /// </summary>
    [Fact]
    public void CheckOfOnesOwn_CanTellWhichQuestionWasAnsweredByWhom()
    {
        var check = new FollowsQuestions();
        var outcome = TwoBackends().Kernel("noBackend", "servfail")
            .Pause("5301", At(8), At(3)).Crash("5301", At(20), At(5)).Crash("5302", At(21), At(4))
            .Build().Run(check);
        Assert.Null(outcome.Violation);
        Assert.Equal(300, check.Asked.Select(asked => (asked.ClientId, asked.Question))
            .Distinct().Count());
        Assert.All(check.Answered, answered => Assert.Contains(check.Asked, asked =>
            asked.ClientId == answered.ClientId && asked.Question == answered.Question
            && asked.Client.Equals(answered.Client) && asked.At <= answered.At));
        Assert.Equal([null, "5301", "5302"],
            check.Answered.Select(answered => answered.Backend).Distinct().Order());
        Assert.All(check.Answered, answered =>
            Assert.Equal(answered.Backend is null ? 2 : 0, answered.ResponseCode));
        Assert.All(check.Answered.Where(answered => answered.Backend is null),
            answered => Assert.InRange(answered.At, At(21), At(27)));

        Assert.Equal(
            check.Answered.Select(answered => (answered.At, answered.Backend)).Order(),
            outcome.Answers.Select(query => (query.AnsweredAt!.Value, query.AnsweredBy)).Order());
        Assert.Contains(outcome.Answers,
            query => query is { Backend: "5301", AnsweredBy: "5302", ResponseCode: 0 });
        Assert.Contains(outcome.Answers, query => query is { AnsweredBy: null, ResponseCode: 2 });
    }

    /// <summary>Whoever is not lost on the way is answered by a backend that was named.</summary>
    [Property(MaxTest = 25)]
    public void WhileDatagramsAreLost_AnswersComeFromTheTwoBackends(byte from, byte oneIn) =>
        TwoBackends()
            .Loss(At(3 + from / 10.0), At(10), 2 + oneIn % 8)
            .Build()
            .Verify(outcome => outcome.Answers.All(query => query.Backend is "5301" or "5302")
                && outcome.Answers.Count() > 200
                && outcome.Counters["RepliesSent"] >= outcome.Answers.Count());

    [Fact]
    public void PropertyThatDoesNotHold_ComesBackSmallAndDrawn()
    {
        var scenario = TwoBackends()
            .Crash("5301", At(5), At(2)).Crash("5302", At(20), At(2)).Pause("5301", At(30), At(1))
            .Build();
        var thrown = Assert.Throws<CounterexampleException>(
            () => scenario.Verify(_ => true, () => [new OneCrashAtMost()]));
        try
        {
            Assert.StartsWith("ours at ", thrown.Message, StringComparison.Ordinal);
            Assert.Equal(2, thrown.Outcome.Scenario.ToJson().Split("backendCrash").Length - 1);
            Assert.DoesNotContain("backendPause", thrown.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("udpClients", thrown.Message, StringComparison.Ordinal);
            Assert.StartsWith("<!DOCTYPE html>", File.ReadAllText(thrown.PictureFile),
                StringComparison.OrdinalIgnoreCase);
        }
        finally
        {
            File.Delete(thrown.PictureFile);
        }
    }

    [Fact]
    public void CheckOfOnesOwn_EndsTheRunWhereItFails()
    {
        var outcome = TwoBackends().Stop("5302", At(9), At(2)).Build().Run(new NobodyLeaves());
        Assert.Equal("ours at 9 s: backendStop", outcome.Violation);
        Assert.Equal(At(9), outcome.Time);
    }

    [Fact]
    public void FaultThatCanDoNothing_IsRefusedByTheBuilder()
    {
        var builder = TwoBackends().Crash("5303", At(5), At(1));
        var wrong = Assert.ThrowsAny<FormatException>(builder.Build);
        Assert.Contains("there is no backend '5303'", wrong.Message, StringComparison.Ordinal);
    }

    /// <summary>Lost on the way, a query is still one that was asked and not answered.</summary>
    [Fact]
    public void QueriesThatAreLost_AreListedTracedAndDrawn()
    {
        var check = new CountsAsked();
        var outcome = new ScenarioBuilder().Backend("5301")
            .UdpClient(from: At(2), every: At(0.25), times: 40, retries: false)
            .Loss(At(4), At(2), oneIn: 1)
            .Build().Run(check);
        Assert.Equal(40, outcome.Queries.Count);
        Assert.Equal(40, check.Asked);
        var lost = outcome.Queries.Where(query => query.AnsweredAt is null).ToArray();
        Assert.Equal(8, lost.Length);
        Assert.Equal(8, check.Lost);
        Assert.All(lost, query => Assert.Null(query.Backend));
        Assert.True(outcome.LongestSilence >= At(2));
        Assert.Contains(">32 of 40<", outcome.Picture(), StringComparison.Ordinal);
        Assert.Contains("lost on the way", outcome.Picture(), StringComparison.Ordinal);
    }

    [Fact]
    public void RetryOfALostQuery_HasItsAnswer()
    {
        var outcome = new ScenarioBuilder().Backend("5301")
            .UdpClient(from: At(3), every: At(1), times: 1)
            .Loss(At(2.5), At(2), oneIn: 1)
            .Build().Run();
        Assert.Equal(
            [(0, 0, At(3), null, false), (0, 1, At(5), "5301", true)],
            outcome.Queries.Select(query => (query.Question, query.Attempt, query.AskedAt,
                query.Backend, query.AnsweredAt is not null)));
    }

    /// <summary>
    /// The write of the first attempt finds its backend dead: the answer is the retry's.
    /// </summary>
    [Property(MaxTest = 25)]
    public void QueryThatACrashLoses_LeavesTheAnswerToItsRetry(ushort crash)
    {
        var outcome = new ScenarioBuilder().Backend("5301").Backend("5302")
            .UdpClient(from: At(2), every: At(0.01), times: 400)
            .UdpClient(from: At(2.005), every: At(0.01), times: 400)
            .Crash("5301", At(3 + crash % 200 / 100.0), At(1))
            .Crash("5302", At(3.02 + crash % 300 / 100.0), At(1))
            .Build().Run();
        Assert.Null(outcome.Violation);
        Assert.All(outcome.Answers, query =>
        {
            Assert.NotNull(query.Backend);
            // While both are dead, it waits for the first that is back, within a second.
            Assert.True(query.AnsweredAt - query.AskedAt < At(1.1), $"{query}");
        });
        Assert.All(outcome.Queries.GroupBy(query => (query.Client, query.Question)),
            question => Assert.Single(question, query => query.AnsweredAt is not null));
    }

    [Fact]
    public void IneffectiveFaults_AreLeftOutIfAskedFor()
    {
        var builder = TwoBackends().Crash("5301", At(5), At(1)).Pause("5302", At(9), At(0))
            .Loss(At(70), At(1), oneIn: 2);
        var wrong = Assert.ThrowsAny<FormatException>(builder.Build);
        Assert.StartsWith("faults[1].for: ", wrong.Message, StringComparison.Ordinal);
        var json = builder.SkipIneffectiveFaults().Build().ToJson();
        Assert.Contains("backendCrash", json, StringComparison.Ordinal);
        Assert.DoesNotContain("backendPause", json, StringComparison.Ordinal);
        Assert.DoesNotContain("udpLoss", json, StringComparison.Ordinal);
        // What is wrong otherwise still is.
        Assert.ThrowsAny<FormatException>(builder.Crash("5303", At(5), At(1)).Build);
        Assert.ThrowsAny<FormatException>(
            TwoBackends().Backend("5301").SkipIneffectiveFaults().Build);
    }

    [Fact]
    public void FaultThatDidNothing_IsNamedByTheOutcome()
    {
        var outcome = TwoBackends().Crash("5301", At(5), At(1))
            .Fault("""{ "kind": "streamReset", "at": "9s", "times": 1 }""")
            .Fault("""{ "kind": "streamShort", "at": "9s", "for": "1s", "bytes": 5000 }""")
            .Build().Run();
        Assert.Equal("faults[2] (StreamShort at 9.000 s) changed nothing: the run is the same "
            + "without it", Assert.Single(outcome.IneffectiveFaults));
    }

    [Fact]
    public void PictureOfACounterexample_SaysWhichPropertyFailed()
    {
        var scenario = TwoBackends().Build();
        var thrown = Assert.Throws<CounterexampleException>(
            () => scenario.Verify(outcome => outcome.Time < At(7)));
        var picture = File.ReadAllText(thrown.PictureFile);
        File.Delete(thrown.PictureFile);
        Assert.Equal(picture, thrown.Outcome.Picture());
        Assert.Contains("property FAILED", picture, StringComparison.Ordinal);
        Assert.DoesNotContain("PASSED", picture, StringComparison.Ordinal);
        Assert.DoesNotContain("every check held", picture, StringComparison.Ordinal);
        Assert.Contains("outcome =&gt; outcome.Time &lt; At(7)", picture, StringComparison.Ordinal);
        Assert.Contains("outcome => outcome.Time < At(7)", thrown.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void PictureOfAFailedCheck_NamesItOnce()
    {
        var outcome = TwoBackends().Stop("5302", At(9), At(2)).Build().Run(new NobodyLeaves());
        Assert.Contains("ours FAILED", outcome.Picture(), StringComparison.Ordinal);
        Assert.DoesNotContain("ours ours", outcome.Picture(), StringComparison.Ordinal);
    }

    [Fact]
    public void CheckThatThrows_IsNamed()
    {
        var outcome = TwoBackends().Build().Run(new Throws());
        Assert.StartsWith("mine at 0 s: the check threw InvalidOperationException: no such key",
            outcome.Violation, StringComparison.Ordinal);
    }

    [Fact]
    public void PlainText_IsTakenAsAnOptionsValue()
    {
        static string Json(string value) => new ScenarioBuilder().Backend("5301")
            .Kernel("warmUp", value).Build().ToJson();
        Assert.Equal(Json("\"3s\""), Json("3s"));
        Assert.Contains("3s", Json("3s"), StringComparison.Ordinal);
        var wrong = Assert.ThrowsAny<FormatException>(() => Json("soon"));
        Assert.StartsWith("kernel.warmUp: ", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNotJson_IsRefusedWithItsPlace()
    {
        var script = Assert.ThrowsAny<FormatException>(
            () => new ScenarioBuilder().Backend("5301", script: "{ delay }"));
        Assert.Equal("script of backend 5301: line 1, column 3: not JSON: texts and names of "
            + "fields stand in double quotes", script.Message);
        var fault = Assert.ThrowsAny<FormatException>(
            () => new ScenarioBuilder().Fault("kernelAccept"));
        Assert.StartsWith("fault: line 1, column 1: not JSON: ", fault.Message,
            StringComparison.Ordinal);
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static ScenarioBuilder TwoBackends() => new ScenarioBuilder()
        .Backend("5301")
        .Backend("5302", script: """{ "delay": "20ms" }""")
        .UdpClient(from: At(2), every: At(0.25), times: 200)
        .UdpClient(from: At(3), every: At(0.5), times: 100);

    private sealed class OneCrashAtMost() : SimulationCheck("ours")
    {
        private int _crashes;

        public override void OnFault(TimeSpan at, string kind, bool began)
        {
            if (kind == "backendCrash" && began && ++_crashes == 2)
                Fail("a second crash");
        }
    }

    private sealed class CountsAsked() : SimulationCheck("ours")
    {
        public int Asked { get; private set; }

        public int Lost { get; private set; }

        public override void OnAsked(Asked asked)
        {
            Asked++;
            Lost += asked.IsLost ? 1 : 0;
        }
    }

    private sealed class FollowsQuestions() : SimulationCheck("ours")
    {
        public List<Asked> Asked { get; } = [];

        public List<Answered> Answered { get; } = [];

        public override void OnAsked(Asked asked) => Asked.Add(asked);

        public override void OnAnswered(Answered answered) => Answered.Add(answered);
    }

    private sealed class Throws() : SimulationCheck("mine")
    {
        public override void OnLogged(LoggedEvent logged) =>
            throw new InvalidOperationException("no such\nkey");
    }

    private sealed class NobodyLeaves() : SimulationCheck("ours")
    {
        public override void OnFault(TimeSpan at, string kind, bool began) => Fail(kind);
    }
}
