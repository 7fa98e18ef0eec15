// Owns what should be thought of a backend that is silent: from the queries that were put into its
// queue, the bytes that came and the clock of turns follows when it is asked for a heartbeat, when
// it becomes suspect, and when it is trusted again.
//
// What always holds: a session is suspect in the two last phases and in no other; what is thought
// of a session ends with it.

using System;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>What is thought of one session.</summary>
internal sealed class Silence
{
    public enum Phases
    {
        /// <summary>Nothing is waited for.</summary>
        Idle,

        /// <summary>A query was queued, or left by a read, and no byte came since.</summary>
        Waiting,

        /// <summary>A heartbeat is out besides, and no byte came since.</summary>
        Asked,

        /// <summary>It is suspect, and silent.</summary>
        Suspect,

        /// <summary>It is suspect, and answers for now.</summary>
        Proving,
    }

    public Phases Phase { get; set; }

    public Instant Since { get; set; }

    /// <summary>When the phase is looked at again; Never for not.</summary>
    public Instant DueAt { get; set; } = Instant.Never;

    /// <summary>Of two deadlines at one instant the lower one comes first.</summary>
    public long DueOrder { get; set; }

    public Instant SuspectSince { get; set; }

    /// <summary>When an answer over TCP last showed that it lives.</summary>
    public Instant AnsweredOverTcpAt { get; set; }

    /// <summary>When it was last found silent, being suspect.</summary>
    public Instant SilentSince { get; set; }

    /// <summary>When it said something after that, or was trusted; null for never.</summary>
    public Instant? OverAt { get; set; }

    /// <summary>When it was last asked because another may hang; null for never.</summary>
    public Instant? AskedBesideAt { get; set; }

    /// <summary>When it is looked for what may have hung it; Never for not.</summary>
    public Instant HangAt { get; set; } = Instant.Never;

    /// <summary>Of two deadlines at one instant the lower one comes first.</summary>
    public long HangOrder { get; set; }

    public Instant ProvingSince { get; set; }

    /// <summary>When it was last trusted again; null for never.</summary>
    public Instant? TrustedAt { get; set; }

    public Duration Proof { get; set; }

    /// <summary>How long nothing may come in Waiting; more if all of it is old.</summary>
    public Duration Wait { get; set; } = SpecifiedLimits.SilenceTime;

    /// <summary>
    /// Queries that were queued by then are old: it has answered a heartbeat since, that was sent
    /// well after them.
    /// </summary>
    public Instant OldUntil { get; set; } = Instant.Zero - SpecifiedLimits.SilenceTime;

    /// <summary>How often such heartbeats were answered with no newer query there.</summary>
    public int InVain { get; set; }

    /// <summary>How long old queries are waited for.</summary>
    public Duration LongWait => Duration.Min(SpecifiedLimits.HeartbeatInterval,
        new Duration(SpecifiedLimits.SilenceTime.Nanoseconds << Math.Min(InVain + 1, 20)));

    public bool WaitsForOld => Phase == Phases.Waiting && Wait > SpecifiedLimits.SilenceTime;

    /// <summary>It was asked since the last byte.</summary>
    public bool WasAsked { get; set; }

    /// <summary>It was suspect for so long that something may have hung it.</summary>
    public bool WasHung { get; set; }

    public bool IsHung => WasHung && Phase == Phases.Suspect;

    public bool IsSuspect => Phase is Phases.Suspect or Phases.Proving;

    public bool IsSilent => Phase == Phases.Suspect;
}

/// <summary>Follows the silence of all sessions.</summary>
internal sealed class SuspicionModel(ReferenceModel model)
{
    /// <summary>
    /// A query was put into its queue, or a TCP message or connection waits for it.
    /// </summary>
    public void OnQuery(ExpectedSession session)
    {
        var silence = session.Silence;
        if (silence.Phase == Silence.Phases.Idle)
            WaitFor(silence, SpecifiedLimits.SilenceTime);
        if (!silence.WaitsForOld)
            return;
        model.Reached(Situation.NewQueryEndsLongWait);
        // A newer one brings the question forward, and never puts it off.
        var left = silence.Since + silence.Wait - model.Now;
        silence.Since = model.Now
            - (SpecifiedLimits.SilenceTime - Duration.Min(left, SpecifiedLimits.SilenceTime));
        silence.Wait = SpecifiedLimits.SilenceTime;
    }

