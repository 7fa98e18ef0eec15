// Owns the hash of the tables whose keys clients choose. Its key is random in production, so nobody
// outside can choose addresses or ports that meet in one bucket.

using System.Runtime.CompilerServices;

namespace Balancer.Core;

/// <summary>Hashes 64 bits with a key.</summary>
internal static class KeyedHash
{
    /// <summary>The finaliser of MurmurHash3 over value and key; 0 to 2^31 − 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Of(ulong value, ulong key)
    {
        var h = value ^ key;
        h ^= h >> 33;
        h *= 0xff51afd7ed558ccd;
        h ^= h >> 33;
        h *= 0xc4ceb9fe1a85ec53;
        h ^= h >> 33;
        return (int)(h & 0x7fffffff);
    }
}
