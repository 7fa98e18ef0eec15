// Owns what the kernel had no room for: datagrams that found the socket's queue full, and
// connections that found the listener's.
//
// What always holds: the counters change only when a report takes the kernel's counts over.

using Balancer.Core;

namespace Simulation.Model;

/// <summary>What the kernel dropped so far.</summary>
internal sealed class KernelDrops(ExpectedCounters counters)
{
    private long _datagrams;
    private long _connections;

    /// <summary>A client's datagram found the socket's queue full.</summary>
    public void OnDatagram() => _datagrams++;

    /// <summary>A client found the listener's queue full.</summary>
    public void OnConnection() => _connections++;

    /// <summary>A report tells by now what the kernel has dropped.</summary>
    public void Count()
    {
        counters[Counter.DatagramsDroppedByKernel] = _datagrams;
        counters[Counter.ConnectionsDroppedByKernel] = _connections;
    }
}
