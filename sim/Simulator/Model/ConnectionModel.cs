// Owns what proxied TCP connections should do: whom each should go to, the handshake with the
// backend, what one side gave and the other has not got yet, and how it may end.
//
// A connect is a connection's if one was just decided, or refused and owed a second backend;
// otherwise it is a backend's own session.
//
// What always holds: an accepted connection is open, or in exactly one counter.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows all TCP connections.</summary>
internal sealed class ConnectionModel(ReferenceModel model)
{
    private readonly HashSet<ExpectedConnection> _open = [];
    private readonly List<ExpectedConnection> _touched = [];
    private readonly List<ExpectedConnection> _refusedAtOnce = [];
    private readonly Dictionary<Ipv4, int> _perClient = [];
    private ExpectedConnection? _connecting;
    private ExpectedBackend? _connectTo;
    private ExpectedConnection? _ending;
    private bool _backendsChanged;
    private long _lastId;

    /// <summary>Connections that the balancer relays or has asked a backend to take.</summary>
    public IReadOnlyCollection<ExpectedConnection> Open => _open;

    /// <summary>Streams that they have to backends.</summary>
    public int BackendStreams { get; private set; }

    /// <summary>No limit stands against another connection of this client.</summary>
    public bool HasRoomFor(ExpectedConnection connection) =>
        _open.Count < model.Scenario.Kernel.TcpConnections
        && _perClient.GetValueOrDefault(connection.From.Address)
            < model.Scenario.Kernel.TcpConnectionsPerClient;

