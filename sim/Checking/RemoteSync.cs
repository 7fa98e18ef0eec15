// Owns the freedoms of the policy: whom an expiry pass has reached, whom a rebalance takes, whom a
// full table forgets. The model takes over what the core shows of its remotes when a turn ends,
// and only if it is allowed; otherwise that is a finding. It looks only when numbers say that
// something changed, and at everything now and then.
//
// What always holds: after a comparison the model knows the same remotes as the core.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;

namespace Simulation.Checking;

/// <summary>Keeps the model's remotes in step with the core's.</summary>
internal sealed class RemoteSync(Truth truth)
{
    private readonly List<RemoteTruth> _gone = [];
    private BackendTruth? _fullest;
    private int _mayMove;
    private long _mark;

    /// <summary>The core begins to move remotes; the model must agree with its measure.</summary>
    public void OnRebalancing(LogEvent.Rebalancing told)
    {
        var healthy = truth.Policy.Measure(truth.Now, out var fullest, out var spread);
        var owed = spread - healthy;
        var named = truth.Policy.WithId(told.Fullest.Value);
        // Whom a full table forgot in this very turn is not known yet, nor what it cost whom.
        var isKnown = truth.Policy.PendingEvictions == 0;
        if (isKnown && (named == null || fullest == null || named.Remotes != fullest.Remotes
            || told.Spread != spread || told.ToMove != owed || owed <= 0))
        {
            truth.Report(Finding.WronglyMoved, $"a rebalance takes {told.ToMove} remotes of backend"
                + $" {told.Fullest} for a spread of {told.Spread}; it should be {owed} of"
                + $" {fullest} for {spread} over {healthy} backends", named);
        }
        _fullest = named;
        _mayMove = told.ToMove;
    }

    public void OnTurnEnded(LoadBalancer core)
    {
        var policy = truth.Policy;
        var tally = truth.Tally;
        if (core.RemoteCount == policy.Remotes.Count
            && core.Counters[Counter.RemotesMoved] == tally[Counter.RemotesMoved]
            && core.Counters[Counter.RemotesExpired] == tally[Counter.RemotesExpired]
            && core.Counters[Counter.RemotesEvicted] == tally[Counter.RemotesEvicted]
            && policy.PendingEvictions == 0)
        {
            return;
        }
        Follow(core);
    }

    private void Follow(LoadBalancer core)
    {
        _mark++;
        var wasFull = core.RemoteCount == truth.Scenario.Kernel.MaxRemotes;
        for (var index = 0; core.TrySnapshotRemote(ref index, out var shown);)
        {
            if (!truth.Policy.Remotes.TryGetValue(shown.Address, out var remote))
                continue;
            remote.Mark = _mark;
            if (shown.Primary.Value == 0 && remote.Primary != null)
                FollowMove(remote);
        }
        _gone.Clear();
        foreach (var remote in truth.Policy.Remotes.Values)
        {
            if (remote.Mark != _mark)
                _gone.Add(remote);
        }
        foreach (var remote in _gone)
            FollowGone(remote, core);
        truth.Policy.PendingEvictions = 0;
        // Who was forgotten and came back within the turn cannot be told from who never left, so
        // a turn in which the table was full takes over the core's number.
        if (wasFull)
            truth.Tally[Counter.RemotesEvicted] = core.Counters[Counter.RemotesEvicted];
    }

    private void FollowMove(RemoteTruth remote)
    {
        if (remote.Primary is { Stage: Stage.Removed })
        {
            // It asked, and there was nobody to bind it to.
            PolicyModel.Unbind(remote);
            return;
        }
        if (remote.Primary != _fullest || _mayMove == 0)
        {
            truth.Report(Finding.WronglyMoved, $"{remote.Address} was taken from {remote.Primary};"
                + $" a rebalance may take {_mayMove} of {_fullest?.ToString() ?? "nobody"}",
                remote.Primary);
        }
        _mayMove--;
        PolicyModel.Unbind(remote);
        remote.WasMoved = true;
        truth.Tally.Add(Counter.RemotesMoved);
    }

    private void FollowGone(RemoteTruth remote, LoadBalancer core)
    {
        var expired = core.Counters[Counter.RemotesExpired];
        var silence = truth.Now - remote.LastSeen;
        if (silence >= Limits.RemoteExpiry && truth.Tally[Counter.RemotesExpired] < expired)
        {
            truth.Tally.Add(Counter.RemotesExpired);
        }
        else if (truth.Policy.PendingEvictions > 0)
        {
            truth.Policy.PendingEvictions--;
            truth.Tally.Add(Counter.RemotesEvicted);
        }
        else
        {
            truth.Report(Finding.RemoteForgotten, $"{remote.Address} was forgotten after a silence"
                + $" of {silence}; it should be kept for {Limits.RemoteExpiry}", remote.Primary);
        }
        truth.Policy.Forget(remote);
    }
}
