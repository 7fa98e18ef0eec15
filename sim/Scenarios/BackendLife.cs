// Owns what a scenario alone says about when a backend's process is up and whether it follows its
// script: from its start, through the faults about it in the order of their times, as BinderHost
// carries them out.
//
// What always holds: where it says that a fault finds no process, none is there in any run; a
// backend whose script can end the process, or a query, is taken to be up whenever it may be.

using System;
using System.Collections.Generic;
using Balancer.Core;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>One backend's processes, as planned.</summary>
internal sealed class BackendLife(BackendPlan plan, bool canBeKilled)
{
    private readonly Dictionary<int, Mistake> _vain = [];
    private readonly bool _isKnown = !canBeKilled && plan.Script is
    {
        CrashAfter: null, CrashMidFrameAfter: null, CrashBeforeTcpOk: false,
    };

    private Instant _upFrom = plan.StartAt;
    // Whatever comes then or later, and before the next start, finds no process.
    private Instant _downFrom = Instant.Never;
    private Instant _upAgain = Instant.Never;
    private bool _isScripted = true;
    private string _why = $"'{plan.Name}' starts later, at "
        + FileValues.ToText(plan.StartAt.Nanoseconds);

    /// <summary>Why the fault at this place of the list can do nothing; null if it can.</summary>
    public Mistake? WhyNot(int item) => _vain.TryGetValue(item, out var mistake) ? mistake : null;

    /// <summary>The next fault about it, in the order of their times.</summary>
    public void Happen(int item, FaultPlan fault)
    {
        Advance(fault.At);
        if (fault.Kind == FaultKind.BackendScript)
        {
            SetScript(item, fault.Amount != 0);
            return;
        }
        if (fault.Kind is FaultKind.BackendRebind or FaultKind.BackendListenLate)
        {
            (_upFrom, _downFrom, _upAgain) = (fault.At, Instant.Never, Instant.Never);
            return;
        }
        if (_isKnown && (fault.At < _upFrom || fault.At >= _downFrom))
        {
            _vain[item] = new Mistake("", $"it finds nobody: {_why}");
            return;
        }
        switch (fault.Kind)
        {
            case FaultKind.BackendCrash or FaultKind.BackendStop:
                GoDown(fault.At, fault.At + fault.For);
                _why = $"'{plan.Name}' is down from {Time(_downFrom)} to {Time(_upAgain)}";
                break;
            case FaultKind.BackendUnlink when fault.At + fault.For < _downFrom:
                GoDown(fault.At + fault.For
                    + (fault.For > Duration.Zero ? new Duration(1) : Duration.Zero), Instant.Never);
                _why = $"'{plan.Name}' has ended at {Time(fault.At + fault.For)}";
                break;
        }
    }

    /// <summary>At one instant faults come before what was begun while the run went on.</summary>
    private void Advance(Instant now)
    {
        if (_upAgain >= now)
            return;
        (_upFrom, _downFrom, _upAgain) = (_upAgain, Instant.Never, Instant.Never);
    }

    private void GoDown(Instant at, Instant again) => (_downFrom, _upAgain) = (at, again);

    private void SetScript(int item, bool on)
    {
        if (plan.Script == Misbehaviour.None)
        {
            _vain[item] = new Mistake("", $"'{plan.Name}' has no script");
        }
        else if (on == _isScripted)
        {
            _vain[item] = new Mistake("on",
                $"'{plan.Name}' {(on ? "does" : "does not do")} so already");
        }
        _isScripted = on;
    }

    private static string Time(Instant at) => FileValues.ToText(at.Nanoseconds);
}
