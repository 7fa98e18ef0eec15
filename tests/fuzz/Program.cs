// Owns the command: without files it is run by afl-fuzz, which hands it one input after another;
// with files it runs each of them once, so that a finding can be looked at.
//
// What always holds: a finding leaves as an exception; wrong usage is one line and status 2.

using System;
using System.IO;
using System.Linq;
using SharpFuzz;
using Tests.Fuzz;

var target = args.Length == 0
    ? null : Target.All.FirstOrDefault(target => target.Name == args[0]);
if (target is null)
{
    Console.Error.WriteLine(
        $"usage: fuzz {string.Join('|', Target.All.Select(target => target.Name))} [FILE...]");
    return 2;
}
if (args.Length == 1)
{
    Fuzzer.Run(stream =>
    {
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        target.Run(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    });
    return 0;
}
foreach (var file in args[1..])
{
    Console.WriteLine(file);
    target.Run(File.ReadAllBytes(file));
}
return 0;
