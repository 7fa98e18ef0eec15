// Owns the beginning and the end of the balancer's life: that both are told, once and truly, and
// which findings the end excuses.
//
// In the turn in which a stop is completed the core closes what it has, without a cause of its own;
// but which turn that is, is known only when it is over. So what such a closing would be a finding
// of is held back until then, and until then no longer.
//
// What always holds: what was found before the turn that completes the stop is reported.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Simulation.Kernel;

namespace Simulation.Model;

/// <summary>Follows the start and the stop.</summary>
internal sealed class LifetimeModel(ReferenceModel model)
{
    private readonly List<Action> _deferred = [];
    private bool _startTold;

    /// <summary>How often a stop was asked for.</summary>
    public int StopRequests { get; private set; }

    /// <summary>The operator asked for a stop, or the core says so.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>
    /// The stop is complete; what was closed in the turn in which it was needs no cause.
    /// </summary>
    public bool HasStopped { get; private set; }

    public void OnStopRequested()
    {
        IsStopping = true;
        StopRequests++;
    }

    /// <summary>A finding, unless this turn turns out to complete a stop.</summary>
    public void ReportUnlessStopped(Finding finding, string evidence, ExpectedBackend? backend)
    {
        if (IsStopping)
            _deferred.Add(() => model.Report(finding, evidence, backend));
        else
            model.Report(finding, evidence, backend);
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
                break;
        }
    }

    public void OnTurnEnded()
    {
        if (!HasStopped)
            _deferred.ForEach(report => report());
        _deferred.Clear();
        if (!_startTold)
            model.Report(Finding.Untrue, "the log does not have of the start");
    }

    private void OnStarted(LogEvent.Started logged)
    {
        var listen = model.Scenario.Kernel.Listen;
        if (_startTold || logged.Listen.Address != listen)
        {
            model.Report(Finding.Untrue,
                $"a start on {logged.Listen} was logged; it should be logged once, on {listen}");
        }
        _startTold = true;
    }

    private void OnStopping(LogEvent.Stopping logged)
    {
        IsStopping = true;
        if (logged.OpenConnections != model.Connections.Open.Count)
        {
            model.Report(Finding.Untrue, $"the stop was logged with {logged.OpenConnections}"
                + $" connections; it should be {model.Connections.Open.Count}");
        }
    }
}
