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

    /// <summary>It gave an answer that is no error.</summary>
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

    /// <summary>How often it was mute since it answered a query.</summary>
    public int TimesMute { get; set; }

    /// <summary>When it last answered a query; null for never.</summary>
    public Instant? AnsweredAt { get; private set; }

    public void OnAnswered(Instant now)
    {
        (TimesMute, AnsweredAt) = (0, now);
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
    /// Something of it was read: who answered nothing for two seconds, and has 20 queries that are
    /// older and that anybody would answer, is mute, if another answers that clients can go to.
    /// </summary>
    public void OnWasRead(ExpectedSession session)
    {
        var answers = session.Given;
        if (session.IsRetired || answers.FailingSince != null || model.Scenario.Kernel.Probe
            || (answers.AnsweredAt is { } last && model.Now < last + SpecifiedLimits.VainTime)
            || Left(session) < SpecifiedLimits.AnswersToJudgeBy
            || !model.Policy.Backends.Any(other => other != session.Backend
                && other is
                {
                    Stage: Stage.Healthy, IsSuspect: false, IsStuck: false,
                    IsFailing: false, Session.Given.AnsweredAt: { } at
                }
                && model.Now < at + SpecifiedLimits.ShareMemory))
        {
            return;
        }
        model.Counters.Add(Counter.BackendsFailing);
        model.Lines.Owe(new LogEvent.BackendMute(
            session.Backend.Name, session.Backend.Path, session.InFlight.Count));
        answers.IsMute = true;
        answers.FailingSince = model.Now;
        var time = new Duration(
            SpecifiedLimits.ShareMemory.Nanoseconds << Math.Min(5, answers.TimesMute++));
        answers.DueAt = model.Now + time;
        answers.DueOrder = model.Deadlines.NextOrder();
        model.Resends.OnSuspected(session);
        model.Connections.Handshakes.OnBackendsChanged();
    }

    /// <summary>Of its oldest queries, those that are old and that anybody would answer.</summary>
    private int Left(ExpectedSession session) => session.InFlight.OldestFirst
        .Take(SpecifiedLimits.LooksForMute)
        .TakeWhile(query => model.Now >= query.SentAt + SpecifiedLimits.VainTime)
        .Count(query => query.Packet.Length >= 12 && (query.Packet[2] >> 3 & 0xf) == 0
            && query.Question != null);

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
            model.Resends.EndWalk(session);
        model.Counters.Add(Counter.BackendsNoLongerFailing);
        model.Lines.Owe(new LogEvent.BackendNoLongerFailing(session.Backend.Name,
            session.Backend.Path, answers.Failed, answers.Count,
            model.Now - answers.FailingSince!.Value));
        answers.FailingSince = null;
        answers.IsMute = false;
        answers.DueAt = Instant.Never;
    }

    private void LookAgain(AnswerList answers)
    {
        answers.DueAt = answers.LastAt + SpecifiedLimits.ShareMemory;
        answers.DueOrder = model.Deadlines.NextOrder();
    }
}
