// Owns an order of TCP connections in which the first one lets go: all of them, and those of each
// client address, in the order in which they came in or were moved to the end.
//
// The first of the address with the most goes first, if that has more than its share, else the
// first of all. So a client that has more than others loses its own, and not those of others.
//
// What always holds: a connection is in it once or not at all; a client counts in it as many as it
// has in it; nothing is allocated but lists of counts that grow.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>Where a connection is in an order.</summary>
internal sealed class TcpPlace(TcpProxy connection)
{
    public LinkedListNode<TcpProxy> OfAll { get; } = new(connection);

    public LinkedListNode<TcpProxy> OfClient { get; } = new(connection);
}

/// <summary>A client's connections in an order.</summary>
internal sealed class TcpShare
{
    public TcpShare(TcpClient client) => ByCount = new LinkedListNode<TcpClient>(client);

    public LinkedList<TcpProxy> Connections { get; } = new();

    /// <summary>Its place among those that have as many.</summary>
    public LinkedListNode<TcpClient> ByCount { get; }
}

/// <summary>One order.</summary>
internal sealed class TcpOrder(Func<TcpProxy, TcpPlace> placeOf, Func<TcpClient, TcpShare> shareOf)
{
    private readonly LinkedList<TcpProxy> _all = new();

    /// <summary>The addresses that have so many connections in it.</summary>
    private readonly List<LinkedList<TcpClient>> _byCount = [new()];

    private int _most;
    private int _clients;

    public int Count => _all.Count;

    public bool Contains(TcpProxy connection) => placeOf(connection).OfAll.List is not null;

    /// <summary>
    /// Makes room for a client's next one, so that adding it takes no memory. If there is none it
    /// throws, and nothing is changed.
    /// </summary>
    public void Reserve(TcpClient client)
    {
        while (_byCount.Count <= shareOf(client).Connections.Count + 1)
            _byCount.Add(new LinkedList<TcpClient>());
    }

    public void Add(TcpProxy connection)
    {
        var (place, share) = (placeOf(connection), shareOf(connection.Client));
        Reserve(connection.Client);
        _all.AddLast(place.OfAll);
        share.Connections.AddLast(place.OfClient);
        Move(share, share.Connections.Count - 1);
    }

    public void Remove(TcpProxy connection)
    {
        var (place, share) = (placeOf(connection), shareOf(connection.Client));
        _all.Remove(place.OfAll);
        share.Connections.Remove(place.OfClient);
        Move(share, share.Connections.Count + 1);
    }

    public void MoveToEnd(TcpProxy connection)
    {
        var (place, share) = (placeOf(connection), shareOf(connection.Client));
        _all.Remove(place.OfAll);
        _all.AddLast(place.OfAll);
        share.Connections.Remove(place.OfClient);
        share.Connections.AddLast(place.OfClient);
    }

    /// <summary>The most that an address has.</summary>
    public int Most => _most;

    /// <summary>All of them, or null if there are none.</summary>
    public LinkedListNode<TcpProxy>? First => _all.First;

    /// <summary>Those of an address with the most; null if there are none.</summary>
    public LinkedListNode<TcpProxy>? FirstOfMost => _most == 0
        ? null : shareOf(_byCount[_most].First!.Value).Connections.First;

    /// <summary>An address has more than its share.</summary>
    public bool IsUneven => (long)_most * _clients > _all.Count;

    /// <summary>A client had so many, and has one more or less.</summary>
    private void Move(TcpShare share, int from)
    {
        var to = share.Connections.Count;
        if (from > 0)
            _byCount[from].Remove(share.ByCount);
        else
            _clients++;
        if (to > 0)
            _byCount[to].AddLast(share.ByCount);
        else
            _clients--;
        if (to > _most || (from == _most && _byCount[from].Count == 0))
            _most = to;
        Verify.That((_most == 0) == (_clients == 0), "whoever is in the order has a count");
    }
}
