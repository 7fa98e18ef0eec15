// Owns the list of the sessions that have something to write, so that the end of a turn looks at
// those alone and writes once on each, however much was queued for it. A write that fails ends its
// session, and then others are asked for a heartbeat that have written already: they write again.
//
// What always holds: a session that is to write is in it once; between two turns it is empty.

using System;

namespace Balancer.Core;

/// <summary>The sessions that write when the turn ends.</summary>
internal sealed class FlushList
{
    /// <summary>A session comes twice at most: a heartbeat is out then.</summary>
    private readonly BackendSession[] _sessions = new BackendSession[2 * Limits.MaxBackends];
    private int _count;

    /// <summary>Notes that a session has bytes to write when the turn ends.</summary>
    public void Add(BackendSession session)
    {
        if (session.IsInFlushList)
            return;
        // A backend is forgotten only when it is not in here, so no more come than may be known.
        Verify.That(_count < _sessions.Length, "each session is in the list once");
        session.IsInFlushList = true;
        _sessions[_count++] = session;
    }

    /// <summary>A session ends: nothing of it is written any more.</summary>
    public void Remove(BackendSession session)
    {
        if (!session.IsInFlushList)
            return;
        session.IsInFlushList = false;
        var at = Array.IndexOf(_sessions, session, 0, _count);
        Array.Copy(_sessions, at + 1, _sessions, at, _count - at - 1);
        _sessions[--_count] = null!;
    }

    /// <summary>Writes once on each session that has bytes and whose stream takes them.</summary>
    public void Flush(Instant now)
    {
        for (var i = 0; i < _count; i++)
        {
            Verify.That(_sessions[i].IsInFlushList, "a session in the list knows that it is");
            _sessions[i].IsInFlushList = false;
            _sessions[i].Flush(now);
        }
        Array.Clear(_sessions, 0, _count);
        _count = 0;
    }
}
