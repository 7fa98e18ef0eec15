// Owns the making of a scenario's clients: who asks what and when, over UDP and over TCP.
//
// What always holds: ids are unique among all clients; a client's queries are in the order of time
// and at most MaxQueries; floods come from addresses that no other client has. Most of the TCP
// clients are hosts that ask over UDP too.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Makes clients.</summary>
internal static class GeneratedClients
{
    private const int PlanPurpose = 1;
    private const int SpecialPurpose = 2;
    private const int MaxQueries = 200;
    private const int MaxFloods = 20;

    /// <summary>Hosts that ask over TCP, of those that ask over UDP and of others.</summary>
    private const int ManyHosts = 30;
    private const int FewHosts = 2;

    /// <summary>TCP clients' ids begin here.</summary>
    private const int FirstTcpId = 1000;

    /// <summary>Bytes of an answer over TCP, at least.</summary>
    private const int AnswerBytes = 40;

    /// <summary>A buffer of more bytes than this takes too many events to fill.</summary>
    private const int MostToFill = 16_384;

    private const long Ms = 1_000_000;

    private static readonly Duration AroundExpiry = Duration.FromSeconds(295L);

    public static ImmutableArray<UdpClientPlan> MakeUdp(GeneratedWorld world, int count)
    {
        var plans = ImmutableArray.CreateBuilder<UdpClientPlan>(count);
        for (var id = 0; id < count; id++)
            plans.Add(UdpClient(world, id));
        return plans.MoveToImmutable();
    }

    public static ImmutableArray<TcpClientPlan> MakeTcp(
        GeneratedWorld world, int count, int udpClients, KernelPlan kernel)
    {
        // A limit for each client is met by those who come again and again.
        var isLimited = kernel.TcpConnectionsPerClient < Limits.TcpConnectionsPerClient;
        var otherHosts = isLimited ? FewHosts : ManyHosts;
        var plans = new List<TcpClientPlan>(count);
        for (var n = 0; n < count; n++)
        {
            var plan = TcpClient(world, FirstTcpId + n, udpClients, otherHosts);
            if (world.Profile != Profile.Calm)
                plan = Special(world, plan, n, count, kernel.TcpBufferBytes);
            plans.Add(plan);
        }
        return [.. plans.OrderBy(plan => plan.At).ThenBy(plan => plan.Id)];
    }

    private static UdpClientPlan UdpClient(GeneratedWorld world, int id)
    {
        var random = world.Stream(Streams.UdpClient, id, PlanPurpose);
        var isCalm = world.Profile == Profile.Calm;
        var retries = isCalm | random.Chance(3, 4);
        var floods = random.Chance(1, 12) && !isCalm;
        var isSelf = random.Chance(1, 60) && !isCalm;
        var address = isSelf ? Special(id)
            : floods ? Ipv4.From(172, (byte)(16 + id), 0, 1)
            : Ipv4.From(10, 1, (byte)(id >> 8), (byte)(id + 1));
        return new UdpClientPlan(
            id, address, retries, MakeQueries(world, random, id, floods));
    }

    /// <summary>The balancer's own addresses, and some that no host has.</summary>
    private static Ipv4 Special(int id) => (id % 5) switch
    {
        0 => Ipv4.From(10, 99, 99, 1),
        1 => Ipv4.Loopback,
        2 => Ipv4.Any,
        3 => Ipv4.From(224, 0, 0, (byte)(id + 1)),
        _ => Ipv4.From(255, 255, 255, 255),
    };

    private static ImmutableArray<QueryPlan> MakeQueries(
        GeneratedWorld world, SimRandom random, int id, bool floods)
    {
        var queries = ImmutableArray.CreateBuilder<QueryPlan>();
        var ports = random.LogUniform(1, 64);
        var odd = world.Profile == Profile.Calm || random.Chance(1, 2)
            ? 0 : random.LogUniform(1, 32);
        // The mean time between two, 300 ms to 30 s.
        var mean = random.LogUniform(300, 30_000) * Ms;
        var most = floods ? MaxFloods : MaxQueries;
        var quietAt = random.Chance(1, 4) ? random.Next(1, 20) : -1;
        var at = world.Profile == Profile.Calm
            ? Instant.Zero + Duration.FromSeconds(3L) + random.NextDuration(
                Duration.Zero, Duration.FromSeconds(5L))
            : random.Moment(Instant.Zero, Instant.Zero + new Duration(mean));
        // The last seconds take no new queries, so that retries can end before the run does, unless
        // the stop is to come in the middle of it all.
        var last = world.GoesOn(random)
            ? world.LastMoment : Before(world.End, Duration.FromSeconds(10L));
        while (at < last && queries.Count < most)
        {
            queries.Add(MakeQuery(random, at, id, ports, odd, floods));
            var isBurst = random.Chance(1, 20);
            at += isBurst ? new Duration(random.Next(3) * 1000L)
                : random.NextDuration(Duration.Zero, new Duration(mean * 2));
            if (queries.Count == quietAt)
                at += AroundExpiry + random.NextDuration(
                    Duration.Zero, Duration.FromSeconds(10L));
        }
        return queries.ToImmutable();
    }

