// Owns what happens to the balancer's process besides what the scenario says, drawn from the
// scenario's seed: who reads its log and who does not, how much it logs, when it is short of
// descriptors or stands still, and whether it answers by itself when no backend is healthy.
// Scenarios know nothing of a log's reader, since the simulated balancer has none; a real one must
// live with all of them.
//
// What always holds: the same seed and length of chaos give the same nemesis; what lasts ends with
// chaos, but for a log that is never read, full, or without a reader.

using System;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>What becomes of the balancer's log.</summary>
internal enum LogFate
{
    /// <summary>It is a file.</summary>
    Kept,

    /// <summary>A pipe of one page, whose reader stalls for a while.</summary>
    Stalls,

    /// <summary>A pipe of one page that nobody ever reads.</summary>
    Unread,

    /// <summary>A full disk: every write fails.</summary>
    Full,

    /// <summary>A pipe whose reader goes away.</summary>
    Closes,
}

/// <summary>What else goes wrong.</summary>
internal sealed record Nemesis
{
    /// <summary>
    /// The first number of SimRandom.Derive, which no entity of the simulator has.
    /// </summary>
    private const int Kind = 200;

    private const int LogPurpose = 1;
    private const int ProcessPurpose = 2;

    /// <summary>Ids of faults that no scenario's faults have.</summary>
    private const int FirstId = 1_000_000_000;

    public LogFate Log { get; init; }

    /// <summary>When the reader stalls or goes away.</summary>
    public Instant LogFrom { get; init; }

    /// <summary>When a reader that stalled reads on.</summary>
    public Instant LogUntil { get; init; }

    /// <summary>info, debug or trace.</summary>
    public string Level { get; init; } = "debug";

    public ImmutableArray<RealFault> Faults { get; init; } = [];

    /// <summary>Whether all that was logged is there to be read in the end.</summary>
    public bool LogIsReadable => Log is LogFate.Kept or LogFate.Stalls;

    /// <summary>The nemesis of a seed, for a chaos that ends then.</summary>
    public static Nemesis Of(ulong seed, Instant chaosEnd)
    {
        var log = new SimRandom(SimRandom.Derive(seed, Kind, 0, LogPurpose));
        var process = new SimRandom(SimRandom.Derive(seed, Kind, 0, ProcessPurpose));
        var fate = log.Next(8) switch
        {
            < 3 => LogFate.Kept,
            3 or 4 => LogFate.Stalls,
            5 => LogFate.Unread,
            6 => LogFate.Full,
            _ => LogFate.Closes,
        };
        string[] levels = ["info", "debug", "trace"];
        var level = levels[log.Next(levels.Length)];
        var from = log.NextDuration(Duration.Zero, new Duration(chaosEnd.Nanoseconds / 2));
        return new Nemesis
        {
            Log = fate,
            Level = level,
            LogFrom = Instant.Zero + from,
            LogUntil = chaosEnd,
            Faults = MakeFaults(process, chaosEnd),
        };
    }

    private static ImmutableArray<RealFault> MakeFaults(SimRandom random, Instant chaosEnd)
    {
        var faults = ImmutableArray.CreateBuilder<RealFault>();
        var isShort = random.Chance(1, 3);
        var shortFrom = random.NextDuration(Duration.Zero, chaosEnd - Instant.Zero);
        var shortFor = random.NextDuration(
            Duration.FromMilliseconds(100), Duration.FromSeconds(4L));
        var free = random.Next(4);
        var stalls = random.Chance(1, 4);
        var stallFrom = random.NextDuration(Duration.Zero, chaosEnd - Instant.Zero);
        var stallFor = random.NextDuration(
            Duration.FromMilliseconds(50), Duration.FromSeconds(3L));
        if (isShort)
        {
            faults.Add(new RealFault(FirstId, Instant.Zero + shortFrom,
                Until(shortFrom, shortFor, chaosEnd), RealFaultKind.Descriptors, Amount: free));
        }
        if (stalls)
        {
            faults.Add(new RealFault(FirstId + 1, Instant.Zero + stallFrom,
                Until(stallFrom, stallFor, chaosEnd), RealFaultKind.Stall));
        }
        return faults.ToImmutable();
    }

    private static Duration Until(Duration from, Duration time, Instant chaosEnd) =>
        Instant.Min(Instant.Zero + from + time, chaosEnd) - (Instant.Zero + from);

    public override string ToString() => $"log {Log.ToString().ToLowerInvariant()} at {Level}"
        + string.Concat(Faults.Select(fault => fault.Kind switch
        {
            RealFaultKind.Descriptors => FormattableString.Invariant(
                $", {fault.Amount} free descriptors for {fault.For.TotalSeconds:0.0} s"),
            _ => FormattableString.Invariant(
                $", stands still for {fault.For.TotalSeconds:0.0} s"),
        }));
}
