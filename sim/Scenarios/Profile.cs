// Owns what a caller may ask of the generator besides a seed: the profile, and which classes of
// faults to have or to leave out.
//
// What always holds: leaving a class out leaves the draws of all others as they were.

using System;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>What kind of world a seed makes.</summary>
public enum Profile
{
    /// <summary>Everything; each class of faults is off about half the time.</summary>
    Swarm,

    /// <summary>Nothing is wrong, and everybody behaves.</summary>
    Calm,

    /// <summary>UDP alone.</summary>
    Udp,

    /// <summary>Mostly TCP, and every manner of client.</summary>
    Tcp,

    /// <summary>Backends that come and go, and nothing else.</summary>
    Restart,
}

/// <summary>Narrows what a seed makes.</summary>
public sealed record GeneratorOptions
{
    /// <summary>The word for what a script makes backends do wrong.</summary>
    public const string ScriptClass = "script";

    /// <summary>If not empty, only faults that one of these words names.</summary>
    public ImmutableArray<string> Only { get; init; } = [];

    /// <summary>No faults that one of these words names.</summary>
    public ImmutableArray<string> Without { get; init; } = [];

    /// <summary>Virtual time, 10 s and up; null for what the seed draws.</summary>
    public Duration? Length { get; init; }

    /// <summary>
    /// The first word that names no fault; null if all do. A word names a class (backend, udp,
    /// kernel, stream, directory, clock, script), a kind (BackendCrash) or a kind without its class
    /// (crash), in any case of letters.
    /// </summary>
    public string? UnknownWord()
    {
        foreach (var word in Only.AddRange(Without))
        {
            var isKnown = Is(word, ScriptClass);
            foreach (var kind in Enum.GetValues<FaultKind>())
                isKnown |= Names(word, kind);
            if (!isKnown)
                return word;
        }
        return null;
    }

    /// <summary>Whether faults of the kind may be made.</summary>
    public bool Allows(FaultKind kind)
    {
        var isWanted = Only.IsEmpty;
        foreach (var word in Only)
            isWanted |= Names(word, kind);
        foreach (var word in Without)
            isWanted &= !Names(word, kind);
        return isWanted;
    }

    /// <summary>Whether backends may have scripts of misbehaviour.</summary>
    public bool AllowsScripts()
    {
        var isWanted = Only.IsEmpty;
        foreach (var word in Only)
            isWanted |= Is(word, ScriptClass);
        foreach (var word in Without)
            isWanted &= !Is(word, ScriptClass);
        return isWanted;
    }

    /// <summary>The classes, that of scripts the last.</summary>
    public static ImmutableArray<string> Classes { get; } =
        [.. Enum.GetValues<FaultKind>().Select(ClassOf).Distinct(), ScriptClass];

    /// <summary>A kind's class: its first word, in small letters.</summary>
    public static string ClassOf(FaultKind kind) => Split(kind).Class;

    private static bool Names(string word, FaultKind kind)
    {
        var (first, rest) = Split(kind);
        return Is(word, first) || Is(word, rest) || Is(word, first + rest);
    }

    private static (string Class, string Name) Split(FaultKind kind)
    {
        var name = kind.ToString();
        var second = 1;
        while (char.IsLower(name[second]))
            second++;
        return (name[..second].ToLowerInvariant(), name[second..]);
    }

    private static bool Is(string word, string name) =>
        word.Equals(name, StringComparison.OrdinalIgnoreCase);
}
