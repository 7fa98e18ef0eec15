// Owns whose turn it is among sessions to backends that have something to be read: as many replies
// a turn of the loop as are sent in half a millisecond, so that queries, which come every turn, do
// not wait behind a backend that floods, nor behind sixteen.
//
// A session that was quiet comes first. It is then one of the busy ones until a turn of its finds
// that nothing more came; those take turns, a read each, until the budget is used up. A session
// that is busy for ever thus waits for the quiet ones, but each of these only once before it is
// busy too.
//
// A read asks for no more bytes than the budget would allow if they were the smallest replies that
// there are. So whatever a backend sends, no read yields more than the budget has left, and no
// frame is kept for the next turn. What no turn had room for stays in the kernel, is reported again
// by the next wait, and that does not sleep over it.
//
// What always holds: a turn takes at most FramesPerTurn replies (TurnLimits); a session is in one
// of the two lists at most; one that may have something to be read is in one.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>A session as far as it is read.</summary>
internal interface ISessionReader
{
    /// <summary>What it is for its turns; kept by SessionTurns.</summary>
    ref SessionTurn Turn { get; }

    /// <summary>
    /// Reads once, up to so many bytes, and deals with every frame in them; returns how many, and
    /// whether the read came full, so that more may be there. The session may have ended since it
    /// was reported, and then nothing happens.
    /// </summary>
    int Read(Instant now, int mostBytes, out bool mayHaveMore);
}

/// <summary>Where a session stands with its turns.</summary>
internal struct SessionTurn
{
    /// <summary>It is in one of the lists.</summary>
    public bool IsListed;

    /// <summary>It may have something to be read that no turn had room for.</summary>
    public bool IsReadable;

    /// <summary>A deadline of it was put off for what lies unread.</summary>
    public bool HasPutOff;

    /// <summary>
    /// Whether a deadline that passed is put off by Limits.UnreadTime, once, because what lies
    /// unread may have met it.
    /// </summary>
    public bool PutsOff()
    {
        if (!IsReadable || HasPutOff)
            return false;
        HasPutOff = true;
        return true;
    }
}

/// <summary>The turns of all sessions.</summary>
internal sealed class SessionTurns(TurnLimits limits)
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

    /// <summary>
    /// Reads sessions, one after another, up to the turn's budget; false if that left nothing.
    /// </summary>
    public bool Serve(Instant now)
    {
        var left = limits.FramesPerTurn;
        // Nothing came since its last turn for a session that is not readable in this first round;
        // later ones only show that this turn has read it empty.
        var firstRound = _quiet.Count + _busy.Count;
        var empty = 0;
        while (empty < _quiet.Count + _busy.Count)
        {
            if (left * Frames.UdpHeaderBytes < Limits.LeastSessionReadBytes)
                return true;
            if (!_quiet.TryDequeue(out var session))
                session = _busy.Dequeue();
            Verify.That(session.Turn.IsListed, "whose turn it is was in a list");
            var isFirst = firstRound-- > 0;
            if (session.Turn.IsReadable)
            {
                empty = 0;
                _busy.Enqueue(session);
                left -= Math.Max(limits.FramesOfAVisit, ReadOnce(now, session, left));
            }
            else if (isFirst)
            {
                session.Turn.IsListed = false;
            }
            else
            {
                empty++;
                _busy.Enqueue(session);
            }
        }
        return false;
    }

    private static int ReadOnce(Instant now, ISessionReader session, int mostReplies)
    {
        var frames = session.Read(now, mostReplies * Frames.UdpHeaderBytes, out var mayHaveMore);
        session.Turn.IsReadable = mayHaveMore;
        return frames;
    }
}
