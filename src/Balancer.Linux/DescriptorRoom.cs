// Owns how many TCP connections the limit of open files leaves room for. Clients decide how many
// they open, and without a bound below that limit they would take what sessions to backends, scans
// and the connects to restarted backends need.
//
// What always holds: of what is free when all is made that a start makes, a share is left to
// backends, and what sockets of the directory may be held by; a connection takes two, one for each
// side.

using System;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

/// <summary>What the limit of open files leaves.</summary>
/// <param name="Limit">Descriptors that the process may have.</param>
/// <param name="Connections">TCP connections that there is room for, 1 and up.</param>
/// <param name="Reserve">
/// Descriptors that no connection takes, Limits.LeastFreeDescriptors to
/// Limits.MostReservedDescriptors.
/// </param>
public readonly record struct DescriptorRoom(long Limit, int Connections, int Reserve)
{
    /// <summary>The limit where a sandbox does not let it be read: what most have.</summary>
    internal const int Assumed = 1024;

    /// <summary>
    /// Descriptors that are looked at whether they are open: those of a start have the lowest
    /// numbers, and a supervisor leaves few behind.
    /// </summary>
    private const int LookedAt = 1024;

    /// <summary>Measures it, when all is made that a start makes.</summary>
    public static unsafe DescriptorRoom Measure(LinuxNetwork network)
    {
        ResourceLimit limit;
        if (LibC.GetRLimit(C.RLIMIT_NOFILE, &limit) < 0)
            limit.Soft = Assumed;
        var most = (long)Math.Min(limit.Soft, long.MaxValue);
        var open = 0;
        for (var fd = 0; fd < Math.Min(most, LookedAt); fd++)
            open += LibC.FCntl(fd, C.F_GETFD, 0) >= 0 ? 1 : 0;
        return Of(most, open, network.Paths.MostHeld);
    }

    /// <summary>Divides what is left of a limit.</summary>
    /// <param name="limit">Descriptors that the process may have.</param>
    /// <param name="open">Those that it has.</param>
    /// <param name="held">Those by which sockets of the directory may be held.</param>
    internal static DescriptorRoom Of(long limit, int open, int held)
    {
        var free = Math.Max(limit - open - held, 0);
        var reserve = (int)Math.Clamp(free / Limits.DescriptorReserveShare,
            Limits.LeastFreeDescriptors, Limits.MostReservedDescriptors);
        var connections = Math.Clamp((free - reserve) / 2, 1, int.MaxValue);
        return new DescriptorRoom(limit, (int)connections, reserve);
    }
}
