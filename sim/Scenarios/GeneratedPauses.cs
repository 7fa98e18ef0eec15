// Owns the making of pauses: backends that do nothing for 50 ms to 2 s, as one does that collects
// its garbage, while a few hosts ask all the time. Each pauses once or again and again, alone or
// with all others, and some end while they pause, with queries in flight. One host asks without an
// id, so that many of its queries are alike.
//
// What always holds: a pause is over before a jam can begin; hosts, ids and draws are its own, so
// the rest of a scenario is what it is without it.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Adds pauses to a scenario.</summary>
internal static class GeneratedPauses
{
    private const int PausePurpose = 7;
    private const int MostPauses = 12;
    private const int Hosts = 3;
    private const int MostQueries = 150;
    private const int MostAlike = 40;

    /// <summary>Of the ids that episodes have of a kind, jams have the lower ones.</summary>
    private const int FirstOfEpisode = 300;

    private static readonly Duration BeforeTheEnd = Duration.FromSeconds(15L);

    private static readonly ImmutableArray<FaultKind> Ends =
    [
        FaultKind.BackendCrash, FaultKind.BackendReset, FaultKind.BackendEnd,
        FaultKind.BackendRebind, FaultKind.BackendStop,
    ];

    /// <summary>The host of a number and its queries are what `host` makes of them.</summary>
    public static Scenario AddTo(GeneratedWorld world, Scenario scenario,
        Func<int, ImmutableArray<QueryPlan>, UdpClientPlan> host)
    {
        var random = world.Stream(Streams.Backend, 0, PausePurpose);
        var isThere = random.Chance(1, 3) && world.Allows(FaultKind.BackendPause)
            && world.Profile != Profile.Restart;
        var earliest = Instant.Zero + Duration.FromSeconds(5L);
        var last = Instant.Min(world.HealAt, world.End);
        if (!isThere || last - earliest < BeforeTheEnd + BeforeTheEnd)
            return scenario;
        var pauses = DrawPauses(random, scenario.Backends, earliest, last - BeforeTheEnd);
        var faults = pauses.SelectMany(pause => FaultsOf(world, random, pause)).ToList();
        var times = pauses.Select(pause => pause.At).Distinct().ToList();
        return scenario.Adding(faults,
            Enumerable.Range(0, Hosts).Select(n => host(n, QueriesOf(random, times, n))));
    }

    private readonly record struct Pause(int Number, int Backend, Instant At, Duration For);

    private static List<Pause> DrawPauses(SimRandom random,
        ImmutableArray<BackendPlan> backends, Instant earliest, Instant last)
    {
        var pauses = new List<Pause>();
        var isAgain = random.Chance(2, 3);
        var together = random.Chance(1, 4);
        var target = backends[random.Next(backends.Length)].Id;
        var gap = random.LogUniform(100, 20_000);
        var at = random.Moment(earliest, last);
        for (var n = 0; n < (isAgain ? MostPauses : 1) && at < last; n++)
        {
            var length = Duration.FromMilliseconds(random.LogUniform(50, 2_000));
            foreach (var backend in backends.Where(plan => together || plan.Id == target))
                pauses.Add(new Pause(pauses.Count, backend.Id, at, length));
            at += length + Duration.FromMilliseconds(random.LogUniform(gap / 2 + 1, gap * 2));
        }
        return pauses;
    }

    /// <summary>A pause, and now and then an end of the backend in it.</summary>
    private static IEnumerable<FaultPlan> FaultsOf(
        GeneratedWorld world, SimRandom random, Pause pause)
    {
        var ends = random.Chance(1, 8);
        var how = random.Pick<FaultKind>(Ends.AsSpan());
        var after = random.NextDuration(Duration.Zero, pause.For);
        yield return new FaultPlan(IdOf(FaultKind.BackendPause, pause.Number), pause.At, pause.For,
            FaultKind.BackendPause, pause.Backend);
        if (!ends || !world.Allows(how))
            yield break;
        var isDown = how is FaultKind.BackendCrash or FaultKind.BackendStop;
        yield return new FaultPlan(IdOf(how, pause.Number), pause.At + after,
            isDown ? Duration.FromSeconds(1L) : Duration.Zero, how, pause.Backend);
    }

    private static int IdOf(FaultKind kind, int n) =>
        GeneratedFaults.IdOfEpisode(kind, FirstOfEpisode + n);

    /// <summary>Some just before and all through each pause.</summary>
    private static ImmutableArray<QueryPlan> QueriesOf(
        SimRandom random, List<Instant> pauses, int host)
    {
        var queries = ImmutableArray.CreateBuilder<QueryPlan>();
        var port = (ushort)(30_000 + host);
        var ofEach = Math.Max(4, MostQueries / pauses.Count);
        var at = Instant.Zero;
        foreach (var pause in pauses)
        {
            at = Instant.Max(at, pause - Duration.FromMilliseconds(20));
            for (var n = 0; n < ofEach && queries.Count < MostQueries; n++)
            {
                queries.Add(new QueryPlan(at, port, QueryKind.Question, 0));
                at += Duration.FromMilliseconds(random.LogUniform(1, 200));
            }
        }
        // Empty ones have no id, and a backend does not answer them.
        for (var n = 0; host == 0 && n < MostAlike; n++)
            queries.Add(new QueryPlan(at, port, QueryKind.Garbage, 0));
        return queries.ToImmutable();
    }
}
