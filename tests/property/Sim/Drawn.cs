// Owns the scenarios that FsCheck makes: the same immutable data that a seed makes, composed of
// small generators, one for each thing in it. Where the simulator's own generator draws whole
// swarms, these are small worlds of odd combinations: short runs, few clients, every kind of fault
// as likely as every other. They shrink by the simulator's own steps.
//
// What always holds: a scenario made here can be run, and so can all that it shrinks to; ids are
// unique and lists in the order of time, as scenarios must be; no fault is one that can do nothing.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Text;
using Balancer.Core;
using FakeBinder;
using FsCheck;
using FsCheck.Fluent;
using Simulation.Scenarios;
using Simulation.Shrinking;

namespace Tests.Property.Sim;

/// <summary>A scenario, and how to see it again when a property fails.</summary>
public sealed record Drawn(Scenario Scenario)
{
    public override string ToString() =>
        $"{Encoding.UTF8.GetString(ScenarioFile.Write(Scenario))}"
        + $"to see it: save this as FILE, then `build/sim replay FILE`; {Randomness.Explained}";
}

public static class DrawnScenarios
{
    private const int FirstTcpId = 1000;

    private static readonly ImmutableArray<string> Names =
        ["5301", "5302", "foo", "05301", "5399", "53000", "binder-ü"];

    public static Arbitrary<Drawn> Any() => Arb.From(
        from length in Seconds(20, 120)
        from healthy in Gen.Choose(33, 66)
        from scenario in Of(length, new Instant(length.Nanoseconds / 100 * healthy))
        select new Drawn(ScenarioFile.WithoutVainFaults(scenario)),
        drawn => Shrinker.Simpler(drawn.Scenario).Select(simpler => new Drawn(simpler)));

    private static Gen<Scenario> Of(Instant end, Instant healAt) =>
        from seed in Gen.Choose(0, int.MaxValue)
        from kernel in Gen.OneOf(Gen.Constant(new KernelPlan()), Kernel)
        from backends in Backends(healAt)
        from udp in UdpClients(end)
        from tcp in TcpClients(end)
        from faults in Faults(healAt, backends.Length)
        select new Scenario
        {
            Seed = (ulong)seed,
            Profile = "drawn",
            HealAt = healAt,
            End = end,
            Kernel = kernel,
            Backends = backends,
            UdpClients = udp,
            TcpClients = tcp,
            Faults = faults,
        };

    // ---- The host ----

    private static Gen<KernelPlan> Kernel =>
        from listen in Gen.Elements(new KernelPlan().Listen, Ipv4.Any)
        from unix in Gen.Elements(4_096, 16_384, 212_992)
        from tcp in Gen.Elements(1_024, 5_000, 131_072)
        from queue in Gen.Elements(16, 1024)
        from step in Gen.Elements(0L, 1_000, 1_000_000, 100_000_000)
        from read in Gen.Elements(16, 1000, int.MaxValue)
        from write in Gen.Elements(16, 1000, int.MaxValue)
        from tells in Gen.Elements(true, true, false)
        from warmUp in Gen.Choose(0, 3000)
        from connections in Gen.Elements(2, 20, Limits.TcpConnections)
        from remotes in Gen.Elements(64, Limits.MaxRemotes)
        select new KernelPlan
        {
            Listen = listen,
            UnixBufferBytes = unix,
            TcpBufferBytes = tcp,
            DatagramQueue = queue,
            ClockStep = new Duration(step),
            MaxReadBytes = read,
            MaxWriteBytes = write,
            TellsChanges = tells,
            WarmUp = Duration.FromMilliseconds(warmUp),
            TcpConnections = connections,
            MaxRemotes = remotes,
        };

    // ---- Backends ----

    private static Gen<ImmutableArray<BackendPlan>> Backends(Instant healAt) =>
        from names in Gen.Shuffle(Names.ToArray())
        from count in Gen.Choose(1, 4)
        from starts in Gen.Frequency((3, Gen.Constant(Instant.Zero)), (1, Before(healAt)))
            .ArrayOf(count)
        from cores in Gen.Elements(true, false).ArrayOf(count)
        from scripts in Gen.Frequency((2, Gen.Constant(Misbehaviour.None)), (1, Script))
            .ArrayOf(count)
        select Enumerable.Range(0, count)
            .Select(id => new BackendPlan(
                id, names[id], starts[id], cores[id] || id == 0, scripts[id]))
            .OrderBy(plan => plan.StartAt).ThenBy(plan => plan.Id).ToImmutableArray();

    private static Gen<Misbehaviour> Script =>
        from times in Gen.Choose(1, 2)
        from deeds in Misdeed.ArrayOf(times)
        select deeds.Aggregate(Misbehaviour.None, (before, deed) => deed(before));

