// Owns the kernel's count of what it dropped at a socket: datagrams for which the receive buffer
// had no room, and at a listener connections for which the accept queue had none.
//
// What always holds: the count only grows, also when the kernel's own, which has 32 bits, starts
// again at 0; where the kernel does not say, and that is in some sandboxes and before Linux 4.12,
// it is 0.

using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>What was dropped at one socket.</summary>
/// <param name="fd">Closed by its owner.</param>
internal sealed unsafe class DropCount(int fd)
{
    private long _dropped;

    /// <summary>
    /// What was dropped since the socket was made. The core reads it often enough to see the
    /// kernel's count wrap. To be read before the socket is closed, and not after.
    /// </summary>
    internal long Read()
    {
        if (TryRead(fd, out var dropped))
            _dropped += unchecked(dropped - (uint)_dropped);
        return _dropped;
    }

    /// <summary>What it was when it was last read.</summary>
    internal long Last => _dropped;

    /// <summary>Whether the kernel says how many it dropped.</summary>
    internal static bool IsKnown(int fd) => TryRead(fd, out _);

    private static bool TryRead(int fd, out uint dropped)
    {
        var info = stackalloc uint[C.SK_MEMINFO_VARS];
        var length = (uint)(C.SK_MEMINFO_VARS * sizeof(uint));
        dropped = 0;
        if (LibC.GetSockOpt(fd, C.SOL_SOCKET, C.SO_MEMINFO, info, &length) != 0
            || length <= C.SK_MEMINFO_DROPS * sizeof(uint))
        {
            return false;
        }
        dropped = info[C.SK_MEMINFO_DROPS];
        return true;
    }
}
