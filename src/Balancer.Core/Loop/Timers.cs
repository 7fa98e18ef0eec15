// Owns every deadline of the core, in a binary heap ordered by (deadline, order of arming): of two
// that are due at the same instant, the one armed first goes first, so that a run can be repeated
// exactly.
//
// What always holds: a timer is armed at most once; it is disarmed before its action runs, which
// may arm it again; nothing here reads a clock. Arming and disarming allocate nothing once the
// heap has grown to its working size.

using System;

namespace Balancer.Core;

/// <summary>One deadline and what to do then. Made once, armed many times.</summary>
public sealed class Timer(Action<Instant> onDue)
{
    internal const int NotArmed = -1;

    internal readonly Action<Instant> OnDue = onDue;
    internal int HeapIndex = NotArmed;
    internal long Order;

    public bool IsArmed => HeapIndex != NotArmed;

    /// <summary>When it is due; means something only while it is armed.</summary>
    public Instant Deadline { get; internal set; }
}

/// <summary>The timers of one balancer.</summary>
public sealed class Timers
{
    private Timer[] _heap = new Timer[64];
    private int _count;
    private long _armed;

    /// <summary>How many are armed.</summary>
    public int Count => _count;

    /// <summary>The earliest deadline, or Never.</summary>
    public Instant NextDeadline => _count == 0 ? Instant.Never : _heap[0].Deadline;

    /// <summary>
    /// Arms a timer, or moves one that is armed; it now comes last of its equals.
    /// </summary>
    public void Arm(Timer timer, Instant deadline)
    {
        Disarm(timer);
        timer.Deadline = deadline;
        timer.Order = ++_armed;
        if (_count == _heap.Length)
            Array.Resize(ref _heap, _count * 2);
        SiftUp(timer, _count++);
    }

    /// <summary>Takes a timer out; nothing happens if it is not armed.</summary>
    public void Disarm(Timer timer)
    {
        if (!timer.IsArmed)
            return;
        var hole = timer.HeapIndex;
        Verify.That(hole < _count && _heap[hole] == timer, "an armed timer is in this heap");
        timer.HeapIndex = Timer.NotArmed;
        var last = _heap[--_count];
        Array.Clear(_heap, _count, 1);
        if (last == timer)
            return;
        if (hole > 0 && IsBefore(last, _heap[(hole - 1) / 2]))
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
        while (ran < limit && _count > 0 && _heap[0].Deadline <= now)
        {
            var due = _heap[0];
            Disarm(due);
            due.OnDue(now);
            ran++;
        }
        return ran;
    }

    private static bool IsBefore(Timer a, Timer b) =>
        a.Deadline < b.Deadline || (a.Deadline == b.Deadline && a.Order < b.Order);

    private void SiftUp(Timer timer, int hole)
    {
        while (hole > 0)
        {
            var parent = (hole - 1) / 2;
            if (!IsBefore(timer, _heap[parent]))
                break;
            Place(_heap[parent], hole);
            hole = parent;
        }
        Place(timer, hole);
    }

    private void SiftDown(Timer timer, int hole)
    {
        while (true)
        {
            var child = 2 * hole + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], timer))
                break;
            Place(_heap[child], hole);
            hole = child;
        }
        Place(timer, hole);
    }

    private void Place(Timer timer, int index)
    {
        _heap[index] = timer;
        timer.HeapIndex = index;
    }
}
