// Owns the making of queries that end the backend that reads them: one host asks one or two such
// questions now and then, and asks again at once when there is no answer, while others go on.
//
// What always holds: the host and its draws are its own, so the rest of a scenario is what it is
// without it; the last one comes some time before chaos ends, when every backend must be well.

using System;
using System.Collections.Immutable;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Adds killers to a scenario.</summary>
internal static class GeneratedKillers
{
    private const int KillerPurpose = 8;
    private const int MostQueries = 40;
    private static readonly Duration BeforeTheEnd = Duration.FromSeconds(15L);

    public static Scenario AddTo(GeneratedWorld world, Scenario scenario,
        Func<ImmutableArray<QueryPlan>, UdpClientPlan> host)
    {
        var random = world.Stream(Streams.Backend, 0, KillerPurpose);
        var isThere = random.Chance(1, 6) && world.Profile != Profile.Calm
            && world.Allows(FaultKind.BackendCrash);
        var last = Instant.Min(world.HealAt, world.End) - BeforeTheEnd;
        var at = Instant.Zero + Duration.FromSeconds(4L);
        if (!isThere || last <= at)
            return scenario;
        var kinds = random.Next(1, 3);
        var port = (ushort)(random.Chance(1, 2) ? 31_000 : 31_001);
        var queries = ImmutableArray.CreateBuilder<QueryPlan>();
        while (at < last && queries.Count < MostQueries)
        {
            queries.Add(new QueryPlan(at, port, QueryKind.Killer, random.Next(kinds)));
            at += Duration.FromMilliseconds(random.Chance(3, 4)
                ? random.LogUniform(1, 2_000) : random.LogUniform(1_000, 90_000));
        }
        return scenario with { UdpClients = [.. scenario.UdpClients, host(queries.ToImmutable())] };
    }
}
