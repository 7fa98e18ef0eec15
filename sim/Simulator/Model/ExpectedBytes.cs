// Owns bytes that are expected to be seen later, in order: what the balancer owes a stream. It has
// no bound of its own, because a bound is what some checks are about.
//
// What always holds: bytes leave in the order in which they came; once it has grown it allocates
// nothing.

using System;

namespace Simulation.Model;

/// <summary>A queue of bytes that can be looked at from its front.</summary>
internal sealed class ExpectedBytes
{
    private byte[] _bytes = [];
    private int _head;

    public int Count { get; private set; }

    /// <summary>All that waits, oldest first; valid until the next change.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(_head, Count);

    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_head + Count + bytes.Length > _bytes.Length)
            MakeRoom(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_head + Count));
        Count += bytes.Length;
    }

    /// <summary>Takes bytes away if the front is exactly these; false changes nothing.</summary>
    public bool TryTake(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Count || !Bytes[..bytes.Length].SequenceEqual(bytes))
            return false;
        Skip(bytes.Length);
        return true;
    }

    public void Skip(int count)
    {
        _head += count;
        Count -= count;
        if (Count == 0)
            _head = 0;
    }

    public void Clear() => Skip(Count);

    private void MakeRoom(int bytes)
    {
        var needed = Count + bytes;
        var into = needed * 2 > _bytes.Length
            ? new byte[Math.Max(64, needed * 2)]
            : _bytes;
        Bytes.CopyTo(into);
        _bytes = into;
        _head = 0;
    }
}
