// Claims that a stop is orderly: from the turn in which it is asked for nobody is accepted any
// more; connections that are open and queries that are in flight get 5 s, and no connection is cut
// earlier unless somebody asks twice; nothing is waited for when there is nothing left, and never
// longer than 5 s, in the last of which no more queries are taken; and in the end nothing is open
// or armed that the balancer opened or armed.
//
// It knows by the streams that were opened and closed, and by counting, for each session, the
// queries owed to it and the replies that came. A query that is never answered is waited for only
// while it is younger than the grace, to the second.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S15Stop() : Check("S15")
{
    /// <summary>
    /// How old a query must be to count as one that nobody will answer.
    /// </summary>
    private static readonly Duration Young = Law.StopGrace;

    private Instant _askedAt = Instant.Never;
    private Instant _emptySince = Instant.Never;
    private Instant _withoutTcpSince = Instant.Never;
    private bool _hasStopped;
    private long _faultedInTurn;
    private long _queued;
    private long _queuedBefore;

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued) =>
        _queued += queued ? 1 : 0;

    public override void OnLogged(Instant now, ILogEvent told)
    {
        if (told is LogEvent.Stopping)
            (_askedAt, _queuedBefore) = (now, _queued);
        else if (told is LogEvent.BackendFaulted)
            _faultedInTurn = Truth.CutInTurn;
        else if (told is LogEvent.Stopped)
            OnStopped(now);
        else if (told is LogEvent.ConnectionClosed { How: Counter.ConnectionsCutByStop } cut
            && now < _askedAt + Law.StopGrace && Truth.Life.StopRequests == 1)
        {
            Fail($"the connection of {cut.Client} was cut at {now}; a stop was asked for at"
                + $" {_askedAt} and gives it {Law.StopGrace}");
        }
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        _faultedInTurn = 0;
        if (_askedAt == Instant.Never || _hasStopped)
            return;
        if (Truth.Life.StopRequests > 1)
            Fail($"a stop was asked for again by {now}, and is not complete");
        if (!Truth.Sockets.IsListenerClosed)
            Fail($"the listener is open at {now}; a stop was asked for at {_askedAt}");
        if (now > _askedAt + Law.StopGrace + Truth.Lateness)
            Fail($"a stop asked for at {_askedAt} is not complete at {now}");
        CheckQuiet(now);
        var isEmpty = Truth.Connections.Open.Count == 0 && !Truth.AnyInFlight(Duration.Zero);
        if (isEmpty && now > _emptySince + Truth.Lateness)
            Fail($"nothing is left since {_emptySince}, and the stop is not complete at {now}");
        _emptySince = isEmpty ? Instant.Min(_emptySince, now) : Instant.Never;
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        if (!_hasStopped)
            Fail("the loop ended, and no stop was told");
        if (Truth.Sockets.OpenStreams != 0 || core.TimerCount != 0 || core.ConnectionCount != 0)
        {
            Fail($"{Truth.Sockets.OpenStreams} streams are open, {core.TimerCount} timers armed and"
                + $" {core.ConnectionCount} connections kept after the stop");
        }
    }

    /// <summary>
    /// When no connection is left and what had come before is taken, or the last second begins, no
    /// more queries are taken.
    /// </summary>
    private void CheckQuiet(Instant now)
    {
        var isWithoutTcp = Truth.Connections.Open.Count == 0;
        var mustRest = now >= _askedAt + (Law.StopGrace - Law.StopQuiet)
            || (isWithoutTcp && now > _withoutTcpSince + Truth.Lateness);
        _withoutTcpSince = isWithoutTcp ? Instant.Min(_withoutTcpSince, now) : Instant.Never;
        if (mustRest && Truth.Sockets.InterestOf(Truth.Sockets.Datagrams) != Readiness.None)
        {
            Fail($"queries are still taken at {now}; a stop was asked for at {_askedAt}, and no"
                + $" connection is left since {_withoutTcpSince}");
        }
    }

    private void OnStopped(Instant now)
    {
        _hasStopped = true;
        var isEarly = now < _askedAt + (Law.StopGrace - Law.StopQuiet)
            && Truth.Life.StopRequests == 1;
        if (isEarly && Truth.Tally[Counter.QueriesReceived] < _queuedBefore
            && Truth.ReceiveFailuresInARow == 0)
        {
            Fail($"{_queuedBefore} queries had come when a stop was asked for at {_askedAt}; it was"
                + $" complete at {now}, and {Truth.Tally[Counter.QueriesReceived]} were taken");
        }
        if (now > _emptySince + Truth.Lateness)
            Fail($"nothing is left since {_emptySince}, and the stop is complete only at {now}");
        // A heartbeat's time-out in this turn closes a session too, and is no part of the stop.
        var cutByStop = Truth.CutInTurn - _faultedInTurn;
        if (now < _askedAt + Law.StopGrace && Truth.Life.StopRequests == 1
            && cutByStop > 0 && now - Truth.LastForwardedAt < Young)
        {
            Fail($"the stop asked for at {_askedAt} was complete at {now}, and a query younger than"
                + $" {Young} is unanswered");
        }
    }
}
