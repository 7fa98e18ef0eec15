// Owns the seeds that mutants are tried with: what each comes to in the core as it is, what it
// costs, and which sites it reaches. A mutant is tried only with seeds that reach its site: first
// a few short ones, since many mutants are found by any, then some of every length; in the short
// ones alone too little happens.
//
// What always holds: a seed that the core as it is does not pass is not among them; which seeds a
// mutant is tried with, and in which order, depends on the pool alone.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

namespace Simulation.Planting.Mutants;

/// <summary>A seed, and its run on the core as it is.</summary>
internal sealed record PooledSeed(string Profile, ulong Seed, MutantAnswer Run)
{
    /// <summary>Whether it reaches a site; 0 is reached by all.</summary>
    public bool Reaches(int site) =>
        site == 0 || (Run.Reached[site / 8] & (1 << (site % 8))) != 0;
}

/// <summary>The seeds.</summary>
internal sealed class SeedPool
{
    /// <summary>Of twenty seeds that follow one another, so many are of each profile.</summary>
    private static readonly ImmutableArray<(string Profile, int Count)> Shares =
        [("swarm", 12), ("tcp", 3), ("udp", 2), ("restart", 2), ("calm", 1)];

    private static readonly ImmutableArray<string> Turn =
        [.. Shares.SelectMany(one => Enumerable.Repeat(one.Profile, one.Count))];

    private readonly ImmutableArray<PooledSeed> _seeds;

    /// <summary>Takes seeds, those that failed left out.</summary>
    public SeedPool(IEnumerable<PooledSeed> seeds)
    {
        _seeds = [.. seeds.Where(one => one.Run.Check.Length == 0)
            .OrderBy(one => one.Run.Events).ThenBy(one => one.Seed)];
    }

    public int Count => _seeds.Length;

    /// <summary>So many seeds from one on, with their profiles.</summary>
    public static IEnumerable<(string Profile, ulong Seed)> From(ulong first, int count) =>
        Enumerable.Range(0, count)
            .Select(n => (Turn[n % Turn.Length], unchecked(first + (ulong)n)));

    /// <summary>The seeds to try a mutant with, so many at most; none if none reaches it.</summary>
    public ImmutableArray<PooledSeed> PlanFor(int site, int most)
    {
        var reaching = _seeds.Where(one => one.Reaches(site)).ToImmutableArray();
        if (reaching.Length <= most)
            return reaching;
        var shortest = most / 4;
        var rest = reaching.Length - shortest;
        var others = most - shortest;
        return [.. reaching[..shortest], .. Enumerable.Range(0, others)
            .Select(n => reaching[shortest + (int)((long)n * rest / others)])];
    }
}
