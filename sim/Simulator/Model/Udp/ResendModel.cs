// Owns the queries that should be sent again: those whose session ended, copies of those that a
// suspect backend has, and those that were answered with an error by one that has just said hello.
// A turn looks at a bounded number of them, after its deadlines and before everything that it does
// in slices.
//
// They show in the log, where a client is bound for them, a backend does not take one, or a
// session's are done; and else in what is written when the turn ends. So the model takes them up
// one by one as far as a line asks for it, and the rest as soon as it sees something that comes
// after.
//
// What always holds: a query whose session ended is sent once more or counted as lost, once; none
// is sent to a third backend.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows the queries that are sent once more.</summary>
internal sealed class ResendModel(ReferenceModel model)
{
    private readonly Queue<Lost> _lost = new();
    private readonly Queue<Walk> _walks = new();
    private readonly Dictionary<long, long> _forwarded = [];
    private readonly Dictionary<long, long> _copied = [];
    private readonly Queue<HeldQuery> _held = new();

    /// <summary>Held queries that found no backend, ordered by when they expire.</summary>
    private readonly List<HeldQuery> _stranded = [];

    /// <summary>Those of them that are looked at because a backend is there.</summary>
    private readonly Queue<HeldQuery> _woken = new();

    private readonly List<Lost> _waiting = [];
    private Walk? _lastOver;

    private readonly Queue<Walk> _beyondBudget = new();

    /// <summary>When copies may be made again that were too many.</summary>
    private Instant _budgetAt;
    private int _left;
    private bool _isOver;

    private sealed class Lost(
        ExpectedSession session, Queue<ExpectedQuery> queries, Instant endedAt)
    {
        public ExpectedSession Session => session;

        /// <summary>Queries that came less than 5 s before may be sent again.</summary>
        public Instant AsOf { get; set; } = endedAt;

        /// <summary>Others that end at the same time are known by then.</summary>
        public Instant DueAt { get; set; } = endedAt + SpecifiedLimits.LostWaitFor;

        /// <summary>Queries that found no healthy backend wait until then.</summary>
        public Instant WaitsUntil { get; } = endedAt + SpecifiedLimits.ResendTime;

        public Queue<ExpectedQuery> Waiting { get; } = new();

        /// <summary>The first was looked at; and since then a backend said hello.</summary>
        public bool HasBegun { get; set; }

        public bool IsAnotherThere { get; set; }

        /// <summary>Some would have gone to a backend that was asked and is silent.</summary>
        public bool IsForDoubtful { get; set; }

        public BackendId Id => session.Backend.Name;

        /// <summary>The stop itself ended the session, and no record is owed.</summary>
        public bool IsOfStop { get; init; }
        public Queue<ExpectedQuery> Queries => queries;
        public long Resent { get; set; }
        public long LostForGood { get; set; }
    }

    private sealed record HeldQuery(
        ExpectedSession Session, ExpectedQuery Query, byte Error, Instant DueAt);

    private sealed record Walk(ExpectedSession Session, Queue<ExpectedQuery> Queries)
    {
        /// <summary>
        /// Some were beyond the budget or would go to a backend in doubt, so there is another walk.
        /// </summary>
        public bool IsCutShort { get; set; }

        /// <summary>Somebody may take by now what this walk has passed.</summary>
        public bool IsToBeMadeAgain { get; set; }

        public bool IsUnderWay => Queries.Any(query => !query.IsGone);

        public void Begin()
        {
            (IsCutShort, IsToBeMadeAgain) = (false, false);
            Queries.Clear();
            foreach (var query in Session.InFlight.NewestFirst)
                Queries.Enqueue(query);
        }
    }

    /// <summary>Told of each query whose session ended.</summary>
    public Action<ExpectedSession, ExpectedQuery>? OnCut { get; set; }

    /// <summary>
    /// Queries whose session ended wait, or some whose answers are held; those that wait for a
    /// healthy backend do not count.
    /// </summary>
    public bool HasUnsent => _lost.Count > 0 || _held.Count > 0;

    /// <summary>All that wait.</summary>
    public IEnumerable<ExpectedQuery> Waiting =>
        _lost.Concat(_waiting).SelectMany(lost => lost.Queries.Concat(lost.Waiting))
            .Concat(_held.Concat(_stranded).Concat(_woken).Select(held => held.Query));

