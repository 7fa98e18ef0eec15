// Claims that the directory is scanned every 5 s, 10 ms after a reported change, and at once
// when the operator asks; that a backend is connected to at once when a scan discovers it, sees it
// again or restarted, 100 ms after a connect that failed for want of something of the balancer's
// own, and else after 1, 3, 5, … 32 s, from 1 again after a hello; once at a time; and never while
// it is removed.
//
// It knows by the scans and connects that were seen, and by its own reckoning of each back-off,
// with which the delay that the log names must agree.

using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S9BackOff() : Check("S9")
{
    public override bool Claims(ViolationKind kind) =>
        kind is ViolationKind.Reconnect or ViolationKind.Scan;

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        if (logged is LogEvent.BackendFaulted faulted
            && Model.Policy.WithId(faulted.Id.Value) is { OwesFaultEvent: true } backend
            && faulted.BackOff != backend.BackOff)
        {
            Fail($"{backend} backs off for {faulted.BackOff}; it should be {backend.BackOff}",
                backend.PlanId);
        }
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (Model.Life.HasStopped || Model.MostTimers > Model.Work.TimersPerTurn)
            return;
        foreach (var backend in Model.Policy.Backends)
        {
            if (backend.IsConnectDue)
            {
                Fail($"{backend} was not connected to in the turn in which it was found",
                    backend.PlanId);
            }
            else if (now >= backend.ReconnectAt && Model.Turn > backend.BackedOffIn)
            {
                Fail($"{backend} was not connected to at {now}; due {backend.ReconnectAt}",
                    backend.PlanId);
            }
        }
    }
}
