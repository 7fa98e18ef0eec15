// Owns what a request does: it finds the scenario, runs it, and says what came of it. Output goes
// to the writers it is given and files to where the request says; nothing else is touched.
//
// What always holds: the exit code is 0 for a pass, 1 for a safety violation, 2 for liveness, 3
// for two runs that differ, 4 for a crash (S13, or the simulator's own), 64 for wrong usage, 74 for
// a pass of which a file could not be written, 130 for a `run` or `real` that the user ended before
// it found anything. `failover` exits 0 when it has measured, 1 when a goal was missed that was
// asked for, 2 when something could not be started or measured, 130 when the user ended it.

using System;
using System.Globalization;
using System.IO;
using System.Threading;
using Balancer.Core;
using CommandLines;
using Simulation.Checking;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Commands;

/// <summary>Runs requests.</summary>
public sealed class Tool(Simulator simulator, TextWriter output, TextWriter error)
{
    public const int Passed = 0;
    public const int Safety = 1;
    public const int Liveness = 2;
    public const int NotMeasured = 2;
    public const int NotDeterministic = 3;
    public const int Crashed = 4;
    public const int Usage = 64;
    public const int CannotWrite = StandardOptions.ExitCannotWrite;
    public const int Interrupted = 130;

    /// <summary>Whether what is told to `error` can be written over.</summary>
    public bool IsTerminal { get; init; }

    /// <summary>Cancelled when `run` is to end, as by Ctrl-C.</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>
    /// This is the planting host, and the core the one that is asked for; elsewhere the host is
    /// started for what needs another core.
    /// </summary>
    public bool IsPlantingHost { get; init; }

    /// <summary>How `det` starts its processes, if not as processes.</summary>
    public Twin? Twin { get; init; }

    /// <summary>Does what the arguments say; the exit code.</summary>
    public int Main(string[] arguments)
    {
        var parsed = CommandLine.Parse(arguments);
        if (parsed.Complaint is { } complaint)
            return Complain(complaint);
        if (parsed.Text is { } text)
        {
            output.Write(text);
            return Passed;
        }
        try
        {
            return Do(parsed.Request!, arguments);
        }
        catch (Exception wrong) when (wrong is IOException or FormatException
            or UnauthorizedAccessException)
        {
            return Complain("sim: " + OnOneLine(wrong));
        }
        catch (Exception broken)
        {
            error.WriteLine("sim: the simulator itself failed: "
                + $"{(broken as SimulatorException)?.InnerException ?? broken}");
            return Crashed;
        }
    }

    private int Do(Request request, string[] arguments)
    {
        if (!IsPlantingHost && request.NeedsAnotherCore)
            return PlantingHost.Run(arguments, error);
        switch (request.Verb)
        {
            case "run":
                return new Campaign(simulator, request, output, error)
                {
                    IsTerminal = IsTerminal,
                    Interrupted = Stop,
                }.Run();
            case "replay":
                return Replay(request);
            case "shrink":
                return Shrink(request);
            case "show":
                return Show(request);
            case "scenario":
                return WriteScenario(request);
            case "triage":
                return new Triage(request, output, error).Run();
            case "det" or "hashes" or "steps":
                return Compare(request);
            case "corpus add":
                return new Corpus(simulator, request, output, error).Add();
            case "corpus run":
                return new Corpus(simulator, request, output, error)
                {
                    IsTerminal = IsTerminal,
                }.Run();
            case "real":
                return new RealCommand(simulator, request, output, error)
                {
                    IsTerminal = IsTerminal,
                    Interrupted = Stop,
                }.Run();
            case "failover":
                return new FailoverCommand(request, output, error)
                {
                    IsTerminal = IsTerminal,
                    Interrupted = Stop,
                }.Run();
            default:
                return Complain($"sim: {request.Verb}: no such command");
        }
    }

    private int Compare(Request request)
    {
        var determinism = new Determinism(simulator, request, output);
        if (Twin is not null)
            determinism = new Determinism(simulator, request, output) { Twin = Twin };
        return request.Verb switch
        {
            "hashes" => determinism.PrintHashes(),
            "steps" => determinism.PrintSteps(),
            _ => determinism.Compare(),
        };
    }

    /// <summary>Writes a file; whether it could be, with a complaint if not.</summary>
    public static bool Save(TextWriter error, string file, Action<string> write)
    {
        try
        {
            write(file);
            return true;
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            error.WriteLine($"sim: {file}: not written: {StandardOptions.Reason(wrong)}");
            return false;
        }
    }

    public static int ExitCode(Violation? violation) => violation?.Check switch
    {
        null => Passed,
        "S13" => Crashed,
        ['L', ..] => Liveness,
        _ => Safety,
    };

    /// <summary>The same, when a file was to be written too: a violation comes first.</summary>
    private static int ExitCode(Violation? violation, bool isWritten) =>
        violation is null && !isWritten ? CannotWrite : ExitCode(violation);

