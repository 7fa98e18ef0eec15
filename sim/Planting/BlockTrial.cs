// Owns the trial of one bug: disjoint blocks of seeds, in each of which the runs go on until the
// first that catches the bug or until the budget is spent. Blocks are shared out to threads; what a
// block comes to depends on its seeds alone, so the outcome is the same however many threads run.

using System;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Threading;
using Balancer.Core;

namespace Simulation.Planting;

/// <summary>What a trial came to.</summary>
/// <param name="Budget">Seeds of a block.</param>
/// <param name="SeedsToCatch">For each block, the seeds it took, from 1; 0 if none caught it.</param>
/// <param name="Time">Wall time.</param>
public sealed record TrialOutcome(int Budget, ImmutableArray<int> SeedsToCatch, TimeSpan Time)
{
    public int Blocks => SeedsToCatch.Length;

    public int Found
    {
        get
        {
            var found = 0;
            foreach (var seeds in SeedsToCatch)
                found += seeds > 0 ? 1 : 0;
            return found;
        }
    }

    /// <summary>99 of 100 blocks, and of fewer all, rounded down.</summary>
    public bool IsEnough => Blocks > 0 && Found >= Blocks - Blocks / 100;

    /// <summary>
    /// The middle block's seeds, the lower of two; null if it is one that did not catch the bug.
    /// </summary>
    public int? Median
    {
        get
        {
            if (Blocks == 0)
                return null;
            var sorted = SeedsToCatch.Sort(
                static (a, b) => Rank(a).CompareTo(Rank(b)));
            var middle = sorted[(Blocks - 1) / 2];
            return middle == 0 ? null : middle;
        }
    }

    private static int Rank(int seeds) => seeds == 0 ? int.MaxValue : seeds;
}

/// <summary>Tries bugs.</summary>
public static class BlockTrial
{
    /// <summary>
    /// Runs `blocks` blocks of `budget` seeds each, from the seed `first` on, in so many threads.
    /// Asks of each seed whether its run catches the bug, and tells how many blocks are done.
    /// </summary>
    public static TrialOutcome Run(int blocks, int budget, ulong first, int threads,
        Func<ulong, bool> catches, Action<int> onProgress)
    {
        Verify.That(blocks > 0 && budget > 0 && threads > 0, "a trial has blocks of seeds");
        var watch = Stopwatch.StartNew();
        var seedsToCatch = new int[blocks];
        var next = -1;
        var done = 0;
        Exception? failed = null;

        void Work()
        {
            try
            {
                for (var block = Interlocked.Increment(ref next); block < blocks && failed is null;
                    block = Interlocked.Increment(ref next))
                {
                    seedsToCatch[block] = TryBlock(first + (ulong)block * (ulong)budget, budget, catches);
                    onProgress(Interlocked.Increment(ref done));
                }
            }
            catch (Exception e) when (Interlocked.CompareExchange(ref failed, e, null) is null)
            {
                // The first failure is the trial's, and thrown again below.
            }
        }

        var workers = new Thread[threads];
        for (var i = 0; i < threads; i++)
        {
            workers[i] = new Thread(Work);
            workers[i].Start();
        }
        foreach (var worker in workers)
            worker.Join();
        if (failed is not null)
            throw new InvalidOperationException("a trial's run failed: " + failed.Message, failed);
        return new TrialOutcome(budget, [.. seedsToCatch], watch.Elapsed);
    }

    private static int TryBlock(ulong first, int budget, Func<ulong, bool> catches)
    {
        for (var n = 0; n < budget; n++)
        {
            if (catches(first + (ulong)n))
                return n + 1;
        }
        return 0;
    }
}
