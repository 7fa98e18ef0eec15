// Owns the memory of the remotes: entries in chunks that never move, and a hash index that grows
// by one bucket at a time (linear hashing). An ordinary hash table doubles now and then, and with
// a million entries that one insertion takes many milliseconds, in which every query waits.
//
// Clients decide how large it grows, and running out of memory for it must not end the
// process: the table is then full. It keeps a reserve beside it and gives that up first, since
// other allocations made for clients have no such way out. After a
// flood it gives memory back: the lowest free entries are used first, and a chunk without an entry
// is let go, but for one, which is kept so that an entry that comes and goes costs no chunk.
//
// What is let go is the memory, not the array: the kernel takes the pages, and makes new ones when
// the chunk is used again. Left to the collector it would come back only with a collection of all
// that there is, in which every query waits.
//
// What always holds: an entry keeps its index until it is removed; there are at least as many
// buckets as entries, as long as the first 4,096 are passed and there was memory for them; at most
// 64 bytes an entry are used; a chunk that is there has an entry in use, or is the only one that
// has none; one that is not there, or was let go, has none.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Balancer.Core;

/// <summary>Has the kernel take memory whose contents nobody needs; see INetwork.</summary>
internal delegate void DiscardMemory(Span<byte> unused);

/// <summary>The table of remotes.</summary>
internal sealed class RemoteTable
{
    private const int ChunkShift = 12;
    private const int ChunkSize = 1 << ChunkShift;

    private readonly ulong _hashKey;
    private readonly DiscardMemory _discard;
    private readonly Chunk[] _chunks;
    private readonly int[]?[] _buckets;
    private int _bucketCount = ChunkSize;
    private int _lowMask = ChunkSize - 1;

    /// <summary>Entries that the chunks which are there have, free or in use.</summary>
    private int _present;

    /// <summary>No chunk below this one is there and has room.</summary>
    private int _firstWithRoom;

    /// <summary>Chunks that are there and have no entry in use: 0 or 1.</summary>
    private int _emptyChunks;

    /// <summary>Nobody looks into it; null while there is one chunk, or no memory.</summary>
    private byte[]? _reserve;

    /// <param name="capacity">Entries at most.</param>
    /// <param name="hashKey">See BalancerOptions.HashKey.</param>
    /// <param name="discard">See INetwork.Discard.</param>
    public RemoteTable(int capacity, ulong hashKey, DiscardMemory discard)
    {
        Capacity = capacity;
        _discard = discard;
        _hashKey = hashKey;
        var chunks = (capacity + ChunkSize - 1) >> ChunkShift;
        _chunks = new Chunk[chunks];
        _buckets = new int[]?[chunks];
        _buckets[0] = new int[ChunkSize];
    }

    /// <summary>A chunk's entries, of which those below Fresh were used at some time.</summary>
    private struct Chunk
    {
        public Remote[]? Entries;
        public int Fresh;
        public int FreeList;
        public int Used;

        /// <summary>It may be used; else its memory, if it has any, was let go.</summary>
        public bool IsThere;
    }

    /// <summary>Entries at most.</summary>
    public int Capacity { get; }

    /// <summary>Entries at most for now: what there is memory for.</summary>
    public int Limit => LacksMemory ? _present : Capacity;

    /// <summary>Entries in use.</summary>
    public int Count { get; private set; }

    /// <summary>All entries in use have lower indices.</summary>
    public int HighWater { get; private set; }

