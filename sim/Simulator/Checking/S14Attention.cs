// Claims that the loop is woken for everything that the balancer waits for, and for nothing else: a
// session for what its backend says, and to be written to as long as bytes wait for it; both sides
// of a connection as far as there is room for what they send; the two bound sockets always, but for
// the short rests after an error that repeats, and the UDP socket in every turn in which a datagram
// waits, however busy the others are; that between two turns of one TCP client every other client
// that waits has one; that in each turn queries, replies and sessions come before TCP, and the
// listener behind it; and that it does not sleep while it has work left: a scan, queries to be sent
// again, a status report, an expiry or a rebalance. A wake-up that is lost shows otherwise only
// when somebody goes unanswered for long.
//
// It knows by the interests that were set, by the bytes that are owed to each stream, and by the
// order in which connections are read.

using System;
using Balancer.Core;
using Simulation.Model;
using Simulation.Scenarios;

namespace Simulation.Checking;

internal sealed class S14Attention() : Check("S14")
{
    private Instant _datagramsRestSince = Instant.Never;
    private Instant _listenerRestsSince = Instant.Never;

    private int _turnsUnread;
    private Instant _workSince = Instant.Never;

    public override bool Claims(ViolationKind kind) => kind is ViolationKind.Unwatched;

    /// <summary>
    /// Two failures in a row are a condition, and a third call within the rest a spin.
    /// </summary>
    private void LookAtFailures(Instant now)
    {
        if (Model.ReceiveFailuresInARow < 2 || Model.ReceiveFailedLastIn != Model.Turn
            || Model.Sockets.InterestOf(Model.Sockets.Datagrams) == Readiness.None)
        {
            return;
        }
        Fail($"receiving failed {Model.ReceiveFailuresInARow} times in a row by {now}, and the UDP"
            + " socket does not rest");
    }

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        if (now > _workSince + Model.Lateness)
            Fail($"the loop slept from {_workSince} to {now} with work half done");
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        _workSince = Model.Scans.HasWork || Model.Resends.HasWork ? now : Instant.Never;
        if (Model.Resends.HasWork && !core.HasStopped && core.NextWake > now)
            Fail($"queries wait to be sent again at {now}, and the loop sleeps to {core.NextWake}");
        if (core.NextWake > now && !core.HasStopped && WorkLeft() is { } work)
            Fail($"{work} is not over at {now}, and the loop sleeps to {core.NextWake}");
        if (Model.Life.IsStopping)
            return;
        Look(Model.Sockets.Datagrams, "the UDP socket", now, SpecifiedLimits.ReceivePause,
            Model.ReceiveFailuresInARow >= 2, ref _datagramsRestSince);
        LookAtFailures(now);
        LookAtWaiting(now);
        Look(Model.Sockets.Listener, "the listener", now, SpecifiedLimits.AcceptPause,
            Model.LacksForAcceptIn == Model.Turn, ref _listenerRestsSince);
    }

    /// <summary>What is done in slices and has some left; null for nothing.</summary>
    private string? WorkLeft() =>
        Model.Status.HasWork ? "a status report"
        : Model.Remotes.IsExpiring ? "a pass for expired remotes"
        : Model.Remotes.IsMoving ? "a rebalance" : null;

    /// <summary>A datagram that waits is taken in the next turn, whatever else is busy.</summary>
    private void LookAtWaiting(Instant now)
    {
        var isExcused = Model.ReceivedInTurn > 0 || Model.ReceiveFailedLastIn == Model.Turn
            || Model.IsWokenEarly
            || Model.Sockets.InterestOf(Model.Sockets.Datagrams) == Readiness.None;
        _turnsUnread = Model.WaitingDatagrams > 0 && !isExcused ? _turnsUnread + 1 : 0;
        if (_turnsUnread > 1)
        {
            Fail($"{Model.WaitingDatagrams} datagrams wait at {now}, and the UDP socket was not"
                + $" looked at for {_turnsUnread} turns");
        }
    }

    private void Look(SocketHandle socket, string name, Instant now, Duration rest, bool hasCause,
        ref Instant since)
    {
        if (Model.Sockets.InterestOf(socket) == Readiness.Read)
        {
            since = Instant.Never;
            return;
        }
        if (since == Instant.Never && !hasCause)
            Fail($"{name} rests from {now} on, and no error that lasts was seen");
        since = Instant.Min(since, now);
        if (now >= since + rest && now > since)
            Fail($"{name} rests since {since}; it should be woken again after {rest}");
    }
}
