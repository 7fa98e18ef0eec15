// Owns what `sim mutate` does: it makes the mutants, runs the seeds on the core as it is to see
// what they reach, and then tries each mutant with seeds that reach it until a check fails. Where
// time is short, mutants are tried in an order that spreads evenly over all files, so that what was
// tried speaks for the rest.
//
// What always holds: what a mutant comes to depends on the seeds alone, not on how many processes
// there are or in which order they are tried.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using Simulation.Commands;

namespace Simulation.Planting.Mutants;

/// <summary>Tries mutants, and prints what came of it.</summary>
internal sealed class MutantTrials(
    CoreSource source, Survivors known, MutateRequest request, TextWriter output, TextWriter error)
{
    /// <summary>
    /// A mutant's run may take so many times the rounds of the core's own, and some in any case.
    /// </summary>
    private const int RoundsFactor = 20;

    private const long RoundsMore = 1_000_000;

    private readonly Progress _progress = new(error, !Console.IsErrorRedirected);
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    /// <summary>Does it all; the exit code.</summary>
    public int Run()
    {
        var (files, sites) = MutantCore.Find(source, request.Files);
        var core = MutantCore.Compile(source, files, sites);
        output.WriteLine($"{core.Mutations.Length} mutants in {files.Length} files;"
            + $" {core.Dropped} more do not compile");
        output.Flush();
        var folder = Directory.CreateTempSubdirectory("sim-mutants-");
        try
        {
            var pool = Measure(core, Write(folder, "marked.dll", core.Marked));
            output.WriteLine($"{pool.Count} seeds from {request.First} on, at most {request.Tries}"
                + $" for a mutant; ready after {_clock.Elapsed.TotalSeconds:F0} s");
            output.Flush();
            var outcomes = Try(core, pool, Write(folder, "switched.dll", core.Switched));
            return Conclude(core, outcomes);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private int Conclude(MutantCore core, ImmutableArray<MutantOutcome> outcomes)
    {
        MutantReport.Print(output, outcomes, request.Least);
        var stale = request.Files.IsEmpty
            ? known.Rows.Where(row => core.Mutations.All(one => one.Key != row.Key))
            : [];
        MutantReport.Stale(output, stale);
        output.WriteLine($"took {_clock.Elapsed.TotalSeconds:F0} s");
        var isWritten = (request.Json is not { } json
                || Tool.Save(error, json, path => MutantReport.WriteJson(path, outcomes)))
            && (request.Output is not { } file
                || Tool.Save(error, file, path => File.WriteAllText(
                    path, MutantReport.RowsOf(outcomes))));
        if (MutantSum.Of(outcomes).Score < request.Least)
            return Tool.Safety;
        return isWritten ? Tool.Passed : Tool.CannotWrite;
    }

    /// <summary>Runs the seeds on the core as it is.</summary>
    private SeedPool Measure(MutantCore core, string assembly)
    {
        var seeds = SeedPool.From(request.First, request.Count).ToImmutableArray();
        var runs = new MutantAnswer[seeds.Length];
        var done = 0;
        WithWorkers(assembly, seeds.Length, (at, worker) =>
        {
            var (profile, seed) = seeds[at];
            runs[at] = worker.Ask(
                new MutantQuestion(0, seed, profile, long.MaxValue, core.Sites));
            var now = Interlocked.Increment(ref done);
            _progress.Show(() => $"{now} of {seeds.Length} seeds measured");
        });
        _progress.End();
        foreach (var (one, run) in seeds.Zip(runs).Where(pair => pair.Second.Check.Length > 0))
        {
            output.WriteLine($"left out: the core as it is fails {run.Check} in"
                + $" {one.Profile} {one.Seed}");
        }
        return new SeedPool(seeds.Zip(runs)
            .Select(pair => new PooledSeed(pair.First.Profile, pair.First.Seed, pair.Second)));
    }

    private ImmutableArray<MutantOutcome> Try(MutantCore core, SeedPool pool, string assembly)
    {
        var order = Spread(core.Mutations.Length);
        var outcomes = new MutantOutcome[order.Length];
        var (done, alive) = (0, 0);
        WithWorkers(assembly, order.Length, (at, worker) =>
        {
            var mutation = core.Mutations[order[at]];
            var outcome = request.Time is { } time && _clock.Elapsed > time
                ? Outcome(mutation, MutantVerdict.NotTried)
                : Try(mutation, pool.PlanFor(mutation.Site, request.Tries), worker);
            outcomes[order[at]] = outcome;
            var now = Interlocked.Increment(ref done);
            var living = outcome.Lives ? Interlocked.Increment(ref alive) : alive;
            _progress.Show(() => $"{now} of {order.Length} mutants, {living} alive,"
                + $" {_clock.Elapsed.TotalSeconds:F0} s");
        });
        _progress.End();
        return [.. outcomes];
    }

    private MutantOutcome Try(
        Mutation mutation, ImmutableArray<PooledSeed> plan, MutantWorkerProcess worker)
    {
        if (plan.IsEmpty)
            return Outcome(mutation, MutantVerdict.NotReached);
        var (runs, differed) = (0, 0);
        foreach (var one in plan)
        {
            runs++;
            var answer = worker.Ask(new MutantQuestion(mutation.Number, one.Seed, one.Profile,
                one.Run.Rounds * RoundsFactor + RoundsMore, 0));
            if (answer.Check.Length > 0)
            {
                return new MutantOutcome(mutation, MutantVerdict.Killed, answer.Check,
                    $"{one.Profile} {one.Seed}", runs, differed, known.Find(mutation.Key));
            }
            if (answer.Hash != one.Run.Hash)
                differed++;
        }
        return Outcome(mutation, MutantVerdict.Survived) with { Runs = runs, Differed = differed };
    }

    private MutantOutcome Outcome(Mutation mutation, MutantVerdict verdict) =>
        new(mutation, verdict, "", "", 0, 0, known.Find(mutation.Key));

    /// <summary>Does pieces of work, each with a worker that nobody else has then.</summary>
    private void WithWorkers(string assembly, int pieces, Action<int, MutantWorkerProcess> work)
    {
        var idle = new ConcurrentBag<MutantWorkerProcess>();
        try
        {
            BlockTrial.InParallel(pieces, request.Jobs, at =>
            {
                if (!idle.TryTake(out var worker))
                    worker = new MutantWorkerProcess(assembly);
                try
                {
                    work(at, worker);
                }
                finally
                {
                    idle.Add(worker);
                }
            });
        }
        finally
        {
            foreach (var worker in idle)
                worker.Dispose();
        }
    }

    /// <summary>
    /// All numbers below a count, in an order of which every beginning is spread evenly.
    /// </summary>
    internal static ImmutableArray<int> Spread(int count) =>
        [.. Enumerable.Range(0, count).OrderBy(n => unchecked((uint)n * 2_654_435_769u))];

    private static string Write(DirectoryInfo folder, string name, byte[] assembly)
    {
        var path = Path.Combine(folder.FullName, name);
        File.WriteAllBytes(path, assembly);
        return path;
    }
}