    /// <summary>A TCP connection was taken: it is alive, and owes queries alone.</summary>
    public void OnConnectionTaken(ExpectedSession session)
    {
        if (session.Silence.Phase == Silence.Phases.Waiting && NewestOf(session) == null)
            session.Silence.Phase = Silence.Phases.Idle;
    }

    /// <summary>
    /// A TCP message was answered that went on then. The answer may have lain unread, so it shows
    /// life after that and no later.
    /// </summary>
    public void OnMessageAnswered(ExpectedSession session, Instant askedAt)
    {
        var silence = session.Silence;
        if (silence.Phase is Silence.Phases.Waiting or Silence.Phases.Asked
            && askedAt >= silence.Since)
        {
            session.Reads++;
            (session.LastReadAt, session.LastReadIn) = (model.Now, model.Turn);
            silence.WasAsked = false;
            EndWait(session);
            silence.AnsweredOverTcpAt = model.Now;
            model.Reached(Situation.AnswerOverTcpShowsLife);
            OnWasRead(session);
        }
        else
        {
            OnConnectionTaken(session);
        }
    }

    /// <summary>When the newest came that it has not answered, over UDP or TCP.</summary>
    private Instant? NewestOf(ExpectedSession session)
    {
        var query = session.InFlight.Newest?.SentAt;
        var message = session.IsRetired ? null : model.Asked.NewestOn(session);
        return query > message || message == null ? query : message;
    }

    private void WaitFor(Silence silence, Duration time)
    {
        silence.Phase = Silence.Phases.Waiting;
        silence.Since = model.Now;
        silence.Wait = time;
        if (silence.DueAt == Instant.Never
            || silence.DueAt > model.Now + SpecifiedLimits.SilenceTime)
        {
            LookAgain(silence);
        }
    }

    /// <summary>A read brought a byte or more.</summary>
    public void OnByte(ExpectedSession session)
    {
        var silence = session.Silence;
        silence.WasAsked = false;
        switch (silence.Phase)
        {
            case Silence.Phases.Waiting or Silence.Phases.Asked:
                EndWait(session);
                break;
            case Silence.Phases.Suspect when silence.Proof == Duration.Zero:
                Trust(session);
                break;
            case Silence.Phases.Suspect:
                silence.Phase = Silence.Phases.Proving;
                (silence.ProvingSince, silence.OverAt) = (model.Now, model.Now);
                LookAgain(silence);
                if (session.IsRetired)
                    break;
                model.Resends.LookAgain();
                model.Connections.Handshakes.OnBackendsChanged();
                break;
        }
    }

    /// <summary>It lives, and was not suspect; what waited for that is looked at.</summary>
    private void EndWait(ExpectedSession session)
    {
        if (session is { Silence.Phase: Silence.Phases.Asked, IsRetired: false })
            model.Resends.OnDoubtOver();
        session.Silence.Phase = Silence.Phases.Idle;
    }

    /// <summary>What a read brought was taken in; what is left is waited for from now on.</summary>
    public void OnWasRead(ExpectedSession session)
    {
        var silence = session.Silence;
        if (NewestOf(session) is { } newest && silence.Phase == Silence.Phases.Idle)
        {
            model.ReachedIf(newest <= silence.OldUntil, Situation.OldQueriesWaitLonger);
            WaitFor(silence, newest <= silence.OldUntil
                ? silence.LongWait : SpecifiedLimits.SilenceTime);
        }
    }

    /// <summary>It answered the heartbeat that was out.</summary>
    public void OnHeartbeatAnswered(ExpectedSession session)
    {
        var silence = session.Silence;
        var hasNewer = NewestOf(session) is not { } newest || newest > silence.OldUntil;
        silence.InVain = hasNewer ? 0 : silence.InVain + 1;
        silence.OldUntil = session.HeartbeatAt - SpecifiedLimits.SilenceTime;
    }

