// Claims that every number that the core exports equals an independent recount: all counters in
// every turn; each field of a backend's snapshot every 64th turn and at the end; each field of a
// remote's snapshot at the end, and every 4,096th turn. And that what backends were given
// adds up to what was forwarded and sent again.
//
// The lines of the log are held to the same: each says what happened, with its true names and
// numbers, in the turn in which it happened, and so does the status report that an operator asks
// for. What they say of conditions that repeat adds up to the counters when the balancer has
// stopped: nothing that was suppressed is left out.
//
// It knows by the model's counters, kept from the calls. Counts of remotes are S4's.

using Balancer.Core;
using Simulation.Model;

namespace Simulation.Checking;

internal sealed class S12Accounting() : Check("S12")
{
    private const long TurnsBetweenBackends = 64;
    private const long TurnsBetweenRemotes = 4096;

    private readonly LogSums _sums = new();
    private bool _hasForgotten;

    public override bool Claims(ViolationKind kind) => kind is ViolationKind.Untrue;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        for (var i = 0; i < ExpectedCounters.Kinds; i++)
        {
            var counter = (Counter)i;
            if (core.Counters[counter] != Model.Counters[counter])
            {
                Fail($"{counter} is {core.Counters[counter]};"
                    + $" it should be {Model.Counters[counter]}");
            }
        }
        if (Model.Life.HasStopped)
            return;
        if (Model.Turn % TurnsBetweenBackends == 0 || IsLast(now))
            CompareBackends(core);
        if (Model.Turn % TurnsBetweenRemotes == 0 || IsLast(now))
            CompareRemotes(core);
    }

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        _hasForgotten |= logged is LogEvent.BackendForgotten;
        _sums.OnLogged(logged);
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        foreach (var difference in _sums.Compare(core.Counters))
            Fail(difference);
    }

    /// <summary>The scenario is over; a stop, which changes what is logged, is to come.</summary>
    private bool IsLast(Instant now) => now + Model.Scenario.Kernel.ClockStep >= Model.Scenario.End;

    private void CompareBackends(LoadBalancer core)
    {
        var shown = core.SnapshotBackends();
        if (shown.Length != Model.Policy.Backends.Count)
        {
            Fail($"the core knows {shown.Length} backends;"
                + $" it should be {Model.Policy.Backends.Count}");
            return;
        }
        var given = 0L;
        for (var i = 0; i < shown.Length; i++)
        {
            given += shown[i].UdpQueries;
            Compare(shown[i], Model.Policy.Backends[i]);
        }
        var all = core.Counters[Counter.QueriesForwarded]
            + core.Counters[Counter.ResendsAfterLoss]
            + core.Counters[Counter.ResendsFromSuspect]
            + core.Counters[Counter.ResendsAfterError];
        if (given > all || (given < all && !_hasForgotten))
            Fail($"backends were given {given} queries; {all} were forwarded or sent again");
    }

    private void Compare(BackendSnapshot logged, ExpectedBackend real)
    {
        var should = Snapshots.Of(real, logged, Model.Scenario.Kernel.Probe);
        if (logged != should)
            Fail($"the core reports of {real}: {Difference.Of(logged, should)}", real.PlanId);
    }

    private void CompareRemotes(LoadBalancer core)
    {
        for (var index = 0; core.TrySnapshotRemote(ref index, out var logged);)
        {
            if (!Model.Policy.Remotes.TryGetValue(logged.Address, out var real))
            {
                Fail($"the core remembers {logged.Address}; it should not");
                return;
            }
            var should = Snapshots.Of(real);
            if (logged != should)
                Fail($"the core reports of {logged.Address}: {Difference.Of(logged, should)}");
        }
    }
}
