// Owns the peer's handle on a stream to the balancer: what a TCP client or a backend can do with
// its socket, for tests and scripts. Read and Write are the bare system calls and allocate nothing;
// Send and Receive are for those that do not care: Send keeps what the kernel does not take yet and
// passes it on as the balancer reads.
//
// What always holds: callbacks run only while the balancer waits (or in SimKernel.RunWorld), never
// inside one of its system calls, since peers are other processes; what was sent arrives in order.

using System;
using System.Diagnostics.CodeAnalysis;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>The far end of one of the balancer's streams.</summary>
[SuppressMessage("Naming", "CA1711", Justification = "A stream of the kernel's, not System.IO's")]
public sealed class SimStream
{
    private readonly SimKernel _kernel;
    private readonly SimEnd _end;
    private byte[] _unsent = [];
    private int _unsentFrom;
    private int _unsentCount;
    private bool _halfCloseWaits;
    private bool _closeWaits;

    internal SimStream(SimKernel kernel, SimEnd end, Endpoint from)
    {
        _kernel = kernel;
        _end = end;
        From = from;
        end.Stream = this;
    }

    /// <summary>The TCP client's own address; the default for AF_UNIX.</summary>
    public Endpoint From { get; }

    /// <summary>Called when bytes, an end or an error came from the balancer.</summary>
    public Action<SimStream>? OnReadable { get; set; }

    /// <summary>Bytes from the balancer that wait to be read.</summary>
    public int Available => _end.Available;

    /// <summary>Bytes given to Send that the kernel has not taken.</summary>
    public int Unsent => _unsentCount;

    /// <summary>Bytes that the kernel took, since the connect.</summary>
    public long BytesSent { get; private set; }

    /// <summary>This side has closed or reset.</summary>
    public bool IsClosed => _end.IsClosed;

    /// <summary>Send may be called: this side neither closed nor asked for an end.</summary>
    public bool CanSend => !IsClosed && !_closeWaits && !_halfCloseWaits && !_end.IsSendEnded;

    /// <summary>The balancer has closed its descriptor.</summary>
    public bool IsClosedByBalancer => _end.Other.IsClosed;

    /// <summary>The balancer will send nothing more, and all it sent was read.</summary>
    public bool IsAtEnd => _end.Available == 0 && _end.IsReceiveShut;

    /// <summary>
    /// The balancer aborted the connection, and no call here has returned that yet.
    /// </summary>
    public bool IsReset => _end.PendingError == IoStatus.Reset;

    /// <summary>Reads that the balancer made on this stream.</summary>
    public long BalancerReads => _end.Other.Reads;

    /// <summary>The balancer's handle; None before it accepted and after it closed.</summary>
    public SocketHandle BalancerHandle => _end.Other.Socket?.Handle ?? SocketHandle.None;

    /// <summary>The same, but kept after the balancer closed it: a name for the stream.</summary>
    public SocketHandle LastBalancerHandle => _end.Other.LastHandle;

    internal bool IsNotified { get; set; }

    /// <summary>The system call: reads 1 byte up to the span's length, or says why not.</summary>
    public IoResult Read(Span<byte> into) => _end.Read(into);

    /// <summary>The system call: writes 1 byte up to the span's length, or says why not.</summary>
    public IoResult Write(ReadOnlySpan<byte> from)
    {
        Verify.That(_unsentCount == 0, "a write does not overtake what Send keeps");
        var result = _end.Write(from);
        BytesSent += result.Count;
        return result;
    }

    /// <summary>Everything that waits from the balancer; empty when nothing does.</summary>
    public byte[] Receive()
    {
        var bytes = new byte[_end.Available];
        if (bytes.Length > 0)
            Read(bytes);
        return bytes;
    }

    /// <summary>
    /// Sends all of it, in time: what the kernel does not take now follows as the balancer reads.
    /// Bytes for a balancer that has gone are lost.
    /// </summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        Verify.That(CanSend, "a closed direction sends nothing");
        if (_unsentCount == 0 && bytes.Length > 0)
        {
            var result = Write(bytes);
            if (!result.IsOk && result.Status != IoStatus.WouldBlock)
                return;
            bytes = bytes[result.Count..];
        }
        if (bytes.IsEmpty)
            return;
        if (_unsent.Length < _unsentFrom + _unsentCount + bytes.Length)
            MakeRoom(_unsentCount + bytes.Length);
        bytes.CopyTo(_unsent.AsSpan(_unsentFrom + _unsentCount));
        _unsentCount += bytes.Length;
    }

    /// <summary>
    /// Moves what is kept to the front of an array with twice the room, so that each byte is moved
    /// a few times in all, however slowly they go.
    /// </summary>
    private void MakeRoom(int needed)
    {
        var kept = _unsent.AsSpan(_unsentFrom, _unsentCount);
        if (_unsent.Length < needed * 2)
            _unsent = new byte[needed * 2];
        kept.CopyTo(_unsent);
        _unsentFrom = 0;
    }

    /// <summary>Ends this side's direction, after what Send still keeps.</summary>
    public void HalfClose()
    {
        if (_unsentCount > 0)
            _halfCloseWaits = true;
        else
            _end.HalfClose();
    }

    /// <summary>Closes now; what Send still keeps is lost. Unread bytes make it a reset.</summary>
    public void Close() => _end.Close();

    /// <summary>Closes after what Send still keeps; nothing can be sent any more.</summary>
    public void CloseWhenSent()
    {
        if (_unsentCount == 0)
            Close();
        else
            _closeWaits = true;
    }

    /// <summary>
    /// Closes so that the balancer gets ECONNRESET; on AF_UNIX, which has no resets, as if
    /// bytes had been left unread.
    /// </summary>
    public void Reset() => _end.Reset();

    /// <summary>
    /// The balancer's next call on this stream fails so, as by keep-alive (TimedOut).
    /// </summary>
    public void Fail(IoStatus status)
    {
        Verify.That(status != IoStatus.Ok, "a failure is not Ok");
        _end.Other.Fail(status);
    }

    internal void OnLeft() => _unsentCount = 0;

    internal void OnArrival()
    {
        if (OnReadable != null)
            _kernel.Notify(this);
    }

    internal void OnRoom()
    {
        if (_unsentCount > 0)
            _kernel.Notify(this);
    }

    /// <summary>The world's turn: passes on what was kept, then reports what came.</summary>
    internal void RunWorld()
    {
        if (IsClosed)
            return;
        Flush();
        if (IsClosed)
            return;
        if (_end.Available > 0 || _end.IsReceiveShut)
            OnReadable?.Invoke(this);
    }

    private void Flush()
    {
        if (_unsentCount == 0)
            return;
        var result = _end.Write(_unsent.AsSpan(_unsentFrom, _unsentCount));
        if (!result.IsOk && result.Status != IoStatus.WouldBlock)
            _unsentCount = 0;
        BytesSent += result.Count;
        _unsentCount = Math.Max(0, _unsentCount - result.Count);
        _unsentFrom += result.Count;
        if (_unsentCount > 0)
            return;
        _unsentFrom = 0;
        if (_closeWaits)
            Close();
        else if (_halfCloseWaits)
            _end.HalfClose();
    }
}
