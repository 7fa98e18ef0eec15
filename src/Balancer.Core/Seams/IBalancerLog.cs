// The seam to the log: one method an event, with typed arguments, so that nothing is formatted
// unless its level is on, and the simulator can read events where the daemon writes text.
//
// What always holds: no method blocks or throws. Events that one client can cause at will are
// debug or below; those that can repeat are rate limited here in the core, with how many went
// unsaid; the level of each is the log's business (see the daemon's catalogue).

using System;

namespace Balancer.Core;

/// <summary>Where the core tells what happened.</summary>
public interface IBalancerLog
{
    /// <summary>The loop runs and both sockets are open.</summary>
    void Started(Endpoint listen, string directory);

    /// <summary>An orderly stop began.</summary>
    void Stopping(int openConnections);

    /// <summary>The stop is complete; nothing follows.</summary>
    void Stopped(Counters counters);

    /// <summary>The operator asked for a scan.</summary>
    void RescanRequested();

    /// <summary>A scan found a socket that no backend has.</summary>
    void BackendDiscovered(BackendId id, string path);

    /// <summary>A removed backend's path is there again.</summary>
    void BackendReturned(BackendId id, string path);

    /// <summary>Another socket stands at a known backend's path: it was restarted.</summary>
    void BackendMadeAnew(BackendId id, string path);

    /// <summary>A connect succeeded and CLIENT_HELLO is on its way.</summary>
    void BackendConnected(BackendId id, string path);

    /// <summary>SERVER_HELLO came.</summary>
    void BackendHealthy(BackendId id, string path);

    /// <summary>A fault; the next connect comes after the back-off.</summary>
    void BackendFaulted(BackendId id, string path, Fault fault, Duration backOff);

    /// <summary>The path of a healthy backend is gone: it gets nobody new.</summary>
    void BackendUnlinked(BackendId id, string path);

    /// <summary>
    /// The path of a backend that was unlinked is there again, and leads to the same socket.
    /// </summary>
    void BackendRelinked(BackendId id, string path);

    /// <summary>A connect found no such path.</summary>
    void BackendRemoved(BackendId id, string path);

    /// <summary>A backend long removed is no longer kept, and its id is free.</summary>
    void BackendForgotten(BackendId id, string path);

    /// <summary>A heartbeat was sent.</summary>
    void HeartbeatSent(BackendId id);

    /// <summary>A heartbeat was answered.</summary>
    void HeartbeatAnswered(BackendId id);

    /// <summary>A backend takes no more queries until it drains.</summary>
    void BackendStuck(BackendId id, int queuedBytes, long suppressed);

    /// <summary>An entry is not taken for a backend; told once an entry.</summary>
    void EntryRefused(string path, EntryRefusal why);

    /// <summary>The directory could not be read: nothing known, nothing removed.</summary>
    void DirectoryUnreadable(string path, IoResult why);

    /// <summary>The directory can be read again.</summary>
    void DirectoryReadable(string path);

    /// <summary>
    /// A query or connection found no healthy backend; at most one line every 5 s, with how many
    /// were dropped since the last.
    /// </summary>
    void NoBackend(long dropped);

    /// <summary>A remote was bound to a backend, or to one that stands in.</summary>
    void RemoteAssigned(Ipv4 remote, BackendId backend, bool isBackup);

    /// <summary>A remote was forgotten after its silence.</summary>
    void RemoteExpired(Ipv4 remote);

    /// <summary>A remote was forgotten before its time, to make room in a full table.</summary>
    void RemoteEvicted(Ipv4 remote);

    /// <summary>
    /// A rebalance took a remote's backend; it chooses again when next heard from.
    /// </summary>
    void RemoteMoved(Ipv4 remote, BackendId from);

    /// <summary>A pass over all remotes has forgotten so many after their silence.</summary>
    void RemotesExpired(int count);

    /// <summary>A rebalance begins to take remotes from the fullest backend.</summary>
    void Rebalancing(BackendId fullest, int spread, int toMove);

    /// <summary>Receiving datagrams failed; rate limited.</summary>
    void ReceiveFailed(IoResult why, long suppressed);

    /// <summary>Sending a reply failed; rate limited.</summary>
    void SendFailed(Endpoint remote, IoResult why, long suppressed);

    /// <summary>Accepting a connection failed; rate limited.</summary>
    void AcceptFailed(IoResult why, long suppressed);

    /// <summary>A connection was refused for a limit; rate limited.</summary>
    void ConnectionsOverLimit(Endpoint client, Counter which, long suppressed);

    /// <summary>
    /// This process had no descriptor or memory to reach a backend for a connection; rate limited.
    /// </summary>
    void ConnectionWithoutResources(ConnectionId id, IoResult why, long suppressed);

    /// <summary>A connection goes to a backend; again when a second one is tried.</summary>
    void ConnectionOpened(ConnectionId id, Endpoint client, BackendId backend);

    /// <summary>A backend took the connection.</summary>
    void ConnectionRelaying(ConnectionId id, BackendId backend);

    /// <summary>
    /// A backend refused a connection or ended it before INBOUND_TCP_OK; rate limited.
    /// </summary>
    void ConnectionRefusedByBackend(
        ConnectionId id, BackendId backend, Fault why, long suppressed);

    /// <summary>A connection is over; how is the counter it went into.</summary>
    void ConnectionClosed(ConnectionId id, Endpoint client, Counter how, IoResult why,
        long bytesFromClient, long bytesFromBackend);

    /// <summary>The status report's first line.</summary>
    void Status(Instant now, int backends, int healthy, int remotes, int connections,
        Counters counters);

    /// <summary>A line of the status report.</summary>
    void BackendStatus(in BackendSnapshot backend);

    /// <summary>A line of the status report, for at most Limits.StatusRemotes of them.</summary>
    void RemoteStatus(in RemoteSnapshot remote);
}
