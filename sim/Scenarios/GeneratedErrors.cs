// Owns the making of backends that are up and wrong: from their start on they answer SERVFAIL to
// everything, for a while or for good, and some answer it after each start. A few hosts ask all the
// time, long enough that a share means something, and later others come for the first time.
// All backends may be restarted meanwhile, at one moment.
//
// What always holds: hosts, ids and draws are its own, so the rest of a scenario is what it is
// without it; the hosts have asked before chaos ends, when every core backend must be well.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Adds backends that answer errors to a scenario.</summary>
internal static class GeneratedErrors
{
    private const int ErrorPurpose = 9;
    private const int Hosts = 6;
    private const int LateHosts = 6;
    private const int QueriesOfAHost = 60;
    private const int QueriesOfALateHost = 3;

    /// <summary>Of the ids that episodes have of a kind, others have the lower ones.</summary>
    private const int FirstOfEpisode = 600;

    private const long Ms = 1_000_000;

    private static readonly Duration Least = Duration.FromSeconds(30L);

    /// <summary>The host of a number and its queries are what `host` makes of them.</summary>
    public static Scenario AddTo(GeneratedWorld world, Scenario scenario,
        Func<int, ImmutableArray<QueryPlan>, UdpClientPlan> host)
    {
        var random = world.Stream(Streams.Backend, 0, ErrorPurpose);
        var isThere = random.Chance(1, 4) && world.AllowsScripts;
        var earliest = Instant.Zero + Duration.FromSeconds(2L);
        var last = Instant.Min(world.HealAt, world.End) - Least;
        if (!isThere || last <= earliest)
            return scenario;
        var hosts = new List<UdpClientPlan>();
        var from = random.Moment(earliest, last);
        var gap = random.LogUniform(10, 400);
        for (var n = 0; n < Hosts; n++)
            hosts.Add(host(n, Queries(random, from, QueriesOfAHost, gap)));
        for (var n = 0; n < LateHosts; n++)
        {
            var at = from + random.NextDuration(Duration.Zero, Least);
            var late = host(Hosts + n, Queries(random, at, QueriesOfALateHost, gap));
            // One claims to be who the probes come from.
            hosts.Add(n > 0 ? late : late with { Address = SpecifiedLimits.ProbeSource.Address });
        }
        var together = Together(world, random, scenario.Backends, from);
        var backends = Wrong(random, scenario.Backends);
        return scenario.Adding(together, hosts) with { Backends = backends };
    }

    /// <summary>In half of them, all backends are restarted at one moment.</summary>
    private static List<FaultPlan> Together(GeneratedWorld world, SimRandom random,
        ImmutableArray<BackendPlan> backends, Instant from)
    {
        var isThere = random.Chance(1, 2) && world.Allows(FaultKind.BackendStop);
        var at = from + Duration.FromMilliseconds(random.Next(0, 4_000));
        var down = Duration.FromMilliseconds(random.LogUniform(10, 1_000));
        return isThere
            ? [.. backends.Select(plan => new FaultPlan(
                GeneratedFaults.IdOfEpisode(FaultKind.BackendStop, FirstOfEpisode + plan.Id), at,
                down, FaultKind.BackendStop, plan.Id))]
            : [];
    }

    private static ImmutableArray<BackendPlan> Wrong(
        SimRandom random, ImmutableArray<BackendPlan> backends)
    {
        var oneIn = random.Next(2, 4);
        return
        [
            .. backends.Select(plan => random.Chance(1, oneIn)
                ? plan with
                {
                    Script = plan.Script with
                    {
                        ServfailForNs = random.Chance(1, 4)
                            ? random.LogUniform(30, 900) * Ms
                            : random.LogUniform(5, 900) * 1000 * Ms,
                        LoadForNs = random.Chance(1, 2) ? random.LogUniform(30, 3_000) * Ms : 0,
                    },
                }
                : plan),
        ];
    }

    private static ImmutableArray<QueryPlan> Queries(
        SimRandom random, Instant at, int count, int gap)
    {
        var queries = ImmutableArray.CreateBuilder<QueryPlan>();
        var port = (ushort)(32_000 + random.Next(64));
        for (var n = 0; n < count; n++)
        {
            queries.Add(new QueryPlan(at, port, QueryKind.Question, 0));
            at += Duration.FromMilliseconds(random.Next(1, gap));
        }
        return queries.ToImmutable();
    }
}
