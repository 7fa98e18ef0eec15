// Owns the single steps of the shrinker that change something instead of taking it away: each
// lists scenarios that are simpler than the given one in one place.
//
// What always holds: every scenario listed differs from the given one and is simpler by a measure
// that has an end - a time rounder or shorter, an amount smaller, a manner or a setting back at its
// default -
// so that keeping steps comes to an end; lists stay in the order of their times.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Shrinking;

internal static class Simplifications
{
    /// <summary>Gaps between times that Earlier tries to close, the widest of all.</summary>
    private const int GapsToClose = 8;

    /// <summary>A piece that every question fits.</summary>
    private const int WholeChunk = 65_536;

    private static readonly Duration[] Grains =
    [
        Duration.FromSeconds(10L), Duration.FromSeconds(1L), Duration.FromMilliseconds(100),
        Duration.FromMilliseconds(1),
    ];

    /// <summary>In the order in which they are tried.</summary>
    public static readonly ImmutableArray<Func<Scenario, IEnumerable<Scenario>>> All =
    [
        DefaultKernel, DefaultScripts, ShorterFaults, WeakerFaults, FewerTcpQueries, FewerCopies,
        PlainerQueries, PlainerTcpClients, RounderAmounts, ShorterRun, HealEarlier, Earlier,
        RounderFaults, RounderQueries, RounderTcpClients,
    ];

    /// <summary>
    /// Ends the run a second after the violation; null if that is no sooner. One that is found
    /// when the run ends needs all of its time, and stays.
    /// </summary>
    public static Scenario? EndAfter(Scenario scenario, Violation violation)
    {
        var end = violation.At + Duration.FromSeconds(1L);
        return end < scenario.End
            ? EndingAt(scenario, end)
            : null;
    }

    /// <summary>No client connects when the run is long over: that is refused.</summary>
    private static Scenario EndingAt(Scenario scenario, Instant end) => scenario with
    {
        End = end,
        HealAt = Instant.Min(scenario.HealAt, end),
        TcpClients = scenario.TcpClients.RemoveAll(
            client => client.At >= end + ScenarioFile.StopTakes),
    };

    /// <summary>
    /// Nothing that is planned for later than the end; null if there is nothing of the kind.
    /// </summary>
    public static Scenario? WithoutWhatIsAfterTheEnd(Scenario scenario)
    {
        var end = scenario.End;
        var left = scenario with
        {
            Faults = scenario.Faults.RemoveAll(fault => fault.At >= end),
            TcpClients = scenario.TcpClients.RemoveAll(client => client.At > end),
            UdpClients = [.. scenario.UdpClients
                .Select(client => client with
                {
                    Queries = client.Queries.RemoveAll(query => query.At > end),
                })
                .Where(client => client.Queries.Length > 0)],
        };
        return Size(left) < Size(scenario) ? left : null;
    }

    private static int Size(Scenario scenario) => scenario.Faults.Length
        + scenario.TcpClients.Length + scenario.UdpClients.Length
        + scenario.UdpClients.Sum(client => client.Queries.Length);

    /// <summary>These backends, and only the faults that are about them or about none.</summary>
    public static Scenario WithBackends(Scenario scenario, ImmutableArray<BackendPlan> backends) =>
        scenario with
        {
            Backends = backends,
            Faults = scenario.Faults.RemoveAll(fault => fault.Target >= 0
                && !backends.Any(backend => backend.Id == fault.Target)),
        };

