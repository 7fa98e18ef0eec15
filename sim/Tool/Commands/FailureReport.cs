// Owns how a failure is told: the check, when and at which event, one line of evidence; the
// smallest scenario that still fails, in words and as a file; the last events before it; and the
// commands that show it again. Of two runs of one seed that differ it names the first event that
// does.
//
// What always holds: a file that cannot be written costs a line on standard error and nothing of
// the report; without a budget the report follows from the seed alone.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Threading;
using Simulation.Checking;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;
using Simulation.Shrinking;
using Trace = Simulation.Pictures.Trace;

namespace Simulation.Commands;

internal sealed class FailureReport(
    Simulator simulator, Request request, TextWriter output, TextWriter error)
{
    private const int LastEvents = 10;

    /// <summary>Of the lines that a rule's words are told in.</summary>
    private const int Columns = 80;

    public required Progress Progress { get; init; }

    public CancellationToken Interrupted { get; init; }

    /// <summary>Tells of a seed's failure; the exit code.</summary>
    public int Tell(Finished failure)
    {
        output.WriteLine();
        var kept = request.Keep is { } folder
            ? new KeptFailures(simulator, request, folder) : null;
        if (failure.Differs)
        {
            Keep(kept, one => one.KeepWhole(failure));
            return TellDifference(failure);
        }
        Keep(kept, one => one.KeepOrigin(failure));
        var violation = failure.Result.Violation!;
        output.WriteLine(
            $"FAILED seed {failure.Seed}: {violation.Check} {CheckNames.Of(violation.Check)}");
        Evidence(output, violation);
        output.Flush();
        var file = Shrink(failure.Result.Scenario, violation,
            kept?.ScenarioOf(failure) ?? request.Output ?? $"sim-{failure.Seed}.json");
        output.WriteLine("to see it again");
        output.WriteLine($"  sim replay {failure.Seed}{request.Options}");
        if (file is not null)
        {
            output.WriteLine($"  sim replay {file}{Checks} --trace");
            var page = Path.ChangeExtension(file, ".html");
            output.WriteLine($"  sim show {file}{Checks} --html {page}");
        }
        return Tool.ExitCode(violation);
    }

    private void Keep(KeptFailures? kept, Action<KeptFailures> keep)
    {
        if (kept is not null)
            Tool.Save(error, request.Keep!, _ => keep(kept));
    }

    /// <summary>Shrinks what fails, tells what is left, and saves it; the file.</summary>
    public string? Shrink(Scenario scenario, Violation violation, string file)
    {
        var clock = Stopwatch.StartNew();
        var runs = 0;
        var shrunk = Shrinker.Shrink(scenario, violation,
            smaller => simulator.Run(smaller, request.Checks).Violation,
            () =>
            {
                Progress.Show(() => $"shrinking: {runs} runs, "
                    + $"{Math.Max(0, (int)(request.Budget - clock.Elapsed).TotalSeconds)} s left");
                runs++;
                return clock.Elapsed >= request.Budget || Interrupted.IsCancellationRequested;
            });
        Progress.End();
        output.WriteLine($"shrunk in {shrunk.Runs} runs"
            + (shrunk.IsMinimal ? "" : " (the budget ended it)"));
        output.WriteLine($"  from {ScenarioText.Size(scenario)}");
        output.WriteLine($"  to {ScenarioText.Size(shrunk.Smallest)}");
        output.WriteLine("the smallest scenario that fails");
        ScenarioText.Write(output, shrunk.Smallest);
        output.WriteLine("fails with");
        Evidence(output, shrunk.Violation);
        TellLastEvents(shrunk.Smallest);
        var text = simulator.Write(shrunk.Smallest);
        return Tool.Save(error, file, path => File.WriteAllText(path, text)) ? file : null;
    }

    /// <summary>What every failure has: what was seen, when, and which rule that breaks.</summary>
    public static void Evidence(TextWriter output, Violation violation)
    {
        output.WriteLine($"  rule      {CheckNames.Rule(violation.Check)}");
        output.WriteLine($"  evidence  {violation.Evidence}");
        output.WriteLine($"  at        {Chart.Time(violation.At)}, event {violation.Event}");
        if (SpecifiedRules.Of(violation) is not { } rule)
            return;
        output.WriteLine($"  see       docs/behaviour.md, {rule.Place}:");
        foreach (var line in Wrapped(rule.Sentence))
            output.WriteLine("            " + line);
    }

    private static IEnumerable<string> Wrapped(string text)
    {
        var line = "";
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > Columns)
            {
                yield return line;
                line = "";
            }
            line += line.Length == 0 ? word : " " + word;
        }
        yield return line;
    }

    /// <summary>The checks alone: a file holds its scenario.</summary>
    private string Checks => (request with { Choice = new Choice() }).Options;

    private void TellLastEvents(Scenario scenario)
    {
        var last = new Queue<string>();
        simulator.Run(scenario, request.Checks, new Trace((_, line) =>
        {
            last.Enqueue(line);
            if (last.Count > LastEvents)
                last.Dequeue();
        }));
        output.WriteLine("the last events before it");
        foreach (var line in last)
            output.WriteLine(line);
    }

    // ---- Two runs that differ ----

    private int TellDifference(Finished failure)
    {
        output.WriteLine($"NOT DETERMINISTIC seed {failure.Seed}: "
            + $"hash {failure.Result.Hash:x16}, then {failure.Again:x16}");
        var first = Steps(failure.Result.Scenario);
        var second = Steps(failure.Result.Scenario);
        output.WriteLine(StepLines.Difference(first, second)
            ?? "two more runs told the same events: it does not always differ");
        output.WriteLine("to see it again");
        output.WriteLine($"  sim replay {failure.Seed}{request.Options} --trace");
        return Tool.NotDeterministic;
    }

    private List<string> Steps(Scenario scenario)
    {
        var steps = new List<string>();
        StepLines.Run(simulator, scenario, steps.Add);
        return steps;
    }
}
