// Owns who lets go first when TCP connections get too many: places are few, or too many are not
// read.
//
// Places are short when nine in ten are taken. Then the connection that is idle longest gives way
// to the next one that comes: of the address with the most, if that has more than its share, else
// of all. A connection is idle since something was told of either of its streams or read last, or
// since it was accepted: what is told is not read yet when another comes, and is no idleness.
//
// A client that does not read has the kernel and the balancer keep its answers, some hundred KB of
// them, and a backend that does not read has them keep what the client sends. Of these there are
// only so many; the one that has been so for the longest time goes, of the address with the most
// of them, if that has more than its share.
//
// What always holds: a connection is in the order of idleness exactly while it is open, and in that
// of those that do not read at most then.

namespace Balancer.Core;

/// <summary>Who lets go.</summary>
/// <param name="mostNotReading">
/// Connections of which a side does not take what there is for it, at most.
/// </param>
internal sealed class TcpPlaces(int mostNotReading)
{
    private readonly TcpOrder _byIdleness = new(one => one.Idle, client => client.Idle);
    private readonly TcpOrder _notReading = new(one => one.Unread, client => client.Unread);

    /// <summary>
    /// Makes room for a client's next connection, so that opening it takes no memory. If there is
    /// none it throws, and nothing is changed.
    /// </summary>
    public void Reserve(TcpClient client)
    {
        _byIdleness.Reserve(client);
        _notReading.Reserve(client);
    }

    /// <summary>A connection begins.</summary>
    public void Open(TcpProxy connection) => _byIdleness.Add(connection);

    /// <summary>A connection closes.</summary>
    public void Close(TcpProxy connection)
    {
        _byIdleness.Remove(connection);
        NoteReading(connection);
    }

    /// <summary>It is not idle.</summary>
    public void OnHeard(TcpProxy connection) => _byIdleness.MoveToEnd(connection);

    /// <summary>Both its sides have taken all that there is for them.</summary>
    public void NoteReading(TcpProxy connection)
    {
        if (_notReading.Contains(connection))
            _notReading.Remove(connection);
    }

    /// <summary>
    /// A side of it does not take what there is for it; who is let go for that, if anybody is.
    /// </summary>
    public TcpProxy? NoteNotReading(TcpProxy connection)
    {
        if (!_notReading.Contains(connection))
            _notReading.Add(connection);
        return _notReading.Count > mostNotReading
            ? _notReading.FirstOfMost ?? _notReading.First : null;
    }

    /// <summary>Who gives way to a connection that comes, or null if nobody is idle.</summary>
    public TcpProxy? WhoGivesWay(Instant now)
    {
        if (_byIdleness.FirstOfMost is { } own && IsIdle(now, own))
            return own;
        return _byIdleness.First is { } longest && IsIdle(now, longest) ? longest : null;
    }

    private static bool IsIdle(Instant now, TcpProxy connection) =>
        now - connection.IdleSince >= Limits.TcpIdleToGiveWay;
}
