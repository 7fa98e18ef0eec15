// Owns the rate limit of log lines about conditions that repeat, so that nothing that a client or
// a backend does fills a disk: one line every Limits.RepeatedLogInterval, with how many were held
// back since the one before.
//
// What always holds: a condition has a gate of its own, so that one that a client can bring about
// never hides another that an operator must see.

using System;

namespace Balancer.Core;

/// <summary>The gate of one condition.</summary>
internal struct LogGate
{
    private bool _hasPassed;
    private Instant _lastPassed;
    private long _heldBack;

    /// <summary>
    /// Whether to log now, and how many were held back since the last that passed.
    /// </summary>
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

/// <summary>The gates of an error that system calls report, one for each way to fail.</summary>
internal sealed class LogGates
{
    private readonly LogGate[] _gates = new LogGate[Enum.GetValues<IoStatus>().Length];

    /// <summary>As LogGate.TryPass, for this way to fail.</summary>
    public bool TryPass(IoStatus status, Instant now, out long heldBack) =>
        _gates[(int)status].TryPass(now, out heldBack);
}
