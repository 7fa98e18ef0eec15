// Owns the queries whose answer was not passed on: a backend that has given no good answer yet, and
// has just said hello or is not the only one, answered them with SERVFAIL or REFUSED, as Binder
// does until it has its data. A tenth of a second later they are asked again; Resends does
// that. An error that comes when the query is two seconds old is passed on as it is.
//
// Each has a copy of its packet made for it, since all of it lasts no longer than a restart.
//
// What always holds: entries are in the order in which they are due, and Limits.HeldQueries at
// most; a query that waits here is in flight nowhere.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>A query that is asked again.</summary>
/// <param name="DueAt">When.</param>
/// <param name="Query">The query as it was in flight.</param>
/// <param name="Packet">Its packet.</param>
/// <param name="Backend">Who answered it with an error.</param>
/// <param name="Session">In which session of its; see Backend.Sessions.</param>
internal readonly record struct Held(
    Instant DueAt, Query Query, byte[] Packet, Backend Backend, long Session);

/// <summary>Queries that wait to be asked again.</summary>
internal sealed class Holds
{
    private readonly Queue<Held> _held = new();

    public int Count => _held.Count;

    public bool IsFull => _held.Count == Limits.HeldQueries;

    /// <summary>When the first is due; Never if there is none.</summary>
    public Instant FirstDueAt => _held.TryPeek(out var first) ? first.DueAt : Instant.Never;

    public void Add(Instant now, in Query query, ReadOnlySpan<byte> packet, Backend asked) =>
        Add(now, new Held(default, query, packet.ToArray(), asked, asked.Sessions));

    /// <summary>Keeps one that was taken for another such time.</summary>
    public void Add(Instant now, in Held held)
    {
        Verify.That(!IsFull, "who adds one looks whether there is room");
        _held.Enqueue(held with { DueAt = now + Limits.HoldDelay });
    }

    /// <summary>Takes the first that is due; false if none is.</summary>
    public bool TryTake(Instant now, out Held held)
    {
        if (!_held.TryPeek(out held) || held.DueAt > now)
            return false;
        _held.Dequeue();
        return true;
    }

    /// <summary>Forgets all of them; how many there were.</summary>
    public int Clear()
    {
        var count = _held.Count;
        _held.Clear();
        return count;
    }
}
