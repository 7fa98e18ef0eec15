// Owns the way of a UDP query to its backend and of the reply back, and every reason to drop one.
// The socket's datagrams come in batches; each is checked, its remote's backend chosen, and copied
// into that backend's queue, which is written once when the turn ends. Replies are gathered into
// one outgoing batch, which is sent when it is full and when the turn ends.
//
// What always holds: a datagram is in exactly one counter, and so is a reply; nothing is
// remembered of a source before its datagram has passed every check; a send that fails costs the
// reply that it failed for, never the balancer and never the next one; nothing is allocated for a
// query or a reply, unless that is an error of a cold backend, which is held (Holds).

using System;

namespace Balancer.Core;

/// <summary>The UDP half of the balancer.</summary>
internal sealed class UdpProxy
{
    private readonly INetwork _network;
    private readonly Remotes _remotes;
    private readonly Forwarding _forwarding;
    private readonly Resends _resends;
    private readonly Quarantine _quarantine;
    private readonly OwnAnswers _ownAnswers;
    private readonly bool _answersWithoutBackend;
    private readonly bool _probes;
    private readonly int _batchesPerTurn;
    private readonly Timers _timers;
    private readonly Counters _counters;
    private readonly IBalancerLog _log;
    private readonly Endpoint _self;
    private readonly DatagramBatch _queries = new();
    private readonly DatagramBatch _replies = new();
    private readonly Timer _resume;
    private readonly LogGatesByStatus<LogEvent.SendFailed> _sendFailed;
    private readonly LogGatesByStatus<LogEvent.ReplyUndeliverable> _undeliverable;
    private readonly LogGatesByStatus<LogEvent.ReceiveFailed> _receiveFailed;
    private readonly LogGate<LogEvent.ClientOverShare> _overShare;
    private bool _receiveFailedLast;
    private bool _isStopped;

    public UdpProxy(Services services, Remotes remotes, Forwarding forwarding,
        Resends resends, Quarantine quarantine, OwnAnswers ownAnswers)
    {
        _forwarding = forwarding;
        _quarantine = quarantine;
        _resends = resends;
        _ownAnswers = ownAnswers;
        _answersWithoutBackend = services.Options.AnswersWithoutBackend;
        _probes = !services.Options.Probe.IsEmpty;
        _network = services.Network;
        _remotes = remotes;
        _batchesPerTurn = services.Turn.DatagramBatchesPerTurn;
        _timers = services.Timers;
        _counters = services.Counters;
        _log = services.Log;
        _sendFailed = new(services.Gates);
        _undeliverable = new(services.Gates);
        _receiveFailed = new(services.Gates);
        _overShare = services.Gates.Make<LogEvent.ClientOverShare>();
        _self = _network.ListenEndpoint;
        _resume = new Timer(_ => Listen());
    }

    public void Start() => Listen();

    /// <summary>Takes no more queries; replies to those in flight are sent as before.</summary>
    public void StopTakingQueries()
    {
        _isStopped = true;
        _timers.Disarm(_resume);
        _network.SetInterest(_network.DatagramSocket, Readiness.None);
    }

    // ---- Queries ----

    /// <summary>Takes what the socket has, a few batches at most; whether more may wait.</summary>
    public bool OnReadable(Instant now)
    {
        for (var n = 0; n < _batchesPerTurn && !_isStopped; n++)
        {
            var result = _network.ReceiveDatagrams(_queries);
            if (!result.IsOk)
            {
                if (result.Status != IoStatus.WouldBlock)
                    OnReceiveFailed(now, result);
                return false;
            }
            _receiveFailedLast = false;
            TakeBatch(now);
            if (!_queries.IsFull)
                return false;
        }
        return !_isStopped;
    }

    private void TakeBatch(Instant now)
    {
        var forwardedBefore = _counters[Counter.QueriesForwarded];
        var headers = _queries.Headers;
        for (var i = 0; i < _queries.Count; i++)
            OnDatagram(now, in headers[i], _queries.Payload(i));
        _ownAnswers.Flush();
        _resends.CountForwarded(now, _counters[Counter.QueriesForwarded] - forwardedBefore);
    }

