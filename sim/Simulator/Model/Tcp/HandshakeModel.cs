// Owns the handshakes of proxied TCP connections as they should be: which backend is asked next,
// how long a full accept queue is waited for, and when a connection leaves its backend.
//
// A connect is a connection's if one was just decided, or refused and owed a second backend;
// otherwise it is a backend's own session.
//
// What always holds: one connection at most is owed a connect; a handshake that fails touches
// nothing of the backend's session.

using System;
using System.Buffers.Binary;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows the handshakes of all TCP connections.</summary>
internal sealed class HandshakeModel(ReferenceModel model, ConnectionModel connections)
{
    private ExpectedConnection? _connecting;
    private ExpectedBackend? _connectTo;
    private bool _backendsChanged;
    private long _changedIn;
    private Instant _changedAt;

    /// <summary>A client has sent something; it is connected to nobody yet.</summary>
    public void OnSpoke(ExpectedConnection connection) =>
        (_connecting, _connectTo) = (connection, null);

    /// <summary>It was decided whom it goes to.</summary>
    public void SendTo(ExpectedBackend backend) => _connectTo = backend;

    /// <summary>Whether a connect is a connection's; the model follows it then.</summary>
    public bool TryTakeConnect(ReadOnlySpan<byte> path, IoResult result, SocketHandle stream,
        out ExpectedConnection? connection)
    {
        connection = _connecting;
        if (connection == null)
            return false;
        var backend = model.Policy.AtPath(path);
        if (_connectTo == null && backend?.Session == null)
            return false;
        if (backend != _connectTo)
            ReportMisrouted(connection, backend);
        _connecting = null;
        _connectTo = null;
        if (!connection.BackendStream.IsNone)
        {
            model.Report(ViolationKind.Leak,
                $"the connection of {connection.From} is tried on another"
                + $" backend, and its stream to {connection.Backend} is open", backend);
        }
        connections.Touch(connection);
        connection.Backend = backend;
        connection.SessionsEnded = backend?.SessionsEnded ?? 0;
        connection.Replacements = backend?.Replacements ?? 0;
        connection.Session = backend?.Session;
        connection.RetryFrom = null;
        connection.HasAsked = result.IsOk;
        if (result.Status == IoStatus.WouldBlock)
        {
            OnFull(connection, result);
            return true;
        }
        if (result.IsOk)
        {
            connection.IsTurnedDown = false;
            connection.Refusals = 0;
            connection.OkBy = model.Now + SpecifiedLimits.OkTime;
            connection.BackendStream = stream;
            connections.OnBackendStream();
            if (backend is { Stage: Stage.Healthy, Session: { } asked })
                model.Suspicion.OnQuery(asked);
            AppendHandshake(connection);
        }
        else if (result.Status is IoStatus.TooManyFiles or IoStatus.NoBuffers)
        {
            connection.MustEnd = Counter.ConnectionsWithoutResources;
            model.Repeats.OnCondition(Repeat.WithoutResources, 0,
                new LogEvent.ConnectionWithoutResources(connection.Id, result, 0));
        }
        else
        {
            OnRefused(connection, new Fault(FaultCause.ConnectFailed, result));
        }
        return true;
    }

    /// <summary>A backend is suspect, or is not any more, or has a session, or has none.</summary>
    public void OnBackendsChanged() =>
        (_backendsChanged, _changedIn, _changedAt) = (true, model.Turn, model.Now);

    /// <summary>The core logged which backend a connection is sent to next.</summary>
    public void OnOpenedLine(LogEvent.ConnectionOpened logged)
    {
        if (_connecting == null && Waiting(logged.Id) is { SpokeAt: not null } again)
        {
            // One that leaves a suspect backend does so after queries have left it.
            if (again.ShouldLeave)
                model.Resends.Finish();
            DecideAnew(again);
        }
        if (_connecting is not { } connection || connection.From != logged.Client
            || (_connectTo?.Id ?? 0) != logged.Backend.Value)
        {
            model.Report(ViolationKind.Untrue,
                $"the connection of {logged.Client} was logged as going to"
                + $" backend {logged.Backend}; it should be {_connecting?.From} to {_connectTo}");
            return;
        }
        if (connection.Id != logged.Id)
        {
            model.Report(ViolationKind.Untrue,
                $"the connection of {logged.Client} is called {logged.Id};"
                + $" it should be {connection.Id}");
        }
    }

    /// <summary>A client's stream was closed.</summary>
    public void OnClosed(ExpectedConnection connection)
    {
        if (_connecting != connection)
            return;
        if (_connectTo != null)
        {
            model.Report(ViolationKind.Misrouted, $"the connection of {connection.From} was closed;"
                + $" it should have gone to {_connectTo}", _connectTo);
        }
        _connecting = null;
    }

    /// <summary>Nobody is owed a connect when a turn has ended.</summary>
    public void OnTurnEnded()
    {
        if (_connecting is { IsClosed: false } waiting && _connectTo is { } due)
            model.Report(ViolationKind.Misrouted,
                $"the connection of {waiting.From} went nowhere; it should go to {due}", due);
        _connecting = null;
    }

