// Owns the descriptor table and the list of what may be ready. The list is kept as epoll keeps its
// own: a socket enters it when something happened to it, is looked at by Wait, and stays at the
// list's end for as long as it is ready, so that a full span of events starves nobody and a
// thousand quiet sockets cost nothing.
//
// What always holds: a socket that is ready for what is wanted of it is in the list; a slot's
// generation grows with every use, so a handle kept too long names nothing; the order of events
// depends on the order of what happened alone.

using System;
using System.Collections.Generic;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>One slot of the descriptor table.</summary>
internal sealed class SimSocket(SimSockets table, int slot)
{
    private uint _generation;

    public SocketHandle Handle => new(slot, _generation);

    public bool IsOpen { get; private set; }

    /// <summary>Whether the list of what may be ready has it.</summary>
    public bool IsListed { get; set; }

    public Readiness Interest { get; private set; }

    /// <summary>The stream's end; null for the two sockets that are no streams.</summary>
    public SimEnd? End { get; private set; }

    /// <summary>Tells the readiness of a socket that is no stream.</summary>
    public Func<Readiness>? Ready { get; private set; }

    public void Open(SimEnd? end, Func<Readiness>? ready)
    {
        _generation++;
        IsOpen = true;
        Interest = Readiness.None;
        End = end;
        Ready = ready;
    }

    public void Close()
    {
        IsOpen = false;
        Interest = Readiness.None;
        End = null;
        Ready = null;
    }

    public void SetInterest(Readiness interest)
    {
        Interest = interest;
        Touch();
    }

    /// <summary>Something happened that may have made it ready.</summary>
    public void Touch() => table.Touch(this);

    /// <summary>What Wait reports: what is wanted, and a hang-up if anything is.</summary>
    public Readiness Reportable() => Interest == Readiness.None
        ? Readiness.None
        : (End?.Ready() ?? Ready!()) & (Interest | Readiness.HangUp);
}

/// <summary>All descriptors of the balancer.</summary>
internal sealed class SimSockets
{
    private readonly List<SimSocket> _slots = [];
    private readonly Stack<SimSocket> _free = [];
    private readonly SimRing<SimSocket> _listed = new();

    /// <summary>Open sockets that are streams.</summary>
    public int Streams { get; private set; }

    public SimSocket OpenStream(SimEnd end)
    {
        var socket = Take();
        socket.Open(end, null);
        end.Socket = socket;
        end.LastHandle = socket.Handle;
        Streams++;
        return socket;
    }

    public SimSocket OpenOther(Func<Readiness> ready)
    {
        var socket = Take();
        socket.Open(null, ready);
        return socket;
    }

    /// <summary>The open socket that a handle names; anything else is the caller's bug.</summary>
    public SimSocket Find(SocketHandle handle)
    {
        Verify.That((uint)handle.Slot < (uint)_slots.Count, "a handle names a slot of the table");
        var socket = _slots[handle.Slot];
        Verify.That(socket.IsOpen && socket.Handle == handle, "a handle names an open socket");
        return socket;
    }

    public SimEnd FindStream(SocketHandle handle)
    {
        var end = Find(handle).End;
        Verify.That(end != null, "a stream's call names a stream");
        return end;
    }

    public bool IsOpen(SocketHandle handle) => (uint)handle.Slot < (uint)_slots.Count
        && _slots[handle.Slot].IsOpen && _slots[handle.Slot].Handle == handle;

    public void Close(SimSocket socket)
    {
        if (socket.End is { } end)
        {
            end.Socket = null;
            Streams--;
        }
        socket.Close();
        _free.Push(socket);
    }

    public void Touch(SimSocket socket)
    {
        if (socket.IsListed || socket.Interest == Readiness.None)
            return;
        socket.IsListed = true;
        _listed.Push(socket);
    }

    /// <summary>Fills the span with what is ready, oldest first; returns how many.</summary>
    public int Gather(Span<NetworkEvent> events)
    {
        var count = 0;
        for (var left = _listed.Count; left > 0 && count < events.Length; left--)
        {
            var socket = _listed.Pop();
            socket.IsListed = false;
            var ready = socket.Reportable();
            if (ready == Readiness.None)
                continue;
            events[count++] = new NetworkEvent(NetworkEventKind.Socket, socket.Handle, ready);
            Touch(socket);
        }
        return count;
    }

    /// <summary>
    /// How many sockets are ready, counted the slow way: the list's check in tests.
    /// </summary>
    public int CountReady()
    {
        var count = 0;
        foreach (var socket in _slots)
        {
            if (socket.IsOpen && socket.Reportable() != Readiness.None)
                count++;
        }
        return count;
    }

    private SimSocket Take()
    {
        if (_free.TryPop(out var free))
            return free;
        var socket = new SimSocket(this, _slots.Count);
        _slots.Add(socket);
        return socket;
    }
}
