// Owns the clients that ask over UDP: what they send and when, that they ask again when no answer
// comes, and which query an answer is for.
//
// What always holds: a query asked again has the same id and port, 2 s after the time before, three
// times at most, and not once it is answered; floods from forged sources expect no answer; what a
// datagram holds is a function of the seed, its client and its query.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>All UDP clients of a run.</summary>
internal sealed class UdpClients
{
    private const int Retries = 3;

    private static readonly Duration RetryAfter = Duration.FromSeconds(2);
    private static readonly Ipv4 AnyOf = Ipv4.From(10, 99, 99, 1);

    private readonly SimKernel _kernel;
    private readonly RunObserver _observer;
    private readonly ulong _seed;
    private readonly Ipv4 _listen;
    private readonly byte[] _buffer = new byte[SimDatagrams.MaxPayload];
    private readonly Dictionary<ulong, Pending> _pending = [];
    private readonly Dictionary<Ipv4, int> _byAddress = [];

    private sealed class Pending(UdpClientPlan client, int query)
    {
        public UdpClientPlan Client => client;

        public int Query => query;

        public bool IsAnswered { get; set; }
    }

    public UdpClients(SimKernel kernel, RunObserver observer, Scenario scenario)
    {
        _kernel = kernel;
        _observer = observer;
        _seed = scenario.Seed;
        _listen = scenario.Kernel.Listen;
        Transit = new UdpTransit(_seed);
        foreach (var client in scenario.UdpClients)
            Schedule(client);
    }

    /// <summary>What happens to datagrams on their way.</summary>
    public UdpTransit Transit { get; }

    /// <summary>A datagram of the balancer's reached whoever has its address.</summary>
    public void OnReply(Instant now, Endpoint to, ReadOnlySpan<byte> payload)
    {
        var id = DnsQuestions.IdOfResponse(payload);
        if (id is { } known && _pending.TryGetValue(KeyOf(to, known), out var pending)
            && DnsQuestions.Answers(payload, pending.Client.Id, pending.Query))
        {
            pending.IsAnswered = true;
            _observer.OnClientAnswered(now, pending.Client.Id, pending.Query);
        }
        else if (_byAddress.TryGetValue(to.Address, out var client))
        {
            _observer.OnClientAnswered(now, client, -1);
        }
    }

    private static ulong KeyOf(Endpoint at, ushort id) =>
        (ulong)at.Address.Value << 32 | (ulong)at.Port << 16 | id;

    /// <summary>One action is scheduled for each client at a time: its next query.</summary>
    private void Schedule(UdpClientPlan client)
    {
        _byAddress.TryAdd(client.Address, client.Id);
        if (client.Queries.IsEmpty)
            return;
        var next = 0;
        Action? ask = null;
        ask = () =>
        {
            Ask(client, next++);
            if (next < client.Queries.Length)
                _kernel.At(client.Queries[next].At, ask!);
        };
        _kernel.At(client.Queries[0].At, ask);
    }

    private void Ask(UdpClientPlan client, int query)
    {
        var plan = client.Queries[query];
        var from = new Endpoint(client.Address, plan.Port);
        if (plan.Kind != QueryKind.Question || plan.Copies > 1)
        {
            Flood(client, query, plan);
            return;
        }
        var pending = new Pending(client, query);
        _pending[KeyOf(from, DnsQuestions.IdOf(client.Id, query))] = pending;
        Send(client, query, attempt: 0, from);
        if (client.Retries)
            AskAgainLater(pending, from, attempt: 1);
    }

    private void AskAgainLater(Pending pending, Endpoint from, int attempt) =>
        _kernel.After(RetryAfter, () =>
        {
            if (pending.IsAnswered)
                return;
            Send(pending.Client, pending.Query, attempt, from);
            if (attempt < Retries)
                AskAgainLater(pending, from, attempt + 1);
        });

    private void Flood(UdpClientPlan client, int query, QueryPlan plan)
    {
        for (var copy = 0; copy < plan.Copies; copy++)
        {
            var address = new Ipv4(unchecked(client.Address.Value + (uint)copy));
            Send(client, query, copy, new Endpoint(address, plan.Port));
        }
    }

    private void Send(UdpClientPlan client, int query, int attempt, Endpoint from)
    {
        var datagram = new ClientDatagram(client.Id, query, attempt, from);
        var lost = Transit.IsLost(client.Id, query, attempt);
        _observer.OnClientAsked(_kernel.Now, in datagram, lost);
        if (lost)
            return;
        var late = Transit.Lateness(client.Id, query, attempt);
        Arrive(client, datagram, late);
        if (Transit.ComesTwice(client.Id, query, attempt))
            Arrive(client, datagram, late);
    }

    private void Arrive(UdpClientPlan client, ClientDatagram datagram, Duration late)
    {
        if (late == Duration.Zero)
            Inject(client, datagram);
        else
            _kernel.After(late, () => Inject(client, datagram));
    }

    private void Inject(UdpClientPlan client, ClientDatagram datagram)
    {
        var (query, from) = (datagram.Query, datagram.From);
        var payload = _buffer.AsSpan(0, DnsQuestions.Write(_buffer, _seed, client, query));
        var to = _listen != Ipv4.Any
            ? _listen
            : new Ipv4(AnyOf.Value + (uint)((client.Id + query) & 1));
        var queued = _kernel.InjectDatagram(from, to, payload);
        _observer.OnClientArriving(_kernel.Now, in datagram);
        _observer.OnClientSent(_kernel.Now, client.Id, from, payload, queued);
    }
}