    private static IEnumerable<Scenario> DefaultKernel(Scenario scenario)
    {
        if (scenario.StopAgain != Duration.Zero)
            yield return scenario with { StopAgain = Duration.Zero };
        var kernel = scenario.Kernel;
        var plain = new KernelPlan();
        foreach (var simpler in (KernelPlan[])
        [
            plain, plain with { Listen = kernel.Listen }, kernel with { Listen = plain.Listen },
            kernel with { UnixBufferBytes = plain.UnixBufferBytes },
            kernel with { TcpBufferBytes = plain.TcpBufferBytes },
            kernel with { DescriptorLimit = plain.DescriptorLimit },
            kernel with { DatagramQueue = plain.DatagramQueue },
            kernel with { ClockStep = plain.ClockStep },
            kernel with { MaxReadBytes = plain.MaxReadBytes },
            kernel with { MaxWriteBytes = plain.MaxWriteBytes },
            kernel with { TellsChanges = plain.TellsChanges },
            kernel with { WarmUp = plain.WarmUp },
            kernel with { Probe = plain.Probe },
            kernel with { ProbeRise = plain.ProbeRise },
            kernel with { ProbeFall = plain.ProbeFall },
            kernel with { AnswersWithoutBackend = plain.AnswersWithoutBackend },
            kernel with { TcpConnections = plain.TcpConnections },
            kernel with { TcpConnectionsPerClient = plain.TcpConnectionsPerClient },
            kernel with { TcpIdle = plain.TcpIdle },
            kernel with { TcpMessage = plain.TcpMessage },
            kernel with { TcpNotReading = plain.TcpNotReading },
            kernel with { TcpLifetime = plain.TcpLifetime },
            kernel with { MaxRemotes = plain.MaxRemotes },
            kernel with { Turn = plain.Turn },
            .. TurnBounds.All.Select(bound =>
                kernel with { Turn = bound.Set(kernel.Turn, bound.Standard) }),
        ])
        {
            if (simpler != kernel)
                yield return scenario with { Kernel = simpler };
        }
    }

    private static IEnumerable<Scenario> DefaultScripts(Scenario scenario)
    {
        for (var i = 0; i < scenario.Backends.Length; i++)
        {
            var backend = scenario.Backends[i];
            if (backend.Script != Misbehaviour.None)
                yield return Set(backend with { Script = Misbehaviour.None });
            foreach (var misdeed in Misdeeds.All)
            {
                if (misdeed.Value(backend.Script) != null)
                    yield return Set(backend with { Script = misdeed.Without(backend.Script) });
            }
            if (backend.StartAt != Instant.Zero)
                yield return Set(backend with { StartAt = Instant.Zero });

            Scenario Set(BackendPlan plan) => scenario with
            {
                Backends = [.. scenario.Backends.Replace(backend, plan)
                    .OrderBy(other => other.StartAt).ThenBy(other => other.Id)],
            };
        }
    }

    private static IEnumerable<Scenario> ShorterFaults(Scenario scenario) =>
        EachFault(scenario, fault => Smaller(fault.For.Nanoseconds, 1_000_000)
            .Select(length => fault with { For = new Duration(length) }));

    private static IEnumerable<Scenario> WeakerFaults(Scenario scenario) =>
        EachFault(scenario, fault => Smaller(fault.Amount, 1)
            .Select(amount => fault with { Amount = amount }));

    private static IEnumerable<Scenario> RounderFaults(Scenario scenario) =>
        EachFault(scenario, fault => Rounder(fault.At).Select(at => fault with { At = at })
            .Concat(Rounder(Instant.Zero + fault.For)
                .Select(at => fault with { For = at - Instant.Zero })));

    private static IEnumerable<Scenario> EachFault(
        Scenario scenario, Func<FaultPlan, IEnumerable<FaultPlan>> simpler)
    {
        foreach (var fault in scenario.Faults)
        {
            foreach (var other in simpler(fault))
            {
                yield return scenario with
                {
                    Faults = [.. scenario.Faults.Replace(fault, other)
                        .OrderBy(plan => plan.At).ThenBy(plan => plan.Id)],
                };
            }
        }
    }

