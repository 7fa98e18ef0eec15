// Owns what should be thought of a backend's answers: which share of the last hundred on its
// session were SERVFAIL or REFUSED, and whether that is so far above another backend's that it
// fails.
//
// What always holds: a record belongs to one session and ends with it; what is compared is kept as
// a list of answers, and shares are compared as whole numbers.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>A query that anybody would answer, and that was not answered.</summary>
internal readonly record struct LeftQuery(Instant SentAt, Ipv4 Host, string Question)
{
    public static LeftQuery Of(ExpectedQuery query) =>
        new(query.SentAt, query.Client.Address, query.Question!);

    public static bool Counts(ExpectedQuery query) => query.Packet.Length >= 12
        && (query.Packet[2] >> 3 & 0xf) == 0 && query.Question != null
        && query.Packet.AsSpan(4, 6).SequenceEqual<byte>([0, 1, 0, 0, 0, 0]);
}

/// <summary>What one session answered last.</summary>
internal sealed class AnswerList
{
    public const int ServerFailure = 2;
    public const int Refused = 5;

    private readonly Queue<bool> _failures = [];

    /// <summary>Whether a reply says that its server could not or would not answer.</summary>
    public static bool IsError(ReadOnlySpan<byte> reply) =>
        reply.Length >= 12 && (reply[3] & 15) is ServerFailure or Refused;

    public Instant LastAt { get; private set; }

    /// <summary>It gave an answer that is not an error.</summary>
    public bool HasGood { get; private set; }

    /// <summary>
    /// Until when clients keep away from it, since it gave an error and nothing better yet.
    /// </summary>
    public Instant ErredUntil { get; private set; }

    public void Note(Instant now, int code)
    {
        HasGood |= code is 0 or 3;
        if (HasGood)
            ErredUntil = Instant.Zero;
        else if (code == 2)
            ErredUntil = now + SpecifiedLimits.DistrustTime;
        if (code == ServerFailure)
            ErredAt = now;
    }

    /// <summary>When it last gave SERVFAIL; null for never.</summary>
    public Instant? ErredAt { get; private set; }

    public int Count => _failures.Count;

    public int Failed => _failures.Count(isFailure => isFailure);

    /// <summary>Since when its backend fails; null if it does not.</summary>
    public Instant? FailingSince { get; set; }

    /// <summary>When it is looked at whether answers still come; Never for not.</summary>
    public Instant DueAt { get; set; } = Instant.Never;

    /// <summary>Of two deadlines at one instant the lower one comes first.</summary>
    public long DueOrder { get; set; }

    /// <summary>It fails because it answers nothing.</summary>
    public bool IsMute { get; set; }

    /// <summary>When it last answered a query; null for never.</summary>
    public Instant? AnsweredAt { get; private set; }

    /// <summary>
    /// What it was sent after LeftAfter and did not answer in time, the oldest first; no more than
    /// make a difference.
    /// </summary>
    public List<LeftQuery> TimedOut { get; } = [];

    public Instant LeftAfter { get; set; } = Instant.Zero;

    public void OnAnswered(Instant now)
    {
        AnsweredAt = now;
    }

    public void Add(Instant now, bool isFailure)
    {
        if (FailingSince == null && IsOld(now))
            _failures.Clear();
        if (_failures.Count == SpecifiedLimits.AnswersOfAShare)
            _failures.Dequeue();
        _failures.Enqueue(isFailure);
        LastAt = now;
    }

    public bool IsOld(Instant now) => now - LastAt >= SpecifiedLimits.ShareMemory;

    public void Forget() => _failures.Clear();

    /// <summary>Whether it is more than another's by so many hundredths.</summary>
    public bool IsMoreThan(AnswerList other, int hundredths, bool orAsMuch)
    {
        var difference = 100L * Failed * other.Count - 100L * other.Failed * Count;
        var allowed = (long)hundredths * Count * other.Count;
        return orAsMuch ? difference >= allowed : difference > allowed;
    }
}

