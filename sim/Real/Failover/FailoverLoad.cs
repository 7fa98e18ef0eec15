// Owns the clients of the failover benchmark: a socket each, on an address of its own, all of which
// send as many queries a second as a scenario says, in turn and in small bursts, and read every
// reply. They do not retry: what is lost is to be seen.
//
// What always holds: a query is written down before it is sent; who comes late catches up in bursts
// of at most 64, so that the machine's own pauses do not overflow the balancer's queue, and how
// late it came is told.

using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using Balancer.Core;
using Simulation.Real.Interop;
using Simulation.Scenarios;

namespace Simulation.Real.Failover;

/// <summary>The load of one scenario.</summary>
internal sealed class FailoverLoad : IDisposable
{
    private const long TickNs = 1_000_000;
    private const long Second = 1_000_000_000;
    private const int MostAtOnce = 64;
    private const int HostsANet = 250;
    private const int BufferBytes = 1 << 20;

    private readonly Reactor _reactor;
    private readonly FailoverScenario _scenario;
    private readonly FailoverLedger _ledger;
    private readonly byte[][] _names;
    private readonly List<Socket> _sockets = [];
    private readonly byte[] _question = new byte[DnsQuestions.MaxBytes];
    private readonly byte[] _reply = new byte[4096];
    private long _startedAt;
    private long _sent;
    private bool _isOn;

    /// <param name="reactor">Whose thread it all runs on.</param>
    /// <param name="scenario">How much.</param>
    /// <param name="ledger">Where it is written down.</param>
    /// <param name="names">What backends call themselves, in the ledger's order.</param>
    /// <param name="server">Where to ask.</param>
    public FailoverLoad(Reactor reactor, FailoverScenario scenario, FailoverLedger ledger,
        IEnumerable<string> names, Endpoint server)
    {
        _reactor = reactor;
        _scenario = scenario;
        _ledger = ledger;
        var bytes = new List<byte[]>();
        foreach (var name in names)
            bytes.Add(System.Text.Encoding.UTF8.GetBytes(name));
        _names = [.. bytes];
        for (var client = 0; client < scenario.Clients; client++)
            Open(client, server);
    }

    /// <summary>How late a query was sent at most.</summary>
    public long LongestDelayNs { get; private set; }

    /// <summary>Sends from now on.</summary>
    public void Start()
    {
        _startedAt = Reactor.NowNs;
        _isOn = true;
        Tick();
    }

    /// <summary>Sends nothing more, and reads on.</summary>
    public void Stop() => _isOn = false;

    public void Dispose()
    {
        foreach (var socket in _sockets)
        {
            _reactor.Forget((int)socket.Handle);
            socket.Dispose();
        }
    }

    private void Open(int client, Endpoint server)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)
        {
            Blocking = false,
            ReceiveBufferSize = BufferBytes,
        };
        _sockets.Add(socket);
        var host = Ipv4.From(127, 20, (byte)(client / HostsANet), (byte)(client % HostsANet + 1));
        socket.Bind(RealHosts.ToSystem(new Endpoint(host, 0)));
        socket.Connect(new IPEndPoint(RealHosts.ToSystem(server).Address, server.Port));
        _reactor.Watch((int)socket.Handle, LibC.PollIn, _ => Receive(client));
    }

    private void Tick()
    {
        if (!_isOn)
            return;
        var now = Reactor.NowNs;
        var due = (now - _startedAt) * _scenario.Rate / Second + 1;
        LongestDelayNs = Math.Max(
            LongestDelayNs, now - _startedAt - _sent * Second / _scenario.Rate);
        for (var left = Math.Min(due - _sent, MostAtOnce); left > 0; left--)
            Ask((int)(_sent++ % _scenario.Clients));
        _reactor.At(now + TickNs, Tick);
    }

    private void Ask(int client)
    {
        var length = FailoverQuestions.Write(
            _question, client, _ledger.NextQuery(client), _scenario.IsPopular);
        _ledger.OnSent(client, Reactor.NowNs);
        // An error, such as that nobody listens, is a query that stays unanswered.
        _sockets[client].Send(_question.AsSpan(0, length), SocketFlags.None, out _);
    }

    private void Receive(int client)
    {
        while (true)
        {
            var length = _sockets[client].Receive(_reply, SocketFlags.None, out var error);
            if (error == SocketError.Success)
                Take(client, _reply.AsSpan(0, length), Reactor.NowNs);
            else if (error != SocketError.ConnectionRefused)
                return;
        }
    }

    private void Take(int client, ReadOnlySpan<byte> message, long now)
    {
        var reply = FailoverQuestions.Read(
            message, client, _ledger.NextQuery(client), _scenario.IsPopular);
        if (reply is not { } answer)
        {
            _ledger.OnStray();
            return;
        }
        _ledger.OnReply(client, answer.Query, now, answer.IsRefusal,
            FailoverQuestions.AsksWho(client, answer.Query) ? BackendOf(message) : null);
    }

    private int? BackendOf(ReadOnlySpan<byte> message)
    {
        var server = FailoverQuestions.Server(message);
        for (var backend = 0; backend < _names.Length; backend++)
        {
            if (server.SequenceEqual(_names[backend]))
                return backend;
        }
        return null;
    }
}