    private void OnDatagram(Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        _counters.Add(Counter.QueriesReceived);
        if (ReasonToDrop(in header, payload) is { } reason)
        {
            _counters.Add(reason);
            Trace(in header, payload, reason, null);
            return;
        }
        if (_quarantine.IsRefused(now, payload))
        {
            _counters.Add(Counter.QueriesQuarantined);
            _ownAnswers.Add(header.Peer, header.Local, payload, ResponseCode.Refused);
            Trace(in header, payload, Counter.QueriesQuarantined, null);
            return;
        }
        var backend = _remotes.Choose(now, header.Peer.Address, Traffic.Udp, out var remote);
        var outcome = Counter.QueriesWithoutBackend;
        var isNewcomer = !_remotes.IsEstablished(remote);
        if (backend is not null && backend.IsOverShare(now, header.Peer.Address, isNewcomer))
        {
            outcome = Counter.QueriesOverShare;
            _overShare.Write(now, new LogEvent.ClientOverShare(header.Peer, backend.Id, 0));
            backend = null;
        }
        else if (backend is not null)
        {
            var query = new Query(
                header.Peer, header.Local, now, IsNewcomers: isNewcomer);
            var chosen = backend;
            backend = _forwarding.TryForward(now, chosen, in query, payload);
            if (backend is null)
                chosen.CountDrop();
            outcome = backend is null ? Counter.QueriesToStuckBackend : Counter.QueriesForwarded;
        }
        else if (_answersWithoutBackend)
        {
            _ownAnswers.Add(header.Peer, header.Local, payload, ResponseCode.ServerFailure);
        }
        _counters.Add(outcome);
        Trace(in header, payload, outcome, backend);
        _remotes.CountOutcome(remote, Traffic.Udp, forwarded: backend is not null);
    }

    /// <summary>One record per query, at trace.</summary>
    private void Trace(in DatagramHeader header, ReadOnlySpan<byte> payload, Counter outcome,
        Backend? backend)
    {
        if (_log.IsOn(LogLevel.Trace))
        {
            _log.Write(new LogEvent.Query(
                header.Peer, payload.Length, outcome, backend?.Id ?? BackendId.None));
        }
    }

    /// <summary>
    /// The drop counter of a datagram that fails a check before the lookup; null if none does.
    /// </summary>
    private Counter? ReasonToDrop(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (header.Truncated || payload.Length > Limits.MaxUdpPayload)
            return Counter.QueriesOversized;
        if (header.Peer.Port == 0)
            return Counter.QueriesFromPortZero;
        // What is there answers whatever comes: echo, daytime, the quote of the day, chargen, time
        // and kpasswd (CVE-2002-2443). So it answers a reply, and each answer is a query again.
        if (header.Peer.Port is 7 or 13 or 17 or 19 or 37 or 464)
            return Counter.QueriesFromEchoPort;
        if (header.Peer.Address.IsNoHost)
            return Counter.QueriesFromNoHost;
        if (IsSelf(in header))
            return Counter.QueriesFromSelf;
        if (_probes && header.Peer.Address == Prober.Source.Address)
            return Counter.QueriesFromProbeAddress;
        // The third byte's top bit is QR. Two balancers could bounce a response for ever.
        if (payload.Length > 2 && (payload[2] & 0x80) != 0)
            return Counter.QueriesWithResponseBit;
        return null;
    }

    /// <summary>
    /// From this very socket, or so it claims: its own port at one of the host's addresses. On all
    /// addresses no other socket of the host can have that port, and a reply would come back as
    /// a query, for ever if the backend echoes.
    /// </summary>
    private bool IsSelf(in DatagramHeader header) =>
        header.Peer.Port == _self.Port
        && (header.Peer.Address == header.Local
            || header.Peer.Address == _self.Address
            || (_self.Address == Ipv4.Any
                && (header.IsFromThisHost || header.Peer.Address.IsLoopback)));

    private void OnReceiveFailed(Instant now, IoResult why)
    {
        _counters.Add(Counter.ReceivesFailed);
        _receiveFailed[why.Status].Write(now, new LogEvent.ReceiveFailed(why, 0));
        // One failure is often a pending error that the call has cleared; two are a condition.
        if (_receiveFailedLast)
        {
            _network.SetInterest(_network.DatagramSocket, Readiness.None);
            _timers.Arm(_resume, now + Limits.ReceivePause);
        }
        _receiveFailedLast = true;
    }

    private void Listen() => _network.SetInterest(_network.DatagramSocket, Readiness.Read);

    // ---- Replies ----

