// Owns what chance hardly ever brings to one instant. In some seeds a few hosts and faults are
// moved, so that they come when deadlines of the balancer are due (those that count from its
// start: scans, expiries, rebalances; heartbeats of backends that were there at the start), or a
// nanosecond before or after, or at one instant with each other. Around the stop there is a burst
// of more than a turn takes; in seeds that are stopped amid chaos also receives that fail before
// it, a standstill across it or across the second stop. And an operator asks for two things within
// a millisecond.
//
// What always holds: streams, ids and hosts of bursts are its own; what is moved keeps its order
// and the times between its parts.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Makes things happen at one instant.</summary>
internal static class GeneratedMeetings
{
    private const int MeetingPurpose = 11;

    /// <summary>Of each kind, the ids of faults that are added here begin here.</summary>
    private const int FirstOfEpisode = 700;

    private const int MostPairs = 4;

    private static readonly long[] Periods = [5, 15, 30, 300];

    /// <summary>The host of a number and its queries are what `host` makes of them.</summary>
    public static Scenario AddTo(GeneratedWorld world, Scenario scenario,
        Func<int, ImmutableArray<QueryPlan>, UdpClientPlan> host)
    {
        if (world.Profile is Profile.Calm or Profile.Restart)
            return scenario;
        var random = world.Stream(Streams.Fault, 0, MeetingPurpose);
        var moves = random.Chance(1, 4);
        var asksInPairs = random.Chance(1, 6);
        var burstsAtStop = random.Chance(1, 6);
        var standsStillAtStop = random.Chance(1, 4) && world.HealAt > world.End;
        if (moves)
            scenario = Moved(world, scenario);
        var faults = new List<FaultPlan>();
        if (asksInPairs)
            AddPairs(world, random, faults);
        if (standsStillAtStop)
            AddAroundTheStop(world, scenario, random, faults);
        return scenario.Adding(
            faults, burstsAtStop ? [host(0, BurstAtTheStop(world, random))] : []);
    }

    /// <summary>
    /// Half of the hosts' and of the faults' are at instants of interest. A host's do not hang on
    /// what faults there are, so one that is left out moves no others.
    /// </summary>
    private static Scenario Moved(GeneratedWorld world, Scenario scenario)
    {
        var clients = scenario.UdpClients.Select(client => Moved(world, client)).ToImmutableArray();
        var hosts = clients.Where(client => client.Id < GeneratedEpisodes.FirstUdpId
            && client.Queries.Length > 0).ToArray();
        var faults = scenario.Faults.Select(fault => Moved(world, fault, hosts));
        return scenario with
        {
            Faults = [.. faults.OrderBy(fault => fault.At).ThenBy(fault => fault.Id)],
            UdpClients = clients,
        };
    }

    /// <summary>It begins at a deadline, or when a host asks.</summary>
    private static FaultPlan Moved(GeneratedWorld world, FaultPlan fault, UdpClientPlan[] hosts)
    {
        var random = world.Stream(Streams.Fault, fault.Id, MeetingPurpose);
        if (random.Chance(1, 2))
            return fault;
        if (hosts.Length == 0 || random.Chance(1, 2))
            return fault with { At = NearDeadline(world, fault.At, random) };
        var host = random.Pick<UdpClientPlan>(hosts);
        var asks = host.Queries[random.Next(host.Queries.Length)].At;
        return asks < world.HealAt ? fault with { At = asks } : fault;
    }

    /// <summary>One of its queries comes at a deadline.</summary>
    private static UdpClientPlan Moved(GeneratedWorld world, UdpClientPlan client)
    {
        var random = world.Stream(Streams.UdpClient, client.Id, MeetingPurpose);
        if (client.Queries.IsEmpty || random.Chance(1, 2))
            return client;
        var query = client.Queries[random.Next(client.Queries.Length)];
        var by = NearDeadline(world, query.At, random) - query.At;
        return client.Queries[0].At + by < Instant.Zero
            ? client
            : client with
            {
                Queries = [.. client.Queries.Select(each => each with { At = each.At + by })],
            };
    }

    /// <summary>At a deadline that counts from the start, or a nanosecond beside it.</summary>
    private static Instant NearDeadline(GeneratedWorld world, Instant at, SimRandom random)
    {
        var period = Duration.FromSeconds(random.Pick<long>(Periods)).Nanoseconds;
        var beside = random.Next(3) - 1;
        var near = new Instant(at.Nanoseconds / period * period + beside);
        return near > Instant.Zero && near < world.HealAt ? near : at;
    }

    private static void AddPairs(GeneratedWorld world, SimRandom random, List<FaultPlan> faults)
    {
        for (var pairs = random.Next(1, MostPairs + 1); pairs > 0; pairs--)
        {
            var at = random.Moment(Instant.Zero, Instant.Min(world.HealAt, world.End));
            for (var n = 0; n < 2; n++)
            {
                var kind = random.Chance(1, 2)
                    ? FaultKind.OperatorRescan : FaultKind.OperatorStatus;
                Add(world, faults, kind, at, Duration.Zero);
                at += new Duration(random.Next(1_000_000));
            }
        }
    }

    private static void AddAroundTheStop(GeneratedWorld world, Scenario scenario, SimRandom random,
        List<FaultPlan> faults)
    {
        var isAtSecond = random.Chance(1, 2) && scenario.StopAgain > Duration.Zero;
        var stop = world.End + (isAtSecond ? scenario.StopAgain : Duration.Zero);
        var before = Duration.FromMilliseconds(random.LogUniform(1, 1_000));
        var after = Duration.FromMilliseconds(random.LogUniform(1, 6_000));
        Add(world, faults, FaultKind.ClockStall, stop - before, before + after);
        Add(world, faults, FaultKind.UdpReceiveFails,
            world.End - Duration.FromMilliseconds(random.LogUniform(1, 50)), Duration.Zero,
            random.LogUniform(1, 20));
    }

    private static void Add(GeneratedWorld world, List<FaultPlan> faults, FaultKind kind,
        Instant at, Duration length, long amount = 0)
    {
        if (world.Allows(kind) && at < world.HealAt)
        {
            var id = GeneratedFaults.IdOfEpisode(
                kind, FirstOfEpisode + faults.Count(fault => fault.Kind == kind));
            faults.Add(new FaultPlan(id, at, length, kind, -1, amount));
        }
    }

    /// <summary>More than a turn takes, at the stop or just before or after it.</summary>
    private static ImmutableArray<QueryPlan> BurstAtTheStop(GeneratedWorld world, SimRandom random)
    {
        var most = Limits.DatagramsPerBatch * TurnLimits.Standard.DatagramBatchesPerTurn;
        var at = world.End + Duration.FromMilliseconds(random.Next(3) - 1);
        var count = random.Next(most - 1, most * 3);
        var port = (ushort)(32_000 + random.Next(64));
        return
        [
            .. Enumerable.Range(0, count).Select(
                _ => new QueryPlan(at, port, QueryKind.Question, 0)),
        ];
    }
}
