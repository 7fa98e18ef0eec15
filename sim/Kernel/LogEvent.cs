// Owns the records that SimLog keeps: one for each method of IBalancerLog, with its name and its
// arguments. They are values, so a test compares them whole.
//
// What always holds: At is the clock's time of the call.

using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>One event of the balancer's log.</summary>
public abstract record LogEvent
{
    /// <summary>When it was told, on the balancer's clock.</summary>
    public Instant At { get; init; }

    public sealed record Started(Endpoint Listen, string Directory) : LogEvent;

    public sealed record Stopping(int OpenConnections) : LogEvent;

    public sealed record Stopped(Counters Counters) : LogEvent;

    public sealed record RescanRequested() : LogEvent;

    public sealed record BackendDiscovered(BackendId Id, string Path) : LogEvent;

    public sealed record BackendReturned(BackendId Id, string Path) : LogEvent;

    public sealed record BackendMadeAnew(BackendId Id, string Path) : LogEvent;

    public sealed record BackendConnected(BackendId Id, string Path) : LogEvent;

    public sealed record BackendHealthy(BackendId Id, string Path) : LogEvent;

    public sealed record BackendFaulted(
        BackendId Id, string Path, Fault Fault, Duration BackOff) : LogEvent;

    public sealed record BackendUnlinked(BackendId Id, string Path) : LogEvent;

    public sealed record BackendRelinked(BackendId Id, string Path) : LogEvent;

    public sealed record BackendRemoved(BackendId Id, string Path) : LogEvent;

    public sealed record BackendForgotten(BackendId Id, string Path) : LogEvent;

    public sealed record HeartbeatSent(BackendId Id) : LogEvent;

    public sealed record HeartbeatAnswered(BackendId Id) : LogEvent;

    public sealed record BackendStuck(BackendId Id, int QueuedBytes, long Suppressed) : LogEvent;

    public sealed record EntryRefused(string Path, EntryRefusal Why) : LogEvent;

    public sealed record DirectoryUnreadable(string Path, IoResult Why) : LogEvent;

    public sealed record DirectoryReadable(string Path) : LogEvent;

    public sealed record NoBackend(long Dropped) : LogEvent;

    public sealed record RemoteAssigned(Ipv4 Remote, BackendId Backend, bool IsBackup) : LogEvent;

    public sealed record RemoteExpired(Ipv4 Remote) : LogEvent;

    public sealed record RemoteEvicted(Ipv4 Remote) : LogEvent;

    public sealed record RemoteMoved(Ipv4 Remote, BackendId From) : LogEvent;

    public sealed record RemotesExpired(int Count) : LogEvent;

    public sealed record Rebalancing(BackendId Fullest, int Spread, int ToMove) : LogEvent;

    public sealed record ReceiveFailed(IoResult Why, long Suppressed) : LogEvent;

    public sealed record SendFailed(Endpoint Remote, IoResult Why, long Suppressed) : LogEvent;

    public sealed record AcceptFailed(IoResult Why, long Suppressed) : LogEvent;

    public sealed record ConnectionsOverLimit(
        Endpoint Client, Counter Which, long Suppressed) : LogEvent;

    public sealed record ConnectionWithoutResources(
        ConnectionId Id, IoResult Why, long Suppressed) : LogEvent;

    public sealed record ConnectionOpened(
        ConnectionId Id, Endpoint Client, BackendId Backend) : LogEvent;

    public sealed record ConnectionRelaying(ConnectionId Id, BackendId Backend) : LogEvent;

    public sealed record ConnectionRefusedByBackend(
        ConnectionId Id, BackendId Backend, Fault Why, long Suppressed) : LogEvent;

    public sealed record ConnectionClosed(
        ConnectionId Id, Endpoint Client, Counter How, IoResult Why, long BytesFromClient,
        long BytesFromBackend) : LogEvent;

    public sealed record Status(
        Instant Now, int Backends, int Healthy, int Remotes, int Connections,
        Counters Counters) : LogEvent;

    public sealed record BackendStatus(BackendSnapshot Backend) : LogEvent;

    public sealed record RemoteStatus(RemoteSnapshot Remote) : LogEvent;
}
