// Owns the memory that datagrams cross the seam in: one pinned buffer cut into equal slots, so
// that an adapter may hand the kernel its addresses once and for ever, and a header for each slot.
//
// What always holds: 0 ≤ Count ≤ Capacity; slot i's payload is the first Headers[i].Length bytes
// of the slot. The buffer is never reallocated and lives as long as the batch.

using System;

namespace Balancer.Core;

/// <summary>Who a datagram came from or goes to, and what it came to or leaves from.</summary>
public struct DatagramHeader
{
    /// <summary>
    /// The remote's end: source of a received datagram, destination of a sent one.
    /// </summary>
    public Endpoint Peer;

    /// <summary>
    /// The balancer's own address: where a received datagram was sent to, what a sent one leaves
    /// from. Ipv4.Any leaves the choice to the kernel.
    /// </summary>
    public Ipv4 Local;

    /// <summary>
    /// The host sent it to itself, from whichever of its addresses (received ones only). Known
    /// where the balancer listens on all addresses; false elsewhere.
    /// </summary>
    public bool IsFromThisHost;

    /// <summary>Bytes of payload in the slot, 0 to SlotBytes.</summary>
    public int Length;

    /// <summary>The datagram was longer than its slot and was cut (received ones only).</summary>
    public bool Truncated;
}

/// <summary>A fixed number of datagrams, received or to be sent in one system call.</summary>
public sealed class DatagramBatch
{
    /// <summary>Datagrams that one batch holds.</summary>
    public const int Capacity = Limits.DatagramsPerBatch;

    /// <summary>
    /// Bytes of one slot: more than the largest payload that is forwarded, so that a larger one
    /// is recognised, and no power of two, so that slots do not share cache sets.
    /// </summary>
    public const int SlotBytes = Limits.DatagramSlotBytes;

    private readonly byte[] _buffer =
        GC.AllocateUninitializedArray<byte>(Capacity * SlotBytes, pinned: true);

    private readonly DatagramHeader[] _headers = new DatagramHeader[Capacity];

    /// <summary>How many slots are filled.</summary>
    public int Count { get; private set; }

    public bool IsFull => Count == Capacity;

    /// <summary>
    /// The pinned buffer, Capacity × SlotBytes long; slot i starts at i × SlotBytes.
    /// </summary>
    public Span<byte> Buffer => _buffer;

    /// <summary>All headers, filled ones first; an adapter writes those it receives.</summary>
    public Span<DatagramHeader> Headers => _headers;

    /// <summary>The payload of a filled slot.</summary>
    public ReadOnlySpan<byte> Payload(int index) =>
        _buffer.AsSpan(index * SlotBytes, _headers[index].Length);

    public void Clear() => Count = 0;

    /// <summary>Says that an adapter filled the first slots and their headers.</summary>
    public void SetCount(int count)
    {
        Verify.That((uint)count <= Capacity, "a batch never holds more than its capacity");
        Count = count;
    }

    /// <summary>
    /// Copies a payload of at most SlotBytes into the next slot; false when full.
    /// </summary>
    public bool TryAdd(Endpoint peer, Ipv4 local, ReadOnlySpan<byte> payload)
    {
        if (Count == Capacity)
            return false;
        payload.CopyTo(_buffer.AsSpan(Count * SlotBytes, SlotBytes));
        ref var header = ref _headers[Count++];
        header.Peer = peer;
        header.Local = local;
        header.IsFromThisHost = false;
        header.Length = payload.Length;
        header.Truncated = false;
        return true;
    }
}
