// Owns the descriptor table and the two lists of what may be ready, one of what is urgent. They are
// kept as epoll keeps its own: a socket enters its list when something happened to it, is looked at
// by Wait, and stays at the list's end for as long as it is ready, so that a full span of events
// starves nobody and a thousand quiet sockets cost nothing.
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

    /// <summary>
    /// Whether a list of what may be ready has it; a slot that was used again may be in the other.
    /// </summary>
    public bool IsListedAsUrgent { get; set; }

    public bool IsListedAsBulk { get; set; }

    public Readiness Interest { get; private set; }

    /// <summary>Whether Wait reports it before those that are not.</summary>
    public bool IsUrgent { get; private set; }

    /// <summary>The stream's end; null for the two sockets that are not streams.</summary>
    public SimEnd? End { get; private set; }

    /// <summary>Tells the readiness of a socket that is not a stream.</summary>
    public Func<Readiness>? Ready { get; private set; }

    public void Open(SimEnd? end, Func<Readiness>? ready)
    {
        _generation++;
        IsOpen = true;
        Interest = Readiness.None;
        IsUrgent = end == null;
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

    public void MakeUrgent()
    {
        Verify.That(Interest == Readiness.None, "a stream is made urgent before it is used");
        IsUrgent = true;
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
    private readonly SimRing<SimSocket> _urgent = new();
    private readonly SimRing<SimSocket> _bulk = new();

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
        if (socket.Interest == Readiness.None)
            return;
        if (socket.IsUrgent && !socket.IsListedAsUrgent)
        {
            socket.IsListedAsUrgent = true;
            _urgent.Push(socket);
        }
        else if (!socket.IsUrgent && !socket.IsListedAsBulk)
        {
            socket.IsListedAsBulk = true;
            _bulk.Push(socket);
        }
    }

    /// <summary>Fills the span with what is ready and urgent, oldest first; how many.</summary>
    public int GatherUrgent(Span<NetworkEvent> events)
    {
        var count = 0;
        for (var left = _urgent.Count; left > 0 && count < events.Length; left--)
        {
            var socket = _urgent.Pop();
            socket.IsListedAsUrgent = false;
            if (socket.IsUrgent)
                Report(socket, events, ref count);
        }
        return count;
    }

    /// <summary>The same of what is not urgent.</summary>
    public int GatherBulk(Span<NetworkEvent> events)
    {
        var count = 0;
        for (var left = _bulk.Count; left > 0 && count < events.Length; left--)
        {
            var socket = _bulk.Pop();
            socket.IsListedAsBulk = false;
            if (!socket.IsUrgent)
                Report(socket, events, ref count);
        }
        return count;
    }

    private void Report(SimSocket socket, Span<NetworkEvent> events, ref int count)
    {
        var ready = socket.Reportable();
        if (ready == Readiness.None)
            return;
        events[count++] = new NetworkEvent(NetworkEventKind.Socket, socket.Handle, ready);
        Touch(socket);
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
