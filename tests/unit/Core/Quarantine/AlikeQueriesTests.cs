// SecondBackends: what several hosts asked of one backend goes to one other, also what is sent
// again later, and when the backend that had it ends by then (docs/behaviour.md, section 5).

using System;
using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class AlikeQueriesTests : QuarantineTest
{
    private readonly SimBackend _first;
    private SimBackend _second = null!;
    private SimBackend _third = null!;
    private int _asked;

    public AlikeQueriesTests()
    {
        for (var client = 1; client <= 4; client++)
            Ask(client, QueryFor("good"));
        Answer(QueryFor("good"));
        _first = FirstOf(1);
        Assert.Contains(_first.Queries, query => query.Source == Client(4));
    }

    [Fact]
    public void BudgetHasRoomLater_NoThirdBackendGetsIt()
    {
        HangFirst();
        _second.Hang();
        MakeRoom();

        AssertNoThirdGetsIt();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SuspectEndsThen_NoThirdBackendGetsIt(bool hangs)
    {
        HangFirst();
        if (hangs)
            _second.Hang();
        else
            _second.Crash();
        Run(hangs ? 0.12 : 0.05);
        _first.Crash();

        AssertNoThirdGetsIt();
    }

    [Fact]
    public void SecondBackendIsSlow_TheOthersGoThereToo()
    {
        HangFirst();
        MakeRoom();
        Run(0.1);

        Assert.Equal(2, _second.Queries.Count(IsKiller));
        Assert.False(Has(_third, Killer));
    }

    [Fact]
    public void SecondBackendDiesOfSomethingElse_TheThirdAnswersTheOthers()
    {
        HangFirst();
        Answer(Killer);
        _second.Crash();
        Run(0.05);
        _first.Crash();
        Run(0.05);

        Assert.Contains(Kernel.Datagrams.Sent, sent => sent.To == Client(4)
            && IsAbout(sent.Payload, Killer) && (sent.Payload[3] & 0xf) == 0);
    }

    /// <summary>
    /// Two hosts have asked the first backend for the same, and it hangs: another has a copy of
    /// one host's, and the budget has no room for the other's.
    /// </summary>
    private void HangFirst()
    {
        Inject(4, Killer);
        for (var n = 0; n < Limits.LeastResendBudget; n++)
            Inject(1, QueryFor($"other{n}"));
        Inject(1, Killer);
        Run(0.001);
        Assert.Equal(2, _first.Queries.Count(IsKiller));
        _first.Hang();
        Run(0.25);
        Assert.True(Snapshot(_first.Name).IsSuspect);
        Assert.Equal(Limits.LeastResendBudget, Count(Counter.ResendsFromSuspect));
        _second = Binders.Values.Single(backend => backend != _first && Has(backend, Killer));
        _third = Binders.Values.Single(backend => backend != _first && backend != _second);
        Assert.Equal(1, _second.Queries.Count(IsKiller));
        _third.EchoesQueries = true;
    }

    /// <summary>A client of the third backend asks so much that the budget has room.</summary>
    private void MakeRoom()
    {
        var client = FirstOf(2) == _third ? 2 : 3;
        for (var n = 0; n < 12 * Limits.LeastResendBudget; n++)
            Inject(client, QueryFor($"more{n}"));
        Run(0.0001);
    }

    private void AssertNoThirdGetsIt()
    {
        for (var n = 0; n < 100; n++)
        {
            Run(0.01);
            Assert.False(Has(_third, Killer));
        }
        AssertRefused(Killer, isRefused: true);
        AssertCountersAddUp();
    }

    /// <summary>Asks in no time.</summary>
    private void Inject(int client, byte[] query)
    {
        var asked = query.ToArray();
        (asked[0], asked[1]) = ((byte)(_asked >> 8 | 0x80), (byte)_asked);
        Assert.True(Kernel.InjectDatagram(Client(client), asked));
        if (++_asked % 64 == 0)
            Balancer.Turn();
    }

    /// <summary>The one that a client asked first.</summary>
    private SimBackend FirstOf(int client) => Binders.Values.Single(backend =>
        backend.Queries is [var first, ..] && first.Source.Address == Client(client).Address);

    private static bool IsKiller(ReceivedQuery query) => IsAbout(query.Payload, Killer);

    private static bool IsAbout(byte[] message, byte[] query) =>
        message.Length == query.Length && message.AsSpan(4).SequenceEqual(query.AsSpan(4));
}
