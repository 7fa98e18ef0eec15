// Owns the words that faults are chosen by on the command line: a class, which is the first word
// of a kind's name (backend, udp, kernel, stream, directory, clock), or a kind itself.
//
// What always holds: every kind has a class; upper and lower case are the same.

using System;
using System.Linq;
using Simulation.Scenarios;

namespace Simulation.Commands;

public static class FaultClasses
{
    public static string Classes { get; } = string.Join(", ",
        Enum.GetValues<FaultKind>().Select(ClassOf).Distinct());

    /// <summary>Whether the word chooses this kind.</summary>
    public static bool Matches(string word, FaultKind kind) =>
        word.Equals(ClassOf(kind), StringComparison.OrdinalIgnoreCase)
        || word.Equals(kind.ToString(), StringComparison.OrdinalIgnoreCase);

    public static bool IsKnown(string word) =>
        Enum.GetValues<FaultKind>().Any(kind => Matches(word, kind));

    public static string ClassOf(FaultKind kind)
    {
        var name = kind.ToString();
        var end = 1;
        while (end < name.Length && !char.IsUpper(name[end]))
            end++;
        return name[..end].ToLowerInvariant();
    }
}
