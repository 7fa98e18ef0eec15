// Owns the packets of the queries in flight on one session: each lies in a chain of blocks, as many
// as it needs. Blocks that were freed last are used first, so what is in flight stays in the
// processor's caches however much there might be.
//
// It starts small and grows to Limits.InFlightBlocks, twice as large each time, or as far as there
// is memory, and SessionMemory leaves it some: then it is full, until it is tried again.
//
// What always holds: a block is free or in one packet's chain.

using System;

namespace Balancer.Core;

/// <summary>Packets in blocks. Links are an index + 1, 0 for none.</summary>
internal sealed class PacketStore(MemoryShare memory)
{
    private const int FirstBlocks = 64;
    private const int BytesOfBlock = Limits.InFlightBlockBytes + sizeof(int);

    private int[] _next = new int[FirstBlocks];
    private byte[] _bytes = new byte[FirstBlocks * Limits.InFlightBlockBytes];
    private int _used;
    private int _firstFree;

    /// <summary>Blocks that are in no packet, those included that are still to be made.</summary>
    private int _free = Limits.InFlightBlocks;

    /// <summary>Blocks that there may be; fewer once there was no memory for them.</summary>
    private int _most = Limits.InFlightBlocks;

    /// <summary>Whether a packet of so many bytes can be stored.</summary>
    public bool HasRoomFor(int bytes)
    {
        var blocks = BlocksOf(bytes);
        while (_free >= blocks && _next.Length - InUse < blocks)
            GrowIfThereIsMemory();
        return _free >= blocks;
    }

    /// <summary>Packets take more than half of what they may.</summary>
    public bool IsHalfFull => InUse > Limits.InFlightBlocks / 2;

    private int InUse => _most - _free;

    /// <summary>Whether InOneBlock may be asked for it.</summary>
    public static bool IsInOneBlock(int bytes) => bytes <= Limits.InFlightBlockBytes;

    /// <summary>Copies a packet, for which there is room, and returns its first block.</summary>
    public int Store(ReadOnlySpan<byte> packet)
    {
        Verify.That(HasRoomFor(packet.Length), "who stores a packet looks whether there is room");
        var first = 0;
        for (var n = BlocksOf(packet.Length) - 1; n >= 0; n--)
        {
            var block = TakeBlock();
            var at = n * Limits.InFlightBlockBytes;
            packet[at..Math.Min(packet.Length, at + Limits.InFlightBlockBytes)]
                .CopyTo(At(block));
            _next[block - 1] = first;
            first = block;
        }
        return first;
    }

    /// <summary>A packet that is in one block; valid until the store is changed.</summary>
    public ReadOnlySpan<byte> InOneBlock(int first, int length) => At(first)[..length];

    /// <summary>Copies a packet out.</summary>
    public void Load(int first, int length, Span<byte> packet)
    {
        for (var at = 0; at < length; first = _next[first - 1])
        {
            var bytes = Math.Min(length - at, Limits.InFlightBlockBytes);
            At(first)[..bytes].CopyTo(packet[at..]);
            at += bytes;
        }
    }

    /// <summary>Frees a packet's blocks.</summary>
    public void Free(int first)
    {
        while (first != 0)
        {
            var next = _next[first - 1];
            _next[first - 1] = _firstFree;
            _firstFree = first;
            _free++;
            first = next;
        }
        Verify.That(_free <= _most, "a block is freed once");
    }

    private static int BlocksOf(int bytes) =>
        1 + Math.Max(0, bytes - 1) / Limits.InFlightBlockBytes;

    private Span<byte> At(int block) =>
        _bytes.AsSpan((block - 1) * Limits.InFlightBlockBytes, Limits.InFlightBlockBytes);

    private int TakeBlock()
    {
        _free--;
        if (_firstFree != 0)
        {
            var block = _firstFree;
            _firstFree = _next[block - 1];
            return block;
        }
        return ++_used;
    }

    /// <summary>There may be memory again.</summary>
    public void TryAgain()
    {
        _free += Limits.InFlightBlocks - _most;
        _most = Limits.InFlightBlocks;
    }

    /// <summary>
    /// It is empty, and as small as at first; false if it stays as it is for want of memory.
    /// </summary>
    public bool TryFreeMemory()
    {
        Verify.That(InUse == 0, "a store whose memory is freed is empty");
        try
        {
            var next = new int[FirstBlocks];
            _bytes = new byte[FirstBlocks * Limits.InFlightBlockBytes];
            _next = next;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
        (_used, _firstFree) = (0, 0);
        TryAgain();
        return true;
    }

    private void GrowIfThereIsMemory()
    {
        var bytes = _bytes;
        var more = (long)_next.Length * BytesOfBlock;
        if (!memory.TryTake(more))
        {
            SetFull();
            return;
        }
        try
        {
            Array.Resize(ref bytes, _bytes.Length * 2);
            Array.Resize(ref _next, _next.Length * 2);
            _bytes = bytes;
        }
        catch (OutOfMemoryException)
        {
            memory.GiveBack(more);
            SetFull();
        }
    }

    private void SetFull()
    {
        _free -= _most - _next.Length;
        _most = _next.Length;
    }
}
