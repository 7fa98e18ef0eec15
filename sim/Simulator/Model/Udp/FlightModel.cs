// Owns the queries in flight on one session as they should be: which are there, which of them a
// reply answers, and which make room for another. It keeps whole packets and lists of those that
// are alike, and shares nothing with the core's table.
//
// What always holds: queries are in the order in which they were sent; one is in flight or gone,
// and once it is gone it never is again.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>A query that two backends have, of whose replies the first counts.</summary>
internal sealed class ExpectedPair
{
    private int _copies = 2;

    public bool IsAnswered { get; private set; }

    /// <summary>One copy is answered; false if the other was before.</summary>
    public bool TryAnswer()
    {
        _copies--;
        var isFirst = !IsAnswered;
        IsAnswered = true;
        return isFirst;
    }

    /// <summary>One copy is gone; whether that leaves nobody to answer.</summary>
    public bool IsLostWithout() => --_copies == 0 && !IsAnswered;
}

/// <summary>A query at a backend.</summary>
internal sealed class ExpectedQuery(Endpoint client, Ipv4 local, byte[] packet, Instant arrivedAt)
{
    private const int HeaderBytes = 12;

    public Endpoint Client => client;
    public Ipv4 Local => local;
    public byte[] Packet => packet;
    public Instant ArrivedAt => arrivedAt;
    public Instant SentAt { get; set; }

    /// <summary>Where its frame ends in what its session is sent.</summary>
    public long FrameEnd { get; set; }

    public ExpectedPair? Pair { get; set; }
    public bool WasResent { get; init; }

    /// <summary>What this one is sent once more for; null if it came itself.</summary>
    public ExpectedQuery? Original { get; private init; }

    public bool IsGone { get; set; }

    /// <summary>It was not sent once more since that would have been too many.</summary>
    public bool WasOverBudget { get; set; }

    public string? Question { get; } = QuestionOf(packet);

    public int Blocks =>
        Math.Max(1, (packet.Length + SpecifiedLimits.BlockBytes - 1) / SpecifiedLimits.BlockBytes);

    /// <summary>Whether it may be sent once more at this time.</summary>
    public bool MayBeSentAgain(Instant now) => !WasResent && Pair == null
        && packet.Length >= HeaderBytes && (packet[2] >> 3 & 0xf) == 0
        && now - arrivedAt < SpecifiedLimits.ResendTime;

    /// <summary>Whether a stop waits for its reply.</summary>
    public bool IsAwaited(Instant now) => now - arrivedAt < SpecifiedLimits.StopGrace
        && now - SentAt < SpecifiedLimits.StopGrace && Pair is not { IsAnswered: true };

    /// <summary>Its client was not established when it came.</summary>
    public bool IsNewcomers { get; init; }

    /// <summary>The same query for another backend.</summary>
    public ExpectedQuery Again() => new(client, local, packet, arrivedAt)
    {
        WasResent = true,
        Original = this,
        IsNewcomers = IsNewcomers,
    };

    /// <summary>The same query, which other backends may not have any more.</summary>
    public ExpectedQuery Resent() =>
        new(client, local, packet, arrivedAt) { WasResent = true, IsNewcomers = IsNewcomers };

    /// <summary>A message's first two bytes, 0 for those that are missing.</summary>
    public static int IdOf(ReadOnlySpan<byte> message) =>
        (message.Length > 0 ? message[0] << 8 : 0) | (message.Length > 1 ? message[1] : 0);

    /// <summary>
    /// The first question, spelled so that two that mean the same are equal; null if there is none
    /// that can be read.
    /// </summary>
    public static string? QuestionOf(ReadOnlySpan<byte> message)
    {
        if (message.Length < HeaderBytes || (message[4] == 0 && message[5] == 0))
            return null;
        var question = new StringBuilder();
        var rest = message[HeaderBytes..];
        var nameBytes = 1;
        while (rest.Length > 0 && rest[0] != 0)
        {
            int length = rest[0];
            nameBytes += 1 + length;
            if (length > 63 || nameBytes > 255 || rest.Length <= length)
                return null;
            foreach (var octet in rest.Slice(1, length))
                question.Append(
                    (char)(octet is >= (byte)'A' and <= (byte)'Z' ? octet + 32 : octet));
            question.Append('\uffff');
            rest = rest[(1 + length)..];
        }
        if (rest.Length < 5)
            return null;
        foreach (var octet in rest.Slice(1, 4))
            question.Append((char)octet);
        return question.ToString();
    }

    /// <summary>Bytes of the first question; 0 without one.</summary>
    public static int QuestionBytes(ReadOnlySpan<byte> message) =>
        QuestionOf(message) is null ? 0 : QuestionBytesOf(message);

    /// <summary>Bytes of the first question of a message that has one.</summary>
    public static int QuestionBytesOf(ReadOnlySpan<byte> message)
    {
        var at = HeaderBytes;
        while (message[at] != 0)
            at += 1 + message[at];
        return at + 5 - HeaderBytes;
    }
}

/// <summary>The queries in flight on one session.</summary>
internal sealed class FlightModel
{
    private readonly LinkedList<ExpectedQuery> _queries = [];
    private readonly Dictionary<ExpectedQuery, LinkedListNode<ExpectedQuery>> _nodes = [];
    private readonly Dictionary<(Endpoint Client, int Id), List<ExpectedQuery>> _alike = [];
    private readonly Dictionary<Ipv4, int> _clients = [];
    private readonly LinkedList<(long At, long End)> _answered = [];

    /// <summary>Blocks of memory that their packets take.</summary>
    public int Blocks { get; private set; }

