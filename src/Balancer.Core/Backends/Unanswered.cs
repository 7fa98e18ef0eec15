// Owns what one session left unanswered since it last answered a query: how many queries that any
// backend answers (opcode QUERY, one question that can be read, no answer in it), since when, and
// whether they were of different hosts or about different questions. At a low rate few are in
// flight at a time, so those are in it that timed out as well.
//
// What always holds: it is of queries that were sent after the last answer; they are noted in the
// order in which they were sent, and no two that follow each other are further apart than
// Limits.UnansweredMemory; it allocates nothing.

using System;

namespace Balancer.Core;

/// <summary>Queries that a session gave no answer to.</summary>
internal struct Unanswered
{
    private Instant _after;
    private Instant _firstAt;
    private Instant _lastAt;
    private Ipv4 _host;
    private uint _question;
    private bool _differ;
    private int _count;

    /// <summary>It answered one now, or is judged from now on.</summary>
    public void Forget(Instant now)
    {
        this = default;
        _after = now;
    }

    /// <summary>A query that was sent then was not answered.</summary>
    public void Note(Instant sentAt, Ipv4 host, ReadOnlySpan<byte> query)
    {
        if (sentAt <= _after || !DnsQuestion.IsPlainQuery(query))
            return;
        var length = DnsQuestion.LengthOf(query);
        if (length == 0)
            return;
        var question = DnsQuestion.HashOf(query, length);
        if (!IsAny(sentAt))
            (_count, _differ, _firstAt, _host, _question) = (0, false, sentAt, host, question);
        _differ |= host != _host || question != _question;
        _lastAt = sentAt;
        _count++;
    }

    /// <summary>Whether there is one of this time.</summary>
    public readonly bool IsAny(Instant now) =>
        _count > 0 && now - _lastAt <= Limits.UnansweredMemory;

    /// <summary>
    /// Whether they say that it answers nothing: many do, and a few that differ if that goes on
    /// for a while.
    /// </summary>
    public readonly bool IsTelling(Instant now) => IsAny(now)
        && (_count >= Limits.LeastAnswers
            || (_count >= Limits.LeastUnanswered && _differ
                && now - _firstAt >= Limits.UnansweredTime));
}
