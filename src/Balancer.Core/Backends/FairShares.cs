// Owns what says whether a session's backend is behind, and whether one client has more than its
// share of what it has to do: how many queries of each client are in flight there, and how fast its
// answers come. A loud client loses then what it sends beyond its share, so that a quiet one finds
// room, and an answer soon.
//
// A backend has to do what it was sent after the last query that it answered. It is behind when
// that is more than it did in half a second, which is the time that a new query would have to wait:
// more than it did in the half second before this one, or in this one so far. When it or the
// balancer has just stood still, that says nothing of how fast it is, and it is not behind so.
//
// Clients are counted in two rows of cells, in each by another part of a keyed hash, and the lower
// of a client's two counts is taken, less what strangers add to a cell on average. So nobody can
// choose addresses that count as another's, a quiet client is taken for a loud one only if it meets
// one in both rows, and thousands of others that have a query each do not make it one.
//
// What always holds: a cell has the number of queries in flight of its clients; nothing is
// allocated, and everything takes the same short time, however many clients there are.

using System.Runtime.CompilerServices;

namespace Balancer.Core;

/// <summary>The shares of the clients of one session.</summary>
/// <param name="hashKey">See BalancerOptions.HashKey.</param>
internal sealed class FairShares(ulong hashKey)
{
    private const int RowBits = 10;
    private const int Cells = 1 << RowBits;

    private readonly ushort[] _first = new ushort[Cells];
    private readonly ushort[] _second = new ushort[Cells];

    /// <summary>Cells of the first row that count something: about as many clients.</summary>
    private int _active;

    /// <summary>The half second that it is, counted from the clock's start.</summary>
    private long _span;

    /// <summary>Where the last answered query's frame ended when this span began.</summary>
    private long _endWhenBegan;

    /// <summary>The same of the span before.</summary>
    private long _endBefore;

    /// <summary>A session begins, with nothing in flight.</summary>
    public void Begin() => (_span, _endWhenBegan, _endBefore) = (0, 0, 0);

    /// <summary>A query of a client is in flight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(Ipv4 client)
    {
        var hash = HashOf(client);
        if (_first[hash & (Cells - 1)]++ == 0)
            _active++;
        _second[(hash >> RowBits) & (Cells - 1)]++;
    }

    /// <summary>A query of a client is in flight no more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Remove(Ipv4 client)
    {
        var hash = HashOf(client);
        if (--_first[hash & (Cells - 1)] == 0)
            _active--;
        _second[(hash >> RowBits) & (Cells - 1)]--;
    }

    /// <summary>
    /// A query was answered that had been sent after all that were before; the end of the last of
    /// those was `answeredEnd`, in bytes from the session's first.
    /// </summary>
    public void OnProgress(Instant now, long answeredEnd)
    {
        var span = now.Nanoseconds / Limits.FairTime.Nanoseconds;
        if (span == _span)
            return;
        _endBefore = span == _span + 1 ? _endWhenBegan : answeredEnd;
        _endWhenBegan = answeredEnd;
        _span = span;
    }

    /// <summary>Bytes of queries that the backend did in half a second lately.</summary>
    public long Progress(Instant now, long answeredEnd)
    {
        OnProgress(now, answeredEnd);
        return long.Max(answeredEnd - _endWhenBegan, _endWhenBegan - _endBefore);
    }

    /// <summary>
    /// Whether a client has more than its share of so many in flight: what each would have if one
    /// more asked, but a few in any case.
    /// </summary>
    public bool IsOver(Ipv4 client, int inFlight)
    {
        var hash = HashOf(client);
        var own = ushort.Min(
            _first[hash & (Cells - 1)], _second[(hash >> RowBits) & (Cells - 1)])
            - (inFlight >> RowBits);
        return own >= Limits.LeastShare && (long)own * (_active + 1) > inFlight;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int HashOf(Ipv4 client) => KeyedHash.Of(client.Value, hashKey);
}
