// Owns the beginning and the end of the balancer's life: that both are told, once and truly, and
// which violations the end excuses.
//
// In the turn in which a stop is completed the core closes what it has, without a cause of its own;
// but which turn that is, is known only when it is over. So what would be a violation but for that
// is kept until then, and no longer.
//
// What always holds: what was found before the turn that completes the stop is reported.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows the start and the stop.</summary>
internal sealed class LifetimeModel(ReferenceModel model)
{
    private readonly List<Action> _deferred = [];
    private bool _startTold;
    private Instant _stopDue = Instant.Never;
    private long _stopOrder;
    private long _askedAgainIn;
    private long _requestedIn;
    private bool _closesAll;

    /// <summary>How often a stop was asked for.</summary>
    public int StopRequests { get; private set; }

    /// <summary>The operator asked for a stop, or the core says so.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>
    /// The stop is complete; what was closed in the turn in which it was needs no cause.
    /// </summary>
    public bool HasStopped { get; private set; }

    /// <summary>A stop is completed in this turn, whatever is left.</summary>
    public bool IsStopDue => IsStopping && model.Now >= _stopDue;

    /// <summary>A stop is closing what is open.</summary>
    public bool ClosesAll => _closesAll;

    public void OnStopRequested()
    {
        NoteStop();
        IsStopping = true;
        if (++StopRequests > 1)
            (_stopDue, _askedAgainIn) = (model.Now, model.Turn);
        else
            (_stopDue, _stopOrder) = (model.Now + SpecifiedLimits.StopGrace,
                model.Deadlines.NextOrder());
    }

    /// <summary>What a stop is asked for amid.</summary>
    private void NoteStop()
    {
        _requestedIn = model.Turn;
        if (StopRequests > 0)
        {
            model.ReachedIf(!HasStopped, Situation.StopAskedAgain);
            return;
        }
        var backends = model.Policy.Backends;
        model.ReachedIf(model.Directory.OpenScan != 0, Situation.StopInAScan);
        model.ReachedIf(backends.Exists(backend => backend.IsSuspect), Situation.StopWithSuspect);
        model.ReachedIf(model.Retired.Count > 0, Situation.StopWithRetired);
        model.ReachedIf(model.Resends.HasUnsent, Situation.StopWithUnsent);
        model.ReachedIf(model.Connections.Open.Any(
            connection => connection is { SpokeAt: not null, IsRelaying: false }),
            Situation.StopInHandshake);
        model.ReachedIf(backends.Count > 0
            && !backends.Exists(backend => backend.Stage == Stage.Healthy),
            Situation.StopWithoutBackend);
    }

    /// <summary>
    /// A session is closed without cause, so a stop is complete: either its time is over, among the
    /// deadlines, or nothing is left at the end of a turn.
    /// </summary>
    public void ServeDeadlinesBeforeStop()
    {
        if (!IsStopping)
            return;
        if (model.Now < _stopDue)
            model.Resends.Finish();
        else if (_askedAgainIn == model.Turn)
            model.Deadlines.ServeAll();
        else
        {
            model.Reached(Situation.StopOutOfTime);
            model.Deadlines.ServeBefore(_stopDue, _stopOrder);
        }
        if (!_closesAll)
            model.CutInTurn += model.Resends.Waiting.Count();
        _closesAll = true;
    }

    /// <summary>A violation, unless this turn turns out to complete a stop.</summary>
    public void ReportUnlessStopped(ViolationKind kind, string evidence, ExpectedBackend? backend)
    {
        if (IsStopping)
            _deferred.Add(() => model.Report(kind, evidence, backend));
        else
            model.Report(kind, evidence, backend);
    }

    public void OnLogged(ILogEvent logged)
    {
        switch (logged)
        {
            case LogEvent.Started started:
                OnStarted(started);
                break;
            case LogEvent.Stopping stopping:
                OnStopping(stopping);
                break;
            case LogEvent.Stopped:
                HasStopped = true;
                model.ReachedIf(StopRequests == 1 && _requestedIn == model.Turn,
                    Situation.StopAtOnce);
                model.Dropped.Count();
                model.Resends.OnStopped();
                break;
        }
    }

    public void OnTurnEnded()
    {
        if (!HasStopped)
            _deferred.ForEach(report => report());
        _deferred.Clear();
        model.ReachedIf(IsStopping && !HasStopped && model.AwaitsReplies,
            Situation.StopWaitsForReplies);
        if (!_startTold)
            model.Report(ViolationKind.Untrue, "the log does not have of the start");
    }

    private void OnStarted(LogEvent.Started logged)
    {
        var listen = model.Scenario.Kernel.Listen;
        if (_startTold || logged.Listen.Address != listen)
        {
            model.Report(ViolationKind.Untrue,
                $"a start on {logged.Listen} was logged; it should be logged once, on {listen}");
        }
        _startTold = true;
    }

    private void OnStopping(LogEvent.Stopping logged)
    {
        IsStopping = true;
        var should = new LogEvent.Stopping(
            model.Connections.Open.Count, SpecifiedLimits.StopGrace);
        if (logged != should)
            model.Report(ViolationKind.Untrue, $"{logged} was logged; it should be {should}");
    }
}
