// Owns the numbering of open sockets: small dense slots, used again last in, first out, and a
// generation for each slot, so that a handle kept past its close names nothing.
//
// What always holds: generations of live sockets start at 1, grow by one with each close, and a
// slot whose generations are used up is retired, so no handle is ever given out twice.

using System;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>Where a socket stands with epoll.</summary>
internal enum Registration
{
    /// <summary>Not in it, and not to be.</summary>
    Out,

    /// <summary>In it.</summary>
    In,

    /// <summary>To be in it, but the kernel had no memory or watch left; tried again.</summary>
    Wanted,

    /// <summary>In it, with an interest that is over: a change was refused; tried again.</summary>
    Stale,
}

/// <summary>One socket, or one free place for one.</summary>
internal struct SocketSlot
{
    internal uint Generation;
    internal int Descriptor;
    internal Readiness Interest;
    internal Registration Registration;
    internal bool IsUrgent;

    /// <summary>Its peer may pass descriptors over it.</summary>
    internal bool MayBePassed;

    /// <summary>Then, a number of the peer's path.</summary>
    internal ulong Peer;

    internal int NextFree;
}

internal sealed class SocketTable
{
    private const int NoSlot = -1;
    private const int NoDescriptor = -1;

    private SocketSlot[] _slots;
    private int _used;
    private int _firstFree = NoSlot;

    internal SocketTable(int capacity = 256) => _slots = new SocketSlot[capacity];

    /// <summary>Slots that were ever used; a live one may be at any below.</summary>
    internal int Extent => _used;

    /// <summary>The slot of a live handle; any other handle is a bug of its keeper.</summary>
    internal ref SocketSlot this[SocketHandle handle]
    {
        get
        {
            Verify.That((uint)handle.Slot < (uint)_used, "a handle names a slot");
            ref var slot = ref _slots[handle.Slot];
            Verify.That(
                slot.Generation == handle.Generation && slot.Descriptor != NoDescriptor,
                "a handle is not used after its close");
            return ref slot;
        }
    }

    /// <summary>A slot by number, live or not.</summary>
    internal ref SocketSlot At(int slot) => ref _slots[slot];

    internal bool IsLive(SocketHandle handle) =>
        (uint)handle.Slot < (uint)_used
        && _slots[handle.Slot].Generation == handle.Generation
        && _slots[handle.Slot].Descriptor != NoDescriptor;

    /// <summary>
    /// Makes room for one more, so that adding it takes no memory; false if there is none.
    /// </summary>
    internal bool TryReserve()
    {
        if (_firstFree != NoSlot || _used < _slots.Length)
            return true;
        try
        {
            Array.Resize(ref _slots, _slots.Length * 2);
            return true;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
    }

    internal SocketHandle Add(int descriptor)
    {
        var index = _firstFree;
        if (index != NoSlot)
        {
            _firstFree = _slots[index].NextFree;
        }
        else
        {
            // It may throw for want of memory, and nothing is changed then.
            if (_used == _slots.Length)
                Array.Resize(ref _slots, _slots.Length * 2);
            index = _used++;
            _slots[index].Generation = 1;
        }
        ref var slot = ref _slots[index];
        slot.Descriptor = descriptor;
        slot.Interest = Readiness.None;
        slot.Registration = Registration.Out;
        slot.IsUrgent = false;
        slot.MayBePassed = false;
        return new SocketHandle(index, slot.Generation);
    }

    /// <summary>Ends a live handle and returns the descriptor it had.</summary>
    internal int Remove(SocketHandle handle)
    {
        ref var slot = ref this[handle];
        var descriptor = slot.Descriptor;
        slot.Descriptor = NoDescriptor;
        slot.Interest = Readiness.None;
        slot.Registration = Registration.Out;
        if (slot.Generation == uint.MaxValue)
            return descriptor;
        slot.Generation++;
        slot.NextFree = _firstFree;
        _firstFree = handle.Slot;
        return descriptor;
    }

    /// <summary>Hands every live descriptor to an action; for the end.</summary>
    internal void ForEachDescriptor(Action<int> action)
    {
        for (var index = 0; index < _used; index++)
        {
            if (_slots[index].Descriptor != NoDescriptor)
                action(_slots[index].Descriptor);
        }
    }
}
