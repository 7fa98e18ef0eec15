// Owns the start of the planting host, which `sim` starts for its commands on planted bugs and
// mutants, and which starts itself again to run mutants in a process of their own.

using System;
using Simulation.Commands;
using Simulation.Planting;
using Simulation.Planting.Mutants;

if (args is [MutantWorker.Verb, var assembly])
    return MutantWorker.Run(assembly, Console.In, Console.Out);
return Entry.WithOutput(() => { }, output => new PlantTool(output, Console.Error).Main(args));
