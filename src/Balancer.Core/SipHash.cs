// Owns the hash of bytes that clients choose: SipHash-2-4, fed byte by byte. Two messages that
// collide can be found only by somebody who has the key or sees hashes, and clients have neither.
// KeyedHash is quicker, but takes 64 bits only, and protects no more than the balance of a table.
//
// What always holds: the hash is that of all bytes that were added, however they were cut.

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Balancer.Core;

/// <summary>Hashes bytes with a key of 128 bits.</summary>
internal struct SipHash(ulong key0, ulong key1)
{
    private ulong _v0 = key0 ^ 0x736f6d6570736575;
    private ulong _v1 = key1 ^ 0x646f72616e646f6d;
    private ulong _v2 = key0 ^ 0x6c7967656e657261;
    private ulong _v3 = key1 ^ 0x7465646279746573;
    private ulong _word;
    private int _length;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(byte value)
    {
        _word = (_word >> 8) | ((ulong)value << 56);
        if ((++_length & 7) == 0)
            Compress(_word);
    }

    /// <summary>The hash of what was added; nothing may be added after.</summary>
    public ulong Finish()
    {
        var left = _length & 7;
        var rest = left == 0 ? 0 : _word >> (8 * (8 - left));
        Compress(rest | ((ulong)_length << 56));
        _v2 ^= 0xff;
        for (var n = 0; n < 4; n++)
            Mix();
        return _v0 ^ _v1 ^ _v2 ^ _v3;
    }

    private void Compress(ulong word)
    {
        _v3 ^= word;
        Mix();
        Mix();
        _v0 ^= word;
    }

    private void Mix()
    {
        _v0 += _v1;
        _v2 += _v3;
        _v1 = BitOperations.RotateLeft(_v1, 13) ^ _v0;
        _v3 = BitOperations.RotateLeft(_v3, 16) ^ _v2;
        _v0 = BitOperations.RotateLeft(_v0, 32);
        _v2 += _v1;
        _v0 += _v3;
        _v1 = BitOperations.RotateLeft(_v1, 17) ^ _v2;
        _v3 = BitOperations.RotateLeft(_v3, 21) ^ _v0;
        _v2 = BitOperations.RotateLeft(_v2, 32);
    }
}
