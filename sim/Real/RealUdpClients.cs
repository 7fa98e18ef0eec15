// Owns the clients that ask over UDP: what they send and when, that they ask again when no answer
// comes, and all that they get. What a datagram holds, which is lost, comes twice or late is the
// simulator's: the same functions of the seed.
//
// What always holds: a query asked again has the same id and leaves from the same socket; every
// socket but those of floods is read to the end of the run; all that is sent and got is written
// down.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using Balancer.Core;
using Simulation.Real.Interop;
using Simulation.Scenarios;

namespace Simulation.Real;

/// <summary>All UDP clients of a run.</summary>
internal sealed class RealUdpClients : IDisposable
{
    private const int Retries = 3;
    private const long RetryAfterNs = 2_000_000_000;
    private const int MaxPayload = 65_507;
    private const int ReceiveBuffer = 1 << 20;
    private const int ErrorBits = 0x0f;
    private const int Failure = 2;

    /// <summary>Numbers of questions that no scenario has.</summary>
    private const int FirstProbe = 1_000_000;

    private readonly Reactor _reactor;
    private readonly Observations _seen;
    private readonly RealHosts _hosts;
    private readonly Func<Ipv4, Endpoint> _serverOf;
    private readonly byte[] _buffer = new byte[DnsQuestions.MaxPayload + 29];
    private readonly Dictionary<(Ipv4 Host, ushort Port), Port> _ports = [];
    private readonly List<Port> _forged = [];
    private readonly List<Pending> _pending = [];
    private bool _mayProbe = true;
    private int _probes;

    /// <summary>A socket of a client host.</summary>
    private sealed class Port(Ipv4 planned, Socket socket, Endpoint at, Endpoint server)
    {
        /// <summary>The host's address in the scenario.</summary>
        public Ipv4 Planned => planned;

        public Socket Socket => socket;

        public Endpoint At => at;

        public Endpoint Server => server;

        public IPEndPoint SystemServer { get; } = RealHosts.ToSystem(server);
    }

    private sealed class Pending(Port port, int client, int query)
    {
        public Port Port => port;

        public int Client => client;

        public int Query => query;

        public bool IsAnswered { get; set; }

        public Action<long>? OnAnswered { get; init; }
    }

    /// <param name="reactor">Whose thread it all runs on.</param>
    /// <param name="seen">Where it is written down.</param>
    /// <param name="hosts">The addresses of hosts.</param>
    /// <param name="serverOf">Where a host asks.</param>
    public RealUdpClients(Reactor reactor, Observations seen, RealHosts hosts,
        Func<Ipv4, Endpoint> serverOf)
    {
        _reactor = reactor;
        _seen = seen;
        _hosts = hosts;
        _serverOf = serverOf;
        Transit = new UdpTransit(seen.Scenario.Seed);
    }

    public UdpTransit Transit { get; }

    /// <summary>When the last datagram was sent.</summary>
    public long LastSentAt { get; private set; }

    /// <summary>Asks what a plan says, now.</summary>
    public void Ask(UdpClientPlan client, int query)
    {
        var plan = client.Queries[query];
        if (plan.Port == 0)
            return;
        if (plan.Kind != QueryKind.Question || plan.Copies > 1)
        {
            Flood(client, query, plan);
            return;
        }
        var pending = new Pending(PortOf(client.Address, plan.Port), client.Id, query);
        _pending.Add(pending);
        Send(client, query, attempt: 0, pending.Port);
        if (client.Retries)
            AskAgainLater(client, pending, attempt: 1);
    }

    /// <summary>
    /// Each host of a client that retries asks one question more, until it is answered; but not one
    /// that still waits for the answer to the last.
    /// </summary>
    public void Probe()
    {
        var query = FirstProbe + _probes++;
        var hosts = _pending.Where(one => one is { OnAnswered: not null, IsAnswered: false })
            .Select(one => one.Port.Planned).ToHashSet();
        foreach (var client in _seen.Scenario.UdpClients)
        {
            if (client.Retries && hosts.Add(client.Address))
                Probe(client, query);
        }
    }

    /// <summary>No more is asked for the sake of liveness.</summary>
    public void EndProbes() => _mayProbe = false;

    public void Dispose()
    {
        foreach (var port in _ports.Values.Concat(_forged))
            port.Socket.Dispose();
    }

    // ---- Asking ----

    private void AskAgainLater(UdpClientPlan client, Pending pending, int attempt) =>
        _reactor.After(RetryAfterNs, () =>
        {
            if (pending.IsAnswered)
                return;
            Send(client, pending.Query, attempt, pending.Port);
            if (attempt < Retries)
                AskAgainLater(client, pending, attempt + 1);
        });

