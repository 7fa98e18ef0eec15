// Owns what the commands need of the simulator: making scenarios of seeds, running them under the
// checks, and reading and writing them. The commands know nothing else of it, so their tests run
// on one that fails when it is told to.
//
// What always holds: the same scenario gives the same result, and whoever watches changes nothing.

using System.Collections.Immutable;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Commands;

/// <summary>What scenarios are made with.</summary>
public sealed record Choice
{
    /// <summary>One of the generator's profiles.</summary>
    public string Profile { get; init; } = "swarm";

    /// <summary>Fault classes or kinds that alone may happen; empty for all.</summary>
    public ImmutableArray<string> Only { get; init; } = [];

    /// <summary>Fault classes or kinds that do not happen.</summary>
    public ImmutableArray<string> Without { get; init; } = [];

    /// <summary>How long a run is, in virtual time; null for what the seed draws.</summary>
    public Balancer.Core.Duration? Virtual { get; init; }
}

/// <summary>The simulator, as the commands see it.</summary>
public abstract class Simulator
{
    public abstract Scenario Generate(ulong seed, Choice choice);

    /// <summary>Runs a scenario under these checks, all of them if none is named.</summary>
    public abstract RunResult Run(
        Scenario scenario, ImmutableArray<string> checks, params RunObserver[] watchers);

    /// <summary>Reads a scenario; throws FormatException on what is none.</summary>
    public abstract Scenario Read(string json);

    public abstract string Write(Scenario scenario);
}
