// Owns what proxied TCP connections should do: whom each should go to, what one side gave and the
// other has not got yet, and how it may end. The handshake with the backend is HandshakeModel's.
//
// What always holds: an accepted connection is open, or in exactly one counter.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows all TCP connections.</summary>
internal sealed class ConnectionModel
{
    private readonly ReferenceModel _model;
    private readonly HashSet<ExpectedConnection> _open = [];
    private readonly List<ExpectedConnection> _touched = [];
    private readonly List<ExpectedConnection> _refusedAtOnce = [];
    private readonly Dictionary<Ipv4, int> _perClient = [];
    private ExpectedConnection? _ending;
    private long _lastId;

    /// <summary>It was accepted, and another is to give way to it first.</summary>
    private ExpectedConnection? _comesFor;

    public ConnectionModel(ReferenceModel model)
    {
        _model = model;
        Handshakes = new HandshakeModel(model, this);
        Places = new PlacesModel(model, _open);
    }

    public HandshakeModel Handshakes { get; }

    public PlacesModel Places { get; }

    /// <summary>Connections that the balancer let in.</summary>
    public IReadOnlyCollection<ExpectedConnection> Open => _open;

    /// <summary>
    /// If it is closed now, then for one that was accepted, or since too many are not read.
    /// </summary>
    public bool IsLetGo(ExpectedConnection connection) => _comesFor != null
        || (connection.IsWaiting && Places.MustBeRead(connection));

    /// <summary>Streams that they have to backends.</summary>
    public int BackendStreams { get; private set; }

    /// <summary>A connection has a stream to a backend now.</summary>
    public void OnBackendStream() => BackendStreams++;

    /// <summary>Decides whether an accepted connection is let in.</summary>
    public void OnAccepted(ExpectedConnection connection)
    {
        var ofClient = _perClient.GetValueOrDefault(connection.From.Address);
        _model.Counters.Add(Counter.ConnectionsAccepted);
        var places = _model.Scenario.Kernel.TcpConnections;
        if (_open.Count >= places - places / SpecifiedLimits.ShortShare
            && ofClient < _model.Scenario.Kernel.TcpConnectionsPerClient
            && Places.MustMakeRoom(ofClient))
        {
            _model.Reached(Situation.TcpMustMakeRoom);
            _comesFor = connection;
            return;
        }
        DecidePlace(connection, ofClient);
    }

    private void DecidePlace(ExpectedConnection connection, int ofClient)
    {
        var address = connection.From.Address;
        if (_open.Count >= _model.Scenario.Kernel.TcpConnections)
        {
            EndAtOnce(connection, Counter.ConnectionsOverLimit);
            return;
        }
        if (ofClient >= _model.Scenario.Kernel.TcpConnectionsPerClient)
        {
            EndAtOnce(connection, Counter.ConnectionsOverClientLimit);
            return;
        }
        _model.ReachedIf(_open.Count + 1 == _model.Scenario.Kernel.TcpConnections,
            Situation.TcpLastPlace);
        _model.ReachedIf(ofClient + 1 == _model.Scenario.Kernel.TcpConnectionsPerClient,
            Situation.TcpLastPlaceOfClient);
        connection.IsProxied = true;
        connection.Id = new ConnectionId(++_lastId);
        Touch(connection);
        _open.Add(connection);
        _perClient[address] = ofClient + 1;
    }

    /// <summary>Decides where a connection goes whose client has sent something.</summary>
    public void Decide(ExpectedConnection connection)
    {
        Handshakes.OnSpoke(connection);
        var chosen = _model.Policy.Choose(
            _model.Now, connection.From.Address, isTcp: true, out _);
        _model.Arrivals.OweBinding();
        if (chosen != null)
        {
            Handshakes.SendTo(chosen);
            return;
        }
        _model.Outage.OnDropped(isTcp: true);
        connection.MustEnd = Counter.ConnectionsWithoutBackend;
    }