    public ref Remote this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _chunks[index >> ChunkShift].Entries![index & (ChunkSize - 1)];
    }

    /// <summary>Whether an index below HighWater is that of an entry.</summary>
    public bool IsInUse(int index) => _chunks[index >> ChunkShift].Used > 0
        && (this[index].Flags & RemoteFlags.InUse) != 0;

    /// <summary>The index of an address, or -1.</summary>
    public int Find(Ipv4 address)
    {
        var next = Bucket(address);
        while (next != 0)
        {
            ref var remote = ref this[next - 1];
            if (remote.Address == address)
                return next - 1;
            next = remote.Next;
        }
        return -1;
    }

    /// <summary>There was no memory for more; it is not asked for until Retry.</summary>
    public bool LacksMemory { get; private set; }

    /// <summary>Some time has passed: memory may be there again.</summary>
    public void Retry() => LacksMemory = false;

    /// <summary>
    /// Makes sure that Add finds a free entry; false if there are as many as may be, or if there is
    /// no memory for more.
    /// </summary>
    public bool TryReserve()
    {
        if (Count == _present)
            return Count < Capacity && !LacksMemory && TryAddChunk();
        while (!HasRoom(_firstWithRoom))
            _firstWithRoom++;
        return true;
    }

    /// <summary>
    /// Adds an address that is not there, after TryReserve; the entry is otherwise 0.
    /// </summary>
    public int Add(Ipv4 address)
    {
        var index = TakeFree();
        ref var bucket = ref Bucket(address);
        this[index] = new Remote
        {
            Address = address,
            Next = bucket,
            Flags = RemoteFlags.InUse,
        };
        bucket = index + 1;
        Count++;
        HighWater = Math.Max(HighWater, index + 1);
        if (Count > _bucketCount)
            SplitOneBucket();
        return index;
    }

    /// <summary>Removes an entry; its index may be given out again.</summary>
    public void Remove(int index)
    {
        ref var remote = ref this[index];
        Verify.That((remote.Flags & RemoteFlags.InUse) != 0, "only used entries are removed");
        ref var link = ref Bucket(remote.Address);
        while (link != index + 1)
        {
            Verify.That(link != 0, "every entry is in its bucket");
            link = ref this[link - 1].Next;
        }
        link = remote.Next;
        Count--;
        var at = index >> ChunkShift;
        ref var chunk = ref _chunks[at];
        remote = new Remote { Next = chunk.FreeList };
        chunk.FreeList = index + 1;
        chunk.Used--;
        _firstWithRoom = Math.Min(_firstWithRoom, at);
        if (chunk.Used == 0)
            OnEmpty(at);
    }

    private int SizeOf(int at) => Math.Min(ChunkSize, Capacity - (at << ChunkShift));

    private bool HasRoom(int at) =>
        _chunks[at].IsThere && _chunks[at].Used < SizeOf(at);

    private bool TryAddChunk()
    {
        var at = 0;
        while (_chunks[at].IsThere)
            at++;
        if (at > 0)
            _reserve ??= TryAllocate<byte>(Limits.MemoryForOthers);
        if ((_chunks[at].Entries ??= TryAllocate<Remote>(ChunkSize)) is null)
            return false;
        _chunks[at].IsThere = true;
        _present += SizeOf(at);
        _emptyChunks++;
        _firstWithRoom = at;
        return true;
    }

    private int TakeFree()
    {
        Verify.That(HasRoom(_firstWithRoom), "an entry is added when there is room for one");
        ref var chunk = ref _chunks[_firstWithRoom];
        if (chunk.Used++ == 0)
            _emptyChunks--;
        if (chunk.FreeList == 0)
            return (_firstWithRoom << ChunkShift) + chunk.Fresh++;
        var index = chunk.FreeList - 1;
        chunk.FreeList = this[index].Next;
        return index;
    }

    private void OnEmpty(int at)
    {
        if (_emptyChunks == 0)
        {
            _emptyChunks = 1;
        }
        else
        {
            // Free entries say nothing, whatever is in them by then.
            var entries = _chunks[at].Entries;
            _chunks[at] = new Chunk { Entries = entries };
            _discard(MemoryMarshal.AsBytes(entries.AsSpan()));
            _present -= SizeOf(at);
        }
        while (HighWater > 0 && _chunks[(HighWater - 1) >> ChunkShift].Used == 0)
            HighWater = (HighWater - 1) >> ChunkShift << ChunkShift;
    }

    /// <summary>Null if there is no memory; then the reserve is given up.</summary>
    private T[]? TryAllocate<T>(int count)
    {
        if (LacksMemory)
            return null;
        try
        {
            return new T[count];
        }
        catch (OutOfMemoryException)
        {
            LacksMemory = true;
            _reserve = null;
            return null;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref int Bucket(Ipv4 address)
    {
        var hash = Hash(address);
        var bucket = hash & (2 * _lowMask + 1);
        if (bucket >= _bucketCount)
            bucket &= _lowMask;
        return ref _buckets[bucket >> ChunkShift]![bucket & (ChunkSize - 1)];
    }

    /// <summary>
    /// Adds bucket number _bucketCount and moves to it those entries of the bucket half as far up
    /// that now belong to it. Without memory there are more entries to a bucket.
    /// </summary>
    private void SplitOneBucket()
    {
        var added = _bucketCount;
        if (added >> ChunkShift >= _buckets.Length)
            return;
        if ((_buckets[added >> ChunkShift] ??= TryAllocate<int>(ChunkSize)) is not { } uppers)
            return;
        ref var upper = ref uppers[added & (ChunkSize - 1)];
        Verify.That(upper == 0, "a bucket that is added has no entry yet");
        var split = added & _lowMask;
        ref var link = ref _buckets[split >> ChunkShift]![split & (ChunkSize - 1)];
        while (link != 0)
        {
            ref var remote = ref this[link - 1];
            if ((Hash(remote.Address) & (2 * _lowMask + 1)) == split)
            {
                link = ref remote.Next;
                continue;
            }
            var moved = link;
            link = remote.Next;
            remote.Next = upper;
            upper = moved;
        }
        _bucketCount++;
        if (_bucketCount == 2 * (_lowMask + 1))
            _lowMask = _bucketCount - 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Hash(Ipv4 address) => KeyedHash.Of(address.Value, _hashKey);
}
