// Owns the memory of the remotes: entries in chunks that never move, and a hash index that grows
// by one bucket at a time (linear hashing). An ordinary hash table doubles now and then, and with
// a million entries that one insertion takes many milliseconds, in which every query waits.
//
// What always holds: an entry keeps its index until it is removed; there are at least as many
// buckets as entries, as long as the first 4,096 are passed; at most 64 bytes an entry are used.

using System;
using System.Runtime.CompilerServices;

namespace Balancer.Core;

internal sealed class RemoteTable
{
    private const int ChunkShift = 12;
    private const int ChunkSize = 1 << ChunkShift;

    private readonly ulong _hashKey;
    private readonly Remote[]?[] _chunks;
    private readonly int[]?[] _buckets;
    private int _bucketCount = ChunkSize;
    private int _lowMask = ChunkSize - 1;
    private int _freeList;

    public RemoteTable(int capacity, ulong hashKey)
    {
        Capacity = capacity;
        _hashKey = hashKey;
        var chunks = (capacity + ChunkSize - 1) >> ChunkShift;
        _chunks = new Remote[]?[chunks];
        _buckets = new int[]?[chunks];
        _buckets[0] = new int[ChunkSize];
    }

    /// <summary>Entries at most.</summary>
    public int Capacity { get; }

    /// <summary>Entries in use.</summary>
    public int Count { get; private set; }

    /// <summary>Indices below this one have been in use at some time.</summary>
    public int HighWater { get; private set; }

    public bool IsFull => Count == Capacity;

    public ref Remote this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _chunks[index >> ChunkShift]![index & (ChunkSize - 1)];
    }

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

    /// <summary>
    /// Adds an address that is not there, while not full; the entry is otherwise 0.
    /// </summary>
    public int Add(Ipv4 address)
    {
        Verify.That(!IsFull, "a full table takes no entry");
        var index = _freeList - 1;
        if (index >= 0)
            _freeList = this[index].Next;
        else
            index = NewEntry();
        ref var bucket = ref Bucket(address);
        this[index] = new Remote
        {
            Address = address,
            Next = bucket,
            Flags = RemoteFlags.InUse,
        };
        bucket = index + 1;
        Count++;
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
        remote = new Remote { Next = _freeList };
        _freeList = index + 1;
        Count--;
    }

    private int NewEntry()
    {
        var index = HighWater++;
        _chunks[index >> ChunkShift] ??= new Remote[ChunkSize];
        return index;
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
    /// that now belong to it.
    /// </summary>
    private void SplitOneBucket()
    {
        var added = _bucketCount;
        if (added >> ChunkShift >= _buckets.Length)
            return;
        _buckets[added >> ChunkShift] ??= new int[ChunkSize];
        ref var upper = ref _buckets[added >> ChunkShift]![added & (ChunkSize - 1)];
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
