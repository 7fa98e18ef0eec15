// Owns the two kinds of traffic that a client host has; they share its backend, but a backend whose
// path is gone takes no more TCP.

namespace Balancer.Core;

/// <summary>What a remote wants a backend for.</summary>
internal enum Traffic
{
    Udp,
    Tcp,
}