    /// <summary>The scenario of a seed or of a file, a corpus's included.</summary>
    public static Scenario Load(Simulator simulator, string subject, Choice choice)
    {
        if (ulong.TryParse(subject, NumberStyles.None, CultureInfo.InvariantCulture, out var seed))
            return simulator.Generate(seed, choice);
        if (!File.Exists(subject))
            throw new FormatException($"'{subject}' is neither a seed nor a file that is there");
        try
        {
            return simulator.Read(File.ReadAllText(subject));
        }
        catch (FormatException wrong)
        {
            throw new FormatException($"{subject}: {wrong.Message}", wrong);
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            throw new FormatException($"{subject}: {StandardOptions.Reason(wrong)}", wrong);
        }
    }

    public static string Describe(Violation violation) =>
        $"{violation.Check} {CheckNames.Of(violation.Check)} at {Chart.Time(violation.At)}, "
        + $"event {violation.Event}: {violation.Evidence}";

    private int Replay(Request request)
    {
        var scenario = Load(simulator, request.Subject, request.Choice);
        var recorder = new StoryRecorder(scenario);
        var recent = new System.Collections.Generic.Queue<string>();
        var trace = new Trace((_, line) =>
        {
            if (request.Trace)
                output.WriteLine(line);
            recent.Enqueue(line);
            if (recent.Count > 20)
                recent.Dequeue();
        });
        var idle = IdleFaultsOf(request);
        var result = simulator.Run(scenario, request.Checks,
            new Until(request.Until, recorder), new Until(request.Until, trace), idle.Watcher);
        var isDrawn = request.Html is not { } html
            || Draw(html, HtmlPage.Of(Conclude(recorder.Story, result, request)));
        if (!request.Trace && result.Violation is not null)
        {
            output.WriteLine(request.Until < result.Violation.At
                ? $"the last events until {Chart.Time(request.Until)}"
                : "the last events before it");
            foreach (var line in recent)
                output.WriteLine(line);
        }
        WarnOfIdle(idle, scenario, request);
        Conclude(result);
        return ExitCode(result.Violation, isDrawn);
    }

    private IdleFaults IdleFaultsOf(Request request) =>
        new((scenario, watcher) => simulator.Run(scenario, request.Checks, watcher));

    /// <summary>Whoever wrote a fault by hand believes that it does something.</summary>
    private void WarnOfIdle(IdleFaults idle, Scenario scenario, Request request)
    {
        if (!File.Exists(request.Subject))
            return;
        foreach (var line in idle.Of(scenario))
            output.WriteLine(line);
    }

    private void Conclude(RunResult result)
    {
        output.WriteLine(result.Violation is { } violation
            ? "FAILED " + Describe(violation)
            : "passed");
        output.WriteLine($"{result.Events} events, {result.Turns} turns, {result.Time} virtual, "
            + $"hash {result.Hash:x16}");
    }

    /// <summary>Whether the picture could be written.</summary>
    private bool Draw(string file, string picture)
    {
        if (!Save(error, file, path => File.WriteAllText(path, picture)))
            return false;
        output.WriteLine($"drawn: {file}");
        return true;
    }

    private int Show(Request request)
    {
        var scenario = Load(simulator, request.Subject, request.Choice);
        var recorder = new StoryRecorder(scenario);
        var idle = IdleFaultsOf(request);
        var result = simulator.Run(
            scenario, request.Checks, new Until(request.Until, recorder), idle.Watcher);
        var story = Conclude(recorder.Story, result, request);
        var isDrawn = request.Html is not { } html || Draw(html, HtmlPage.Of(story));
        if (request.Svg is { } svg)
            isDrawn &= Draw(svg, Picture.Svg(story));
        if (request.Ascii || (request.Html is null && request.Svg is null))
            output.Write(AsciiPicture.Of(story));
        WarnOfIdle(idle, scenario, request);
        return ExitCode(result.Violation, isDrawn);
    }

    /// <summary>Writes the scenario of a seed out, or one of a file in its usual layout.</summary>
    private int WriteScenario(Request request)
    {
        if (request.Subject.Length == 0)
        {
            output.Write(ScenarioSchema.Text);
            return Passed;
        }
        var text = simulator.Write(Load(simulator, request.Subject, request.Choice));
        if (request.Output is not { } file)
            output.Write(text);
        else if (!Save(error, file, path => File.WriteAllText(path, text)))
            return CannotWrite;
        return Passed;
    }

    private static Story Conclude(Story story, RunResult result, Request request)
    {
        if (File.Exists(request.Subject))
            story.File = Path.GetFileName(request.Subject);
        story.Conclude(result, request.Until);
        return story;
    }

    private int Shrink(Request request)
    {
        var scenario = Load(simulator, request.Subject, request.Choice);
        if (simulator.Run(scenario, request.Checks).Violation is not { } violation)
        {
            output.WriteLine("passed: there is nothing to shrink");
            return Passed;
        }
        output.WriteLine($"FAILED {violation.Check} {CheckNames.Of(violation.Check)}");
        var report = new FailureReport(simulator, request, output, error)
        {
            Progress = new Progress(error, IsTerminal),
        };
        // The file that is shrunk stays what it was, unless the user says otherwise.
        var file = request.Output ?? $"sim-{scenario.Seed}-shrunk.json";
        if (report.Shrink(scenario, violation, file) is not null)
            output.WriteLine($"written to {file}");
        return ExitCode(violation);
    }

    public static string OnOneLine(Exception wrong) => StandardOptions.Reason(wrong);

    private int Complain(string line)
    {
        error.WriteLine(line);
        return Usage;
    }
}
