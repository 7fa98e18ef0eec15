// Owns the trial of one bug: disjoint blocks of seeds, in each of which the runs go on until the
// first that finds the bug or until the budget is spent. Blocks are shared out to threads; what a
// block comes to depends on its seeds alone, so the outcome is the same however many threads run.

using System;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using Balancer.Core;
using Simulation.Commands;

namespace Simulation.Planting;

/// <summary>What one block came to.</summary>
/// <param name="Seeds">The seeds that it took, from 1; 0 if none found the bug.</param>
/// <param name="Check">The check that found it; empty if none did.</param>
public readonly record struct BlockOutcome(int Seeds, string Check);

/// <summary>What a trial came to.</summary>
/// <param name="Budget">Seeds of a block.</param>
/// <param name="Blocks">What each block came to.</param>
/// <param name="Time">Wall time.</param>
public sealed record TrialOutcome(
    int Budget, ImmutableArray<BlockOutcome> Blocks, TimeSpan Time)
{
    public int Found => Blocks.Count(block => block.Seeds > 0);

    /// <summary>99 of 100 blocks, and of fewer all, rounded down.</summary>
    public bool IsEnough => Found >= Blocks.Length - Blocks.Length / 100;

    /// <summary>
    /// The middle block's seeds, the lower of two; null if it is one that did not find the bug.
    /// </summary>
    public int? Median
    {
        get
        {
            var seeds = Blocks.Select(block => block.Seeds == 0 ? int.MaxValue : block.Seeds)
                .Order().ElementAtOrDefault((Blocks.Length - 1) / 2);
            return seeds is 0 or int.MaxValue ? null : seeds;
        }
    }

    /// <summary>The check that found it in most blocks, of equals the first by name.</summary>
    public string MostlyBy => Blocks.Where(block => block.Seeds > 0)
        .GroupBy(block => block.Check)
        .OrderByDescending(group => group.Count())
        .ThenBy(group => group.Key, StringComparer.Ordinal)
        .FirstOrDefault()?.Key ?? "";
}

/// <summary>Tries bugs.</summary>
public static class BlockTrial
{
    /// <summary>
    /// Runs `blocks` blocks of `budget` seeds each, from the seed `first` on, in so many threads.
    /// Asks of each seed which check finds the bug, null for none, and tells how many blocks are
    /// done.
    /// </summary>
    public static TrialOutcome Run(int blocks, int budget, ulong first, int threads,
        Func<ulong, string?> findsBy, Action<int> onProgress)
    {
        Verify.That(blocks > 0 && budget > 0, "a trial has blocks of seeds");
        var clock = Stopwatch.StartNew();
        var outcomes = new BlockOutcome[blocks];
        var done = 0;
        InParallel(blocks, threads, block =>
        {
            var from = unchecked(first + (ulong)block * (ulong)budget);
            outcomes[block] = TryBlock(from, budget, findsBy);
            onProgress(Interlocked.Increment(ref done));
        });
        return new TrialOutcome(budget, [.. outcomes], clock.Elapsed);
    }

    /// <summary>Does pieces of work in so many threads; the first failure is thrown.</summary>
    public static void InParallel(int pieces, int threads, Action<int> work)
    {
        var all = new InOrder<int>
        {
            Has = at => at < pieces,
            Make = at =>
            {
                work((int)at);
                return (int)at;
            },
            IsLast = _ => false,
            TakeUp = _ => { },
        };
        all.Run(Math.Min(threads, pieces), Timeout.InfiniteTimeSpan, () => { });
    }

    private static BlockOutcome TryBlock(ulong first, int budget, Func<ulong, string?> findsBy)
    {
        for (var n = 0; n < budget; n++)
        {
            if (findsBy(unchecked(first + (ulong)n)) is { } check)
                return new BlockOutcome(n + 1, check);
        }
        return default;
    }
}
