// Owns which model hears of a call about a stream: an accept, a connect, a read, a write, an end, a
// close, and what it is waited for. A stream is a backend's session or one side of a connection.
//
// What always holds: the models of sockets and of turns hear of it too, in one order.

using System;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

internal sealed partial class ReferenceModel
{
    public void OnAccepted(Instant now, IoResult result, SocketHandle stream, Endpoint client)
    {
        Now = Shown(now);
        Arrivals.Drain();
        TcpTurns.OnAccept();
        IsAcceptQueueDone = result.Status == IoStatus.WouldBlock;
        AcceptedInStop += Life.IsStopping
            && result.Status is IoStatus.Ok or IoStatus.Aborted or IoStatus.Reset ? 1 : 0;
        if (result.IsOk)
        {
            Deeds++;
            AcceptedInTurn++;
            var connection = new ExpectedConnection(stream, client, Now)
            {
                LastActivity = Now,
            };
            Sockets.Own(stream, connection);
            Connections.OnAccepted(connection);
        }
        else if (result.Status != IoStatus.WouldBlock)
        {
            Counters.Add(Counter.AcceptsFailed);
            // One that was aborted is one connection's own trouble; the next may be taken at once.
            var isAborted = result.Status is IoStatus.Aborted or IoStatus.Reset;
            Repeats.OnCondition(Repeat.AcceptFailed, (int)result.Status, isAborted
                ? new LogEvent.AcceptAborted(result, 0) : new LogEvent.AcceptFailed(result, 0));
            if (!isAborted)
                LacksForAcceptIn = Turn;
        }
    }

    public void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream)
    {
        Now = Shown(now);
        Deeds++;
        Arrivals.Drain();
        if (Connections.Handshakes.TryTakeConnect(path, result, stream, out var connection))
        {
            if (result.IsOk)
                Sockets.Own(stream, connection!);
        }
        else if (Directory.BackendAt(path) is { } backend
            && _sessions.OnConnected(backend, result, stream) is { } session)
        {
            Sockets.Own(stream, session);
        }
    }

    public void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        Now = Shown(now);
        Arrivals.Drain();
        if (result.Status is not (IoStatus.WouldBlock or IoStatus.NoBuffers))
            Deeds++;
        if (Sockets.OwnerOf(stream) is ExpectedSession session)
        {
            TcpTurns.OnUrgent("a read of a session");
            session.UnreadSince = 0;
            session.LastRead = bytes.Length;
            if (bytes.Length > 0)
            {
                session.Reads++;
                (session.LastReadAt, session.LastReadIn) = (Now, Turn);
            }
            var isRest = session.MayHaveRest;
            if (!isRest)
                Replies.OnSessionRead(session);
            _sessions.OnRead(session, result, bytes);
            if (!isRest)
                Replies.OnSessionWasRead(session, bytes.Length);
        }
        else if (Sockets.OwnerOf(stream) is ExpectedConnection connection)
        {
            Resends.Finish();
            TcpTurns.OnRead(connection);
            var before = connection.FromClient + connection.FromBackend;
            Connections.OnRead(connection, stream, result, bytes);
            RelayedInTurn += connection.FromClient + connection.FromBackend - before;
        }
    }

    public void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        Now = Shown(now);
        Arrivals.Drain();
        if (result.Status is not (IoStatus.WouldBlock or IoStatus.NoBuffers))
            Deeds++;
        else
            HasBlocked |= result.Status == IoStatus.WouldBlock;
        if (Sockets.OwnerOf(stream) is ExpectedSession session)
        {
            TcpTurns.OnUrgent("a write to a session");
            _sessions.OnWritten(session, result, bytes);
        }
        else if (Sockets.OwnerOf(stream) is ExpectedConnection connection)
        {
            Resends.Finish();
            TcpTurns.OnCall(connection);
            Connections.OnWritten(connection, stream, result, bytes);
        }
    }

    public void OnHalfClosed(Instant now, SocketHandle stream)
    {
        Now = Shown(now);
        Deeds++;
        Arrivals.Drain();
        if (Sockets.OwnerOf(stream) is ExpectedConnection connection)
        {
            TcpTurns.OnCall(connection);
            Connections.OnHalfClosed(connection, stream);
        }
    }

    public void OnClosed(Instant now, SocketHandle socket, bool aborted)
    {
        Now = Shown(now);
        Deeds++;
        Arrivals.Drain();
        var owner = Sockets.Close(socket);
        if (owner is ExpectedSession session)
            _sessions.OnClosed(session);
        else if (owner is ExpectedConnection connection)
        {
            // Who is let go for others has no turn for that.
            if (!Connections.IsLetGo(connection))
                TcpTurns.OnCall(connection);
            Connections.OnClosed(connection, socket, aborted);
        }
    }

    /// <summary>
    /// A stream that is not waited for any more was reported twice; any other interest is what a
    /// connection's turn ends with.
    /// </summary>
    public void OnInterest(SocketHandle socket, Readiness interest)
    {
        if (interest != Readiness.None && Sockets.OwnerOf(socket) is ExpectedConnection connection)
            TcpTurns.OnCall(connection);
        Sockets.OnInterest(socket, interest);
    }
}
