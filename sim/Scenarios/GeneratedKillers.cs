// Owns the making of queries that end the backend that reads them: one host asks one or two such
// questions now and then, and asks again at once when there is no answer, while others go on. Often
// another host asks the same over TCP, and one question that nobody asks over UDP; sometimes in
// pieces, padded, behind another question or empty messages, or without waiting for what becomes of
// it. Now and then the questions do not end a backend, but hang it.
//
// What always holds: hosts and draws are its own, so the rest of a scenario is what it is
// without it; the last one comes some time before chaos ends, when every backend must be well.

using System;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Adds killers to a scenario.</summary>
internal static class GeneratedKillers
{
    private const int KillerPurpose = 8;
    private const int TcpPurpose = 9;
    private const int HangPurpose = 11;
    private const int MostQueries = 40;
    private const int FirstTcpId = 6000;
    private const long Ms = 1_000_000;
    private static readonly Duration BeforeTheEnd = Duration.FromSeconds(15L);

    public static Scenario AddTo(GeneratedWorld world, Scenario scenario,
        Func<ImmutableArray<QueryPlan>, UdpClientPlan> host)
    {
        var random = world.Stream(Streams.Backend, 0, KillerPurpose);
        var isThere = random.Chance(1, 6) && world.Profile != Profile.Calm
            && world.Allows(FaultKind.BackendCrash);
        var hangs = world.Stream(Streams.Backend, 0, HangPurpose).Chance(1, 3);
        var first = hangs ? DnsQuestions.FirstHanger : 0;
        var last = Instant.Min(world.HealAt, world.End) - BeforeTheEnd
            - (hangs ? DnsQuestions.HangTime : Duration.Zero);
        var at = Instant.Zero + Duration.FromSeconds(4L);
        if (!isThere || last <= at)
            return scenario;
        var kinds = random.Next(1, 3);
        var port = (ushort)(random.Chance(1, 2) ? 31_000 : 31_001);
        var queries = ImmutableArray.CreateBuilder<QueryPlan>();
        while (at < last && queries.Count < MostQueries)
        {
            queries.Add(new QueryPlan(at, port, QueryKind.Killer,
                first + random.Next(kinds)));
            at += Duration.FromMilliseconds(random.Chance(3, 4)
                ? random.LogUniform(1, 2_000) : random.LogUniform(1_000, 90_000));
        }
        scenario = scenario with
        {
            UdpClients = [.. scenario.UdpClients, host(queries.ToImmutable())],
        };
        return world.Profile == Profile.Udp
            ? scenario : AddTcp(world, scenario, first, kinds, last);
    }

    /// <summary>The kinds that are asked over UDP, and one more.</summary>
    private static Scenario AddTcp(
        GeneratedWorld world, Scenario scenario, int first, int kinds, Instant last)
    {
        var random = world.Stream(Streams.Backend, 0, TcpPurpose);
        if (!random.Chance(3, 4))
            return scenario;
        var tcp = scenario.TcpClients.ToList();
        var at = Instant.Zero + random.NextDuration(
            Duration.FromSeconds(4L), Duration.FromSeconds(40L));
        for (var n = 0; n < MostQueries && at < last; n++)
        {
            var manner = random.Pick<TcpManner>(
                [TcpManner.Proper, TcpManner.Proper, TcpManner.HalfClosesEarly, TcpManner.Resets]);
            var queries = random.Chance(4, 5) ? 1 : 2;
            var chunk = random.Chance(1, 4) ? random.LogUniform(1, 32) : 65_536;
            var after = new Duration(random.LogUniform(1, 3_000) * Ms);
            tcp.Add(new TcpClientPlan(FirstTcpId + n, Ipv4.From(10, 5, 0, 1),
                (ushort)(10_000 + FirstTcpId + n), at, queries, chunk, manner, after,
                Killer: 1 + first + random.Next(kinds + 1),
                Padding: random.Chance(1, 4) ? random.LogUniform(1, 8_000) : 0,
                Empty: random.Chance(1, 4) ? random.Next(1, 4) : 0));
            at += Duration.FromMilliseconds(random.Chance(3, 4)
                ? random.LogUniform(1, 2_000) : random.LogUniform(1_000, 90_000));
        }
        return scenario with
        {
            TcpClients = [.. tcp.OrderBy(plan => plan.At).ThenBy(plan => plan.Id)],
        };
    }
}
