// Owns the start of `sim`: the real simulator, this process's output, and nothing else.

using System;
using System.IO;
using System.Text;
using Simulation.Commands;

using var output = new StreamWriter(
    Console.OpenStandardOutput(), new UTF8Encoding(false))
{ AutoFlush = false };
var code = new Tool(new RealSimulator(), output, Console.Error).Main(args);
output.Flush();
return code;
