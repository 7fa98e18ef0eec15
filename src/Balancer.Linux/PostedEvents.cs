// Owns the events that are not about a socket and not reported yet: a set of their kinds, and an
// eventfd with which another thread that adds one ends a wait.
//
// What always holds: a kind posted is reported by a wait that ends after the post, once for any
// number of posts before it; posting after the end does nothing.

using System;
using System.Threading;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class PostedEvents : IDisposable
{
    private readonly Lock _lock = new();
    private int _fd;
    private int _kinds;

    internal PostedEvents()
    {
        _fd = LibC.EventFd(0, C.EFD_NONBLOCK | C.EFD_CLOEXEC);
        if (_fd < 0)
            throw NetworkSetupException.For("cannot make an event descriptor", LibC.Errno);
    }

    internal int Descriptor => _fd;

    /// <summary>A kind in a set of kinds.</summary>
    internal static int Bit(NetworkEventKind kind) => 1 << (int)kind;

    /// <summary>Called from any thread; never blocks for longer than another post takes.</summary>
    internal void Post(NetworkEventKind kind)
    {
        lock (_lock)
        {
            if (_fd < 0)
                return;
            Add(Bit(kind));
            var one = 1UL;
            // It fails only when 2^64 - 2 posts wait, and then the wait ends anyway.
            _ = LibC.Write(_fd, &one, sizeof(ulong));
        }
    }

    /// <summary>Adds a set of kinds. The loop does so itself, and needs no wait ended.</summary>
    internal void Add(int kinds) => _ = Interlocked.Or(ref _kinds, kinds);

    /// <summary>Empties the eventfd, before what it announced is taken.</summary>
    internal void Drain()
    {
        ulong count;
        _ = LibC.Read(_fd, &count, sizeof(ulong));
    }

    /// <summary>Writes what was posted, as much as the span holds; how many.</summary>
    internal int Take(Span<NetworkEvent> events)
    {
        if (Volatile.Read(ref _kinds) == 0)
            return 0;
        var count = 0;
        for (var kind = NetworkEventKind.DirectoryChanged;
             kind <= NetworkEventKind.DirectoryAnswered && count < events.Length;
             kind++)
        {
            var bit = Bit(kind);
            if ((Interlocked.And(ref _kinds, ~bit) & bit) != 0)
                events[count++] = new NetworkEvent(kind, SocketHandle.None, Readiness.None);
        }
        return count;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_fd >= 0)
                _ = LibC.Close(_fd);
            _fd = -1;
        }
    }
}
