// Owns how many remotes the memory leaves room for. Whoever sends queries decides how many there
// are, and a table that takes all of a container's memory would leave none for queries in flight,
// connections and the log.
//
// What always holds: the table may take a share of what the collector may have, which is that of
// the machine, of the container (cgroup v1 and v2), or of DOTNET_GCHeapHardLimit.

using System;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>What the memory leaves.</summary>
/// <param name="Limit">Bytes that the collector may have.</param>
/// <param name="Remotes">
/// Remotes that there is room for, Limits.LeastRemotes to Limits.MaxRemotes.
/// </param>
public readonly record struct MemoryRoom(long Limit, int Remotes)
{
    public static MemoryRoom Measure() => Of(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    /// <summary>Divides a limit.</summary>
    internal static MemoryRoom Of(long limit) => new(limit, (int)Math.Clamp(
        limit / Limits.RemotesMemoryShare / Limits.MaxBytesPerRemote,
        Limits.LeastRemotes, Limits.MaxRemotes));
}