    /// <summary>
    /// Whether a reply that answers a query is kept from its client: an error, of a backend that
    /// said hello a moment ago, or that has given nothing else when another has.
    /// </summary>
    public bool MayHold(ExpectedSession session, ExpectedQuery query, ReadOnlySpan<byte> reply) =>
        !session.IsRetired && AnswerList.IsError(reply)
        && (IsStarting(session) || (!HasAnswered(session) && HasAnotherAnswered(session)))
        && query.Pair is not { IsAnswered: true } && query.Packet.Length >= 12
        && (query.Packet[2] >> 3 & 0xf) == 0
        && model.Now - query.ArrivedAt < (IsStarting(session)
            ? SpecifiedLimits.ResendTime : SpecifiedLimits.HoldTime)
        && _held.Count + _stranded.Count + _woken.Count < SpecifiedLimits.MostHeld;

    /// <summary>Whether its backend said hello a moment ago.</summary>
    public bool IsStarting(ExpectedSession session) =>
        model.Now - session.HelloAt < SpecifiedLimits.HoldTime;

    /// <summary>Whether somebody, be it a probe, had a good answer of it.</summary>
    public static bool HasAnswered(ExpectedSession session) =>
        session.Given.HasGood || session.Probes.HasAnswered;

    private bool HasAnotherAnswered(ExpectedSession session) =>
        model.Policy.Backends.Any(other => other != session.Backend
            && other is
            {
                Stage: Stage.Healthy, IsSuspect: false, IsStuck: false,
                Session: { } theirs
            } && HasAnswered(theirs));

    public void Hold(ExpectedSession session, ExpectedQuery query, ReadOnlySpan<byte> reply) =>
        _held.Enqueue(new HeldQuery(
            session, query, (byte)(reply[3] & 0xf), model.Now + SpecifiedLimits.AskAgainAfter));

    /// <summary>Something is left for the next turn.</summary>
    public bool HasWork => (_lost.TryPeek(out var lost) && lost.DueAt <= model.Now)
        || _waiting.Exists(waiting => waiting.WaitsUntil <= model.Now)
        || _walks.Count > 0
        || (_beyondBudget.Count > 0 && _budgetAt <= model.Now)
        || (_held.TryPeek(out var held) && held.DueAt <= model.Now)
        || _woken.Count > 0 || (_stranded.Count > 0 && _stranded[0].DueAt <= model.Now);

    private long Second => model.Now.Nanoseconds / 1_000_000_000;

    public void OnTurnBegan()
    {
        _left = model.Work.ResendsPerTurn;
        _isOver = false;
    }

    /// <summary>A query that arrived was forwarded.</summary>
    public void OnForwarded() => Note(_forwarded);

    /// <summary>
    /// The backend's session that was over last ended by itself: what it had may have done it.
    /// </summary>
    public void OnDied(ExpectedBackend backend)
    {
        if (_lastOver is { } last && last.Session.Backend == backend)
        {
            var asks = model.Asked.InFlightOn(last.Session);
            if (last.Queries.Count > 0 || asks.Count > 0)
            {
                // What the kernel did not take of the session did nothing.
                var taken = last.Queries.Where(query => query.FrameEnd <= last.Session.Written);
                model.Quarantine.OnDeath(last.Session, taken, asks);
            }
        }
        _lastOver = null;
    }

    public void OnSessionOver(ExpectedSession session)
    {
        _lastOver = new Walk(session, new Queue<ExpectedQuery>());
        EndWalk(session);
        if (session.InFlight.Count == 0)
            return;
        var queries = new Queue<ExpectedQuery>(session.InFlight.NewestFirst);
        foreach (var query in queries)
            session.InFlight.Remove(query);
        foreach (var query in queries)
            OnCut?.Invoke(session, query);
        _lastOver = new Walk(session, queries);
        if (!(session.Evidence == null && model.Life.ClosesAll))
            model.Suspicion.AskOthers(session.Backend);
        _lost.Enqueue(new Lost(session, queries, model.Now)
        {
            IsOfStop = session.Evidence == null && model.Life.ClosesAll,
        });
    }

    public void OnSuspected(ExpectedSession session)
    {
        WakeStranded();
        BeginWalk(session);
    }

    private void BeginWalk(ExpectedSession session) =>
        OnSuspected(_walks.Concat(_beyondBudget).FirstOrDefault(walk => walk.Session == session)
            ?? new Walk(session, new Queue<ExpectedQuery>()));

    private void OnSuspected(Walk walk)
    {
        if (!_walks.Contains(walk))
            _walks.Enqueue(walk);
        walk.Begin();
    }

