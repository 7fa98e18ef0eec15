// Owns the queries whose answer was not passed on: a backend that has just said hello, or that has
// given no good answer while another has, answered them with SERVFAIL or REFUSED, as Binder does
// until it has its data. A tenth of a second later they are asked again; Resends does that. An
// error that comes when the query is two seconds old, or five while its backend is starting, is
// passed on as it is, and so is one whose query nobody else takes.
//
// Each has a copy of its packet made for it: it is rare, and lasts no longer than a restart, or as
// long as a backend has nothing but errors to give while another has data.
//
// Those that find no backend, or only a silent one, wait for another, and are not looked at
// until then.
//
// What always holds: entries are in the order in which they are due, and Limits.HeldQueries at
// most, or as many as SessionMemory has room for; a query that waits here is in flight nowhere.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>A query that is asked again.</summary>
/// <param name="DueAt">When.</param>
/// <param name="Query">The query as it was in flight.</param>
/// <param name="Packet">Its packet.</param>
/// <param name="Backend">Who answered it with an error.</param>
/// <param name="Session">In which session of its; see Backend.SessionNumber.</param>
/// <param name="Error">The error, for the case that nobody else takes the query.</param>
internal readonly record struct Held(Instant DueAt, Query Query, byte[] Packet, Backend Backend,
    long Session, ResponseCode Error);

/// <summary>Queries that wait to be asked again.</summary>
internal sealed class Holds(SessionMemory memory)
{
    /// <summary>Bytes of memory for each besides its packet, at most.</summary>
    private const int BytesOfHeld = 256;

    private readonly MemoryShare _memory = new(memory);
    private readonly Queue<Held> _held = new();

    /// <summary>Those that found no backend; of two that expire together the first.</summary>
    private readonly PriorityQueue<Held, (long OverAt, long Order)> _stranded = new();

    private long _order;

    /// <summary>Those of them that are due, since somebody is there.</summary>
    private readonly Queue<Held> _woken = new();

    /// <summary>Those that are asked again soon, and not only if somebody comes.</summary>
    public int AwaitedCount => _held.Count;

    public bool IsFull => _held.Count + _stranded.Count + _woken.Count == Limits.HeldQueries;

    /// <summary>
    /// When the first is due; Never if there is none. With somebody healthy that may be in the
    /// past.
    /// </summary>
    public Instant FirstDueAt
    {
        get
        {
            var first = _held.TryPeek(out var held) ? held.DueAt : Instant.Never;
            return _woken.Count > 0 ? Instant.Zero : !_stranded.TryPeek(out held, out _)
                ? first : Instant.Min(first, held.DueAt);
        }
    }

    /// <summary>Keeps one for a moment; false if there is no memory for it.</summary>
    public bool TryAdd(Instant now, in Query query, ReadOnlySpan<byte> packet, Backend asked,
        ResponseCode error)
    {
        Verify.That(!IsFull, "who adds one looks whether there is room");
        if (!_memory.TryTake(BytesOfHeld + packet.Length))
            return false;
        try
        {
            _held.Enqueue(new Held(now + Limits.HoldDelay, query, packet.ToArray(), asked,
                asked.SessionNumber, error));
            return true;
        }
        catch (OutOfMemoryException)
        {
            _memory.GiveBack(BytesOfHeld + packet.Length);
            return false;
        }
    }

    /// <summary>
    /// Keeps one that was taken until a backend is there, or until that time; false if there
    /// is no memory for it.
    /// </summary>
    public bool TryStrand(in Held held, Instant dueAt)
    {
        Verify.That(!IsFull, "who adds one looks whether there is room");
        if (!_memory.TryTake(BytesOfHeld + held.Packet.Length))
            return false;
        try
        {
            _stranded.Enqueue(held with { DueAt = dueAt }, (dueAt.Nanoseconds, _order++));
            return true;
        }
        catch (OutOfMemoryException)
        {
            _memory.GiveBack(BytesOfHeld + held.Packet.Length);
            return false;
        }
    }

    /// <summary>
    /// A backend is there: each that found none is due, once; or none is, without memory for
    /// that.
    /// </summary>
    public void WakeStranded()
    {
        try
        {
            _woken.EnsureCapacity(_woken.Count + _stranded.Count);
        }
        catch (OutOfMemoryException)
        {
            return;
        }
        while (_stranded.TryDequeue(out var held, out _))
            _woken.Enqueue(held);
    }

    /// <summary>Takes the first that is due; false if none is.</summary>
    public bool TryTake(Instant now, out Held held)
    {
        if (_woken.TryDequeue(out held))
            return IsTaken(in held);
        if (_stranded.TryPeek(out held, out _) && held.DueAt <= now)
        {
            _stranded.Dequeue();
            return IsTaken(in held);
        }
        return _held.TryPeek(out held) && held.DueAt <= now && _held.TryDequeue(out held)
            && IsTaken(in held);
    }

    /// <summary>Takes the first, due or not; false if there is none.</summary>
    public bool TryTake(out Held held)
    {
        return (_woken.TryDequeue(out held) || _stranded.TryDequeue(out held, out _)
                || _held.TryDequeue(out held))
            && IsTaken(in held);
    }

    private bool IsTaken(in Held held)
    {
        _memory.GiveBack(BytesOfHeld + held.Packet.Length);
        return true;
    }
}
