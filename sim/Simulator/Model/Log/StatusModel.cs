// Owns what a status report should say: a line of totals and one for each backend in the turn in
// which the operator asks, then the remotes, a few a turn, the first thousand of them, each once.
//
// What always holds: a line is compared with the model as it is at that moment; a request that
// comes while remotes of the one before may be left is owed nothing, and begins nothing while some
// surely are.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows status reports.</summary>
internal sealed class StatusModel(ReferenceModel model)
{
    private const int MostRemotes = 1000;

    /// <summary>
    /// Turns that the remotes of one report take at most, in tables of scenarios.
    /// </summary>
    private readonly int _turnsOfAReport = 64 * TurnBounds.TurnsForOne(model.Work);

    private readonly HashSet<Ipv4> _told = [];

    /// <summary>Who was known when the report began, and is neither told nor forgotten.</summary>
    private readonly HashSet<Ipv4> _left = [];
    private bool _isOwed;
    private bool _isOver = true;
    private long _begunIn = long.MinValue / 2;
    private bool _isChecked = true;
    private int _nextBackend;
    private int _backends;
    private int _remotes;
    private int _lines;
    private long _goneBefore;

    /// <summary>Remotes that were forgotten so far.</summary>
    private long Gone =>
        model.Counters[Counter.RemotesExpired] + model.Counters[Counter.RemotesEvicted];

    /// <summary>A report goes on: remotes are left that it has to tell.</summary>
    public bool HasWork => _left.Count > 0 && _lines < MostRemotes;

    /// <summary>The operator asked.</summary>
    public void OnRequested()
    {
        var isFirst = _isOver || model.Turn >= _begunIn + _turnsOfAReport;
        model.ReachedIf(!isFirst, Situation.StatusAskedInAReport);
        _isOwed |= isFirst;
    }

    public void OnLogged(ILogEvent logged)
    {
        switch (logged)
        {
            case LogEvent.Status totals:
                OnTotals(totals);
                break;
            case LogEvent.BackendStatus backend:
                OnBackend(backend);
                break;
            case LogEvent.RemoteStatus remote:
                OnRemote(remote);
                break;
        }
    }

    private void OnTotals(LogEvent.Status logged)
    {
        if (HasWork)
        {
            model.Report(ViolationKind.Untrue, $"a status report begins at {model.Now}, and"
                + $" {_left.Count} remotes are left of the one that goes on");
        }
        _isOwed = false;
        _isOver = false;
        _begunIn = model.Turn;
        _isChecked = false;
        _nextBackend = 0;
        _backends = model.Policy.Backends.Count;
        _remotes = model.Policy.Remotes.Count;
        _told.Clear();
        _left.Clear();
        _left.UnionWith(model.Policy.Remotes.Keys);
        _lines = 0;
        _goneBefore = Gone;
        model.Dropped.Count();
        CheckSums(logged.Counters);
        var backends = model.Policy.Backends;
        var healthy = 0;
        foreach (var backend in backends)
            healthy += backend.Stage == Stage.Healthy ? 1 : 0;
        var open = model.Connections.Open.Count;
        if (logged.Now == model.Now && logged.Backends == backends.Count
            && logged.Healthy == healthy
            && logged.Remotes == _remotes && logged.Established == model.Policy.Established
            && logged.Connections == open && logged.Refused == model.Quarantine.RefusedCount)
        {
            return;
        }
        model.Report(ViolationKind.Untrue,
            $"the status has {logged.Backends} backends, {logged.Healthy}"
            + $" healthy, {logged.Remotes} remotes ({logged.Established} established),"
            + $" {logged.Connections} connections, {logged.Refused} refused at {logged.Now}; it"
            + $" should be {backends.Count}, {healthy}, {_remotes} ({model.Policy.Established}),"
            + $" {open}, {model.Quarantine.RefusedCount} at {model.Now}");
    }

    /// <summary>The logged counters add up, in whatever part of a turn they are logged.</summary>
    private void CheckSums(Counters logged)
    {
        var queries = logged[Counter.QueriesForwarded] + logged.Sum(Counters.QueryDrops);
        var replies = logged[Counter.RepliesSent] + logged.Sum(Counters.ReplyDrops);
        if (logged[Counter.QueriesReceived] != queries
            || logged[Counter.RepliesReceived] != replies)
        {
            model.Report(ViolationKind.Untrue,
                $"the status has {logged[Counter.QueriesReceived]} queries"
                + $" received, and {queries} forwarded or dropped;"
                + $" {logged[Counter.RepliesReceived]} replies received, and {replies} sent or"
                + " dropped");
        }
    }

    private void OnBackend(LogEvent.BackendStatus logged)
    {
        var backends = model.Policy.Backends;
        if (_nextBackend >= _backends)
        {
            model.Report(ViolationKind.Untrue,
                $"the status has {logged.Backend}; all had been logged");
            return;
        }
        var backend = backends[_nextBackend++];
        var should = Snapshots.Of(backend, logged.Backend, model.Scenario.Kernel.Probe);
        if (logged.Backend != should)
        {
            model.Report(ViolationKind.Untrue, $"of {backend} the status has:"
                + $" {Difference.Of(logged.Backend, should)}", backend);
        }
    }

    private void OnRemote(LogEvent.RemoteStatus logged)
    {
        model.Resends.Finish();
        if (_isOver)
        {
            model.Report(ViolationKind.Untrue,
                $"the status has {logged.Remote.Address} at {model.Now};"
                + " nobody asked, or the report was over");
            return;
        }
        _left.Remove(logged.Remote.Address);
        if (!_told.Add(logged.Remote.Address) || ++_lines > MostRemotes)
        {
            model.Report(ViolationKind.Untrue,
                $"the status has {logged.Remote.Address} twice, or as"
                + $" number {_lines}");
        }
        else if (!model.Policy.Remotes.TryGetValue(logged.Remote.Address, out var remote))
        {
            model.Report(ViolationKind.Untrue,
                $"the status has {logged.Remote.Address}; it should be nobody");
        }
        else if (logged.Remote != Snapshots.Of(remote))
        {
            model.Report(ViolationKind.Untrue, $"of {logged.Remote.Address} the status has:"
                + $" {Difference.Of(logged.Remote, Snapshots.Of(remote))}");
        }
    }

    /// <summary>A remote that was forgotten may come back, and be logged again.</summary>
    public void OnForgotten(Ipv4 remote)
    {
        model.ReachedIf(!_isOver, Situation.ForgottenInAReport);
        _told.Remove(remote);
        _left.Remove(remote);
    }

    public void OnTurnEnded(LoadBalancer core)
    {
        _isOver |= _told.Count >= model.Policy.Remotes.Count;
        if (_isOwed || _nextBackend < _backends)
            model.Report(ViolationKind.Untrue,
                "a status was asked for, and not all of it was logged");
        _isOwed = false;
        // No work at all is left, or it had turns enough.
        var isDone = core.NextWake > model.Now || _begunIn + _turnsOfAReport == model.Turn;
        if (!isDone || _isChecked)
            return;
        _isChecked = true;
        CheckRemotes(core);
    }

    /// <summary>
    /// Remotes may come and go during a report; all that stay are logged.
    /// </summary>
    private void CheckRemotes(LoadBalancer core)
    {
        var least = System.Math.Min(MostRemotes, System.Math.Min(_remotes, core.RemoteCount));
        if (_lines < least && Gone == _goneBefore)
        {
            model.Report(ViolationKind.Untrue, $"a status has {_lines} remotes; it should be"
                + $" {least}");
        }
    }
}
