// Owns the UDP socket: the bounded queue of datagrams that wait to be received, and what became of
// those that were sent. Buffers inside the queue are used again and again, so that a test can push
// any number of queries through without allocating.
//
// What always holds: injected = received + lost + waiting; a sent datagram was taken by the kernel
// and by no rule of Linux refused (port 0 is EINVAL, broadcast without SO_BROADCAST is EACCES, to
// leave from an address of another host is ENETUNREACH).

using System;
using System.Collections.Generic;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>A datagram that the balancer sent.</summary>
/// <param name="At">The kernel's time.</param>
/// <param name="From">The address it left from; Ipv4.Any if that was left to the kernel.</param>
/// <param name="To">Where it went.</param>
/// <param name="Payload">Its bytes, a copy.</param>
public sealed record SentDatagram(Instant At, Ipv4 From, Endpoint To, byte[] Payload);

/// <summary>Looks at a datagram as it is sent; the payload is only borrowed.</summary>
public delegate void DatagramObserver(
    Instant at, Ipv4 from, Endpoint to, ReadOnlySpan<byte> payload);

/// <summary>The balancer's UDP socket, seen from the network.</summary>
public sealed class SimDatagrams
{
    /// <summary>The largest payload of UDP over IPv4, in bytes.</summary>
    public const int MaxPayload = 65_507;

    private struct Waiting
    {
        public Endpoint From;
        public Ipv4 To;
        public int Length;
        public byte[]? Bytes;
    }

    private static readonly Ipv4 Broadcast = new(0xffffffff);
    private static readonly Ipv4 LoopbackBroadcast = Ipv4.From(127, 255, 255, 255);

    private readonly SimKernel _kernel;
    private readonly SimRing<Waiting> _waiting = new();
    private readonly List<SentDatagram> _sent = [];
    private bool _sendBlocked;

    internal SimDatagrams(SimKernel kernel)
    {
        _kernel = kernel;
        Socket = kernel.Sockets.OpenOther(Ready);
    }

    /// <summary>
    /// Datagrams that may wait; those beyond are lost. 0 or more, 1,024 at first.
    /// </summary>
    public int QueueLimit { get; set; } = 1024;

    /// <summary>Whether sent datagrams are kept in Sent; counts go on without.</summary>
    public bool Record { get; set; } = true;

    /// <summary>
    /// Which addresses are the host's, for datagrams to leave from; null, as at first, for any.
    /// What comes from one of them, the host has sent to itself.
    /// </summary>
    public Func<Ipv4, bool>? OwnsAddress { get; set; }

    /// <summary>Sees each datagram as it is sent; it must not call the balancer.</summary>
    public DatagramObserver? OnSent { get; set; }

    /// <summary>
    /// While true, the send buffer is full: sends say WouldBlock, nothing is writable.
    /// </summary>
    public bool SendBlocked
    {
        get => _sendBlocked;
        set
        {
            _sendBlocked = value;
            Socket.Touch();
        }
    }

    /// <summary>What was sent while Record was on, oldest first.</summary>
    public IReadOnlyList<SentDatagram> Sent => _sent;

    /// <summary>Datagrams that clients sent here, lost ones counted.</summary>
    public long Injected { get; private set; }

    /// <summary>Datagrams that found the queue full.</summary>
    public long Lost { get; private set; }

    /// <summary>Datagrams that the balancer received.</summary>
    public long Received { get; private set; }

    /// <summary>Datagrams that the kernel took from the balancer.</summary>
    public long SentCount { get; private set; }

    /// <summary>Datagrams that wait to be received.</summary>
    public int WaitingCount => _waiting.Count;

    internal SimSocket Socket { get; }

