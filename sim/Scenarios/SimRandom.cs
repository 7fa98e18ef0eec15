// Owns the simulator's only source of randomness: SplitMix64, a counter put through a mixer. It is
// ours and not System.Random because a seed that failed must fail again on every machine and every
// version of .NET; it uses integers alone, since floating point invites differences.
//
// What always holds: the numbers depend on the seed and on nothing else (golden vectors in a test).
// Entities draw from streams of their own, made by Derive, so that taking one entity out of a
// scenario does not reshuffle what the others draw.

using System;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>A stream of pseudo-random 64-bit numbers: SplitMix64.</summary>
public sealed class SimRandom(ulong seed)
{
    private const ulong Step = 0x9e3779b97f4a7c15;

    private ulong _state = seed;

    /// <summary>The next number of the stream, all 64 bits of it.</summary>
    public ulong NextUInt64()
    {
        _state = unchecked(_state + Step);
        return Mix(_state);
    }

    /// <summary>A number from 0 to bound − 1; the bound is 1 or more.</summary>
    public int Next(int bound)
    {
        Verify.That(bound > 0, "a range has at least one number");
        // Multiply and shift: biased by less than 2^-33, and the same on every machine.
        return (int)((NextUInt64() >> 32) * (ulong)bound >> 32);
    }

    /// <summary>A number from low to high, both included.</summary>
    public int Next(int low, int high)
    {
        Verify.That(low <= high, "a range has at least one number");
        var width = (ulong)((long)high - low + 1);
        return (int)(low + (long)((NextUInt64() >> 32) * width >> 32));
    }

    /// <summary>True in about part of whole draws.</summary>
    public bool Chance(int part, int whole) => Next(whole) < part;

    /// <summary>A duration from low to high, both included.</summary>
    public Duration NextDuration(Duration low, Duration high)
    {
        Verify.That(low <= high, "a range has at least one duration");
        var width = (UInt128)(ulong)(high - low).Nanoseconds + 1;
        return new Duration(low.Nanoseconds + (long)(ulong)(width * NextUInt64() >> 64));
    }

    /// <summary>Fills the span with random bytes.</summary>
    public void Fill(Span<byte> bytes)
    {
        ulong word = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            word = i % 8 == 0 ? NextUInt64() : word >> 8;
            bytes[i] = unchecked((byte)word);
        }
    }

    /// <summary>Puts the items into a random order (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>
    /// The seed of the stream that one entity uses for one purpose: different numbers give streams
    /// that have nothing to do with one another.
    /// </summary>
    public static ulong Derive(ulong seed, int kind, int id, int purpose)
    {
        var derived = Mix(unchecked(seed + Step));
        derived = Mix(unchecked((derived ^ (uint)kind) + Step));
        derived = Mix(unchecked((derived ^ (uint)id) + Step));
        return Mix(unchecked((derived ^ (uint)purpose) + Step));
    }

    /// <summary>
    /// SplitMix64's mixer: each bit of the input moves about half of the output's.
    /// </summary>
    public static ulong Mix(ulong value)
    {
        unchecked
        {
            value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
            value = (value ^ value >> 27) * 0x94d049bb133111eb;
            return value ^ value >> 31;
        }
    }
}
