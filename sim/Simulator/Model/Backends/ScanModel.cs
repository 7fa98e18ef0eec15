// Owns the times of scans: one at the start, 5 s after the one before, 10 ms after a change that
// was reported or a session begun, and at once when the operator asks; one that is asked for
// while another is open follows that one.
//
// A scan may have to wait for the directory. Then nothing is asked of it until it has answered;
// when it has not for long, that is logged once, and so is its answer in the end.
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
    private bool _wasAskedBehind;
    private bool _isWaiting;
    private bool _isOwed;
    private bool _isToldLate;
    private Instant _waitsSince;
    private Instant _lastTurnAt;
    private Instant _lookAgain = Instant.Never;

    /// <summary>The scan that is open has entries that can be read now.</summary>
    public bool HasWork => _isOpen && !_isWaiting;

    /// <summary>A change was reported, or a session begun: another scan must look.</summary>
    public void Soon()
    {
        if (_isOpen || _wasAsked)
            _again = true;
        else
            _due = Instant.Min(_due, model.Now + SpecifiedLimits.ScanDelay);
    }

    /// <summary>What this scan saw is to be looked at again by then.</summary>
    public void LookAgain(Instant at) => _lookAgain = Instant.Min(_lookAgain, at);

    /// <summary>The operator asked.</summary>
    public void AtOnce()
    {
        // What the directory answered in this turn is read first, and that scan may be over then.
        _wasAskedBehind = _isOwed;
        _again |= _isOpen && !_isOwed;
        _wasAsked = !_isOpen;
    }

    public void OnOpened(IoResult result, bool isAgain)
    {
        if (isAgain)
        {
            if (_isWaiting)
                model.Report(ViolationKind.Scan,
                    "the directory was asked again before it answered");
            _isOwed = false;
        }
        else if (_isOpen)
        {
            model.Report(ViolationKind.Scan, $"a scan was opened at {model.Now} while one is open");
        }
        else if (!_wasAsked && (model.Now < _due || model.Now > _due + model.Lateness))
        {
            model.Report(ViolationKind.Scan, $"a scan was opened at {model.Now}; due {_due}");
        }
        var isWaiting = result.Status == IoStatus.WouldBlock;
        if (!isAgain)
        {
            _wasAsked = false;
            _due = model.Now + SpecifiedLimits.ScanInterval;
        }
        _isOpen = result.IsOk || isWaiting;
        if (isWaiting)
            OnWaits();
        else if (isAgain && !_isOpen)
            // If its own time came in this very turn, that is served after what was told.
            _again |= _lastTurnAt >= _due;
        // One that failed is over already, and what asked for another came behind it.
        if (!_isOpen && _again)
            _due = model.Now + SpecifiedLimits.ScanDelay;
        _again &= _isOpen;
        _again |= _wasAskedBehind && _isOpen;
        _wasAsked |= _wasAskedBehind && !_isOpen;
        _wasAskedBehind = false;
    }

    /// <summary>The directory was asked and has not answered yet.</summary>
    public void OnWaits()
    {
        if (_isWaiting)
            model.Report(ViolationKind.Scan, "the directory was asked again before it answered");
        _isWaiting = true;
        _isToldLate = false;
        _waitsSince = model.Now;
    }

    /// <summary>The directory answered what it was asked.</summary>
    public void OnAnswered()
    {
        if (!_isWaiting)
            return;
        _isWaiting = false;
        _isOwed = model.Directory.IsScanAsked;
        if (_isToldLate)
        {
            model.Lines.Owe(new LogEvent.DirectoryAnswering(
                DirectoryModel.Name, model.Now - _waitsSince));
        }
    }

    public void OnNotAnsweringLine(LogEvent.DirectoryNotAnswering logged)
    {
        if (!_isWaiting || _isToldLate || logged.Path != DirectoryModel.Name
            || logged.Since != model.Now - _waitsSince
            || logged.Since < SpecifiedLimits.DirectoryPatience)
        {
            model.Report(ViolationKind.Untrue, $"the log has {logged}; the directory"
                + (_isWaiting ? $" was asked at {_waitsSince}" : " has answered"));
        }
        _isToldLate = true;
    }

    /// <summary>The open scan is over, whole or not.</summary>
    public void OnEnded()
    {
        _isOpen = false;
        // Its own time may have come while it was open.
        _again |= model.Now >= _due;
        if (_again)
            _due = model.Now + SpecifiedLimits.ScanDelay;
        else
            _due = Instant.Min(
                _due, Instant.Max(_lookAgain, model.Now + SpecifiedLimits.ScanDelay));
        _lookAgain = Instant.Never;
        _again = false;
    }

    public void OnTurnEnded(int timers)
    {
        _lastTurnAt = model.Now;
        if (_isOwed && !model.Life.HasStopped)
            model.Report(ViolationKind.Scan, "the directory answered, and the scan does not go on");
        if (_isWaiting && !_isToldLate && !model.Life.HasStopped
            && timers <= model.Work.TimersPerTurn
            && model.Now >= _waitsSince + SpecifiedLimits.DirectoryPatience)
        {
            model.Report(ViolationKind.Untrue,
                $"the directory has not answered since {_waitsSince}, and"
                + $" the log does not say so at {model.Now}");
        }
        if (model.Life.HasStopped || _isOpen || timers > model.Work.TimersPerTurn)
            return;
        if (_wasAsked || model.Now >= _due)
            model.Report(ViolationKind.Scan, $"no scan was opened at {model.Now}; due {_due}");
    }
}
