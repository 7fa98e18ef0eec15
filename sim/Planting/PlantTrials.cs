#if PLANT
// Owns what `sim plant` does in a build that holds the bugs: runs of one bug, the trial of all in
// blocks of seeds, and the ablation.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Simulation.Commands;
using Simulation.Running;

namespace Simulation.Planting;

internal static class PlantTrials
{
    /// <summary>Runs seeds with one bug, under all checks and under its own alone.</summary>
    public static int RunOne(PlantRequest request, TextWriter output, TextWriter error)
    {
        var bug = request.Bugs[0];
        var seeds = request.Seeds ?? bug.Seeds;
        var progress = new Progress(error, !Console.IsErrorRedirected);
        var all = new PlantedRun(bug, PlantedRun.AllChecks, []);
        var alone = new PlantedRun(bug, [bug.Check], []);
        var found = new Violation?[seeds];
        var foundAlone = new Violation?[seeds];
        var done = 0;
        BlockTrial.InParallel(seeds, request.Jobs, n =>
        {
            var seed = unchecked(request.First + (ulong)n);
            found[n] = all.Find(seed);
            foundAlone[n] = found[n]?.Check == bug.Check || bug.Number == 0
                ? found[n] : alone.Find(seed);
            var now = Interlocked.Increment(ref done);
            progress.Show(() => $"{now} of {seeds} seeds");
        });
        progress.End();
        PlantReport.Run(output, bug, request.First, found, foundAlone);
        return foundAlone.Any(violation => violation is not null) == (bug.Number > 0)
            ? Tool.Passed : Tool.Safety;
    }

    /// <summary>Looks for each bug in blocks of its budget.</summary>
    public static int TryAll(PlantRequest request, TextWriter output, TextWriter error)
    {
        var progress = new Progress(error, !Console.IsErrorRedirected);
        var missed = new List<(PlantedBug, TrialOutcome)>();
        PlantReport.TrialsHead(output, request);
        foreach (var bug in request.Bugs)
        {
            var checks = request.LeavesOut
                ? PlantedRun.AllBut(request.WithoutChecks) : [bug.Check];
            var run = new PlantedRun(bug, checks, request.WithoutFaults);
            var outcome = BlockTrial.Run(request.Blocks, bug.Seeds, request.First, request.Jobs,
                run.FindsBy,
                done => progress.Show(
                    () => $"{bug.Number} {bug.Name}: {done} of {request.Blocks} blocks"));
            progress.End();
            PlantReport.Trial(output, request, bug, outcome);
            if (!outcome.IsEnough)
                missed.Add((bug, outcome));
        }
        PlantReport.Missed(output, request, missed);
        return missed.Count == 0 ? Tool.Passed : Tool.Safety;
    }

    /// <summary>For each check and class of faults, the bugs that escape without it.</summary>
    public static int Ablate(PlantRequest request, TextWriter output, TextWriter error)
    {
        var progress = new Progress(error, !Console.IsErrorRedirected);
        var ablation = new Ablation(request, (bug, seed, without) => new PlantedRun(bug,
            PlantedRun.AllBut(without.Checks), without.Faults).FindsBy(seed),
            line => progress.Show(() => line));
        ablation.FindAll();
        progress.End();
        PlantReport.NeverFound(output, ablation);
        foreach (var without in Ablation.Everything(PlantedRun.AllChecks))
        {
            var escaping = ablation.EscapingWithout(without);
            progress.End();
            PlantReport.Ablation(output, without, escaping);
        }
        return Tool.Passed;
    }
}
#endif