    /// <summary>Decides where an accepted connection goes.</summary>
    public void Decide(ExpectedConnection connection)
    {
        var address = connection.From.Address;
        var ofClient = _perClient.GetValueOrDefault(address);
        model.Counters.Add(Counter.ConnectionsAccepted);
        _connecting = connection;
        _connectTo = null;
        if (_open.Count >= model.Scenario.Kernel.TcpConnections)
        {
            EndAtOnce(connection, Counter.ConnectionsOverLimit);
            return;
        }
        if (ofClient >= model.Scenario.Kernel.TcpConnectionsPerClient)
        {
            EndAtOnce(connection, Counter.ConnectionsOverClientLimit);
            return;
        }
        var chosen = model.Policy.Choose(model.Now, address, isTcp: true, out var remote);
        model.Arrivals.OweBinding();
        if (chosen == null)
        {
            if (remote != null)
                remote.TcpDropped++;
            model.Outage.OnDropped(isTcp: true);
            EndAtOnce(connection, Counter.ConnectionsWithoutBackend);
            return;
        }
        connection.IsProxied = true;
        Touch(connection);
        _open.Add(connection);
        _perClient[address] = ofClient + 1;
        _connectTo = chosen;
    }

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
            model.Report(Finding.Leak, $"the connection of {connection.From} is tried on another"
                + $" backend, and its stream to {connection.Backend} is open", backend);
        }
        Touch(connection);
        connection.Backend = backend;
        connection.SessionsEnded = backend?.SessionsEnded ?? 0;
        connection.Session = backend?.Session;
        connection.RetryFrom = null;
        if (result.Status == IoStatus.WouldBlock)
        {
            OnFull(connection, result);
            return true;
        }
        connection.Tries++;
        if (result.IsOk)
        {
            connection.BackendStream = stream;
            BackendStreams++;
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

    /// <summary>
    /// A client's hang-up is a reset as long as it was told no end; with bytes to be read or
    /// written those calls will show what it is.
    /// </summary>
    public void OnHangUp(ExpectedConnection connection, Readiness ready)
    {
        Touch(connection);
        connection.ClientFailed = true;
        connection.MustClose |= !connection.IsRelaying || ready == Readiness.HangUp;
    }

    public void OnRead(ExpectedConnection connection, SocketHandle stream, IoResult result,
        ReadOnlySpan<byte> bytes)
    {
        Touch(connection);
        var isClient = stream == connection.Client;
        if (result.IsOk)
        {
            connection.LastActivity = model.Now;
            if (isClient && !connection.IsRelaying)
                ReportRelay(connection, "the client was read before INBOUND_TCP_OK");
            if (isClient)
                connection.FromClient += bytes.Length;
            if (isClient && !connection.IsBackendDeaf)
            {
                connection.ToBackend.Append(bytes);
                connection.Queries.Append(bytes);
                model.Asked.OnClientSent(connection, bytes);
            }
            else if (!isClient)
                OnFromBackend(connection, bytes);
        }
        else if (result.Status != IoStatus.WouldBlock)
        {
            connection.MustClose |= result.Status != IoStatus.EndOfStream
                && (isClient || connection.IsRelaying);
            OnSideOver(connection, isClient, result,
                new Fault(Evidence.CauseOf(result, FaultCause.ReadFailed), result));
            if (isClient && connection.ClientEnded && !connection.IsBackendDeaf)
                model.Asked.OnClientSent(connection, []);
            connection.NoteCut();
        }
        CheckBound(connection);
    }

    public void OnWritten(ExpectedConnection connection, SocketHandle stream, IoResult result,
        ReadOnlySpan<byte> bytes)
    {
        Touch(connection);
        var isClient = stream == connection.Client;
        if (!result.IsOk)
        {
            if (result.Status == IoStatus.WouldBlock)
                return;
            var isDeaf = result.Status == IoStatus.BrokenPipe && !isClient
                && connection.IsRelaying;
            if (isDeaf)
            {
                connection.LastActivity = model.Now;
                connection.IsBackendDeaf = true;
                connection.IsJudged = true;
                connection.ToBackend.Clear();
                return;
            }
            connection.MustClose |= isClient || connection.IsRelaying;
            OnSideOver(connection, isClient, result,
                new Fault(Evidence.CauseOf(result, FaultCause.WriteFailed), result));
            return;
        }
        var owed = isClient ? connection.ToClient : connection.ToBackend;
        if (!isClient && bytes.Length > connection.Writable)
            ReportRelay(connection, $"{bytes.Length} bytes went to the backend; a first message"
                + $" is kept back, and {connection.Writable} bytes may go");
        if (isClient && !connection.IsRelaying)
            ReportRelay(connection,
                $"{bytes.Length} bytes went to the client before INBOUND_TCP_OK");
        else if (!owed.TryTake(bytes))
            ReportRelay(connection, $"{bytes.Length} bytes went to the {Side(isClient)} that are"
                + $" not the next of {owed.Count} that wait for it");
        connection.NoteCut();
    }

    public void OnHalfClosed(ExpectedConnection connection, SocketHandle stream)
    {
        Touch(connection);
        var isClient = stream == connection.Client;
        var sourceEnded = isClient ? connection.BackendEnded : connection.ClientEnded;
        var owed = isClient ? connection.ToClient : connection.ToBackend;
        if (!sourceEnded)
            ReportRelay(connection, $"the {Side(isClient)} was told an end that nobody made");
        else if (owed.Count > 0)
            ReportRelay(connection,
                $"the {Side(isClient)} was told the end before {owed.Count} bytes that wait");
        else if (isClient && connection.LacksAnswers)
            ReportRelay(connection, "the client was told an end, and its answers were cut short");
        if (isClient)
            connection.ToldClient = true;
        else
            connection.ToldBackend = true;
    }

    public void OnClosed(ExpectedConnection connection, SocketHandle stream, bool aborted)
    {
        if (stream == connection.BackendStream)
        {
            connection.BackendStream = SocketHandle.None;
            BackendStreams--;
            return;
        }
        connection.IsClosed = true;
        connection.WasAborted = aborted;
        if (_connecting == connection)
        {
            if (_connectTo != null)
                model.Report(Finding.Misrouted, $"the connection of {connection.From} was closed;"
                    + $" it should have gone to {_connectTo}", _connectTo);
            _connecting = null;
        }
        if (connection.IsProxied)
            _ending = connection;
        else if (connection.MustEnd is { } how)
            model.Counters.Add(how);
    }

    /// <summary>A backend is suspect, or is not any more, or has a session, or has none.</summary>
    public void OnBackendsChanged() => _backendsChanged = true;

    /// <summary>The core told which backend a connection is sent to next.</summary>
    public void OnOpenedLine(LogEvent.ConnectionOpened logged)
    {
        if (_connecting == null && Waiting(logged.Id) is { } again)
            DecideAnew(again);
        if (_connecting is not { } connection || connection.From != logged.Client
            || (_connectTo?.Id ?? 0) != logged.Backend.Value)
        {
            model.Report(Finding.Untrue, $"the connection of {logged.Client} was logged as going to"
                + $" backend {logged.Backend}; it should be {_connecting?.From} to {_connectTo}");
            return;
        }
        if (connection.Id == default)
            connection.Id = new ConnectionId(++_lastId);
        if (connection.Id != logged.Id)
        {
            model.Report(Finding.Untrue, $"the connection of {logged.Client} is called {logged.Id};"
                + $" it should be {connection.Id}");
        }
    }

    /// <summary>The core told how a connection ended that it has just closed.</summary>
    public void OnClosedLine(LogEvent.ConnectionClosed logged)
    {
        if (_ending is not { } connection || logged.Client != connection.From)
        {
            model.Report(Finding.Untrue,
                $"the connection of {logged.Client} was called closed, and was not");
            return;
        }
        _ending = null;
        if (logged.Id != connection.Id || logged.BytesFromClient != connection.FromClient
            || logged.BytesFromBackend != connection.FromBackend)
        {
            model.Report(Finding.Untrue, $"the log has {logged}; it should be {connection.Id} with"
                + $" {connection.FromClient} and {connection.FromBackend} bytes",
                connection.Backend);
        }
        if (WhyNot(connection, logged.How) is { } reason)
        {
            model.Life.ReportUnlessStopped(Finding.Untrue,
                $"the connection of {connection.From} ended as {logged.How}: {reason}",
                connection.Backend);
        }
        CheckCut(connection, logged.How);
        model.Counters.Add(logged.How);
        _open.Remove(connection);
        var left = _perClient[connection.From.Address] - 1;
        if (left == 0)
            _perClient.Remove(connection.From.Address);
        else
            _perClient[connection.From.Address] = left;
        if (!connection.IsRelaying
            && model.Policy.Remotes.TryGetValue(connection.From.Address, out var remote))
        {
            remote.TcpDropped++;
        }
    }

    /// <summary>
    /// A turn ended; a connection that its budget left out is dealt with by one of the turns that
    /// follow at once, and judged after the last of these.
    /// </summary>
    public void OnTurnEnded(bool anotherFollowsAtOnce)
    {
        if (!anotherFollowsAtOnce)
            JudgeTouched();
        foreach (var connection in _refusedAtOnce)
        {
            if (!connection.IsClosed)
                model.Report(Finding.Leak, $"the connection of {connection.From} is still open"
                    + $" at the turn's end; it should be closed: {connection.MustEnd}");
        }
        _refusedAtOnce.Clear();
        if (_connecting is { IsClosed: false } waiting && _connectTo is { } due)
            model.Report(Finding.Misrouted,
                $"the connection of {waiting.From} went nowhere; it should go to {due}", due);
        _connecting = null;
    }

    private void JudgeTouched()
    {
        if (!model.Life.HasStopped)
            JudgeWaiting();
        _backendsChanged = false;
        foreach (var connection in _touched)
        {
            connection.IsTouched = false;
            if (connection.IsClosed)
                continue;
            if (connection is { IsRefused: true, BackendStream.IsNone: false })
                ReportRelay(connection, "its first message is refused, and its backend is kept");
            if (connection.MustClose || (connection.IsProxied && connection.MustEnd != null))
                ReportRelay(connection, "it is open at the end of the turn in which it was lost");
            if (connection.IsRelaying)
                CheckEnds(connection);
            if (connection.IsProxied && !model.Life.HasStopped)
                CheckInterest(connection);
        }
        _touched.Clear();
    }

    private static string Side(bool isClient) => isClient ? "client" : "backend";

    private void EndAtOnce(ExpectedConnection connection, Counter how)
    {
        ILogEvent? line = how switch
        {
            Counter.ConnectionsOverLimit =>
                new LogEvent.ConnectionsOverLimit(connection.From, 0),
            Counter.ConnectionsOverClientLimit => new LogEvent.ClientOverLimit(connection.From, 0),
            _ => null,
        };
        if (line != null)
            model.Repeats.OnCondition(Repeat.OverLimit, (int)how, line);
        connection.MustEnd = how;
        _refusedAtOnce.Add(connection);
    }

    private void ReportMisrouted(ExpectedConnection connection, ExpectedBackend? backend)
    {
        var evidence = $"the connection of {connection.From} went to"
            + $" {backend?.ToString() ?? "an unknown path"} ({backend?.Stage}); it should"
            + (_connectTo == null ? " be closed" : $" go to {_connectTo}");
        if (backend is { HasPath: false } or { Stage: Stage.Draining })
            model.Report(Finding.HopelessConnection, evidence, backend);
        model.Report(Finding.Misrouted, evidence, backend);
    }

    private static void AppendHandshake(ExpectedConnection connection)
    {
        Span<byte> frame = stackalloc byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, SeenFrame.InboundTcp);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], connection.From.Address.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], connection.From.Port);
        connection.ToBackend.Clear();
        connection.ToBackend.Append(frame);
        connection.OkBytes = 0;
        connection.OkValue = 0;
    }

    private void OnFromBackend(ExpectedConnection connection, ReadOnlySpan<byte> bytes)
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
                return;
            }
            connection.IsRelaying = true;
            connection.Backend!.TcpSessions++;
            if (connection.Backend.Session is { } asked
                && connection.Backend.SessionsEnded == connection.SessionsEnded)
            {
                SuspicionModel.OnConnectionTaken(asked);
            }
            model.Lines.Owe(new LogEvent.ConnectionRelaying(
                connection.Id, new BackendId(connection.Backend.Id)));
            if (model.Policy.Remotes.TryGetValue(connection.From.Address, out var remote))
                remote.TcpForwarded++;
        }
        connection.FromBackend += bytes.Length;
        connection.ToClient.Append(bytes);
        connection.Answers.Append(bytes);
        model.Asked.OnBackendSent(connection);
    }

    private void OnSideOver(
        ExpectedConnection connection, bool isClient, IoResult result, Fault why)
    {
        var isEnd = result.Status == IoStatus.EndOfStream;
        connection.LastActivity = model.Now;
        if (!connection.IsRelaying && !isClient)
            OnRefused(connection, why);
        else if (isClient)
            _ = isEnd ? connection.ClientEnded = true : connection.ClientFailed = true;
        else
            _ = isEnd ? connection.BackendEnded = true : connection.BackendFailed = true;
    }

    private ExpectedConnection? Waiting(ConnectionId id)
    {
        foreach (var connection in _open)
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
            if (model.Now < from)
                ReportRelay(connection, $"it was tried again; it should not before {from}");
            _connectTo = model.Policy.NextBeside(model.Now, last)
                ?? (last.Stage == Stage.Healthy ? last : null);
            return;
        }
        if (!connection.ShouldLeave)
            ReportRelay(connection, $"it no longer waits for {last}, and nothing is wrong with it");
        model.Counters.Add(Counter.ConnectionsMoved);
        connection.Tries--;
        _connectTo = model.Policy.NextBetter(model.Now, last);
    }

    /// <summary>
    /// Its backend has no room for it. Another is asked at once, the first time; then it waits.
    /// </summary>
    private void OnFull(ExpectedConnection connection, IoResult result)
    {
        var full = connection.Backend!;
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
        var delay = SpecifiedLimits.FirstFullDelay.Nanoseconds << Math.Min(connection.PutOffs++, 8);
        connection.RetryFrom = connection.RetryBy = model.Now + new Duration(
            Math.Min(delay, SpecifiedLimits.LongestFullDelay.Nanoseconds));
    }

    /// <summary>
    /// Nobody waits longer than it should: for room, or for a backend that may never answer while
    /// another would.
    /// </summary>
    private void JudgeWaiting()
    {
        foreach (var connection in _open)
        {
            if (connection.IsClosed || connection.IsRelaying || connection.ClientFailed)
                continue;
            if (connection.RetryFrom != null)
                JudgePutOff(connection);
            else if (_backendsChanged && connection.ShouldLeave && model.Policy.IsWorthIt(
                model.Now, connection.Backend!, needsBetter: true))
            {
                ReportRelay(connection, $"it still waits for {connection.Backend}, which is suspect"
                    + " or lost its session, and another backend is better");
            }
        }
    }

    private void JudgePutOff(ExpectedConnection connection)
    {
        var last = connection.Backend!;
        if (model.Now < connection.RetryBy
            || model.Now >= HandshakeEnd(connection))
            return;
        if (last.Stage == Stage.Healthy
            || model.Policy.IsWorthIt(model.Now, last, needsBetter: false))
        {
            ReportRelay(connection, $"it should have been tried again at {connection.RetryBy}");
        }
        // There was nobody to try; the core looks again later.
        connection.RetryFrom = connection.RetryBy;
        connection.RetryBy = model.Now + SpecifiedLimits.LongestFullDelay;
    }

    /// <summary>The backend did not take it: one more is tried, or it ends.</summary>
    private void OnRefused(ExpectedConnection connection, Fault why)
    {
        var refused = connection.Backend?.Id ?? 0;
        model.Repeats.OnCondition(Repeat.RefusedByBackend, refused,
            new LogEvent.ConnectionRefusedByBackend(
                connection.Id, new BackendId(refused), why, 0));
        var next = connection.Tries < SpecifiedLimits.BackendTries
            ? model.Policy.NextInTurn(model.Now, connection.Backend) : null;
        if (next == null)
        {
            connection.MustEnd = Counter.ConnectionsRefusedByBackend;
            return;
        }
        model.Counters.Add(Counter.ConnectionsRetried);
        _connecting = connection;
        _connectTo = next;
    }

    private void Touch(ExpectedConnection connection)
    {
        if (connection.IsTouched)
            return;
        connection.IsTouched = true;
        _touched.Add(connection);
    }

    private void CheckBound(ExpectedConnection connection)
    {
        var most = Math.Max(connection.ToBackend.Count, connection.ToClient.Count);
        if (most > SpecifiedLimits.RelayQueueBytes)
        {
            model.Report(Finding.Unbounded, $"{most} bytes wait in the connection of"
                + $" {connection.From}; at most {SpecifiedLimits.RelayQueueBytes} may",
                connection.Backend);
        }
    }

    private void CheckEnds(ExpectedConnection connection)
    {
        if (connection.ClientFailed || connection.BackendFailed)
            return;
        if (connection is { ClientEnded: true, ToldBackend: false, IsBackendDeaf: false }
            && connection.ToBackend.Count == 0)
            ReportRelay(connection, "the client's end was not passed on to the backend");
        if (connection.BackendEnded && connection.ToClient.Count == 0 && !connection.ToldClient)
        {
            ReportRelay(connection, connection.LacksAnswers
                ? "the backend ended before its answers did, and the client was not reset"
                : "the backend's end was not passed on to the client");
        }
    }

    /// <summary>
    /// Each side is read as long as what it sends has room, and written to as long as bytes wait
    /// for it. A client that is not read is watched for its reset.
    /// </summary>
    private void CheckInterest(ExpectedConnection connection)
    {
        var client = Readiness.HangUp;
        var backend = Wanted(false, connection.Writable) | Readiness.Read;
        if (connection.IsRelaying)
        {
            client = Wanted(!connection.ClientEnded && HasRoom(connection.ToBackend),
                connection.ToClient.Count);
            if (client == Readiness.None && !connection.ToldClient)
                client = Readiness.HangUp;
            backend = Wanted(!connection.BackendEnded && HasRoom(connection.ToClient),
                connection.Writable);
        }
        CheckInterest(connection, connection.Client, client, "client");
        if (!connection.BackendStream.IsNone)
            CheckInterest(connection, connection.BackendStream, backend, "backend");
    }

    private static bool HasRoom(ExpectedBytes line) => line.Count < SpecifiedLimits.RelayQueueBytes;

    private static Readiness Wanted(bool read, int toWrite) =>
        (read ? Readiness.Read : Readiness.None)
        | (toWrite > 0 ? Readiness.Write : Readiness.None);

    private void CheckInterest(
        ExpectedConnection connection, SocketHandle stream, Readiness should, string side)
    {
        var set = model.Sockets.InterestOf(stream);
        if (set == should)
            return;
        model.Report(Finding.Unwatched, $"the connection of {connection.From}, with"
            + $" {connection.ToBackend.Count} bytes for the backend and"
            + $" {connection.ToClient.Count} for the client, is woken by its {side} for {set}; it"
            + $" should be {should}", connection.Backend);
    }

    /// <summary>A client whose answer was cut short must not take it for whole.</summary>
    private void CheckCut(ExpectedConnection connection, Counter how)
    {
        var waits = connection.ToBackend.Count + connection.ToClient.Count;
        if (how == Counter.ConnectionsFinished && waits > 0)
            ReportRelay(connection, $"it was called finished while {waits} bytes wait");
        var isCut = (how == Counter.ConnectionsFailedByBackend && !connection.ToldClient)
            || connection.ToClient.Count > 0;
        // One that is gone sees nothing any more.
        if (connection is { IsRelaying: true, ClientFailed: false, WasAborted: false } && isCut)
            ReportRelay(connection, "its answer was cut short, and the client saw a clean end");
        if (connection is { ClientFailed: false, WasAborted: true } && !isCut)
            ReportRelay(connection, "it was reset, and nothing was cut short");
    }

    /// <summary>When it must be taken by a backend, if the balancer did not stand still.</summary>
    public Instant HandshakeEnd(ExpectedConnection connection) =>
        model.Standstill.Extend(connection.AcceptedAt + SpecifiedLimits.HandshakeTime);

    /// <summary>When a byte must have come.</summary>
    public Instant IdleEnd(ExpectedConnection connection) =>
        model.Standstill.Extend(connection.LastActivity + model.Scenario.Kernel.TcpIdle);

    private string? WhyNot(ExpectedConnection connection, Counter how)
    {
        var now = model.Now;
        if (connection.IsRefused && how != Counter.ConnectionsQuarantined)
            return "its first message is refused";
        var holds = how switch
        {
            Counter.ConnectionsFinished => connection.ToldBackend && connection.ToldClient,
            Counter.ConnectionsQuarantined => connection.IsRefused
                && (connection is { ToldClient: true, ClientEnded: true } or { ClientFailed: true }
                    || now >= IdleEnd(connection)
                    || now >= connection.AcceptedAt + model.Scenario.Kernel.TcpLifetime),
            Counter.ConnectionsFailedByClient => connection.ClientFailed,
            // Who reads no more may have answered before: what it says is passed on to its end.
            Counter.ConnectionsFailedByBackend => connection.BackendFailed || connection is
            { IsBackendDeaf: true, ClientEnded: true, BackendEnded: true, ToldClient: true }
                or { IsCutShort: true, ToldClient: false },
            Counter.ConnectionsHandshakeTimedOut => !connection.IsRelaying
                && now >= HandshakeEnd(connection),
            Counter.ConnectionsIdle => connection.IsRelaying
                && now >= IdleEnd(connection),
            Counter.ConnectionsTooOld =>
                now >= connection.AcceptedAt + model.Scenario.Kernel.TcpLifetime,
            _ => connection.MustEnd == how,
        };
        return holds ? null : how switch
        {
            Counter.ConnectionsFinished => "not both sides were told the other's end",
            Counter.ConnectionsQuarantined => connection.IsRefused
                ? "the client is there and waits for the answer or the end"
                : "its first message is not refused",
            Counter.ConnectionsFailedByClient => "the client did not fail",
            Counter.ConnectionsFailedByBackend => "the backend did not fail",
            Counter.ConnectionsHandshakeTimedOut => connection.IsRelaying
                ? "a backend took it"
                : $"not before {HandshakeEnd(connection)}",
            Counter.ConnectionsIdle => !connection.IsRelaying ? "no backend took it"
                : $"not before {IdleEnd(connection)},"
                    + $" since it was active at {connection.LastActivity}",
            Counter.ConnectionsTooOld =>
                $"not before {connection.AcceptedAt + model.Scenario.Kernel.TcpLifetime}",
            _ => connection.MustEnd is { } must ? $"it should be {must}" : "nothing asked for it",
        };
    }

    private void ReportRelay(ExpectedConnection connection, string what) => model.Report(
        Finding.Relay, $"the connection of {connection.From}: {what}", connection.Backend);
}