    private static IEnumerable<Scenario> FewerTcpQueries(Scenario scenario)
    {
        for (var i = 0; i < scenario.TcpClients.Length; i++)
        {
            var client = scenario.TcpClients[i];
            foreach (var queries in Smaller(client.Queries, 1))
            {
                yield return scenario with
                {
                    TcpClients = scenario.TcpClients.SetItem(
                        i, client with { Queries = (int)queries }),
                };
            }
        }
    }

    private static IEnumerable<Scenario> FewerCopies(Scenario scenario) =>
        EachQuery(scenario, query => Smaller(query.Copies, 1).Where(copies => copies > 0)
            .Select(copies => query with { Copies = (int)copies }));

    private static IEnumerable<Scenario> RounderQueries(Scenario scenario) =>
        EachQuery(scenario, query => Rounder(query.At).Select(at => query with { At = at }));

    private static IEnumerable<Scenario> EachQuery(
        Scenario scenario, Func<QueryPlan, IEnumerable<QueryPlan>> simpler)
    {
        for (var i = 0; i < scenario.UdpClients.Length; i++)
        {
            var client = scenario.UdpClients[i];
            for (var k = 0; k < client.Queries.Length; k++)
            {
                foreach (var other in simpler(client.Queries[k]))
                {
                    ImmutableArray<QueryPlan> queries =
                        [.. client.Queries.SetItem(k, other).OrderBy(query => query.At)];
                    yield return scenario with
                    {
                        UdpClients = scenario.UdpClients.SetItem(
                            i, client with { Queries = queries }),
                    };
                }
            }
        }
    }

    private static IEnumerable<Scenario> RounderTcpClients(Scenario scenario)
    {
        foreach (var client in scenario.TcpClients)
        {
            foreach (var at in Rounder(client.At))
            {
                yield return scenario with
                {
                    TcpClients = [.. scenario.TcpClients.Replace(client, client with { At = at })
                        .OrderBy(plan => plan.At).ThenBy(plan => plan.Id)],
                };
            }
        }
    }

    private static IEnumerable<Scenario> ShorterRun(Scenario scenario) =>
        Smaller(scenario.End.Nanoseconds, 1).Where(end => end > 0)
            .Select(end => EndingAt(scenario, new Instant(end)));

    /// <summary>
    /// All that comes after a gap in which nothing is planned comes earlier by the same time: what
    /// must be some time apart stays so, which no time alone can be moved by.
    /// </summary>
    private static IEnumerable<Scenario> Earlier(Scenario scenario)
    {
        var times = TimesOf(scenario);
        var gaps = times.Prepend(Instant.Zero).Zip(times, (from, to) => (from, to))
            .OrderByDescending(gap => (gap.to - gap.from).Nanoseconds).Take(GapsToClose);
        foreach (var (from, to) in gaps)
        {
            var gap = (to - from).Nanoseconds;
            foreach (var left in (long[])[0, 1_000_000, 1_000_000_000, gap / 2])
            {
                if (left < gap)
                    yield return MovedEarlier(scenario, to, new Duration(gap - left));
            }
        }
    }

    /// <summary>All times at which something is planned, each once, the earliest first.</summary>
    private static Instant[] TimesOf(Scenario scenario) =>
    [
        .. scenario.Faults.Select(fault => fault.At)
            .Concat(scenario.TcpClients.Select(client => client.At))
            .Concat(scenario.UdpClients.SelectMany(client => client.Queries)
                .Select(query => query.At))
            .Concat(scenario.Backends.Select(backend => backend.StartAt))
            .Append(scenario.End).Where(at => at > Instant.Zero).Distinct().Order(),
    ];

