// Owns the standing session to one backend while it lasts: the stream, the bytes that wait for it,
// and the frames that come out of it. Which frame may come when is BackendSession's business.
//
// Where the kernel has no memory for a write or a read, that is not the backend's fault: it is
// tried again after a pause, which grows, and nothing that waits is lost. The stream is ready for
// it all the same, so that is not waited for in the meantime.
//
// What always holds: queries leave ControlReserveBytes of the queue free, and at most one hello and
// one heartbeat wait, so both always fit, whatever the backend does; a flush is one write, or two
// where the ring wraps, and none while the kernel said that the stream is full and has not said
// otherwise; Begin starts from nothing, so no byte of an old session reaches a new one.

using System;

namespace Balancer.Core;

/// <summary>The session of one backend; begun again after every connect.</summary>
internal sealed class ControlSession(
    Services services, QueryPairs pairs, Quarantine quarantine)
{
    private readonly INetwork _network = services.Network;
    private readonly KernelMemory _kernelMemory = services.KernelMemory;
    private readonly ByteQueue _queue = new(Limits.BackendQueueBytes);
    private readonly MemoryShare _memory = new(services.SessionMemory);
    private FlowState _flow;
    private Readiness _interest;
    private bool _mayTry;
    private bool _writeLacksMemory;
    private bool _isShort;
    private Duration _memoryPause = Limits.FirstMemoryPause;
    private long _heartbeatEnd;

    /// <summary>Whether the stream takes bytes.</summary>
    private enum FlowState
    {
        /// <summary>As far as is known, it does.</summary>
        Open,

        /// <summary>
        /// The last write was taken in part, or there was no memory for it: bytes wait until it is
        /// writable.
        /// </summary>
        Waiting,

        /// <summary>
        /// The last write was not taken at all: no more queries until all is out.
        /// </summary>
        Stuck,
    }

    /// <summary>The stream; None between sessions.</summary>
    public SocketHandle Stream { get; private set; }

    public FrameReader Reader { get; } = new();

    /// <summary>Bytes that wait besides what the kernel holds.</summary>
    public int QueuedBytes => _queue.Count;

    /// <summary>The queries that it was given and has not answered.</summary>
    public InFlight InFlight { get; private set; } = new(services, pairs, quarantine);

    /// <summary>The stream took nothing of the last write: no queries until all is out.</summary>
    public bool IsStuck => _flow == FlowState.Stuck;

    /// <summary>Bytes that the stream took in this session.</summary>
    public long BytesTaken { get; private set; }

    /// <summary>
    /// A write or read failed for want of memory; they are tried again when Retry allows it.
    /// </summary>
    public bool AwaitsMemory { get; private set; }

    /// <summary>
    /// The last read failed for want of memory: whatever the backend has sent lies unread.
    /// </summary>
    public bool ReadLacksMemory { get; private set; }

    /// <summary>A heartbeat, or its end, is not written yet: no answer can be to it.</summary>
    public bool HasUnsentHeartbeat => BytesTaken < _heartbeatEnd;

    public void Begin(SocketHandle stream)
    {
        Verify.That(Stream.IsNone, "a session ends before the next begins");
        Stream = stream;
        Reader.Reset();
        _queue.Clear();
        _flow = FlowState.Open;
        _mayTry = false;
        _heartbeatEnd = 0;
        BytesTaken = 0;
        InFlight.Begin();
        _network.MakeUrgent(stream);
        _interest = Readiness.None;
        SetInterest();
    }

    public void End(Instant now)
    {
        Verify.That(InFlight.Count == 0, "what was in flight is given away first");
        _network.Close(Stream);
        AwaitsMemory = false;
        (_writeLacksMemory, ReadLacksMemory) = (false, false);
        NoteMemory(now, IoResult.Ok());
        Stream = SocketHandle.None;
        _queue.Clear();
        _queue.FreeMemory();
        _memory.GiveAllBack();
    }

    public void SendHello() => FrameWriter.WriteType(_queue, FrameType.ClientHello);

    /// <summary>Queues a heartbeat; the one before has been sent, since it was answered.</summary>
    public void SendHeartbeat()
    {
        Verify.That(!HasUnsentHeartbeat, "one heartbeat at most waits to be sent");
        FrameWriter.WriteType(_queue, FrameType.ClientHeartbeat);
        _heartbeatEnd = BytesTaken + _queue.Count;
    }

    /// <summary>
    /// Gives away the queries in flight: the session ends. Without memory for another table they
    /// are lost.
    /// </summary>
    public InFlight TakeInFlight()
    {
        var taken = InFlight;
        taken.OnSessionEnded();
        if (taken.Count == 0)
            return taken;
        try
        {
            InFlight = new InFlight(services, pairs, quarantine);
        }
        catch (OutOfMemoryException)
        {
            taken.DropAll();
        }
        return taken;
    }

    /// <summary>Queues a query; false if the stream is stuck or the queue is full.</summary>
    public bool TryForward(Instant now, in Query query, ReadOnlySpan<byte> payload)
    {
        if (!HasRoomFor(payload))
            return false;
        FrameWriter.WriteInboundUdp(_queue, query.Client, payload);
        InFlight.Add(now, in query, payload, BytesTaken + _queue.Count);
        return true;
    }

    /// <summary>
    /// Queues a probe, which is never in flight; false if the stream is stuck or the queue is full.
    /// </summary>
    public bool TrySendProbe(Endpoint source, ReadOnlySpan<byte> packet)
    {
        if (!HasRoomFor(packet))
            return false;
        FrameWriter.WriteInboundUdp(_queue, source, packet);
        return true;
    }

    /// <summary>
    /// Whether a client has more than its share of what the backend has to do, and that is so much
    /// that others would have to wait for it.
    /// </summary>
    public bool IsOverShare(Instant now, Ipv4 client, bool isCrowd, bool mayHang) =>
        InFlight.IsOverShare(
            now, client, isCrowd, BytesTaken + _queue.Count, _queue.Count, mayHang);

    /// <summary>
    /// Whether a query may be queued; then there is memory for it, a hello and a heartbeat.
    /// </summary>
    private bool HasRoomFor(ReadOnlySpan<byte> payload)
    {
        if (_flow == FlowState.Stuck)
            return false;
        var bytes = Frames.UdpHeaderBytes + payload.Length + Limits.ControlReserveBytes;
        return _queue.Free >= bytes
            && (_queue.Memory - _queue.Count >= bytes || TryGrowQueue(bytes));
    }

    private bool TryGrowQueue(int bytes)
    {
        var more = _queue.MemoryFor(bytes) - _queue.Memory;
        if (!_memory.TryTake(more))
            return false;
        try
        {
            _queue.Reserve(bytes);
            return true;
        }
        catch (OutOfMemoryException)
        {
            _memory.GiveBack(more);
            return false;
        }
    }

    /// <summary>The kernel has room again: the next Flush may try.</summary>
    public void OnWritable() => _mayTry = true;

    /// <summary>Writes what waits, as far as the stream takes it: Ok, or why it is lost.</summary>
    public IoResult Flush(Instant now)
    {
        if (_queue.IsEmpty || !(_flow == FlowState.Open || _mayTry))
            return IoResult.Ok();
        _mayTry = false;
        // A second round only writes what the ring holds at its start after it wrapped.
        while (!_queue.IsEmpty)
        {
            var front = _queue.Front.Length;
            var result = _network.Write(Stream, _queue.Front);
            _writeLacksMemory = result.Status == IoStatus.NoBuffers;
            NoteMemory(now, result);
            if (_writeLacksMemory)
            {
                SetFlow(_flow == FlowState.Stuck ? FlowState.Stuck : FlowState.Waiting);
                return IoResult.Ok();
            }
            if (result.Status == IoStatus.WouldBlock)
            {
                SetFlow(FlowState.Stuck);
                return IoResult.Ok();
            }
            if (!result.IsOk)
                return result;
            _queue.Consume(result.Count);
            BytesTaken += result.Count;
            InFlight.BytesTaken = BytesTaken;
            if (result.Count < front)
            {
                if (_flow == FlowState.Open)
                    SetFlow(FlowState.Waiting);
                return IoResult.Ok();
            }
        }
        SetFlow(FlowState.Open);
        return IoResult.Ok();
    }

    /// <summary>Reads once; what lacked memory is WouldBlock, and read again later.</summary>
    public IoResult Read(Instant now, Span<byte> into)
    {
        var result = _network.Read(Stream, into);
        ReadLacksMemory = result.Status == IoStatus.NoBuffers;
        NoteMemory(now, result);
        SetInterest();
        return ReadLacksMemory ? IoResult.Failed(IoStatus.WouldBlock) : result;
    }

    /// <summary>How long what lacks memory rests now; the next time it is longer.</summary>
    public Duration TakeMemoryPause()
    {
        var pause = _memoryPause;
        _memoryPause = Duration.Min(pause + pause, Limits.LongestMemoryPause);
        return pause;
    }

    /// <summary>What lacked memory may be tried again: by the next Flush, and when read.</summary>
    public void Retry()
    {
        AwaitsMemory = false;
        _mayTry = true;
        SetInterest();
    }

    /// <summary>A call on it came to this.</summary>
    private void NoteMemory(Instant now, IoResult result)
    {
        if (result.Status == IoStatus.NoBuffers)
        {
            AwaitsMemory = true;
            _kernelMemory.OnCallFailed(now, result, ref _isShort);
        }
        else if (_isShort && !_writeLacksMemory && !ReadLacksMemory)
        {
            _memoryPause = Limits.FirstMemoryPause;
            _kernelMemory.OnThere(now, ref _isShort);
        }
    }

    private void SetFlow(FlowState flow)
    {
        _flow = flow;
        SetInterest();
    }

    /// <summary>
    /// A stream is ready for a read that lacks memory, and may have hung up: nothing is waited for.
    /// </summary>
    private void SetInterest()
    {
        var interest = AwaitsMemory && ReadLacksMemory ? Readiness.None
            : _flow == FlowState.Open || AwaitsMemory ? Readiness.Read
            : Readiness.Read | Readiness.Write;
        if (interest == _interest)
            return;
        _interest = interest;
        _network.SetInterest(Stream, interest);
    }
}
