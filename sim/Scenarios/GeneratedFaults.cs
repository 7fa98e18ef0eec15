// Owns the making of a scenario's faults: for each kind whether the seed has it, how often, and how
// long and how bad each time.
//
// What always holds: a fault's id is a function of its kind and number, so leaving a kind out
// leaves the ids of all others; faults begin before chaos ends; at most MaxPerKind of a kind, and
// one more in seeds that have a group of them made to meet.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Makes faults.</summary>
internal static class GeneratedFaults
{
    private const int PlanPurpose = 1;
    private const int DeadPurpose = 2;
    private const int MaxPerKind = 60;
    private const int IdsPerKind = 1000;
    private const long Ms = 1_000_000;

    public static ImmutableArray<FaultPlan> Make(
        GeneratedWorld world, ImmutableArray<BackendPlan> backends)
    {
        var faults = new List<FaultPlan>();
        foreach (var kind in Enum.GetValues<FaultKind>())
        {
            var random = world.Stream(Streams.Fault, (int)kind, PlanPurpose);
            // Frames are cut in most seeds: nothing else shows how bytes are taken apart. While the
            // directory hangs, little happens to backends.
            var chance = kind switch
            {
                FaultKind.StreamShort => 3,
                FaultKind.DirectoryHangs => 1,
                _ => 2,
            };
            var isOn = random.Chance(chance, 4);
            if (world.Allows(kind) && (isOn || world.Profile == Profile.Restart))
                Add(faults, world, kind, random, backends);
        }
        AddDead(faults, world, backends);
        AddReplaced(faults, world, backends);
        AddSlowScan(faults, world, backends);
        return [.. faults.OrderBy(fault => fault.At).ThenBy(fault => fault.Id)];
    }

    /// <summary>Faults of one kind, one in 2 to 300 s on the average.</summary>
    private static void Add(List<FaultPlan> faults, GeneratedWorld world, FaultKind kind,
        SimRandom random, ImmutableArray<BackendPlan> backends)
    {
        var mean = random.LogUniform(2_000, 300_000) * Ms;
        var at = Instant.Zero + random.NextDuration(Duration.Zero, new Duration(mean * 2));
        for (var n = 0; n < MaxPerKind && at < world.HealAt; n++)
        {
            var target = GeneratorOptions.ClassOf(kind) == "backend"
                ? backends[random.Next(backends.Length)].Id : -1;
            var (length, amount) = DrawSize(kind, random);
            if (kind == FaultKind.DirectoryUnknown && amount > backends.Length)
                amount = 0;
            faults.Add(new FaultPlan(
                (int)kind * IdsPerKind + n, at, length, kind, target, amount));
            at += random.NextDuration(new Duration(1), new Duration(mean * 2));
        }
    }

    /// <summary>
    /// In some seeds one backend that does not heal dies early and is never started again, so that
    /// its back-off goes all the way up.
    /// </summary>
    private static void AddDead(List<FaultPlan> faults, GeneratedWorld world,
        ImmutableArray<BackendPlan> backends)
    {
        var random = world.Stream(Streams.Fault, (int)FaultKind.BackendCrash, DeadPurpose);
        var isThere = random.Chance(1, 3);
        var at = random.Moment(Instant.Zero, Instant.Zero + Duration.FromSeconds(20L));
        var target = backends.LastOrDefault(
            plan => !plan.IsCore && plan.StartAt == Instant.Zero);
        if (isThere && target is not null && at < world.HealAt)
        {
            AddSpecial(faults, world, at, world.End - Instant.Zero, FaultKind.BackendCrash,
                target.Id);
        }
    }

    /// <summary>One more of a kind than there are otherwise, if the kind is wanted.</summary>
    private static void AddSpecial(List<FaultPlan> faults, GeneratedWorld world, Instant at,
        Duration length, FaultKind kind, int target, long amount = 0)
    {
        if (world.Allows(kind))
        {
            faults.Add(new FaultPlan(
                (int)kind * IdsPerKind + MaxPerKind, at, length, kind, target, amount));
        }
    }

    /// <summary>
    /// Where chaos lasts beyond the stop, a backend may be replaced just before it, while the old
    /// process still owes replies that it gives when the stop has begun.
    /// </summary>
    private static void AddReplaced(List<FaultPlan> faults, GeneratedWorld world,
        ImmutableArray<BackendPlan> backends)
    {
        var random = world.Stream(Streams.Fault, (int)FaultKind.BackendRebind, DeadPurpose);
        var isThere = random.Chance(1, 2) && world.HealAt > world.End;
        var target = backends[random.Next(backends.Length)].Id;
        var pauseAt = world.End - random.NextDuration(
            Duration.FromSeconds(1L), Duration.FromSeconds(4L));
        var pause = random.NextDuration(Duration.FromSeconds(4L), Duration.FromSeconds(8L));
        if (!isThere)
            return;
        AddSpecial(faults, world, pauseAt, pause, FaultKind.BackendPause, target);
        AddSpecial(faults, world, world.End - Duration.FromMilliseconds(500), Duration.Zero,
            FaultKind.BackendRebind, target);
    }

