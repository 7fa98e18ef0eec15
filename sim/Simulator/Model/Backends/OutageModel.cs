// Owns the outages: an outage is from the first query or connection that finds no backend to the
// moment at which one becomes healthy, which is logged with all that was dropped. Outages that end
// within 5 s of such a line share the next, which comes when the 5 s are over, or at the end of the
// outage that there is then. What is logged while it lasts, RepeatedEventModel follows; the end
// settles that as well.
//
// What always holds: every query and connection that found no backend is in one outage.

using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Tracks whether clients find no healthy backend.</summary>
internal sealed class OutageModel(ReferenceModel model)
{
    private Instant? _since;
    private Instant? _lastLine;
    private Duration _lasted;
    private int _over;
    private long _queries;
    private long _connections;

    /// <summary>The end of an outage is to be logged, in this turn or later.</summary>
    private bool IsOwed => _over > 0 && _since == null;

    private bool MayPass => _lastLine is not { } last
        || model.Now - last >= SpecifiedLimits.RepeatedLine;

    public void OnDropped(bool isTcp)
    {
        _since ??= model.Now;
        if (isTcp)
            _connections++;
        else
            _queries++;
        model.Repeats.OnCondition(Repeat.NoBackend, 0);
    }

    public void OnHealthy()
    {
        if (_since is not { } since)
            return;
        _lasted += model.Now - since;
        _over++;
        _since = null;
    }

    public void OnLine(LogEvent.OutageEnded logged)
    {
        var expected = new LogEvent.OutageEnded(_lasted, _queries, _connections, _over - 1);
        if (!IsOwed || logged != expected)
        {
            model.Report(ViolationKind.Untrue, $"the log has {logged}; it should be"
                + (IsOwed ? $" {expected}" : " nothing, as no outage has ended"));
        }
        if (!MayPass)
        {
            model.Life.ReportUnlessStopped(ViolationKind.Repeated, $"the end of an outage was"
                + $" logged at {_lastLine} and again at {model.Now}", backend: null);
        }
        model.Repeats.Settle(Repeat.NoBackend, 0);
        (_lasted, _over, _queries, _connections) = (Duration.Zero, 0, 0, 0);
        _lastLine = model.Now;
    }

    public void OnTurnEnded()
    {
        if (IsOwed && MayPass && !model.Life.HasStopped
            && model.MostTimers <= model.Work.TimersPerTurn)
        {
            model.Report(ViolationKind.Untrue, $"the log does not have the end of {_over} outages"
                + $" at {model.Now}, which cost {_queries} queries");
        }
    }
}
