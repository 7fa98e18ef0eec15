// Owns the joining of the simulator's parts for the commands: generator, runner, checks, files.
//
// What always holds: watchers hear of an event before the checks do, so that what is drawn or
// traced ends with the event that a check failed in.

using System;
using System.Collections.Immutable;
using System.Linq;
using System.Text;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Commands;

/// <summary>The simulator itself.</summary>
public sealed class RealSimulator : Simulator
{
    public override Scenario Generate(ulong seed, Choice choice) => Generator.FromSeed(
        seed, Enum.Parse<Profile>(choice.Profile, ignoreCase: true), new GeneratorOptions
        {
            Only = choice.Only,
            Without = choice.Without,
            Length = choice.Virtual,
        });

    public override RunResult Run(
        Scenario scenario, ImmutableArray<string> checks, params RunObserver[] watchers)
    {
        var set = new CheckSet(scenario);
        if (!checks.IsEmpty)
            set = set.Only(checks);
        var result = ScenarioRun.Execute(scenario, [.. watchers, set]);
        foreach (var coverage in watchers.OfType<Coverage>())
            set.AddMet(coverage);
        return result;
    }

    public override Scenario Read(string json)
    {
        try
        {
            return ScenarioFile.Read(Encoding.UTF8.GetBytes(json));
        }
        catch (ScenarioFormatException wrong)
        {
            throw new FormatException(wrong.Message, wrong);
        }
    }

    public override string Write(Scenario scenario) =>
        Encoding.UTF8.GetString(ScenarioFile.Write(scenario));
}
