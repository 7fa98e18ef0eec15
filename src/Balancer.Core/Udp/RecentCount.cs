// Owns a count that forgets: how many events there were lately, for a budget that follows the load.
//
// What always holds: what is older than the time that it looks back, to the second, is not counted.

using System;

namespace Balancer.Core;

/// <summary>Counts the events of a time that ends now, in slots of one second.</summary>
internal sealed class RecentCount(Duration lookBack)
{
    private readonly long[] _counts = new long[lookBack.Nanoseconds / 1_000_000_000 + 1];
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
