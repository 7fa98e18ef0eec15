// Owns what a status report should say: a line of totals and one for each backend in the turn in
// which the operator asks, then the remotes, a few a turn, the first thousand of them, each once.
//
// What always holds: a line is compared with the model as it is at that moment; a request that
// comes while remotes of the one before may be left is owed nothing.

using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;

namespace Simulation.Model;

/// <summary>Follows status reports.</summary>
internal sealed class StatusModel(ReferenceModel model)
{
    private const int MostRemotes = 1000;

    /// <summary>
    /// Turns that the remotes of one report take at most, in tables of scenarios.
    /// </summary>
    private const int TurnsOfAReport = 64;

    private readonly HashSet<Ipv4> _told = [];
    private bool _isOwed;
    private bool _isOver = true;
    private long _begunIn = -TurnsOfAReport;
    private int _nextBackend;
    private int _backends;
    private int _remotes;
    private int _lines;
    private long _goneBefore;

    /// <summary>Remotes that were forgotten so far.</summary>
    private long Gone =>
        model.Counters[Counter.RemotesExpired] + model.Counters[Counter.RemotesEvicted];

    /// <summary>The operator asked.</summary>
    public void OnRequested() =>
        _isOwed |= _isOver || model.Turn >= _begunIn + TurnsOfAReport;

    public void OnLogged(ILogEvent told)
    {
        switch (told)
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

    private void OnTotals(LogEvent.Status told)
    {
        _isOwed = false;
        _isOver = false;
        _begunIn = model.Turn;
        _nextBackend = 0;
        _backends = model.Policy.Backends.Count;
        _remotes = model.Policy.Remotes.Count;
        _told.Clear();
        _lines = 0;
        _goneBefore = Gone;
        CheckSums(told.Counters);
        var backends = model.Policy.Backends;
        var healthy = 0;
        foreach (var backend in backends)
            healthy += backend.Stage == Stage.Healthy ? 1 : 0;
        var open = model.Connections.Open.Count;
        if (told.Now == model.Now && told.Backends == backends.Count && told.Healthy == healthy
            && told.Remotes == _remotes && told.Connections == open)
        {
            return;
        }
        model.Report(Finding.Untrue, $"the status told {told.Backends} backends, {told.Healthy}"
            + $" healthy, {told.Remotes} remotes, {told.Connections} connections at {told.Now}; it"
            + $" should be {backends.Count}, {healthy}, {_remotes}, {open} at {model.Now}");
    }

    /// <summary>What is told adds up, in whatever part of a turn it is told.</summary>
    private void CheckSums(Counters told)
    {
        var queries = told[Counter.QueriesForwarded] + told.Sum(Counters.QueryDrops);
        var replies = told[Counter.RepliesSent] + told.Sum(Counters.ReplyDrops);
        if (told[Counter.QueriesReceived] != queries || told[Counter.RepliesReceived] != replies)
        {
            model.Report(Finding.Untrue, $"the status told {told[Counter.QueriesReceived]} queries"
                + $" received, and {queries} forwarded or dropped;"
                + $" {told[Counter.RepliesReceived]} replies received, and {replies} sent or"
                + " dropped");
        }
    }

    private void OnBackend(LogEvent.BackendStatus told)
    {
        var backends = model.Policy.Backends;
        if (_nextBackend >= _backends)
        {
            model.Report(Finding.Untrue, $"the status told {told.Backend}; all had been told");
            return;
        }
        var backend = backends[_nextBackend++];
        var should = Snapshots.Of(backend, told.Backend);
        if (told.Backend != should)
        {
            model.Report(Finding.Untrue, $"of {backend} the status told:"
                + $" {Difference.Of(told.Backend, should)}", backend);
        }
    }

    private void OnRemote(LogEvent.RemoteStatus told)
    {
        if (_isOver)
        {
            model.Report(Finding.Untrue, $"the status told {told.Remote.Address} at {model.Now};"
                + " nobody asked, or the report was over");
            return;
        }
        if (!_told.Add(told.Remote.Address) || ++_lines > MostRemotes)
        {
            model.Report(Finding.Untrue, $"the status told {told.Remote.Address} twice, or as"
                + $" number {_lines}");
        }
        else if (!model.Policy.Remotes.TryGetValue(told.Remote.Address, out var remote))
        {
            model.Report(Finding.Untrue,
                $"the status told {told.Remote.Address}; it should be nobody");
        }
        else if (told.Remote != Snapshots.Of(remote))
        {
            model.Report(Finding.Untrue, $"of {told.Remote.Address} the status told:"
                + $" {Difference.Of(told.Remote, Snapshots.Of(remote))}");
        }
    }

    /// <summary>A remote that was forgotten may come back, and be told again.</summary>
    public void OnForgotten(Ipv4 remote) => _told.Remove(remote);

    public void OnTurnEnded(LoadBalancer core)
    {
        _isOver |= _told.Count >= model.Policy.Remotes.Count;
        if (_isOwed || _nextBackend < _backends)
            model.Report(Finding.Untrue, "a status was asked for, and not all of it was told");
        _isOwed = false;
        if (_begunIn + TurnsOfAReport == model.Turn)
            CheckRemotes(core);
    }

    /// <summary>
    /// Remotes may come and go while a report is told; those that stay are all told.
    /// </summary>
    private void CheckRemotes(LoadBalancer core)
    {
        var least = System.Math.Min(MostRemotes, System.Math.Min(_remotes, core.RemoteCount));
        if (_lines < least && Gone == _goneBefore)
        {
            model.Report(Finding.Untrue, $"a status told {_lines} remotes; it should be"
                + $" {least}");
        }
    }
}
