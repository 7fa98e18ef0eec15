// Owns what a request does: it finds the scenario, runs it, and says what came of it. Output goes
// to the writers it is given and files to where the request says; nothing else is touched.
//
// What always holds: the exit code is 0 for a pass, 1 for a safety violation, 2 for liveness, 3
// for two runs that differ, 4 for a crash (S13), 64 for wrong usage.

using System;
using System.Globalization;
using System.IO;
using System.Text.Json;
using Balancer.Core;
using Simulation.Pictures;
using Simulation.Planting;
using Simulation.Running;
using Simulation.Scenarios;
using Simulation.Shrinking;

namespace Simulation.Commands;

/// <summary>Runs requests.</summary>
public sealed class Tool(Simulator simulator, TextWriter output, TextWriter error)
{
    public const int Passed = 0;
    public const int Safety = 1;
    public const int Liveness = 2;
    public const int NotDeterministic = 3;
    public const int Crashed = 4;
    public const int Usage = 64;

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
        var request = parsed.Request!;
        try
        {
            return request.Verb switch
            {
                "run" => new Campaign(simulator, request, output, error).Run(),
                "replay" => Replay(request),
                "shrink" => Shrink(request),
                "show" => Show(request),
                "det" => Determinism.Compare(request, output, error),
                "hashes" => Determinism.Print(simulator, request, output),
                "corpus add" => new Corpus(simulator, request, output).Add(),
                "corpus run" => new Corpus(simulator, request, output).Run(),
                _ when request.Plant is { } plant =>
                    PlantCommand.Run(plant, arguments, output, error),
                _ => Complain($"sim: {request.Verb}: no such command"),
            };
        }
        catch (Exception wrong) when (wrong is IOException or FormatException
            or UnauthorizedAccessException or JsonException)
        {
            return Complain("sim: " + wrong.Message.ReplaceLineEndings(" "));
        }
    }

    public static int ExitCode(Violation? violation) => violation?.Check switch
    {
        null => Passed,
        "S13" => Crashed,
        ['L', ..] => Liveness,
        _ => Safety,
    };

    /// <summary>The scenario of a seed or of a file, a corpus's included.</summary>
    public static Scenario Load(Simulator simulator, string subject, Choice choice)
    {
        if (ulong.TryParse(subject, NumberStyles.None, CultureInfo.InvariantCulture, out var seed))
            return simulator.Generate(seed, choice);
        var text = File.ReadAllText(subject);
        using var json = JsonDocument.Parse(text);
        return simulator.Read(json.RootElement.ValueKind == JsonValueKind.Object
            && json.RootElement.TryGetProperty(Corpus.ScenarioProperty, out var inner)
            ? inner.GetRawText()
            : text);
    }

    public static string Describe(Violation violation) => string.Create(
        CultureInfo.InvariantCulture,
        $"{violation.Check} {CheckNames.Of(violation.Check)} at {Chart.Time(violation.At)}, event {violation.Event}: {violation.Evidence}");

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
        var result = simulator.Run(scenario, request.Checks,
            new Until(request.Until, recorder), new Until(request.Until, trace));
        if (request.Html is { } html)
            File.WriteAllText(html, HtmlPage.Of(Conclude(recorder.Story, result, request)));
        if (!request.Trace && result.Violation is not null)
        {
            output.WriteLine("The last events before it:");
            foreach (var line in recent)
                output.WriteLine(line);
        }
        Conclude(result);
        return ExitCode(result.Violation);
    }

    private void Conclude(RunResult result)
    {
        output.WriteLine(result.Violation is { } violation
            ? "FAILED " + Describe(violation)
            : "passed");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{result.Events} events, {result.Turns} turns, {result.Time} virtual, hash {result.Hash:x16}"));
    }

    private int Show(Request request)
    {
        var scenario = Load(simulator, request.Subject, request.Choice);
        var recorder = new StoryRecorder(scenario);
        var result = simulator.Run(
            scenario, request.Checks, new Until(request.Until, recorder));
        var story = Conclude(recorder.Story, result, request);
        if (request.Html is { } html)
            File.WriteAllText(html, HtmlPage.Of(story));
        if (request.Svg is { } svg)
            File.WriteAllText(svg, Picture.Svg(story));
        if (request.Ascii || (request.Html is null && request.Svg is null))
            output.Write(AsciiPicture.Of(story));
        return ExitCode(result.Violation);
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
        var result = simulator.Run(scenario, request.Checks);
        if (result.Violation is not { } violation)
        {
            output.WriteLine("passed: there is nothing to shrink");
            return Passed;
        }
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var shrunk = Shrinker.Shrink(scenario, violation,
            smaller => simulator.Run(smaller, request.Checks).Violation,
            () => clock.Elapsed > request.Budget);
        output.WriteLine("FAILED " + Describe(shrunk.Violation));
        output.WriteLine($"{Size(scenario)}");
        output.WriteLine($"shrunk in {shrunk.Runs} runs to {Size(shrunk.Smallest)}"
            + (shrunk.IsMinimal ? "" : " (the budget ended it)"));
        if (request.Output is { } file)
            File.WriteAllText(file, simulator.Write(shrunk.Smallest));
        else
            output.WriteLine(simulator.Write(shrunk.Smallest).TrimEnd());
        return ExitCode(shrunk.Violation);
    }

    public static string Size(Scenario scenario)
    {
        var queries = 0;
        foreach (var client in scenario.UdpClients)
            queries += client.Queries.Length;
        return $"{scenario.Backends.Length} backends, {scenario.UdpClients.Length} UDP clients "
            + $"with {queries} queries, {scenario.TcpClients.Length} TCP connections, "
            + $"{scenario.Faults.Length} faults, {scenario.End - Instant.Zero}";
    }

    private int Complain(string line)
    {
        error.WriteLine(line);
        return Usage;
    }
}