    /// <summary>
    /// Nobody waits longer than it should: for room, or for a backend that may never answer while
    /// another would.
    /// </summary>
    public void JudgeWaiting()
    {
        var backendsChanged = _backendsChanged;
        _backendsChanged = false;
        if (model.Life.HasStopped)
            return;
        foreach (var connection in connections.Open)
        {
            if (backendsChanged && connection is { IsAbandoned: true, IsClosed: false }
                && !connection.ClientFailed)
            {
                connections.ReportAbandoned(connection);
            }
            if (connection.IsClosed || connection.IsRelaying || connection.ClientFailed
                || connection.SpokeAt == null)
            {
                continue;
            }
            if (connection.RetryFrom != null)
                JudgePutOff(connection);
            else if (IsOkOverdue(connection))
                JudgeSilent(connection);
            else if (backendsChanged && connection.ShouldLeave
                // The better one may be who has refused it since.
                && connection.RefusedIn < _changedIn
                && model.Policy.IsWorthIt(model.Now, connection.Backend!, needsBetter: true,
                    connection.Asked))
            {
                connections.ReportRelay(connection,
                    $"it still waits for {connection.Backend}, which is suspect"
                    + " or lost its session, and another backend is better");
            }
        }
    }

    private bool IsOkOverdue(ExpectedConnection connection) => connection.HasAsked
        && model.Now >= model.Standstill.Extend(connection.OkBy)
        && model.Now < HandshakeEnd(connection);

    /// <summary>Its backend has not taken it: is another there, or must it wait on?</summary>
    private void JudgeSilent(ExpectedConnection connection)
    {
        var silent = connection.Backend!;
        if (MayGoBeside(connection, silent))
        {
            connections.ReportRelay(connection, $"{silent} should have taken it until"
                + $" {connection.OkBy}, and another backend was not asked");
        }
        connection.OkBy = model.Now + SpecifiedLimits.OkTime;
    }

    /// <summary>
    /// Whether another is there that was not asked and is not worse; if the silent one is in
    /// trouble, nobody was asked but that.
    /// </summary>
    private bool MayGoBeside(ExpectedConnection connection, ExpectedBackend silent)
    {
        connection.Asked.Add(silent);
        if (IsThere())
            return true;
        if (!connection.ShouldLeave)
            return false;
        connection.Asked.RemoveWhere(asked => asked != silent);
        return IsThere();

        bool IsThere() => model.Policy.IsWorthIt(
            model.Now, silent, needsBetter: false, connection.Asked);
    }

    private void JudgePutOff(ExpectedConnection connection)
    {
        var last = connection.Backend!;
        if (model.Now < connection.RetryBy
            || model.Now >= HandshakeEnd(connection))
            return;
        // Of several turns at this instant, it may have had its own when nobody was there.
        if (model.Now == _changedAt)
        {
            connection.RetryFrom = connection.RetryBy;
            connection.RetryBy = model.Now + SpecifiedLimits.LongestFullDelay;
            return;
        }
        if (last.Stage == Stage.Healthy
            || model.Policy.IsWorthIt(model.Now, last, needsBetter: false))
        {
            connections.ReportRelay(connection,
                $"it should have been tried again at {connection.RetryBy}");
        }
        // There was nobody to try; the core looks again later.
        connection.RetryFrom = connection.RetryBy;
        connection.RetryBy = model.Now + SpecifiedLimits.LongestFullDelay;
    }

    /// <summary>A backend sent bytes before it took the connection; those that are left.</summary>
    public ReadOnlySpan<byte> OnFromBackend(
        ExpectedConnection connection, ReadOnlySpan<byte> bytes)
    {
        while (!connection.IsRelaying && !bytes.IsEmpty)
        {
            connection.OkValue |= (uint)bytes[0] << (8 * connection.OkBytes++);
            bytes = bytes[1..];
            if (connection.OkBytes < 4)
                continue;
            if (connection.OkValue != SeenFrame.InboundTcpOk)
            {
                OnRefused(connection,
                    new Fault(FaultCause.NotTcpOk, Detail: connection.OkValue));
                return [];
            }
            OnTaken(connection);
        }
        model.ReachedIf(connection is { IsRelaying: false, OkBytes: > 0 },
            Situation.TcpOkInParts);
        return bytes;
    }

    private void OnTaken(ExpectedConnection connection)
    {
        connection.IsRelaying = true;
        connection.HasUnread = false;
        connection.LastActivity = model.Now;
        if (connection.PartSince != null)
            connection.PartSince = model.Now;
        connection.Backend!.TcpSessions++;
        if (connection.Backend.Session is { } asked
            && connection.Backend.SessionsEnded == connection.SessionsEnded)
        {
            model.Suspicion.OnConnectionTaken(asked);
        }
        model.Lines.Owe(new LogEvent.ConnectionRelaying(
            connection.Id, new BackendId(connection.Backend.Id)));
        if (model.Policy.Remotes.TryGetValue(connection.From.Address, out var remote))
            remote.TcpForwarded++;
        model.Asked.OnTaken(connection);
    }

