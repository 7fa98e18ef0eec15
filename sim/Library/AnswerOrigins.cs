// Owns the question who gave an answer: the backend whose reply it is, or the balancer itself. A
// reply is sent on in the turn in which it is read, so an answer is a backend's if the same bytes
// were read for its client in the same turn, and else the balancer's own.
//
// What always holds: it observes the run and changes nothing; it remembers the replies of
// one turn, and of the answers whom they answered.

using System;
using System.Collections.Generic;
using System.Text;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;

namespace Balancer.Simulation;

/// <summary>An answer of the balancer's, before it is known to whose question.</summary>
/// <param name="At">When it left.</param>
/// <param name="To">Where it went.</param>
/// <param name="Backend">Who gave it; null for the balancer itself.</param>
/// <param name="Code">Its error as DNS numbers it; 0 for none, or no header.</param>
internal readonly record struct Origin(Instant At, Endpoint To, string? Backend, int Code);

/// <summary>Follows replies from the backends to the clients.</summary>
internal sealed class AnswerOrigins : RunObserver
{
    private const int CodesAt = 3;
    private const int CodeBits = 0x0f;

    private readonly Dictionary<SocketHandle, Session> _sessions = [];
    private readonly List<(Endpoint To, byte[] Payload, string Backend)> _replies = [];
    private readonly Dictionary<(int Client, int Question), List<Origin>> _answers = [];

    private sealed class Session(string backend)
    {
        public string Backend => backend;

        public FrameDecoder Frames { get; } = new();

        /// <summary>Null until its first frame says what it is.</summary>
        public bool? IsControl { get; set; }
    }

    /// <summary>The answer that left last.</summary>
    public Origin Last { get; private set; }

    /// <summary>The answer that a question had at that time; null if it had none.</summary>
    public Origin? At(int client, int question, Instant at) =>
        Find(client, question, origin => origin.At == at);

    /// <summary>The balancer's own that it had first from that time on.</summary>
    public Origin? OwnSince(int client, int question, Instant since) =>
        Find(client, question, origin => origin.Backend is null && origin.At >= since);

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events) =>
        _replies.Clear();

    public override void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream)
    {
        var name = path[(path.LastIndexOf((byte)'/') + 1)..];
        if (!stream.IsNone)
            _sessions[stream] = new Session(Encoding.UTF8.GetString(name));
    }

    public override void OnClosed(Instant now, SocketHandle socket, bool aborted) =>
        _sessions.Remove(socket);

    public override void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        if (!_sessions.TryGetValue(stream, out var session) || session.IsControl == false)
            return;
        while (session.Frames.TryNext(ref bytes, out var frame))
        {
            session.IsControl ??= frame.Type == SeenFrame.ServerHello;
            if (session.IsControl == false)
                return;
            if (frame.Type == SeenFrame.OutboundUdp && frame.Port <= ushort.MaxValue)
            {
                _replies.Add((new Endpoint(new Ipv4(frame.Address), (ushort)frame.Port),
                    frame.Payload.ToArray(), session.Backend));
            }
        }
    }

    public override void OnSent(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        string? backend = null;
        for (var i = 0; i < _replies.Count && backend is null; i++)
        {
            var (to, reply, from) = _replies[i];
            if (to == header.Peer && payload.SequenceEqual(reply))
                backend = from;
        }
        Last = new Origin(now, header.Peer, backend,
            payload.Length > CodesAt ? payload[CodesAt] & CodeBits : 0);
    }

    public override void OnClientAnswered(Instant now, int client, int query)
    {
        if (!_answers.TryGetValue((client, query), out var answers))
            _answers.Add((client, query), answers = []);
        answers.Add(Last);
    }

    private Origin? Find(int client, int question, Func<Origin, bool> fits)
    {
        foreach (var origin in _answers.GetValueOrDefault((client, question)) ?? [])
        {
            if (fits(origin))
                return origin;
        }
        return null;
    }
}
