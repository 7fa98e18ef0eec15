// Claims that a backend which dies, hangs or is restarted costs its clients nothing that another
// could have answered: a query that was forwarded is answered within 250 ms, at any time of a run.
// Of these a silent backend has 200 before it is suspect, and 50 are to spare; whoever is sent the
// query then answers at once, if its script is empty.
//
// The time begins when the query is put into a backend's queue, and anew with each byte that comes
// from a backend which is not good for all of it, and while the kernel has no memory to read it. It
// is longer for one that is old: its backend has answered a heartbeat that was sent 100 ms after
// it. When the session ends, it begins anew, and is 50 ms; when the balancer's own process stood
// still, all of it is left after that, and after the time in which no backend becomes suspect.
//
// These are all the excuses:
//  - no backend was good for the whole of that time: on one session, healthy, warm, neither suspect
//    nor stuck to the model, with an empty script, and not paused by a fault or hung by a query;
//  - the backend that the policy sends it to second was not good for the whole of that time;
//  - the query is none that every backend answers, or it ends backends; it was 5 s old when the
//    session ended or was silent for so long, or when the process went on; it was refused, made
//    room for another, or found the budget of copies used up;
//  - its client asked with the same id again, which the claim is about from then on;
//  - the kernel refused a reply to that client, or any reply because the socket was full;
//  - the balancer is stopping, or its clock moves in steps of more than 50 ms, or is wrong or was a
//    second ago: then the time begins anew.
//
// It knows what a backend can do by the scenario and its faults, where a query is by the model, and
// that it was answered by the datagrams that leave.

