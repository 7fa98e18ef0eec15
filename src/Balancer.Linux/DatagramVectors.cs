// Owns the native memory by which the kernel reads or fills a DatagramBatch: for each slot an
// mmsghdr, an iovec into the batch's pinned buffer, an address and a control message. It is laid
// out once for a batch and a direction, and lives as long as the network. It may be made before
// there is a batch, so that the batch's first use takes no memory.
//
// What always holds: it describes one batch at most, and once it does, for ever; the addresses in
// it stay right, because the batch's buffer is pinned and the batch is kept alive from here; only
// lengths change between calls.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Balancer.Core;
using Balancer.Linux.Interop;

namespace Balancer.Linux;

internal sealed unsafe class DatagramVectors : IDisposable
{
    private const int Capacity = DatagramBatch.Capacity;

    private readonly IoVector* _vectors;
    private readonly SocketAddressIn* _names;
    private readonly PacketInfoControl* _controls;

    /// <param name="withControl">Whether each datagram has a control message.</param>
    internal DatagramVectors(bool withControl)
    {
        Messages = Allocate<MultiMessageHeader>();
        _vectors = Allocate<IoVector>();
        _names = Allocate<SocketAddressIn>();
        _controls = Allocate<PacketInfoControl>();
        for (var i = 0; i < Capacity; i++)
        {
            _vectors[i].Length = DatagramBatch.SlotBytes;
            ref var header = ref Messages[i].Header;
            header.Name = &_names[i];
            header.NameLength = (uint)sizeof(SocketAddressIn);
            header.Vectors = &_vectors[i];
            header.VectorCount = 1;
            header.Control = withControl ? &_controls[i] : null;
            header.ControlLength = withControl ? (nuint)sizeof(PacketInfoControl) : 0;
        }
    }

    /// <summary>The batch that it describes; null for none yet.</summary>
    internal DatagramBatch? Batch { get; private set; }

    /// <summary>As many as a batch holds.</summary>
    internal MultiMessageHeader* Messages { get; }

    /// <summary>Messages that the last receiving call wrote lengths into.</summary>
    internal int Touched { get; set; }

    internal ref SocketAddressIn Name(int index) => ref _names[index];

    internal ref IoVector Vector(int index) => ref _vectors[index];

    internal ref PacketInfoControl Control(int index) => ref _controls[index];

    /// <summary>Describes a batch from now on; takes no memory.</summary>
    internal void Describe(DatagramBatch batch)
    {
        Batch = batch;
        var buffer = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(batch.Buffer));
        for (var i = 0; i < Capacity; i++)
            _vectors[i].Base = buffer + i * DatagramBatch.SlotBytes;
    }

    public void Dispose()
    {
        NativeMemory.Free(Messages);
        NativeMemory.Free(_vectors);
        NativeMemory.Free(_names);
        NativeMemory.Free(_controls);
    }

    private static T* Allocate<T>()
        where T : unmanaged => (T*)NativeMemory.AllocZeroed(Capacity, (nuint)sizeof(T));
}
