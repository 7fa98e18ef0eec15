// Owns a scenario as users of the library have it: made by a builder, a seed or a file, run as
// often as they like, and made smaller when a property of theirs does not hold for it.
//
// What always holds: it is immutable and can be run; equal scenarios run the same, event for event.

using System;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;
using Simulation.Shrinking;

namespace Balancer.Simulation;

/// <summary>What one run depends on: backends, clients, faults and their times.</summary>
public sealed class SimulatedScenario
{
    /// <summary>The check that stands for a property of the user's.</summary>
    internal const string PropertyId = "property";

    private static readonly TimeSpan ShrinkTime = TimeSpan.FromSeconds(30);

    private readonly Scenario _scenario;

    internal SimulatedScenario(Scenario scenario) => _scenario = scenario;

    internal Scenario Plan => _scenario;

    /// <summary>
    /// The scenario that a file of the simulator holds; see docs/scenario-file.md.
    /// </summary>
    /// <exception cref="FormatException">It holds none; names the line and field.</exception>
    public static SimulatedScenario Parse(string json) =>
        new(ScenarioFile.Read(Encoding.UTF8.GetBytes(json)));

    /// <summary>The scenario of a seed, as `sim run --seed` makes it: a swarm of faults.</summary>
    public static SimulatedScenario FromSeed(ulong seed) =>
        new(Generator.FromSeed(seed, Profile.Swarm));

    /// <summary>The scenario as a file; Parse gives an equal one.</summary>
    public string ToJson() => Encoding.UTF8.GetString(ScenarioFile.Write(_scenario));

    /// <summary>
    /// Runs it in virtual time, under all checks of the simulator and these. The first check that
    /// does not hold ends the run; what it says is the outcome's Violation.
    /// </summary>
    /// <param name="checks">Checks of one's own, each made for this run.</param>
    public Outcome Run(params SimulationCheck[] checks)
    {
        var recorder = new StoryRecorder(_scenario);
        var notes = new OutcomeRecorder();
        var origins = new AnswerOrigins();
        var idle = new IdleFaults((scenario, watcher) =>
            ScenarioRun.Execute(scenario, watcher, new CheckSet(scenario)));
        RunObserver[] all = [recorder, notes, origins, idle.Watcher,
            .. checks.Select(check => new CheckAdapter(check, origins)),
            new CheckSet(_scenario)];
        var result = ScenarioRun.Execute(_scenario, all);
        recorder.Story.Conclude(result, Instant.Never);
        return new Outcome(this, recorder.Story, result, notes, origins, idle);
    }

    /// <summary>
    /// Runs it and asserts a property of the outcome; the simulator's checks must hold, too. A
    /// scenario that fails is shrunk, for 30 s at most, and its picture is drawn.
    /// </summary>
    /// <param name="property">True if the outcome is as it should be.</param>
    /// <param name="checks">Makes the checks of one's own, new ones for each run.</param>
    /// <param name="name">What it is called where it does not hold; its text if not given.</param>
    /// <exception cref="CounterexampleException">It does not hold.</exception>
    public Outcome Verify(
        Func<Outcome, bool> property, Func<SimulationCheck[]>? checks = null,
        [CallerArgumentExpression(nameof(property))] string? name = null)
    {
        var outcome = Run(checks?.Invoke() ?? []);
        if (Failure(outcome, property) is not { } violation)
            return outcome;
        var until = DateTime.UtcNow + ShrinkTime;
        var shrunk = Shrinker.Shrink(_scenario, violation,
            scenario => Failure(
                new SimulatedScenario(scenario).Run(checks?.Invoke() ?? []), property),
            () => DateTime.UtcNow > until);
        var smallest = new SimulatedScenario(shrunk.Smallest);
        var picture = Path.Combine(Path.GetTempPath(), $"simulation-{Guid.NewGuid():n}.html");
        var last = smallest.Run(checks?.Invoke() ?? []);
        if (violation.Check == PropertyId)
            last.FailedProperty = OnOneLine(name) ?? "the property does not hold";
        File.WriteAllText(picture, last.Picture());
        throw new CounterexampleException(last, picture, violation.Check == PropertyId
            ? "the property does not hold" : last.Violation ?? violation.Evidence);
    }

    private static string? OnOneLine(string? text) => text is null ? null : string.Join(' ',
        text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static Violation? Failure(Outcome outcome, Func<Outcome, bool> property) =>
        outcome.Found ?? (property(outcome) ? null : new Violation(
            PropertyId, outcome.End, 0, "the property does not hold"));
}

/// <summary>
/// A property that does not hold, with the smallest scenario found that shows it.
/// </summary>
public sealed class CounterexampleException : Exception
{
    internal CounterexampleException(Outcome outcome, string picture, string why)
        : base($"{why}; the smallest scenario that shows it:\n{outcome.Scenario.ToJson()}"
            + (outcome.FailedProperty is { } property ? $"the property: {property}\n" : "")
            + $"its picture: {picture}")
    {
        Outcome = outcome;
        PictureFile = picture;
    }

    /// <summary>What the smallest scenario came to.</summary>
    public Outcome Outcome { get; }

    /// <summary>The path of its picture, an HTML page.</summary>
    public string PictureFile { get; }
}