    /// <summary>
    /// A wait reported a client. Its hang-up is a reset as long as it was not sent an end; with
    /// bytes to be read or written those calls will show what it is.
    /// </summary>
    public void OnEvent(ExpectedConnection connection, Readiness ready)
    {
        Touch(connection);
        connection.HasUnread |= connection is { SpokeAt: not null, IsRelaying: false }
            && (ready & Readiness.Read) != 0;
        if ((ready & Readiness.HangUp) == 0)
            return;
        connection.ClientFailed = true;
        connection.MustClose |= !connection.IsRelaying || ready == Readiness.HangUp;
    }

    public void OnRead(ExpectedConnection connection, SocketHandle stream, IoResult result,
        ReadOnlySpan<byte> bytes)
    {
        Touch(connection);
        var isClient = stream == connection.Client;
        if (isClient)
            _model.Asked.GoOn(connection);
        if (!isClient)
            connection.MayHaveMore = bytes.Length == SpecifiedLimits.RelayQueueBytes;
        if (result.IsOk)
        {
            if (isClient && connection is { SpokeAt: not null, IsRelaying: false })
                ReportRelay(connection, "the client was read again before INBOUND_TCP_OK");
            if (isClient && connection.SpokeAt == null)
            {
                connection.SpokeAt = _model.Now;
                _model.Arrivals.OnSpoke(connection);
            }
            if (isClient)
                OnFromClient(connection, bytes);
            if (isClient && !connection.IsBackendDeaf)
            {
                connection.ToBackend.Append(bytes);
                _model.Asked.OnClientSent(connection, bytes);
            }
            else if (!isClient)
                OnFromBackend(connection, bytes);
        }
        else if (result.Status == IoStatus.NoBuffers)
        {
            OnWithoutMemory(connection, result);
        }
        else if (result.Status != IoStatus.WouldBlock)
        {
            connection.MustClose |= isClient && connection.SpokeAt == null
                || (result.Status != IoStatus.EndOfStream && (isClient || connection.IsRelaying));
            OnSideOver(connection, isClient, result,
                new Fault(Evidence.CauseOf(result, FaultCause.ReadFailed), result));
            if (isClient && connection.ClientEnded && !connection.IsBackendDeaf)
                _model.Asked.OnClientSent(connection, []);
            connection.NoteCut();
        }
        CheckBound(connection);
    }

    public void OnWritten(ExpectedConnection connection, SocketHandle stream, IoResult result,
        ReadOnlySpan<byte> bytes)
    {
        Touch(connection);
        var isClient = stream == connection.Client;
        NoteRefusal(connection, isClient);
        if (!result.IsOk)
        {
            if (result.Status == IoStatus.WouldBlock)
            {
                _model.Asked.GoOn(connection);
                return;
            }
            if (result.Status == IoStatus.NoBuffers)
            {
                OnWithoutMemory(connection, result);
                return;
            }
            var isDeaf = result.Status == IoStatus.BrokenPipe && !isClient
                && connection.IsRelaying;
            if (isDeaf)
            {
                _model.Reached(Situation.TcpBackendTakesNoMore);
                connection.IsBackendDeaf = true;
                connection.PassesAll = true;
                connection.Kept.Clear();
                connection.KeptUntil = null;
                connection.ToBackend.Clear();
                return;
            }
            connection.MustClose |= isClient || connection.IsRelaying;
            OnSideOver(connection, isClient, result,
                new Fault(Evidence.CauseOf(result, FaultCause.WriteFailed), result));
            return;
        }
        var owed = isClient ? connection.ToClient : connection.ToBackend;
        if (!isClient)
            _model.Asked.GoOn(connection);
        if (!isClient && bytes.Length > connection.Writable)
            _model.Asked.OnTime(connection);
        if (!isClient && bytes.Length > connection.Writable)
            ReportRelay(connection, $"{bytes.Length} bytes went to the backend; a message is kept"
                + $" back, and {connection.Writable} bytes may go");
        if (isClient && !connection.IsRelaying)
            ReportRelay(connection,
                $"{bytes.Length} bytes went to the client before INBOUND_TCP_OK");
        else if (!owed.TryTake(bytes))
            ReportRelay(connection, $"{bytes.Length} bytes went to the {Side(isClient)} that are"
                + $" not the next of {owed.Count} that wait for it");
        if (!isClient)
            connection.OnTaken(_model.Now);
        if (isClient)
        {
            connection.LastActivity = _model.Now;
            _model.Asked.OnRoom(connection);
        }
        connection.NoteCut();
    }

