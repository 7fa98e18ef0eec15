// Owns the list of the backends that have something to write, so that the end of a turn looks at
// those alone and writes to each once, however much was queued for it.
//
// What always holds: a backend is in it once at most; between two turns it is empty.

using System;

namespace Balancer.Core;

/// <summary>The backends that write when the turn ends.</summary>
internal sealed class FlushList
{
    private readonly Backend[] _backends = new Backend[Limits.MaxBackends];
    private int _count;

    /// <summary>Notes that a backend has bytes to write when the turn ends.</summary>
    public void Add(Backend backend)
    {
        if (backend.IsInFlushList)
            return;
        // A backend is forgotten only when it is not in here, so no more come than may be known.
        Verify.That(_count < _backends.Length, "each backend is in the list once");
        backend.IsInFlushList = true;
        _backends[_count++] = backend;
    }

    /// <summary>Writes once to each backend that has bytes and whose stream takes them.</summary>
    public void Flush(Instant now)
    {
        for (var i = 0; i < _count; i++)
        {
            Verify.That(_backends[i].IsInFlushList, "a backend in the list knows that it is");
            _backends[i].IsInFlushList = false;
            _backends[i].Flush(now);
        }
        Array.Clear(_backends, 0, _count);
        _count = 0;
    }
}
