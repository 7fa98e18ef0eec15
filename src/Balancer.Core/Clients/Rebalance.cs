// Owns the rebalance. Every 15 s the spread over the healthy backends is measured, and if it is
// more than their number, what the fullest has above an even share is bound to others, one by one,
// each to the one that has the fewest then. They are bound at once, not when next heard from: else
// the next rebalance would find the emptiest as empty as before, and move half of the rest.
//
// Moving a client costs it what its backend has cached for it, so as few as possible are moved;
// only such as were answered in the last minute, since others may never come again and would be
// moved in vain; and none twice in a minute. If none may be moved, nothing is logged.
//
// It walks along the fullest backend's list, newest binding first, a slice a turn, so that a
// million remotes stall nobody. Forged addresses of which a flood repeats some are established as
// well, and answered: they were bound last, so they are moved before older clients.
//
// What always holds: a walk is along the list of one backend, and moves only remotes in that list.

using System;

namespace Balancer.Core;

/// <summary>Evens out the numbers of remotes of the backends.</summary>
internal sealed class Rebalance
{
    private readonly RemoteTable _table;
    private readonly Backends _backends;
    private readonly Bindings _bindings;
    private readonly Services _services;
    private readonly Action _everyInterval;
    private readonly Timer _timer;
    private Backend? _fullest;
    private int _toMove;

    /// <summary>
    /// Tells when a remote was moved: 1 for the first interval and so on, 1 again after 65,535,
    /// which is 11 days.
    /// </summary>
    private ushort _number;

    /// <param name="services">What all parts have.</param>
    /// <param name="table">All remotes.</param>
    /// <param name="backends">Those whose remotes are counted.</param>
    /// <param name="bindings">Which remotes are bound to which backends.</param>
    /// <param name="everyInterval">Called every Limits.RebalanceInterval.</param>
    public Rebalance(Services services, RemoteTable table, Backends backends, Bindings bindings,
        Action everyInterval)
    {
        _services = services;
        _table = table;
        _backends = backends;
        _bindings = bindings;
        _everyInterval = everyInterval;
        _timer = new Timer(OnDue);
    }

    /// <summary>A walk is under way.</summary>
    public bool HasWork => _fullest is not null;

    public void Start(Instant now) =>
        _services.Timers.Arm(_timer, now + Limits.RebalanceInterval);

    /// <summary>Ends it, a walk under way included.</summary>
    public void Stop()
    {
        _services.Timers.Disarm(_timer);
        _fullest = null;
    }

    /// <summary>Looks at one slice of the remotes, and moves those that may be.</summary>
    public void DoWork(Instant now)
    {
        var moves = _services.Turn.MovesPerTurn;
        var looks = _services.Turn.RemotesPerTurn;
        for (var n = 0; n < looks && moves > 0 && _fullest is not null; n++)
        {
            if (_bindings.WalkAt == 0)
            {
                _fullest = null;
                return;
            }
            var index = _bindings.WalkAt - 1;
            _bindings.WalkAt = _table[index].Older;
            if (!MayBeMoved(now, in _table[index]) || !HasBegun(now))
                continue;
            moves--;
            if (!TryMove(now, index, _fullest) || --_toMove == 0)
                _fullest = null;
        }
    }

    private void OnDue(Instant now)
    {
        _services.Timers.Arm(_timer, now + Limits.RebalanceInterval);
        _everyInterval();
        _number = _number == ushort.MaxValue ? (ushort)1 : (ushort)(_number + 1);
        // A walk that is still under way goes on.
        if (_fullest is not null || !IsNeeded(now, out var fullest, out _, out _))
            return;
        _fullest = fullest;
        _toMove = 0;
        _bindings.WalkAt = fullest!.NewestRemote;
    }

    /// <summary>
    /// At the first that may be moved it is measured how many are; false, and the walk is over, if
    /// it is not needed any more.
    /// </summary>
    private bool HasBegun(Instant now)
    {
        if (_toMove > 0)
            return true;
        var isNeeded = IsNeeded(now, out var fullest, out var spread, out var surplus);
        if (!isNeeded || fullest != _fullest)
        {
            _fullest = null;
            return false;
        }
        _toMove = surplus;
        _services.Log.Write(new LogEvent.Rebalancing(fullest!.Id, spread, surplus));
        return true;
    }

    private bool IsNeeded(Instant now, out Backend? fullest, out int spread, out int surplus)
    {
        var isAnyThere = _backends.TryMeasureSpread(
            now, out fullest, out var healthy, out spread, out surplus);
        return isAnyThere && spread > healthy;
    }

    private bool MayBeMoved(Instant now, in Remote remote) =>
        remote.TryGetAnswered(now, out var ago) && ago < Limits.AnsweredLately
        && (remote.MovedIn == 0
            || (ushort)(_number - remote.MovedIn) > Limits.IntervalsBetweenMoves);

    /// <summary>False if no other is there any more that has fewer.</summary>
    private bool TryMove(Instant now, int index, Backend from)
    {
        var to = _backends.WithFewestRemotes(now);
        if (to is null || to == from)
            return false;
        Verify.That(_table[index].Primary == from.Slot, "who is moved was bound to the fullest");
        _bindings.Unbind(index);
        ref var remote = ref _table[index];
        remote.MovedIn = _number;
        _services.Log.Write(new LogEvent.RemoteMoved(remote.Address, from.Id));
        _services.Counters.Add(Counter.RemotesMoved);
        _bindings.Bind(index, to);
        return true;
    }
}
