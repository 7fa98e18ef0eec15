// Owns the list of what is fuzzed. A target takes any bytes and returns, or throws because it found
// a bug; what is right for all bytes is checked in it, so that a wrong answer is a finding as a
// crash is.
//
// What always holds: a target's name is its folder in corpus/; the same bytes give the same run.

using System;
using System.Collections.Generic;
using Tests.Support;

namespace Tests.Fuzz;

/// <summary>One thing that reads what others write.</summary>
/// <param name="Name">As it is named on the command line and in corpus/.</param>
/// <param name="Run">Takes one input; throws on a bug.</param>
public sealed record Target(string Name, Target.Input Run)
{
    public delegate void Input(ReadOnlySpan<byte> bytes);

    public static IReadOnlyList<Target> All { get; } =
    [
        new("frames", FramesTarget.Run),
        new("questions", QuestionsTarget.Run),
        new("session", SessionTarget.Run),
        new("relay", RelayTarget.Run),
        new("scenarios", ScenariosTarget.Run),
    ];
}

/// <summary>What a target found.</summary>
public sealed class FindingException(string message) : Exception(message)
{
    public static void Unless(bool holds, string wrong)
    {
        if (!holds)
            throw new FindingException(wrong);
    }

    /// <summary>Throws what a check found, with the log until then.</summary>
    internal static void IfViolated(Watched sim)
    {
        if (sim.Checks.Violation is { } violation)
            throw new FindingException($"{violation}\n{string.Join('\n', sim.Log.Events)}");
    }
}
