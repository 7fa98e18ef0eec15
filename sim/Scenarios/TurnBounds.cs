// Owns the bounds of a turn's work that a scenario may have: of each number of the core's
// TurnLimits the least, its field in a file, and how a seed draws it.
//
// What always holds: between its least and the standard a number meets every relation that the
// core demands, whatever the others are. A property of TurnLimits that has no bound here is missed
// by a test, but for two: TimersPerTurn, since the checks ask at a turn's end for what was due in
// it, and EvictionLooks, since the model has a sample of remotes whole.

using System;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>One number of TurnLimits.</summary>
/// <param name="Name">Its field in a scenario file.</param>
/// <param name="Least">The least that it may be; the standard is the most.</param>
/// <param name="Words">What it bounds.</param>
/// <param name="Get">What it is.</param>
/// <param name="Set">The same limits with another.</param>
public sealed record TurnBound(string Name, int Least, string Words, Func<TurnLimits, int> Get,
    Func<TurnLimits, int, TurnLimits> Set)
{
    /// <summary>What a daemon has, and the most that a scenario may have.</summary>
    public int Standard => Get(TurnLimits.Standard);
}

/// <summary>All of them.</summary>
public static class TurnBounds
{
    /// <summary>As many as a turn's queries, and one read's smallest frames more.</summary>
    private const int LeastFrames = 224;

    /// <summary>Three visits, however much each reads.</summary>
    private const int LeastTcpBytes = 221_184;

    public static readonly ImmutableArray<TurnBound> All =
    [
        new("datagramBatchesPerTurn", 1, "Batches of 64 queries.",
            t => t.DatagramBatchesPerTurn, (t, v) => t with { DatagramBatchesPerTurn = v }),
        new("framesPerTurn", LeastFrames, "Replies of all sessions.",
            t => t.FramesPerTurn, (t, v) => t with { FramesPerTurn = v }),
        new("framesOfAVisit", 1, "Replies that a read counts for at least.",
            t => t.FramesOfAVisit, (t, v) => t with { FramesOfAVisit = v }),
        new("entriesPerTurn", 1, "Entries of the directory.",
            t => t.EntriesPerTurn, (t, v) => t with { EntriesPerTurn = v }),
        new("remotesPerTurn", 1, "Remotes looked at for an expiry, a rebalance or a report.",
            t => t.RemotesPerTurn, (t, v) => t with { RemotesPerTurn = v }),
        new("movesPerTurn", 1, "Remotes that a rebalance moves.",
            t => t.MovesPerTurn, (t, v) => t with { MovesPerTurn = v }),
        new("acceptsPerTurn", 1, "Connections that are accepted.",
            t => t.AcceptsPerTurn, (t, v) => t with { AcceptsPerTurn = v }),
        new("tcpIdleLooks", 1, "Connections looked at for one that may give way.",
            t => t.TcpIdleLooks, (t, v) => t with { TcpIdleLooks = v }),
        new("tcpBytesPerTurn", LeastTcpBytes, "Bytes of all connections, visits counted.",
            t => t.TcpBytesPerTurn, (t, v) => t with { TcpBytesPerTurn = v }),
        new("tcpVisitBytes", 1, "Bytes that a visit to a connection counts for.",
            t => t.TcpVisitBytes, (t, v) => t with { TcpVisitBytes = v }),
        new("tcpReadsPerVisit", 1, "Reads of one visit to a connection.",
            t => t.TcpReadsPerVisit, (t, v) => t with { TcpReadsPerVisit = v }),
        new("tcpFreeQueueBytes", 2 * Limits.TcpQueueBytes,
            "Bytes that queues of connections not in use may keep.",
            t => t.TcpFreeQueueBytes, (t, v) => t with { TcpFreeQueueBytes = v }),
        new("tcpLooksPerTurn", 1, "Connections looked at when a backend's state changed.",
            t => t.TcpLooksPerTurn, (t, v) => t with { TcpLooksPerTurn = v }),
        new("resendsPerTurn", 1, "Queries that are sent again, or time out.",
            t => t.ResendsPerTurn, (t, v) => t with { ResendsPerTurn = v }),
        new("statusRemotesPerTurn", 1, "Remotes of a status report.",
            t => t.StatusRemotesPerTurn, (t, v) => t with { StatusRemotesPerTurn = v }),
    ];

    internal static readonly ImmutableArray<FileField<TurnLimits>> Fields =
    [
        .. All.Select(bound => FileFields.Make(bound.Name,
            FileValues.Count(bound.Least, bound.Standard), $"{bound.Standard}",
            bound.Get, bound.Set, bound.Words)),
    ];

    /// <summary>
    /// How many turns it takes to do what a daemon does in one, at most, of the work that has a
    /// turn begin at once while some is left.
    /// </summary>
    public static int TurnsForOne(TurnLimits limits)
    {
        var standard = TurnLimits.Standard;
        return Math.Max(
            Math.Max(Turns(standard.EntriesPerTurn, limits.EntriesPerTurn),
                Turns(standard.ResendsPerTurn, limits.ResendsPerTurn)),
            Math.Max(Turns(standard.TcpLooksPerTurn, limits.TcpLooksPerTurn),
                Math.Max(Turns(standard.RemotesPerTurn, limits.RemotesPerTurn),
                    Math.Max(Turns(standard.MovesPerTurn, limits.MovesPerTurn),
                        Turns(standard.StatusRemotesPerTurn, limits.StatusRemotesPerTurn)))));

        static int Turns(int work, int ofATurn) => (work + ofATurn - 1) / ofATurn;
    }

    /// <summary>
    /// Each is as a daemon's, the least, or drawn; small ones as likely as large ones.
    /// </summary>
    public static TurnLimits Draw(SimRandom random)
    {
        var limits = TurnLimits.Standard;
        foreach (var bound in All)
        {
            var drawn = random.LogUniform(bound.Least, bound.Standard);
            limits = random.Next(4) switch
            {
                0 => bound.Set(limits, bound.Least),
                1 => bound.Set(limits, drawn),
                _ => limits,
            };
        }
        return limits;
    }
}
