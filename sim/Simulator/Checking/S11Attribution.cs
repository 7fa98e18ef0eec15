// Claims that every fault that the core names really happened, to the present generation of that
// backend: an error, an end, a frame that was read, or a time that has passed; that the end of one
// whose socket is gone is a stop and not a fault; that a connect for which the balancer itself
// lacks something is neither; and that no session ends without either being named.
//
// It knows by the evidence that the model took from the calls before the core said anything.

using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S11Attribution() : Check("S11")
{
    public override bool Claims(ViolationKind kind) => kind is ViolationKind.Unfounded;

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        if (logged is not LogEvent.BackendFaulted faulted
            || Model.Policy.WithId(faulted.Id.Value) is not { } backend)
        {
            return;
        }
        if (!backend.OwesFaultEvent)
        {
            Fail($"{backend} was faulted for {faulted.Fault.Cause}; nothing of it has ended",
                backend.PlanId);
        }
        else if (backend.OwesLook)
        {
            Fail($"{backend} was faulted for the end of its session at {now}; whether its socket is"
                + " gone, as after a stop, was not looked up", backend.PlanId);
        }
        else if (!IsFounded(backend, faulted.Fault, now))
        {
            Fail($"{backend} was faulted for {faulted.Fault.Cause} at {now}; generation"
                + $" {backend.Generations}, of {backend.LastSession?.ConnectedAt}, shows"
                + $" {backend.LastEvidence?.ToString() ?? "nothing of the kind"}", backend.PlanId);
        }
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (Model.Life.HasStopped)
            return;
        foreach (var backend in Model.Policy.Backends)
        {
            if (backend.OwesFaultEvent)
                Fail($"{backend} lost its session, and no fault was named", backend.PlanId);
        }
    }

    private bool IsFounded(ExpectedBackend backend, Fault fault, Instant now)
    {
        if (backend.LastEvidence is { } evidence)
            return evidence.Supports(fault);
        return backend.LastSession is { } session && fault.Cause switch
        {
            FaultCause.HelloTimeout => !session.HasHello
                && HasPassed(session.ConnectedAt + SpecifiedLimits.HelloTime, now),
            FaultCause.HeartbeatTimeout => session.HasHeartbeatOut
                && HasPassed(session.HeartbeatAt + SpecifiedLimits.HeartbeatTime, now),
            FaultCause.ReadsNothing => HasPassed(session.StallDue, now),
            _ => false,
        };
    }

    private bool HasPassed(Instant due, Instant now) => now >= Model.Standstill.Extend(due);
}
