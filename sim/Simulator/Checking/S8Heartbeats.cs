// Claims that a backend is asked for a sign of life 5 s after its hello or its last answer, or when
// it is silent (see SuspicionModel), never earlier and no turn later; that one at most is out; that
// a session is faulted when one stayed unanswered for 15 s, or a hello for 30 s, or when none of
// the bytes that waited for it were taken for 15 s, never earlier and no turn later, and not before
// what it has said by then is read: a process that stood still must not take its own sleep for a
// backend's. For what lies unread, a hello or a heartbeat is waited for a second longer, and once,
// or while the kernel has no memory to read it; and nobody is judged in the time that is given
// after a standstill (see StandstillModel).
//
// And that a backend is probed at its hello and then at its times, if there are probes (see
// ProbeModel).
//
// It knows by the clock of turns and the bytes read; when either entered the queue it takes
// from the log, and that it was written in that place from the bytes. "No turn later" means: by the
// end of the first turn whose clock shows the deadline, and that turn comes at the deadline but for
// the clock's step and the scenario's stalls.

using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S8Heartbeats() : Check("S8")
{
    public override bool Claims(ViolationKind kind) =>
        kind is ViolationKind.Heartbeat or ViolationKind.Probe;

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        if (logged is LogEvent.BackendFaulted
            {
                Fault.Cause: FaultCause.HeartbeatTimeout
                or FaultCause.HelloTimeout
            } overdue
            && Model.Policy.WithId(overdue.Id.Value) is { LastSession: { } unread } hasty
            && (unread.ReadLacksMemory
                || (unread.UnreadSince != 0 && now < unread.UnreadUntil)))
        {
            Fail($"{hasty} was faulted for {overdue.Fault.Cause} while bytes of it that the"
                + " balancer knew of lay unread", hasty.PlanId);
        }
        if (logged is not LogEvent.BackendFaulted faulted
            || faulted.Fault.Cause != FaultCause.HeartbeatTimeout
            || Model.Policy.WithId(faulted.Id.Value) is not { } backend)
        {
            return;
        }
        if (backend.LastSession is not { HasHeartbeatOut: true } session)
        {
            Fail($"{backend} was faulted for a heartbeat; none was out in generation"
                + $" {backend.Generations}", backend.PlanId);
            return;
        }
        var due = session.HeartbeatAt + SpecifiedLimits.HeartbeatTime;
        if (now < Model.Standstill.Extend(due)
            || now > session.JudgedAt(due, Model.Standstill) + Model.Lateness)
        {
            Fail($"{backend} was faulted at {now} for its heartbeat of {session.HeartbeatAt};"
                + $" due {due}; nobody is judged before {Model.Standstill.SparedUntil}",
                backend.PlanId);
        }
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (Model.Life.HasStopped || Model.MostTimers > Model.Work.TimersPerTurn)
            return;
        foreach (var backend in Model.Policy.Backends)
        {
            if (backend.Session is not { Evidence: null } session)
                continue;
            if (now >= session.NextHeartbeatAt)
            {
                Fail($"{backend} was sent no heartbeat at {now}; due {session.NextHeartbeatAt}",
                    backend.PlanId);
            }
            else if (session.HasHeartbeatOut
                && session.IsOverdue(session.HeartbeatAt + SpecifiedLimits.HeartbeatTime, now,
                    Model.Standstill))
            {
                Fail($"{backend} is not faulted at {now}; its heartbeat of {session.HeartbeatAt}"
                    + " is unanswered", backend.PlanId);
            }
            else if (now >= session.StallDue)
            {
                Fail($"{backend} is not faulted at {now}; it takes nothing since"
                    + $" {session.StalledSince}", backend.PlanId);
            }
            else if (!session.HasHello
                && session.IsOverdue(session.ConnectedAt + SpecifiedLimits.HelloTime, now,
                    Model.Standstill))
            {
                Fail($"{backend} is not faulted at {now}; it was connected at"
                    + $" {session.ConnectedAt} and has not said hello", backend.PlanId);
            }
        }
    }
}
