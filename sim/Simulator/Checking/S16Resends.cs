// Claims that a query is sent to two backends at most, and to one of them again, or to a new
// session of it, only when an answer of a backend that has just said hello is held; that one reply
// at most goes back for it; and that copies of what suspect backends have, which are extra load,
// are no more in ten seconds than 200, or one for every ten queries. And that probes, which no
// client asked, come from their own address and nothing is ever sent there.
//
// It knows by counting, and of the model only whose a stream is: datagrams by their bytes as they
// are received and in the frames that are written, replies by client, port and id, and copies by
// the core's own counters. A window of ten seconds is counted in whole seconds, so its queries may
// be those of eleven.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S16Resends() : Check("S16")
{
    private const int MostBackends = 2;

    private static readonly Duration Window = Duration.FromSeconds(10L);
    private static readonly Duration LongWindow = Duration.FromSeconds(11L);

    private readonly Dictionary<(Endpoint From, ulong Payload), Asked> _queries = [];
    private readonly Dictionary<(Endpoint From, int Id), (int Came, int Answered)> _replies = [];
    private readonly Dictionary<SocketHandle, List<byte>> _written = [];
    private readonly Queue<(Instant At, long Queries, long Copies)> _recent = new();
    private (long Queries, long Copies) _last;
    private long _again;

    private sealed class Asked
    {
        public int Came { get; set; }
        public int Sent { get; set; }
        public HashSet<int> Backends { get; } = [];

        /// <summary>How often it was sent beyond that.</summary>
        public int Again => Math.Max(0, Sent - Came * MostBackends);
    }

    public override void OnReceived(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        var query = (header.Peer, HashOf(payload));
        var known = AskedOf(query);
        _again -= known.Again;
        known.Came++;
        _again += known.Again;
        var asked = (header.Peer, IdOf(payload));
        var replies = _replies.GetValueOrDefault(asked);
        _replies[asked] = (replies.Came + 1, replies.Answered);
    }

    public override void OnSent(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (Model.Probes.IsFromProbeAddress(header.Peer.Address))
            Fail($"a datagram of {payload.Length} bytes left for {header.Peer}, the probes' own");
        var answered = (header.Peer, IdOf(payload));
        var (came, before) = _replies.GetValueOrDefault(answered);
        _replies[answered] = (came, before + 1);
        if (before >= came)
        {
            Fail($"{header.Peer} was sent {before + 1} replies with the id {IdOf(payload)}; it has"
                + $" asked {came} times");
        }
    }

    public override void OnWritten(SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (!_written.TryGetValue(stream, out var frames))
            _written.Add(stream, frames = []);
        frames.AddRange(bytes);
        var all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(frames);
        var taken = 0;
        while (IsWhole(all[taken..]))
        {
            var size = SeenFrame.SizeOf(all[taken..]);
            if (SeenFrame.IsQuery(all[taken..]))
                OnQuerySent(stream, all.Slice(taken, size));
            taken += size;
        }
        frames.RemoveRange(0, taken);
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        var queries = core.Counters[Counter.QueriesForwarded];
        var copies = core.Counters[Counter.ResendsFromSuspect];
        if (queries != _last.Queries || copies != _last.Copies)
            _recent.Enqueue((now, queries - _last.Queries, copies - _last.Copies));
        while (_recent.TryPeek(out var oldest) && now - oldest.At > LongWindow)
            _recent.Dequeue();
        if (copies != _last.Copies)
            CheckBudget(now);
        if (_again > core.Counters[Counter.RepliesHeld])
        {
            Fail($"{_again} queries were sent a third time or more; the answers of"
                + $" {core.Counters[Counter.RepliesHeld]} were held");
        }
        _last = (queries, copies);
    }

    private void CheckBudget(Instant now)
    {
        var copies = _recent.Where(turn => now - turn.At < Window).Sum(turn => turn.Copies);
        var most = Math.Max(SpecifiedLimits.LeastCopies,
            _recent.Sum(turn => turn.Queries) / SpecifiedLimits.QueriesOfACopy);
        if (copies > most)
            Fail($"{copies} queries of suspect backends were sent again in {Window};"
                + $" {most} may be");
    }

    private Asked AskedOf((Endpoint, ulong) query)
    {
        if (!_queries.TryGetValue(query, out var asked))
            _queries.Add(query, asked = new Asked());
        return asked;
    }

    private void OnQuerySent(SocketHandle stream, ReadOnlySpan<byte> frame)
    {
        var (address, port) = SeenFrame.ClientOf(frame);
        var from = new Endpoint(new Ipv4(address), (ushort)port);
        if (Model.Probes.IsFromProbeAddress(from.Address))
            return;
        var asked = AskedOf((from, HashOf(frame[SeenFrame.QueryHeaderBytes..])));
        _again -= asked.Again;
        asked.Sent++;
        _again += asked.Again;
        if (Model.Sockets.OwnerOf(stream) is ExpectedSession session)
            asked.Backends.Add(session.Backend.Id);
        if (asked.Backends.Count > asked.Came * MostBackends)
        {
            Fail($"a query of {from} that came {asked.Came} times was sent to"
                + $" {asked.Backends.Count} backends");
        }
    }

    private static bool IsWhole(ReadOnlySpan<byte> bytes) => bytes.Length >= 4
        && (SeenFrame.TypeOf(bytes) != SeenFrame.InboundUdp || SeenFrame.IsQuery(bytes))
        && bytes.Length >= SeenFrame.SizeOf(bytes);

    private static int IdOf(ReadOnlySpan<byte> payload) =>
        (payload.Length > 0 ? payload[0] << 8 : 0) | (payload.Length > 1 ? payload[1] : 0);

    /// <summary>
    /// FNV-1a; two payloads of one client that are taken for one only allow more.
    /// </summary>
    private static ulong HashOf(ReadOnlySpan<byte> payload)
    {
        var hash = 14_695_981_039_346_656_037ul;
        foreach (var octet in payload)
            hash = unchecked((hash ^ octet) * 1_099_511_628_211ul);
        return hash;
    }
}
