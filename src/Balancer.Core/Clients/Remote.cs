// Owns what is remembered of one client host: 56 bytes of it, because there may be a million.
// Backends are named by their slot in the set, not by reference, which keeps the garbage
// collector out of the table; times are on the loop's clock.

namespace Balancer.Core;

/// <summary>One entry of the table of remotes; only what is in Clients changes it.</summary>
internal struct Remote
{
    /// <summary>The client host; the entry is free if InUse is not set.</summary>
    public Ipv4 Address;

    /// <summary>
    /// The next entry of the hash bucket, or of the free list: index + 1, 0 for none.
    /// </summary>
    public int Next;

    /// <summary>
    /// Neighbours, as index + 1, 0 for none: of an established one among those of the same primary,
    /// of a newcomer among the newcomers.
    /// </summary>
    public int Older;

    public int Newer;

    /// <summary>Slots of its backends; 0 for none.</summary>
    public ushort Primary;

    public ushort Backup;

    public RemoteFlags Flags;

    /// <summary>The number of the rebalance that last moved it, or 0; see Rebalance.</summary>
    public ushort MovedIn;

    /// <summary>Seconds on the clock; a whole long would be its largest field.</summary>
    public uint FirstSeenSeconds;

    /// <summary>
    /// When a query of it was answered, if WasAnswered: a newcomer's first, an established one's
    /// last. Milliseconds on the clock modulo 2^32, so only differences of up to weeks are right.
    /// </summary>
    public uint AnsweredMilliseconds;

    public Instant LastSeen;

    public uint UdpForwarded;
    public uint UdpDropped;
    public uint TcpForwarded;
    public uint TcpDropped;

    public readonly bool IsEstablished => (Flags & RemoteFlags.Established) != 0;

    /// <summary>From when it was first heard from to when it was last, in whole seconds.</summary>
    public readonly uint SecondsKnown =>
        (uint)(LastSeen.Nanoseconds / 1_000_000_000) - FirstSeenSeconds;

    /// <summary>
    /// Whether one of its queries was answered; how long ago then, to the millisecond.
    /// </summary>
    public readonly bool TryGetAnswered(Instant now, out Duration ago)
    {
        ago = Duration.FromMilliseconds(Milliseconds(now) - AnsweredMilliseconds);
        return (Flags & RemoteFlags.WasAnswered) != 0;
    }

    public static uint Milliseconds(Instant time) => (uint)(time.Nanoseconds / 1_000_000);
}

[System.Flags]
internal enum RemoteFlags : byte
{
    None = 0,

    /// <summary>The entry holds a remote.</summary>
    InUse = 1,

    /// <summary>One of its queries was answered.</summary>
    WasAnswered = 2,

    /// <summary>It is not a newcomer: it asked again after an answer, or over TCP.</summary>
    Established = 4,
}
