// Owns how long the client of one connection may take for what only it can do: to send the rest
// of a message that it has begun, and to close after its backend has ended. An idle
// time does not bound either: a byte now and then would hold a place and a descriptor of a backend
// for an hour. How long it may take to say anything at all, TcpProxy knows. While bytes wait for a
// client, however slow its line is, the idle time alone counts.
//
// What always holds: while nothing more is read from the client because a backend takes nothing,
// the client's time does not run out.

namespace Balancer.Core;

/// <summary>The patience with the client of one connection after another.</summary>
internal sealed class ClientPatience(
    Services services, RelayDirection toBackend, RelayDirection toClient)
{
    private Instant _begun = Instant.Never;
    private Instant _endSentAt = Instant.Never;
    private long _whole;
    private bool _wasHeldUp;

    /// <summary>When it is over next; Never if nothing is waited for.</summary>
    public Instant End => Instant.Min(MessageEnd, CloseEnd);

    private Instant MessageEnd => _begun == Instant.Never
        ? Instant.Never : services.Standstill.Extend(_begun + services.Options.TcpMessageTime);

    private Instant CloseEnd => _endSentAt == Instant.Never
        ? Instant.Never : services.Standstill.Extend(_endSentAt + Limits.TcpCloseTime);

    /// <summary>Another connection begins.</summary>
    public void Begin()
    {
        (_begun, _endSentAt) = (Instant.Never, Instant.Never);
        (_whole, _wasHeldUp) = (0, false);
    }

    /// <summary>Its streams were read and written: what is waited for from now on?</summary>
    public void Note(Instant now)
    {
        if (!toBackend.IsInside || toBackend.IsSinkLost || toBackend.HasSourceEnded)
            _begun = Instant.Never;
        else if (_begun == Instant.Never || toBackend.Whole != _whole || _wasHeldUp
            || !toBackend.WantsRead)
        {
            _begun = now;
        }
        _whole = toBackend.Whole;
        _wasHeldUp = !toBackend.WantsRead;
        if (toClient.IsFinished && _endSentAt == Instant.Never)
            _endSentAt = now;
    }

    /// <summary>As what the connection ends if it is over; null if it is not.</summary>
    public Counter? WhatEnds(Instant now) =>
        now >= MessageEnd && toBackend.WantsRead ? Counter.ConnectionsSlow
        : now >= CloseEnd ? Counter.ConnectionsNotClosed
        : null;
}
