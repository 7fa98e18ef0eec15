// Owns the comparison of two processes: each prints a hash a seed, and the lines must be equal.
// What differs between processes - addresses, hash codes of strings, the order of threads - must
// not be seen in a run.
//
// What always holds: both processes are this very executable with the same arguments.

using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;

namespace Simulation.Commands;

internal static class Determinism
{
    /// <summary>Prints seed and hash, a line each.</summary>
    public static int Print(Simulator simulator, Request request, TextWriter output)
    {
        var first = request.Seed ?? 1;
        for (long i = 0; i < request.Count; i++)
        {
            var seed = unchecked(first + (ulong)i);
            var result = simulator.Run(simulator.Generate(seed, request.Choice), []);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{seed} {result.Hash:x16} {result.Violation?.Check ?? "passed"}"));
        }
        return Tool.Passed;
    }

    /// <summary>Runs the two processes at the same time and compares line by line.</summary>
    public static int Compare(Request request, TextWriter output, TextWriter error)
    {
        using var one = Start(request);
        using var two = Start(request);
        var other = two.StandardOutput.ReadToEndAsync();
        var lines = one.StandardOutput.ReadToEnd().Split('\n');
        var otherLines = other.GetAwaiter().GetResult().Split('\n');
        one.WaitForExit();
        two.WaitForExit();
        if (one.ExitCode != Tool.Passed || two.ExitCode != Tool.Passed)
        {
            error.WriteLine($"sim: det: the processes exited {one.ExitCode} and {two.ExitCode}");
            return Tool.Crashed;
        }
        for (var i = 0; i < Math.Max(lines.Length, otherLines.Length); i++)
        {
            var (a, b) = (i < lines.Length ? lines[i] : "", i < otherLines.Length ? otherLines[i] : "");
            if (a == b)
                continue;
            output.WriteLine($"NOT DETERMINISTIC: '{a}' in one process, '{b}' in the other");
            return Tool.NotDeterministic;
        }
        output.WriteLine($"{lines.Length - 1} seeds, two processes, the same hashes");
        return Tool.Passed;
    }

    private static Process Start(Request request)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        // Under `dotnet sim.dll` the process is dotnet, and its first argument is the program.
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet")
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        var choice = request.Choice;
        foreach (var word in (string[])["hashes", "--seed", Text(request.Seed ?? 1), "--seeds",
            Text(request.Count ?? 100), "--profile", choice.Profile])
        {
            start.ArgumentList.Add(word);
        }
        if (!choice.Only.IsEmpty)
            start.ArgumentList.Add("--only=" + string.Join(',', choice.Only));
        if (!choice.Without.IsEmpty)
            start.ArgumentList.Add("--without=" + string.Join(',', choice.Without));
        if (choice.Virtual is { } time)
            start.ArgumentList.Add("--virtual=" + (time.Nanoseconds / 1e9m).ToString(CultureInfo.InvariantCulture));
        return Process.Start(start)!;
    }

    private static string Text(IFormattable number) =>
        number.ToString(null, CultureInfo.InvariantCulture);
}
