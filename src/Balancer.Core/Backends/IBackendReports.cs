// Owns the way up: what a backend reports to the rest of the balancer, without knowing it, and,
// apart from that, the four questions that it asks. LoadBalancer receives both and passes them on.
//
// What always holds: what a session had in flight is reported once, when it ends and before
// anything of it is cleared.

namespace Balancer.Core;

/// <summary>Hears what happens on the sessions of all backends.</summary>
internal interface IBackendReports
{
    /// <summary>
    /// A connect could not be made, for want of something that is not the backend's to give.
    /// </summary>
    void OnWithoutResources(Instant now, Backend backend, IoResult why);

    /// <summary>A connect succeeded; SERVER_HELLO is still to come.</summary>
    void OnConnected(Instant now, Backend backend);

    /// <summary>A backend became healthy, by its hello or since its socket is back.</summary>
    void OnHealthy(Instant now);

    /// <summary>
    /// An OUTBOUND_UDP frame came; its payload lives until the call returns. It answers one of the
    /// queries in flight on its session, or none; which of both is returned. `from` is the backend
    /// whose session it is, null for one that retired.
    /// </summary>
    bool OnReply(Instant now, in Frame reply, InFlight inFlight, Backend? from);

    /// <summary>
    /// A session ends with these queries in flight, which now belong to the receiver.
    /// </summary>
    void OnSessionLost(Instant now, Backend backend, InFlight inFlight);

    /// <summary>
    /// The session whose end was just reported ended by itself, and not as an orderly stop does.
    /// </summary>
    void OnDied(Instant now, Backend backend);

    /// <summary>
    /// A backend, or if null a session that retired, owes an answer for so long that it may be
    /// suspect soon, or its session ended with queries in flight: whether the others are alive
    /// should be known by then, since what is sent again goes nowhere else after that.
    /// </summary>
    void OnDoubtful(Instant now, Backend? doubtful);

    /// <summary>
    /// A backend was asked because it or another may hang, and says something: it may be sent what
    /// waited for that.
    /// </summary>
    void OnDoubtOver(Instant now);

    /// <summary>
    /// A session is silent, having become suspect or again: others should have what it has in
    /// flight.
    /// </summary>
    void OnSuspected(Instant now, InFlight inFlight);

    /// <summary>
    /// A backend is silent for a while since it became suspect, or holds what hung another:
    /// something may have hung it.
    /// </summary>
    void OnHang(Instant now, Instant suspectedAt, Backend backend);

    /// <summary>
    /// A backend's last answer may have made it fail, or fail no longer: it is to be compared.
    /// </summary>
    void OnAnswersInDoubt(Instant now, Backend backend);

    /// <summary>
    /// A suspect backend is trusted or answers again, or one that was stuck has taken everything.
    /// </summary>
    void OnAtEase(Instant now);
}

/// <summary>What a backend and its session ask of what lies beside them.</summary>
internal interface IBackendNeighbours
{
    /// <summary>
    /// Whether another backend that clients can go to has given a good answer.
    /// </summary>
    bool HasAnotherGoodAnswer(Backend than);

    /// <summary>
    /// Whether no socket is at a backend's path now; asked once a session, when that has ended.
    /// </summary>
    bool IsGone(Backend backend);

    /// <summary>
    /// Whether it holds what may have hung another: a query, or a message over TCP.
    /// </summary>
    bool MayHaveHungAnother(Instant now, Backend backend);

    /// <summary>
    /// When the newest message over TCP was passed on that its present session has not answered;
    /// Never if there is none.
    /// </summary>
    Instant NewestMessageAt(Instant now, Backend backend);
}
