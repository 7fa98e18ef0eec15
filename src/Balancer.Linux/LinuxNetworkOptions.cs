// Owns what the daemon decides about its network before it is opened.

using System.Collections.Generic;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>What LinuxNetwork.Open needs to know.</summary>
public sealed record LinuxNetworkOptions
{
    /// <summary>The address to listen on; Any for all of the host's.</summary>
    public Ipv4 Address { get; init; } = Ipv4.Any;

    /// <summary>The UDP and TCP port; 0 lets the kernel choose one that is free for both.</summary>
    public ushort Port { get; init; } = 53;

    /// <summary>
    /// Does without recvmmsg, sendmmsg, accept4, statx, openat2 and epoll_pwait2, as where the
    /// kernel has none of them.
    /// </summary>
    public bool ForceFallbacks { get; init; }

    /// <summary>
    /// Ids of the users whose sockets may be backends, who own their entries and listen on them;
    /// none for any user.
    /// </summary>
    public IReadOnlyList<uint> BackendUsers { get; init; } = [];

    /// <summary>
    /// Some thousands of queries, a tenth of a second of what all backends together can answer.
    /// </summary>
    public const int DefaultDatagramBuffer = 4 * 1024 * 1024;

    /// <summary>
    /// Bytes of receive and of send buffer wanted for the UDP socket, above 0.
    /// </summary>
    public int DatagramBufferBytes { get; init; } = DefaultDatagramBuffer;
}
