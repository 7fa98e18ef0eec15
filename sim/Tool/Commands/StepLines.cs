// Owns the form in which runs are compared event by event: for each event a line with the rolling
// hash after it and its line of the trace. The hash is there for what a trace does not say: bytes
// far into a payload.
//
// What always holds: equal runs give equal lines; the first lines that differ are of the first
// event that does.

using System;
using System.Collections.Generic;
using System.Globalization;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Commands;

/// <summary>Runs as lines that can be compared.</summary>
internal static class StepLines
{
    private const int HashDigits = 16;

    /// <summary>Runs a scenario and hands out its lines.</summary>
    public static void Run(Simulator simulator, Scenario scenario, Action<string> write)
    {
        var hash = new RunHash();
        // The hash hears of an event before the trace does, so that it has it in.
        simulator.Run(scenario, [], hash, new Trace((_, line) => write(string.Create(
            CultureInfo.InvariantCulture, $"{hash.Value:x16} {line}"))));
    }

    /// <summary>Names the first event that differs; null if none does.</summary>
    public static string? Difference(IReadOnlyList<string> first, IReadOnlyList<string> second)
    {
        for (var i = 0; i < Math.Max(first.Count, second.Count); i++)
        {
            var (one, other) = (At(first, i), At(second, i));
            if (one != other)
            {
                // Lines of lost datagrams have no number of their own.
                return $"event {NumberOf(Told(one)) ?? NumberOf(Told(other)) ?? i + 1} is the "
                    + "first that differs\n"
                    + $"  once   {Told(one)}\n  again  {Told(other)}"
                    + (Told(one) == Told(other) ? "\n  (in what the trace leaves out)" : "");
            }
        }
        return null;
    }

    private static int? NumberOf(string told) =>
        int.TryParse(told.Split(' ')[0], CultureInfo.InvariantCulture, out var number)
            ? number : null;

    private static string At(IReadOnlyList<string> lines, int index) =>
        index < lines.Count ? lines[index] : "";

    private static string Told(string line) =>
        line.Length > HashDigits ? line[HashDigits..].Trim() : "nothing more";
}
