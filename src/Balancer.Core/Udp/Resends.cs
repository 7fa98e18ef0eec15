// Owns the queries that are sent again: those whose session ended, copies of those that a suspect
// backend has, and those that a backend answered with an error when it had just said hello, which
// Holds keeps for a moment. They are sent a few a turn, the newest first: a query that ends
// every backend it meets is then behind the others, which are answered before it is reached.
//
// What a session leaves waits for a moment before it is sent again. Backends often end together,
// and the ends of their sessions come one after the other; what would be sent at once to the one
// that ends next would be lost, since it may go to a second backend only. What finds no backend at
// all, or none that takes it and is not in doubt, is kept for as long as it may be sent, in the
// table that it was in flight in, until one says hello or is no longer stuck. Copies that the
// budget has no room for wait until it has. And while the only backend that could take a query was
// asked for a heartbeat and has said nothing, that is looked at again and again: if it hangs as
// well, the query would be lost there, and another may be there by then.
//
// Of the queries of one session, those that count as one go to one second backend, and wait for it
// while it is not known whether that hangs (SecondBackends).
//
// One timer is armed for the first of all that waits.
//
// An answer that was held because its backend may have no data yet, though another has: that other
// is asked, and what it says is passed on. If nobody takes the query, its client gets the error.
//
// What always holds: a query is sent to another backend once at most; one whose session ended, or
// that was held, is sent again or counted as unanswered once, whether it is answered with REFUSED
// or SERVFAIL then or not at all; copies stay within the budget, so an overload does not double
// itself; a table of a session that ended belongs to this list, and only Quarantine looks through
// it besides; while something waits that is not due, and nothing is due, the timer is armed.