    /// <summary>
    /// In some seeds the process stands still in the middle of a scan that many entries make long,
    /// and wakes when a backend that stopped just before has come back behind that scan's eyes.
    /// </summary>
    private static void AddSlowScan(List<FaultPlan> faults, GeneratedWorld world,
        ImmutableArray<BackendPlan> backends)
    {
        const FaultKind entries = FaultKind.DirectoryEntry;
        const FaultKind stop = FaultKind.BackendStop;
        const FaultKind stall = FaultKind.ClockStall;
        var random = world.Stream(Streams.Fault, (int)entries, DeadPurpose);
        var isThere = random.Chance(1, 6);
        var at = random.Moment(Instant.Zero, world.HealAt);
        var target = backends[random.Next(backends.Length)].Id;
        var gap = random.NextDuration(Duration.Zero, Duration.FromSeconds(1L));
        var still = random.NextDuration(Duration.FromSeconds(1L), Duration.FromSeconds(3L));
        var soon = at + Duration.FromSeconds(1L);
        if (!isThere || soon >= world.HealAt)
            return;
        AddSpecial(faults, world, at, Duration.FromSeconds(10L), entries, -1, 6 * 200);
        AddSpecial(faults, world, soon, gap, stop, target);
        AddSpecial(faults, world, soon, still, stall, -1, 1);
    }

    /// <summary>The id of one that belongs to an episode, and is the n-th of its kind.</summary>
    public static int IdOfEpisode(FaultKind kind, int n) =>
        (int)kind * IdsPerKind + MaxPerKind + 1 + n;

    private static (Duration For, long Amount) DrawSize(FaultKind kind, SimRandom random)
    {
        // Both are drawn for every kind, so that a kind's own choice shifts nothing.
        var length = new Duration(random.LogUniform(1, 60_000) * Ms);
        var small = random.LogUniform(1, 100);
        var choice = random.Next(4);
        return kind switch
        {
            FaultKind.BackendScript => (Duration.Zero, choice & 1),
            FaultKind.BackendReset or FaultKind.BackendRebind or FaultKind.OperatorRescan
                or FaultKind.OperatorStatus => (Duration.Zero, 0),
            FaultKind.BackendEnd => (Duration.Zero, choice == 0 ? 0 : small % 20),
            FaultKind.BackendBacklog => (length, choice),
            // Mostly around the 310 ms that quiet tries take.
            FaultKind.BackendListenLate => (
                choice == 0 ? length : new Duration(small * 6 * Ms), choice & 1),
            FaultKind.BackendCrash or FaultKind.BackendStop =>
                (choice == 0 ? Duration.Zero : length, 0),
            FaultKind.BackendUnlink => (choice switch
            {
                0 => Duration.Zero,
                1 => length,
                _ => length + Duration.FromSeconds(40L),
            }, 0),
            FaultKind.UdpLoss or FaultKind.UdpDuplicate => (length, small),
            FaultKind.UdpReorder => (length, small * 10 * Ms),
            FaultKind.UdpSendFails or FaultKind.UdpReceiveFails or FaultKind.KernelWakes
                or FaultKind.StreamWouldBlock => (Duration.Zero, small),
            FaultKind.StreamReset => (Duration.Zero, Math.Min(small, 8)),
            FaultKind.KernelAccept => (length, choice == 3 ? 3 + small % 4 : choice),
            FaultKind.KernelSocket => (length, choice == 3 ? 2 : choice & 1),
            FaultKind.StreamShort => (length, small),
            FaultKind.StreamNoMemory => (length, choice % 3),
            FaultKind.DirectoryUnreadable => (length, choice % 3),
            FaultKind.DirectoryUnknown => (length, choice),
            FaultKind.DirectoryBreaksOff => (Duration.Zero, choice),
            // Some bring more entries than one turn looks at; sockets become backends, and stay
            // few.
            FaultKind.DirectoryEntry => (length, choice < 3 && small % 8 == 0
                ? choice + 6 * (small * 3)
                : choice == 3 && small % 2 == 0 ? 4 + small % 4 / 2 : choice),
            FaultKind.ClockStall => (choice == 0 ? length : new Duration(small * 10 * Ms),
                choice == 1 ? 2 : 0),
            // Longer ones are rare, since nothing is judged meanwhile.
            FaultKind.ClockBack => (
                choice == 0 ? length : new Duration(small * 20 * Ms), small * small * Ms),
            FaultKind.ClockStill => (new Duration(small * 10 * Ms), 0),
            _ => (length, 0),
        };
    }
}