    private static QueryPlan MakeQuery(
        SimRandom random, Instant at, int id, int ports, int odd, bool floods)
    {
        var port = (ushort)(20_000 + id * 64 + random.Next(ports));
        var isOdd = random.Next(32) < odd;
        var kind = random.Pick<QueryKind>(
            [QueryKind.Question, QueryKind.Garbage, QueryKind.Response]);
        var bytes = random.Pick<int>([0, 1, 2, 3, 11, 12, 512, 1500, 1501, 1600, 2048, 65_507]);
        var what = random.Next(4);
        if (floods)
        {
            // Large ones fill a queue to its last byte.
            var size = random.Chance(1, 4) ? 1400 : 40;
            return new QueryPlan(at, port, kind, size, random.LogUniform(2, 1024));
        }
        if (!isOdd)
            return new QueryPlan(at, port, QueryKind.Question, 0);
        return what switch
        {
            0 => new QueryPlan(at, OddPort(bytes), QueryKind.Question, 0),
            1 => new QueryPlan(at, 53, QueryKind.Question, 0),
            _ => new QueryPlan(at, port, kind, bytes),
        };
    }

    /// <summary>Nobody's, or one where something answers anything.</summary>
    private static ushort OddPort(int drawn) => drawn switch
    {
        512 => 7,
        1600 => 13,
        1500 => 17,
        1501 => 19,
        2048 => 37,
        65_507 => 464,
        _ => 0,
    };

    private static TcpClientPlan TcpClient(
        GeneratedWorld world, int id, int udpClients, int otherHosts)
    {
        var random = world.Stream(Streams.TcpClient, id, PlanPurpose);
        var isCalm = world.Profile == Profile.Calm;
        var earliest = isCalm ? Instant.Zero + Duration.FromSeconds(3L) : Instant.Zero;
        var at = world.GoesOn(random)
            ? random.Moment(Before(world.End, Duration.FromSeconds(6L)), world.LastMoment)
            : random.Moment(earliest, Before(world.End, Duration.FromSeconds(20L)));
        var queries = random.Chance(1, 10) ? random.LogUniform(1, 100) : random.Next(0, 4);
        var chunk = random.Chance(1, 4) ? random.LogUniform(1, 32) : 65_536;
        var manner = (TcpManner)random.Next((int)TcpManner.Leaves + 1);
        var after = new Duration(random.LogUniform(1, 60_000) * Ms);
        if (isCalm)
            (manner, queries) = (TcpManner.Proper, Math.Max(1, queries));
        // Hosts that ask over UDP too, or a few others; ports of their own.
        var alsoUdp = random.Chance(3, 4);
        var host = (byte)(1 + random.Next(alsoUdp ? Math.Min(udpClients, otherHosts) : otherHosts));
        var address = Ipv4.From(10, (byte)(alsoUdp ? 1 : 2), 0, host);
        return new TcpClientPlan(
            id, address, (ushort)(10_000 + id), at, queries, chunk, manner, after);
    }

    /// <summary>
    /// The first client often comes before any backend has said hello. Two more send bytes that ask
    /// nothing. The last two often ask so much that the answers to the one, and the questions of
    /// the other, do not fit into what the kernel and the balancer hold.
    /// </summary>
    private static TcpClientPlan Special(
        GeneratedWorld world, TcpClientPlan plan, int n, int count, int bufferBytes)
    {
        var random = world.Stream(Streams.TcpClient, plan.Id, SpecialPurpose);
        var isSpecial = random.Chance(3, 4);
        var many = (bufferBytes + Limits.TcpQueueBytes) / AnswerBytes + random.Next(10, 50);
        var some = random.LogUniform(20, 500);
        return (count - 1 - n, isSpecial) switch
        {
            (0, true) when bufferBytes <= MostToFill => plan with
            {
                Queries = many,
                ChunkBytes = 65_536,
                Manner = TcpManner.NeverReads,
            },
            (1, true) => plan with
            {
                Queries = some,
                ChunkBytes = 65_536,
                Manner = TcpManner.HalfClosesEarly,
            },
            ( > 1, true) when n == 0 => plan with { At = Instant.Zero },
            ( > 1, true) when n <= 2 => plan with
            {
                Queries = n,
                Manner = TcpManner.Trickles,
                After = new Duration(random.LogUniform(200, 20_000) * Ms),
            },
            _ => plan,
        };
    }

    /// <summary>So long before the end, but not in the first half of a run.</summary>
    private static Instant Before(Instant end, Duration time) =>
        Instant.Max(end - time, new Instant(end.Nanoseconds / 2));
}
