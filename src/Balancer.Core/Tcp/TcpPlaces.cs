// Owns who lets go first when TCP connections get too many: places are few, or too many clients do
// not read what they asked for.
//
// Places are short when nine in ten are taken. Then the connection that is idle longest gives way
// to the next one that comes: of the address with the most, if that has more than its share, else
// of all. So a client that holds places for nothing loses its own, and not those of others. A
// connection is idle since bytes of either side were read last, or since it was accepted.
//
// A client that does not read has the kernel and the balancer keep its answers, some hundred KB of
// them. Of these there are only so many; the one that has been so for the longest time goes.
//
// What always holds: a connection is in both lists of idleness exactly while it is open, and in
// that of those that do not read at most then; nothing is allocated but lists of counts that grow.

using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>The order in which connections let go.</summary>
internal sealed class TcpPlaces
{
    private readonly LinkedList<TcpProxy> _byActivity = new();
    private readonly LinkedList<TcpProxy> _notReading = new();

    /// <summary>The addresses that have so many connections.</summary>
    private readonly List<LinkedList<TcpClient>> _byCount = [];

    private int _most;
    private int _clients;

    /// <summary>A connection begins; its client counts it already.</summary>
    public void Open(TcpProxy connection, TcpClient client)
    {
        Move(client, client.Open - 1, client.Open);
        _byActivity.AddLast(connection.ByActivity);
        client.ByActivity.AddLast(connection.ByActivityOfClient);
    }

    /// <summary>A connection closes; its client still counts it.</summary>
    public void Close(TcpProxy connection)
    {
        var client = connection.Client;
        Move(client, client.Open, client.Open - 1);
        _byActivity.Remove(connection.ByActivity);
        client.ByActivity.Remove(connection.ByActivityOfClient);
        NoteReading(connection);
    }

    /// <summary>Bytes came on it.</summary>
    public void OnActive(TcpProxy connection)
    {
        _byActivity.Remove(connection.ByActivity);
        _byActivity.AddLast(connection.ByActivity);
        var ofClient = connection.Client.ByActivity;
        ofClient.Remove(connection.ByActivityOfClient);
        ofClient.AddLast(connection.ByActivityOfClient);
    }

    /// <summary>Its client has taken all that there is for it.</summary>
    public void NoteReading(TcpProxy connection)
    {
        if (connection.NotReading.List is not null)
            _notReading.Remove(connection.NotReading);
    }

    /// <summary>
    /// Its client does not take what there is for it; who is let go for that, if anybody is.
    /// </summary>
    public TcpProxy? NoteNotReading(TcpProxy connection)
    {
        if (connection.NotReading.List is null)
            _notReading.AddLast(connection.NotReading);
        return _notReading.Count > Limits.TcpNotReading ? _notReading.First!.Value : null;
    }

    /// <summary>Who gives way to a connection that comes, or null if nobody is idle.</summary>
    public TcpProxy? WhoGivesWay(Instant now)
    {
        if (_byActivity.First is not { Value: var longest })
            return null;
        if ((long)_most * _clients > _byActivity.Count)
        {
            var own = _byCount[_most].First!.Value.ByActivity.First!.Value;
            if (IsIdle(now, own))
                return own;
        }
        return IsIdle(now, longest) ? longest : null;
    }

    private static bool IsIdle(Instant now, TcpProxy connection) =>
        now - connection.IdleSince >= Limits.TcpIdleToGiveWay;

    private void Move(TcpClient client, int from, int to)
    {
        while (_byCount.Count <= to)
            _byCount.Add(new LinkedList<TcpClient>());
        if (from > 0)
            _byCount[from].Remove(client.ByCount);
        else
            _clients++;
        if (to > 0)
            _byCount[to].AddLast(client.ByCount);
        else
            _clients--;
        if (to > _most || (from == _most && _byCount[from].Count == 0))
            _most = to;
    }
}