using System;
using System.Collections.Generic;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S17NothingLost() : Check("S17")
{
    private const int HeaderBytes = 12;

    private static readonly Duration Silence =
        SpecifiedLimits.SilenceTime + SpecifiedLimits.SilenceTime;

    private static readonly Duration ToSpare = Duration.FromMilliseconds(50L);

    /// <summary>What a backend can do is known in true time, and the rest in the clock's.</summary>
    private static readonly Duration AfterClockFault = Duration.FromSeconds(1L);

    private readonly Dictionary<(Endpoint Client, int Id), Asked> _asked = [];
    private readonly PriorityQueue<Asked, long> _due = new();
    private readonly Dictionary<ExpectedSession, Streak> _good = [];
    private readonly Dictionary<int, Instant> _pausedUntil = [];
    private readonly HashSet<int> _scripted = [];
    private bool _isWatching;
    private Instant _wentOnAt;
    private int _clockFaults;
    private Instant _clockIsRightFrom;

    /// <summary>Queries that were owed an answer, and had it in time.</summary>
    public long Answered { get; private set; }

    /// <summary>Of these, how many had a second backend since their first one's end.</summary>
    public long AnsweredAfterEnd { get; private set; }

    /// <summary>And how many since their first one was silent.</summary>
    public long AnsweredAfterSilence { get; private set; }

    private sealed class Asked(ExpectedQuery query, ExpectedSession first, long turn)
    {
        public ExpectedQuery Query => query;
        public ExpectedSession First => first;
        public int ReadsBefore { get; set; } = first.Reads;

        public Instant OverTcpBefore { get; set; } = first.Silence.AnsweredOverTcpAt;

        /// <summary>From the end of the turn before on somebody must have been good.</summary>
        public long SinceTurn { get; set; } = turn;
        public Instant Due { get; set; }

        /// <summary>The first of its times in the queue; Never for none.</summary>
        public Instant LooksAt { get; set; } = Instant.Never;

        /// <summary>Its time is not over.</summary>
        public bool IsAwaited { get; set; }
        public ExpectedSession? Second { get; set; }
        public bool IsFirstOver { get; set; }

        /// <summary>It is answered, excused or forgotten.</summary>
        public bool IsOver { get; set; }
    }

    /// <summary>
    /// Since the end of which turn a session is good without a break, and the time before that.
    /// </summary>
    private sealed class Streak
    {
        private const long Never = long.MaxValue;

        private long _from = Never;
        private long _lastFrom = Never;
        private Instant _lastTo;

        public bool Covers(long fromTurn, Instant to) =>
            _from < fromTurn || (_lastFrom < fromTurn && _lastTo >= to);

        public void GoOn(long turn) => _from = Math.Min(_from, turn);

        public void End(Instant now)
        {
            if (_from == Never)
                return;
            (_lastFrom, _lastTo) = (_from, now);
            _from = Never;
        }
    }

    private Duration Step => Model.Scenario.Kernel.ClockStep;

    /// <summary>A phase of silence ends up to a step late, and time is read a step early.</summary>
    private Duration Steps => Step + Step + Step;

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        if (!_isWatching)
            Watch();
        if (Model.Life.IsStopping)
        {
            _asked.Clear();
            _due.Clear();
            return;
        }
        if (Model.Lateness > Step || _clockFaults > 0 || now < _clockIsRightFrom)
            WaitAnew(now);
        while (_due.TryPeek(out var asked, out var at) && now.Nanoseconds > at)
        {
            _due.Dequeue();
            if (asked.IsOver || asked.LooksAt.Nanoseconds != at)
                continue;
            asked.LooksAt = Instant.Never;
            if (now > asked.Due)
                Judge(asked);
            else
                LookAt(asked);
        }
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        foreach (var session in _good.Keys)
        {
            if (session.IsClosed || session.IsRetired)
                _good.Remove(session);
        }
        foreach (var backend in Model.Policy.Backends)
        {
            if (backend.Session is not { } session)
                continue;
            if (!_good.TryGetValue(session, out var streak))
                _good.Add(session, streak = new Streak());
            if (IsGood(backend, now))
                streak.GoOn(Model.Turn);
            else
                streak.End(now);
        }
    }

    public override void OnSent(in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (!_asked.Remove((header.Peer, ExpectedQuery.IdOf(payload)), out var asked))
            return;
        asked.IsOver = true;
        if (!IsOwed(asked))
            return;
        Answered++;
        if (asked.Second == null)
            return;
        AnsweredAfterEnd += asked.IsFirstOver ? 1 : 0;
        AnsweredAfterSilence += asked.IsFirstOver ? 0 : 1;
    }

    public override void OnSendFailed(in DatagramHeader header, IoResult why)
    {
        foreach (var ((client, _), asked) in _asked)
        {
            if (why.Status == IoStatus.WouldBlock || client == header.Peer)
                Forget(asked);
        }
    }

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        if (fault.Kind == FaultKind.BackendPause && began)
            Pause(now, fault.Target, fault.For);
        if (fault.Kind is not (FaultKind.ClockBack or FaultKind.ClockStill))
            return;
        _clockFaults += began ? 1 : -1;
        _clockIsRightFrom = now + AfterClockFault;
    }

    /// <summary>A query may hang the backend that reads it.</summary>
    public override void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (DnsQuestions.FindKiller(bytes) is >= 0 and var at && DnsQuestions.IsHanger(bytes[at..]))
            Pause(now, backend, DnsQuestions.HangTime);
    }

    private void Pause(Instant now, int backend, Duration time)
    {
        var until = _pausedUntil.GetValueOrDefault(backend);
        _pausedUntil[backend] = Instant.Max(until, now + time);
        foreach (var (session, streak) in _good)
        {
            if (session.Backend.PlanId == backend)
                streak.End(Instant.Max(Model.Now, now - Step));
        }
    }

    /// <summary>One that does not heal stays paused for good.</summary>
    public override void OnHealed(Instant now)
    {
        foreach (var backend in Model.Scenario.Backends)
        {
            if (!backend.IsCore && _pausedUntil.GetValueOrDefault(backend.Id) > now)
                _pausedUntil[backend.Id] = Instant.Never;
        }
    }

    private void Watch()
    {
        _isWatching = true;
        foreach (var backend in Model.Scenario.Backends)
        {
            if (backend.Script != Misbehaviour.None)
                _scripted.Add(backend.Id);
        }
        Model.Flights.OnPut = OnPut;
        Model.Flights.OnGivenUp = Forget;
        Model.Flights.OnRefused = OnRefused;
        Model.Resends.OnCut = OnCut;
    }

    /// <summary>A query was put into a session's queue, for the first or the second time.</summary>
    private void OnPut(ExpectedSession session, ExpectedQuery query)
    {
        if (Model.Life.IsStopping || Step > SpecifiedLimits.LatenessAllowed)
            return;
        var key = KeyOf(query);
        if (_asked.TryGetValue(key, out var before) && query.Original == before.Query)
        {
            before.Second = session;
            return;
        }
        // One whose answer was held is asked again, and then it is the other's query.
        var isAskedAgain = query.Original == null
            && query.ArrivedAt == before?.Query.ArrivedAt;
        var isOwed = !query.WasResent && IsAnswerable(query);
        if (before != null && (isOwed || isAskedAgain))
            Forget(before);
        if (!isOwed)
            return;
        var asked = new Asked(query, session, Model.Turn);
        _asked.Add(key, asked);
        Await(asked, Silence + ToSpare);
    }

    /// <summary>It is stuck, if only for a part of this turn.</summary>
    private void OnRefused(ExpectedSession session)
    {
        if (_good.TryGetValue(session, out var streak))
            streak.End(Model.Now);
    }

    /// <summary>The session that has the query has ended.</summary>
    private void OnCut(ExpectedSession session, ExpectedQuery query)
    {
        if (!_asked.TryGetValue(KeyOf(query), out var asked) || asked.Query != query
            || asked.Second != null)
        {
            return;
        }
        asked.IsFirstOver = true;
        if (Model.Now - query.ArrivedAt >= SpecifiedLimits.ResendTime)
        {
            Forget(asked);
            return;
        }
        asked.SinceTurn = Model.Turn;
        Await(asked, ToSpare);
    }

    private void Await(Asked asked, Duration time) => Await(asked, time, Model.Now);

    private void Await(Asked asked, Duration time, Instant since)
    {
        // Nobody is sent it again for another's silence before backends are suspect again.
        var spared = time > ToSpare ? Model.Standstill.SilentUntil + ToSpare : Instant.Zero;
        asked.Due = Instant.Max(since + time, spared) + Steps;
        asked.IsAwaited = true;
        LookAt(asked);
    }

    /// <summary>
    /// One that is in the queue for earlier is put off only then: while a clock is wrong, the times
    /// of all change in each turn.
    /// </summary>
    private void LookAt(Asked asked)
    {
        if (asked.Due >= asked.LooksAt)
            return;
        asked.LooksAt = asked.Due;
        _due.Enqueue(asked, asked.Due.Nanoseconds);
    }

    /// <summary>The process stood still, and waits that ended late prove nothing.</summary>
    private void WaitAnew(Instant now)
    {
        _wentOnAt = now;
        foreach (var asked in _asked.Values)
        {
            if (IsTooOldWhenSilent(asked, now))
                Forget(asked);
            else if (asked.IsAwaited)
                Await(asked, SilenceOf(asked) + ToSpare);
        }
    }

    /// <summary>It is too old to be sent again when its backend was silent since then.</summary>
    private bool IsTooOldWhenSilent(Asked asked, Instant since) =>
        Instant.Max(since + SilenceOf(asked), Model.Standstill.SilentUntil) + Steps
            >= asked.Query.ArrivedAt + SpecifiedLimits.ResendTime;

    /// <summary>How long its backend is silent before it is suspect.</summary>
    private static Duration SilenceOf(Asked asked) =>
        asked.First.Silence is var silence && asked.Query.SentAt <= silence.OldUntil
            ? silence.LongWait + SpecifiedLimits.SilenceTime : Silence;

    private void Judge(Asked asked)
    {
        asked.IsAwaited = false;
        var wasUnreadable = WasUnreadable(asked);
        if (wasUnreadable || HasSaidSomething(asked))
        {
            var lastRead = Instant.Max(_wentOnAt, Instant.Max(
                asked.First.LastReadAt, asked.First.Silence.AnsweredOverTcpAt));
            var lastTurn = asked.First.LastReadIn;
            if (wasUnreadable && asked.First.Unreadable.At > lastRead)
                (lastTurn, lastRead) = asked.First.Unreadable;
            var time = SilenceOf(asked);
            if (IsTooOldWhenSilent(asked, lastRead))
            {
                Forget(asked);
                return;
            }
            asked.ReadsBefore = asked.First.Reads;
            asked.OverTcpBefore = asked.First.Silence.AnsweredOverTcpAt;
            asked.SinceTurn = lastTurn;
            Await(asked, time + ToSpare, since: lastRead);
            return;
        }
        if (!IsOwed(asked))
        {
            // When the session ends that has it, it is owed once more.
            if (asked.IsFirstOver || asked.Second != null)
                Forget(asked);
            return;
        }
        var first = asked.First;
        var (query, second) = (asked.Query, asked.Second?.Backend.ToString());
        var where = (asked.IsFirstOver, second) switch
        {
            (true, null) => ", whose session has ended, and then to nobody",
            (true, _) => $", whose session has ended, and then to {second}",
            (false, null) => " alone",
            _ => $", and when that was suspect to {second}",
        };
        Fail($"the query {ExpectedQuery.IdOf(query.Packet)} of {query.Client} that came at"
            + $" {query.ArrivedAt} is unanswered at {Model.Now}; an answer was due by {asked.Due};"
            + $" it should have been sent to {first.Backend}{where}", first.Backend.PlanId);
    }

    /// <summary>Whether an answer was owed, as far as its time has passed.</summary>
    private bool IsOwed(Asked asked)
    {
        if (asked.Second is { } second && !WasGood(second, asked))
            return false;
        foreach (var backend in Model.Policy.Backends)
        {
            if (backend.Session is { } session && WasGood(session, asked))
                return true;
        }
        return false;
    }

    /// <summary>
    /// The first one has it still, is not good, and was not silent: its silence began later.
    /// </summary>
    private bool HasSaidSomething(Asked asked) => !asked.IsFirstOver && asked.Second == null
        && (asked.First.Reads != asked.ReadsBefore
            || asked.First.Silence.AnsweredOverTcpAt > asked.OverTcpBefore)
        && !WasGood(asked.First, asked);

    /// <summary>
    /// The first one has it still, and what it said lay unread: nobody knows that it was silent.
    /// </summary>
    private bool WasUnreadable(Asked asked) => !asked.IsFirstOver && asked.Second == null
        && asked.First.Unreadable is { Turn: > 0, At: var at }
        && at + SilenceOf(asked) + ToSpare + Steps > Model.Now;

    private bool WasGood(ExpectedSession session, Asked asked) =>
        _good.TryGetValue(session, out var streak)
        && streak.Covers(asked.SinceTurn, Instant.Min(asked.Due, Model.Now));

    private bool IsGood(ExpectedBackend backend, Instant now) =>
        backend is { Stage: Stage.Healthy, HasPath: true, IsSuspect: false, IsStuck: false }
        && backend.Session is { IsShort: false }
        && now >= backend.WarmAt && !_scripted.Contains(backend.PlanId)
        && now >= _pausedUntil.GetValueOrDefault(backend.PlanId);

    private void Forget(Asked asked)
    {
        asked.IsOver = true;
        _asked.Remove(KeyOf(asked.Query));
    }

    private void Forget(ExpectedQuery query)
    {
        if (_asked.TryGetValue(KeyOf(query), out var asked) && asked.Query == query)
            Forget(asked);
    }

    private static (Endpoint Client, int Id) KeyOf(ExpectedQuery query) =>
        (query.Client, ExpectedQuery.IdOf(query.Packet));

    /// <summary>One question and nothing else, which no backend dies of.</summary>
    private static bool IsAnswerable(ExpectedQuery query) => query.Question != null
        && (query.Packet[2] & 0xf8) == 0
        && query.Packet.AsSpan(4, HeaderBytes - 4).SequenceEqual<byte>([0, 1, 0, 0, 0, 0, 0, 0])
        && !DnsQuestions.IsKiller(query.Packet) && !DnsQuestions.IsDropped(query.Packet);
}
