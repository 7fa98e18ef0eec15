// Owns the times of scans: one at the start, 5 s after the one before, 10 ms after a change that
// was told or a session that was begun, and at once when the operator asks; one that is asked for
// while another is open follows that one.
//
// What always holds: exactly one of two is true - a scan is open, or it is known when one is due.

using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>Follows when scans are due.</summary>
internal sealed class ScanBook(Truth truth)
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
            _due = Instant.Min(_due, truth.Now + Law.ScanDelay);
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
            truth.Report(Finding.Scan, $"a scan was opened at {truth.Now} while one is open");
        }
        else if (!_wasAsked && (truth.Now < _due || truth.Now > _due + truth.Lateness))
        {
            truth.Report(Finding.Scan, $"a scan was opened at {truth.Now}; due {_due}");
        }
        _wasAsked = false;
        _isOpen = result.IsOk;
        _due = truth.Now + Law.ScanInterval;
        // One that failed is over already, and what asked for another came behind it.
        if (!_isOpen && _again)
            _due = truth.Now + Law.ScanDelay;
        _again &= _isOpen;
    }

    /// <summary>The open scan is over, whole or not.</summary>
    public void OnEnded()
    {
        _isOpen = false;
        // Its own time may have come while it was open.
        _again |= truth.Now >= _due;
        if (_again)
            _due = truth.Now + Law.ScanDelay;
        _again = false;
    }

    public void OnTurnEnded(int timers)
    {
        if (truth.Life.HasStopped || _isOpen || timers > Law.TimersOfATurn)
            return;
        if (_wasAsked || truth.Now >= _due)
            truth.Report(Finding.Scan, $"no scan was opened at {truth.Now}; due {_due}");
    }
}
