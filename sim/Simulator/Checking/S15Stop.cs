// Claims that a stop is orderly: those that wait to be accepted are, a share each turn, and then
// nobody is any more; connections that are open and queries that are in flight get 5 s, and no
// connection is cut earlier unless somebody asks twice; nothing is waited for when there is nothing
// left, and never longer than 5 s, in the last of which no more queries are taken; and in the end
// nothing is open or armed that the balancer opened or armed.
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
    private static readonly Duration Young = SpecifiedLimits.StopGrace;

    private Instant _askedAt = Instant.Never;
    private Instant _emptySince = Instant.Never;
    private Instant _withoutTcpSince = Instant.Never;
    private bool _listenerWasClosed;
    private bool _hasStopped;
    private long _faultedInTurn;
    private long _queued;
    private long _queuedBefore;

    /// <summary>No connection is open, and none waits to be accepted.</summary>
    private bool IsWithoutTcp =>
        Model.Sockets.IsListenerClosed && Model.Connections.Open.Count == 0;

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued) =>
        _queued += queued ? 1 : 0;

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        if (logged is LogEvent.Stopping)
            (_askedAt, _queuedBefore) = (now, _queued);
        else if (logged is LogEvent.BackendFaulted)
            _faultedInTurn = Model.CutInTurn;
        else if (logged is LogEvent.Stopped)
            OnStopped(now);
        else if (logged is LogEvent.ConnectionClosed { How: Counter.ConnectionsCutByStop } cut
            && now < _askedAt + SpecifiedLimits.StopGrace && Model.Life.StopRequests == 1)
        {
            Fail($"the connection of {cut.Client} was cut at {now}; a stop was asked for at"
                + $" {_askedAt} and gives it {SpecifiedLimits.StopGrace}");
        }
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        _faultedInTurn = 0;
        if (_askedAt == Instant.Never || _hasStopped)
            return;
        if (Model.Life.StopRequests > 1)
            Fail($"a stop was asked for again by {now}, and is not complete");
        CheckListener(now);
        if (now > _askedAt + SpecifiedLimits.StopGrace + Model.Lateness)
            Fail($"a stop asked for at {_askedAt} is not complete at {now}");
        CheckQuiet(now);
        var isEmpty = IsWithoutTcp && !Model.AwaitsReplies;
        if (isEmpty && now > _emptySince + Model.Lateness)
            Fail($"nothing is left since {_emptySince}, and the stop is not complete at {now}");
        _emptySince = isEmpty ? Instant.Min(_emptySince, now) : Instant.Never;
    }

    /// <summary>
    /// The listener is closed when nobody waits there, or as many as can wait were accepted, and
    /// not before.
    /// </summary>
    private void CheckListener(Instant now)
    {
        if (!Model.Sockets.IsListenerClosed)
        {
            // In the turn of the request some were accepted before it.
            if (Model.IsAcceptQueueDone || Model.AcceptedInStop
                >= SpecifiedLimits.AcceptsOfAStop + Model.Work.AcceptsPerTurn)
            {
                Fail($"the listener is open at {now}; a stop was asked for at {_askedAt}");
            }
        }
        else if (!_listenerWasClosed && !Model.IsAcceptQueueDone
            && Model.AcceptedInStop < SpecifiedLimits.AcceptsOfAStop)
        {
            Fail($"the listener was closed at {now}, and connections may wait there");
        }
        _listenerWasClosed = Model.Sockets.IsListenerClosed;
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        if (!_hasStopped)
            Fail("the loop ended, and no stop was logged");
        if (Model.Sockets.OpenStreams != 0 || core.TimerCount != 0 || core.ConnectionCount != 0)
        {
            Fail($"{Model.Sockets.OpenStreams} streams are open, {core.TimerCount} timers armed and"
                + $" {core.ConnectionCount} connections kept after the stop");
        }
    }

    /// <summary>
    /// When no connection is left and what had come before is taken, or the last second begins, no
    /// more queries are taken.
    /// </summary>
    private void CheckQuiet(Instant now)
    {
        var isWithoutTcp = IsWithoutTcp;
        var mustRest = now >= _askedAt + (SpecifiedLimits.StopGrace - SpecifiedLimits.StopQuiet)
            || (isWithoutTcp && now > _withoutTcpSince + Model.Lateness);
        _withoutTcpSince = isWithoutTcp ? Instant.Min(_withoutTcpSince, now) : Instant.Never;
        if (mustRest && Model.Sockets.InterestOf(Model.Sockets.Datagrams) != Readiness.None)
        {
            Fail($"queries are still taken at {now}; a stop was asked for at {_askedAt}, and no"
                + $" connection is left since {_withoutTcpSince}");
        }
    }

    private void OnStopped(Instant now)
    {
        _hasStopped = true;
        var isEarly = now < _askedAt + (SpecifiedLimits.StopGrace - SpecifiedLimits.StopQuiet)
            && Model.Life.StopRequests == 1;
        if (isEarly && Model.Counters[Counter.QueriesReceived] < _queuedBefore
            && Model.ReceiveFailuresInARow == 0)
        {
            Fail($"{_queuedBefore} queries had come when a stop was asked for at {_askedAt}; it was"
                + $" complete at {now}, and {Model.Counters[Counter.QueriesReceived]} were taken");
        }
        if (now > _emptySince + Model.Lateness)
            Fail($"nothing is left since {_emptySince}, and the stop is complete only at {now}");
        // A heartbeat's time-out in this turn closes a session too, and is not part of the stop.
        var cutByStop = Model.CutInTurn - _faultedInTurn;
        if (now < _askedAt + SpecifiedLimits.StopGrace && Model.Life.StopRequests == 1
            && cutByStop > 0)
        {
            Fail($"the stop asked for at {_askedAt} was complete at {now}, and a query younger than"
                + $" {Young} is unanswered");
        }
    }
}
