// Owns all checks of one run, and what they share: the reference model, fed with the observed
// calls. It is an observer like any other, and ends the run with a ViolationException at the first
// violation.
//
// When several checks fail at one event, the one that says most reports. The rule: what is about
// one mechanism goes before what is about a result of it, and a recount of numbers goes last:
//
//   S8 S9        timing of one backend's session
//   S7 S14       the bytes of one connection, what the loop is woken for
//   S6           one generation's frames
//   L3           one connection's time
//   S3 S5 S10 S4 remotes, replies, bounds, counts of remotes
//   S16          how often one is sent
//   S1 S2        every datagram's place
//   S15          the stop
//   S11 S12      what was named, what was counted
//   S17 S18 S19  what is owed at any time
//   L1 L2 L4 L5  what is owed in the end
//
// What always holds: within an event the model hears of it before the checks do; the first
// violation stays; checks that were left out cost next to nothing and never report.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>The checks of a run.</summary>
public sealed class CheckSet : RunObserver
{
    private readonly Scenario _scenario;
    private readonly Check[] _checks;
    private readonly ReferenceModel _model;

    /// <summary>All checks, for a run of this scenario.</summary>
    public CheckSet(Scenario scenario)
        : this(scenario, All())
    {
    }

    private CheckSet(Scenario scenario, IEnumerable<Check> checks)
    {
        _scenario = scenario;
        _checks = [.. checks];
        _model = new ReferenceModel(scenario, OnDifference);
        foreach (var check in _checks)
            check.Model = _model;
    }

    /// <summary>The ids of all checks, the one that reports first before the others.</summary>
    public static ImmutableArray<string> Ids { get; } = [.. All().Select(check => check.Id)];

    /// <summary>The first check that did not hold, or null as it should be.</summary>
    public Violation? Violation { get; private set; }

    /// <summary>What it counts says how much it had to judge; null if it was left out.</summary>
    internal S17NothingLost? NothingLost => _checks.OfType<S17NothingLost>().FirstOrDefault();

    /// <summary>The same of what backends died of or hung.</summary>
    internal S19OneCulprit? OneCulprit => _checks.OfType<S19OneCulprit>().FirstOrDefault();

    /// <summary>
    /// The same run with these checks alone; S13 is the runner's, not one of them.
    /// </summary>
    public CheckSet Only(IEnumerable<string> ids)
    {
        var wanted = ids.ToHashSet(StringComparer.OrdinalIgnoreCase);
        return new CheckSet(_scenario, All().Where(check => wanted.Contains(check.Id)));
    }

    /// <summary>The same run without these checks.</summary>
    public CheckSet Without(IEnumerable<string> ids)
    {
        var unwanted = ids.ToHashSet(StringComparer.OrdinalIgnoreCase);
        return new CheckSet(_scenario, All().Where(check => !unwanted.Contains(check.Id)));
    }

    /// <summary>Adds to a table what the model has met in the run that is over.</summary>
    public void AddMet(Coverage coverage) => coverage.Add(_model.Situations);

    public override void OnBegan(SocketHandle datagramSocket, SocketHandle listener)
    {
        _model.Sockets.Datagrams = datagramSocket;
        _model.Sockets.Listener = listener;
    }

    public override void OnStalled(Instant now, Duration time) => _model.OnStalled(time);

    public override void OnLate(Duration late) => _model.OnLate(late);

    public override void OnClockWentBack(Duration by) => _model.OnClockWentBack(by);

