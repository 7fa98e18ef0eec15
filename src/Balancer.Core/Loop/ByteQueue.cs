// Owns bytes that wait for a stream to take them: a ring with a bound. It starts small and doubles
// up to its bound, because most queues are empty most of the time. What waits is nearly always one
// piece: it begins again at the front of its memory whenever it runs empty, and a few bytes that
// are left over are moved there, rather than that what is appended to them wraps.
//
// What always holds: 0 ≤ Count ≤ Bound; bytes leave in the order in which they came; a queue that
// has grown does not shrink by itself, and appending to it allocates nothing more.

using System;

namespace Balancer.Core;

/// <summary>A first-in, first-out queue of at most Bound bytes.</summary>
public sealed class ByteQueue(int bound)
{
    // A TCP connection queues one small frame, and often nothing more in its life.
    private const int FirstSize = 64;

    /// <summary>Bytes that are moved to the front: the beginning of a message, mostly.</summary>
    private const int FewBytes = 64;

    private byte[] _ring = [];
    private int _head;

    /// <summary>Bytes that it may hold.</summary>
    public int Bound => bound;

    /// <summary>Bytes that wait.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes that may still be appended.</summary>
    public int Free => bound - Count;

    public bool IsEmpty => Count == 0;

    /// <summary>Bytes of memory that it has grown to.</summary>
    public int Memory => _ring.Length;

    /// <summary>
    /// The oldest bytes that lie in one piece; all of them unless the ring wraps.
    /// </summary>
    public ReadOnlySpan<byte> Front =>
        _ring.AsSpan(_head, Math.Min(Count, _ring.Length - _head));

    /// <summary>
    /// The bytes behind the first `from` that lie in one piece; all of them unless the ring wraps
    /// there. None if there are no more than so many.
    /// </summary>
    public ReadOnlySpan<byte> PieceBehind(int from)
    {
        if (from >= Count)
            return [];
        var at = _head + from;
        return at < _ring.Length
            ? _ring.AsSpan(at, Math.Min(Count - from, _ring.Length - at))
            : _ring.AsSpan(at - _ring.Length, Count - from);
    }

    /// <summary>
    /// Copies bytes behind the first `from`, as many as there are and fit; returns how many.
    /// </summary>
    public int Peek(int from, Span<byte> into)
    {
        var count = Math.Min(Count - from, into.Length);
        if (count <= 0)
            return 0;
        var at = _head + from;
        if (at >= _ring.Length)
            at -= _ring.Length;
        var first = Math.Min(count, _ring.Length - at);
        _ring.AsSpan(at, first).CopyTo(into);
        _ring.AsSpan(0, count - first).CopyTo(into[first..]);
        return count;
    }

    /// <summary>Appends bytes; more than are Free is a bug of the caller.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Verify.That(bytes.Length <= Free, "what is appended to a queue fits its bound");
        Reserve(bytes.Length);
        if (Count <= FewBytes && _head + Count <= _ring.Length
            && _head + Count + bytes.Length > _ring.Length)
        {
            Front.CopyTo(_ring);
            _head = 0;
        }
        var tail = _head + Count;
        if (tail >= _ring.Length)
            tail -= _ring.Length;
        var untilEnd = Math.Min(bytes.Length, _ring.Length - tail);
        bytes[..untilEnd].CopyTo(_ring.AsSpan(tail));
        bytes[untilEnd..].CopyTo(_ring);
        Count += bytes.Length;
    }

    /// <summary>Takes the oldest bytes out; more than Count is a bug of the caller.</summary>
    public void Consume(int bytes)
    {
        Verify.That((uint)bytes <= (uint)Count, "only bytes that wait are consumed");
        Count -= bytes;
        _head += bytes;
        if (_head >= _ring.Length)
            _head -= _ring.Length;
        if (Count == 0)
            _head = 0;
    }

    /// <summary>Throws away what waits; the memory stays.</summary>
    public void Clear()
    {
        Count = 0;
        _head = 0;
    }

    /// <summary>Gives the memory of an empty queue back; it grows again when it must.</summary>
    public void FreeMemory()
    {
        Verify.That(IsEmpty, "a queue whose memory is given back is empty");
        _ring = [];
    }

    /// <summary>
    /// Bytes of memory that it has when so many are appended, no more than are Free.
    /// </summary>
    public int MemoryFor(int bytes)
    {
        if (Count + bytes <= _ring.Length)
            return _ring.Length;
        var size = Math.Max(_ring.Length * 2, FirstSize);
        while (size < Count + bytes)
            size *= 2;
        return Math.Min(size, bound);
    }

    /// <summary>Has the memory for so many more bytes, no more than are Free, or throws.</summary>
    public void Reserve(int bytes)
    {
        if (Count + bytes > _ring.Length)
            Grow(bytes);
    }

    private void Grow(int bytes)
    {
        var larger = new byte[MemoryFor(bytes)];
        var front = Front;
        front.CopyTo(larger);
        _ring.AsSpan(0, Count - front.Length).CopyTo(larger.AsSpan(front.Length));
        _ring = larger;
        _head = 0;
    }
}
