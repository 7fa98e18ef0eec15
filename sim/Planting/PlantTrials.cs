// Owns what `sim plant` does: runs of one bug, the trial of all in blocks of seeds, the ablation,
// and the trial of a patch that anybody wrote.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.ExceptionServices;
using System.Threading;
using Simulation.Commands;

namespace Simulation.Planting;

/// <summary>Tries bugs on their cores, and prints what came of it.</summary>
internal sealed class PlantTrials(CoreSource source, TextWriter output, TextWriter error)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// So many times its limit a seed may take by the clock on the wall: a patch may also wait for
    /// ever, which takes no processor.
    /// </summary>
    private const int TimesOnTheWall = 10;

    private readonly PlantedCores _cores = new(source);
    private readonly Progress _progress = new(error, !Console.IsErrorRedirected);

    /// <summary>Runs seeds with one bug, under all checks and under its own alone.</summary>
    public int RunOne(PlantedBug bug, PlantRequest request)
    {
        var seeds = request.Seeds ?? bug.Seeds;
        var execute = _cores.ExecuteOf(bug);
        var all = new PlantedRun(execute, PlantedBug.AllChecks, []);
        var alone = new PlantedRun(execute, [bug.Check], []);
        var found = new Detection?[seeds];
        var foundAlone = new Detection?[seeds];
        var done = 0;
        BlockTrial.InParallel(seeds, request.Jobs, n =>
        {
            var seed = unchecked(request.First + (ulong)n);
            found[n] = all.Find(seed);
            foundAlone[n] = found[n]?.Check == bug.Check || bug.Number == 0
                ? found[n] : alone.Find(seed);
            var now = Interlocked.Increment(ref done);
            _progress.Show(() => $"{now} of {seeds} seeds");
        });
        _progress.End();
        PlantReport.Run(output, bug, request.First, found, foundAlone);
        return foundAlone.Any(one => one is not null) == (bug.Number > 0)
            ? Tool.Passed : Tool.Safety;
    }

    /// <summary>Looks for each bug in blocks of its budget.</summary>
    public int TryAll(ImmutableArray<PlantedBug> bugs, PlantRequest request)
    {
        var missed = new List<(PlantedBug, TrialOutcome)>();
        PlantReport.TrialsHead(output, request);
        foreach (var bug in bugs)
        {
            var checks = request.LeavesOut
                ? PlantedRun.AllBut(request.WithoutChecks) : [bug.Check];
            var run = new PlantedRun(_cores.ExecuteOf(bug), checks, request.WithoutFaults);
            var outcome = BlockTrial.Run(request.Blocks, bug.Seeds, request.First, request.Jobs,
                run.FindsBy,
                done => _progress.Show(
                    () => $"{bug.Number} {bug.Name}: {done} of {request.Blocks} blocks"));
            _progress.End();
            PlantReport.Trial(output, request, bug, outcome);
            if (!outcome.IsEnough)
                missed.Add((bug, outcome));
        }
        PlantReport.Missed(output, request, missed);
        return missed.Count == 0 ? Tool.Passed : Tool.Safety;
    }

    /// <summary>For each check and class of faults, the bugs that escape without it.</summary>
    public int Ablate(ImmutableArray<PlantedBug> bugs, PlantRequest request)
    {
        var ablation = new Ablation(bugs, request, (bug, seed, without) => new PlantedRun(
            _cores.ExecuteOf(bug), PlantedRun.AllBut(without.Checks), without.Faults)
            .FindsBy(seed), line => _progress.Show(() => line));
        ablation.FindAll();
        _progress.End();
        PlantReport.NeverFound(output, ablation);
        foreach (var without in Ablation.Everything(PlantedBug.AllChecks))
        {
            var escaping = ablation.EscapingWithout(without);
            _progress.End();
            PlantReport.Ablation(output, without, escaping);
        }
        return Tool.Passed;
    }

    /// <summary>Runs seeds with a patch until one finds it; the same seed with any jobs.</summary>
    public int Try(PlantRequest request)
    {
        var patch = Patch.Load(request.File!);
        var run = new PlantedRun(
            _cores.Of(patch).Get<Execute>(typeof(SeedRun), nameof(SeedRun.Execute)),
            request.Checks.IsEmpty ? PlantedBug.AllChecks : request.Checks, [])
        {
            Profile = request.Profile,
        };
        var seeds = request.Seeds ?? PlantRequest.SeedsOfTry;
        Detection? found = null;
        var tried = 0L;
        var all = new InOrder<Detection?>
        {
            Has = n => n < seeds,
            Make = n => FindWithin(request.Limit, run, unchecked(request.First + (ulong)n)),
            IsLast = one => one is not null,
            TakeUp = one =>
            {
                tried++;
                found = one;
                _progress.Show(() => $"{tried} of {seeds} seeds");
            },
        };
        all.Run(request.Jobs, Timeout.InfiniteTimeSpan, () => { });
        _progress.End();
        PlantReport.Try(output, request.File!, request, tried, found);
        return found is null ? Tool.Safety : Tool.Passed;
    }

    /// <summary>
    /// Runs a seed on a thread of its own, whose time on a processor is limited: how busy the
    /// machine is does not matter. One that does not end cannot be stopped: it is left behind, and
    /// ends with the process.
    /// </summary>
    private static Detection? FindWithin(TimeSpan limit, PlantedRun run, ulong seed)
    {
        Detection? found = null;
        Exception? broken = null;
        var clock = 0;
        var began = Stopwatch.StartNew();
        var thread = new Thread(Find, InOrder<Detection?>.StackBytes) { IsBackground = true };
        thread.Start();
        while (!thread.Join(LookEvery))
        {
            var isOver = Volatile.Read(ref clock) is var its and not 0
                && ThreadTime.Of(its) > limit;
            if (isOver || began.Elapsed > limit * TimesOnTheWall)
                throw new EndlessRunException(seed, limit);
        }
        if (broken is not null)
            ExceptionDispatchInfo.Throw(broken);
        return found;

        void Find()
        {
            try
            {
                Volatile.Write(ref clock, ThreadTime.Clock);
                found = run.Find(seed);
            }
            catch (Exception thrown)
            {
                broken = thrown;
            }
        }
    }
}

/// <summary>A seed took longer than it may: the patched core most likely loops.</summary>
internal sealed class EndlessRunException(ulong seed, TimeSpan limit) : Exception(string.Create(
    CultureInfo.InvariantCulture, $"seed {seed} did not end within {limit.TotalSeconds} s"));