    public void OnHalfClosed(ExpectedConnection connection, SocketHandle stream)
    {
        Touch(connection);
        var isClient = stream == connection.Client;
        NoteRefusal(connection, isClient);
        var sourceEnded = isClient ? connection.BackendEnded : connection.ClientEnded;
        var owed = isClient ? connection.ToClient : connection.ToBackend;
        if (!sourceEnded)
            ReportRelay(connection, $"the {Side(isClient)} got an end that nobody made");
        else if (owed.Count > 0)
            ReportRelay(connection,
                $"the {Side(isClient)} got the end before {owed.Count} bytes that wait");
        else if (isClient && connection.LacksAnswers)
            ReportRelay(connection, "the client got an end, and its answers were cut short");
        if (isClient)
        {
            _model.ReachedIf(!connection.ClientEnded, Situation.TcpClientToldFirst);
            connection.ClientGotEnd = true;
            connection.EndSentAt = _model.Now;
        }
        else
        {
            _model.ReachedIf(!connection.BackendEnded, Situation.TcpBackendToldFirst);
            connection.BackendGotEnd = true;
        }
    }

    /// <summary>
    /// A client is sent something though its backend's stream is closed: what waited is refused.
    /// </summary>
    private void NoteRefusal(ExpectedConnection connection, bool isClient)
    {
        if (isClient && connection is { IsRelaying: true, BackendStream.IsNone: true })
            _model.Asked.OnTime(connection);
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
        Handshakes.OnClosed(connection);
        if (connection.IsProxied)
            _ending = connection;
        else if (connection.MustEnd is { } how)
            _model.Counters.Add(how);
    }

    /// <summary>The core logged how a connection ended that it has just closed.</summary>
    public void OnClosedLine(LogEvent.ConnectionClosed logged)
    {
        if (_ending is not { } connection || logged.Client != connection.From)
        {
            _model.Report(ViolationKind.Untrue,
                $"the connection of {logged.Client} was called closed, and was not");
            return;
        }
        _ending = null;
        if (logged.Id != connection.Id || logged.BytesFromClient != connection.FromClient
            || logged.BytesFromBackend != connection.FromBackend)
        {
            _model.Report(ViolationKind.Untrue,
                $"the log has {logged}; it should be {connection.Id} with"
                + $" {connection.FromClient} and {connection.FromBackend} bytes",
                connection.Backend);
        }
        if (WhyNot(connection, logged.How) is { } reason)
        {
            _model.Life.ReportUnlessStopped(ViolationKind.Untrue,
                $"the connection of {connection.From} ended as {logged.How}: {reason}",
                connection.Backend);
        }
        CheckCut(connection, logged.How);
        _model.TcpTurns.OnOver(connection);
        _model.Counters.Add(logged.How);
        _open.Remove(connection);
        var left = _perClient[connection.From.Address] - 1;
        if (left == 0)
            _perClient.Remove(connection.From.Address);
        else
            _perClient[connection.From.Address] = left;
        if (connection is { SpokeAt: not null, IsRelaying: false }
            && _model.Policy.Remotes.TryGetValue(connection.From.Address, out var remote))
        {
            remote.TcpDropped++;
        }
        if (_comesFor is not { } next)
            return;
        _comesFor = null;
        DecidePlace(next, _perClient.GetValueOrDefault(next.From.Address));
    }

    /// <summary>
    /// A turn ended; a connection that its budget left out is dealt with by one of the turns that
    /// follow at once, and judged after the last of these.
    /// </summary>
    public void OnTurnEnded(bool anotherFollowsAtOnce)
    {
        foreach (var connection in _touched)
        {
            if (!connection.IsClosed)
                _model.Asked.GoOn(connection);
            connection.NoteRoom();
        }
        if (!anotherFollowsAtOnce)
            JudgeTouched();
        foreach (var connection in _refusedAtOnce)
        {
            if (!connection.IsClosed)
                _model.Report(ViolationKind.Leak,
                    $"the connection of {connection.From} is still open"
                    + $" at the turn's end; it should be closed: {connection.MustEnd}");
        }
        _refusedAtOnce.Clear();
        if (_comesFor is { } came)
            ReportRelay(came, "places are short, and nobody gave way to it");
        _comesFor = null;
        Handshakes.OnTurnEnded();
    }

