// Owns the start of `sim`: the real simulator, this process's output, and nothing else.

using System;
using System.IO;
using System.Text;
using Simulation.Commands;
using Simulation.Planting;

using var output = new StreamWriter(
    Console.OpenStandardOutput(), new UTF8Encoding(false));
var code = args is ["plant", .. var rest]
    ? PlantCommand.Run(rest, output, Console.Error)
    : new Tool(new RealSimulator(), output, Console.Error).Main(args);
output.Flush();
return code;