/// <summary>Follows which backends fail.</summary>
internal sealed class FailingModel(ReferenceModel model)
{
    /// <summary>A reply answered one of a session's queries, first or not.</summary>
    public void OnAnswer(ExpectedSession session, ReadOnlySpan<byte> reply)
    {
        if (session.IsRetired)
            return;
        session.Given.OnAnswered(model.Now);
        Forgive(session.Given);
        session.Backend.TimesMute = 0;
        if (session.Given.IsMute)
            End(session);
        if (reply.Length >= 12)
            OnCode(session, reply[3] & 15);
    }

    /// <summary>A query or a TCP message was answered with this code.</summary>
    public void OnCode(ExpectedSession session, int code)
    {
        var isFailure = code is AnswerList.ServerFailure or AnswerList.Refused;
        session.Given.Note(model.Now, code);
        if (model.Resends.IsStarting(session))
            return;
        session.Given.Add(model.Now, isFailure);
        if (session.Given.FailingSince == null && isFailure)
            JudgeGood(session);
        else if (session.Given.FailingSince is { } since && !isFailure
            && model.Now - since >= SpecifiedLimits.ShareMemory)
            JudgeFailing(session);
    }

    /// <summary>
    /// Something of it was read: who answered nothing for two seconds, and has left many queries
    /// that anybody would answer, or a few for longer, is mute, if there is another that clients
    /// can go to and that answers, or was not found to leave any.
    /// </summary>
    public void OnWasRead(ExpectedSession session)
    {
        var answers = session.Given;
        if (session.IsRetired || answers.FailingSince != null || model.Scenario.Kernel.Probe
            || (answers.AnsweredAt is { } last && model.Now < last + SpecifiedLimits.VainTime)
            || !IsTelling(Left(session))
            || !model.Policy.Backends.Any(other => other != session.Backend
                && other is
                {
                    Stage: Stage.Healthy, IsSuspect: false, IsStuck: false, IsFailing: false,
                    Session: { } theirs
                }
                && ProbeModel.IsWarm(other, model.Now, probes: false)
                && ((theirs.Given.AnsweredAt is { } at
                        && model.Now < at + SpecifiedLimits.ShareMemory)
                    || Left(theirs).Count == 0)))
        {
            return;
        }
        model.Counters.Add(Counter.BackendsFailing);
        model.Lines.Owe(new LogEvent.BackendMute(
            session.Backend.Name, session.Backend.Path, session.InFlight.Count));
        answers.IsMute = true;
        answers.FailingSince = model.Now;
        var time = new Duration(
            SpecifiedLimits.ShareMemory.Nanoseconds << Math.Min(5, session.Backend.TimesMute++));
        answers.DueAt = model.Now + time;
        answers.DueOrder = model.Deadlines.NextOrder();
        model.Resends.OnSuspected(session);
        model.Connections.Handshakes.OnBackendsChanged();
    }

    /// <summary>
    /// What it left since its last answer, and has not been forgiven, without long gaps: of its
    /// oldest queries those that are old, and before them those whose time was over.
    /// </summary>
    private List<LeftQuery> Left(ExpectedSession session)
    {
        var after = session.Given.LeftAfter;
        var left = session.Given.TimedOut.FindAll(query => query.SentAt > after);
        var looks = 0;
        foreach (var query in session.InFlight.OldestFirst)
        {
            if (looks++ == SpecifiedLimits.LooksForMute
                || model.Now < query.SentAt + SpecifiedLimits.VainTime)
            {
                break;
            }
            if (query.SentAt > after && LeftQuery.Counts(query))
                left.Add(LeftQuery.Of(query));
        }
        var end = model.Now;
        var first = left.Count;
        while (first > 0 && end - left[first - 1].SentAt <= SpecifiedLimits.LeftTogether)
            end = left[--first].SentAt;
        left.RemoveRange(0, first);
        return left;
    }

