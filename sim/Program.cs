// Owns the command line of `sim`. The kernel that scenarios will run on is here; the commands that
// run, replay and shrink scenarios are not built yet, so the command says what it can do and
// refuses the rest.

using System;
using System.Reflection;
using Simulation.Planting;

const int Usage = 64;

var version = typeof(Simulation.Kernel.SimKernel).Assembly
    .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;

switch (args)
{
    case ["--version"]:
        Console.WriteLine($"sim {version}");
        return 0;
    case ["--help"]:
        Console.WriteLine("""
            sim: the simulator of bbal

            usage: sim --help | --version

            This build holds the simulated kernel that the tests run on, and no other command.
            """);
        return 0;
    case ["plant", .. var arguments]:
        return PlantCommand.Run(arguments, Console.Out, Console.Error);
    default:
        Console.Error.WriteLine("sim: usage: sim --help | --version");
        return Usage;
}
