// Owns who lets go first when TCP connections get too many: places are few, or too many are not
// read.
//
// Places are short when nine in ten are taken. Then the connection that is idle longest gives way
// to the next one that comes: of the address with the most, if that has more than its share, else
// of all. A connection is idle since its client asked something whole last or took a byte of an
// answer, or a backend took it, or it was accepted. So who sends a byte now and then is idle; but
// one with a pending event is not.
//
// When all places are taken and nobody is idle, one of the address with the most gives way though
// it is busy, to an address that has fewer of them even then: who has many cannot keep out others.
//
// A client that does not read has the kernel and the balancer keep its answers, some hundred KB of
// them, and a backend that does not read has them keep what the client sends. Of these there are
// only so many; the one that has been so for the longest time goes, of the address with the most
// of them, if that has more than its share.
//
// What always holds: a connection is in the order of idleness exactly while it is open, and in that
// of those that do not read at most then.

using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>Who lets go.</summary>
/// <param name="mostNotReading">
/// Connections of which a side does not take what there is for it, at most.
/// </param>
internal sealed class TcpPlaces(int mostNotReading, int idleLooks)
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
    public void OnActive(TcpProxy connection) => _byIdleness.MoveToEnd(connection);

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
        if (_notReading.Count <= mostNotReading)
            return null;
        return (_notReading.IsUneven ? _notReading.FirstOfMost : _notReading.First)!.Value;
    }

    /// <summary>
    /// Who gives way to a connection that comes of an address that has so many, or null if nobody
    /// does.
    /// </summary>
    public TcpProxy? WhoGivesWay(Instant now, int ofAddress, bool areAllTaken)
    {
        if (_byIdleness.IsUneven && LongestIdle(now, _byIdleness.FirstOfMost) is { } own)
            return own;
        if (LongestIdle(now, _byIdleness.First) is { } longest)
            return longest;
        return areAllTaken && _byIdleness.Most > ofAddress + 1
            ? _byIdleness.FirstOfMost!.Value : null;
    }

    /// <summary>The longest idle of an order's connections, from this one on, or null.</summary>
    private TcpProxy? LongestIdle(Instant now, LinkedListNode<TcpProxy>? at)
    {
        for (var n = 0; n < idleLooks && at is not null; n++, at = at.Next)
        {
            if (now - at.Value.ActiveAt < Limits.TcpIdleToGiveWay)
                return null;
            if (!at.Value.HasPendingEvent)
                return at.Value;
        }
        return null;
    }
}
