// Owns what is known of one stream of a proxied TCP connection.

namespace Balancer.Core;

/// <summary>What is known of one of a connection's two streams.</summary>
internal struct ProxySide
{
    /// <summary>The stream; None while there is none.</summary>
    public SocketHandle Stream;

    /// <summary>What was reported of it and not dealt with.</summary>
    public Readiness Pending;

    /// <summary>What is pending is not waited for again until it was dealt with.</summary>
    public bool IsHeld;
}