    public static void OnSessionOver(ExpectedSession session)
    {
        session.Silence.Phase = Silence.Phases.Idle;
        session.Silence.DueAt = Instant.Never;
        session.Silence.HangAt = Instant.Never;
        session.Silence.WasHung = false;
    }

    /// <summary>It is suspect for a while; if it is silent, something may have hung it.</summary>
    public void OnHangDue(ExpectedSession session)
    {
        var silence = session.Silence;
        var isLate = model.Now - silence.HangAt > SpecifiedLimits.LatenessAllowed;
        silence.HangAt = Instant.Never;
        if (silence.Phase != Silence.Phases.Suspect)
            return;
        if (isLate || session.HasUnread)
            LookForHang(silence, model.Now + SpecifiedLimits.HangTime);
        else if (model.Now < model.Standstill.SilentUntil)
            LookForHang(silence, model.Standstill.SilentUntil);
        else
        {
            silence.WasHung = true;
            model.Reached(Situation.HangIsJudged);
            if (!session.InFlight.WasJudged)
                model.Quarantine.OnHang(session, model.Asked.InFlightOn(session));
            model.Connections.Handshakes.OnBackendsChanged();
        }
    }

    private void LookForHang(Silence silence, Instant at)
    {
        silence.HangAt = at;
        silence.HangOrder = model.Deadlines.NextOrder();
    }

    /// <summary>Its time has come.</summary>
    public void OnDue(ExpectedSession session)
    {
        var silence = session.Silence;
        var isLate = model.Now - silence.DueAt > SpecifiedLimits.LatenessAllowed;
        silence.DueAt = Instant.Never;
        if (silence.Phase == Silence.Phases.Idle)
            return;
        if (isLate || session.HasUnread)
        {
            model.ReachedIf(!isLate, Situation.JudgedLaterForUnread);
            if (silence.Phase == Silence.Phases.Waiting)
                silence.Since = model.Now;
            LookAgain(silence);
            return;
        }
        var isAsked = silence.Phase == Silence.Phases.Asked
            || (silence.Phase == Silence.Phases.Proving && silence.WasAsked);
        if (isAsked && model.Now < model.Standstill.SilentUntil)
        {
            model.Reached(Situation.SuspicionSpared);
            LookAgain(silence);
            silence.DueAt = model.Standstill.SilentUntil;
            return;
        }
        switch (silence.Phase)
        {
            case Silence.Phases.Waiting
                when model.Now < silence.Since + silence.Wait:
                LookAgain(silence);
                silence.DueAt = Instant.Min(silence.DueAt, silence.Since + silence.Wait);
                break;
            case Silence.Phases.Waiting:
                silence.Phase = Silence.Phases.Asked;
                Ask(session);
                AskOthers(session);
                break;
            case Silence.Phases.Asked:
                Suspect(session);
                break;
            case Silence.Phases.Proving when silence.WasAsked:
                model.Reached(Situation.ProvingFallsSilent);
                silence.Phase = Silence.Phases.Suspect;
                OnSilent(session);
                break;
            case Silence.Phases.Proving
                when model.Now - silence.ProvingSince >= silence.Proof:
                model.Reached(Situation.TrustedByProof);
                Trust(session);
                OnWasRead(session);
                break;
            case Silence.Phases.Proving:
                Ask(session);
                break;
        }
    }

    private void Ask(ExpectedSession session)
    {
        session.Silence.WasAsked = true;
        if (session.IsRetired)
            SessionModel.AskRetired(session, model.Now);
        else
            session.OwesQuestion = !session.HasHeartbeatOut;
        LookAgain(session.Silence);
    }

    /// <summary>
    /// One may hang: of the others that clients can go to, those are asked that have nothing to
    /// answer, or only what they left long ago, each once in so long.
    /// </summary>
    private void AskOthers(ExpectedSession doubtful) =>
        AskOthers(session => session != doubtful);

    /// <summary>A session ended with queries in flight; others may be gone as well.</summary>
    public void AskOthers(ExpectedBackend ended) =>
        AskOthers(session => session.Backend != ended);