    /// <summary>An OUTBOUND_UDP frame of a live session; see IBackendReports.</summary>
    public bool OnReply(Instant now, in Frame frame, InFlight inFlight, Backend? from)
    {
        _counters.Add(Counter.RepliesReceived);
        if (frame.Length > Limits.MaxUdpPayload)
            _counters.Add(Counter.RepliesOversized);
        else if (frame.Port == 0)
            _counters.Add(Counter.RepliesToPortZero);
        else if (frame.Port > ushort.MaxValue)
            _counters.Add(Counter.RepliesToPortTooLarge);
        else
            return Answer(now, new Endpoint(frame.Address, (ushort)frame.Port), frame.Payload,
                inFlight, from);
        return false;
    }

    /// <summary>Sends what has been gathered; called when the turn ends.</summary>
    public void Flush(Instant now)
    {
        var next = 0;
        while (next < _replies.Count)
        {
            var result = _network.SendDatagrams(_replies, next);
            if (result.IsOk)
            {
                Verify.That(result.Count > 0, "a send that succeeds sends something");
                _counters.Add(Counter.RepliesSent, result.Count);
                next += result.Count;
            }
            else
            {
                next += OnSendFailed(now, next, result);
            }
        }
        _replies.Clear();
    }

    private bool Answer(Instant now, Endpoint client, ReadOnlySpan<byte> reply,
        InFlight inFlight, Backend? from)
    {
        if (from is null || !DnsQuestion.IsFailure(reply) || !from.MayErr(now)
            || !_resends.TryHold(now, client, reply, inFlight, from))
        {
            return Deliver(now, client, reply, inFlight, from);
        }
        _counters.Add(Counter.RepliesHeld);
        return true;
    }

    private bool Deliver(
        Instant now, Endpoint client, ReadOnlySpan<byte> reply, InFlight inFlight, Backend? from)
    {
        // An error says that its backend lives through the query only if it has its data.
        var isAnswer = !DnsQuestion.IsFailure(reply)
            || (from is { HasGoodAnswer: true } && !from.MayErr(now));
        var match = inFlight.TryTake(now, client, reply, isAnswer, out var local);
        if (match == ReplyMatch.Answers)
        {
            _remotes.OnAnswered(now, client.Address);
            Send(now, client, local, reply);
        }
        else
        {
            _counters.Add(match == ReplyMatch.None
                ? Counter.RepliesUnmatched : Counter.RepliesDuplicate);
        }
        return match != ReplyMatch.None;
    }

    private void Send(Instant now, Endpoint to, Ipv4 from, ReadOnlySpan<byte> payload)
    {
        if (_replies.IsFull)
            Flush(now);
        Verify.That(_replies.TryAdd(to, from, payload),
            "a reply fits into a batch that was flushed when it was full");
    }

    /// <summary>Counts the replies that a failed send cost, and returns how many.</summary>
    private int OnSendFailed(Instant now, int failed, IoResult why)
    {
        // A full socket takes none of the rest either; any other error is about this reply.
        var lost = why.Status == IoStatus.WouldBlock ? _replies.Count - failed : 1;
        _counters.Add(CounterOf(why.Status), lost);
        LogFailedReplies(now, _replies.Headers[failed].Peer, why, lost);
        return lost;
    }

    /// <summary>A forged source brings some errors about; the rest is trouble of our own.</summary>
    private void LogFailedReplies(Instant now, Endpoint remote, IoResult why, int lost)
    {
        var isClientsDoing = why.Status
            is IoStatus.AccessDenied or IoStatus.InvalidArgument or IoStatus.Unreachable
            or IoStatus.Refused or IoStatus.MessageTooLong;
        if (isClientsDoing)
        {
            _undeliverable[why.Status].Write(
                now, new LogEvent.ReplyUndeliverable(remote, why, 0), lost);
        }
        else
        {
            _sendFailed[why.Status].Write(now, new LogEvent.SendFailed(remote, why, 0), lost);
        }
    }

    private static Counter CounterOf(IoStatus status) => status switch
    {
        IoStatus.WouldBlock => Counter.RepliesWouldBlock,
        IoStatus.AccessDenied => Counter.RepliesDenied,
        IoStatus.InvalidArgument => Counter.RepliesInvalid,
        IoStatus.NoBuffers => Counter.RepliesNoBuffers,
        IoStatus.Unreachable => Counter.RepliesUnreachable,
        _ => Counter.RepliesFailed,
    };
}