    /// <summary>What it has is not sent to others any more.</summary>
    public void EndWalk(ExpectedSession session)
    {
        foreach (var walk in _walks.Concat(_beyondBudget))
        {
            if (walk.Session != session)
                continue;
            walk.Queries.Clear();
            (walk.IsCutShort, walk.IsToBeMadeAgain) = (false, false);
        }
    }

    /// <summary>As EndWalk; and if it comes to that again, that begins anew.</summary>
    public void KeepAll(ExpectedSession session)
    {
        EndWalk(session);
        session.SentAgainTo.Clear();
    }

    /// <summary>It keeps what it has, and others that are suspect may give theirs to it.</summary>
    public void OnTrusted(ExpectedSession session)
    {
        if (!session.Backend.IsMute)
            KeepAll(session);
        LookAgain();
    }

    private void TakeUpFirst()
    {
        var first = _waiting.MinBy(waiting => waiting.WaitsUntil.Nanoseconds)!;
        _waiting.Remove(first);
        TakeUp(first);
    }

    private void TakeUp(Lost waiting)
    {
        model.Reached(Situation.LostTakenUp);
        (waiting.AsOf, waiting.DueAt) = (model.Now, model.Now);
        (waiting.HasBegun, waiting.IsAnotherThere) = (false, false);
        while (waiting.Waiting.TryDequeue(out var query))
            waiting.Queries.Enqueue(query);
        _lost.Enqueue(waiting);
    }

    /// <summary>Whether the one in doubt lives is known soon.</summary>
    private void LookSoon(Lost lost)
    {
        model.Reached(Situation.LostWaitForDoubtful);
        (lost.DueAt, lost.HasBegun) = (model.Now + SpecifiedLimits.LostWaitFor, false);
        lost.IsAnotherThere = false;
        while (lost.Waiting.TryDequeue(out var query))
            lost.Queries.Enqueue(query);
        _lost.Enqueue(lost);
    }

    /// <summary>One that was in doubt has said something, and may get what waits.</summary>
    public void OnDoubtOver()
    {
        WakeStranded();
        foreach (var walk in _walks)
            walk.IsToBeMadeAgain |= walk.IsCutShort;
        if (_beyondBudget.Count > 0)
            _budgetAt = model.Now;
    }

    /// <summary>
    /// A backend is there that may take queries of suspect ones, and those that wait of sessions
    /// that ended.
    /// </summary>
    public void LookAgain()
    {
        WakeStranded();
        foreach (var lost in _lost)
            lost.IsAnotherThere = lost.HasBegun;
        while (_waiting.Count > 0)
            TakeUpFirst();
        foreach (var backend in model.Policy.Backends)
        {
            if (backend.Session is { } suspect && (backend.IsSilent || backend.IsMute))
                WalkAgain(suspect);
            if (model.Retired.Find(session => session.Backend == backend) is
                { Silence.IsSilent: true } retired)
            {
                WalkAgain(retired);
            }
        }
    }

    private void WakeStranded()
    {
        _stranded.ForEach(_woken.Enqueue);
        _stranded.Clear();
    }

    /// <summary>A walk that is under way is finished first.</summary>
    private void WalkAgain(ExpectedSession session)
    {
        if (_walks.FirstOrDefault(walk => walk.Session == session) is { IsUnderWay: true } walk)
        {
            model.Reached(Situation.WalkIsMadeAgain);
            walk.IsToBeMadeAgain = true;
        }
        else
            BeginWalk(session);
    }

    /// <summary>The balancer has stopped: what was in flight is lost.</summary>
    public void OnStopped()
    {
        foreach (var lost in _lost.Concat(_waiting).Where(lost => !lost.IsOfStop))
        {
            model.Report(ViolationKind.Untrue, "the log does not have what became of"
                + $" {lost.Queries.Count + lost.Waiting.Count} queries of backend {lost.Id}");
        }
        LoseAll();
        foreach (var held in _woken.Concat(_stranded).Concat(_held))
            GiveError(held);
        _woken.Clear();
        _stranded.Clear();
        _held.Clear();
        _walks.Clear();
        _beyondBudget.Clear();
    }

    /// <summary>What is left of sessions that ended is lost, and that is logged.</summary>
    private void LoseAll()
    {
        foreach (var lost in _lost.Concat(_waiting.OrderBy(one => one.WaitsUntil.Nanoseconds)))
        {
            foreach (var query in lost.Queries.Concat(lost.Waiting))
            {
                if (model.Flights.LeaveUnanswered(query, Counter.UnansweredLost))
                    lost.LostForGood++;
            }
            model.Lines.Owe(new LogEvent.QueriesResent(lost.Id, lost.Resent, lost.LostForGood));
        }
        _lost.Clear();
        _waiting.Clear();
    }

