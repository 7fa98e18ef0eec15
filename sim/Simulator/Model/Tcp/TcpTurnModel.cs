// Owns whose turn it is among TCP connections that have something to do, as far as the calls show
// it: a connection waits from the event that says so to the next call about it, and is visited when
// it is read or tried again, or when it waited and anything is done with it. What a turn may spend
// on them all is reckoned from the bytes that visits read, a price for each, and one for each
// message of a client's that goes on.
//
// TCP comes behind queries, replies and sessions in a turn, and the listener behind TCP; a stop,
// which takes along what the kernel holds, goes round again.
//
// What always holds: no visit is counted that was none, so what is reckoned is never too much; a
// connection that goes on unasked, because a read came full or a backend's state changed, is not
// known to wait.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>The turns of TCP connections.</summary>
internal sealed class TcpTurnModel(ReferenceModel model)
{
    private readonly Dictionary<Ipv4, ClientTurns> _clients = [];
    private ExpectedConnection? _visited;
    private long _visits;
    private long _visitsOfTurn;
    private long _messagesOfTurn;
    private bool _hasRead;
    private bool _hasAccepted;

    private sealed class ClientTurns
    {
        public int Waiting { get; set; }

        /// <summary>Visits there had been when its turn came or it began to wait.</summary>
        public long Since { get; set; }

        /// <summary>The number of its last visit; 0 for none.</summary>
        public long LastVisit { get; set; }
    }

    /// <summary>This turn's visits have used its budget up; the next one serves more.</summary>
    public bool IsUsedUp => Spent >= model.Work.TcpBytesPerTurn;

    private long Spent => model.RelayedInTurn + _visitsOfTurn * model.Work.TcpVisitBytes
        + _messagesOfTurn * SpecifiedLimits.RelayMessageBytes;

    public void OnTurnBegan()
    {
        _visited = null;
        _visitsOfTurn = 0;
        _messagesOfTurn = 0;
        _hasRead = false;
        _hasAccepted = false;
    }

    /// <summary>A message of a client's goes on.</summary>
    public void OnMessage() => _messagesOfTurn++;

    /// <summary>Something is done that comes before TCP in a turn.</summary>
    public void OnUrgent(string what)
    {
        if (!_hasRead || model.Life.IsStopping)
            return;
        model.Report(ViolationKind.Unwatched, $"{what} came behind TCP connections at"
            + $" {model.Now}; it should come before them in a turn");
    }

    /// <summary>The listener was asked.</summary>
    public void OnAccept() => _hasAccepted = true;

    /// <summary>An event said that a connection has something to do.</summary>
    public void OnReady(ExpectedConnection connection)
    {
        if (connection.IsWaiting)
            return;
        connection.IsWaiting = true;
        if (!_clients.TryGetValue(connection.From.Address, out var client))
            _clients.Add(connection.From.Address, client = new ClientTurns());
        if (client.Waiting++ == 0)
            client.Since = _visits;
    }

    /// <summary>A connection is read: its turn has come, unless it came just before.</summary>
    public void OnRead(ExpectedConnection connection)
    {
        _hasRead = true;
        if (_hasAccepted && !model.Life.IsStopping)
        {
            model.Report(ViolationKind.Unwatched, $"the connection of {connection.From} was read"
                + $" behind the listener at {model.Now}; that should come last in a turn",
                connection.Backend);
        }
        if (connection.IsWaiting || connection != _visited)
            Visit(connection);
    }

    /// <summary>A connection that waited, for its time or its backend, is tried again.</summary>
    public void OnTriedAnew(ExpectedConnection connection) => OnRead(connection);

    /// <summary>Something else is done with a connection.</summary>
    public void OnCall(ExpectedConnection connection)
    {
        if (connection.IsWaiting)
            Visit(connection);
        else if (connection != _visited
            && _clients.TryGetValue(connection.From.Address, out var client))
        {
            // It was looked at because a backend's state changed, and that was its client's turn.
            client.Since = _visits;
        }
    }

    /// <summary>A connection is over, whether it has had its turn or not.</summary>
    public void OnOver(ExpectedConnection connection)
    {
        if (!connection.IsWaiting)
            return;
        connection.IsWaiting = false;
        _clients[connection.From.Address].Waiting--;
    }

    private void Visit(ExpectedConnection connection)
    {
        CheckBudget(connection);
        _visited = connection;
        _visits++;
        _visitsOfTurn++;
        var address = connection.From.Address;
        if (!_clients.TryGetValue(address, out var client))
            _clients.Add(address, client = new ClientTurns());
        CheckOthers(address, client.LastVisit);
        client.LastVisit = client.Since = _visits;
        if (!connection.IsWaiting)
            return;
        connection.IsWaiting = false;
        client.Waiting--;
    }

    /// <summary>A turn ends with the visit that uses its budget up.</summary>
    private void CheckBudget(ExpectedConnection connection)
    {
        if (!IsUsedUp || model.Life.IsStopping)
            return;
        model.Report(ViolationKind.Unbounded,
            $"the connection of {connection.From} had its turn when"
            + $" {_visitsOfTurn} visits had read {model.RelayedInTurn} bytes and passed"
            + $" {_messagesOfTurn} messages on in one turn of the loop", connection.Backend);
    }

    /// <summary>
    /// Between two visits of one client, every other that waits has one.
    /// </summary>
    private void CheckOthers(Ipv4 address, long lastVisit)
    {
        if (model.Life.IsStopping)
            return;
        foreach (var (other, turns) in _clients)
        {
            if (other == address || turns.Waiting == 0 || turns.Since >= lastVisit)
                continue;
            model.Report(ViolationKind.Unwatched, $"{address} had a connection's turn twice while"
                + $" {turns.Waiting} connections of {other} waited for one");
            return;
        }
    }
}
