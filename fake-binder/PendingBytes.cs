// Owns the bytes that a socket did not take yet, in order.

using System;

namespace FakeBinder;

internal sealed class PendingBytes
{
    private byte[] _bytes = [];
    private int _start;

    public int Count { get; private set; }

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(_start, Count);

    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (_start + Count + bytes.Length > _bytes.Length)
        {
            var larger = new byte[Math.Max(4096, 2 * (Count + bytes.Length))];
            Bytes.CopyTo(larger);
            _bytes = larger;
            _start = 0;
        }
        bytes.CopyTo(_bytes.AsSpan(_start + Count));
        Count += bytes.Length;
    }

    public void Remove(int count)
    {
        _start += count;
        Count -= count;
        if (Count == 0)
            _start = 0;
    }
}
