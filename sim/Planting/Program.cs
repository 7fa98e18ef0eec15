// Owns the start of the planting host, which `sim` starts for its commands on planted bugs.

using System;
using Simulation.Commands;
using Simulation.Planting;

return Entry.WithOutput(() => { }, output => new PlantTool(output, Console.Error).Main(args));
