namespace Balancer.Core;

/// <summary>
/// Lets one log line about a condition that repeats pass every Limits.RepeatedLogInterval, and
/// counts those that it holds back, so that nothing that a client does fills a disk.
/// </summary>
internal struct LogGate
{
    private bool _hasPassed;
    private Instant _lastPassed;
    private long _heldBack;

    /// <summary>Whether to log now, and how many were held back since the last that passed.</summary>
    public bool TryPass(Instant now, out long heldBack)
    {
        heldBack = 0;
        if (_hasPassed && now - _lastPassed < Limits.RepeatedLogInterval)
        {
            _heldBack++;
            return false;
        }
        heldBack = _heldBack;
        _heldBack = 0;
        _hasPassed = true;
        _lastPassed = now;
        return true;
    }
}
