// Owns the making of standstills of everybody, as when containers are frozen one after the other,
// or a whole machine is suspended: backends first, then the balancer, for 60 ms to 40 s, and then
// they go on in any order. Most go on within the time that is given after a standstill, and some
// later. Some stop so long before the balancer that a heartbeat is out by then. Standstills come
// once, or a few times in a row. A few hosts ask all the while.
//
// What always holds: a standstill is over before a jam can begin; hosts, ids and draws are its own,
// so the rest of a scenario is what it is without it.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Adds standstills to a scenario.</summary>
internal static class GeneratedStandstills
{
    private const int StandstillPurpose = 10;
    private const int Hosts = 2;
    private const int MostQueries = 60;
    private const int MostInARow = 8;

    /// <summary>Pauses have the ids below.</summary>
    private const int FirstOfEpisode = 600;

    private static readonly Duration BeforeTheEnd = Duration.FromSeconds(15L);

    /// <summary>The host of a number and its queries are what `host` makes of them.</summary>
    public static Scenario AddTo(GeneratedWorld world, Scenario scenario,
        Func<int, ImmutableArray<QueryPlan>, UdpClientPlan> host)
    {
        var random = world.Stream(Streams.Backend, 0, StandstillPurpose);
        var isThere = random.Chance(1, 4) && world.Allows(FaultKind.BackendPause)
            && world.Allows(FaultKind.ClockStall) && world.Profile != Profile.Restart;
        var earliest = Instant.Zero + Duration.FromSeconds(10L);
        var last = Instant.Min(world.HealAt, world.End) - BeforeTheEnd;
        if (!isThere || last - earliest < BeforeTheEnd)
            return scenario;
        var times = DrawTimes(random, earliest, last);
        var faults = new List<FaultPlan>();
        foreach (var (at, length) in times)
            AddOne(random, scenario.Backends, at, length, faults);
        return scenario.Adding(faults,
            Enumerable.Range(0, Hosts).Select(n => host(n, QueriesOf(random, times, n))));
    }

    private static List<(Instant At, Duration For)> DrawTimes(
        SimRandom random, Instant earliest, Instant last)
    {
        var times = new List<(Instant, Duration)>();
        var isAgain = random.Chance(1, 3);
        var at = random.Moment(earliest, last);
        var longest = isAgain ? 1_000 : 40_000;
        for (var n = 0; n < (isAgain ? MostInARow : 1) && at < last; n++)
        {
            var length = Duration.FromMilliseconds(random.LogUniform(60, longest));
            times.Add((at, length));
            at += length + Duration.FromMilliseconds(random.LogUniform(20, 2_000));
        }
        return times;
    }

    /// <summary>The balancer stands still, and most backends around that time.</summary>
    private static void AddOne(SimRandom random, ImmutableArray<BackendPlan> backends, Instant at,
        Duration length, List<FaultPlan> faults)
    {
        var before = Duration.FromMilliseconds(random.LogUniform(1, 8_000));
        foreach (var backend in backends)
        {
            var isStopped = random.Chance(5, 6);
            var after = Duration.FromMilliseconds(
                random.LogUniform(1, random.Chance(1, 4) ? 30_000 : 2_500));
            var from = at - random.NextDuration(Duration.Zero, before);
            if (isStopped)
                faults.Add(new FaultPlan(IdOf(FaultKind.BackendPause, faults), from,
                    at - from + length + after, FaultKind.BackendPause, backend.Id));
        }
        var isInterrupted = random.Chance(1, 3);
        faults.Add(new FaultPlan(IdOf(FaultKind.ClockStall, faults), at, length,
            FaultKind.ClockStall, -1, isInterrupted ? 2 : 0));
    }

    private static int IdOf(FaultKind kind, List<FaultPlan> faults)
    {
        var first = GeneratedFaults.IdOfEpisode(kind, FirstOfEpisode);
        return first + faults.Count(fault => fault.Kind == kind && fault.Id >= first);
    }

    /// <summary>Some before, through and after each.</summary>
    private static ImmutableArray<QueryPlan> QueriesOf(
        SimRandom random, List<(Instant At, Duration For)> times, int host)
    {
        var queries = ImmutableArray.CreateBuilder<QueryPlan>();
        var port = (ushort)(31_000 + host);
        var at = Instant.Zero;
        foreach (var (from, length) in times)
        {
            at = Instant.Max(at, from - Duration.FromMilliseconds(200));
            var gap = random.LogUniform(20, 500);
            for (var n = 0; at < from + length + Duration.FromSeconds(4L)
                && n < MostQueries / times.Count; n++)
            {
                queries.Add(new QueryPlan(at, port, QueryKind.Question, 0));
                at += Duration.FromMilliseconds(random.LogUniform(1, gap * 2));
            }
            at = Instant.Max(at, from + length);
            for (var n = 0; n < MostQueries / times.Count; n++)
            {
                queries.Add(new QueryPlan(at, port, QueryKind.Question, 0));
                at += Duration.FromMilliseconds(random.LogUniform(1, gap));
            }
        }
        return queries.ToImmutable();
    }
}
