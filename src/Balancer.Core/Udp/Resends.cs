// Owns the queries that are sent again: those whose session ended, copies of those that a suspect
// backend has, and those that a backend answered with an error when it had just said hello, which
// Holds keeps for a moment. They are sent a few a turn, the newest first: a query that ends
// every backend it meets is then behind the others, which are answered before it is reached.
//
// What a session leaves waits for a moment before it is sent again. Backends often end together,
// and the ends of their sessions come one after the other; what would be sent at once to the one
// that ends next would be lost, since it may go to a second backend only.
//
// What always holds: a query is sent to another backend once at most; one whose session ended is
// sent again or counted as unanswered, and answered REFUSED if backends died of it; copies stay
// within the budget, so an overload does not double itself; a table of a session that ended belongs
// to this list, and nobody else touches it.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>Sends queries again.</summary>
internal sealed class Resends
{
    private readonly Forwarding _forwarding;
    private readonly OwnAnswers _ownAnswers;
    private readonly QueryPairs _pairs;
    private readonly Quarantine _quarantine;
    private readonly FirstMessages _messages;
    private readonly Counters _counters;
    private readonly IBalancerLog _log;
    private readonly Queue<(BackendId Id, InFlight Queries, Instant EndedAt)> _lost = new();
    private readonly Timers _timers;
    private readonly Timer _lossTimer;
    private bool _hasDueLoss;

    /// <summary>Those of the session that was lost first are being looked at.</summary>
    private bool _hasBegunLoss;
    private InFlight? _lastEnded;
    private readonly Queue<InFlight> _suspects = new(2 * Limits.MaxBackends);
    private readonly RecentCount _forwarded = new(Limits.ResendBudgetTime);
    private readonly RecentCount _copied = new(Limits.ResendBudgetTime);
    private readonly byte[] _packet = new byte[Limits.MaxUdpPayload];
    private readonly Holds _holds;
    private long _resent;
    private long _lostForGood;

    public Resends(Services services, QueryPairs pairs, Quarantine quarantine,
        FirstMessages messages, Forwarding forwarding, OwnAnswers ownAnswers)
    {
        _ownAnswers = ownAnswers;
        _quarantine = quarantine;
        _messages = messages;
        _pairs = pairs;
        _forwarding = forwarding;
        _counters = services.Counters;
        _log = services.Log;
        _holds = new Holds(services.Timers);
        _timers = services.Timers;
        _lossTimer = new Timer(_ => _hasDueLoss = true);
    }

    /// <summary>Queries are to be sent again.</summary>
    public bool HasWork => _hasDueLoss || _suspects.Count > 0 || _holds.HasDue;

    /// <summary>
    /// Queries that are in flight nowhere wait: of sessions that ended, or to be asked again.
    /// </summary>
    public bool HasUnsent => _lost.Count > 0 || _holds.Count > 0;

    /// <summary>So many queries were forwarded; the budget follows from them.</summary>
    public void CountForwarded(Instant now, long count) => _forwarded.Add(now, count);

    /// <summary>A session ended with these queries in flight, which it has no more.</summary>
    public void OnSessionLost(Instant now, BackendId id, InFlight queries)
    {
        _lastEnded = queries;
        if (queries.Count == 0)
            return;
        // It may be among the suspects still; what it has is looked at when its delay is over.
        queries.EndWalk();
        _lost.Enqueue((id, queries, now));
        WaitForFirstLoss(now);
    }

    /// <summary>The session that was lost last ended because its backend died.</summary>
    public void OnDied(Instant now, Backend backend)
    {
        Verify.That(_lastEnded is not null, "a backend died when its session ended");
        if (_lastEnded.Count == 0 && !_messages.IsAnyAt(now, backend))
            return;
        if (!_lastEnded.WasJudged)
            _quarantine.OnDeath(now, backend, _lastEnded, _messages.InFlight);
        _lastEnded = null;
    }