    /// <summary>
    /// The backend did not take it: one more is tried that was not asked, or it waits.
    /// </summary>
    public void OnRefused(ExpectedConnection connection, Fault why)
    {
        var refused = connection.Backend?.Id ?? 0;
        connection.RefusedIn = model.Turn;
        connection.HasAsked = false;
        model.Repeats.OnCondition(Repeat.RefusedByBackend, refused,
            new LogEvent.ConnectionRefusedByBackend(
                connection.Id, new BackendId(refused), why, 0));
        model.Counters.Add(Counter.ConnectionsRetried);
        if (connection.Backend is { } backend)
            connection.Asked.Add(backend);
        var next = ++connection.Refusals < SpecifiedLimits.RefusalsInARow
            ? model.Policy.NextInTurn(model.Now, asked: connection.Asked) : null;
        if (next == null)
        {
            connection.IsTurnedDown = true;
            PutOff(connection);
            model.Reached(Situation.TcpRefusedByAll);
            return;
        }
        model.Reached(Situation.TcpSecondBackend);
        _connecting = connection;
        _connectTo = next;
    }

    /// <summary>When it must be taken by a backend, if the balancer did not stand still.</summary>
    public Instant HandshakeEnd(ExpectedConnection connection) =>
        model.Standstill.Extend(connection.SpokeAt!.Value + SpecifiedLimits.HandshakeTime);

    private void ReportMisrouted(ExpectedConnection connection, ExpectedBackend? backend)
    {
        var evidence = $"the connection of {connection.From} went to"
            + $" {backend?.ToString() ?? "an unknown path"} ({backend?.Stage}); it should"
            + (_connectTo == null ? " be closed" : $" go to {_connectTo}");
        if (backend is { HasPath: false } or { Stage: Stage.Draining })
            model.Report(ViolationKind.HopelessConnection, evidence, backend);
        model.Report(ViolationKind.Misrouted, evidence, backend);
    }

    private static void AppendHandshake(ExpectedConnection connection)
    {
        Span<byte> frame = stackalloc byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, SeenFrame.InboundTcp);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], connection.From.Address.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], connection.From.Port);
        connection.ToBackend.Clear();
        connection.ToBackend.Append(frame);
        connection.ToBackend.Append(connection.Kept.ToArray());
        connection.OkBytes = 0;
        connection.OkValue = 0;
    }

    private ExpectedConnection? Waiting(ConnectionId id)
    {
        foreach (var connection in connections.Open)
        {
            if (connection.Id == id)
                return connection;
        }
        return null;
    }

    /// <summary>
    /// A connection is tried that waited: for room in a backend's accept queue until its time came,
    /// or for a backend that it has reason to leave.
    /// </summary>
    private void DecideAnew(ExpectedConnection connection)
    {
        var last = connection.Backend!;
        _connecting = connection;
        model.TcpTurns.OnTriedAnew(connection);
        if (connection.RetryFrom is { } from)
        {
            model.Reached(Situation.TcpTriedAnew);
            if (model.Now < from)
                connections.ReportRelay(connection,
                    $"it was tried again; it should not before {from}");
            _connectTo = model.Policy.NextBeside(model.Now, last)
                ?? (last.Stage == Stage.Healthy ? last : null);
            return;
        }
        if (IsOkOverdue(connection))
        {
            if (MayGoBeside(connection, last))
            {
                model.Counters.Add(Counter.ConnectionsMoved);
                _connectTo = model.Policy.NextBeside(model.Now, last, connection.Asked);
                return;
            }
        }
        if (!connection.ShouldLeave)
            connections.ReportRelay(connection,
                $"it no longer waits for {last}, and nothing is wrong with it");
        model.Counters.Add(Counter.ConnectionsMoved);
        _connectTo = model.Policy.NextBetter(model.Now, last, connection.Asked);
    }

    /// <summary>
    /// Its backend has no room for it. Another is asked at once, the first time; then it waits.
    /// </summary>
    private void OnFull(ExpectedConnection connection, IoResult result)
    {
        var full = connection.Backend!;
        connection.IsTurnedDown = false;
        model.Counters.Add(Counter.ConnectsToFullBackend);
        model.Repeats.OnCondition(Repeat.AcceptQueueFull, full.Id,
            new LogEvent.BackendAcceptQueueFull(
                new BackendId(full.Id), connection.Id, result, 0));
        if (!connection.WasFull)
        {
            connection.WasFull = true;
            if (model.Policy.NextBeside(model.Now, full) is { } other)
            {
                _connecting = connection;
                _connectTo = other;
                return;
            }
        }
        model.Reached(Situation.TcpAcceptQueueFull);
        PutOff(connection);
    }

    private void PutOff(ExpectedConnection connection)
    {
        connection.Refusals = 0;
        var delay = SpecifiedLimits.FirstFullDelay.Nanoseconds << Math.Min(connection.PutOffs++, 8);
        connection.RetryFrom = connection.RetryBy = model.Now + new Duration(
            Math.Min(delay, SpecifiedLimits.LongestFullDelay.Nanoseconds));
    }
}