using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;

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
    private readonly EntryRecords _records;
    private readonly bool _answersWithoutBackend;
    private readonly Queue<Loss> _lost = new();

    /// <summary>Losses that found no backend, the first to expire first.</summary>
    private readonly LinkedList<Loss> _kept = new();

    private readonly int _queriesPerTurn;
    private readonly Timers _timers;
    private readonly Timer _timer;
    private InFlight? _lastEnded;
    private readonly Queue<InFlight> _suspects = new(2 * Limits.MaxBackends);
    private readonly RecentCount _forwarded = new(Limits.ResendBudgetTime);
    private readonly RecentCount _copied = new(Limits.ResendBudgetTime);
    private readonly byte[] _packet = new byte[Limits.MaxUdpPayload];
    private readonly Holds _holds;

    private readonly Queue<InFlight> _cutShort = new(2 * Limits.MaxBackends);
    private Instant _copiesAt;

    public Resends(Services services, QueryPairs pairs, Quarantine quarantine,
        FirstMessages messages, Forwarding forwarding, OwnAnswers ownAnswers)
    {
        _holds = new Holds(services.SessionMemory);
        _ownAnswers = ownAnswers;
        _quarantine = quarantine;
        _messages = messages;
        _pairs = pairs;
        _forwarding = forwarding;
        _counters = services.Counters;
        _records = services.EntryRecords;
        _answersWithoutBackend = services.Options.AnswersWithoutBackend;
        _queriesPerTurn = services.Turn.ResendsPerTurn;
        _timers = services.Timers;
        _timer = new Timer(_ => HasWork = true);
    }

    /// <summary>A session that ended with queries in flight.</summary>
    private sealed class Loss
    {
        public Loss(Backend backend, InFlight queries, Instant endedAt)
        {
            (Backend, Queries) = (backend, queries);
            JudgedAt = endedAt;
            DueAt = endedAt + Limits.LossDelay;
            OverAt = endedAt + Limits.ResendTime;
            Node = new LinkedListNode<Loss>(this);
        }

        public Backend Backend { get; }

        public InFlight Queries { get; }

        /// <summary>Its place among those that found no backend.</summary>
        public LinkedListNode<Loss> Node { get; }

        /// <summary>Queries that came Limits.ResendTime before are too old.</summary>
        public Instant JudgedAt { get; set; }

        public Instant DueAt { get; set; }

        /// <summary>None of them may be sent again from then on.</summary>
        public Instant OverAt { get; }

        /// <summary>They are being looked at.</summary>
        public bool HasBegun { get; set; }

        /// <summary>A backend said hello since that began, or answers again.</summary>
        public bool IsAnotherThere { get; set; }

        /// <summary>Some would go to a backend that is in doubt.</summary>
        public bool IsForDoubtful { get; set; }

        public long Resent { get; set; }

        public long Lost { get; set; }
    }

    /// <summary>Queries are to be sent again.</summary>
    public bool HasWork { get; private set; }

    /// <summary>
    /// Queries that are in flight nowhere wait: of sessions that ended, or to be asked again; but
    /// not those that find no backend, which nobody can wait for.
    /// </summary>
    public bool HasUnsent => _lost.Count > 0 || _holds.AwaitedCount > 0;

    /// <summary>So many queries were forwarded; the budget follows from them.</summary>
    public void CountForwarded(Instant now, long count) => _forwarded.Add(now, count);

    /// <summary>A session ended with these queries in flight, which it has no more.</summary>
    public void OnSessionLost(Instant now, Backend backend, InFlight queries)
    {
        _lastEnded = queries;
        // It may be among the suspects still; what it has is looked at when its delay is over.
        queries.EndWalk();
        if (queries.Count == 0)
            return;
        try
        {
            var loss = new Loss(backend, queries, now);
            // Those that are kept come back to it when there may be no memory.
            _lost.EnsureCapacity(_lost.Count + _kept.Count + 1);
            _lost.Enqueue(loss);
        }
        catch (OutOfMemoryException)
        {
            queries.DropAll();
        }
        WaitForFirst(now);
    }

    /// <summary>The session that was lost last ended because its backend died.</summary>
    public void OnDied(Instant now, Backend backend)
    {
        Verify.That(_lastEnded is not null, "a backend died when its session ended");
        if (_lastEnded.Count == 0 && !_messages.IsAnyAt(now, backend))
            return;
        _quarantine.OnDeath(now, backend, _lastEnded, _messages.InFlight);
        _lastEnded = null;
    }

    /// <summary>
    /// Takes the query that an error answers, to ask it again; false if the error is passed on.
    /// </summary>
    public bool TryHold(Instant now, Endpoint client, ReadOnlySpan<byte> reply,
        InFlight inFlight, Backend asked)
    {
        // One that found no backend for a while may be old when there is one that lacks its data.
        var tooOld = asked.IsStarting(now) ? Limits.ResendTime : Limits.HoldTime;
        if (_holds.IsFull)
        {
            if (inFlight.MayTakeBack(now, client, reply, tooOld, _packet))
                _counters.Add(Counter.QueriesNotHeld);
            return false;
        }
        if (!inFlight.TryTakeBack(
            now, client, reply, tooOld, _packet, out var query, out var length))
        {
            return false;
        }
        var packet = _packet.AsSpan(0, length);
        var error = DnsQuestion.CodeOf(reply);
        if (_holds.TryAdd(now, in query, packet, asked, error))
        {
            WaitForFirst(now);
            return true;
        }
        _counters.Add(Counter.QueriesNotHeld);
        GiveError(in query, packet, error);
        _ownAnswers.Flush();
        return true;
    }

    /// <summary>
    /// A backend hangs, and was suspect from then on; what it has is charged once for that.
    /// </summary>
    public void OnHang(Instant now, Instant suspectedAt, Backend backend)
    {
        if (!backend.InFlight.WasJudged)
            _quarantine.OnHang(now, suspectedAt, backend, _messages.InFlight);
    }

    /// <summary>A session is suspect; what it has in flight is sent to others.</summary>
    public void OnSuspected(Instant now, InFlight suspect)
    {
        // Those that waited for it may go to one that is worse otherwise.
        _holds.WakeStranded();
        Walk(now, suspect);
    }

    private void Walk(Instant now, InFlight suspect)
    {
        suspect.BeginWalk();
        if (!_suspects.Contains(suspect))
            _suspects.Enqueue(suspect);
        WaitForFirst(now);
    }

    /// <summary>
    /// A backend is healthy, at ease or answering again: it may take queries of backends that are
    /// still silent or mute, which no backend could take when they became so or were
    /// sent them; and what is left of sessions that ended.
    /// </summary>
    public void OnAtEase(Instant now, ReadOnlySpan<Backend> backends)
    {
        _holds.WakeStranded();
        foreach (var lost in _lost)
            lost.IsAnotherThere = true;
        while (TryTakeKept(Instant.Never, out var kept))
            LookAgain(now, kept);
        foreach (var backend in backends)
        {
            if (backend.IsSilent || backend.IsMute)
                LookAgain(now, backend.InFlight);
            if (backend.RetiredSilent is { } retired)
                LookAgain(now, retired);
        }
        WaitForFirst(now);
    }

    /// <summary>A backend that was in doubt says something: copies that waited go to it.</summary>
    public void OnDoubtOver(Instant now)
    {
        _holds.WakeStranded();
        WaitForFirst(now);
        foreach (var suspect in _suspects)
        {
            if (suspect.IsCutShort)
                suspect.WalkAgain();
        }
        if (_cutShort.Count == 0)
            return;
        _copiesAt = now;
        WaitForFirst(now);
    }

    /// <summary>Walks what a suspect has; once more, if a walk is under way.</summary>
    private void LookAgain(Instant now, InFlight suspect)
    {
        if (suspect.Cursor == 0)
            Walk(now, suspect);
        else
            suspect.WalkAgain();
    }

    /// <summary>The balancer stops: what waits is lost.</summary>
    public void Stop(Instant now)
    {
        while (_lost.TryDequeue(out var lost) || TryTakeKept(Instant.Never, out lost))
        {
            var before = _counters[Counter.UnansweredLost];
            lost.Queries.DropAll();
            lost.Lost += _counters[Counter.UnansweredLost] - before;
            LogDone(now, lost);
        }
        _timers.Disarm(_timer);
        HasWork = false;
        _suspects.Clear();
        _cutShort.Clear();
        while (_holds.TryTake(out var held))
            GiveError(in held);
        _ownAnswers.Flush();
    }

    /// <summary>Looks at a turn's share of them.</summary>
    public void DoWork(Instant now)
    {
        while (TryTakeKept(overBy: now, out var kept))
            LookAgain(now, kept);
        var left = _queriesPerTurn;
        for (; left > 0 && _holds.TryTake(now, out var held); left--)
            AskAgain(now, in held);
        while (left > 0 && _lost.TryPeek(out var lost) && lost.DueAt <= now)
        {
            if (!lost.HasBegun)
            {
                lost.Queries.BeginWalk();
                (lost.HasBegun, lost.IsAnotherThere, lost.IsForDoubtful) = (true, false, false);
            }
            if (lost.Queries.Cursor != 0)
            {
                left--;
                SendLost(now, lost);
                continue;
            }
            _lost.Dequeue();
            if (_lastEnded == lost.Queries)
                _lastEnded = null;
            if (lost.Queries.Count == 0)
                LogDone(now, lost);
            else if (lost.IsAnotherThere)
                LookAgain(now, lost);
            else if (lost.IsForDoubtful)
                LookSoon(now, lost);
            else
                Keep(lost);
        }
        while (_copiesAt <= now && _cutShort.TryDequeue(out var waiting))
        {
            if (waiting.IsCutShort)
                Walk(now, waiting);
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
            if (suspect.IsToBeWalkedAgain)
                Walk(now, suspect);
            else if (suspect.IsCutShort)
                Pause(now, suspect);
        }
        _ownAnswers.Flush();
        WaitForFirst(now);
    }

    /// <summary>No more is done for a session that ended.</summary>
    private void LogDone(Instant now, Loss lost) => _records.Write(now, lost.Backend.Name,
        isBackend: true,
        new LogEvent.QueriesResent(lost.Backend.Id, lost.Resent, lost.Lost));

    private void Keep(Loss lost)
    {
        var before = _kept.Last;
        while (before is not null && before.Value.OverAt > lost.OverAt)
            before = before.Previous;
        if (before is null)
            _kept.AddFirst(lost.Node);
        else
            _kept.AddAfter(before, lost.Node);
    }

    /// <summary>Takes the first that is over by then; false if there is none.</summary>
    private bool TryTakeKept(Instant overBy, [NotNullWhen(true)] out Loss? kept)
    {
        kept = _kept.First?.Value;
        if (kept is null || kept.OverAt > overBy)
            return false;
        _kept.RemoveFirst();
        return true;
    }

    private void LookAgain(Instant now, Loss kept)
    {
        (kept.JudgedAt, kept.DueAt, kept.HasBegun) = (now, now, false);
        _lost.Enqueue(kept);
    }

    private void LookSoon(Instant now, Loss lost)
    {
        (lost.DueAt, lost.HasBegun) = (now + Limits.LossDelay, false);
        _lost.Enqueue(lost);
    }

    private void Pause(Instant now, InFlight suspect)
    {
        if (_cutShort.Count == 0)
            _copiesAt = now + Limits.BudgetPause;
        if (!_cutShort.Contains(suspect))
            _cutShort.Enqueue(suspect);
    }

    private void WaitForFirst(Instant now)
    {
        var first = _holds.FirstDueAt;
        if (_lost.TryPeek(out var lost))
            first = Instant.Min(first, lost.DueAt);
        if (_kept.First is { } kept)
            first = Instant.Min(first, kept.Value.OverAt);
        if (_cutShort.Count > 0)
            first = Instant.Min(first, _copiesAt);
        if (_suspects.Count > 0)
            first = now;
        HasWork = first <= now;
        if (HasWork || first == Instant.Never)
            _timers.Disarm(_timer);
        else if (!_timer.IsArmed || _timer.Deadline != first)
            _timers.Arm(_timer, first);
    }

    private void AskAgain(Instant now, in Held held)
    {
        if (_pairs.IsAnswered(held.Query.Pair))
            _pairs.Leave(held.Query.Pair);
        else if (_quarantine.IsRefused(now, held.Packet))
            RefuseHeld(in held);
        else if (TryAskAgain(now, in held, out var mayWait))
            _counters.Add(Counter.ResendsAfterError);
        else if (!mayWait || now - held.Query.ArrivedAt >= Limits.ResendTime
            || !_holds.TryStrand(in held, held.Query.ArrivedAt + Limits.ResendTime))
            GiveError(in held);
    }

    private void RefuseHeld(in Held held)
    {
        // What the other that has it says is late then.
        if (held.Query.Pair != 0)
            _pairs.TryAnswer(held.Query.Pair);
        Refuse(held.Query, held.Packet);
    }

    private void GiveError(in Held held) => GiveError(held.Query, held.Packet, held.Error);

    /// <summary>
    /// No backend takes it; its client gets the error, unless another backend has the query too.
    /// </summary>
    private void GiveError(in Query query, ReadOnlySpan<byte> packet, ResponseCode error)
    {
        if (query.Pair != 0 && !_pairs.IsLostWithout(query.Pair))
            return;
        _counters.Add(Counter.UnansweredLost);
        _ownAnswers.Add(query.Client, query.Local, packet, error);
    }

    /// <summary>
    /// Asks another that has given a good answer; for a second the same, while there is none, since
    /// of those without data nobody knows which has it first; then whom the policy sends the client
    /// to. Another is asked once, and after that only that one, also when it was restarted.
    /// `mayWait`: there is no backend to ask yet.
    /// </summary>
    private bool TryAskAgain(Instant now, in Held held, out bool mayWait)
    {
        mayWait = false;
        var isThere = IsThere(held.Backend, held.Session);
        if (held.Query.WasResent || held.Query.Pair != 0)
        {
            mayWait = !IsThere(held.Backend) && !_answersWithoutBackend;
            return !mayWait && IsThere(held.Backend)
                && held.Backend.TryForward(now, held.Query, held.Packet);
        }
        var again = held.Query with { WasResent = true };
        var chosen = _forwarding.ChooseWithData(now, held.Backend);
        if (chosen is null)
        {
            chosen = isThere && !held.Backend.IsSilent
                && now - held.Query.ArrivedAt < Limits.SameBackendTime
                ? held.Backend : _forwarding.Choose(now, in again);
        }
        if (chosen is null)
        {
            mayWait = !_answersWithoutBackend;
            return false;
        }
        if (chosen == held.Backend && isThere)
        {
            return chosen.TryForward(now, held.Query, held.Packet)
                || _forwarding.TryOthers(now, chosen, in again, held.Packet) is not null;
        }
        // One that is silent may never answer, and from there it could go nowhere.
        mayWait = chosen.MayHang;
        return !mayWait && _forwarding.TryForward(now, chosen, in again, held.Packet) is not null;
    }

    private static bool IsThere(Backend backend, long session) =>
        backend.SessionNumber == session && IsThere(backend);

    private static bool IsThere(Backend backend) =>
        backend.State is BackendState.Healthy or BackendState.Draining;

    private void SendLost(Instant now, Loss lost)
    {
        var queries = lost.Queries;
        var query = queries.Next(_packet, out var index, out var length);
        var packet = _packet.AsSpan(0, length);
        if (query.Pair != 0 && !_pairs.IsLostWithout(query.Pair))
        {
            queries.Drop(index);
        }
        else if (_quarantine.IsRefused(now, packet))
        {
            queries.Drop(index);
            Refuse(in query, packet);
            lost.Lost++;
        }
        else if (query.Pair == 0 && MayBeSentAgain(lost.JudgedAt, in query, packet))
        {
            SendAgain(now, lost, index, in query, packet);
        }
        else
        {
            queries.Drop(index);
            _counters.Add(Counter.UnansweredLost);
            lost.Lost++;
        }
    }

    private void SendAgain(
        Instant now, Loss lost, int index, in Query query, ReadOnlySpan<byte> packet)
    {
        var again = query with { WasResent = true };
        var sentTo = lost.Queries.SentAgainTo;
        var number = sentTo.NumberOf(packet);
        var chosen = _forwarding.Choose(now, in again);
        var first = chosen is null ? null : sentTo.Find(number, chosen);
        // One that is silent may never answer, and from there it could go nowhere.
        if (chosen is null ? MayBeKept(now, in query, packet)
            : first is null or { MayHang: true } && MayBeSentAgain(now, in query, packet))
        {
            lost.IsForDoubtful |= chosen is not null && first is not { IsSilent: true };
            return;
        }
        if ((first ?? chosen) is { } asked
            && _forwarding.TryForward(now, asked, in again, packet) is { } taker)
        {
            lost.Queries.Drop(index);
            // The last of them has taken the memory along.
            if (lost.Queries.Count > 0)
                sentTo.Add(number, taker);
            _counters.Add(Counter.ResendsAfterLoss);
            lost.Resent++;
        }
        else if (chosen is null || !MayBeSentAgain(now, in query, packet))
        {
            lost.Queries.Drop(index);
            _counters.Add(Counter.UnansweredLost);
            lost.Lost++;
        }
    }

    /// <summary>
    /// No backend is healthy: whether a query waits for one, or else is answered so, if it may be.
    /// </summary>
    private bool MayBeKept(Instant now, in Query query, ReadOnlySpan<byte> packet)
    {
        if (!_answersWithoutBackend)
            return MayBeSentAgain(now, in query, packet);
        _ownAnswers.Add(query.Client, query.Local, packet, ResponseCode.ServerFailure);
        return false;
    }

    /// <summary>Its question was not refused when it came, and is now.</summary>
    private void Refuse(in Query query, ReadOnlySpan<byte> packet)
    {
        _counters.Add(Counter.UnansweredQuarantined);
        _ownAnswers.Add(query.Client, query.Local, packet, ResponseCode.Refused);
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
            if (suspect.TrySetAnswered(index))
                Refuse(in query, packet);
            return;
        }
        var number = suspect.SentAgainTo.NumberOf(packet);
        var chosen = _forwarding.Choose(now, query with { WasResent = true });
        if (chosen is null)
            return;
        var other = suspect.SentAgainTo.Find(number, chosen);
        // To one that is silent too it would go in vain, and it can go nowhere after that.
        if (other is { IsSilent: true } || other?.InFlight == suspect)
            return;
        if (other is null or { MayHang: true })
        {
            suspect.NotePassed();
            return;
        }
        if (!IsInBudget(now))
        {
            if (suspect.TryNoteOverBudget(index))
            {
                _counters.Add(Counter.ResendsOverBudget);
                return;
            }
            // It and those behind it were counted when the walk came here first.
            suspect.CutShort();
            return;
        }
        var pair = _pairs.Make();
        if (pair == 0)
            return;
        var copy = query with { Pair = pair, WasResent = true };
        if (_forwarding.TryForward(now, other, in copy, packet, suspect) is not { } taker)
        {
            _pairs.Discard(pair);
            return;
        }
        suspect.SentAgainTo.Add(number, taker);
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
