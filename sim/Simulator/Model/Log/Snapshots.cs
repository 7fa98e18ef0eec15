// Owns what the core's snapshots should say, made from the model: one for each field, so that a
// comparison of records tells the first that differs.
//
// What always holds: nothing is taken over from what the core told but the count of remotes, which
// is S4's, and the queue of a session whose bytes were lost track of.

using Balancer.Core;

namespace Simulation.Model;

/// <summary>Snapshots as they should be.</summary>
internal static class Snapshots
{
    public static BackendSnapshot Of(ExpectedBackend real, BackendSnapshot logged, bool probes)
    {
        var session = real.Session;
        var isLost = session is { IsLost: true };
        var queued = isLost ? logged.QueuedBytes : session?.Owed.Count ?? 0;
        var coldUntil = real.Stage is Stage.Healthy or Stage.Draining
            ? ProbeModel.WarmAt(real, probes) : Instant.Zero;
        return new BackendSnapshot(real.Name, real.Path, StateOf(real.Stage), logged.Remotes,
            session?.HasHeartbeatOut ?? false, real.NextBackOff, real.ConnectsStarted,
            real.ConnectsFailed, real.UdpQueries, real.TcpSessions, real.DropsWhileStuck, queued,
            real.IsSuspect, isLost ? logged.IsStuck : real.IsStuck, real.IsFailing, real.IsMute,
            real.IsDownByProbe, coldUntil, session?.InFlight.Count ?? 0);
    }

    public static RemoteSnapshot Of(ExpectedRemote real)
    {
        var firstSeen = new Instant(
            real.FirstSeen.Nanoseconds - real.FirstSeen.Nanoseconds % 1_000_000_000);
        return new RemoteSnapshot(real.Address, real.IsEstablished,
            new BackendId(real.Primary?.Id ?? 0),
            new BackendId(real.Backup?.Id ?? 0), firstSeen, real.LastSeen, real.UdpForwarded,
            real.UdpDropped, real.TcpForwarded, real.TcpDropped);
    }

    private static BackendState StateOf(Stage stage) => stage switch
    {
        Stage.AwaitingHello => BackendState.AwaitingHello,
        Stage.Healthy => BackendState.Healthy,
        Stage.Draining => BackendState.Draining,
        Stage.Removed => BackendState.Removed,
        _ => BackendState.BackingOff,
    };
}
