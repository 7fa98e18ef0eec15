// FairShares: what a loud client may take of a backend that is slower than it (docs/behaviour.md,
// section 5, "A backend that is behind"), and who loses nothing by that.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class FairSharesTests : CoreTest
{
    private const int Loud = 0;
    private const int Quiet = 1;

    private int _answered;
    private int _id;

    [Fact]
    public void LoudClientOfASlowBackend_TheQuietOnesAreAllAnsweredSoon()
    {
        var backend = SlowBackend();
        var asked = new Dictionary<int, Instant>();
        var slowest = Duration.Zero;
        for (var ms = 0; ms < 5000; ms++)
        {
            for (var n = 0; n < 20; n++)
                Kernel.InjectDatagram(Client(Loud), Query(++_id, 40));
            if (ms % 50 == 0)
            {
                Kernel.InjectDatagram(Client(Quiet + ms / 50 % 9), Query(++_id, 40));
                asked.Add(_id & 0xffff, Balancer.Now);
            }
            Step(backend, answers: 1, ref slowest, asked);
        }
        for (var ms = 0; ms < 500; ms++)
            Step(backend, answers: 1, ref slowest, asked);

        Assert.Empty(asked);
        Assert.True(slowest < Seconds(1.2), slowest.ToString());
        // The backend was never idle for it.
        Assert.InRange(_answered, 5200, 5520);
        Assert.True(Count(Counter.QueriesOverShare) > 80_000);
        Assert.Equal(0, Count(Counter.QueriesToStuckBackend));
        Assert.Equal(Client(Loud), Log.Last<LogEvent.ClientOverShare>().Client);
        Assert.InRange(Log.Count<LogEvent.ClientOverShare>(), 1, 2);
        AssertCountersAddUp();
    }

    [Fact]
    public void FloodOfForgedSourcesAtASlowBackend_KnownClientsAreAllAnsweredSoon()
    {
        var backend = SlowBackend();
        var asked = new Dictionary<int, Instant>();
        var slowest = Duration.Zero;
        var forged = 1000;
        for (var ms = 0; ms < 5000; ms++)
        {
            for (var n = 0; n < 20; n++)
                Kernel.InjectDatagram(Client(forged++), Query(++_id, 40));
            if (ms % 50 == 0)
            {
                Kernel.InjectDatagram(Client(Quiet + ms / 50 % 9), Query(++_id, 40));
                asked.Add(_id & 0xffff, Balancer.Now);
            }
            Step(backend, answers: 1, ref slowest, asked);
        }
        for (var ms = 0; ms < 1500; ms++)
            Step(backend, answers: 1, ref slowest, asked);

        Assert.Empty(asked);
        Assert.True(slowest < Seconds(1.5), slowest.ToString());
        Assert.True(Count(Counter.QueriesOverShare) > 80_000);
        Assert.Equal(0, Count(Counter.QueriesToStuckBackend));
        AssertCountersAddUp();
    }

    [Fact]
    public void NewClientsAlone_MayUseAllThereIs()
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        for (var ms = 0; ms < 200; ms++)
        {
            for (var n = 0; n < 20; n++)
                Kernel.InjectDatagram(Client(1000 + ms * 20 + n), Query(++_id, 40));
            Run(0.001);
        }

        Assert.Equal(0, Count(Counter.QueriesOverShare));
        Assert.Equal(4000, Count(Counter.QueriesForwarded));
    }

    [Fact]
    public void LoudClientAlone_MayUseAllThereIs()
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        for (var n = 0; n < 2000; n++)
        {
            Kernel.InjectDatagram(Client(Loud), Query(++_id, 40));
            if (n % 32 == 31)
                Run(0.0001);
        }
        Run(0.01);

        Assert.Equal(0, Count(Counter.QueriesOverShare));
        Assert.Equal(2000, Count(Counter.QueriesForwarded));
    }

    [Fact]
    public void BackendThatKeepsUp_NobodyIsLimited()
    {
        var backend = SlowBackend();
        var asked = new Dictionary<int, Instant>();
        var slowest = Duration.Zero;
        for (var ms = 0; ms < 2000; ms++)
        {
            for (var n = 0; n < 20; n++)
                Kernel.InjectDatagram(Client(Loud), Query(++_id, 40));
            // It rests now and then for less than makes it suspect.
            Step(backend, ms % 500 >= 420 ? 0 : 30, ref slowest, asked);
        }

        Assert.Equal(0, Count(Counter.QueriesOverShare));
    }

    [Fact]
    public void BackendHangs_NoAnswerableQueryIsDropped()
    {
        var backends = HealthyBackends("5301", "5302");
        Establish(Enumerable.Range(0, 10));
        foreach (var backend in backends)
            backend.EchoesQueries = true;
        // Before it hangs it has answered little, so all that comes is more than it did lately.
        Run(1);
        backends[0].Hang();
        for (var ms = 0; ms < 300; ms++)
        {
            for (var n = 0; n < 4; n++)
                Kernel.InjectDatagram(Client(n), Query(++_id, 100));
            Run(0.001);
        }
        Run(0.5);

        Assert.Equal(0, Count(Counter.QueriesOverShare));
    }

    [Fact]
    public void BalancerStoodStill_WhatCameInThatTimeIsForwarded()
    {
        var backend = SlowBackend();
        Kernel.Faults.Stall = Seconds(3);
        Kernel.After(Seconds(2), () =>
        {
            // More than it may have to do at once, and less than half of what its queue takes.
            for (var n = 0; n < 1000; n++)
                Kernel.InjectDatagram(Client(n % 3 == 0 ? Loud : Quiet + n % 9), Query(++_id, 100));
        });
        Run(3);
        Assert.Equal(1, Count(Counter.Standstills));
        var slowest = Duration.Zero;
        for (var ms = 0; ms < 400; ms++)
        {
            for (var n = 0; n < 2; n++)
                Kernel.InjectDatagram(Client(Loud), Query(++_id, 40));
            Step(backend, answers: 10, ref slowest, []);
        }

        Assert.Equal(0, Count(Counter.QueriesOverShare));
        Assert.Equal(1800, _answered - 20);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(12)]
    public void SuspectBackendGoesOn_WhatItsClientsAskIsForwarded(double later)
    {
        var backend = HealthyBackends("5301", "5302")[0];
        Establish(Enumerable.Range(0, 10));
        (backend.EchoesQueries, _answered) = (false, backend.Queries.Count);
        backend.Hang();
        for (var ms = 0; ms < 300; ms++)
            AskFour();
        Assert.True(Snapshot("5301").IsSuspect);
        Run(later);
        backend.Resume();
        Run(0.001);
        Assert.False(Snapshot("5301").IsSuspect);
        var (before, slowest) = (backend.QueryCount, Duration.Zero);
        for (var ms = 0; ms < 400; ms++)
        {
            AskFour();
            Step(backend, answers: 8, ref slowest, []);
        }

        Assert.Equal(0, Count(Counter.QueriesOverShare));
        Assert.Equal(before + 1600, backend.QueryCount);

        void AskFour()
        {
            for (var n = 0; n < 4; n++)
                Kernel.InjectDatagram(Client(n == 0 ? 2 : Loud), Query(++_id, 40));
            Run(0.001);
        }
    }

    [Fact]
    public void QueriesThatAreNeverAnswered_TakeNobodysPlace()
    {
        var backend = SlowBackend();
        Kernel.InjectDatagram(Client(Quiet), Query(1, 40));
        for (var ms = 0; ms < 2000; ms++)
        {
            for (var n = 0; n < 20; n++)
                Kernel.InjectDatagram(Client(Loud), Query(0x8000 + ++_id % 0x4000, 40));
            Kernel.InjectDatagram(Client(Loud + 20), Query(2, 40));
            Run(0.001);
            foreach (var query in backend.Queries.Skip(_answered).ToList())
            {
                _answered++;
                if (query.Payload[0] == 0 && query.Payload[1] == 2)
                    SimBackend.Reply(query, query.Payload);
            }
        }

        // More than half of the table's places is nobody's.
        Assert.InRange(Snapshot("5301").InFlight, 8000, 8300);
        Assert.Equal(0, Count(Counter.UnansweredEvicted));
        SimBackend.Reply(backend.Queries[0], backend.Queries[0].Payload);
        Run(0.01);
        Assert.Contains(Kernel.Datagrams.Sent, sent => sent.To == Client(Quiet));
    }

    /// <summary>A backend that answers only what a test has it answer, with clients.</summary>
    private SimBackend SlowBackend()
    {
        var backend = HealthyBackends("5301")[0];
        Establish(Enumerable.Range(0, 10));
        backend.EchoesQueries = false;
        _answered = backend.Queries.Count;
        return backend;
    }

    /// <summary>A millisecond, in which the backend answers so many, one after the other.</summary>
    private void Step(SimBackend backend, int answers, ref Duration slowest,
        Dictionary<int, Instant> asked)
    {
        Run(0.001);
        for (var n = 0; n < answers && _answered < backend.Queries.Count; n++)
        {
            var query = backend.Queries[_answered++];
            SimBackend.Reply(query, query.Payload);
            if (query.Source.Address != Client(Loud).Address && asked.Remove(
                (query.Payload[0] << 8) | query.Payload[1], out var at))
            {
                slowest = Duration.Max(slowest, Balancer.Now - at);
            }
        }
    }
}
