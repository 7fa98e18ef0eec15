// Owns what arrived and is not decided yet: datagrams of a batch, which are all received at once
// and decided one by one, and a connection whose client has sent something. Each is decided by the
// policy model, and the core's lines about bindings must be those that the model made, for arrivals
// and for queries that are sent once more.
//
// What always holds: arrivals are decided in their order, at the latest when the core makes its
// next call; a datagram is in exactly one of the expected counters.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Decides what should become of what arrives.</summary>
internal sealed class ArrivalModel(ReferenceModel model)
{
    private readonly List<(DatagramHeader Header, int At, ExpectedConnection? Connection)>
        _waiting = [];
    private byte[] _payloads = new byte[64 * 1024];
    private readonly Queue<Binding> _untold = new();
    private int _filled;
    private int _next;

    /// <summary>
    /// Told where each good query should go, with its first two bytes; null for a drop.
    /// </summary>
    public Action<Endpoint, int, ExpectedBackend?>? OnRouted { get; set; }

    /// <summary>Told of each that is dropped because its client has more than its share.</summary>
    public Action<Endpoint, int>? OnOverShare { get; set; }

    public void OnReceived(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        while (_filled + payload.Length > _payloads.Length)
            Array.Resize(ref _payloads, _payloads.Length * 2);
        payload.CopyTo(_payloads.AsSpan(_filled));
        _waiting.Add((header, _filled, null));
        _filled += payload.Length;
    }

    public void OnSpoke(ExpectedConnection connection) =>
        _waiting.Add((default, 0, connection));

    /// <summary>Decides all that waits; none may need a binding that was not logged.</summary>
    public void Drain()
    {
        if (_waiting.Count == 0)
            return;
        while (TryDecide())
            ReportUntold();
        _waiting.Clear();
        _next = 0;
        _filled = 0;
    }

    /// <summary>
    /// Decides up to the arrival, or the query that is sent once more, that led to a binding that
    /// the core logged.
    /// </summary>
    public void DrainTo(LogEvent.RemoteAssigned logged)
    {
        model.Policy.Told = logged;
        while (_untold.Count == 0 && (TryDecide() || model.Resends.TryStep()))
        {
        }
        model.Policy.Told = null;
        if (!_untold.TryDequeue(out var binding))
        {
            ReportBinding(logged, null);
        }
        else if (binding.Remote != logged.Remote || binding.Backend.Id != logged.Backend.Value
            || binding.IsBackup != logged.IsBackup)
        {
            ReportBinding(logged, binding);
        }
    }

    /// <summary>
    /// Decides up to the arrival of this address for which one must be forgotten, established or a
    /// newcomer, and not that arrival; false if there is none.
    /// </summary>
    public bool DrainToOneThatNeedsRoom(Ipv4 address, Ipv4 of)
    {
        while (_next < _waiting.Count)
        {
            // What it is may change by an arrival of its own on the way.
            var isEstablished =
                model.Policy.Remotes.GetValueOrDefault(of)?.IsEstablished ?? true;
            if (AddressOf(_waiting[_next]) == address && NeedsRoom(_waiting[_next], isEstablished))
                return true;
            TryDecide();
            ReportUntold();
        }
        return false;
    }

    /// <summary>Decides up to the arrival that meets the condition that a line is about.</summary>
    public void DrainUntil(Func<bool> isDue)
    {
        while (!isDue() && TryDecide())
        {
        }
    }

    /// <summary>If the last choice bound a remote, that must be logged.</summary>
    public void OweBinding()
    {
        if (model.Policy.LastBinding is { } binding)
            _untold.Enqueue(binding);
    }

    /// <summary>Reports bindings that should have been logged by now.</summary>
    public void ReportUntold()
    {
        while (_untold.TryDequeue(out var binding))
        {
            model.Report(ViolationKind.Misrouted, $"{binding.Remote} should have been bound to"
                + $" {Describe(binding)}, and was not", binding.Backend);
        }
    }

    private static string Describe(Binding binding) =>
        $"{binding.Backend}{(binding.IsBackup ? " as backup" : "")}";

    private static Ipv4 AddressOf(
        (DatagramHeader Header, int At, ExpectedConnection? Connection) item) =>
        item.Connection?.From.Address ?? item.Header.Peer.Address;

    /// <summary>
    /// Whether there are as many established ones, or newcomers, as may be, and an arrival makes
    /// its remote another.
    /// </summary>
    private bool NeedsRoom(
        (DatagramHeader Header, int At, ExpectedConnection? Connection) item, bool ofEstablished)
    {
        var policy = model.Policy;
        var isTcp = item.Connection != null;
        var isFull = ofEstablished ? policy.Established >= policy.MostEstablished
            : policy.Newcomers.Count >= policy.MostNewcomers;
        var isNew = !policy.Remotes.TryGetValue(AddressOf(item), out var remote);
        var becomesOne = isNew
            ? policy.AnyChoosable() && (isTcp || !ofEstablished)
            : ofEstablished && !remote!.IsEstablished
                && PolicyModel.MayBeEstablished(model.Now, remote, isTcp);
        if (!isFull || !becomesOne)
            return false;
        if (isTcp)
            return true;
        var payload = _payloads.AsSpan(item.At, item.Header.Length);
        return ReasonToDrop(in item.Header, payload) == null
            && !model.Quarantine.IsRefused(payload);
    }