    /// <summary>
    /// Takes the query that an error answers, to ask it again; false if the error is passed on.
    /// </summary>
    public bool TryHold(Instant now, Endpoint client, ReadOnlySpan<byte> reply,
        InFlight inFlight, Backend asked)
    {
        if (_holds.IsFull || !inFlight.TryTakeBack(
            now, client, reply, _packet, out var query, out var length))
        {
            return false;
        }
        _holds.Add(now, in query, _packet.AsSpan(0, length), asked);
        return true;
    }

    /// <summary>A backend hangs, and was suspect from then on.</summary>
    public void OnHang(Instant now, Instant suspectedAt, Backend backend) =>
        _quarantine.OnHang(now, suspectedAt, backend, _messages.InFlight);

    /// <summary>A session is suspect; what it has in flight is sent to others.</summary>
    public void OnSuspected(InFlight suspect)
    {
        suspect.BeginWalk();
        if (!_suspects.Contains(suspect))
            _suspects.Enqueue(suspect);
    }

    /// <summary>
    /// A backend is at ease again: it may take what others have that are suspect still, and that
    /// nobody could take when they became so or were given it.
    /// </summary>
    public void OnAtEase(ReadOnlySpan<Backend> backends)
    {
        foreach (var backend in backends)
        {
            if (backend.IsSuspect)
                OnSuspected(backend.InFlight);
            if (backend.RetiredSuspect is { } retired)
                OnSuspected(retired);
        }
    }

    /// <summary>The balancer stops: what waits is lost.</summary>
    public void Stop()
    {
        while (_lost.TryDequeue(out var lost))
        {
            var before = _counters[Counter.UnansweredLost];
            lost.Queries.DropAll();
            LogDone(lost.Id, _lostForGood + _counters[Counter.UnansweredLost] - before);
        }
        _timers.Disarm(_lossTimer);
        _hasDueLoss = false;
        _suspects.Clear();
        _counters.Add(Counter.UnansweredLost, _holds.Clear());
    }

    /// <summary>Looks at a turn's share of them.</summary>
    public void DoWork(Instant now)
    {
        var left = Limits.ResendsPerTurn;
        for (; left > 0 && _holds.TryTake(now, out var held); left--)
        {
            if (_quarantine.IsRefused(now, held.Packet))
                Refuse(held.Query, held.Packet);
            else if (!TryAskAgain(now, in held))
                _counters.Add(Counter.UnansweredLost);
        }
        while (left > 0 && _lost.TryPeek(out var lost) && IsDue(now, lost.EndedAt))
        {
            if (!_hasBegunLoss)
                lost.Queries.BeginWalk();
            _hasBegunLoss = true;
            if (lost.Queries.Cursor != 0)
            {
                left--;
                SendLost(now, lost.EndedAt, lost.Queries);
                continue;
            }
            _lost.Dequeue();
            _hasBegunLoss = false;
            if (_lastEnded == lost.Queries)
                _lastEnded = null;
            LogDone(lost.Id, _lostForGood);
            WaitForFirstLoss(now);
        }
        while (left > 0 && _suspects.TryPeek(out var suspect))
        {
            if (suspect.Cursor != 0)
            {
                left--;
                CopyToAnother(now, suspect);
                continue;
            }
            _suspects.Dequeue();
        }
        _ownAnswers.Flush();
    }

    /// <summary>No more is done for the session that was the first to be lost.</summary>
    private void LogDone(BackendId id, long lost)
    {
        _log.Write(new LogEvent.QueriesResent(id, _resent, lost));
        (_resent, _lostForGood) = (0, 0);
    }

    private void WaitForFirstLoss(Instant now)
    {
        _hasDueLoss = _lost.TryPeek(out var first) && IsDue(now, first.EndedAt);
        if (_hasDueLoss || _lost.Count == 0)
            _timers.Disarm(_lossTimer);
        else if (!_lossTimer.IsArmed)
            _timers.Arm(_lossTimer, first.EndedAt + Limits.LossDelay);
    }

