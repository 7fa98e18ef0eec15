// Owns a count that forgets: how many events there were lately, for a stop that waits for replies
// only as long as they are likely.
//
// What always holds: what is older than Limits.StopGrace, to the second, is not counted.

using System;

namespace Balancer.Core;

/// <summary>Counts events of the last Limits.StopGrace, in slots of one second.</summary>
internal sealed class RecentCount
{
    private readonly long[] _counts = new long[Limits.StopGrace.Nanoseconds / 1_000_000_000 + 1];
    private long _second;

    public void Add(Instant now, long count)
    {
        Verify.That(count >= 0, "events are counted, not taken back");
        Advance(now);
        _counts[_second % _counts.Length] += count;
    }

    public long Sum(Instant now)
    {
        Advance(now);
        long sum = 0;
        foreach (var count in _counts)
            sum += count;
        return sum;
    }

    private void Advance(Instant now)
    {
        var second = now.Nanoseconds / 1_000_000_000;
        Verify.That(second >= _second, "a turn's time never goes back");
        if (second - _second >= _counts.Length)
            Array.Clear(_counts);
        for (var s = Math.Max(_second + 1, second - _counts.Length + 1); s <= second; s++)
            _counts[s % _counts.Length] = 0;
        _second = second;
    }
}
