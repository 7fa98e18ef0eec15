// Owns the bytes that arrived of something that is not whole yet: a frame, or a DNS message on a
// TCP stream. In the usual case, when whole units arrive, nothing is copied and nothing kept.
//
// What always holds: Join, then Keep what was not used, once each per arrival. What Join returned
// is gone after Keep.

using System;

namespace FakeBinder;

/// <summary>Joins the unused end of the bytes before to the bytes that arrive.</summary>
public sealed class Reassembly
{
    private byte[] _kept = [];

    /// <summary>Bytes that wait for the rest of their unit.</summary>
    public int Count { get; private set; }

    /// <summary>All bytes not used so far, the new ones last.</summary>
    public ReadOnlySpan<byte> Join(ReadOnlySpan<byte> arrived)
    {
        if (Count == 0)
            return arrived;
        Grow(Count + arrived.Length);
        arrived.CopyTo(_kept.AsSpan(Count));
        Count += arrived.Length;
        return _kept.AsSpan(0, Count);
    }

    /// <summary>Keeps the end of what Join returned; empty when all of it was used.</summary>
    public void Keep(ReadOnlySpan<byte> unused)
    {
        // After a Join that found nothing kept, the bytes are the caller's; otherwise they are
        // the end of _kept, and in the commonest case all of it: then they lie right already.
        if (unused.Length == Count && Count > 0)
            return;
        Grow(unused.Length);
        unused.CopyTo(_kept);
        Count = unused.Length;
    }

    private void Grow(int size)
    {
        if (size > _kept.Length)
            Array.Resize(ref _kept, Math.Max(size, Math.Max(256, _kept.Length * 2)));
    }
}
