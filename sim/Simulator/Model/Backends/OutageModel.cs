// Owns the outages: an outage is from the first query or connection that finds no backend to the
// moment at which one becomes healthy, which is logged with all that was dropped. What is logged
// while it lasts, RepeatedEventModel follows; the end settles that as well.
//
// What always holds: every query and connection that found no backend is in one outage.

using Balancer.Core;

namespace Simulation.Model;

/// <summary>Follows whether anybody misses a backend.</summary>
internal sealed class OutageModel(ReferenceModel model)
{
    private Instant _since;
    private long _queries;
    private long _connections;

    public void OnDropped(bool isTcp)
    {
        if (_queries == 0 && _connections == 0)
            _since = model.Now;
        if (isTcp)
            _connections++;
        else
            _queries++;
        model.Repeats.OnCondition(Repeat.NoBackend, 0);
    }

    public void OnHealthy()
    {
        if (_queries == 0 && _connections == 0)
            return;
        model.Lines.Owe(
            new LogEvent.OutageEnded(model.Now - _since, _queries, _connections));
        model.Repeats.Settle(Repeat.NoBackend, 0);
        _queries = 0;
        _connections = 0;
    }
}