    private void AskOthers(Predicate<ExpectedSession> isMeant)
    {
        foreach (var other in model.Policy.Backends)
        {
            if (other is not { Stage: Stage.Healthy, Session: { } session } || !isMeant(session)
                || !(session.Silence.Phase == Silence.Phases.Idle || session.Silence.WaitsForOld)
                || model.Now < session.Silence.AskedBesideAt + SpecifiedLimits.SilenceTime)
            {
                continue;
            }
            // No longer than if it had been asked for what it left, which it owes.
            var due = model.Now + SpecifiedLimits.SilenceTime + SpecifiedLimits.SilenceTime;
            if (session.Silence.WaitsForOld)
            {
                due = Instant.Min(due, session.Silence.Since + session.Silence.Wait
                    + SpecifiedLimits.SilenceTime);
            }
            model.Reached(Situation.AskedBeside);
            session.Silence.AskedBesideAt = model.Now;
            session.Silence.Since = model.Now;
            session.Silence.Phase = Silence.Phases.Asked;
            Ask(session);
            session.Silence.DueAt = due;
        }
    }

    private void Suspect(ExpectedSession session)
    {
        var silence = session.Silence;
        var again = silence.TrustedAt is { } trusted
            && model.Now - trusted < SpecifiedLimits.SuspicionMemory;
        silence.Phase = Silence.Phases.Suspect;
        silence.SuspectSince = model.Now;
        var longer = Duration.Min(silence.Proof + silence.Proof, SpecifiedLimits.LongestProof);
        silence.Proof = !again ? Duration.Zero
            : longer > SpecifiedLimits.FirstProof ? longer : SpecifiedLimits.FirstProof;
        model.ReachedIf(again, Situation.SuspectAgain);
        model.ReachedIf(
            silence.Proof > SpecifiedLimits.FirstProof, Situation.ProofGetsLonger);
        if (!session.IsRetired)
        {
            model.Counters.Add(Counter.BackendsSuspected);
            model.Lines.Owe(new LogEvent.BackendSuspected(session.Backend.Name,
                session.Backend.Path, model.Now - silence.Since, session.InFlight.Count));
        }
        OnSilent(session);
    }

    /// <summary>
    /// It is suspect and silent. If what it was sent first behind its last answer is charged with
    /// a hang already, this is another.
    /// </summary>
    private void OnSilent(ExpectedSession session)
    {
        var silence = session.Silence;
        silence.SilentSince = model.Now;
        if (!session.IsRetired)
        {
            if (!session.InFlight.WasJudged && model.Quarantine.HungAnother(session))
            {
                model.Reached(Situation.HangsAsAnotherDid);
                model.Quarantine.OnHang(session, model.Asked.InFlightOn(session));
                model.Connections.Handshakes.OnBackendsChanged();
            }
            LookForHang(silence, model.Now + SpecifiedLimits.HangTime);
        }
        model.Resends.OnSuspected(session);
        model.Connections.Handshakes.OnBackendsChanged();
    }

    private void Trust(ExpectedSession session)
    {
        var silence = session.Silence;
        silence.Phase = Silence.Phases.Idle;
        silence.DueAt = Instant.Never;
        silence.HangAt = Instant.Never;
        silence.WasHung = false;
        (silence.TrustedAt, silence.OverAt) = (model.Now, model.Now);
        if (session.IsRetired)
        {
            model.Resends.KeepAll(session);
            return;
        }
        model.Counters.Add(Counter.BackendsTrusted);
        session.InFlight.WasJudged = false;
        model.Lines.Owe(new LogEvent.BackendTrusted(session.Backend.Name, session.Backend.Path,
            model.Now - silence.SuspectSince));
        model.Resends.OnTrusted(session);
        model.Connections.Handshakes.OnBackendsChanged();
    }

    private void LookAgain(Silence silence)
    {
        silence.DueAt = model.Now + SpecifiedLimits.SilenceTime;
        silence.DueOrder = model.Deadlines.NextOrder();
    }
}
