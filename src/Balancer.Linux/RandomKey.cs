// Owns random numbers that nobody outside can guess; the daemon needs one, for its hashes.
//
// What always holds: asking waits for nothing and loads nothing. .NET's generator of such numbers
// is OpenSSL's, which an executable without dependencies would have to find when it starts.

using System;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>Random numbers of the kernel's.</summary>
public static unsafe class RandomKey
{
    /// <summary>
    /// 64 bits. Where the kernel has none to give, at boot or in a sandbox that forbids getrandom,
    /// they are the runtime's, which takes what it finds.
    /// </summary>
    public static ulong Draw()
    {
        ulong key;
        return LibC.GetRandom(&key, sizeof(ulong), C.GRND_NONBLOCK) == sizeof(ulong)
            ? key
            : unchecked((ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue));
    }
}
