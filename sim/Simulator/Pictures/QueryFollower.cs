// Owns the following of UDP queries through a run: from the client into the balancer, into which
// backend's stream, and back out. A query is known by its source and its first two bytes, which
// are its id. A retry has the same, so that which attempt is meant is told by where it can be: what
// is written to a stream was received in this turn, or since the stream has had bytes waiting, or
// else has waited for a backend; what is sent to a client was read from the stream that its attempt
// went to. Then it is the oldest.
//
// What always holds: each datagram of a client is one mark, lost on its way or not; one that is in
// no stream by the end of the run is explained by the counters that rose in the turn that received
// it, if by anything.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Balancer.Core;
using FakeBinder;
using Simulation.Model;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Pictures;

internal sealed class QueryFollower(Story story)
{
    /// <summary>What every run listens on.</summary>
    private const int DnsPort = 53;

    private readonly Dictionary<Key, LinkedList<QueryMark>> _open = [];
    private readonly Dictionary<SocketHandle, Session> _sessions = [];
    private readonly List<QueryMark> _received = [];
    private readonly Dictionary<ClientDatagram, QueryMark> _onTheWay = [];
    private QueryMark? _arriving;
    private int _turn;
    private long _withoutBackend;
    private long _overShare;
    private long _stuck;

    private readonly record struct Key(Endpoint From, int Id);

    public void OnClientAsked(Instant now, in ClientDatagram datagram, bool lost)
    {
        var mark = NewMark(now, in datagram);
        if (lost)
            mark.Dropped = "lost on the way";
        else
            _onTheWay[datagram] = mark;
    }

    public void OnClientArriving(Instant now, in ClientDatagram datagram) =>
        _arriving = _onTheWay.Remove(datagram, out var mark) ? mark : NewMark(now, in datagram);

    public void OnClientSent(
        Instant now, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    {
        if (_arriving is not { } mark)
            return;
        _arriving = null;
        mark.Arrived = now;
        mark.Bytes = payload.Length;
        if (!queued)
        {
            mark.Dropped = "receive queue full";
            return;
        }
        var key = KeyOf(from, payload);
        if (!_open.TryGetValue(key, out var marks))
            _open.Add(key, marks = new LinkedList<QueryMark>());
        marks.AddLast(mark);
    }

    public void OnReceived(Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (Find(header.Peer, payload, mark => mark.Received == Instant.Never) is not { } found)
            return;
        found.Received = now;
        found.Turn = _turn;
        found.Dropped = ReasonToDrop(in header, payload);
        if (found.Dropped == null)
            _received.Add(found);
    }

    /// <summary>Explains what the turn received and did not forward.</summary>
    public void OnTurnEnded(Counters counters)
    {
        var withoutBackend = counters[Counter.QueriesWithoutBackend] - _withoutBackend;
        var stuck = counters[Counter.QueriesToStuckBackend] - _stuck;
        var overShare = counters[Counter.QueriesOverShare] - _overShare;
        _withoutBackend += withoutBackend;
        _overShare += overShare;
        _stuck += stuck;
        foreach (var mark in _received)
        {
            if (mark.Forwarded != Instant.Never)
                continue;
            if (withoutBackend-- > 0)
                mark.Dropped = nameof(Counter.QueriesWithoutBackend);
            else if (overShare-- > 0)
                mark.Dropped = nameof(Counter.QueriesOverShare);
            else if (stuck-- > 0)
                mark.Dropped = nameof(Counter.QueriesToStuckBackend);
        }
        _received.Clear();
        _turn++;
    }

    /// <summary>Bytes wait for a stream from the turn on that asks when it takes more.</summary>
    public void OnInterest(SocketHandle stream, Readiness interest)
    {
        if (!_sessions.TryGetValue(stream, out var session))
            return;
        if ((interest & Readiness.Write) == 0)
            session.WaitsSince = null;
        else
            session.WaitsSince ??= _turn;
    }

    public void OnConnected(SocketHandle stream, int lane) =>
        _sessions[stream] = new Session(lane);

    public void OnClosed(SocketHandle stream) => _sessions.Remove(stream);

    /// <summary>
    /// Reads what goes to a backend; returns the client whose TCP session this turns out to be.
    /// </summary>
    public Endpoint? OnWritten(Instant now, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (!_sessions.TryGetValue(stream, out var session) || session.IsTcp)
            return null;
        session.Pending.AddRange(bytes);
        var pending = session.Pending.ToArray().AsSpan();
        var taken = 0;
        while (WireCodec.Read(pending[taken..], out var frame, out _) == WireStatus.Whole)
        {
            taken += frame.Size;
            var source = new Endpoint(new Ipv4(frame.Address), frame.Port);
            if (frame.Type == WireType.InboundTcp)
            {
                session.IsTcp = true;
                session.Pending.Clear();
                return source;
            }
            if (frame.Type == WireType.InboundUdp)
                OnForwarded(now, session, source, frame.Packet);
        }
        session.Pending.RemoveRange(0, taken);
        return null;
    }

    /// <summary>Reads a backend's replies, and so which attempts they are to.</summary>
    public void OnRead(Instant now, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty || !_sessions.TryGetValue(stream, out var session) || session.IsTcp)
            return;
        while (session.Replies.TryNext(ref bytes, out var frame))
        {
            if (frame.Type == SeenFrame.OutboundUdp && frame.Port <= ushort.MaxValue)
                OnReply(now, session, in frame);
        }
    }

