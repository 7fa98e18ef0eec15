// Owns what a session does later: answers that are due in a while, and misdeeds with a delay.
//
// What always holds: things come out ordered by time, and those of the same time in the order in
// which they were put in, so that a run can be repeated.

using System.Collections.Generic;

namespace FakeBinder;

internal enum DeferredKind
{
    Hello,
    Heartbeat,
    UdpReply,
    TcpOk,
    TcpOkRest,
    TcpAnswer,

    // From here on: nobody waits for it, and a session that ends need not do it any more.
    UnaskedHeartbeat,
    UnreadHeartbeat,
    CloseAfterHello,
}

/// <summary>One thing to do later; address and port are where a UDP reply goes.</summary>
internal readonly record struct Deferred(
    DeferredKind Kind, byte[]? Bytes = null, uint Address = 0, ushort Port = 0)
{
    /// <summary>The balancer waits for it.</summary>
    public bool IsOwed => Kind < DeferredKind.UnaskedHeartbeat;
}

internal sealed class DeadlineQueue
{
    private readonly PriorityQueue<Deferred, (long AtNs, long Order)> _queue = new();
    private long _order;

    /// <summary>How many of them the balancer waits for.</summary>
    public int Owed { get; private set; }

    /// <summary>When the first is due; null if there is none.</summary>
    public long? NextNs => _queue.TryPeek(out _, out var due) ? due.AtNs : null;

    public void Add(long atNs, Deferred deferred)
    {
        _queue.Enqueue(deferred, (atNs, _order++));
        if (deferred.IsOwed)
            Owed++;
    }

    public bool TryTake(long nowNs, out Deferred deferred)
    {
        if (!_queue.TryPeek(out deferred, out var due) || due.AtNs > nowNs)
            return false;
        _queue.Dequeue();
        if (deferred.IsOwed)
            Owed--;
        return true;
    }
}
