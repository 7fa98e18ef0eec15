// Owns `sim plant`. An ordinary build holds no planted bug; there the command is handed on, as it
// stands, to the build that has them, which stands beside this one.

using System;
using System.IO;
#if PLANT
using System.Collections.Generic;
#else
using System.Diagnostics;
#endif

namespace Simulation.Planting;

/// <summary>`sim plant`: the proof that the checks find what they should.</summary>
public static class PlantCommand
{
    private const int UsageExit = 64;
    private const int CrashExit = 4;

    /// <summary>Runs the command with what follows `plant`, and returns its exit status.</summary>
    public static int Run(ReadOnlySpan<string> arguments, TextWriter output, TextWriter error)
    {
        if (arguments is ["--help" or "-h"])
        {
            output.WriteLine(PlantOptions.Usage);
            return 0;
        }
        if (PlantOptions.TryParse(arguments, out var problem) is not { } options)
        {
            error.WriteLine($"sim: {problem}");
            error.WriteLine(PlantOptions.Usage);
            return UsageExit;
        }
        if (options.Action == PlantAction.List)
        {
            PlantReport.List(output, options.Bugs);
            return 0;
        }
        return Start(options, arguments, output, error);
    }

#if PLANT
    private static int Start(
        PlantOptions options, ReadOnlySpan<string> arguments, TextWriter output, TextWriter error)
    {
        _ = arguments;
        return options.Action == PlantAction.Run
            ? RunOne(options, output, error)
            : TryAll(options, output, error);
    }

    private static int TryAll(PlantOptions options, TextWriter output, TextWriter error)
    {
        var areEnough = true;
        PlantReport.TrialsHead(output);
        foreach (var bug in options.Bugs)
        {
            var run = new PlantedRun(bug, options, [bug.Check]);
            var outcome = BlockTrial.Run(options.Blocks, bug.Seeds, options.First, options.Jobs,
                run.Catches,
                done => Progress(error, $"{bug.Name}: {done} of {options.Blocks} blocks"));
            Progress(error, "");
            PlantReport.Trial(output, bug, outcome);
            areEnough &= outcome.IsEnough;
        }
        return areEnough ? 0 : 1;
    }

    private static int RunOne(PlantOptions options, TextWriter output, TextWriter error)
    {
        var bug = options.Bugs[0];
        var seeds = options.Seeds ?? bug.Seeds;
        var run = new PlantedRun(bug, options, null);
        var failed =
            new SortedDictionary<string, (int, ulong, string)>(StringComparer.Ordinal);
        ulong? caught = null;
        BlockTrial.Run(seeds, 1, options.First, options.Jobs, seed =>
        {
            if (run.Find(seed) is not { } violation)
                return false;
            lock (failed)
            {
                var (runs, first, evidence) = failed.GetValueOrDefault(
                    violation.Check, (0, ulong.MaxValue, ""));
                failed[violation.Check] = seed < first
                    ? (runs + 1, seed, violation.Evidence)
                    : (runs + 1, first, evidence);
                if (violation.Check == bug.Check && !(caught <= seed))
                    caught = seed;
            }
            return true;
        }, done => Progress(error, $"{done} of {seeds} seeds"));
        Progress(error, "");
        PlantReport.Run(output, bug, seeds, caught, failed);
        return caught is null ? 1 : 0;
    }

    /// <summary>One line that is written over, and none where nobody looks.</summary>
    private static void Progress(TextWriter error, string line)
    {
        if (Console.IsErrorRedirected)
            return;
        lock (error)
            error.Write($"\r\e[K{line}");
    }
#else
    private static int Start(
        PlantOptions options, ReadOnlySpan<string> arguments, TextWriter output, TextWriter error)
    {
        _ = options;
        output.Flush();
        var planted = Path.Combine(
            Path.GetDirectoryName(Environment.ProcessPath) ?? ".", "sim-planted");
        if (!File.Exists(planted))
        {
            error.WriteLine($"sim: {planted} is missing; `make build` makes it");
            return CrashExit;
        }
        var start = new ProcessStartInfo(planted) { UseShellExecute = false };
        start.ArgumentList.Add("plant");
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start);
        if (process is null)
            return CrashExit;
        process.WaitForExit();
        return process.ExitCode;
    }
#endif
}
