// Owns the time and the waiting of one run: one thread does all that its clients, faults and
// backends have to do, each thing when its time has come or its descriptor is ready.
//
// What always holds: what is due at the same time is done in the order in which it was asked for;
// nothing is done while something else is; nothing here blocks longer than a tenth of a second. A
// turn that takes ten times as long is reported: then this host stood still, and perhaps all on
// it, or something that was done here waited, and what was to be seen was seen late.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using Simulation.Real.Interop;

namespace Simulation.Real;

/// <summary>Deadlines and descriptors of one run.</summary>
internal sealed class Reactor
{
    private const int LongestWaitMs = 100;
    private const long StandstillNs = 1_000_000_000;
    private const long NsPerMs = 1_000_000;

    private readonly PriorityQueue<Action, (long Due, long Number)> _due = new();
    private readonly Dictionary<int, (short Wanted, Action<short> OnReady)> _watched = [];
    private PollEntry[] _entries = [];
    private bool _isStale = true;
    private long _number;

    /// <summary>Told when a turn that took more than a second began and ended.</summary>
    public Action<long, long>? OnStoodStill { get; init; }

    /// <summary>Nanoseconds of the clock that all processes of the host share.</summary>
    public static long NowNs => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    public void At(long ns, Action action) => _due.Enqueue(action, (ns, _number++));

    public void After(long ns, Action action) => At(NowNs + ns, action);

    /// <summary>Tells when the descriptor is ready, or has failed.</summary>
    public void Watch(int descriptor, short wanted, Action<short> onReady)
    {
        _watched[descriptor] = (wanted, onReady);
        _isStale = true;
    }

    public void Forget(int descriptor) => _isStale |= _watched.Remove(descriptor);

    /// <summary>Goes on until that holds or that time has come; whether it holds.</summary>
    public bool RunUntil(Func<bool> holds, long untilNs)
    {
        var last = NowNs;
        while (!holds())
        {
            var now = NowNs;
            if (now - last > StandstillNs)
                OnStoodStill?.Invoke(last, now);
            last = now;
            if (now >= untilNs)
                return false;
            while (_due.TryPeek(out var action, out var key) && key.Due <= now)
            {
                _due.Dequeue();
                action();
            }
            Wait(untilNs);
        }
        return true;
    }

    private void Wait(long untilNs)
    {
        if (_isStale)
            Rebuild();
        var next = _due.TryPeek(out _, out var key) ? Math.Min(key.Due, untilNs) : untilNs;
        var left = Math.Clamp((next - NowNs + NsPerMs - 1) / NsPerMs, 0, LongestWaitMs);
        if (LibC.Wait(_entries, (int)left) <= 0)
            return;
        // What is done may change what is watched; the entries are those of before.
        foreach (var entry in _entries)
        {
            if (entry.Ready != 0 && _watched.TryGetValue(entry.Descriptor, out var watched))
                watched.OnReady(entry.Ready);
        }
    }

    private void Rebuild()
    {
        _entries = new PollEntry[_watched.Count];
        var at = 0;
        foreach (var (descriptor, (wanted, _)) in _watched)
            _entries[at++] = new PollEntry { Descriptor = descriptor, Wanted = wanted };
        _isStale = false;
    }
}
