// Owns what many must do at one moment, so that it happens at all: what the generator draws for
// each entity by itself hardly ever meets. In a rush one host's many TCP connections, a few of
// others, and bursts over UDP come at the same instant, and backends answer each query many times:
// it is more than a turn of the balancer may do. In a jam, shortly before chaos ends, core backends
// read nothing for some seconds while a few hosts ask all the time, and then go on in the same
// session. Pauses are GeneratedPauses', queries
// that end backends GeneratedKillers', backends that are wrong GeneratedErrors', standstills of
// everybody GeneratedStandstills', and what is moved to one instant GeneratedMeetings'.
//
// What always holds: episodes have streams of their own, ids of their own and hosts of their own,
// so the rest of a scenario is what it is without them, but for the sizes of buffers, for faults
// that would end a jam, and for what is moved; a rush is some ten thousand events, whatever else
// the seed has.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>Adds episodes to a scenario.</summary>
internal static class GeneratedEpisodes
{
    private const int RushPurpose = 5;
    private const int JamPurpose = 6;

    public const int FirstUdpId = 500;
    private const int FirstTcpId = 3000;

    /// <summary>Replies that flooding backends may make of all queries, about.</summary>
    private const int MostReplies = 24_000;

    /// <summary>Each is more than one turn takes, and what it leaves waits for the next.</summary>
    private const int BurstsOfARush = 2;
    private const int QueriesOfABurst = 40;
    private const int HostsOfABurst = 4;
    private const long Ms = 1_000_000;

    public static Scenario AddTo(GeneratedWorld world, Scenario scenario) =>
        AddMeetings(world, AddStandstills(world, AddErrors(world, AddKillers(world, AddPauses(
            world, AddJam(world, AddRushes(world, scenario)))))));

    private static Scenario AddMeetings(GeneratedWorld world, Scenario scenario)
    {
        var before = scenario.UdpClients.Count(IsOurs);
        return GeneratedMeetings.AddTo(
            world, scenario, (n, queries) => UdpHost(before + n, queries));
    }

    private static Scenario AddStandstills(GeneratedWorld world, Scenario scenario)
    {
        var before = scenario.UdpClients.Count(IsOurs);
        return GeneratedStandstills.AddTo(
            world, scenario, (n, queries) => UdpHost(before + n, queries));
    }

    private static Scenario AddErrors(GeneratedWorld world, Scenario scenario)
    {
        var before = scenario.UdpClients.Count(IsOurs);
        return GeneratedErrors.AddTo(
            world, scenario, (n, queries) => UdpHost(before + n, queries));
    }

    private static Scenario AddKillers(GeneratedWorld world, Scenario scenario)
    {
        var before = scenario.UdpClients.Count(IsOurs);
        return GeneratedKillers.AddTo(world, scenario, queries => UdpHost(before, queries));
    }

    private static Scenario AddPauses(GeneratedWorld world, Scenario scenario)
    {
        var before = scenario.UdpClients.Count(IsOurs);
        return GeneratedPauses.AddTo(
            world, scenario, (n, queries) => UdpHost(before + n, queries));
    }

    // ---- Rushes ----

    private static Scenario AddRushes(GeneratedWorld world, Scenario scenario)
    {
        var random = world.Stream(Streams.Backend, 0, RushPurpose);
        var isThere = world.Profile switch
        {
            Profile.Swarm or Profile.Udp => random.Chance(1, 5),
            Profile.Tcp => random.Chance(1, 2),
            _ => false,
        };
        if (!isThere)
            return scenario;
        // One when backends have just said hello, and one whenever.
        var early = Instant.Zero + random.NextDuration(
            Duration.FromSeconds(2L), Duration.FromSeconds(4L));
        Instant[] times = [early, random.Moment(early, Instant.Min(world.HealAt, world.End))];
        var udp = scenario.UdpClients.ToList();
        var tcp = scenario.TcpClients.ToList();
        foreach (var at in times)
        {
            udp.AddRange(RushOverUdp(random, at, udp.Count(IsOurs)));
            if (world.Profile != Profile.Udp)
                tcp.AddRange(RushOverTcp(random, at, tcp.Count(IsOurs)));
        }
        var backends = scenario.Backends;
        if (world.AllowsScripts)
            backends = Flooding(random, backends, udp);
        return scenario with
        {
            Backends = backends,
            UdpClients = [.. udp],
            TcpClients = [.. tcp.OrderBy(plan => plan.At).ThenBy(plan => plan.Id)],
            Kernel = scenario.Kernel with
            {
                TcpBufferBytes = random.Pick<int>([8_192, 16_384, 65_536]),
                MaxReadBytes = int.MaxValue,
                MaxWriteBytes = int.MaxValue,
            },
        };
    }

    private static bool IsOurs(UdpClientPlan plan) => plan.Id >= FirstUdpId;

    private static bool IsOurs(TcpClientPlan plan) => plan.Id >= FirstTcpId;

    /// <summary>Four hosts that ask in bursts, 1 ms apart.</summary>
    private static IEnumerable<UdpClientPlan> RushOverUdp(SimRandom random, Instant at, int before)
    {
        for (var host = 0; host < HostsOfABurst; host++)
        {
            var queries = ImmutableArray.CreateBuilder<QueryPlan>();
            for (var n = 0; n < BurstsOfARush * QueriesOfABurst; n++)
            {
                queries.Add(new QueryPlan(
                    at + new Duration(n / QueriesOfABurst * Ms),
                    (ushort)(20_000 + random.Next(64)), QueryKind.Question, 0));
            }
            yield return UdpHost(before + host, queries.ToImmutable());
        }
    }

