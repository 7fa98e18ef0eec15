// Owns one end of a connected stream and with it what Linux does when the other end closes, half
// closes, resets or does not read. Both ends are of this one type: the balancer's, which its
// descriptor table names, and the peer's, which a test or a scripted backend holds as a SimStream.
//
// What the two families answer (docs/simulator.md has what was measured):
//
//   the other end                  AF_UNIX                      TCP
//   half-closed                    read: the bytes, then end    the same
//   closed, all read               read: end; write EPIPE       read: end; write Ok, then reset
//   closed with unread bytes       read ECONNRESET, write EPIPE reset
//   reset                          as above                     read or write ECONNRESET once,
//                                                               then end and EPIPE
//
// What always holds: bytes that arrived are read before an end or an error is reported; an error is
// reported once; a closed end is not used again.

using System;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>One end of a stream, with the semantics of its address family.</summary>
internal sealed class SimEnd
{
    private readonly SimPipe _incoming;
    private readonly bool _isTcp;
    private IoStatus _error;
    private bool _sendShut;
    private bool _receiveShut;
    private bool _finReceived;

    private SimEnd(bool isTcp, PipeSize incoming)
    {
        _isTcp = isTcp;
        _incoming = new SimPipe(incoming);
        Other = this;
    }

    /// <summary>The end that this one talks to.</summary>
    public SimEnd Other { get; private set; }

    /// <summary>The peer's handle on this end, if it is the peer's.</summary>
    public SimStream? Stream { get; set; }

    /// <summary>The balancer's descriptor for this end, once it has one.</summary>
    public SimSocket? Socket { get; set; }

    /// <summary>
    /// The balancer's handle for this end, also after it closed it; None before it had one.
    /// </summary>
    public SocketHandle LastHandle { get; set; }

    public bool IsTcp => _isTcp;

    public bool IsClosed { get; private set; }

    /// <summary>Bytes that wait to be read here.</summary>
    public int Available => _incoming.Count;

    /// <summary>The error that the next call returns; Ok when there is none.</summary>
    public IoStatus PendingError => _error;

    /// <summary>This side ended its direction.</summary>
    public bool IsSendEnded { get; private set; }

    /// <summary>No further byte will arrive; those that wait can still be read.</summary>
    public bool IsReceiveShut => _receiveShut;

    /// <summary>Reads and writes that were made here, failed ones counted.</summary>
    public long Reads { get; private set; }

    public long Writes { get; private set; }

    /// <summary>
    /// Makes both ends of a stream; each size is that of the bytes going to that end.
    /// </summary>
    public static (SimEnd Balancer, SimEnd Peer) Connect(
        bool isTcp, PipeSize toBalancer, PipeSize toPeer)
    {
        var balancer = new SimEnd(isTcp, toBalancer);
        var peer = new SimEnd(isTcp, toPeer);
        balancer.Other = peer;
        peer.Other = balancer;
        return (balancer, peer);
    }

    public IoResult Read(Span<byte> into)
    {
        Verify.That(!IsClosed, "a closed stream is not read");
        Verify.That(into.Length > 0, "a read asks for a byte at least");
        Reads++;
        if (_incoming.Count > 0)
        {
            var count = _incoming.Read(into);
            Other.OnRoom();
            return IoResult.Ok(count);
        }
        if (_isTcp && _finReceived)
            return IoResult.Failed(IoStatus.EndOfStream);
        if (_error != IoStatus.Ok)
            return TakeError();
        return IoResult.Failed(_receiveShut ? IoStatus.EndOfStream : IoStatus.WouldBlock,
            _receiveShut ? 0 : Errnos.Eagain);
    }

    public IoResult Write(ReadOnlySpan<byte> from)
    {
        Verify.That(!IsClosed, "a closed stream is not written");
        Verify.That(from.Length > 0, "a write brings a byte at least");
        Writes++;
        if (_sendShut && (!_isTcp || _error == IoStatus.Ok))
            return IoResult.Failed(IoStatus.BrokenPipe, Errnos.Epipe);
        if (_error != IoStatus.Ok)
            return TakeError();
        if (Other.IsClosed)
        {
            // The kernel takes the bytes; only their arrival at a closed port brings the reset.
            OnReset();
            return IoResult.Ok(from.Length);
        }
        var count = Other._incoming.Write(from);
        if (count == 0)
            return IoResult.Failed(IoStatus.WouldBlock, Errnos.Eagain);
        Other.OnArrival();
        return IoResult.Ok(count);
    }

    /// <summary>
    /// Ends the writing direction; the other end reads what is under way, then an end.
    /// </summary>
    public void HalfClose()
    {
        Verify.That(!IsClosed, "a closed stream is not half-closed");
        IsSendEnded = true;
        if (_sendShut)
            return;
        _sendShut = true;
        if (!Other.IsClosed)
            Other.OnFin();
        OnRoom();
    }

    public void Close()
    {
        Verify.That(!IsClosed, "a stream is closed once");
        var unread = _incoming.Count > 0;
        Leave();
        if (Other.IsClosed)
            return;
        if (!_isTcp)
            Other.OnUnixClosed(unread);
        else if (unread)
            Other.OnReset();
        else if (!_sendShut)
            Other.OnFin();
    }

    /// <summary>Closes so that the other end gets a reset, with unread bytes or without.</summary>
    public void Reset()
    {
        Verify.That(!IsClosed, "a stream is closed once");
        Leave();
        if (Other.IsClosed)
            return;
        if (_isTcp)
            Other.OnReset();
        else
            Other.OnUnixClosed(unread: true);
    }

    /// <summary>Puts an error on this end, as keep-alive does (TimedOut).</summary>
    public void Fail(IoStatus error)
    {
        _error = error;
        _sendShut = true;
        _receiveShut = true;
        OnArrival();
        OnRoom();
    }

    /// <summary>What this end is ready for, whatever anybody is interested in.</summary>
    public Readiness Ready()
    {
        var ready = Readiness.None;
        if (_incoming.Count > 0 || _receiveShut)
            ready |= Readiness.Read;
        if (IsWritable)
            ready |= Readiness.Write;
        if (_sendShut && _receiveShut || _error != IoStatus.Ok)
            ready |= Readiness.HangUp;
        return ready;
    }

    private bool IsWritable => _isTcp
        ? _sendShut || Other.IsClosed || Other._incoming.IsTwoThirdsFullAtMost
        : Other._incoming.IsQuarterFullAtMost;

    private IoResult TakeError()
    {
        var error = _error;
        _error = IoStatus.Ok;
        return IoResult.Failed(error, Errnos.Of(error));
    }

    private void Leave()
    {
        IsClosed = true;
        Stream?.OnLeft();
        _incoming.Clear();
    }

    private void OnFin()
    {
        _finReceived = true;
        _receiveShut = true;
        OnArrival();
    }

    private void OnReset()
    {
        // A reset that follows the peer's orderly end is EPIPE to whoever writes.
        _error = _finReceived ? IoStatus.BrokenPipe : IoStatus.Reset;
        _sendShut = true;
        _receiveShut = true;
        OnArrival();
        OnRoom();
    }

    private void OnUnixClosed(bool unread)
    {
        if (unread)
            _error = IoStatus.Reset;
        _sendShut = true;
        _receiveShut = true;
        OnArrival();
        OnRoom();
    }

    private void OnArrival()
    {
        Socket?.Touch();
        Stream?.OnArrival();
    }

    private void OnRoom()
    {
        Socket?.Touch();
        Stream?.OnRoom();
    }
}
