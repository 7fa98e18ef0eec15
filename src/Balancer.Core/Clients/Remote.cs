// Owns what is remembered of one client host: 56 bytes of it, because there may be a million.
// Backends are named by their slot in the set, not by reference, which keeps the garbage
// collector out of the table; times are on the loop's clock.

namespace Balancer.Core;

/// <summary>One entry of the table of remotes; only Remotes changes it.</summary>
internal struct Remote
{
    /// <summary>The client host; the entry is free if InUse is not set.</summary>
    public Ipv4 Address;

    /// <summary>
    /// The next entry of the hash bucket, or of the free list: index + 1, 0 for none.
    /// </summary>
    public int Next;

    /// <summary>Neighbours among the remotes of the same primary: index + 1, 0 for none.</summary>
    public int Older;

    public int Newer;

    /// <summary>Slots of its backends; 0 for none.</summary>
    public ushort Primary;

    public ushort Backup;

    public RemoteFlags Flags;

    /// <summary>Seconds on the clock; a whole long would be its largest field.</summary>
    public uint FirstSeenSeconds;

    public Instant LastSeen;

    public uint UdpForwarded;
    public uint UdpDropped;
    public uint TcpForwarded;
    public uint TcpDropped;
}

[System.Flags]
internal enum RemoteFlags : byte
{
    None = 0,

    /// <summary>The entry holds a remote.</summary>
    InUse = 1,

    /// <summary>A rebalance took its backend: it chooses the one with the fewest remotes.</summary>
    Moved = 2,
}
