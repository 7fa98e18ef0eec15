// Quarantine: how a query that was refused by a wrong guess is let go, and what is forgotten
// (docs/behaviour.md, section 5).

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class QuarantineGuessTests : QuarantineTest
{
    [Fact]
    public void WrongGuess_IsLetGoAtTheNextDeath()
    {
        // The first backend lived on with the killer for longer than with the innocent query.
        Ask(1, Killer);
        Run(0.2);
        Ask(1, QueryFor("innocent"));
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        Ask(2, QueryFor("innocent"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));

        Run(2);
        Ask(3, Killer);
        KillWhoHas(Killer);

        Assert.Equal(2, Count(Counter.QuarantinesBegun));
        var released = Assert.Single(Log.Of<LogEvent.QueryReleased>());
        Assert.Equal(QueryRelease.Explained, released.Why);
        Assert.Equal(QueryFor("innocent")[2..], released.Query[2..]);
        Assert.InRange(released.Refused.WholeMilliseconds, 2_000, 2_500);
        Ask(2, QueryFor("innocent"));
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        Ask(2, Killer);
        Assert.Equal(2, Count(Counter.QueriesQuarantined));
    }

    [Fact]
    public void CulpritThatTakesThreeDeaths_HasTheInnocentLetGo()
    {
        for (var n = 0; n < Limits.QuarantineSample; n++)
        {
            Ask(1, Killer);
            Answer(Killer);
        }
        Ask(1, Killer);
        Ask(1, QueryFor("innocent"));
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        AssertRefused(QueryFor("innocent"), true);
        Run(2);
        Ask(3, Killer);
        KillWhoHas(Killer);

        AssertRefused(Killer, true);
        AssertRefused(QueryFor("innocent"), false);
    }

    /// <summary>What was let go for the other's sake ends one more backend, not two.</summary>
    [Fact]
    public void TwoCulpritsTogether_TakeFourDeaths()
    {
        var other = QueryFor("killer", type: 28);
        Ask(1, Killer);
        Ask(1, other);
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        Run(2);
        Ask(2, Killer);
        Ask(2, other);
        Assert.Equal(1, Count(Counter.QueriesQuarantined));
        var (refused, left) = WhoHas(Killer) is null ? (Killer, other) : (other, Killer);
        KillWhoHas(left);
        AssertRefused(left, isRefused: true);
        Run(2);
        Ask(2, refused);
        KillWhoHas(refused);

        Assert.Equal(3, Count(Counter.QuarantinesBegun));
        AssertRefused(refused, isRefused: true);
        AssertRefused(left, isRefused: true);
    }

    [Fact]
    public void InnocentBehindTwoCulprits_IsLetGoWhenOneIsFound()
    {
        var killers = new[] { QueryFor("killer1"), QueryFor("killer2") };
        foreach (var killer in killers)
        {
            Ask(1, killer);
            Ask(1, QueryFor("innocent"));
            KillWhoHas(killer);
            // What was sent again times out.
            Run(11);
        }
        AssertRefused(QueryFor("innocent"), true);
        Ask(3, killers[0]);
        KillWhoHas(killers[0]);

        AssertRefused(killers[0], true);
        AssertRefused(QueryFor("innocent"), false);
    }

    [Fact]
    public void CopyFromBeforeItWasRefused_DoesNotKeepItRefused()
    {
        Ask(1, Killer);
        Run(0.5);
        AskAll(QueryFor("innocent"));
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        AssertRefused(QueryFor("innocent"), true);
        Assert.NotNull(WhoHas(QueryFor("innocent")));
        Ask(3, Killer);
        KillWhoHas(Killer);

        AssertRefused(Killer, true);
        AssertRefused(QueryFor("innocent"), false);
    }

    [Fact]
    public void DeathOfACopyFromBefore_HasNobodyElseRefused()
    {
        for (var client = 1; client <= 3; client++)
        {
            Ask(client, QueryFor("slow"));
            Ask(client, Killer);
        }
        KillWhoHas(Killer);
        KillWhoHas(Killer);
        AssertRefused(Killer, true);
        KillWhoHas(Killer);

        Assert.Equal(1, Count(Counter.QuarantinesBegun));
        AssertRefused(QueryFor("slow"), false);
        // Nor is it refused for longer: it has not come again.
        Run(60);
        AssertRefused(Killer, false);
    }

    [Fact]
    public void BackAfterItsTermWithAnotherSentBehindIt_TakesTwoDeaths()
    {
        KillTwiceWith(Killer);
        Run(61);
        Ask(3, Killer);
        Ask(3, QueryFor("behind"));
        KillWhoHas(Killer);
        Assert.Equal(1, Count(Counter.QuarantinesBegun));

        Answer(QueryFor("behind"));
        KillWhoHas(Killer);

        Assert.Equal(2, Count(Counter.QuarantinesBegun));
        Assert.Equal(Seconds(120), Log.Last<LogEvent.QueryQuarantined>().Term);
    }

    [Fact]
    public void AMinuteAfterADeath_NothingIsRememberedAndNoTimerArmed()
    {
        Run(1);
        var armed = Balancer.Core.TimerCount;
        Ask(1, Killer);
        KillWhoHas(Killer);
        Run(50);
        Assert.Equal(armed + 1, Balancer.Core.TimerCount);
        Run(12);

        Assert.Equal(armed, Balancer.Core.TimerCount);
    }

    [Fact]
    public void RepliesLongAfterADeath_CostWhatTheyDidBefore()
    {
        var timers = new Timers();
        var services = new Services(Kernel.Network, new StreamOwners(), timers, new Counters(),
            Log, NoWarmUp, TurnLimits.Standard);
        var quarantine = new Quarantine(services);
        var queries = new InFlight(services, new QueryPairs(), quarantine);
        var died = Instant.Zero + Seconds(5);
        queries.Add(died, new Query(Client(1), Ipv4.Any, died), Killer, 0);
        var wanted = () => Enumerable.Range(0, 80).Count(_ => quarantine.WantsAnswer());
        Assert.Equal(10, wanted());

        var backend = new Backend(services, null!, null!, new FlushList(), null!,
            new QueryPairs(), quarantine, new BackendId(1), 1, "d"u8, "b"u8);
        quarantine.OnDeath(died, backend, queries, new LinkedList<FirstMessage>());
        Assert.Equal(80, wanted());
        queries.OnSessionEnded();
        timers.RunDue(died + Seconds(61), 10);

        Assert.Equal(10, wanted());
        Assert.Equal(0, timers.Count);
    }
}
