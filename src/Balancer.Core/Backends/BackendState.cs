// Owns the states of a backend. Backend.cs draws what leads from one to the next.

namespace Balancer.Core;

/// <summary>
/// What one backend is doing; see Backend.cs for what leads from one to the next.
/// </summary>
public enum BackendState
{
    /// <summary>No session; a connect is due when the back-off ends.</summary>
    BackingOff,

    /// <summary>
    /// Connected; CLIENT_HELLO is sent or waits to be, SERVER_HELLO has not come.
    /// </summary>
    AwaitingHello,

    /// <summary>SERVER_HELLO came and no fault since.</summary>
    Healthy,

    /// <summary>Healthy, but its path was unlinked: no new remotes, no new TCP sessions.</summary>
    Draining,

    /// <summary>A connect found no such path: no more of them until a scan sees it again.</summary>
    Removed,
}
