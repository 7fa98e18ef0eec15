// Owns the question which faults of a file changed nothing: without one of these the run is the
// same. Most of them are refused when the file is read (FaultCheck), but some cannot be known
// before: whether a send is tried while the socket is blocked, or a read while streams are cut
// short. Who wrote such a fault by hand believes that it was tested.
//
// What always holds: it costs a run for each fault, so only a file with few is asked about.

using System.Collections.Immutable;
using System.IO;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Commands;

/// <summary>Finds faults without which a run is the same.</summary>
internal sealed class IdleFaults(Simulator simulator, ImmutableArray<string> checks)
{
    private const int MostFaults = 20;

    /// <summary>Watches the run with all faults.</summary>
    public RunHash Watcher { get; } = new() { IgnoresFaults = true };

    /// <summary>After that run: a line for each fault that changed nothing in it.</summary>
    public void Report(Scenario scenario, TextWriter output)
    {
        if (scenario.Faults.Length > MostFaults)
            return;
        for (var i = 0; i < scenario.Faults.Length; i++)
        {
            var without = new RunHash { IgnoresFaults = true };
            simulator.Run(
                scenario with { Faults = scenario.Faults.RemoveAt(i) }, checks, without);
            if (without.Value == Watcher.Value)
            {
                var fault = scenario.Faults[i];
                output.WriteLine($"faults[{i}] ({fault.Kind} at {Chart.Time(fault.At)}) changed "
                    + "nothing: the run is the same without it");
            }
        }
    }
}