    /// <summary>A datagram arrives; false when the queue was full and it is lost.</summary>
    public bool Inject(Endpoint from, Ipv4 to, ReadOnlySpan<byte> payload)
    {
        Verify.That(payload.Length <= MaxPayload, "a datagram has at most 65,507 bytes");
        Injected++;
        if (_waiting.Count >= QueueLimit)
        {
            Lost++;
            return false;
        }
        ref var waiting = ref _waiting.Push();
        if (waiting.Bytes == null || waiting.Bytes.Length < payload.Length)
            waiting.Bytes = new byte[Math.Max(512, payload.Length)];
        payload.CopyTo(waiting.Bytes);
        waiting.From = from;
        waiting.To = to;
        waiting.Length = payload.Length;
        Socket.Touch();
        return true;
    }

    internal IoResult Receive(DatagramBatch batch)
    {
        batch.Clear();
        if (_kernel.Faults.TryTake(SimCall.ReceiveDatagrams, out var fault) && !fault.IsOk)
            return fault;
        if (_waiting.Count == 0)
            return IoResult.Failed(IoStatus.WouldBlock, Errnos.Eagain);
        var most = Math.Min(DatagramBatch.Capacity, _kernel.Faults.MaxDatagramsPerReceive);
        var count = Math.Min(most, _waiting.Count);
        for (var i = 0; i < count; i++)
            Deliver(ref _waiting.Pop(), batch, i);
        batch.SetCount(count);
        Received += count;
        return IoResult.Ok(count);
    }

    internal IoResult Send(DatagramBatch batch, int first)
    {
        Verify.That(first >= 0 && first < batch.Count, "a send begins with a filled slot");
        for (var i = first; i < batch.Count; i++)
        {
            var result = SendOne(batch, i, isFirst: i == first);
            if (!result.IsOk)
                return i == first ? result : IoResult.Ok(i - first);
        }
        return IoResult.Ok(batch.Count - first);
    }

    private void Deliver(ref Waiting waiting, DatagramBatch batch, int slot)
    {
        var length = Math.Min(waiting.Length, DatagramBatch.SlotBytes);
        var room = batch.Buffer.Slice(slot * DatagramBatch.SlotBytes, DatagramBatch.SlotBytes);
        waiting.Bytes.AsSpan(0, length).CopyTo(room);
        ref var header = ref batch.Headers[slot];
        header.Peer = waiting.From;
        header.Local = waiting.To;
        header.IsFromThisHost = _kernel.Network.ListenEndpoint.Address == Ipv4.Any
            && (waiting.From.Address.IsLoopback
                || OwnsAddress?.Invoke(waiting.From.Address) == true);
        header.Length = length;
        header.Truncated = waiting.Length > length;
    }

    private IoResult SendOne(DatagramBatch batch, int index, bool isFirst)
    {
        // An error of a later item ends the call before it; it is returned by the call that begins
        // with that item, so until then it stays scripted.
        if (_kernel.Faults.TryPeek(SimCall.SendDatagrams, out var fault))
        {
            if (fault.IsOk || isFirst)
                _kernel.Faults.TryTake(SimCall.SendDatagrams, out _);
            if (!fault.IsOk)
                return fault;
        }
        if (_sendBlocked)
            return IoResult.Failed(IoStatus.WouldBlock, Errnos.Eagain);
        ref var header = ref batch.Headers[index];
        if (header.Peer.Port == 0)
            return IoResult.Failed(IoStatus.InvalidArgument, Errnos.Einval);
        if (OwnsAddress != null && header.Local != Ipv4.Any && !OwnsAddress(header.Local))
            return IoResult.Failed(IoStatus.Unreachable, Errnos.Enetunreach);
        if (header.Peer.Address == Broadcast || header.Peer.Address == LoopbackBroadcast)
            return IoResult.Failed(IoStatus.AccessDenied, Errnos.Eacces);
        SentCount++;
        OnSent?.Invoke(_kernel.Now, header.Local, header.Peer, batch.Payload(index));
        if (Record)
        {
            _sent.Add(new SentDatagram(
                _kernel.Now, header.Local, header.Peer, batch.Payload(index).ToArray()));
        }
        return IoResult.Ok();
    }

    private Readiness Ready() =>
        (_waiting.Count > 0 ? Readiness.Read : Readiness.None)
        | (_sendBlocked ? Readiness.None : Readiness.Write);
}
