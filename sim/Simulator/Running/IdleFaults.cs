// Owns the question which faults of a file changed nothing: without one of these the run is the
// same. Most of them are refused when the file is read (FaultCheck), but some cannot be known
// before: whether a send is tried while the socket is blocked, or a read while streams are cut
// short. Who wrote such a fault by hand believes that it was tested.
//
// What always holds: it costs a run for each fault, so only a scenario with few is asked about; a
// seed's has hundreds.

using System;
using System.Collections.Generic;
using Simulation.Pictures;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>Finds faults without which a run is the same.</summary>
/// <param name="run">Runs a scenario, watched.</param>
public sealed class IdleFaults(Action<Scenario, RunObserver> run)
{
    /// <summary>Of a scenario that has more, none is named.</summary>
    public const int MostFaults = 20;

    /// <summary>Watches the run with all faults.</summary>
    public RunHash Watcher { get; } = new() { IgnoresFaults = true };

    /// <summary>After that run: a line for each fault that changed nothing in it.</summary>
    public IEnumerable<string> Of(Scenario scenario)
    {
        if (scenario.Faults.Length > MostFaults)
            yield break;
        for (var i = 0; i < scenario.Faults.Length; i++)
        {
            var without = new RunHash { IgnoresFaults = true };
            run(scenario with { Faults = scenario.Faults.RemoveAt(i) }, without);
            if (without.Value == Watcher.Value)
            {
                var fault = scenario.Faults[i];
                yield return $"faults[{i}] ({fault.Kind} at {Chart.Time(fault.At)}) changed "
                    + "nothing: the run is the same without it";
            }
        }
    }
}
