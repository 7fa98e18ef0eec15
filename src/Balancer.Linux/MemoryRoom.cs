// Owns how many remotes, TCP connections, connections of which a side does not read, and bytes of
// queries in flight the memory leaves room for. Whoever sends queries decides how many there are,
// and what takes all of a container's memory would leave none for scans, restarts and the log.
//
// What always holds: each of the four may take a share of what the collector may have, which is
// that of the machine, of the container (cgroup v1 and v2), or of DOTNET_GCHeapHardLimit.

using System;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>What the memory leaves.</summary>
/// <param name="Limit">Bytes that the collector may have.</param>
/// <param name="Remotes">
/// Remotes that there is room for, Limits.LeastRemotes to Limits.MaxRemotes.
/// </param>
/// <param name="Connections">TCP connections that there is room for, 1 and up.</param>
/// <param name="NotReading">
/// Of these, those of which a side does not read what there is for it, 1 and up.
/// </param>
/// <param name="Sessions">
/// Bytes for queries in flight and the queues of sessions, Limits.LeastSessionMemory and up.
/// </param>
public readonly record struct MemoryRoom(
    long Limit, int Remotes, int Connections, int NotReading, long Sessions)
{
    public static MemoryRoom Measure() => Of(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    /// <summary>Divides a limit.</summary>
    internal static MemoryRoom Of(long limit) => new(
        limit,
        (int)Math.Clamp(limit / Limits.RemotesMemoryShare / Limits.MaxBytesPerRemote,
            Limits.LeastRemotes, Limits.MaxRemotes),
        (int)Math.Clamp(limit / Limits.TcpMemoryShare / Limits.MaxBytesPerConnection,
            1, int.MaxValue),
        (int)Math.Clamp(limit / Limits.NotReadMemoryShare / Limits.MaxBytesNotRead,
            1, int.MaxValue),
        Math.Max(limit / Limits.SessionMemoryShare, Limits.LeastSessionMemory));
}
