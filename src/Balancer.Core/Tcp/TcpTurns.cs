// Owns whose turn it is among TCP connections that have something to do: the clients take turns,
// and each client's connections take turns within its own. So an address gains nothing over the
// others by opening more connections, and none of its connections is forgotten for another.
//
// What always holds: between two turns of one client, every other client with something to do has
// one; between two of a connection, every other of its client that waited has one; a connection
// waits at most once, and is not waiting when it closes; a client is in the table only while it has
// connections open. Objects are reused, so nothing is allocated once the number of clients at a
// time has reached its maximum; closing a connection never allocates.

using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;

namespace Balancer.Core;

/// <summary>One client address with open connections.</summary>
internal sealed class TcpClient
{
    public TcpClient() => (Idle, Unread) = (new TcpShare(this), new TcpShare(this));

    public Ipv4 Address { get; set; }

    /// <summary>Connections that it has open.</summary>
    public int Open { get; set; }

    public TcpProxy? FirstWaiting { get; set; }

    public TcpProxy? LastWaiting { get; set; }

    /// <summary>Its connections among those that let go; kept by TcpPlaces.</summary>
    public TcpShare Idle { get; }

    public TcpShare Unread { get; }

    /// <summary>The client whose turn comes after; means something while it waits.</summary>
    public TcpClient? Next { get; set; }
}

/// <summary>The turns of all clients and their connections.</summary>
internal sealed class TcpTurns
{
    private readonly Dictionary<Ipv4, TcpClient> _clients = [];
    private readonly Stack<TcpClient> _free = [];
    private int _made;
    private TcpClient? _first;
    private TcpClient? _last;

    /// <summary>No connection has anything to do.</summary>
    public bool IsEmpty => _first is null;

    /// <summary>Connections that an address has open.</summary>
    public int OpenOf(Ipv4 address) =>
        _clients.TryGetValue(address, out var client) ? client.Open : 0;

    /// <summary>
    /// An address has one connection more; returns the client that it is of. If there is no memory
    /// for it, it throws, and nothing is changed.
    /// </summary>
    public TcpClient Open(Ipv4 address)
    {
        if (!_clients.TryGetValue(address, out var client))
        {
            _clients.EnsureCapacity(_clients.Count + 1);
            client = _free.TryPop(out var free) ? free : Make();
            Verify.That(client.Open == 0, "a client that is new has no connection");
            client.Address = address;
            _clients.Add(address, client);
        }
        client.Open++;
        return client;
    }

    /// <summary>One more, for which there is room when it is free.</summary>
    private TcpClient Make()
    {
        _free.EnsureCapacity(_made + 1);
        var client = new TcpClient();
        _made++;
        return client;
    }

    /// <summary>A connection closes that does not wait.</summary>
    public void Close(TcpProxy connection)
    {
        Verify.That(!connection.IsWaiting, "a connection that closes waits for no turn");
        Close(connection.Client);
    }

    /// <summary>One of a client's connections is over, or did not begin.</summary>
    public void Close(TcpClient client)
    {
        Verify.That(client.Open > 0, "a connection that closes was open");
        if (--client.Open > 0)
            return;
        Verify.That(client.FirstWaiting is null, "a client that goes has nothing left to do");
        _clients.Remove(client.Address);
        _free.Push(client);
    }

    /// <summary>A connection has something to do; nothing happens if it waits already.</summary>
    public void Add(TcpProxy connection)
    {
        if (connection.IsWaiting)
            return;
        connection.IsWaiting = true;
        connection.NextWaiting = null;
        var client = connection.Client;
        if (client.LastWaiting is { } last)
        {
            last.NextWaiting = connection;
            client.LastWaiting = connection;
            return;
        }
        client.FirstWaiting = client.LastWaiting = connection;
        Append(client);
    }

    /// <summary>Takes out the connection whose turn it is; false if there is none.</summary>
    public bool TryTake([NotNullWhen(true)] out TcpProxy? connection)
    {
        connection = null;
        if (_first is not { } client)
            return false;
        _first = client.Next;
        if (_first is null)
            _last = null;
        connection = client.FirstWaiting;
        Verify.That(connection is { IsWaiting: true }, "a client whose turn it is has one waiting");
        connection.IsWaiting = false;
        client.FirstWaiting = connection.NextWaiting;
        connection.NextWaiting = null;
        if (client.FirstWaiting is null)
            client.LastWaiting = null;
        else
            Append(client);
        return true;
    }

    /// <summary>
    /// A connection that may wait is let go: it has no turn any more. Waiting ones are looked
    /// through for it, which is rare.
    /// </summary>
    public void Remove(TcpProxy connection)
    {
        if (!connection.IsWaiting)
            return;
        connection.IsWaiting = false;
        var client = connection.Client;
        TcpProxy? before = null;
        for (var at = client.FirstWaiting; at != connection; at = at!.NextWaiting)
            before = at;
        if (before is null)
            client.FirstWaiting = connection.NextWaiting;
        else
            before.NextWaiting = connection.NextWaiting;
        if (client.LastWaiting == connection)
            client.LastWaiting = before;
        connection.NextWaiting = null;
        if (client.FirstWaiting is null)
            Remove(client);
    }

    private void Remove(TcpClient client)
    {
        TcpClient? before = null;
        for (var at = _first; at != client; at = at!.Next)
            before = at;
        if (before is null)
            _first = client.Next;
        else
            before.Next = client.Next;
        if (_last == client)
            _last = before;
        client.Next = null;
    }

    private void Append(TcpClient client)
    {
        client.Next = null;
        if (_last is null)
            _first = client;
        else
            _last.Next = client;
        _last = client;
    }
}
