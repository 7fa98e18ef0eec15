// Claims that a remote keeps its primary until it is silent for five minutes, or the primary is
// removed, or a rebalance takes it; that a rebalance takes from a fullest backend, and at most the
// spread less the number of backends; that rebalances, and checks for who is silent, come at their
// times; and that no backend leaves the choice - unlinked or removed - unless a whole scan or a
// connect has shown its path to be gone.
//
// It knows by the model's primaries, by its own measure of the spread at the moment of a rebalance,
// and by the scans and connects that were seen.

using Balancer.Core;
using Simulation.Kernel;
using Simulation.Model;

namespace Simulation.Checking;

internal sealed class S3Stickiness() : Check("S3")
{
    public override bool Claims(ViolationKind kind) => kind is ViolationKind.PrimaryChanged
        or ViolationKind.RemoteForgotten or ViolationKind.WronglyMoved or ViolationKind.WronglyGone;

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        if (logged is LogEvent.BackendDraining unlinked
            && Model.Policy.WithId(unlinked.Id.Value) is { HasPath: true } there)
        {
            Fail($"{there} was called unlinked; no whole scan has missed it", there.PlanId);
        }
        else if (logged is LogEvent.BackendRemoved removed
            && Model.Policy.WithId(removed.Id.Value) is { Stage: not Stage.Removed } alive)
        {
            Fail($"{alive} was called removed; it is {alive.Stage}", alive.PlanId);
        }
    }
}
