// Owns the catalogue of what the core logs: one value type an event, with its level and the name
// that it has for ever. To add one: write it here, give it its words in the daemon (EventWords),
// and its section in docs/operating/log-events.md; a test asks for all three.
//
// What always holds: an event's name is its type's, in snake_case, and monitors depend on it. An
// event has one level: where the same call failing is an operator's trouble in one case and a
// client's doing in another, these are two events. What one client can cause at will is debug or
// below, or rate limited (LogGate), with how many were suppressed.

namespace Balancer.Core;

/// <summary>Why a query is refused no more.</summary>
public enum QueryRelease
{
    /// <summary>Another explains the deaths that it was refused for.</summary>
    Explained,

    /// <summary>A backend answered it.</summary>
    Answered,
}

/// <summary>The events of the core's log.</summary>
public static class LogEvent
{
    // ---- The process ----

    /// <summary>The loop runs and both sockets are open.</summary>
    public readonly record struct Started(Endpoint Listen, string Directory) : ILogEvent
    {
        public static string Name => "started";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>An orderly stop began; it waits for so long at most.</summary>
    public readonly record struct Stopping(int OpenConnections, Duration Grace) : ILogEvent
    {
        public static string Name => "stopping";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>The stop is complete; nothing follows.</summary>
    public readonly record struct Stopped(Counters Counters) : ILogEvent
    {
        public static string Name => "stopped";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// The kernel does not watch a socket, the last time for this reason: nothing of it is reported
    /// until it does. It is asked again all the time; rate limited.
    /// </summary>
    public readonly record struct SocketsNotWatched(IoResult Why, long Suppressed)
        : IRepeatedEvent<SocketsNotWatched>
    {
        public static string Name => "sockets_not_watched";
        public static LogLevel Level => LogLevel.Error;
        public SocketsNotWatched WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>It watches all of them again, after so long; rate limited.</summary>
    public readonly record struct SocketsWatched(Duration Lasted, long Suppressed)
        : IRepeatedEvent<SocketsWatched>
    {
        public static string Name => "sockets_watched";
        public static LogLevel Level => LogLevel.Info;
        public SocketsWatched WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>
    /// The monotonic clock went back; time stands still until it has caught up. Rate limited.
    /// </summary>
    public readonly record struct ClockWentBack(Duration By, long Suppressed)
        : IRepeatedEvent<ClockWentBack>
    {
        public static string Name => "clock_went_back";
        public static LogLevel Level => LogLevel.Error;
        public ClockWentBack WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    // ---- Backends ----

    /// <summary>A scan found a socket that no backend has.</summary>
    public readonly record struct BackendDiscovered(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_discovered";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A removed backend's path is there again.</summary>
    public readonly record struct BackendReturned(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_returned";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>Another socket stands at a known backend's path: it was restarted.</summary>
    public readonly record struct BackendRestarted(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_restarted";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A connect succeeded and CLIENT_HELLO is on its way.</summary>
    public readonly record struct BackendConnected(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_connected";
        public static LogLevel Level => LogLevel.Debug;
    }

    /// <summary>SERVER_HELLO came.</summary>
    public readonly record struct BackendHealthy(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_healthy";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A fault; the next connect comes after the back-off.</summary>
    public readonly record struct BackendFaulted(
        BackendId Id, string Path, Fault Fault, Duration BackOff) : ILogEvent
    {
        public static string Name => "backend_faulted";
        public static LogLevel Level => LogLevel.Error;
    }

    /// <summary>
    /// A backend removed its socket and ended its session, as an orderly stop does; the next
    /// connect comes after the back-off. How says how the end showed.
    /// </summary>
    public readonly record struct BackendStopped(
        BackendId Id, string Path, IoResult How, Duration BackOff) : ILogEvent
    {
        public static string Name => "backend_stopped";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>The socket of a healthy backend was removed: it gets no new clients.</summary>
    public readonly record struct BackendDraining(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_draining";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>
    /// The socket of a draining backend is at its path again: it gets new clients.
    /// </summary>
    public readonly record struct BackendResumed(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_resumed";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A connect found no such path.</summary>
    public readonly record struct BackendRemoved(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_removed";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>A backend long removed is no longer kept, and its id is free.</summary>
    public readonly record struct BackendForgotten(BackendId Id, string Path) : ILogEvent
    {
        public static string Name => "backend_forgotten";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A heartbeat was sent.</summary>
    public readonly record struct HeartbeatSent(BackendId Id) : ILogEvent
    {
        public static string Name => "heartbeat_sent";
        public static LogLevel Level => LogLevel.Trace;
    }

    /// <summary>A heartbeat was answered.</summary>
    public readonly record struct HeartbeatAnswered(BackendId Id) : ILogEvent
    {
        public static string Name => "heartbeat_answered";
        public static LogLevel Level => LogLevel.Trace;
    }

    /// <summary>A backend takes no more queries until it drains; rate limited.</summary>
    public readonly record struct BackendStuck(
        BackendId Id, int QueuedBytes, long Suppressed) : ILogEvent
    {
        public static string Name => "backend_stuck";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>
    /// A backend is no longer stuck, as it has drained or its session has ended: how long since the
    /// first query that it did not take, and how many were dropped in all.
    /// </summary>
    public readonly record struct BackendUnstuck(
        BackendId Id, Duration Lasted, long Dropped, StuckEnd End) : ILogEvent
    {
        public static string Name => "backend_unstuck";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// A backend sent no byte for so long though it was asked; so many queries are in flight.
    /// </summary>
    public readonly record struct BackendSuspected(
        BackendId Id, string Path, Duration Silent, int InFlight) : ILogEvent
    {
        public static string Name => "backend_suspected";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>A suspect backend is trusted again after so long.</summary>
    public readonly record struct BackendTrusted(
        BackendId Id, string Path, Duration Suspect) : ILogEvent
    {
        public static string Name => "backend_trusted";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// Of a backend's last answers so many were SERVFAIL or REFUSED, far more than of another's.
    /// </summary>
    public readonly record struct BackendFailing(BackendId Id, string Path, int Failed,
        int Answers, BackendId Other, int OtherFailed, int OtherAnswers) : ILogEvent
    {
        public static string Name => "backend_failing";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>
    /// A backend answers heartbeats, and none of its last queries; others answer theirs.
    /// </summary>
    public readonly record struct BackendMute(BackendId Id, string Path, int Queries) : ILogEvent
    {
        public static string Name => "backend_mute";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>
    /// A backend's answers are like the others' again, or it gave none for a while.
    /// </summary>
    public readonly record struct BackendNoLongerFailing(BackendId Id, string Path, int Failed,
        int Answers, Duration Lasted) : ILogEvent
    {
        public static string Name => "backend_no_longer_failing";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A backend was asked for the operator's name, with this DNS id.</summary>
    public readonly record struct ProbeSent(BackendId Id, ushort DnsId) : ILogEvent
    {
        public static string Name => "probe_sent";
        public static LogLevel Level => LogLevel.Trace;
    }

    /// <summary>
    /// So many probes failed in a row, the last one like this: others come before this backend.
    /// </summary>
    public readonly record struct BackendDownByProbe(
        BackendId Id, string Path, ProbeFailure Why, int Failures) : ILogEvent
    {
        public static string Name => "backend_down_by_probe";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>A backend that was down by probe answers well again, after so long.</summary>
    public readonly record struct BackendUpByProbe(
        BackendId Id, string Path, Duration Lasted) : ILogEvent
    {
        public static string Name => "backend_up_by_probe";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// Of the queries that were in flight on a session that ended, so many were sent again, and so
    /// many are lost.
    /// </summary>
    public readonly record struct QueriesResent(BackendId Id, long Resent, long Lost) : ILogEvent
    {
        public static string Name => "queries_resent";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// A query is refused for so long: it was in flight when this backend died, and when another
    /// did, and it was never answered.
    /// </summary>
    public readonly record struct QueryQuarantined(
        BackendId Id, Endpoint Client, byte[] Query, Duration Term) : ILogEvent
    {
        public static string Name => "query_quarantined";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>A query is refused no more, before its term is over; it was for so long.</summary>
    public readonly record struct QueryReleased(
        byte[] Query, QueryRelease Why, Duration Refused) : ILogEvent
    {
        public static string Name => "query_released";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// A query is refused for so much longer: this backend, which it ended or hung, has said
    /// nothing since; rate limited.
    /// </summary>
    public readonly record struct QueryRefusalProlonged(
        BackendId Id, byte[] Query, Duration By, long Suppressed)
        : IRepeatedEvent<QueryRefusalProlonged>
    {
        public static string Name => "query_refusal_prolonged";
        public static LogLevel Level => LogLevel.Info;
        public QueryRefusalProlonged WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    // ---- The directory ----

    /// <summary>The operator asked for a scan.</summary>
    public readonly record struct RescanRequested() : ILogEvent
    {
        public static string Name => "rescan_requested";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A socket does not become a backend; logged once an entry.</summary>
    public readonly record struct EntryRefused(string Path, EntryRefusal Why) : ILogEvent
    {
        public static string Name => "entry_refused";
        public static LogLevel Level => LogLevel.Error;
    }

    /// <summary>
    /// More happened to entries of the directory than is logged above debug; rate limited.
    /// </summary>
    public readonly record struct EntryRecordsSuppressed(long Suppressed)
        : IRepeatedEvent<EntryRecordsSuppressed>
    {
        public static string Name => "entry_records_suppressed";
        public static LogLevel Level => LogLevel.Warn;
        public EntryRecordsSuppressed WithSuppressed(long suppressed) =>
            new(suppressed + 1);
    }

    /// <summary>An entry that is not a socket is left alone; logged once an entry.</summary>
    public readonly record struct EntryNotASocket(string Path) : ILogEvent
    {
        public static string Name => "entry_not_a_socket";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>The directory could not be read: nothing found, nothing removed.</summary>
    public readonly record struct DirectoryUnreadable(
        string Path, IoResult Why, long Suppressed) : IRepeatedEvent<DirectoryUnreadable>
    {
        public static string Name => "directory_unreadable";
        public static LogLevel Level => LogLevel.Error;
        public DirectoryUnreadable WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>The directory can be read again.</summary>
    public readonly record struct DirectoryReadable(string Path, long Suppressed)
        : IRepeatedEvent<DirectoryReadable>
    {
        public static string Name => "directory_readable";
        public static LogLevel Level => LogLevel.Info;
        public DirectoryReadable WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>
    /// The directory was asked for its entries so long ago and has not answered: what is known of
    /// it stays as it is until it does.
    /// </summary>
    public readonly record struct DirectoryNotAnswering(string Path, Duration Since) : ILogEvent
    {
        public static string Name => "directory_not_answering";
        public static LogLevel Level => LogLevel.Error;
    }

    /// <summary>The directory answered in the end, so long after it was asked.</summary>
    public readonly record struct DirectoryAnswering(string Path, Duration After) : ILogEvent
    {
        public static string Name => "directory_answering";
        public static LogLevel Level => LogLevel.Info;
    }

    // ---- Clients ----

    /// <summary>
    /// A query or connection found no healthy backend; at most one line every 5 s, with how many
    /// were dropped since the last.
    /// </summary>
    public readonly record struct NoHealthyBackend(long Dropped)
        : IRepeatedEvent<NoHealthyBackend>
    {
        public static string Name => "no_healthy_backend";
        public static LogLevel Level => LogLevel.Error;
        public NoHealthyBackend WithSuppressed(long suppressed) => new(suppressed + 1);
    }

    /// <summary>
    /// A backend is healthy again after queries or connections found none: how long since the first
    /// of these, and how many there were in all.
    /// </summary>
    public readonly record struct OutageEnded(
        Duration Lasted, long QueriesDropped, long ConnectionsDropped, long Suppressed) : ILogEvent
    {
        public static string Name => "outage_ended";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A remote was bound to a backend, or to one that stands in.</summary>
    public readonly record struct RemoteAssigned(
        Ipv4 Remote, BackendId Backend, bool IsBackup) : ILogEvent
    {
        public static string Name => "remote_assigned";
        public static LogLevel Level => LogLevel.Debug;
    }

    /// <summary>A remote was forgotten after its silence.</summary>
    public readonly record struct RemoteExpired(Ipv4 Remote) : ILogEvent
    {
        public static string Name => "remote_expired";
        public static LogLevel Level => LogLevel.Debug;
    }

    /// <summary>
    /// A remote was forgotten before its time, to make room in a full table for another, which is
    /// new or becomes established.
    /// </summary>
    public readonly record struct RemoteEvicted(Ipv4 Remote, Ipv4 For) : ILogEvent
    {
        public static string Name => "remote_evicted";
        public static LogLevel Level => LogLevel.Debug;
    }

    /// <summary>A rebalance took a remote's backend; RemoteAssigned names the next.</summary>
    public readonly record struct RemoteMoved(Ipv4 Remote, BackendId From) : ILogEvent
    {
        public static string Name => "remote_moved";
        public static LogLevel Level => LogLevel.Debug;
    }

    /// <summary>A pass over all remotes has forgotten so many after their silence.</summary>
    public readonly record struct RemotesExpired(int Count) : ILogEvent
    {
        public static string Name => "remotes_expired";
        public static LogLevel Level => LogLevel.Debug;
    }

    /// <summary>A rebalance begins to take remotes from the fullest backend.</summary>
    public readonly record struct Rebalancing(BackendId Fullest, int Spread, int ToMove) : ILogEvent
    {
        public static string Name => "rebalancing";
        public static LogLevel Level => LogLevel.Info;
    }

    // ---- Datagrams ----

    /// <summary>
    /// A query came; Outcome is the counter it went into, Backend none if it was dropped.
    /// </summary>
    public readonly record struct Query(
        Endpoint Remote, int Bytes, Counter Outcome, BackendId Backend) : ILogEvent
    {
        public static string Name => "query";
        public static LogLevel Level => LogLevel.Trace;
    }

    /// <summary>Receiving datagrams failed; rate limited.</summary>
    public readonly record struct ReceiveFailed(IoResult Why, long Suppressed)
        : IRepeatedEvent<ReceiveFailed>
    {
        public static string Name => "receive_failed";
        public static LogLevel Level => LogLevel.Error;
        public ReceiveFailed WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>Sending a reply failed for want of something of our own; rate limited.</summary>
    public readonly record struct SendFailed(
        Endpoint Remote, IoResult Why, long Suppressed)
        : IRepeatedEvent<SendFailed>
    {
        public static string Name => "send_failed";
        public static LogLevel Level => LogLevel.Warn;
        public SendFailed WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>Sending a reply failed as it does for a forged source; rate limited.</summary>
    public readonly record struct ReplyUndeliverable(
        Endpoint Remote, IoResult Why, long Suppressed)
        : IRepeatedEvent<ReplyUndeliverable>
    {
        public static string Name => "reply_undeliverable";
        public static LogLevel Level => LogLevel.Debug;
        public ReplyUndeliverable WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    // ---- Connections ----

    /// <summary>Accepting a connection failed; rate limited.</summary>
    public readonly record struct AcceptFailed(IoResult Why, long Suppressed)
        : IRepeatedEvent<AcceptFailed>
    {
        public static string Name => "accept_failed";
        public static LogLevel Level => LogLevel.Error;
        public AcceptFailed WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>A client ended its connection before it was accepted; rate limited.</summary>
    public readonly record struct AcceptAborted(IoResult Why, long Suppressed)
        : IRepeatedEvent<AcceptAborted>
    {
        public static string Name => "accept_aborted";
        public static LogLevel Level => LogLevel.Debug;
        public AcceptAborted WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>A connection was refused since as many as may be are open; rate limited.</summary>
    public readonly record struct ConnectionsOverLimit(Endpoint Client, long Suppressed)
        : IRepeatedEvent<ConnectionsOverLimit>
    {
        public static string Name => "connections_over_limit";
        public static LogLevel Level => LogLevel.Warn;
        public ConnectionsOverLimit WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>
    /// A connection was refused since its address has as many open as one may; rate limited.
    /// </summary>
    public readonly record struct ClientOverLimit(Endpoint Client, long Suppressed)
        : IRepeatedEvent<ClientOverLimit>
    {
        public static string Name => "client_over_limit";
        public static LogLevel Level => LogLevel.Debug;
        public ClientOverLimit WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>
    /// A backend is behind, and a client that has more than its share of it lost a query; rate
    /// limited, and about the last one.
    /// </summary>
    public readonly record struct ClientOverShare(
        Endpoint Client, BackendId Backend, long Suppressed)
        : IRepeatedEvent<ClientOverShare>
    {
        public static string Name => "client_over_share";
        public static LogLevel Level => LogLevel.Warn;
        public ClientOverShare WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>
    /// A backend could not be connected to, for a reason that is not its fault: it is tried again
    /// after Limits.ConnectPause; rate limited.
    /// </summary>
    public readonly record struct ConnectWithoutResources(
        BackendId Id, string Path, IoResult Why, long Suppressed)
        : IRepeatedEvent<ConnectWithoutResources>
    {
        public static string Name => "connect_without_resources";
        public static LogLevel Level => LogLevel.Error;
        public ConnectWithoutResources WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>
    /// The kernel has no memory for what sessions to backends write or read: they are kept, and
    /// it is tried again soon; rate limited.
    /// </summary>
    public readonly record struct SessionsWithoutMemory(IoResult Why, long Suppressed)
        : IRepeatedEvent<SessionsWithoutMemory>
    {
        public static string Name => "sessions_without_memory";
        public static LogLevel Level => LogLevel.Error;
        public SessionsWithoutMemory WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>It has memory for all of them again, after so long; rate limited.</summary>
    public readonly record struct SessionsHaveMemory(Duration Lasted, long Suppressed)
        : IRepeatedEvent<SessionsHaveMemory>
    {
        public static string Name => "sessions_have_memory";
        public static LogLevel Level => LogLevel.Info;
        public SessionsHaveMemory WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>
    /// This process had no descriptor to reach a backend for a connection, or no memory for it;
    /// rate limited.
    /// </summary>
    public readonly record struct ConnectionWithoutResources(
        ConnectionId Id, IoResult Why, long Suppressed)
        : IRepeatedEvent<ConnectionWithoutResources>
    {
        public static string Name => "connection_without_resources";
        public static LogLevel Level => LogLevel.Error;
        public ConnectionWithoutResources WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>A connection goes to a backend; again when a second one is tried.</summary>
    public readonly record struct ConnectionOpened(
        ConnectionId Id, Endpoint Client, BackendId Backend) : ILogEvent
    {
        public static string Name => "connection_opened";
        public static LogLevel Level => LogLevel.Debug;
    }

    /// <summary>A backend took the connection.</summary>
    public readonly record struct ConnectionRelaying(ConnectionId Id, BackendId Backend) : ILogEvent
    {
        public static string Name => "connection_relaying";
        public static LogLevel Level => LogLevel.Debug;
    }

    /// <summary>
    /// A backend's accept queue has no room for a connection, which is tried again.
    /// </summary>
    public readonly record struct BackendAcceptQueueFull(
        BackendId Backend, ConnectionId Id, IoResult Why, long Suppressed)
        : IRepeatedEvent<BackendAcceptQueueFull>
    {
        public static string Name => "backend_accept_queue_full";
        public static LogLevel Level => LogLevel.Warn;
        public BackendAcceptQueueFull WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>
    /// A backend refused a connection or ended it before INBOUND_TCP_OK; rate limited.
    /// </summary>
    public readonly record struct ConnectionRefusedByBackend(
        ConnectionId Id, BackendId Backend, Fault Why, long Suppressed)
        : IRepeatedEvent<ConnectionRefusedByBackend>
    {
        public static string Name => "connection_refused_by_backend";
        public static LogLevel Level => LogLevel.Warn;
        public ConnectionRefusedByBackend WithSuppressed(long suppressed) =>
            this with { Suppressed = suppressed };
    }

    /// <summary>A connection is over; How is the counter it went into.</summary>
    public readonly record struct ConnectionClosed(
        ConnectionId Id, Endpoint Client, Counter How, IoResult Why, long BytesFromClient, long
        BytesFromBackend) : ILogEvent
    {
        public static string Name => "connection_closed";
        public static LogLevel Level => LogLevel.Debug;
    }

    // ---- The status report ----

    /// <summary>The first line of a report.</summary>
    public readonly record struct Status(
        Instant Now, int Backends, int Healthy, int Remotes, int Established, int Connections,
        int Refused, Duration LongestTurn, Counters Counters) : ILogEvent
    {
        public static string Name => "status";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>A line of the report for each backend; Now is the report's time.</summary>
    public readonly record struct BackendStatus(BackendSnapshot Backend, Instant Now) : ILogEvent
    {
        public static string Name => "backend_status";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// A line of the report for at most Limits.StatusRemotes remotes; Now is the report's time.
    /// </summary>
    public readonly record struct RemoteStatus(RemoteSnapshot Remote, Instant Now) : ILogEvent
    {
        public static string Name => "remote_status";
        public static LogLevel Level => LogLevel.Info;
    }
}
