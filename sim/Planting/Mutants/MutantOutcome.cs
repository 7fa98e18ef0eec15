// Owns what mutants came to, one by one and in all.
//
// What always holds: the score is of those that were tried and make a difference: what is explained
// as making none is neither found nor missed.

using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

namespace Simulation.Planting.Mutants;

/// <summary>How it went with a mutant.</summary>
public enum MutantVerdict
{
    /// <summary>There was no time for it.</summary>
    NotTried,

    /// <summary>A check failed, or it did not end.</summary>
    Killed,

    /// <summary>Every seed passed.</summary>
    Survived,

    /// <summary>No seed reaches it.</summary>
    NotReached,
}

/// <summary>What one mutant came to.</summary>
/// <param name="Mutation">The mutant.</param>
/// <param name="Verdict">How it went.</param>
/// <param name="By">The check that found it, or time, crash or simulator; "" if none did.</param>
/// <param name="Seed">The seed that found it, with its profile before it; "" for none.</param>
/// <param name="Runs">Seeds that it was tried with.</param>
/// <param name="Differed">
/// Those of them in which the core did something else than without it, though no check failed. A
/// mutant that never does is most likely no different.
/// </param>
/// <param name="Known">What is known of it.</param>
public sealed record MutantOutcome(Mutation Mutation, MutantVerdict Verdict, string By,
    string Seed, int Runs, int Differed, Survivor? Known)
{
    public bool IsKilled => Verdict == MutantVerdict.Killed;

    /// <summary>Nothing finds it.</summary>
    public bool Lives => Verdict is MutantVerdict.Survived or MutantVerdict.NotReached;

    /// <summary>It lives, and is explained as making no difference.</summary>
    public bool IsExcused => Lives && Known is { Word.Counts: false };

    /// <summary>It lives, and nothing explains it.</summary>
    public bool IsUnexplained => Lives && Known is null;
}

/// <summary>What several came to.</summary>
/// <param name="Killed">Found, the endless ones among them.</param>
/// <param name="Endless">Found, because they did not end.</param>
/// <param name="Survived">Tried in vain, and not excused.</param>
/// <param name="NotReached">Reached by no seed, and not excused.</param>
/// <param name="Excused">Explained as making no difference.</param>
/// <param name="NotTried">There was no time for them.</param>
public readonly record struct MutantSum(
    int Killed, int Endless, int Survived, int NotReached, int Excused, int NotTried)
{
    public int All => Killed + Survived + NotReached + Excused + NotTried;

    /// <summary>Found of all that were tried and make a difference, in percent.</summary>
    public double Score => Killed + Survived + NotReached is var all and > 0
        ? 100.0 * Killed / all
        : 100;

    public static MutantSum Of(IEnumerable<MutantOutcome> outcomes)
    {
        var all = outcomes.ToImmutableArray();
        return new MutantSum(
            all.Count(one => one.IsKilled),
            all.Count(one => one.IsKilled && one.By == MutantRun.Time),
            all.Count(one => one.Verdict == MutantVerdict.Survived && !one.IsExcused),
            all.Count(one => one.Verdict == MutantVerdict.NotReached && !one.IsExcused),
            all.Count(one => one.IsExcused),
            all.Count(one => one.Verdict == MutantVerdict.NotTried));
    }
}
