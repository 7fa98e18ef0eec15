// Owns how the properties draw: all from one fixed seed, so that a run in one place is the run in
// every other, unless the environment says otherwise. BBAL_FSCHECK is another seed, as a failure
// prints it ("seed,gamma", and ",size" behind for the last step alone), or "random" for a new one.
//
// What always holds: what is in use here is printed with a failing scenario or script.

using System;
using FsCheck;
using FsCheck.Xunit;

[assembly: Tests.Property.Seeded]

namespace Tests.Property;

/// <summary>What every property here draws from.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class SeededAttribute : PropertiesAttribute
{
    public SeededAttribute() => Replay = Randomness.Replay;
}

public static class Randomness
{
    public const string Variable = "BBAL_FSCHECK";

    private const ulong Seed = 20_130_508;
    private const ulong Gamma = 5_353;

    /// <summary>As FsCheck takes it; null for a new one each time.</summary>
    public static string? Replay { get; } = Environment.GetEnvironmentVariable(Variable) switch
    {
        null or "" => $"{Seed},{Gamma}",
        "random" => null,
        var other => other,
    };

    /// <summary>For samples that no property draws.</summary>
    public static Rnd Fixed => new(Seed, Gamma);

    /// <summary>How to draw the same again.</summary>
    public static string Explained => Replay is null
        ? $"drawn anew; {Variable}=SEED,GAMMA with the seed printed above draws the same"
        : $"drawn with {Variable}={Replay}";
}
