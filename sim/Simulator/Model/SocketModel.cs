// Owns the sockets that the balancer has open: whose each stream is, and what the wait was asked to
// report of each.
//
// What always holds: a handle that was closed, or whose slot has been reused, has no owner;
// the two bound sockets never have one, and are known by their handles.

using System;
using Balancer.Core;

namespace Simulation.Model;

/// <summary>Finds whose a socket is.</summary>
internal sealed class SocketModel
{
    private (SocketHandle Socket, object? Owner, Readiness Interest)[] _entries =
        new (SocketHandle, object?, Readiness)[64];

    public SocketHandle Datagrams { get; set; }

    public SocketHandle Listener { get; set; }

    public bool IsListenerClosed { get; private set; }

    /// <summary>Streams that are open now.</summary>
    public int OpenStreams { get; private set; }

    /// <summary>The session or connection that a stream is of; null for any other socket.</summary>
    public object? OwnerOf(SocketHandle stream)
    {
        if ((uint)stream.Slot >= (uint)_entries.Length)
            return null;
        ref var entry = ref _entries[stream.Slot];
        return entry.Socket == stream ? entry.Owner : null;
    }

    /// <summary>A stream was opened.</summary>
    public void Own(SocketHandle stream, object owner)
    {
        EntryOf(stream) = (stream, owner, Readiness.None);
        OpenStreams++;
    }

    /// <summary>A socket was closed; whose it was.</summary>
    public object? Close(SocketHandle socket)
    {
        IsListenerClosed |= socket == Listener;
        var owner = OwnerOf(socket);
        if (owner is not null)
        {
            _entries[socket.Slot] = default;
            OpenStreams--;
        }
        return owner;
    }

    public void OnInterest(SocketHandle socket, Readiness interest)
    {
        ref var entry = ref EntryOf(socket);
        entry = (socket, entry.Socket == socket ? entry.Owner : null, interest);
    }

    /// <summary>What the waits report of a socket.</summary>
    public Readiness InterestOf(SocketHandle socket)
    {
        ref var entry = ref EntryOf(socket);
        return entry.Socket == socket ? entry.Interest : Readiness.None;
    }

    private ref (SocketHandle Socket, object? Owner, Readiness Interest) EntryOf(
        SocketHandle socket)
    {
        while (socket.Slot >= _entries.Length)
            Array.Resize(ref _entries, _entries.Length * 2);
        return ref _entries[socket.Slot];
    }
}