    /// <summary>All of this turn's are sent by now.</summary>
    public void Finish()
    {
        if (_isOver)
            return;
        model.Deadlines.ServeAll();
        while (TryStep())
            model.Arrivals.ReportUntold();
        model.ReachedIf(_left == 0, Situation.ResendsOfATurnUsedUp);
        _isOver = true;
    }

    /// <summary>A session's are done, as the log has it.</summary>
    public void FinishTo(LogEvent.QueriesResent logged)
    {
        if (model.Life.IsStopDue)
            LoseAll();
        while (!model.Lines.IsOwed(logged) && TryStep())
            model.Arrivals.ReportUntold();
        // A stop does not wait for what finds nobody, be it found out in this very turn.
        if (!model.Lines.IsOwed(logged) && model.Life.IsStopping && !HasUnsent)
            LoseAll();
    }

    /// <summary>Looks at the next one; false if none is left for this turn.</summary>
    public bool TryStep()
    {
        if (_isOver)
            return false;
        model.Deadlines.ServeAll();
        while (_waiting.Exists(over => over.WaitsUntil <= model.Now))
            TakeUpFirst();
        if (_left > 0 && _woken.TryDequeue(out var woken))
        {
            _left--;
            model.Reached(Situation.HeldIsWoken);
            AskAgain(woken);
            return true;
        }
        if (_left > 0 && _stranded.Count > 0 && _stranded[0].DueAt <= model.Now)
        {
            _left--;
            var first = _stranded[0];
            _stranded.RemoveAt(0);
            model.Reached(Situation.HeldRunsOut);
            AskAgain(first);
            return true;
        }
        if (_left > 0 && _held.TryPeek(out var held) && held.DueAt <= model.Now)
        {
            _left--;
            _held.Dequeue();
            AskAgain(held);
            return true;
        }
        while (_left > 0 && _lost.TryPeek(out var lost) && lost.DueAt <= model.Now)
        {
            if (!lost.HasBegun)
                lost.IsForDoubtful = false;
            lost.HasBegun = true;
            if (lost.Queries.TryDequeue(out var query))
            {
                _left--;
                SendLost(lost, query);
                return true;
            }
            _lost.Dequeue();
            if (lost.Waiting.Count > 0)
            {
                if (lost.IsAnotherThere)
                    TakeUp(lost);
                else if (lost.IsForDoubtful)
                    LookSoon(lost);
                else
                {
                    model.Reached(Situation.LostWaitForAnybody);
                    _waiting.Add(lost);
                }
                continue;
            }
            model.Lines.Owe(new LogEvent.QueriesResent(lost.Id, lost.Resent, lost.LostForGood));
            return true;
        }
        while (_budgetAt <= model.Now && _beyondBudget.TryDequeue(out var beyond))
        {
            model.ReachedIf(beyond.IsCutShort, Situation.BudgetComesBack);
            if (beyond.IsCutShort)
                OnSuspected(beyond);
        }
        while (_left > 0 && _walks.TryPeek(out var walk))
        {
            if (!walk.Queries.TryPeek(out var query))
            {
                _walks.Dequeue();
                if (walk.IsToBeMadeAgain)
                    OnSuspected(walk);
                if (!walk.IsCutShort)
                    continue;
                if (_beyondBudget.Count == 0)
                    _budgetAt = model.Now + SpecifiedLimits.BudgetPause;
                if (!_beyondBudget.Contains(walk))
                    _beyondBudget.Enqueue(walk);
            }
            else if (query.IsGone)
            {
                walk.Queries.Dequeue();
            }
            else
            {
                _left--;
                walk.Queries.Dequeue();
                CopyToAnother(walk, query);
                return true;
            }
        }
        return false;
    }

    private void AskAgain(HeldQuery held)
    {
        if (held.Query.Pair is { IsAnswered: true } answered)
        {
            answered.IsLostWithout();
        }
        else if (model.Quarantine.IsRefused(held.Query.Packet))
        {
            held.Query.Pair?.TryAnswer();
            held.Query.Pair = null;
            Refuse(held.Query);
        }
        else if (TryAskAgain(held, out var waits))
        {
            model.Counters.Add(Counter.ResendsAfterError);
            model.Reached(Situation.HeldAskedAgain);
        }
        else if (waits)
        {
            model.Reached(Situation.HeldFindsNobody);
            Strand(held with { DueAt = held.Query.ArrivedAt + SpecifiedLimits.ResendTime });
        }
        else
        {
            GiveError(held);
        }
    }