    private void JudgeTouched()
    {
        Handshakes.JudgeWaiting();
        foreach (var connection in _open)
        {
            if (connection is { IsRelaying: true, IsClosed: false }
                && _model.Now >= connection.KeptUntil)
            {
                _model.Asked.OnTime(connection);
                Touch(connection);
            }
        }
        foreach (var connection in _touched)
        {
            connection.IsTouched = false;
            if (connection.IsClosed)
                continue;
            if (connection is { IsRefused: true, BackendStream.IsNone: false })
                ReportRelay(connection, "its message is refused, and its backend is kept");
            if (connection.MustClose || (connection.IsProxied && connection.MustEnd != null))
                ReportRelay(connection, "it is open at the end of the turn in which it was lost");
            if (connection.IsAbandoned && !connection.ClientFailed)
                ReportAbandoned(connection);
            if (connection.IsRelaying)
                CheckEnds(connection);
            if (connection.IsProxied && !_model.Life.HasStopped)
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
            _model.Repeats.OnCondition(Repeat.OverLimit, (int)how, line);
        connection.MustEnd = how;
        _refusedAtOnce.Add(connection);
    }

    private void OnFromClient(ExpectedConnection connection, ReadOnlySpan<byte> bytes)
    {
        connection.FromClient += bytes.Length;
        var (whole, questions) = (connection.Queries.Whole, connection.Queries.WithHeader);
        if (!connection.IsBackendDeaf)
            connection.Queries.Append(bytes);
        if (connection.Queries.WithHeader > questions)
            connection.LastActivity = _model.Now;
        if (!connection.Queries.IsInside)
            connection.PartSince = null;
        else if (connection.PartSince == null || connection.Queries.Whole != whole)
            connection.PartSince = _model.Now;
    }

    private void OnFromBackend(ExpectedConnection connection, ReadOnlySpan<byte> bytes)
    {
        bytes = Handshakes.OnFromBackend(connection, bytes);
        if (!connection.IsRelaying)
            return;
        connection.FromBackend += bytes.Length;
        connection.ToClient.Append(bytes);
        connection.Answers.Append(bytes);
        _model.Asked.OnBackendSent(connection);
    }

    private void OnSideOver(
        ExpectedConnection connection, bool isClient, IoResult result, Fault why)
    {
        var isEnd = result.Status == IoStatus.EndOfStream;
        if (!connection.IsRelaying && !isClient)
            Handshakes.OnRefused(connection, why);
        else if (isClient)
            _ = isEnd ? connection.ClientEnded = true : connection.ClientFailed = true;
        else
            _ = isEnd ? connection.BackendEnded = true : connection.BackendFailed = true;
    }

    /// <summary>The kernel had no memory for a call on it: that ends it, and no other.</summary>
    private void OnWithoutMemory(ExpectedConnection connection, IoResult result)
    {
        _model.Reached(Situation.ConnectionLacksMemory);
        connection.MustClose = true;
        connection.MustEnd = Counter.ConnectionsWithoutResources;
        _model.Repeats.OnCondition(Repeat.WithoutResources, 0,
            new LogEvent.ConnectionWithoutResources(connection.Id, result, 0));
    }

    public void Touch(ExpectedConnection connection)
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
            _model.Report(ViolationKind.Unbounded, $"{most} bytes wait in the connection of"
                + $" {connection.From}; at most {SpecifiedLimits.RelayQueueBytes} may",
                connection.Backend);
        }
    }

    private void CheckEnds(ExpectedConnection connection)
    {
        if (connection.ClientFailed || connection.BackendFailed)
            return;
        if (connection.IsOver)
            ReportRelay(connection, "both directions are over, and it is open");
        if (connection is { ClientEnded: true, BackendGotEnd: false, IsBackendDeaf: false }
            && connection.ToBackend.Count == 0)
            ReportRelay(connection, "the client's end was not passed on to the backend");
        if (connection.BackendEnded && connection.ToClient.Count == 0 && !connection.ClientGotEnd)
        {
            ReportRelay(connection, connection.LacksAnswers
                ? "the backend ended before its answers did, and the client was not reset"
                : "the backend's end was not passed on to the client");
        }
    }

    /// <summary>
    /// Each side is read as long as what it sends has room, and written to as long as bytes wait
    /// for it. A client that is not read is watched for its reset, and so is one that waits for a
    /// backend, as soon as it has sent more than its first bytes. A backend is not read before it
    /// has all of INBOUND_TCP.
    /// </summary>
    private void CheckInterest(ExpectedConnection connection)
    {
        var client = connection.HasUnread ? Readiness.HangUp : Readiness.Read;
        var backend = connection.Writable > 0 ? Readiness.Write : Readiness.Read;
        if (connection.IsRelaying)
        {
            client = Wanted(!connection.ClientEnded && connection.HasRoomForClient,
                connection.ToClient.Count);
            if (client == Readiness.None && !connection.ClientGotEnd)
                client = Readiness.HangUp;
            var hasRoom = connection.ToClient.Count < SpecifiedLimits.RelayQueueBytes;
            backend = Wanted(!connection.BackendEnded && hasRoom, connection.Writable);
        }
        CheckInterest(connection, connection.Client, client, "client");
        if (!connection.BackendStream.IsNone)
            CheckInterest(connection, connection.BackendStream, backend, "backend");
    }

    private static Readiness Wanted(bool read, int toWrite) =>
        (read ? Readiness.Read : Readiness.None)
        | (toWrite > 0 ? Readiness.Write : Readiness.None);

    private void CheckInterest(
        ExpectedConnection connection, SocketHandle stream, Readiness should, string side)
    {
        var set = _model.Sockets.InterestOf(stream);
        if (set == should)
            return;
        _model.Report(ViolationKind.Unwatched, $"the connection of {connection.From}, with"
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
        var isCut = (how == Counter.ConnectionsFailedByBackend && !connection.ClientGotEnd)
            || (how is Counter.ConnectionsGaveWay or Counter.ConnectionsNotReading
                && connection.LacksAnswers)
            || how == Counter.ConnectionsWithoutResources
            || connection.ToClient.Count > 0
            || connection is { SpokeAt: not null, IsRelaying: false };
        // One that is gone sees nothing any more.
        if (connection is { SpokeAt: not null, ClientFailed: false, WasAborted: false } && isCut)
            ReportRelay(connection, "its answer was cut short, and the client saw a clean end");
        if (connection is { ClientFailed: false, WasAborted: true } && !isCut)
            ReportRelay(connection, "it was reset, and nothing was cut short");
    }

    /// <summary>When a byte must have come.</summary>
    public Instant IdleEnd(ExpectedConnection connection) =>
        _model.Standstill.Extend(connection.LastActivity + _model.Scenario.Kernel.TcpIdle);

    /// <summary>When its client must have sent something.</summary>
    public Instant SilentEnd(ExpectedConnection connection) => _model.Standstill.Extend(
        connection.AcceptedAt + _model.Scenario.Kernel.TcpMessage);

    /// <summary>When its client must have closed, which got the end; null if not.</summary>
    public Instant? CloseEnd(ExpectedConnection connection) => connection.EndSentAt is { } at
        ? _model.Standstill.Extend(at + SpecifiedLimits.CloseTime) : null;

    private string? WhyNot(ExpectedConnection connection, Counter how)
    {
        var now = _model.Now;
        if (connection.IsRefused && how != Counter.ConnectionsQuarantined)
            return "its message is refused";
        var holds = how switch
        {
            Counter.ConnectionsFinished => connection is { BackendGotEnd: true, ClientGotEnd: true }
                or { SpokeAt: null, ClientEnded: true },
            Counter.ConnectionsSilent =>
                connection.SpokeAt == null && now >= SilentEnd(connection),
            Counter.ConnectionsQuarantined => connection.IsRefused
                && (connection is { ClientGotEnd: true, ClientEnded: true }
                        or { ClientFailed: true }
                    || now >= IdleEnd(connection) || now >= CloseEnd(connection)
                    || Places.MustBeRead(connection)
                    || MayGiveWay(connection)
                    || now >= connection.AcceptedAt + _model.Scenario.Kernel.TcpLifetime),
            Counter.ConnectionsFailedByClient => connection.ClientFailed,
            // Who reads no more may have answered before: what it says is passed on to its end.
            Counter.ConnectionsFailedByBackend => connection.BackendFailed || connection is
            { IsBackendDeaf: true, ClientEnded: true, BackendEnded: true, ClientGotEnd: true }
                or { IsCutShort: true, ClientGotEnd: false } or { IsAbandoned: true },
            Counter.ConnectionsRefusedByBackend => connection.IsPutOff
                && connection.IsTurnedDown && now >= Handshakes.HandshakeEnd(connection),
            Counter.ConnectionsHandshakeTimedOut => connection is
            { IsRelaying: false, SpokeAt: not null }
                && !(connection.IsPutOff && connection.IsTurnedDown)
                && now >= Handshakes.HandshakeEnd(connection),
            Counter.ConnectionsIdle => (connection.IsRelaying || connection.SpokeAt == null)
                && now >= IdleEnd(connection),
            Counter.ConnectionsGaveWay => MayGiveWay(connection),
            Counter.ConnectionsSlow => connection is
            { IsRelaying: true, ClientEnded: false, PartSince: { } since }
                && now >= _model.Standstill.Extend(since + _model.Scenario.Kernel.TcpMessage),
            Counter.ConnectionsNotClosed => now >= CloseEnd(connection),
            Counter.ConnectionsNotReading => Places.MustBeRead(connection),
            Counter.ConnectionsTooOld =>
                now >= connection.AcceptedAt + _model.Scenario.Kernel.TcpLifetime,
            _ => connection.MustEnd == how,
        };
        return holds ? null : how switch
        {
            Counter.ConnectionsFinished => "not both sides got the other's end",
            Counter.ConnectionsSilent => connection.SpokeAt is { } spoke
                ? $"its client spoke at {spoke}" : $"not before {SilentEnd(connection)}",
            Counter.ConnectionsQuarantined => connection.IsRefused
                ? "the client is there and waits for the answer or the end"
                : "its message is not refused",
            Counter.ConnectionsFailedByClient => "the client did not fail",
            Counter.ConnectionsFailedByBackend => "the backend did not fail",
            Counter.ConnectionsRefusedByBackend =>
                "it does not wait because backends refused it, or its time is not over",
            Counter.ConnectionsHandshakeTimedOut => connection.IsRelaying
                ? "a backend took it"
                : connection.IsTurnedDown ? "backends refused it"
                : $"not before {Handshakes.HandshakeEnd(connection)}",
            Counter.ConnectionsIdle => !connection.IsRelaying && connection.SpokeAt != null
                ? "no backend took it"
                : $"not before {IdleEnd(connection)},"
                    + $" since it was active at {connection.LastActivity}",
            Counter.ConnectionsGaveWay => "places are not short, or another should",
            Counter.ConnectionsSlow => $"its message is whole, or began at {connection.PartSince}",
            Counter.ConnectionsNotClosed => $"it got the end at {connection.EndSentAt}",
            Counter.ConnectionsNotReading =>
                $"{connection.ToClient.Count} bytes wait for the client and {connection.Writable}"
                + $" for the backend, as of {Places.NotReading()}, or another should go",
            Counter.ConnectionsTooOld =>
                $"not before {connection.AcceptedAt + _model.Scenario.Kernel.TcpLifetime}",
            _ => connection.MustEnd is { } must ? $"it should be {must}" : "nothing asked for it",
        };
    }

    private bool MayGiveWay(ExpectedConnection connection) => _comesFor is { } next
        && Places.MayGiveWay(connection, _perClient.GetValueOrDefault(next.From.Address));

    public void ReportAbandoned(ExpectedConnection connection) => ReportRelay(connection,
        $"its answer will not come, since {connection.Backend} hangs or has no session, and it was"
        + " not reset");

    public void ReportRelay(ExpectedConnection connection, string what) => _model.Report(
        ViolationKind.Relay, $"the connection of {connection.From}: {what}", connection.Backend);
}
