// Owns the queue that everything in the kernel waits in. Queue<T> would do but for two things: a
// slot that was used keeps its content, so that buffers inside the items are used again, and items
// are reached by reference.
//
// What always holds: 0 ≤ Count ≤ slots; no method allocates unless the queue outgrows its slots,
// which it does by doubling and never undoes.

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>A first-in, first-out queue that allocates only when it grows.</summary>
internal sealed class SimRing<T>(int slots = 16)
{
    private T[] _items = new T[slots];
    private int _head;

    public int Count { get; private set; }

    /// <summary>The item that is taken next; the queue is not empty.</summary>
    public ref T First
    {
        get
        {
            Verify.That(Count > 0, "an empty queue has no first item");
            return ref _items[_head];
        }
    }

    /// <summary>Takes a slot at the end and gives what was left in it, to be overwritten.</summary>
    public ref T Push()
    {
        if (Count == _items.Length)
            Grow();
        return ref _items[(_head + Count++) % _items.Length]!;
    }

    public void Push(T item) => Push() = item;

    /// <summary>Takes the first item, which stays in its slot until that is used again.</summary>
    public ref T Pop()
    {
        ref T item = ref First;
        _head = (_head + 1) % _items.Length;
        Count--;
        return ref item;
    }

    public void Clear() => Count = 0;

    private void Grow()
    {
        var grown = new T[Math.Max(4, _items.Length * 2)];
        for (var i = 0; i < Count; i++)
            grown[i] = _items[(_head + i) % _items.Length];
        _items = grown;
        _head = 0;
    }
}