    private void Strand(HeldQuery held)
    {
        var at = _stranded.FindIndex(other => other.DueAt > held.DueAt);
        _stranded.Insert(at < 0 ? _stranded.Count : at, held);
    }

    /// <summary>No backend has a better answer for its client.</summary>
    private void GiveError(HeldQuery held)
    {
        if (model.Flights.LeaveUnanswered(held.Query, Counter.UnansweredLost))
            model.OwnAnswers.OweLate(held.Query, held.Error);
    }

    private bool TryAskAgain(HeldQuery held, out bool waits)
    {
        waits = false;
        var query = held.Query;
        var same = new ExpectedQuery(query.Client, query.Local, query.Packet, query.ArrivedAt)
        {
            Pair = query.Pair,
            WasResent = query.WasResent,
            IsNewcomers = query.IsNewcomers,
        };
        var asked = held.Session.Backend;
        var isUp = asked.Stage is Stage.Healthy or Stage.Draining;
        var isThere = isUp && asked.Session == held.Session;
        // No other backend may have it; this one may, in any session.
        if (query.WasResent || query.Pair != null)
        {
            waits = !isUp && !model.Scenario.Kernel.AnswersWithoutBackend
                && model.Now - query.ArrivedAt < SpecifiedLimits.ResendTime;
            return isUp && model.Flights.TryPut(asked, same);
        }
        var rich = model.Policy.NextWithData(
            model.Now, not: held.Session.Backend, other => other.Session is { } theirs
                && HasAnswered(theirs));
        var isKept = isThere && !asked.IsSilent
            && model.Now - query.ArrivedAt < SpecifiedLimits.SameBackendFor;
        if ((rich ?? (isKept ? asked : model.Flights.Choose(same.Resent()))) is not { } chosen)
        {
            waits = !model.Scenario.Kernel.AnswersWithoutBackend
                && query.MayBeSentAgain(model.Now);
            return false;
        }
        var isSame = chosen.Session == held.Session;
        if (isSame && model.Flights.TryPut(chosen, same))
            return true;
        waits = !isSame && IsInDoubt(chosen) && query.MayBeSentAgain(model.Now);
        if (!isSame && IsInDoubt(chosen))
            return false;
        return (isSame ? model.Flights.GiveToOthers(chosen, same.Resent())
            : model.Flights.Give(chosen, same.Resent())) != null;
    }

    private void SendLost(Lost lost, ExpectedQuery query)
    {
        if (model.Quarantine.IsRefused(query.Packet))
        {
            lost.LostForGood += Refuse(query) ? 1 : 0;
        }
        else if (query.MayBeSentAgain(lost.AsOf))
        {
            SendAgain(lost, query);
        }
        else if (model.Flights.LeaveUnanswered(query, Counter.UnansweredLost))
        {
            lost.LostForGood++;
        }
    }

    private void SendAgain(Lost lost, ExpectedQuery query)
    {
        var again = query.Again();
        var kind = KindOf(query);
        var chosen = model.Flights.Choose(again);
        var first = WhereItWent(lost.Session, kind, chosen, out var isUnknown);
        if (chosen == null ? MayWait(query)
            : (isUnknown || IsInDoubt(first!)) && query.MayBeSentAgain(model.Now))
        {
            lost.IsForDoubtful |= isUnknown || first is { IsSilent: false };
            lost.Waiting.Enqueue(query);
        }
        else if (first != null && model.Flights.Give(first, again) is { } taker)
        {
            NoteWhereItWent(lost.Session, kind, taker);
            model.Counters.Add(Counter.ResendsAfterLoss);
            lost.Resent++;
        }
        else if (first != null && query.MayBeSentAgain(model.Now))
        {
            // Those that live take nothing for now.
            lost.Waiting.Enqueue(query);
        }
        else
        {
            model.Flights.LeaveUnanswered(query, Counter.UnansweredLost);
            lost.LostForGood++;
        }
    }

    /// <summary>
    /// No backend is healthy: whether it waits. If SERVFAIL is answered then, it is sent at once,
    /// and the query does not wait.
    /// </summary>
    private bool MayWait(ExpectedQuery query)
    {
        if (!model.Scenario.Kernel.AnswersWithoutBackend)
            return query.MayBeSentAgain(model.Now);
        model.OwnAnswers.OweLate(query, OwnAnswerModel.Failure);
        return false;
    }