    private void Probe(UdpClientPlan client, int query)
    {
        var port = PortOf(client.Address, ushort.MaxValue);
        var probe = new ObservedProbe(port.At, Reactor.NowNs);
        _seen.Probes.Add(probe);
        var pending = new Pending(port, client.Id, query)
        {
            OnAnswered = now => probe.Answered = now,
        };
        _pending.Add(pending);
        Action? ask = null;
        ask = () =>
        {
            if (pending.IsAnswered || !_mayProbe)
                return;
            probe.Tries++;
            Deliver(port, _buffer.AsSpan(0, DnsQuestions.Write(_buffer, client.Id, query)));
            _reactor.After(RetryAfterNs, ask!);
        };
        ask();
    }

    private void Flood(UdpClientPlan client, int query, QueryPlan plan)
    {
        if (plan.Copies == 1)
        {
            Send(client, query, 0, PortOf(client.Address, plan.Port));
            return;
        }
        for (var copy = 0; copy < plan.Copies; copy++)
        {
            var address = new Ipv4(unchecked(client.Address.Value + (uint)copy));
            var port = Open(address);
            _forged.Add(port);
            Send(client, query, copy, port);
            // A late one is sent by the same socket, so that it can be closed then.
            _reactor.After(Transit.LateByUpTo + 1, port.Socket.Dispose);
        }
    }

    private void Send(UdpClientPlan client, int query, int attempt, Port port)
    {
        if (Transit.IsLost(client.Id, query, attempt))
            return;
        var late = Transit.Lateness(client.Id, query, attempt);
        var copies = Transit.ComesTwice(client.Id, query, attempt) ? 2 : 1;
        for (var copy = 0; copy < copies; copy++)
        {
            if (late == Duration.Zero)
                DeliverQuery();
            else
                _reactor.After(late.Nanoseconds, DeliverQuery);
        }

        void DeliverQuery()
        {
            var length = DnsQuestions.Write(_buffer, _seen.Scenario.Seed, client, query);
            if (client.Queries.Length > query
                && client.Queries[query].Kind == QueryKind.Killer)
            {
                length = DnsQuestions.MakeDeadly(_buffer.AsSpan(0, length));
            }
            Deliver(port, _buffer.AsSpan(0, length));
        }
    }

    private void Deliver(Port port, ReadOnlySpan<byte> payload)
    {
        // Written down first: who looks at the other end must find it here.
        var sent = new SentDatagram(Reactor.NowNs, port.At, payload.ToArray());
        try
        {
            _ = port.Socket.SendTo(payload, port.SystemServer);
        }
        catch (SocketException)
        {
            // This host had no room for it; it was not sent.
            return;
        }
        LastSentAt = sent.At;
        _seen.Sent.Add(sent);
    }

    // ---- Sockets ----

    private Port PortOf(Ipv4 planned, ushort number)
    {
        if (_ports.TryGetValue((planned, number), out var known))
            return known;
        var port = Open(planned);
        _ports.Add((planned, number), port);
        _seen.Read.Add(port.At);
        _reactor.Watch((int)port.Socket.Handle, LibC.PollIn, _ => Receive(port));
        return port;
    }

    private Port Open(Ipv4 planned)
    {
        var host = _hosts[planned];
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)
        {
            Blocking = false,
            ReceiveBufferSize = ReceiveBuffer,
        };
        socket.Bind(RealHosts.ToSystem(new Endpoint(host, 0)));
        return new Port(planned, socket, RealHosts.FromSystem((IPEndPoint)socket.LocalEndPoint!),
            _serverOf(host));
    }

    private void Receive(Port port)
    {
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            int length;
            try
            {
                length = port.Socket.ReceiveFrom(_buffer, ref from);
            }
            catch (SocketException)
            {
                return;
            }
            var payload = _buffer.AsSpan(0, length).ToArray();
            var now = Reactor.NowNs;
            _seen.Got.Add(new GotDatagram(now, port.At,
                RealHosts.FromSystem((IPEndPoint)from), port.Server, payload));
            OnReply(port, now, payload);
        }
    }

    private void OnReply(Port port, long now, ReadOnlySpan<byte> payload)
    {
        if (DnsQuestions.IdOfResponse(payload) is null)
            return;
        foreach (var pending in _pending)
        {
            if (pending.IsAnswered || pending.Port != port
                || !DnsQuestions.Answers(payload, pending.Client, pending.Query))
                continue;
            // The balancer's own error is an answer, but not what is owed in the end.
            if (pending.OnAnswered is not null && _seen.Scenario.Kernel.AnswersWithoutBackend
                && (payload[3] & ErrorBits) == Failure)
                continue;
            pending.IsAnswered = true;
            pending.OnAnswered?.Invoke(now);
        }
    }
}