    /// <summary>
    /// A binding that was logged is not the due one. One that was due for the same remote is
    /// in the model by now; without it the remote's primary is one that it had before.
    /// </summary>
    private void ReportBinding(LogEvent.RemoteAssigned logged, Binding? due)
    {
        var primary = model.Policy.Remotes.GetValueOrDefault(logged.Remote)?.Primary;
        var hadPrimary = primary != null && due?.Remote != logged.Remote
            && primary.Id != logged.Backend.Value;
        var should = due is { } binding
            ? $"it should be {binding.Remote} to {Describe(binding)}" : "nobody needs a backend";
        model.Report(hadPrimary && !logged.IsBackup ? ViolationKind.PrimaryChanged
                : ViolationKind.Misrouted,
            $"{logged.Remote} was bound to backend {logged.Backend}"
            + $"{(logged.IsBackup ? " as backup" : "")}; {should}"
            + (hadPrimary ? $"; its primary is {primary}, {primary!.Stage}" : ""),
            model.Policy.WithId(logged.Backend.Value));
    }

    /// <summary>
    /// Decides the next arrival; false if none is left. What the one before bound is logged first.
    /// </summary>
    private bool TryDecide()
    {
        if (_next == _waiting.Count)
            return false;
        ReportUntold();
        if (NeedsRoom(_waiting[_next], ofEstablished: true))
            model.Remotes.OnNoRoomMade(AddressOf(_waiting[_next]));
        var (header, at, connection) = _waiting[_next++];
        if (connection != null)
            model.Connections.Decide(connection);
        else
            DecideQuery(in header, _payloads.AsSpan(at, header.Length));
        return true;
    }

    private void DecideQuery(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        model.Counters.Add(Counter.QueriesReceived);
        if (ReasonToDrop(in header, payload) is { } reason)
        {
            model.Counters.Add(reason);
            return;
        }
        if (model.Quarantine.IsRefused(payload))
        {
            model.Counters.Add(Counter.QueriesQuarantined);
            model.OwnAnswers.Owe(in header, payload, OwnAnswerModel.Refused);
            return;
        }
        var first = Choose(header.Peer.Address, out var remote);
        if (first == null)
        {
            model.Counters.Add(Counter.QueriesWithoutBackend);
            model.Outage.OnDropped(isTcp: false);
            if (model.Scenario.Kernel.AnswersWithoutBackend)
                model.OwnAnswers.Owe(in header, payload, OwnAnswerModel.Failure);
            OnRouted?.Invoke(header.Peer, IdOf(payload), null);
            if (remote != null)
                remote.UdpDropped++;
            return;
        }
        var isNewcomer = remote is not { IsEstablished: true };
        if (model.Shares.IsOver(first, header.Peer.Address, isNewcomer))
        {
            model.Counters.Add(Counter.QueriesOverShare);
            model.Repeats.OnCondition(Repeat.OverShare, 0,
                new LogEvent.ClientOverShare(header.Peer, first.Name, 0));
            OnRouted?.Invoke(header.Peer, IdOf(payload), first);
            OnOverShare?.Invoke(header.Peer, IdOf(payload));
            if (remote != null)
                remote.UdpDropped++;
            return;
        }
        var query = new ExpectedQuery(header.Peer, header.Local, payload.ToArray(), model.Now)
        {
            IsNewcomers = isNewcomer,
        };
        var taken = model.Flights.Give(first, query);
        OnRouted?.Invoke(header.Peer, IdOf(payload), taken ?? first);
        if (taken != null)
        {
            model.Counters.Add(Counter.QueriesForwarded);
            model.Resends.OnForwarded();
        }
        else
        {
            model.Counters.Add(Counter.QueriesToStuckBackend);
            first.DropsWhileStuck++;
            first.Stuck.Dropped++;
        }
        if (remote != null)
            _ = taken != null ? remote.UdpForwarded++ : remote.UdpDropped++;
    }

    private ExpectedBackend? Choose(Ipv4 client, out ExpectedRemote? remote)
    {
        var chosen = model.Policy.Choose(model.Now, client, isTcp: false, out remote);
        OweBinding();
        return chosen;
    }

    /// <summary>A question's id; -1 for what is too short to have one.</summary>
    internal static int IdOf(ReadOnlySpan<byte> payload) =>
        payload.Length < 2 ? -1 : BinaryPrimitives.ReadUInt16BigEndian(payload);

    private Counter? ReasonToDrop(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (header.Truncated || payload.Length > 1500)
            return Counter.QueriesOversized;
        if (header.Peer.Port == 0)
            return Counter.QueriesFromPortZero;
        if (IsEchoPort(header.Peer.Port))
            return Counter.QueriesFromEchoPort;
        if (IsNobodys(header.Peer.Address))
            return Counter.QueriesFromNoHost;
        if (IsSelf(in header))
            return Counter.QueriesFromSelf;
        if (model.Probes.IsFromProbeAddress(header.Peer.Address))
            return Counter.QueriesFromProbeAddress;
        return payload.Length >= 3 && payload[2] >= 0x80 ? Counter.QueriesWithResponseBit : null;
    }

    /// <summary>Ports of services that answer anything.</summary>
    internal static bool IsEchoPort(int port) =>
        port == 7 || port == 13 || port == 17 || port == 19 || port == 37 || port == 464;

    /// <summary>Addresses that no host has.</summary>
    internal static bool IsNobodys(Ipv4 address) => address == Ipv4.Any
        || (address.Value >= 0xe0000000 && address.Value < 0xf0000000)
        || address.Value == 0xffffffff;

    private bool IsSelf(in DatagramHeader header)
    {
        var listen = model.Directory.Listen;
        return header.Peer.Port == listen.Port
            && (header.Peer.Address == header.Local || header.Peer.Address == listen.Address
                || (listen.Address == Ipv4.Any
                    && (header.IsFromThisHost || header.Peer.Address.IsLoopback)));
    }
}
