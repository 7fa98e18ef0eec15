// Owns the kinds of violation that the reference model sees by itself, where what the core did
// differs from what it should have done. Which check claims a kind is the checks' business.
//
// What always holds: a violation is about one event; what says more than "it differs" is in the
// line of evidence that is reported with it.

namespace Simulation.Model;

/// <summary>
/// How what the core did can differ from what it should have done, as far as the model sees it.
/// </summary>
internal enum ViolationKind
{
    /// <summary>A datagram left that no reply asked for, or not as the reply said.</summary>
    ReplyInvented,

    /// <summary>A reply was decoded and neither sent nor refused by the kernel.</summary>
    ReplyLost,

    /// <summary>A query or a connection went elsewhere than the policy says.</summary>
    Misrouted,

    /// <summary>A query's frame is not the datagram that was received.</summary>
    QueryAltered,

    /// <summary>A primary was given to a remote that has one and may keep it.</summary>
    PrimaryChanged,

    /// <summary>A remote was forgotten that was neither silent nor evicted.</summary>
    RemoteForgotten,

    /// <summary>A rebalance took what it may not take.</summary>
    WronglyMoved,

    /// <summary>A backend was called unlinked or removed without cause.</summary>
    WronglyGone,

    /// <summary>A session went on after its end or an error was read.</summary>
    OutlivedItsEnd,

    /// <summary>A session went on after the backend broke the protocol.</summary>
    OutlivedItsError,

    /// <summary>Bytes on a session that do not belong to its generation.</summary>
    OtherGeneration,

    /// <summary>Heartbeats out of turn.</summary>
    Heartbeat,

    /// <summary>Probes out of turn.</summary>
    Probe,

    /// <summary>A connect too early, too late, twice or while removed.</summary>
    Reconnect,

    /// <summary>A scan too early, too late, or not at all.</summary>
    Scan,

    /// <summary>A line about a condition that repeats, logged again too soon.</summary>
    Repeated,

    /// <summary>Bytes of a TCP connection altered, lost or overtaken by an end.</summary>
    Relay,

    /// <summary>Something is waited for, and the loop would not be woken for it.</summary>
    Unwatched,

    /// <summary>More waits than may.</summary>
    Unbounded,

    /// <summary>A descriptor is kept that nothing needs.</summary>
    Leak,

    /// <summary>A TCP connection was sent to a path that is known to be gone.</summary>
    HopelessConnection,

    /// <summary>A session was closed, or a fault logged, without evidence.</summary>
    Unfounded,

    /// <summary>A number or name that the core logged or exported is wrong.</summary>
    Untrue,
}