    private static Gen<Func<Misbehaviour, Misbehaviour>> Misdeed => Gen.OneOf(
        Deed(Milliseconds(1, 20_000), (m, time) => m with { DelayNs = time }),
        Deed(Gen.Choose(1, 10), (m, n) => m with { DropEvery = n }),
        Deed(Gen.Choose(0, 20), (m, n) => m with { HangAfter = n }),
        Deed(Gen.Choose(0, 20), (m, n) => m with { PauseAfter = n, PauseNs = 4_000_000_000 }),
        Deed(Gen.Choose(1, 20), (m, n) => m with { CrashAfter = n }),
        Deed(Gen.Choose(0, 20), (m, n) => m with { CrashMidFrameAfter = n }),
        Deed(Gen.Constant(0), (m, _) => m with { NoHello = true }),
        Deed(Milliseconds(10, 35_000), (m, time) => m with { HelloDelayNs = time }),
        Deed(Gen.Constant(0), (m, _) => m with { HelloTwice = true }),
        Deed(Milliseconds(0, 8_000), (m, time) => m with { CloseAfterHelloNs = time }),
        Deed(Gen.Constant(0), (m, _) => m with { ReplyBeforeHello = true }),
        Deed(Gen.Constant(0), (m, _) => m with { NoHeartbeat = true }),
        Deed(Milliseconds(14_900, 15_100), (m, time) => m with { HeartbeatDelayNs = time }),
        Deed(Gen.Constant(0), (m, _) => m with { HeartbeatTwice = true }),
        Deed(Milliseconds(1, 9_000), (m, time) => m with { HeartbeatUnaskedNs = time }),
        Deed(Gen.Choose(0, 20), (m, n) => m with { UnknownFrameAfter = n }),
        Deed(Gen.Choose(0, 20), (m, n) => m with { TcpFrameOnControlAfter = n }),
        Deed(Gen.Choose(0, 20), (m, n) => m with { GarbageAfter = n }),
        Deed(Gen.Choose(0, 20), (m, n) => m with { HalfCloseAfter = n }),
        Deed(Gen.Choose(0, 20), (m, n) => m with { EndMidFrameAfter = n }),
        Deed(Gen.Choose(1, 40), (m, n) => m with { FrameSplit = n }),
        Deed(Gen.Elements(0, 1, 1500, 1501, 65_535), (m, n) => m with { ReplyLength = n }),
        Deed(Gen.Elements(65_536u, 1u << 31), (m, n) => m with { ReplyLengthClaim = n }),
        Deed(Gen.Elements<uint>(0, 65_536, 65_589), (m, n) => m with { ReplyPort = n }),
        Deed(Gen.Elements<uint>(0, 0xffffffff, 0x08080808), (m, n) => m with { ReplyAddress = n }),
        Deed(Gen.Choose(1, 5), (m, n) => m with { DuplicateReplies = n }),
        Deed(Gen.Choose(1, 5), (m, n) => m with { OtherQuestionEvery = n }),
        Deed(Gen.Constant(0), (m, _) => m with { CrashBeforeTcpOk = true }),
        Deed(Gen.Constant(0), (m, _) => m with { TcpRefuse = true }),
        Deed(Gen.Constant(0), (m, _) => m with { TcpReset = true }),
        Deed(Milliseconds(1, 12_000), (m, time) => m with { TcpOkDelayNs = time }),
        Deed(Gen.Constant(0), (m, _) => m with { TcpOkSplit = true }),
        Deed(Gen.Constant(0), (m, _) => m with { TcpOkWithData = true }),
        Deed(Gen.Constant(0), (m, _) => m with { TcpHalfCloseFirst = true }),
        Deed(Gen.Constant(0), (m, _) => m with { TcpNeverRead = true }),
        Deed(Gen.Choose(1, 40), (m, n) => m with { TcpChunk = n }));

    private static Gen<Func<Misbehaviour, Misbehaviour>> Deed<T>(
        Gen<T> how, Func<Misbehaviour, T, Misbehaviour> deed) =>
        how.Select<T, Func<Misbehaviour, Misbehaviour>>(
            amount => before => deed(before, amount));

    // ---- Clients ----

    private static Gen<ImmutableArray<UdpClientPlan>> UdpClients(Instant end) =>
        from count in Gen.Choose(0, 8)
        from retries in Gen.Elements(true, true, false).ArrayOf(count)
        from queries in Queries(end).ArrayOf(count)
        select Enumerable.Range(0, count).Select(id => new UdpClientPlan(
            id, Ipv4.From(10, 1, (byte)id, 1), retries[id], queries[id])).ToImmutableArray();

    private static Gen<ImmutableArray<QueryPlan>> Queries(Instant end) =>
        from count in Gen.Choose(1, 25)
        from queries in Query(end).ArrayOf(count)
        select queries.OrderBy(query => query.At).ToImmutableArray();

