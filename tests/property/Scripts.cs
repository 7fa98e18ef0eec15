// Owns what all properties here have in common: a script is a list of steps that a test applies one
// after another to the thing under test and to a model of it. Because a step means something in any
// state (or is passed over in both), steps can be left out freely, and a failing script shrinks to
// the few that matter: halves go first, then ever smaller pieces, then the steps themselves become
// simpler.
//
// What always holds: every candidate of a shrinker is smaller than what it was made from, so
// shrinking ends; a failure prints its steps, one a line, and the seed that replays them.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Tests.Property;

/// <summary>Steps, applied in order.</summary>
public sealed class Script<T>(ImmutableArray<T> steps)
{
    public ImmutableArray<T> Steps => steps;

    public override string ToString()
    {
        var text = new StringBuilder($"{steps.Length} steps:");
        for (var i = 0; i < steps.Length; i++)
            text.Append($"\n  {i,3}. {steps[i]}");
        return text.Append('\n').Append(Randomness.Explained).ToString();
    }
}

public static class Scripts
{
    /// <summary>Scripts of min to max steps that shrink to fewer and simpler ones.</summary>
    public static Arbitrary<Script<T>> Of<T>(
        Gen<T> step, Func<T, IEnumerable<T>> shrinkStep, int min, int max) =>
        Arb.From(
            from length in Gen.Choose(min, max)
            from steps in step.ArrayOf(length)
            select new Script<T>([.. steps]),
            script => Shrink(script.Steps, shrinkStep));

    /// <summary>Scripts of steps that do not become simpler by themselves.</summary>
    public static Arbitrary<Script<T>> Of<T>(Gen<T> step, int min, int max) =>
        Of(step, _ => [], min, max);

    /// <summary>The same script with less in it, the boldest cuts first.</summary>
    public static IEnumerable<Script<T>> Shrink<T>(
        ImmutableArray<T> steps, Func<T, IEnumerable<T>> shrinkStep)
    {
        for (var size = (steps.Length + 1) / 2; size > 0; size = size == 1 ? 0 : (size + 1) / 2)
        {
            for (var at = 0; at < steps.Length; at += size)
                yield return new(steps.RemoveRange(at, Math.Min(size, steps.Length - at)));
        }
        for (var i = 0; i < steps.Length; i++)
        {
            foreach (var simpler in shrinkStep(steps[i]))
                yield return new(steps.SetItem(i, simpler));
        }
    }

    /// <summary>Numbers between a value and a lower one, the boldest first.</summary>
    public static IEnumerable<int> Towards(int low, int value)
    {
        for (var step = value - low; step > 0; step /= 2)
            yield return value - step;
    }

    /// <summary>Sizes around the given ones as often as any others up to max.</summary>
    public static Gen<int> Sizes(int max, params int[] edges) =>
        Gen.OneOf(Gen.Elements(edges), Gen.Choose(0, max), Gen.Choose(0, Math.Min(max, 20)));

    /// <summary>Any 32 bits, small numbers as often as others.</summary>
    public static Gen<uint> Words() => Gen.OneOf(
        Gen.Choose(0, 5).Select(n => (uint)n),
        Gen.Choose(0, ushort.MaxValue).Zip(Gen.Choose(0, ushort.MaxValue),
            (high, low) => (uint)high << 16 | (uint)low));

    /// <summary>Bytes that differ from their neighbours, so that a shift shows.</summary>
    public static byte[] Bytes(int seed, int count)
    {
        var bytes = new byte[count];
        for (var i = 0; i < count; i++)
            bytes[i] = unchecked((byte)((seed + i) * 31 + (i >> 8) + (seed >> 5)));
        return bytes;
    }
}
