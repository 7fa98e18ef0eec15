// Owns the counting of a failover benchmark: every query that a client sent, whether it was
// answered in time, how long clients heard nothing, and how often they were moved from one backend
// to another. It is given what happened and when, and knows no sockets.
//
// A refusal (SERVFAIL, REFUSED, or any other error) is a reply, so its query is not unanswered; but
// the client did not get what it asked for, so a refusal ends no silence and has no latency.
//
// In an outage no backend is there. A query that is sent in one gets no answer, because the
// balancer has nobody to ask, so it is counted apart too.
//
// What always holds: sent = answered + unanswered, where both are counted on their own; a query is
// answered once, and every further reply to it is a duplicate; a reply that comes after more than
// 5 s leaves its query unanswered.

using System;
using System.Collections.Generic;

namespace Simulation.Real.Failover;

/// <summary>Queries and replies of all clients of one scenario.</summary>
internal sealed class FailoverLedger
{
    /// <summary>Who waits for longer than this has given up.</summary>
    public const long AnswerLimitNs = 5_000_000_000;

    /// <summary>In the place of the time at which a query was sent, once it is answered.</summary>
    private const long IsAnswered = -1;

    private readonly Client[] _clients;
    private readonly long[] _servedAt;
    private readonly Latencies _latencies = new();
    private readonly List<(long From, long To)> _outages = [];
    private long _answered;
    private long _refused;
    private long _duplicates;
    private long _late;
    private long _strays;
    private long _moves;
    private long _longestSilence;

    private sealed class Client
    {
        /// <summary>When each query was sent, by its number.</summary>
        public List<long> Queries { get; } = [];

        public long FirstSentAt { get; set; }

        public long? AnsweredAt { get; set; }

        /// <summary>The latest query that told who answers, and who did.</summary>
        public (int Query, int Backend)? Server { get; set; }
    }

    /// <param name="clients">Clients have the numbers from 0 on, and so have backends.</param>
    /// <param name="backends">How many backends there are.</param>
    public FailoverLedger(int clients, int backends)
    {
        _clients = new Client[clients];
        for (var i = 0; i < clients; i++)
            _clients[i] = new Client();
        _servedAt = new long[backends];
        Array.Fill(_servedAt, long.MinValue);
    }

    public long Sent { get; private set; }

    /// <summary>Queries that have no reply yet, or never get one.</summary>
    public long Waiting => Sent - _answered;

    /// <summary>The number that the client's next query has; its first is 0.</summary>
    public int NextQuery(int client) => _clients[client].Queries.Count;

    /// <summary>
    /// When the latest query was sent that this backend is known to have answered.
    /// </summary>
    public long ServedAt(int backend) => _servedAt[backend];

    public void OnSent(int client, long at)
    {
        var asker = _clients[client];
        if (asker.Queries.Count == 0)
            asker.FirstSentAt = at;
        asker.Queries.Add(at);
        Sent++;
    }

    /// <summary>No backend was there from the one instant to the other.</summary>
    public void OnOutage(long from, long to) => _outages.Add((from, to));

    /// <summary>A reply that answers nothing that was asked.</summary>
    public void OnStray() => _strays++;

    /// <summary>A reply to one of the client's queries came.</summary>
    /// <param name="client">Whose query.</param>
    /// <param name="query">Its number, which must have been sent.</param>
    /// <param name="at">When it came.</param>
    /// <param name="isRefusal">It is an error.</param>
    /// <param name="backend">Who answered, if the reply tells.</param>
    public void OnReply(int client, int query, long at, bool isRefusal, int? backend = null)
    {
        var asker = _clients[client];
        var sentAt = asker.Queries[query];
        if (sentAt == IsAnswered)
        {
            _duplicates++;
            return;
        }
        if (at - sentAt > AnswerLimitNs)
        {
            _late++;
            return;
        }
        asker.Queries[query] = IsAnswered;
        _answered++;
        if (backend is { } server)
            OnServer(asker, query, sentAt, server);
        if (isRefusal)
        {
            _refused++;
            return;
        }
        _latencies.Add(at - sentAt);
        EndSilence(asker, at, at - sentAt);
        asker.AnsweredAt = at;
    }

    /// <summary>All that was sent has been answered, or never will be.</summary>
    public FailoverCounts Finish()
    {
        var unanswered = 0L;
        var inOutage = 0L;
        foreach (var client in _clients)
        {
            var last = long.MinValue;
            foreach (var sentAt in client.Queries)
            {
                if (sentAt == IsAnswered)
                    continue;
                unanswered++;
                if (_outages.Exists(outage => sentAt >= outage.From && sentAt <= outage.To))
                    inOutage++;
                last = sentAt;
            }
            // It waited for this one as long as clients wait, and heard nothing more.
            if (last > (client.AnsweredAt ?? long.MinValue))
                EndSilence(client, last + AnswerLimitNs, 0);
        }
        return new FailoverCounts
        {
            Sent = Sent,
            Answered = _answered,
            Unanswered = unanswered,
            UnansweredInOutage = inOutage,
            Refused = _refused,
            Duplicates = _duplicates,
            Late = _late,
            Strays = _strays,
            Moves = _moves,
            LongestSilenceNs = _longestSilence,
            MedianNs = _latencies.Percentile(50),
            Percentile99Ns = _latencies.Percentile(99),
            LongestNs = _latencies.Longest,
        };
    }

    /// <summary>
    /// Only a later query tells of a move: one that a hung backend answers when it goes on does not
    /// mean that its client is back.
    /// </summary>
    private void OnServer(Client client, int query, long sentAt, int backend)
    {
        _servedAt[backend] = Math.Max(_servedAt[backend], sentAt);
        if (client.Server is { } before)
        {
            if (query < before.Query)
                return;
            if (backend != before.Backend)
                _moves++;
        }
        client.Server = (query, backend);
    }

    private void EndSilence(Client client, long at, long latency)
    {
        var since = client.AnsweredAt ?? client.FirstSentAt;
        _longestSilence = Math.Max(_longestSilence, Math.Max(at - since, latency));
    }
}

/// <summary>What clients were put through; times are in nanoseconds.</summary>
internal sealed record FailoverCounts
{
    public long Sent { get; init; }

    /// <summary>Replies within 5 s, refusals among them.</summary>
    public long Answered { get; init; }

    public long Unanswered { get; init; }

    /// <summary>Those of them that were sent while no backend was there.</summary>
    public long UnansweredInOutage { get; init; }

    /// <summary>Answered with an error.</summary>
    public long Refused { get; init; }

    /// <summary>Replies to queries that were answered before.</summary>
    public long Duplicates { get; init; }

    /// <summary>Replies that came after more than 5 s; their queries are unanswered.</summary>
    public long Late { get; init; }

    /// <summary>Datagrams that answer nothing that was asked.</summary>
    public long Strays { get; init; }

    /// <summary>How often a client was answered by another backend than before.</summary>
    public long Moves { get; init; }

    /// <summary>
    /// The longest time of one client between two answers, or from a query to its answer.
    /// </summary>
    public long LongestSilenceNs { get; init; }

    public long MedianNs { get; init; }

    public long Percentile99Ns { get; init; }

    public long LongestNs { get; init; }
}
