// Owns the start of `sim`.

return Simulation.Commands.Entry.Run(args, isPlantingHost: false);
