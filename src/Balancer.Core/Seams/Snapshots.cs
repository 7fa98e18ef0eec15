// Owns the types in which the core shows its state to the outside: the status
// report of the log today, an endpoint or a checker tomorrow. They are copies; changing the
// balancer through them is not possible.

namespace Balancer.Core;

/// <summary>One backend at one moment.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Path">Its socket's path.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Remotes">Established remotes whose primary it is.</param>
/// <param name="HeartbeatOutstanding">A heartbeat was sent and is not answered.</param>
/// <param name="ReconnectDelay">The back-off that its next fault costs.</param>
/// <param name="ConnectsStarted">Connects tried since it was discovered.</param>
/// <param name="ConnectsFailed">Connects and handshakes that did not lead to a hello.</param>
/// <param name="UdpQueries">Queries put into its queue.</param>
/// <param name="TcpSessions">TCP sessions that it answered with INBOUND_TCP_OK.</param>
/// <param name="DropsWhileStuck">Queries dropped because its stream took no more.</param>
/// <param name="QueuedBytes">Bytes that wait for its stream now.</param>
/// <param name="IsSuspect">It was silent when it was asked, and is not trusted again.</param>
/// <param name="IsStuck">It takes no more, and not all is written since.</param>
/// <param name="IsFailing">Its answers are far worse than another's, or it is mute.</param>
/// <param name="IsMute">It answers no query at all, and another does.</param>
/// <param name="IsDownByProbe">It failed probes, and is not back.</param>
/// <param name="ColdUntil">
/// Before this it is cold: Never until it answers a probe, Zero if it is neither healthy nor
/// draining.
/// </param>
/// <param name="InFlight">Queries in flight on its session.</param>
public readonly record struct BackendSnapshot(
    BackendId Id,
    string Path,
    BackendState State,
    int Remotes,
    bool HeartbeatOutstanding,
    Duration ReconnectDelay,
    long ConnectsStarted,
    long ConnectsFailed,
    long UdpQueries,
    long TcpSessions,
    long DropsWhileStuck,
    int QueuedBytes,
    bool IsSuspect,
    bool IsStuck,
    bool IsFailing,
    bool IsMute,
    bool IsDownByProbe,
    Instant ColdUntil,
    int InFlight);

/// <summary>One remote at one moment.</summary>
/// <param name="Address">The client host.</param>
/// <param name="IsEstablished">It is not a newcomer.</param>
/// <param name="Primary">Its backend, or None.</param>
/// <param name="Backup">The backend that stands in, or None.</param>
/// <param name="FirstSeen">When it was first heard from, to the second.</param>
/// <param name="LastSeen">When it was last heard from.</param>
/// <param name="UdpForwarded">Queries put into a backend's queue.</param>
/// <param name="UdpDropped">Queries dropped once it was known.</param>
/// <param name="TcpForwarded">TCP connections that a backend took.</param>
/// <param name="TcpDropped">TCP connections that no backend took.</param>
public readonly record struct RemoteSnapshot(
    Ipv4 Address,
    bool IsEstablished,
    BackendId Primary,
    BackendId Backup,
    Instant FirstSeen,
    Instant LastSeen,
    uint UdpForwarded,
    uint UdpDropped,
    uint TcpForwarded,
    uint TcpDropped);
