// Owns the way up: what a backend has to say to the rest of the balancer, or to ask of it, which it
// does not know. LoadBalancer hears it and passes it on.
//
// What always holds: each query that a session took is reported once at most, as answered or as
// lost with its session; whoever adds these up knows what is in flight.

namespace Balancer.Core;

/// <summary>Hears what happens on the sessions of all backends.</summary>
internal interface IBackendReports
{
    /// <summary>A connect succeeded; SERVER_HELLO is still to come.</summary>
    void OnConnected(Instant now, Backend backend);

    /// <summary>A backend became healthy, by its hello or since its socket is back.</summary>
    void OnHealthy(Instant now);

    /// <summary>
    /// An OUTBOUND_UDP frame came; its payload lives until the call returns. `isAwaited` says that
    /// a query was in flight on its session, which is one fewer now.
    /// </summary>
    void OnReply(Instant now, in Frame reply, bool isAwaited);

    /// <summary>
    /// Whether no socket is at a backend's path now; asked once a session, when that has ended.
    /// </summary>
    bool IsGone(Backend backend);

    /// <summary>A session ended, and with it so many queries that were in flight on it.</summary>
    void OnSessionLost(Backend backend, long inFlight);
}