    private void OnReply(Instant now, Session session, in SeenFrame frame)
    {
        var to = new Endpoint(new Ipv4(frame.Address), (ushort)frame.Port);
        var found = Find(to, frame.Payload, mark => mark.Session == session
            && mark.Replied == Instant.Never);
        if (found is not null)
            found.Replied = now;
    }

    public void OnSent(Instant now, Endpoint to, ReadOnlySpan<byte> payload)
    {
        var found = Find(to, payload, mark =>
                mark.Replied != Instant.Never && mark.Answered == Instant.Never)
            ?? Find(to, payload, mark =>
                mark.Forwarded != Instant.Never && mark.Answered == Instant.Never);
        if (found is null)
            return;
        found.Answered = now;
        found.Dropped = null;
        if (_open.TryGetValue(KeyOf(to, payload), out var marks))
            marks.Remove(found);
    }

    public void OnSendFailed(Instant now, Endpoint to, IoResult why)
    {
        _ = now;
        foreach (var (key, marks) in _open)
        {
            if (key.From != to || marks.First is not { } first)
                continue;
            first.Value.Dropped = "reply not sent: " + why.Status;
            return;
        }
    }

    private void OnForwarded(
        Instant now, Session session, Endpoint source, ReadOnlySpan<byte> payload)
    {
        var since = session.WaitsSince ?? _turn;
        // What was in the queue of a backend that died unread is written to another one later.
        var found = Find(source, payload, mark => IsToBeForwarded(mark) && mark.Turn >= since)
            ?? Find(source, payload, IsToBeForwarded);
        if (found is null)
            return;
        found.Forwarded = now;
        found.Backend = session.Lane;
        found.Session = session;
    }

    private static bool IsToBeForwarded(QueryMark mark) => mark.Received != Instant.Never
        && mark.Forwarded == Instant.Never && mark.Dropped == null;

    private QueryMark NewMark(Instant now, in ClientDatagram datagram)
    {
        var mark = new QueryMark(
            now, datagram.Client, datagram.From, datagram.Query, datagram.Attempt);
        story.Queries.Add(mark);
        return mark;
    }

    private QueryMark? Find(
        Endpoint from, ReadOnlySpan<byte> payload, Func<QueryMark, bool> fits)
    {
        if (!_open.TryGetValue(KeyOf(from, payload), out var marks))
            return null;
        foreach (var mark in marks)
        {
            if (fits(mark))
                return mark;
        }
        return null;
    }

    private string? ReasonToDrop(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (header.Truncated || payload.Length > Limits.MaxUdpPayload)
            return nameof(Counter.QueriesOversized);
        if (header.Peer.Port == 0)
            return nameof(Counter.QueriesFromPortZero);
        if (ArrivalModel.IsEchoPort(header.Peer.Port))
            return nameof(Counter.QueriesFromEchoPort);
        if (ArrivalModel.IsNobodys(header.Peer.Address))
            return nameof(Counter.QueriesFromNoHost);
        var isOwn = header.Peer.Address == header.Local
            || header.Peer.Address == story.Scenario.Kernel.Listen
            || header.IsFromThisHost;
        if (isOwn && header.Peer.Port == DnsPort)
            return nameof(Counter.QueriesFromSelf);
        if (story.Scenario.Kernel.Probe
            && header.Peer.Address == SpecifiedLimits.ProbeSource.Address)
        {
            return nameof(Counter.QueriesFromProbeAddress);
        }
        return payload.Length > 2 && (payload[2] & 0x80) != 0
            ? nameof(Counter.QueriesWithResponseBit)
            : null;
    }

    private static Key KeyOf(Endpoint from, ReadOnlySpan<byte> payload) =>
        new(from, payload.Length < 2 ? -1 : BinaryPrimitives.ReadUInt16BigEndian(payload));

    /// <summary>One stream to a backend, and the part of a frame that it ended in.</summary>
    private sealed class Session(int lane)
    {
        public int Lane => lane;

        public bool IsTcp { get; set; }

        public List<byte> Pending { get; } = [];

        public FrameDecoder Replies { get; } = new();

        /// <summary>The turn in which bytes began to wait for it; null while none do.</summary>
        public int? WaitsSince { get; set; }
    }
}