    /// <summary>How many each client has, of those that have any; changed only here.</summary>
    public Dictionary<Ipv4, int> Clients => _clients;

    public int Count => _queries.Count;

    /// <summary>Those of clients that were not established when they came.</summary>
    public int Newcomers { get; private set; }

    /// <summary>Of the queries that it answered, the one that it was sent last.</summary>
    public ExpectedQuery? LastAnswered { get; private set; }

    /// <summary>What hung it was looked for, and it has answered nothing newer since.</summary>
    public bool WasJudged { get; set; }

    /// <summary>When.</summary>
    public Instant JudgedAt { get; set; }

    /// <summary>What was sent by then is not charged again if its backend dies now.</summary>
    public Instant ChargedUntil => WasJudged ? JudgedAt : Instant.Zero;

    public void OnAnswered(Instant now, ExpectedQuery query)
    {
        if (query.FrameEnd <= (LastAnswered?.FrameEnd ?? 0))
            return;
        _answered.AddLast((now.Nanoseconds, query.FrameEnd));
        var old = now.Nanoseconds - 4 * SpecifiedLimits.ShareSpan.Nanoseconds;
        while (_answered.First!.Next is { } next && next.Value.At < old)
            _answered.RemoveFirst();
        LastAnswered = query;
        WasJudged = false;
    }

    /// <summary>
    /// Where the frame ended of the last query that it had answered before this time, which is not
    /// long ago.
    /// </summary>
    public long AnsweredBy(long time)
    {
        for (var answer = _answered.Last; answer != null; answer = answer.Previous)
        {
            if (answer.Value.At < time)
                return answer.Value.End;
        }
        return 0;
    }

    /// <summary>The first in flight whose frame ends behind these bytes, or null.</summary>
    public ExpectedQuery? FirstSentAfter(long end)
    {
        // The last ones are few, or else they are behind it all.
        ExpectedQuery? first = null;
        for (var node = _queries.Last; node != null && node.Value.FrameEnd > end;
            node = node.Previous)
        {
            first = node.Value;
        }
        return first;
    }

    /// <summary>What it was sent, in the order of that, and answered nothing behind.</summary>
    public IEnumerable<ExpectedQuery> Unanswered(long written) => _queries.Where(
        query => query.FrameEnd > (LastAnswered?.FrameEnd ?? 0) && query.FrameEnd <= written);

    /// <summary>When the next look at those that are due is taken; Never for none.</summary>
    public Instant TimeOutAt { get; set; } = Instant.Never;

    /// <summary>Of two deadlines at one instant the lower one comes first.</summary>
    public long TimeOutOrder { get; set; }

    public ExpectedQuery? Oldest => _queries.First?.Value;

    public ExpectedQuery? Newest => _queries.Last?.Value;

    /// <summary>All of them, the one that was sent first first; changed only here.</summary>
    public LinkedList<ExpectedQuery> OldestFirst => _queries;

    /// <summary>All of them, the one that was sent last first.</summary>
    public List<ExpectedQuery> NewestFirst
    {
        get
        {
            var all = new List<ExpectedQuery>(_queries);
            all.Reverse();
            return all;
        }
    }

    /// <summary>
    /// What must go before another query is taken in, and null when nothing must.
    /// </summary>
    public ExpectedQuery? InTheWayOf(ExpectedQuery query)
    {
        if (_alike.TryGetValue(KeyOf(query), out var alike)
            && alike.Count >= SpecifiedLimits.AlikeInFlight)
        {
            return alike[0];
        }
        return Count >= SpecifiedLimits.QueriesInFlight
            || Blocks + query.Blocks > SpecifiedLimits.BlocksInFlight ? Oldest : null;
    }

    public void Add(ExpectedQuery query)
    {
        _nodes.Add(query, _queries.AddLast(query));
        Blocks += query.Blocks;
        Newcomers += query.IsNewcomers ? 1 : 0;
        _clients[query.Client.Address] = _clients.GetValueOrDefault(query.Client.Address) + 1;
        if (!_alike.TryGetValue(KeyOf(query), out var alike))
            _alike.Add(KeyOf(query), alike = []);
        alike.Add(query);
    }

    public void Remove(ExpectedQuery query)
    {
        query.IsGone = true;
        _nodes.Remove(query, out var node);
        _queries.Remove(node!);
        Blocks -= query.Blocks;
        Newcomers -= query.IsNewcomers ? 1 : 0;
        if (--_clients[query.Client.Address] == 0)
            _clients.Remove(query.Client.Address);
        var alike = _alike[KeyOf(query)];
        alike.Remove(query);
        if (alike.Count == 0)
            _alike.Remove(KeyOf(query));
    }

    /// <summary>The query that a reply to a client answers, or null.</summary>
    public ExpectedQuery? FindAnswered(
        Instant now, Endpoint client, ReadOnlySpan<byte> reply, StandstillModel standstill)
    {
        if (!_alike.TryGetValue((client, ExpectedQuery.IdOf(reply)), out var alike))
            return null;
        var question = ExpectedQuery.QuestionOf(reply);
        return alike.Find(query => now < standstill.ExtendQuery(
                query.SentAt + SpecifiedLimits.AnswerTime)
            && (question == null || query.Question == null || query.Question == question));
    }

    /// <summary>How many of them a stop waits for.</summary>
    public int Awaited(Instant now)
    {
        var awaited = 0;
        foreach (var query in _queries)
            awaited += query.IsAwaited(now) ? 1 : 0;
        return awaited;
    }

    private static (Endpoint Client, int Id) KeyOf(ExpectedQuery query) =>
        (query.Client, ExpectedQuery.IdOf(query.Packet));
}
