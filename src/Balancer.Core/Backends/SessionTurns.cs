// Owns whose turn it is among sessions to backends that have something to be read: as many replies
// a turn of the loop as are sent in half a millisecond, so that queries, which come every turn, do
// not wait behind a backend that floods, nor behind sixteen.
//
// A session that was quiet comes first. It is then one of the busy ones until a turn of its finds
// that nothing more came; those take turns, and share what is read at a time, so that a round over
// many of them is not longer than over a few. A session that is busy for ever thus waits for the
// quiet ones, but each of these only once before it is busy too.
//
// What no turn had room for is reported again by the next wait, which does not sleep over it.
//
// What always holds: a session is in one of the two lists at most; one that was reported as
// readable and not read since is in one.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>A session as far as it is read.</summary>
internal interface ISessionReader
{
    /// <summary>What it is for its turns; kept by SessionTurns.</summary>
    ref SessionTurn Turn { get; }

    /// <summary>
    /// Reads once, up to so many bytes, and deals with every frame in them; returns how many. The
    /// session may have ended since it was reported, and then nothing happens.
    /// </summary>
    int Read(Instant now, int mostBytes);
}

/// <summary>Where a session stands with its turns.</summary>
internal struct SessionTurn
{
    /// <summary>It is in one of the lists.</summary>
    public bool IsListed;

    /// <summary>It was reported as readable and not read since.</summary>
    public bool IsReadable;
}

/// <summary>The turns of all sessions.</summary>
internal sealed class SessionTurns
{
    private readonly Queue<ISessionReader> _quiet = new(2 * Limits.MaxBackends);
    private readonly Queue<ISessionReader> _busy = new(2 * Limits.MaxBackends);

    /// <summary>A session has something to be read.</summary>
    public void Add(ISessionReader session)
    {
        ref var turn = ref session.Turn;
        turn.IsReadable = true;
        if (turn.IsListed)
            return;
        turn.IsListed = true;
        _quiet.Enqueue(session);
    }

    /// <summary>Reads sessions, one after another, up to the turn's budget.</summary>
    public void Serve(Instant now)
    {
        var left = Limits.FramesPerTurn;
        // Each once at most: what is still there is reported again by the next wait.
        for (var n = _quiet.Count + _busy.Count; n > 0 && left > 0; n--)
        {
            if (!_quiet.TryDequeue(out var session))
                session = _busy.Dequeue();
            ref var turn = ref session.Turn;
            turn.IsListed = turn.IsReadable;
            if (!turn.IsReadable)
                continue;
            turn.IsReadable = false;
            _busy.Enqueue(session);
            left -= Math.Max(Limits.FramesOfAVisit, session.Read(now, BytesOfARead));
        }
    }

    private int BytesOfARead => Math.Clamp(Limits.ReadBytes / (_quiet.Count + _busy.Count),
        Limits.LeastSessionReadBytes, Limits.SessionReadBytes);
}