    private static Scenario MovedEarlier(Scenario scenario, Instant from, Duration by)
    {
        return scenario with
        {
            HealAt = Moved(scenario.HealAt),
            End = Moved(scenario.End),
            Faults = [.. scenario.Faults.Select(fault => fault with { At = Moved(fault.At) })
                .OrderBy(fault => fault.At).ThenBy(fault => fault.Id)],
            TcpClients = [.. scenario.TcpClients
                .Select(client => client with { At = Moved(client.At) })
                .OrderBy(client => client.At).ThenBy(client => client.Id)],
            UdpClients = [.. scenario.UdpClients.Select(client => client with
            {
                Queries = [.. client.Queries.Select(query => query with { At = Moved(query.At) })],
            })],
            Backends = [.. scenario.Backends
                .Select(backend => backend with { StartAt = Moved(backend.StartAt) })
                .OrderBy(backend => backend.StartAt).ThenBy(backend => backend.Id)],
        };

        // Healing may be planned for within the gap.
        Instant Moved(Instant at) => at < from ? Instant.Min(at, from - by) : at - by;
    }

    /// <summary>Amounts with one digit and zeros: 4,711 becomes 4,000.</summary>
    private static IEnumerable<Scenario> RounderAmounts(Scenario scenario) =>
        EachFault(scenario, fault => RoundedDown(fault.Amount)
            .Select(amount => fault with { Amount = amount }));

    private static IEnumerable<long> RoundedDown(long amount)
    {
        if (amount < 10)
            yield break;
        var unit = 1L;
        while (amount / unit >= 10)
            unit *= 10;
        for (; unit > 1; unit /= 10)
        {
            if (amount % unit != 0)
                yield return amount - amount % unit;
        }
    }

    /// <summary>Questions as they are, of one port, instead of what is odd about them.</summary>
    private static IEnumerable<Scenario> PlainerQueries(Scenario scenario) =>
        EachQuery(scenario, PlainerQueries);

    private static IEnumerable<QueryPlan> PlainerQueries(QueryPlan query)
    {
        if (query.Kind is not QueryKind.Question)
            yield return query with { Kind = QueryKind.Question, Bytes = 0, Variant = 0 };
        if (query is { Kind: QueryKind.Question, Bytes: > 0 })
            yield return query with { Bytes = 0 };
        if (query.Variant > 0)
            yield return query with { Variant = 0 };
    }

    private static IEnumerable<Scenario> PlainerTcpClients(Scenario scenario)
    {
        for (var i = 0; i < scenario.TcpClients.Length; i++)
        {
            var client = scenario.TcpClients[i];
            foreach (var plainer in (TcpClientPlan[])
            [
                client with { Manner = TcpManner.Proper, After = Duration.Zero },
                client with { Killer = 0, Padding = 0, Empty = 0, Late = Duration.Zero },
                client with { Padding = 0 }, client with { Empty = 0 },
                client with { Late = Duration.Zero },
                client with { ChunkBytes = Math.Max(client.ChunkBytes, WholeChunk) },
            ])
            {
                if (plainer != client)
                {
                    yield return scenario with
                    {
                        TcpClients = scenario.TcpClients.SetItem(i, plainer),
                    };
                }
            }
        }
    }

    private static IEnumerable<Scenario> HealEarlier(Scenario scenario) =>
        Rounder(scenario.HealAt).Select(at => scenario with { HealAt = at });

    /// <summary>Nothing, a half, a quarter less: what is left of an amount, least first.</summary>
    private static IEnumerable<long> Smaller(long amount, long least)
    {
        if (amount <= 0)
            yield break;
        yield return 0;
        foreach (var less in (long[])[amount / 2, amount - amount / 4])
        {
            if (less >= least && less < amount)
                yield return less;
        }
    }

    /// <summary>The time cut down to a coarser grain, coarsest first; 0 to begin with.</summary>
    private static IEnumerable<Instant> Rounder(Instant at)
    {
        if (at == Instant.Zero)
            yield break;
        yield return Instant.Zero;
        foreach (var grain in Grains)
        {
            var past = at.Nanoseconds % grain.Nanoseconds;
            if (past == 0)
                yield break;
            if (past < at.Nanoseconds)
                yield return new Instant(at.Nanoseconds - past);
        }
    }
}
