// Owns `sim det`: the same seeds in two processes, and whatever they came to must be equal - hash,
// number of events, violation with its evidence. What differs between processes must not be seen
// in a run: addresses, hash codes of strings, the order of threads; nor what differs between
// machines: the second process has another time zone, another language and another garbage
// collector's pace. Of the first seed that differs, the first event that does is named.
//
// What always holds: both processes are this very executable with the same arguments.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Simulation.Scenarios;

namespace Simulation.Commands;

/// <summary>Runs the simulator, the second in another world; what it printed.</summary>
public delegate string[] Twin(IReadOnlyList<string> arguments, bool isSecond);

internal sealed class Determinism(Simulator simulator, Request request, TextWriter output)
{
    public Twin Twin { get; init; } = Start;

    /// <summary>Prints a line a seed with all that it came to.</summary>
    public int PrintHashes()
    {
        var first = request.Seed ?? 1;
        for (long i = 0; i < request.Count; i++)
        {
            var seed = unchecked(first + (ulong)i);
            var result = simulator.Run(simulator.Generate(seed, request.Choice), request.Checks);
            var came = result.Violation is { } found
                ? $"{found.Check} event {found.Event} at {found.At.Nanoseconds}: {found.Evidence}"
                : "passed";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{seed} {result.Hash:x16} {result.Events} {result.Turns} {came}"));
        }
        return Tool.Passed;
    }

    /// <summary>Prints a line an event, with the hash after it.</summary>
    public int PrintSteps()
    {
        StepLines.Run(simulator, Tool.Load(simulator, request.Subject, request.Choice),
            output.WriteLine);
        return Tool.Passed;
    }

    /// <summary>Runs the two processes at the same time and compares what they print.</summary>
    public int Compare()
    {
        var (lines, others) = Both(["hashes", "--seed", Text(request.Seed ?? 1),
            "--seeds", Text(request.Count ?? 100), .. request.ScenarioWords()]);
        if (lines.Length != request.Count || others.Length != request.Count)
            throw new IOException($"det: {lines.Length} and {others.Length} seeds were run");
        foreach (var (line, other) in lines.Zip(others))
        {
            if (line != other)
                return Tell(line, other);
        }
        output.WriteLine($"passed: {lines.Length} seeds came to the same in two processes");
        return Tool.Passed;
    }

    private int Tell(string line, string other)
    {
        var seed = line.Split(' ')[0];
        output.WriteLine($"NOT DETERMINISTIC seed {seed}");
        output.WriteLine($"  once   {line}");
        output.WriteLine($"  again  {other}");
        var (steps, otherSteps) = Both(["steps", seed, .. request.ScenarioWords()]);
        output.WriteLine(StepLines.Difference(steps, otherSteps)
            ?? "once more, every event was the same: it does not always differ");
        return Tool.NotDeterministic;
    }

    private (string[] Lines, string[] Others) Both(IReadOnlyList<string> arguments)
    {
        var other = Task.Run(() => Twin(arguments, true));
        var lines = Twin(arguments, false);
        return (lines, other.GetAwaiter().GetResult());
    }

    private static string[] Start(IReadOnlyList<string> arguments, bool isSecond)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardOutput = true,
        };
        // Under `dotnet sim.dll` the process is dotnet, and its first argument is the program.
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet")
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        foreach (var word in arguments)
            start.ArgumentList.Add(word);
        if (isSecond)
        {
            start.Environment["TZ"] = "Asia/Kathmandu";
            start.Environment["LC_ALL"] = "tr_TR.UTF-8";
            start.Environment["DOTNET_GCgen0size"] = "0x40000";
        }
        using var process = Process.Start(start)!;
        var lines = process.StandardOutput.ReadToEnd().Split('\n')[..^1];
        process.WaitForExit();
        return process.ExitCode == Tool.Passed
            ? lines
            : throw new IOException($"{arguments[0]}: the process exited {process.ExitCode}");
    }

    private static string Text(IFormattable number) =>
        number.ToString(null, CultureInfo.InvariantCulture);
}
