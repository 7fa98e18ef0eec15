// Owns the making of queries that end the backend that reads them: one host asks one or two such
// questions now and then, and asks again at once when there is no answer, while others go on. Often
// another host asks the same over TCP, and one question that nobody asks over UDP; sometimes in
// pieces, padded, behind another question or empty messages, or without waiting for what becomes of
// it. Now and then the questions do not end a backend, but hang it.
//
// Who asks them may try to have somebody else refused, or to be taken for another each time: the
// same question in capitals, which is answered; other flags, another class, a cookie, bytes behind
// the message; a question that nobody answers a moment later; two killers at once; and over TCP a
// question that is answered late in front; or one more often than the balancer remembers what
// differs.
//
// What always holds: hosts and draws are its own, so the rest of a scenario is what it is
// without it; the last one comes some time before chaos ends, when every backend must be well.

using System;
using System.Collections.Generic;
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
    private const int TrickPurpose = 12;
    private const int TcpTrickPurpose = 13;
    private const int BurstPurpose = 14;
    private const int ClassPurpose = 15;
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
        var tricks = new Tricks(world.Stream(Streams.Backend, 0, TrickPurpose),
            world.Stream(Streams.Backend, 0, BurstPurpose),
            world.Stream(Streams.Backend, 0, ClassPurpose));
        var queries = new List<QueryPlan>();
        for (var n = 0; at < last && n < MostQueries; n++)
        {
            queries.AddRange(tricks.Ask(new QueryPlan(at, port, QueryKind.Killer,
                first + random.Next(kinds))));
            at += Duration.FromMilliseconds(random.Chance(3, 4)
                ? random.LogUniform(1, 2_000) : random.LogUniform(1_000, 90_000));
        }
        scenario = scenario with
        {
            UdpClients = [.. scenario.UdpClients,
                host([.. queries.OrderBy(query => query.At)])],
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
        var tricks = world.Stream(Streams.Backend, 0, TcpTrickPurpose);
        var waits = tricks.Chance(1, 3);
        var tcp = scenario.TcpClients.ToList();
        var at = Instant.Zero + random.NextDuration(
            Duration.FromSeconds(4L), Duration.FromSeconds(40L));
        for (var n = 0; n < MostQueries && at < last; n++)
        {
            var manner = random.Pick<TcpManner>(
                [TcpManner.Proper, TcpManner.Proper, TcpManner.HalfClosesEarly, TcpManner.Resets]);
            var queries = random.Chance(4, 5) ? 1 : 2;
            var late = waits && tricks.Chance(1, 2) ? tricks.LogUniform(5, 3_000) : 0;
            var chunk = random.Chance(1, 4) ? random.LogUniform(1, 32) : 65_536;
            var after = new Duration(random.LogUniform(1, 3_000) * Ms);
            tcp.Add(new TcpClientPlan(FirstTcpId + n, Ipv4.From(10, 5, 0, 1),
                (ushort)(10_000 + FirstTcpId + n), at, late > 0 ? 2 : queries, chunk, manner,
                after,
                Killer: 1 + first + random.Next(kinds + 1),
                Padding: random.Chance(1, 4) ? random.LogUniform(1, 8_000) : 0,
                Empty: random.Chance(1, 4) ? random.Next(1, 4) : 0,
                Late: Duration.FromMilliseconds(late)));
            at += Duration.FromMilliseconds(random.Chance(3, 4)
                ? random.LogUniform(1, 2_000) : random.LogUniform(1_000, 90_000));
        }
        return scenario with
        {
            TcpClients = [.. tcp.OrderBy(plan => plan.At).ThenBy(plan => plan.Id)],
        };
    }

    /// <summary>What is tried along with a killer; each is off in half of the scenarios.</summary>
    private sealed class Tricks(SimRandom random, SimRandom bursts, SimRandom classes)
    {
        /// <summary>Of what it takes for one query, the balancer remembers 16 forms.</summary>
        private const int LeastOfABurst = 17;
        private const int MostOfABurst = 40;
        private const int LeastTailOfABurst = 4;

        private const int Cookie = 16;
        private const int FirstFlag = 32;
        private const int Flags = 16;

        private readonly bool _hasDecoys = random.Chance(1, 2);
        private readonly bool _hasTails = random.Chance(1, 2);
        private readonly bool _hasCookies = random.Chance(1, 2);
        private readonly bool _hasFlags = random.Chance(1, 2);
        private readonly bool _hasInnocent = random.Chance(1, 2);
        private readonly bool _hasTwo = random.Chance(1, 4);
        private readonly bool _hasBursts = bursts.Chance(1, 2);
        private readonly bool _hasClasses = classes.Chance(1, 2);

        public IEnumerable<QueryPlan> Ask(QueryPlan killer)
        {
            if (_hasDecoys && random.Chance(1, 2))
            {
                yield return killer with
                {
                    At = killer.At - new Duration(random.Next(0, 1_000) * Ms),
                    Kind = QueryKind.Decoy,
                };
            }
            yield return killer with { Variant = Variant() };
            if (_hasBursts && bursts.Chance(1, 4))
            {
                for (var n = bursts.Next(LeastOfABurst, MostOfABurst + 1); n > 0; n--)
                {
                    yield return killer with
                    {
                        Variant = bursts.Next(LeastTailOfABurst, DnsQuestions.LongestTail + 1),
                    };
                }
            }
            if (_hasTwo && random.Chance(1, 2))
                yield return killer with { Bytes = killer.Bytes + 1, Variant = Variant() };
            if (_hasInnocent && random.Chance(1, 2))
            {
                yield return killer with
                {
                    At = killer.At + new Duration(random.Next(0, 5) * Ms),
                    Kind = QueryKind.Dropped,
                };
            }
        }

        private int Variant() =>
            (_hasTails && random.Chance(1, 2) ? random.Next(1, DnsQuestions.LongestTail) : 0)
            + (_hasCookies && random.Chance(1, 2) ? Cookie : 0)
            + (_hasFlags && random.Chance(1, 2) ? FirstFlag * random.Next(Flags) : 0)
            + (_hasClasses && classes.Chance(1, 2) ? DnsQuestions.AnotherClass : 0);
    }
}