    private static Gen<QueryPlan> Query(Instant end) =>
        from at in Before(end)
        from port in Gen.Frequency(
            (20, Gen.Choose(20_000, 20_003)), (1, Gen.Elements(0, 53, 65_535)))
        from kind in Gen.Elements(QueryKind.Garbage, QueryKind.Response, QueryKind.Question)
        from bytes in Gen.Elements(0, 1, 11, 12, 512, 1500, 1501, 2048, 65_507)
        from query in Gen.Frequency(
            (12, Gen.Constant(new QueryPlan(at, (ushort)port, QueryKind.Question, 0))),
            (2, Gen.Constant(new QueryPlan(at, (ushort)port, kind, bytes))),
            (1, Gen.Choose(2, 200).Select(copies =>
                new QueryPlan(at, (ushort)port, kind, 40, copies))))
        select query;

    private static Gen<ImmutableArray<TcpClientPlan>> TcpClients(Instant end) =>
        from count in Gen.Frequency((3, Gen.Choose(0, 6)), (1, Gen.Choose(7, 40)))
        from clients in TcpClient(end).ArrayOf(count)
        select clients.OrderBy(client => client.At)
            .Select((client, n) => client with
            {
                Id = FirstTcpId + n,
                Port = (ushort)(10_000 + n),
            }).ToImmutableArray();

    private static Gen<TcpClientPlan> TcpClient(Instant end) =>
        from host in Gen.Choose(0, 9)
        from at in Before(end)
        from queries in Gen.Frequency((4, Gen.Choose(0, 3)), (1, Gen.Choose(4, 60)))
        from chunk in Gen.Elements(1, 7, 40, 65_536)
        from manner in Gen.Elements(Enum.GetValues<TcpManner>())
        from after in Milliseconds(0, 60_000)
            // Of a host that asks over UDP, too.
        select new TcpClientPlan(0, Ipv4.From(10, 1, (byte)host, 1), 0, at, queries, chunk,
            manner, new Duration(after));

    // ---- Faults ----

    private static Gen<ImmutableArray<FaultPlan>> Faults(Instant healAt, int backends) =>
        from count in Gen.Frequency(
            (1, Gen.Constant(0)), (4, Gen.Choose(1, 10)), (2, Gen.Choose(10, 40)))
        from faults in Fault(healAt, backends).ArrayOf(count)
        select faults.OrderBy(fault => fault.At)
            .Select((fault, n) => fault with { Id = n }).ToImmutableArray();

    private static Gen<FaultPlan> Fault(Instant healAt, int backends) =>
        from kind in Gen.Elements(Enum.GetValues<FaultKind>())
        from at in Before(healAt)
        from target in Gen.Choose(0, backends - 1)
        from length in Gen.Frequency(
            (1, Gen.Constant(0L)), (2, Milliseconds(1, 1_000)), (2, Milliseconds(1_000, 30_000)))
        from amount in Amount(kind)
        select new FaultPlan(0, at,
            FaultKinds.MayLast(kind) ? new Duration(length) : Duration.Zero, kind,
            FaultKinds.IsAboutBackend(kind) ? target : -1,
            FaultKinds.HasAmount(kind) ? amount : 0);

    /// <summary>What an amount may be is the kind's; see FaultKind.</summary>
    private static Gen<long> Amount(FaultKind kind) => kind switch
    {
        FaultKind.UdpReorder or FaultKind.ClockBack => Milliseconds(1, 1_000),
        FaultKind.BackendScript or FaultKind.BackendListenLate
            or FaultKind.DirectoryUnknown => Gen.Choose(0, 1).Select(Long),
        FaultKind.ClockStall => Gen.Choose(0, 3).Select(Long),
        FaultKind.DirectoryUnreadable or FaultKind.KernelSocket
            or FaultKind.StreamNoMemory => Gen.Choose(0, 2).Select(Long),
        FaultKind.KernelAccept => Gen.Choose(0, 6).Select(Long),
        FaultKind.BackendBacklog or FaultKind.DirectoryEntry
            or FaultKind.DirectoryBreaksOff => Gen.Choose(0, 3).Select(Long),
        FaultKind.BackendEnd => Gen.Choose(0, 19).Select(Long),
        FaultKind.StreamReset => Gen.Choose(1, 8).Select(Long),
        _ => Gen.Choose(1, 60).Select(Long),
    };

    // ---- Times ----

    private static long Long(int number) => number;

    private static Gen<Instant> Seconds(int low, int high) => Gen.Choose(low, high)
        .Select(seconds => Instant.Zero + Duration.FromSeconds((long)seconds));

    private static Gen<long> Milliseconds(int low, int high) =>
        Gen.Choose(low, high).Select(n => n * 1_000_000L);

    /// <summary>Round times as often as others, so that things coincide.</summary>
    private static Gen<Instant> Before(Instant end) => Gen.OneOf(
        Gen.Choose(0, (int)(end.Nanoseconds / 1_000_000_000) - 1)
            .Select(n => new Instant(n * 1_000_000_000L)),
        Gen.Choose(0, (int)(end.Nanoseconds / 1_000) - 1).Select(n => new Instant(n * 1_000L)));
}
