// OwnAnswers: who gets an answer of the balancer's own, and into which counter it goes.

using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class OwnAnswersTests() : CoreTest(NoWarmUp with { AnswersWithoutBackend = true })
{
    private static readonly byte[] Asked =
        [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)'a', 0, 0, 1, 0, 1];

    [Fact]
    public void NoBackend_QueryIsAnsweredWithServfailAndItsQuestionAtOnce()
    {
        Kernel.InjectDatagram(Client(1), Ipv4.From(192, 0, 2, 53), Asked);
        Balancer.Turn();

        var sent = Assert.Single(Kernel.Datagrams.Sent);
        byte[] expected = [.. Asked];
        (expected[2], expected[3]) = (0x81, 2);
        Assert.Equal(expected, sent.Payload);
        Assert.Equal((Client(1), Ipv4.From(192, 0, 2, 53)), (sent.To, sent.From));
        Assert.Equal(1, Count(Counter.QueriesWithoutBackend));
        Assert.Equal(1, Count(Counter.OwnAnswersSent));
        Assert.Equal(0, Count(Counter.RepliesSent));
        Assert.Equal(0, Balancer.Core.RemoteCount);
        AssertCountersAddUp();
    }

    [Fact]
    public void BackendIsThere_AnswersAreItsOwn()
    {
        var backend = HealthyBackends("5301")[0];
        Ask(1, Asked);
        Assert.Equal(Asked, Assert.Single(Kernel.Datagrams.Sent).Payload);
        backend.Crash();
        Run(0.01);
        Ask(1, Asked);

        Assert.Equal(2, Kernel.Datagrams.Sent[1].Payload[3]);
        Assert.Equal(1, Count(Counter.OwnAnswersSent));
    }

    [Fact]
    public void NotAQuery_IsNotAnswered()
    {
        byte[] update = [.. Asked];
        update[2] = 5 << 3;
        Ask(1, update);
        Ask(1, Asked[..11]);
        Ask(1, []);
        byte[] response = [.. Asked];
        response[2] = 0x80;
        Ask(1, response);

        Assert.Empty(Kernel.Datagrams.Sent);
        Assert.Equal(3, Count(Counter.QueriesWithoutBackend));
        Assert.Equal(0, Count(Counter.OwnAnswersSent) + Count(Counter.OwnAnswersFailed));
    }

    [Fact]
    public void StuckBackend_IsNotNone()
    {
        var backend = HealthyBackends("5301")[0];
        backend.Hang();
        for (var n = 0; n < 3000; n++)
        {
            Kernel.InjectDatagram(Client(1), Query(n, 500));
            if (n % 32 == 31)
                Run(0.0001);
        }

        Assert.NotEqual(0, Count(Counter.QueriesToStuckBackend));
        Assert.Equal(0, Count(Counter.OwnAnswersSent));
    }

    [Fact]
    public void ManyInOneTurn_AreAllAnswered()
    {
        for (var n = 0; n < 300; n++)
            Kernel.InjectDatagram(Client(n), Query(n));
        Run(0.01);

        Assert.Equal(300, Count(Counter.OwnAnswersSent));
        Assert.Equal(Enumerable.Range(0, 300).Select(Client),
            Kernel.Datagrams.Sent.Select(sent => sent.To));
    }

    [Fact]
    public void OneCannotBeSent_TheOthersAre()
    {
        Kernel.Faults.SendThenFail(2, IoStatus.AccessDenied);
        for (var n = 0; n < 5; n++)
            Kernel.InjectDatagram(Client(n), Query(n));
        Run(0.01);

        Assert.Equal(4, Count(Counter.OwnAnswersSent));
        Assert.Equal(1, Count(Counter.OwnAnswersFailed));
        Assert.Equal(4, Kernel.Datagrams.Sent.Count);
    }

    [Fact]
    public void FullSocket_CostsTheTurnsAnswers()
    {
        Kernel.Datagrams.SendBlocked = true;
        for (var n = 0; n < 5; n++)
            Kernel.InjectDatagram(Client(n), Query(n));
        Run(0.01);
        Kernel.Datagrams.SendBlocked = false;
        Ask(9);

        Assert.Equal(5, Count(Counter.OwnAnswersFailed));
        Assert.Equal(1, Count(Counter.OwnAnswersSent));
    }
}