    private static UdpClientPlan UdpHost(int number, ImmutableArray<QueryPlan> queries) => new(
        FirstUdpId + number, Ipv4.From(10, 3, 0, (byte)(1 + number)), Retries: true, queries);

    /// <summary>One host has as many connections as fill some turns; three have a few.</summary>
    private static IEnumerable<TcpClientPlan> RushOverTcp(SimRandom random, Instant at, int before)
    {
        var id = FirstTcpId + before;
        var chunk = random.Pick<int>([1_024, 4_096, 65_536]);
        int[] connections =
            [random.Next(40, 60), random.Next(1, 4), random.Next(1, 4), random.Next(1, 4)];
        for (var host = 0; host < connections.Length; host++)
        {
            for (var n = 0; n < connections[host]; n++)
            {
                var manner = random.Chance(1, 4) ? TcpManner.HalfClosesEarly : TcpManner.Proper;
                yield return new TcpClientPlan(id, Ipv4.From(10, 4, 0, (byte)(1 + host)),
                    (ushort)(10_000 + id), at, random.Next(60, 300), chunk, manner, Duration.Zero);
                id++;
            }
        }
    }

    /// <summary>Most backends give each reply several times.</summary>
    private static ImmutableArray<BackendPlan> Flooding(SimRandom random,
        ImmutableArray<BackendPlan> backends, IEnumerable<UdpClientPlan> clients)
    {
        var asked = clients.Sum(client => client.Queries.Sum(query => query.Copies));
        var more = Math.Min(random.Next(10, 40), MostReplies / asked);
        return more < 3 ? backends
            :
            [
                .. backends.Select(plan => random.Chance(3, 4)
                    ? plan with { Script = plan.Script with { DuplicateReplies = more } }
                    : plan),
            ];
    }

    // ---- Jams ----

    /// <summary>
    /// Small queries, one at a time, fill a backend's stream to its last byte; a session that took
    /// nothing for 15 s would be at fault, so these pauses are shorter.
    /// </summary>
    private static Scenario AddJam(GeneratedWorld world, Scenario scenario)
    {
        var random = world.Stream(Streams.Backend, 0, JamPurpose);
        var isThere = random.Chance(1, 3) && world.Allows(FaultKind.BackendPause)
            && world.Profile != Profile.Restart;
        var last = random.NextDuration(Duration.FromSeconds(10L), Duration.FromSeconds(13L));
        var buffer = random.LogUniform(4_096, 16_384);
        var deaf = DrawDeaf(random, scenario.Backends);
        var from = world.HealAt - last;
        if (!isThere || world.HealAt > world.End || from < Instant.Zero + Duration.FromSeconds(5L))
            return scenario;
        // What would end their sessions meanwhile would end the jam with them.
        var jammed = scenario.Backends.Where(
            plan => plan.IsCore && plan.Script == Misbehaviour.None).ToImmutableArray();
        var faults = scenario.Faults.Where(fault => fault.At < from
            || !(fault.Kind == FaultKind.StreamReset
                || jammed.Any(plan => plan.Id == fault.Target))).ToList();
        foreach (var backend in jammed)
        {
            var at = from + random.NextDuration(Duration.Zero, Duration.FromSeconds(2L));
            var length = random.NextDuration(Duration.FromSeconds(3L), Duration.FromSeconds(7L));
            faults.Add(new FaultPlan(
                GeneratedFaults.IdOfEpisode(FaultKind.BackendPause, backend.Id), at, length,
                FaultKind.BackendPause, backend.Id));
        }
        var before = scenario.UdpClients.Count(IsOurs);
        return scenario with
        {
            Kernel = scenario.Kernel with { UnixBufferBytes = buffer },
            Backends = world.AllowsScripts ? deaf : scenario.Backends,
            Faults = [.. faults.OrderBy(fault => fault.At).ThenBy(fault => fault.Id)],
            UdpClients =
            [
                .. scenario.UdpClients,
                .. Enumerable.Range(0, HostsOfABurst).Select(host =>
                    UdpHost(before + host, QueriesOfAJam(random, from, world.End))),
            ],
        };
    }

    /// <summary>Half of those that do not heal go deaf.</summary>
    private static ImmutableArray<BackendPlan> DrawDeaf(
        SimRandom random, ImmutableArray<BackendPlan> backends) =>
    [
        .. backends.Select(plan => !random.Chance(1, 2) | plan.IsCore ? plan : plan with
        {
            Script = Misbehaviour.None with
            {
                DeafAfter = random.Next(8),
                HeartbeatDelayNs = random.Chance(1, 2) ? random.Next(500, 14_500) * Ms : 0,
            },
        }),
    ];

    /// <summary>All the while, until some time after the backends read again.</summary>
    private static ImmutableArray<QueryPlan> QueriesOfAJam(
        SimRandom random, Instant from, Instant end)
    {
        var queries = ImmutableArray.CreateBuilder<QueryPlan>();
        var port = (ushort)(20_000 + random.Next(64));
        var at = from - Duration.FromSeconds(1L);
        var last = end - Duration.FromSeconds(10L);
        while (at < last && queries.Count < 200)
        {
            queries.Add(new QueryPlan(at, port, QueryKind.Question, 0));
            at += random.NextDuration(
                Duration.FromMilliseconds(100), Duration.FromMilliseconds(300));
        }
        return queries.ToImmutable();
    }
}