    private bool IsTelling(List<LeftQuery> left) =>
        left.Count >= SpecifiedLimits.AnswersToJudgeBy
        || (left.Count >= SpecifiedLimits.FewLeft
            && model.Now >= left[0].SentAt + SpecifiedLimits.FewLeftFor
            && left.Exists(query => (query.Host, query.Question)
                != (left[0].Host, left[0].Question)));

    /// <summary>A query's time is over, and its session has not answered it.</summary>
    public static void OnTimedOut(ExpectedSession session, ExpectedQuery query)
    {
        var list = session.Given.TimedOut;
        if (!LeftQuery.Counts(query) || query.SentAt <= session.Given.LeftAfter)
            return;
        list.Add(LeftQuery.Of(query));
        // With so many behind it, one in the middle makes no difference any more.
        if (list.Count > 4 * SpecifiedLimits.AnswersToJudgeBy)
            list.RemoveAt(0);
    }

    public static void OnSessionOver(ExpectedSession session)
    {
        session.Given.FailingSince = null;
        session.Given.DueAt = Instant.Never;
        session.Given.Forget();
    }

    /// <summary>It fails for so long that its answers may be old.</summary>
    public void OnDue(ExpectedSession session)
    {
        var answers = session.Given;
        answers.DueAt = Instant.Never;
        if (answers.IsMute || answers.IsOld(model.Now))
        {
            answers.Forget();
            End(session);
        }
        else
        {
            LookAgain(answers);
        }
    }

    private void JudgeGood(ExpectedSession session)
    {
        var answers = session.Given;
        if (answers.Count < SpecifiedLimits.AnswersToJudgeBy)
            return;
        foreach (var other in OthersOf(session))
        {
            if (!answers.IsMoreThan(other.Session!.Given, SpecifiedLimits.FarAbove, true))
                continue;
            answers.FailingSince = model.Now;
            LookAgain(answers);
            model.Counters.Add(Counter.BackendsFailing);
            model.Lines.Owe(new LogEvent.BackendFailing(session.Backend.Name,
                session.Backend.Path, answers.Failed, answers.Count, other.Name,
                other.Session.Given.Failed, other.Session.Given.Count));
            return;
        }
    }

    private void JudgeFailing(ExpectedSession session)
    {
        var answers = session.Given;
        var others = OthersOf(session).ToList();
        var isLow = answers.Failed * 100 <= SpecifiedLimits.StillAbove * answers.Count;
        if (isLow || (others.Count > 0 && !others.Exists(other => answers.IsMoreThan(
            other.Session!.Given, SpecifiedLimits.StillAbove, false))))
        {
            End(session);
        }
    }

    /// <summary>Those that a session's answers are compared with, in the order of ids.</summary>
    private IEnumerable<ExpectedBackend> OthersOf(ExpectedSession session) =>
        model.Policy.Backends.Where(other => other != session.Backend
            && other is { Stage: Stage.Healthy, Session: { } theirs }
            && theirs.Given.Count >= SpecifiedLimits.AnswersToJudgeBy
            && !theirs.Given.IsOld(model.Now));

    private void End(ExpectedSession session)
    {
        var answers = session.Given;
        if (answers.IsMute && !session.Silence.IsSuspect)
            model.Resends.KeepAll(session);
        if (answers.IsMute)
            Forgive(answers);
        model.Counters.Add(Counter.BackendsNoLongerFailing);
        model.Lines.Owe(new LogEvent.BackendNoLongerFailing(session.Backend.Name,
            session.Backend.Path, answers.Failed, answers.Count,
            model.Now - answers.FailingSince!.Value));
        answers.FailingSince = null;
        answers.IsMute = false;
        answers.DueAt = Instant.Never;
    }

    private void Forgive(AnswerList answers)
    {
        answers.LeftAfter = model.Now;
        answers.TimedOut.Clear();
    }

    private void LookAgain(AnswerList answers)
    {
        answers.DueAt = answers.LastAt + SpecifiedLimits.ShareMemory;
        answers.DueOrder = model.Deadlines.NextOrder();
    }
}
