// Owns every deadline of the core, in a binary heap ordered by (deadline, order of arming): of two
// that are due at the same instant, the one armed first goes first, so that a run can be repeated
// exactly.
//
// The heap is a tree of places, each of which has one timer in it. A timer brings a place when it
// is made: it puts it into the tree when it is armed, and takes the tree's last one out when it is
// disarmed. So there is always room, however many are armed.
//
// What always holds: a timer is armed at most once; it is disarmed before its action runs, which
// may arm it again; nothing here reads a clock. Arming and disarming allocate nothing: what a
// client does may arm one, and there may be no memory.

using System;
using System.Numerics;

namespace Balancer.Core;

/// <summary>One deadline and what to do then. Made once, armed many times.</summary>
public sealed class Timer(Action<Instant> onDue)
{
    internal readonly Action<Instant> OnDue = onDue;
    internal long Order;

    public bool IsArmed => Place.Timer is not null;

    /// <summary>When it is due; means something only while it is armed.</summary>
    public Instant Deadline { get; internal set; }

    /// <summary>Its place in the heap, or the one that it keeps while it is not armed.</summary>
    internal TimerPlace Place { get; set; } = new();
}

/// <summary>A place in the heap: no timer below it is due before its own.</summary>
internal sealed class TimerPlace
{
    public TimerPlace? Parent { get; set; }

    public TimerPlace? Left { get; set; }

    public TimerPlace? Right { get; set; }

    /// <summary>Null while it is not in the heap.</summary>
    public Timer? Timer { get; set; }
}

/// <summary>The timers of one balancer.</summary>
public sealed class Timers
{
    private TimerPlace? _first;
    private int _count;
    private long _armed;

    /// <summary>How many are armed.</summary>
    public int Count => _count;

    /// <summary>The earliest deadline, or Never.</summary>
    public Instant NextDeadline => _first is { } place ? place.Timer!.Deadline : Instant.Never;

    /// <summary>
    /// Arms a timer, or moves one that is armed; it now comes last of its equals.
    /// </summary>
    public void Arm(Timer timer, Instant deadline)
    {
        Disarm(timer);
        timer.Deadline = deadline;
        timer.Order = ++_armed;
        AddLast(timer.Place);
        SiftUp(timer, timer.Place);
    }

    /// <summary>Takes a timer out; nothing happens if it is not armed.</summary>
    public void Disarm(Timer timer)
    {
        if (!timer.IsArmed)
            return;
        var hole = timer.Place;
        Verify.That(hole.Timer == timer, "an armed timer is in this heap");
        var removed = RemoveLast();
        var last = removed.Timer!;
        removed.Timer = null;
        timer.Place = removed;
        if (last == timer)
            return;
        if (hole.Parent is { } parent && IsBefore(last, parent.Timer!))
            SiftUp(last, hole);
        else
            SiftDown(last, hole);
    }

    /// <summary>
    /// Runs the actions of at most limit timers whose deadline is not after now, those included
    /// that an action arms. Returns how many ran.
    /// </summary>
    public int RunDue(Instant now, int limit)
    {
        var ran = 0;
        while (ran < limit && _first?.Timer is { } due && due.Deadline <= now)
        {
            Disarm(due);
            due.OnDue(now);
            ran++;
        }
        return ran;
    }

    private static bool IsBefore(Timer a, Timer b) =>
        a.Deadline < b.Deadline || (a.Deadline == b.Deadline && a.Order < b.Order);

    /// <summary>
    /// The place with a number, 1 to Count: the first is 1, and below n are 2n and 2n + 1. So the
    /// digits of a number, the first one left out, are the way there.
    /// </summary>
    private TimerPlace At(int number)
    {
        var place = _first!;
        for (var digit = BitOperations.Log2((uint)number) - 1; digit >= 0; digit--)
            place = (number >> digit & 1) == 0 ? place.Left! : place.Right!;
        return place;
    }

    private void AddLast(TimerPlace place)
    {
        _count++;
        place.Parent = _count == 1 ? null : At(_count / 2);
        Replace(place.Parent, place);
    }

    private TimerPlace RemoveLast()
    {
        var last = At(_count);
        Replace(last.Parent, null);
        last.Parent = null;
        _count--;
        return last;
    }

    /// <summary>Puts another place, or none, where the last one is.</summary>
    private void Replace(TimerPlace? parent, TimerPlace? last)
    {
        if (parent is null)
            _first = last;
        else if (_count % 2 == 0)
            parent.Left = last;
        else
            parent.Right = last;
    }

    private static void SiftUp(Timer timer, TimerPlace hole)
    {
        while (hole.Parent is { } parent && IsBefore(timer, parent.Timer!))
        {
            Put(parent.Timer!, hole);
            hole = parent;
        }
        Put(timer, hole);
    }

    private static void SiftDown(Timer timer, TimerPlace hole)
    {
        while (hole.Left is { } child)
        {
            if (hole.Right is { } right && IsBefore(right.Timer!, child.Timer!))
                child = right;
            if (!IsBefore(child.Timer!, timer))
                break;
            Put(child.Timer!, hole);
            hole = child;
        }
        Put(timer, hole);
    }

    private static void Put(Timer timer, TimerPlace place)
    {
        place.Timer = timer;
        timer.Place = place;
    }
}
