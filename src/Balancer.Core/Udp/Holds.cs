// Owns the queries whose answer was not passed on: a backend that has given no good answer yet, and
// has just said hello or is not the only one, answered them with SERVFAIL or REFUSED, as Binder
// does until it has its data. A tenth of a second later they are asked again; Resends does
// that. An error that comes when the query is two seconds old is passed on as it is, and so is one
// whose query nobody else takes.
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
/// <param name="Session">In which session of its; see Backend.SessionNumber.</param>
/// <param name="Error">The error, for the case that nobody else takes the query.</param>
/// <param name="FoundNobody">No backend was healthy when it was to be asked again.</param>
internal readonly record struct Held(Instant DueAt, Query Query, byte[] Packet, Backend Backend,
    long Session, ResponseCode Error, bool FoundNobody = false);

/// <summary>Queries that wait to be asked again.</summary>
internal sealed class Holds
{
    private readonly Queue<Held> _held = new();

    /// <summary>Those that found nobody healthy, for whom nobody can wait.</summary>
    private int _stranded;

    /// <summary>Those that are asked again soon.</summary>
    public int AwaitedCount => _held.Count - _stranded;

    public bool IsFull => _held.Count == Limits.HeldQueries;

    /// <summary>When the first is due; Never if there is none.</summary>
    public Instant FirstDueAt => _held.TryPeek(out var first) ? first.DueAt : Instant.Never;

    public void Add(Instant now, in Query query, ReadOnlySpan<byte> packet, Backend asked,
        ResponseCode error) => Add(now,
            new Held(default, query, packet.ToArray(), asked, asked.SessionNumber, error));

    /// <summary>Keeps one that was taken for another such time.</summary>
    public void Add(Instant now, in Held held)
    {
        Verify.That(!IsFull, "who adds one looks whether there is room");
        _held.Enqueue(held with { DueAt = now + Limits.HoldDelay });
        _stranded += held.FoundNobody ? 1 : 0;
    }

    /// <summary>Takes the first that is due; false if none is.</summary>
    public bool TryTake(Instant now, out Held held)
    {
        return _held.TryPeek(out held) && held.DueAt <= now && TryTake(out held);
    }

    /// <summary>Takes the first, due or not; false if there is none.</summary>
    public bool TryTake(out Held held)
    {
        if (!_held.TryDequeue(out held))
            return false;
        _stranded -= held.FoundNobody ? 1 : 0;
        Verify.That(_stranded >= 0, "those that found nobody are counted");
        return true;
    }
}
