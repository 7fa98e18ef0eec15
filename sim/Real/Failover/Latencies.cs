// Owns how long answers took, in steps of 10 µs up to the time after which nobody waits, so that
// millions of them take no more memory than one.
//
// What always holds: a percentile is at most one step more than the exact one, and never more than
// the longest.

using System;

namespace Simulation.Real.Failover;

/// <summary>A histogram of times in nanoseconds.</summary>
internal sealed class Latencies
{
    private const long StepNs = 10_000;

    private readonly int[] _counts = new int[FailoverLedger.AnswerLimitNs / StepNs + 1];
    private long _count;

    /// <summary>The longest, exactly; 0 if there is none.</summary>
    public long Longest { get; private set; }

    /// <param name="ns">Up to FailoverLedger.AnswerLimitNs.</param>
    public void Add(long ns)
    {
        _counts[ns / StepNs]++;
        _count++;
        Longest = Math.Max(Longest, ns);
    }

    /// <summary>A time that so many of a hundred did not exceed; 0 if there is none.</summary>
    public long Percentile(int percent)
    {
        var wanted = (_count * percent + 99) / 100;
        var seen = 0L;
        for (var step = 0; step < _counts.Length; step++)
        {
            seen += _counts[step];
            if (seen >= wanted && seen > 0)
                return Math.Min((step + 1) * StepNs, Longest);
        }
        return 0;
    }
}
