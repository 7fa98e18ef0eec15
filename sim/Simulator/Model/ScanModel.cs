// Owns the times of scans: one at the start, 5 s after the one before, 10 ms after a change that
// was told or a session that was begun, and at once when the operator asks; one that is asked for
// while another is open follows that one.
//
// What always holds: exactly one of two is true - a scan is open, or it is known when one is due.

using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Model;

/// <summary>Follows when scans are due.</summary>
internal sealed class ScanModel(ReferenceModel model)
{
    private Instant _due = Instant.Zero;
    private bool _isOpen;
    private bool _again;
    private bool _wasAsked;

    /// <summary>A change was told, or a session begun: another scan must look.</summary>
    public void Soon()
    {
        if (_isOpen || _wasAsked)
            _again = true;
        else
            _due = Instant.Min(_due, model.Now + SpecifiedLimits.ScanDelay);
    }

    /// <summary>The operator asked.</summary>
    public void AtOnce()
    {
        _again |= _isOpen;
        _wasAsked = !_isOpen;
    }

    public void OnOpened(IoResult result)
    {
        if (_isOpen)
        {
            model.Report(Finding.Scan, $"a scan was opened at {model.Now} while one is open");
        }
        else if (!_wasAsked && (model.Now < _due || model.Now > _due + model.Lateness))
        {
            model.Report(Finding.Scan, $"a scan was opened at {model.Now}; due {_due}");
        }
        _wasAsked = false;
        _isOpen = result.IsOk;
        _due = model.Now + SpecifiedLimits.ScanInterval;
        // One that failed is over already, and what asked for another came behind it.
        if (!_isOpen && _again)
            _due = model.Now + SpecifiedLimits.ScanDelay;
        _again &= _isOpen;
    }

    /// <summary>The open scan is over, whole or not.</summary>
    public void OnEnded()
    {
        _isOpen = false;
        // Its own time may have come while it was open.
        _again |= model.Now >= _due;
        if (_again)
            _due = model.Now + SpecifiedLimits.ScanDelay;
        _again = false;
    }

    public void OnTurnEnded(int timers)
    {
        if (model.Life.HasStopped || _isOpen || timers > SpecifiedLimits.TimersOfATurn)
            return;
        if (_wasAsked || model.Now >= _due)
            model.Report(Finding.Scan, $"no scan was opened at {model.Now}; due {_due}");
    }
}
