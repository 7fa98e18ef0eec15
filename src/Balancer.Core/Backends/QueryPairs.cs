// Owns what is known of queries that two backends have at the same time: a suspect one, and the one
// that it was sent to besides. The first reply counts; the other, if it ever comes, is a duplicate.
//
// What always holds: a pair is free again when both of its copies are gone, answered or not; a pair
// is answered once.

using System;

namespace Balancer.Core;

/// <summary>The pairs of one balancer, each named by a number from 1 on.</summary>
internal sealed class QueryPairs
{
    private Pair[] _pairs = new Pair[64];
    private int _used;
    private int _free;

    private struct Pair
    {
        public byte Copies;
        public bool IsAnswered;
        public int NextFree;
    }

    /// <summary>
    /// A new pair, of two copies that are in flight, or held later; 0 if there is no memory for
    /// one.
    /// </summary>
    public int Make()
    {
        if (_free == 0)
        {
            if (_used == _pairs.Length && !TryGrow())
                return 0;
            _free = ++_used;
        }
        var made = _free;
        _free = _pairs[made - 1].NextFree;
        _pairs[made - 1] = new Pair { Copies = 2 };
        return made;
    }

    /// <summary>Whether one of its copies is answered; 0 means no pair.</summary>
    public bool IsAnswered(int pair) => pair != 0 && _pairs[pair - 1].IsAnswered;

    /// <summary>A reply came for one copy, which is gone now; false if it is the second.</summary>
    public bool TryAnswer(int pair)
    {
        var isFirst = !_pairs[pair - 1].IsAnswered;
        _pairs[pair - 1].IsAnswered = true;
        Release(pair);
        return isFirst;
    }

    /// <summary>
    /// A copy is gone without an answer; true if it was the last one and none was answered.
    /// </summary>
    public bool IsLostWithout(int pair)
    {
        var isLost = _pairs[pair - 1] is { Copies: 1, IsAnswered: false };
        Release(pair);
        return isLost;
    }

    /// <summary>A copy of a pair that is answered is gone, without an answer of its own.</summary>
    public void Leave(int pair)
    {
        Verify.That(_pairs[pair - 1].IsAnswered, "what nobody answered is not just left");
        Release(pair);
    }

    /// <summary>The second copy was not sent after all.</summary>
    public void Discard(int pair)
    {
        Release(pair);
        Release(pair);
    }

    private bool TryGrow()
    {
        try
        {
            Array.Resize(ref _pairs, _pairs.Length * 2);
            return true;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
    }

    private void Release(int pair)
    {
        ref var released = ref _pairs[pair - 1];
        Verify.That(released.Copies > 0, "a pair has two copies");
        if (--released.Copies > 0)
            return;
        released.NextFree = _free;
        _free = pair;
    }
}
