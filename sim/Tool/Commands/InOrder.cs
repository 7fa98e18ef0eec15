// Owns work that is done by several threads and consumed in order: item 0, 1, 2, … are handed out
// one by one, made at the same time, and taken up as if they had been made one after another, up to
// the last, which is the first that says so.
//
// What always holds: what is taken up does not depend on the number of threads; a thread shares
// nothing with another but the counter of items and what is finished; while items are taken up or
// a tick is told, nobody else is.

using System;
using System.Collections.Generic;
using System.Threading;

namespace Simulation.Commands;

/// <summary>Makes items at the same time and takes them up in order.</summary>
internal sealed class InOrder<T>
{
    /// <summary>Scenarios nest deeper than a thread's usual stack takes.</summary>
    public const int StackBytes = 16 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<long, T> _finished = [];
    private long _handedOut;
    private long _takenUp;
    private long _end = long.MaxValue;
    private Exception? _broken;

    /// <summary>Whether there is an item of this number; asked once for each, in order.</summary>
    public required Func<long, bool> Has { get; init; }

    /// <summary>Makes an item, on some thread.</summary>
    public required Func<long, T> Make { get; init; }

    /// <summary>Whether no item after this one is wanted.</summary>
    public required Func<T, bool> IsLast { get; init; }

    /// <summary>Takes up a finished item.</summary>
    public required Action<T> TakeUp { get; init; }

    /// <summary>Does it all; tells a tick as often as that while it lasts.</summary>
    public void Run(int jobs, TimeSpan every, Action tick)
    {
        var threads = new Thread[jobs];
        for (var i = 0; i < jobs; i++)
        {
            threads[i] = new Thread(Work, StackBytes);
            threads[i].Start();
        }
        foreach (var thread in threads)
        {
            while (!thread.Join(every))
            {
                lock (_lock)
                    tick();
            }
        }
        if (_broken is { } broken)
            throw new SimulatorException(broken);
    }

    private void Work()
    {
        try
        {
            while (Next() is { } index)
                Finish(index, Make(index));
        }
        catch (Exception thrown)
        {
            lock (_lock)
            {
                _broken ??= thrown;
                _end = 0;
            }
        }
    }

    private long? Next()
    {
        lock (_lock)
            return _handedOut < _end && Has(_handedOut) ? _handedOut++ : null;
    }

    private void Finish(long index, T item)
    {
        lock (_lock)
        {
            if (IsLast(item))
                _end = Math.Min(_end, index + 1);
            if (index < _end)
                _finished.Add(index, item);
            while (_takenUp < _end && _finished.Remove(_takenUp, out var next))
            {
                _takenUp++;
                TakeUp(next);
            }
        }
    }
}

/// <summary>The simulator itself failed, which says nothing of the core.</summary>
internal sealed class SimulatorException(Exception thrown)
    : Exception(thrown.Message, thrown);