    /// <summary>Backends have died of it since it came: it is answered so.</summary>
    private bool Refuse(ExpectedQuery query)
    {
        model.Flights.OnGivenUp?.Invoke(query);
        if (!model.Flights.LeaveUnanswered(query, Counter.UnansweredQuarantined))
            return false;
        model.OwnAnswers.OweLate(query, OwnAnswerModel.Refused);
        return true;
    }

    private void CopyToAnother(Walk walk, ExpectedQuery query)
    {
        if (!query.MayBeSentAgain(model.Now))
            return;
        if (model.Quarantine.IsRefused(query.Packet))
        {
            Refuse(query);
            model.Reached(Situation.CopyWouldBeRefused);
            // It stays where it is, and what that says of it is late.
            query.Pair = new ExpectedPair();
            query.Pair.TryAnswer();
            return;
        }
        var copy = query.Again();
        var kind = KindOf(query);
        var other = WhereItWent(
            walk.Session, kind, model.Flights.Choose(copy), out var isUnknown);
        if (other == null
            || (!isUnknown && (other.IsSilent || other.Session == walk.Session)))
        {
            return;
        }
        if (isUnknown || IsInDoubt(other))
        {
            model.ReachedIf(!isUnknown, Situation.CopyWaitsForDoubtful);
            walk.IsCutShort = true;
            return;
        }
        if (Recent(_copied) >= Math.Max(SpecifiedLimits.LeastCopies,
            Recent(_forwarded) / SpecifiedLimits.QueriesOfACopy))
        {
            model.Counters.Add(Counter.ResendsOverBudget, query.WasOverBudget ? 0 : 1);
            // One that was counted is met by a later walk: none behind it is new.
            if (query.WasOverBudget)
                walk.Queries.Clear();
            walk.IsCutShort = true;
            query.WasOverBudget = true;
            model.Flights.OnGivenUp?.Invoke(query);
            return;
        }
        copy.Pair = new ExpectedPair();
        if (model.Flights.Give(other, copy, walk.Session) is not { } taker)
            return;
        NoteWhereItWent(walk.Session, kind, taker);
        query.Pair = copy.Pair;
        model.Counters.Add(Counter.ResendsFromSuspect);
        Note(_copied);
    }

    /// <summary>It was asked, and has said nothing since; it may be suspect by now.</summary>
    public static bool IsInDoubt(ExpectedBackend backend) => backend.Session?.Silence.Phase
        is Silence.Phases.Asked or Silence.Phases.Suspect;

    /// <summary>The same for all that is refused together.</summary>
    private static string KindOf(ExpectedQuery query) =>
        new QueryText(query.Packet, isCut: false, hasForm: false).Kind;

    /// <summary>
    /// One of the kind may end backends: of one session, the next goes where the first went while
    /// that answers, whomever the policy chooses; `isUnknown`: it is to wait, since that is silent
    /// and the quarantine has not looked why.
    /// </summary>
    private ExpectedBackend? WhereItWent(
        ExpectedSession from, string kind, ExpectedBackend? chosen, out bool isUnknown)
    {
        isUnknown = false;
        if (chosen == null || !from.SentAgainTo.TryGetValue(kind, out var session)
            || session.Backend.Stage != Stage.Healthy || session.Backend.Session != session)
        {
            return chosen;
        }
        isUnknown = session.Silence is { IsSilent: true, IsHung: false };
        if (isUnknown || session.Backend is { IsSuspect: true } or { IsStuck: true })
            return chosen;
        model.ReachedIf(session.Backend != chosen, Situation.CopyGoesWhereOneWent);
        return session.Backend;
    }

    private static void NoteWhereItWent(
        ExpectedSession from, string kind, ExpectedBackend taker)
    {
        if (from.SentAgainTo.Count < SpecifiedLimits.QuestionsSentOnce
            || from.SentAgainTo.ContainsKey(kind))
        {
            from.SentAgainTo[kind] = taker.Session!;
        }
    }

    private void Note(Dictionary<long, long> counts) =>
        counts[Second] = counts.GetValueOrDefault(Second) + 1;

    private long Recent(Dictionary<long, long> counts)
    {
        var sum = 0L;
        for (var n = 0; n < SpecifiedLimits.BudgetSeconds; n++)
            sum += counts.GetValueOrDefault(Second - n);
        return sum;
    }
}