    private static bool IsDue(Instant now, Instant endedAt) =>
        now - endedAt >= Limits.LossDelay;

    /// <summary>
    /// Asks whom the policy sends the client to now: the same backend, or another once.
    /// </summary>
    private bool TryAskAgain(Instant now, in Held held)
    {
        if (_forwarding.Choose(now, held.Query with { WasResent = false }) is not { } chosen)
            return false;
        var again = held.Query with { WasResent = true };
        if (chosen == held.Backend && chosen.Sessions == held.Session)
        {
            return chosen.TryForward(now, held.Query, held.Packet)
                || (!held.Query.WasResent
                    && _forwarding.TryOthers(now, chosen, in again, held.Packet) is not null);
        }
        return !held.Query.WasResent
            && _forwarding.TryForward(now, chosen, in again, held.Packet) is not null;
    }

    private void SendLost(Instant now, Instant endedAt, InFlight queries)
    {
        var query = queries.Next(_packet, out var index, out var length);
        queries.Drop(index);
        if (query.Pair != 0 && !_pairs.IsLostWithout(query.Pair))
            return;
        var packet = _packet.AsSpan(0, length);
        if (_quarantine.IsRefused(now, packet))
        {
            Refuse(in query, packet);
            _lostForGood++;
        }
        else if (query.Pair == 0 && MayBeSentAgain(endedAt, in query, packet)
            && TrySend(now, in query, packet))
        {
            _counters.Add(Counter.ResendsAfterLoss);
            _resent++;
        }
        else
        {
            _counters.Add(Counter.UnansweredLost);
            _lostForGood++;
        }
    }

    /// <summary>Its question was not refused when it came, and is now.</summary>
    private void Refuse(in Query query, ReadOnlySpan<byte> packet)
    {
        _counters.Add(Counter.UnansweredQuarantined);
        _ownAnswers.Add(query.Client, query.Local, packet, ResponseCode.Refused);
    }

    private bool TrySend(Instant now, in Query query, ReadOnlySpan<byte> packet)
    {
        var again = query with { WasResent = true };
        return _forwarding.Choose(now, in again) is { } first
            && _forwarding.TryForward(now, first, in again, packet) is not null;
    }

    private void CopyToAnother(Instant now, InFlight suspect)
    {
        var query = suspect.Next(_packet, out var index, out var length);
        var packet = _packet.AsSpan(0, length);
        if (query.Pair != 0 || !MayBeSentAgain(now, in query, packet))
            return;
        if (_quarantine.IsRefused(now, packet))
        {
            // It may be what the suspect hangs of, or dies of later, so it stays where it is.
            suspect.SetAnswered(index);
            Refuse(in query, packet);
            return;
        }
        var other = _forwarding.Choose(now, query with { WasResent = true });
        // To one that is silent too it would go in vain, and it can go nowhere after that.
        if (other is null or { IsSilent: true })
            return;
        if (!IsInBudget(now))
        {
            if (suspect.TryNoteOverBudget(index))
                _counters.Add(Counter.ResendsOverBudget);
            return;
        }
        var pair = _pairs.Make();
        var copy = query with { Pair = pair, WasResent = true };
        if (_forwarding.TryForward(now, other, in copy, packet) is null)
        {
            _pairs.Discard(pair);
            return;
        }
        suspect.SetPair(index, pair);
        _counters.Add(Counter.ResendsFromSuspect);
        _copied.Add(now, 1);
    }

    private bool IsInBudget(Instant now) => _copied.Sum(now) < Math.Max(
        Limits.LeastResendBudget, _forwarded.Sum(now) / Limits.ResendBudgetShare);

    private static bool MayBeSentAgain(Instant now, in Query query, ReadOnlySpan<byte> packet) =>
        !query.WasResent && now - query.ArrivedAt < Limits.ResendTime
        && DnsQuestion.IsQuery(packet);
}
