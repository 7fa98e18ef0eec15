// Claims that each backend's count of remotes is the number of established remotes whose primary it
// is, and that those remembered are those that came less those that were forgotten.
//
// It knows by the model's own count, and, against a mistake that both could share, by counting the
// core's remotes one by one. The first is done in every turn in which remotes came, went or moved
// and every 64th, the second every 4,096th turn and at the end.

using System.Collections.Generic;
using Balancer.Core;

namespace Simulation.Checking;

internal sealed class S4Assignment() : Check("S4")
{
    private const long TurnsBetweenCounts = 64;
    private const long TurnsBetweenRecounts = 4096;

    private readonly Dictionary<int, int> _primaries = [];
    private long _changes;

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (core.RemoteCount != Model.Policy.Remotes.Count)
        {
            Fail($"the core remembers {core.RemoteCount} remotes;"
                + $" it should be {Model.Policy.Remotes.Count}");
        }
        var counters = core.Counters;
        var gone = counters[Counter.RemotesExpired] + counters[Counter.RemotesEvicted];
        if (counters[Counter.RemotesNew] - gone != core.RemoteCount)
        {
            Fail($"{counters[Counter.RemotesNew]} remotes were new and {gone} forgotten; the core"
                + $" remembers {core.RemoteCount}");
        }
        var changes = Model.Counters[Counter.RemotesExpired] + Model.Counters[Counter.RemotesMoved]
            + Model.Counters[Counter.RemotesEvicted] + Model.Counters[Counter.RemotesEstablished];
        if (changes != _changes || Model.Turn % TurnsBetweenCounts == 0)
            Count(core);
        if (Model.Turn % TurnsBetweenRecounts == 0)
            Recount(core);
        _changes = changes;
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        Count(core);
        Recount(core);
    }

    private void Count(LoadBalancer core)
    {
        foreach (var shown in core.SnapshotBackends())
        {
            if (Model.Policy.WithId(shown.Id.Value) is { } backend
                && backend.Remotes != shown.Remotes)
            {
                Fail($"{backend} counts {shown.Remotes} remotes; it should be {backend.Remotes}",
                    backend.PlanId);
            }
        }
    }

    private void Recount(LoadBalancer core)
    {
        _primaries.Clear();
        for (var index = 0; core.TrySnapshotRemote(ref index, out var remote);)
        {
            if (!remote.IsEstablished)
                continue;
            _primaries[remote.Primary.Value] =
                _primaries.GetValueOrDefault(remote.Primary.Value) + 1;
        }
        foreach (var shown in core.SnapshotBackends())
        {
            var counted = _primaries.GetValueOrDefault(shown.Id.Value);
            if (counted != shown.Remotes)
                Fail($"backend {shown.Id} counts {shown.Remotes} remotes; {counted} name it");
        }
    }
}
