// Owns what will happen in the simulated world and when: actions ordered by their instant, equal
// ones by the order in which they were scheduled. The key is total, so that the heap's own order
// among equals can never show.
//
// What always holds: actions run in the order of their keys, and only while the balancer waits.

using System;
using System.Collections.Generic;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>Actions of the world, ordered by time and then by when they were asked for.</summary>
internal sealed class SimSchedule
{
    private readonly record struct Key(Instant At, long Sequence) : IComparable<Key>
    {
        public int CompareTo(Key other)
        {
            var byTime = At.CompareTo(other.At);
            return byTime != 0 ? byTime : Sequence.CompareTo(other.Sequence);
        }
    }

    private readonly PriorityQueue<Action, Key> _actions = new();
    private long _sequence;

    public int Count => _actions.Count;

    /// <summary>When the next action is due; Never when there is none.</summary>
    public Instant NextAt => _actions.TryPeek(out _, out var key) ? key.At : Instant.Never;

    public void Add(Instant at, Action action) =>
        _actions.Enqueue(action, new Key(at, _sequence++));

    public Action Take() => _actions.Dequeue();
}
