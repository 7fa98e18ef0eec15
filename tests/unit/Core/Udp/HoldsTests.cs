// Held answers: errors of backends that have just said hello are kept from clients, and their
// queries asked again (docs/behaviour.md, section 5).

using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class HoldsTests : CoreTest
{
    private const int Good = 0;
    private const int ServerFailure = 2;
    private const int Refused = 5;

    private int _code;

    public HoldsTests()
        : base(new BalancerOptions())
    {
    }

    [Theory]
    [InlineData(ServerFailure)]
    [InlineData(Refused)]
    public void ErrorOfOneThatHasJustSaidHello_IsKeptUntilItKnowsBetter(int code)
    {
        var backend = Backend("5301", code);
        Ask(1);
        Run(0.35);
        Assert.Empty(Kernel.Datagrams.Sent);
        Assert.Equal(4, backend.QueryCount);
        Assert.Equal(4, Count(Counter.RepliesHeld));
        _code = Good;
        Run(0.1);

        var reply = Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal((Client(1), Good), (reply.To, reply.Payload[3] & 0xf));
        Assert.Equal(1, Count(Counter.QueriesForwarded));
        AssertCountersAddUp();
    }

    [Fact]
    public void OneThatHasSomeOfItsData_ItsErrorsAreKeptAllTheSame()
    {
        var backend = Backend("5301", Good);
        Ask(1);
        Assert.Single(Kernel.Datagrams.Sent);
        _code = Refused;
        Ask(2);
        Run(0.25);
        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(4, backend.QueryCount);
        _code = Good;
        Run(0.1);

        Assert.Equal([Client(1), Client(2)], Kernel.Datagrams.Sent.Select(reply => reply.To));
        Assert.All(Kernel.Datagrams.Sent, reply => Assert.Equal(Good, reply.Payload[3] & 0xf));
        AssertCountersAddUp();
    }

    [Fact]
    public void AllWereRestartedTogether_NobodyGetsAnError()
    {
        var backends = new[] { "5301", "5302", "5303" }
            .Select(name => Backend(name, ServerFailure)).ToArray();
        for (var client = 1; client <= 60; client++)
        {
            Ask(client);
            Run(0.01);
            if (Kernel.Now > Instant.Zero + Seconds(0.5))
                _code = Good;
        }
        Run(0.2);

        Assert.Equal(60, Kernel.Datagrams.Sent.Count);
        Assert.All(Kernel.Datagrams.Sent, reply => Assert.Equal(Good, reply.Payload[3] & 0xf));
        Assert.All(backends, backend => Assert.True(backend.QueryCount > 20));
    }

    [Fact]
    public void WhatIsHeld_DoesNotMakeABackendFail()
    {
        var slow = Backend("5301", ServerFailure);
        var quick = new SimBackend(Kernel, "5302") { EchoesQueries = true };
        Run(0.03);
        for (var client = 1; client <= 60; client++)
            Ask(client);
        Run(0.5);

        Assert.True(slow.QueryCount >= 20 && quick.QueryCount > 40);
        Assert.Equal(0, Count(Counter.BackendsFailing));
    }

    [Fact]
    public void TwoSecondsOld_TheErrorIsPassedOn()
    {
        Backend("5301", ServerFailure);
        Ask(1);
        Run(1.9);
        Assert.Empty(Kernel.Datagrams.Sent);
        Run(0.2);

        Assert.Equal(ServerFailure, Assert.Single(Kernel.Datagrams.Sent).Payload[3] & 0xf);
        AssertCountersAddUp();
    }

    [Fact]
    public void WaitedForABackendAndThatHasNoDataYet_IsAskedUntilItHas()
    {
        var backend = Backend("5301", ServerFailure);
        Ask(1);
        backend.Stop();
        Run(1.9);
        backend.Rebind();
        Run(1.5);
        Assert.Empty(Kernel.Datagrams.Sent);
        _code = Good;
        Run(0.2);

        Assert.Equal((Client(1), Good), OnlyAnswer());
    }

    [Fact]
    public void ErrorOfABackendWithAnOldHello_IsPassedOnAtOnce()
    {
        Backend("5301", ServerFailure);
        Run(2.1);
        Ask(1);

        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(0, Count(Counter.RepliesHeld));
    }

    [Theory]
    [InlineData(1.1)]
    [InlineData(2.5)]
    [InlineData(30)]
    public void OneThatWasRestartedHasNoData_ItsClientsHearTheOther(double later)
    {
        var poor = Backend("5301", Good);
        var rich = new SimBackend(Kernel, "5302") { EchoesQueries = true };
        Run(2.1);
        for (var client = 1; client <= 20; client++)
            Ask(client);
        poor.Stop();
        Run(1);
        for (var client = 1; client <= 10; client++)
            Ask(client);
        poor = new SimBackend(Kernel, "5301") { Answers = AnswerOf };
        _code = ServerFailure;
        Run(0.1);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Run(later);
        for (var n = 0; n < 200; n++)
        {
            Ask(1 + n % 20);
            Run(0.02);
        }
        Run(0.2);

        Assert.Equal(230, Kernel.Datagrams.Sent.Count);
        Assert.All(Kernel.Datagrams.Sent, reply => Assert.Equal(Good, reply.Payload[3] & 0xf));
        Assert.InRange(poor.QueryCount, 1, 12);
        _code = Good;
        Run(1.1);
        var before = poor.QueryCount;
        for (var client = 1; client <= 20; client++)
            Ask(client);
        // A rebalance may have moved some of the established to it, to an even share.
        Assert.InRange(poor.QueryCount - before, 5, 10);
        AssertCountersAddUp();
    }

    [Fact]
    public void NobodyHasGivenAGoodAnswer_ErrorsArePassedOnAfterTwoSeconds()
    {
        Backend("5301", Refused);
        Backend("5302", Refused);
        Run(2.1);
        for (var client = 1; client <= 4; client++)
            Ask(client);

        Assert.Equal(4, Kernel.Datagrams.Sent.Count);
        Assert.Equal(0, Count(Counter.RepliesHeld));
    }

    [Theory]
    [InlineData(Good)]
    [InlineData(Refused)]
    public void AnotherHasGivenAGoodAnswer_ThatOneIsAskedAndBelieved(int code)
    {
        var poor = Backend("5301", Refused);
        var rich = Backend("5302", Good);
        Run(2.1);
        _code = Good;
        Ask(1);
        Ask(2);
        Crash(poor);
        Run(1.1);
        Assert.Equal((1, 1), (poor.QueryCount, rich.QueryCount));
        poor.Answers = query => AnswerOf(query, Refused);
        _code = code;
        Ask(1);
        Ask(2);
        Run(0.15);

        Assert.Equal(4, Kernel.Datagrams.Sent.Count);
        Assert.Equal((2, 3), (poor.QueryCount, rich.QueryCount));
        Assert.All(Kernel.Datagrams.Sent.Skip(2),
            reply => Assert.Equal(code, reply.Payload[3] & 0xf));
        Assert.Equal(1, Count(Counter.ResendsAfterError));
        AssertCountersAddUp();
    }

    [Fact]
    public void OtherColdOneHasItsData_ItIsAskedThoughTheClientIsWithThisOne()
    {
        var poor = Backend("5301", ServerFailure);
        var rich = Backend("5302", ServerFailure);
        rich.Answers = query => AnswerOf(query, Good);
        Ask(1);
        Ask(2);
        Run(0.15);

        Assert.Equal((1, 2), (poor.QueryCount, rich.QueryCount));
        Assert.All(Kernel.Datagrams.Sent, reply => Assert.Equal(Good, reply.Payload[3] & 0xf));
        Assert.Equal(2, Kernel.Datagrams.Sent.Count);
    }

    [Fact]
    public void OthersHaveGivenGoodAnswers_TheOneThatDidNotJustSayHelloIsAsked()
    {
        var old = Backend("5303", Good);
        Run(2.1);
        Ask(1);
        var poor = Backend("5301", Good);
        poor.Answers = query => AnswerOf(query, Refused);
        var young = Backend("5302", Good);
        Run(1.1);
        for (var client = 2; client <= 7; client++)
            Ask(client);
        Assert.Equal((1 + 2, 2, 2), (old.QueryCount, poor.QueryCount, young.QueryCount));
        Run(0.15);

        Assert.Equal((1 + 4, 2, 2), (old.QueryCount, poor.QueryCount, young.QueryCount));
        Assert.All(Kernel.Datagrams.Sent, reply => Assert.Equal(Good, reply.Payload[3] & 0xf));
    }

    [Fact]
    public void AskedOfAnotherAndThePolicyChanges_TheOtherIsAskedAgain()
    {
        var first = Backend("5301", ServerFailure);
        var other = Backend("5302", ServerFailure);
        Ask(1);
        first.Crash();
        Run(0.15);
        Assert.Equal(1, other.QueryCount);
        first.Rebind();
        Run(0.3);
        Assert.Equal(BackendState.Healthy, State("5301"));
        _code = Good;
        Run(0.2);

        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(0, Count(Counter.UnansweredLost));
        Assert.Equal(1, first.QueryCount);
    }

    [Fact]
    public void NobodyHasData_ItStaysWithWhomItAskedUntilOneHas()
    {
        var own = Backend("5301", Good);
        Run(2.1);
        Ask(1);
        own.Stop();
        var other = Backend("5302", ServerFailure);
        Ask(1);
        var back = new SimBackend(Kernel, "5301") { Answers = q => AnswerOf(q, ServerFailure) };
        Run(0.5);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, back.QueryCount);
        other.Answers = query => AnswerOf(query, Good);
        Run(0.15);

        Assert.Equal(2, Kernel.Datagrams.Sent.Count);
        Assert.Equal(Good, Kernel.Datagrams.Sent[^1].Payload[3] & 0xf);
        AssertCountersAddUp();
    }

    [Fact]
    public void NobodyHasDataForASecond_WhomThePolicyChoosesIsAskedToo()
    {
        var own = Backend("5301", Good);
        Run(2.1);
        Ask(1);
        own.Stop();
        Backend("5302", ServerFailure);
        Ask(1);
        var back = new SimBackend(Kernel, "5301") { Answers = q => AnswerOf(q, Good) };
        Run(0.9);
        Assert.Equal(0, back.QueryCount);
        Run(0.3);

        Assert.Equal(1, back.QueryCount);
        Assert.Equal(Good, Kernel.Datagrams.Sent[^1].Payload[3] & 0xf);
        AssertCountersAddUp();
    }

    [Fact]
    public void OnlyASilentOneIsLeft_ItWaitsForAnother()
    {
        var poor = WithOneThatHangs(out _);
        Ask(2);
        Assert.True(poor.QueryCount > 1);
        poor.Crash();
        Run(0.4);
        Assert.Empty(Kernel.Datagrams.Sent);
        _ = new SimBackend(Kernel, "5303") { Answers = query => AnswerOf(query, Good) };
        Run(0.1);

        Assert.Contains(Kernel.Datagrams.Sent,
            reply => reply.To == Client(2) && (reply.Payload[3] & 0xf) == Good);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void CopyIsAnsweredWithAnError_WhoHasAnAnswerFirstIsHeard(bool isTheFirst)
    {
        var poor = WithOneThatHangs(out var hung);
        Run(0.2);
        Assert.True(poor.QueryCount > 1);
        Assert.Empty(Kernel.Datagrams.Sent);
        if (isTheFirst)
            hung.Resume();
        else
            poor.Answers = query => AnswerOf(query, Good);
        Run(0.2);

        Assert.Equal((Client(1), Good), OnlyAnswer());
        Assert.Equal(0, Count(Counter.UnansweredLost));
        AssertCountersAddUp();
        hung.Resume();
        Run(3);
        Assert.Single(Kernel.Datagrams.Sent);
        AssertCountersAddUp();
    }

    [Fact]
    public void CopyIsHeldAndBothEnd_TheErrorIsPassedOnWhenTheQueryIs5SecondsOld()
    {
        var poor = WithOneThatHangs(out var hung);
        Run(0.05);
        Assert.True(poor.QueryCount > 0);
        hung.Crash();
        Run(0.05);
        poor.Crash();
        Run(4.4);
        Assert.Empty(Kernel.Datagrams.Sent);
        Run(0.5);

        Assert.Equal((Client(1), ServerFailure), OnlyAnswer());
        Assert.Equal(1, Count(Counter.UnansweredLost));
        AssertCountersAddUp();
    }

    /// <summary>
    /// Client 1 has a query at one that hangs, and a copy of it at this one, which has no data.
    /// </summary>
    private SimBackend WithOneThatHangs(out SimBackend hung)
    {
        hung = Backend("5301", Good);
        hung.Answers = query => AnswerOf(query, Good);
        Run(2.1);
        hung.Hang();
        Ask(1);
        Run(0.15);
        var poor = Backend("5302", ServerFailure);
        Run(0.06);
        Assert.Equal(1, poor.QueryCount);
        return poor;
    }

    [Fact]
    public void WarmerOneIsThere_ItIsAskedInstead()
    {
        var cold = Backend("5301", ServerFailure);
        Ask(1);
        var warm = new SimBackend(Kernel, "5302") { EchoesQueries = true };
        cold.Stop();
        Run(1.2);
        var restarted = new SimBackend(Kernel, "5301");
        Run(0.05);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(1, warm.QueryCount);
        Assert.Equal(0, restarted.QueryCount);
        Assert.Single(Kernel.Datagrams.Sent);
        AssertCountersAddUp();
    }

    [Fact]
    public void BackendWhoseErrorIsHeldIsRestarted_ItIsAskedAgain()
    {
        var first = Backend("5301", ServerFailure);
        Ask(1);
        Crash(first);
        Run(0.15);
        Assert.Equal(2, first.Queries.Count);
        Crash(first);
        Run(0.06);

        Assert.Equal(3, first.Queries.Count);
        Assert.Empty(Kernel.Datagrams.Sent);
        AssertCountersAddUp();
    }

    [Fact]
    public void BothBackendsThatHadItAreRestarted_TheSecondIsAskedAgainWhenItIsBack()
    {
        var first = Backend("5301", ServerFailure);
        var second = Backend("5302", ServerFailure);
        Ask(1);
        var erred = first.Queries.Count > 0 ? first : second;
        var other = erred == first ? second : first;
        erred.Stop();
        Run(0.2);
        Assert.NotEmpty(other.Queries);
        other.Stop();
        Run(1);
        Assert.Empty(Kernel.Datagrams.Sent);
        var back = Backend(other == first ? "5301" : "5302", Good);
        Run(0.2);

        Assert.Single(back.Queries);
        Assert.Equal((Client(1), Good), OnlyAnswer());
        AssertCountersAddUp();
    }

    [Fact]
    public void BackendWhoseErrorIsHeldDoesNotComeBack_TheErrorIsPassedOn()
    {
        var first = Backend("5301", ServerFailure);
        Ask(1);
        first.Stop();
        Run(0.05);
        var second = Backend("5302", ServerFailure);
        Run(0.2);
        second.Stop();
        Run(4.5);
        Assert.Empty(Kernel.Datagrams.Sent);
        Run(0.5);

        Assert.Equal(1, Count(Counter.UnansweredLost));
        Assert.Equal((Client(1), ServerFailure), OnlyAnswer());
        AssertCountersAddUp();
    }

    [Fact]
    public void NoBackendBecomesHealthyWithin5Seconds_TheErrorIsPassedOn()
    {
        Backend("5301", Refused).Stop();
        Run(0);
        var backend = Backend("5302", Refused);
        Ask(1);
        backend.Stop();
        Run(4.9);
        Assert.Empty(Kernel.Datagrams.Sent);
        Run(0.2);

        Assert.Equal((Client(1), Refused), OnlyAnswer());
        Assert.Equal(1, Count(Counter.UnansweredLost));
        AssertCountersAddUp();
    }

    [Fact]
    public void WhatIsNotAQuery_OrHasACopy_IsPassedOn()
    {
        Backend("5301", ServerFailure);
        var update = Query(1);
        update[2] = 5 << 3;
        Ask(1, update);

        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(0, Count(Counter.RepliesHeld));
    }

    [Fact]
    public void TooManyAreHeld_TheRestIsPassedOn()
    {
        Backend("5301", ServerFailure);
        for (var n = 0; n <= Limits.HeldQueries; n++)
        {
            Kernel.InjectDatagram(Client(n), Query(n));
            if (n % 500 == 0)
                Run(0.0001);
        }
        Run(0.001);

        Assert.Equal(Limits.HeldQueries, Count(Counter.RepliesHeld));
        Assert.Equal(1, Count(Counter.QueriesNotHeld));
        Assert.Single(Kernel.Datagrams.Sent);
        AssertCountersAddUp();
    }

    /// <summary>An error that would not have been held anyway is not counted as one.</summary>
    [Fact]
    public void TooManyAreHeld_WhatIsNoQueryIsPassedOnUncounted()
    {
        Backend("5301", ServerFailure);
        for (var n = 0; n < Limits.HeldQueries; n++)
        {
            Kernel.InjectDatagram(Client(n), Query(n));
            if (n % 500 == 0)
                Run(0.0001);
        }
        Run(0.001);
        var update = Query(Limits.HeldQueries);
        update[2] = 5 << 3;
        Kernel.InjectDatagram(Client(Limits.HeldQueries), update);
        Run(0.001);

        Assert.Equal(Limits.HeldQueries, Count(Counter.RepliesHeld));
        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(0, Count(Counter.QueriesNotHeld));
    }

    [Fact]
    public void Stop_WaitsForThem()
    {
        Backend("5301", ServerFailure);
        Ask(1);
        Kernel.RequestStop();
        Run(0.05);
        Assert.False(Balancer.HasStopped);
        _code = Good;
        Run(0.2);

        Assert.True(Balancer.HasStopped);
        Assert.Single(Kernel.Datagrams.Sent);
        Assert.Equal(0, Count(Counter.UnansweredLost));
    }

    [Fact]
    public void Stop_DoesNotWaitForThoseThatFindNobody_AndPassesTheErrorOn()
    {
        var backend = Backend("5301", ServerFailure);
        Ask(1);
        backend.Stop();
        Run(0.3);
        Assert.Empty(Kernel.Datagrams.Sent);
        Kernel.RequestStop();
        Run(0.01);

        Assert.True(Balancer.HasStopped);
        Assert.Equal((Client(1), ServerFailure), OnlyAnswer());
        Assert.Equal(1, Count(Counter.UnansweredLost));
    }

    private (Endpoint To, int Code) OnlyAnswer()
    {
        var reply = Assert.Single(Kernel.Datagrams.Sent);
        return (reply.To, reply.Payload[3] & 0xf);
    }

    private void Crash(SimBackend backend)
    {
        backend.Crash();
        backend.Rebind();
        Run(0.03);
        Assert.Equal(BackendState.Healthy, State(backend.Name));
    }

    private SimBackend Backend(string name, int code)
    {
        _code = code;
        var backend = new SimBackend(Kernel, name) { Answers = AnswerOf };
        Run(0.03);
        Assert.Equal(BackendState.Healthy, State(name));
        return backend;
    }

    private byte[] AnswerOf(byte[] query) => AnswerOf(query, _code);

    private static byte[] AnswerOf(byte[] query, int code)
    {
        var reply = query.ToArray();
        (reply[2], reply[3]) = ((byte)(0x80 | query[2]), (byte)code);
        return reply;
    }
}