    public override void OnWokenEarly() => _model.OnWokenEarly();

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        _model.OnTurnBegan(now, events);
        foreach (var check in _checks)
            check.OnTurnBegan(_model.Now, events);
        Conclude(now);
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        _model.OnTurnEnded(now, core);
        foreach (var check in _checks)
            check.OnTurnEnded(_model.Now, core);
        Conclude(now);
    }

    public override void OnReceived(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        _model.OnReceived(now, in header, payload);
        foreach (var check in _checks)
            check.OnReceived(in header, payload);
        Conclude(now);
    }

    public override void OnReceiveFailed(Instant now, IoResult why)
    {
        _model.OnReceiveFailed(now, why);
        Conclude(now);
    }

    public override void OnSent(Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        _model.OnSent(now, in header, payload);
        foreach (var check in _checks)
            check.OnSent(in header, payload);
        Conclude(now);
    }

    public override void OnSendFailed(Instant now, in DatagramHeader header, IoResult why)
    {
        _model.OnSendFailed(now, in header, why);
        foreach (var check in _checks)
            check.OnSendFailed(in header, why);
        Conclude(now);
    }

    public override void OnAccepted(
        Instant now, IoResult result, SocketHandle stream, Endpoint client)
    {
        _model.OnAccepted(now, result, stream, client);
        Conclude(now);
    }

    public override void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream)
    {
        _model.OnConnected(now, path, result, stream);
        Conclude(now);
    }

    public override void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        _model.OnRead(now, stream, result, bytes);
        Conclude(now);
    }

    public override void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        _model.OnWritten(now, stream, result, bytes);
        if (_model.Sockets.OwnerOf(stream) is ExpectedSession)
        {
            foreach (var check in _checks)
                check.OnWritten(stream, bytes);
        }
        else if (_model.Sockets.OwnerOf(stream) is ExpectedConnection connection
            && stream != connection.Client)
        {
            foreach (var check in _checks)
                check.OnRelayed(connection, stream, bytes);
        }
        Conclude(now);
    }

    public override void OnHalfClosed(Instant now, SocketHandle stream)
    {
        _model.OnHalfClosed(now, stream);
        Conclude(now);
    }

    public override void OnClosed(Instant now, SocketHandle socket, bool aborted)
    {
        _model.OnClosed(now, socket, aborted);
        Conclude(now);
    }

    public override void OnInterest(Instant now, SocketHandle socket, Readiness interest)
    {
        _model.OnInterest(socket, interest);
        Conclude(now);
    }

    public override void OnScanOpened(Instant now, IoResult result)
    {
        _model.OnScanOpened(now, result);
        Conclude(now);
    }

    public override void OnScanEntry(Instant now, IoResult result, in DirectoryEntry entry)
    {
        _model.OnScanEntry(now, result, in entry);
        Conclude(now);
    }

    public override void OnLooked(Instant now, ReadOnlySpan<byte> name, IoResult result)
    {
        _model.OnLooked(now, name, result);
        Conclude(now);
    }

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        _model.OnLogged(now, logged);
        foreach (var check in _checks)
            check.OnLogged(_model.Now, logged);
        _model.OnLogSettled(logged);
        Conclude(now);
    }

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    {
        if (queued)
            _model.OnDatagramQueued();
        else
            _model.Dropped.OnDatagram();
        foreach (var check in _checks)
            check.OnClientSent(now, client, from, payload, queued);
        Conclude(now);
    }

    public override void OnTcpClientConnected(Instant now, int client, bool connected)
    {
        if (!connected && !_model.Sockets.IsListenerClosed)
            _model.Dropped.OnConnection();
    }

    public override void OnClientAnswered(Instant now, int client, int query)
    {
        foreach (var check in _checks)
            check.OnClientAnswered(now, client, query);
        Conclude(now);
    }

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        foreach (var check in _checks)
            check.OnFault(now, fault, began);
        Conclude(now);
    }

    public override void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        foreach (var check in _checks)
            check.OnBackendRead(now, backend, stream, bytes);
    }

    public override void OnBackendEnded(
        Instant now, int backend, SocketHandle stream, string how)
    {
        foreach (var check in _checks)
            check.OnBackendEnded(now, backend, stream, how);
    }

    public override void OnHealed(Instant now)
    {
        _model.OnHealed();
        foreach (var check in _checks)
            check.OnHealed(now);
        Conclude(now);
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        foreach (var check in _checks)
            check.OnEnded(_model.Now, core);
        Conclude(now);
    }

    private static IEnumerable<Check> All() =>
    [
        new S8Heartbeats(), new S9BackOff(), new S7Streams(), new S14Attention(),
        new S6Generations(), new L3Connections(), new S3Stickiness(), new S5NoInvention(),
        new S10Bounds(), new S4Assignment(), new S16Resends(), new S1Conservation(),
            new S2Routing(),
        new S15Stop(), new S11Attribution(), new S12Accounting(),
        new S17NothingLost(), new S18Shares(), new S19OneCulprit(),
        new L1Answers(), new L2Healthy(), new L4Spread(), new L5Settling(),
    ];

    private void OnDifference(ViolationKind kind, string evidence, int backend, int client)
    {
        foreach (var check in _checks)
        {
            if (check.Claims(kind))
                check.Fail(evidence, backend, client);
        }
    }

    private void Conclude(Instant now)
    {
        if (Violation != null)
            return;
        foreach (var check in _checks)
        {
            if (check.Violation is not { } violation)
                continue;
            Violation = violation with { At = now };
            throw new ViolationException(Violation);
        }
    }
}
