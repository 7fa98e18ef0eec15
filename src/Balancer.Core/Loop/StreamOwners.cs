// Owns the way from a socket's handle to the object that handles its events.
//
// What always holds: a live stream of the core has exactly one owner; an event for a handle whose
// socket was closed earlier in the same turn finds none, because its generation differs.

using System;

namespace Balancer.Core;

/// <summary>Deals with the events of one or two streams.</summary>
internal interface IStreamOwner
{
    void OnReady(Instant now, SocketHandle stream, Readiness ready);
}

/// <summary>The owners of all streams, by the slots of their handles.</summary>
internal sealed class StreamOwners
{
    private (SocketHandle Stream, IStreamOwner? Owner)[] _owners =
        new (SocketHandle, IStreamOwner?)[64];

    /// <summary>Streams that have an owner.</summary>
    public int Count { get; private set; }

    /// <summary>
    /// Makes room for a stream, so that adding it takes no memory. If there is none it throws, and
    /// nothing is changed.
    /// </summary>
    public void Reserve(SocketHandle stream)
    {
        while (stream.Slot >= _owners.Length)
            Array.Resize(ref _owners, _owners.Length * 2);
    }

    public void Add(SocketHandle stream, IStreamOwner owner)
    {
        Reserve(stream);
        Verify.That(_owners[stream.Slot].Owner is null, "a stream has one owner");
        _owners[stream.Slot] = (stream, owner);
        Count++;
    }

    public void Remove(SocketHandle stream)
    {
        Verify.That(Find(stream) is not null, "a stream that ends has an owner");
        _owners[stream.Slot] = default;
        Count--;
    }

    /// <summary>The owner of a live stream; null for a handle that is dead.</summary>
    public IStreamOwner? Find(SocketHandle stream)
    {
        if ((uint)stream.Slot >= (uint)_owners.Length)
            return null;
        ref var entry = ref _owners[stream.Slot];
        return entry.Stream == stream ? entry.Owner : null;
    }
}
