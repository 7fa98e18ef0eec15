// Owns the handshake of one proxied connection: which backend is asked to take it, and when
// another one is.
//
//   AwaitingOk ── INBOUND_TCP_OK ──→ Taken
//     │ ▲   ▲
//     │ │   └ refused, not taken for a second, or its backend is suspect: one more backend
//     ▼ │
//   AwaitingRoom: an accept queue was full, or all refused, or many one after the other
//
// Each healthy backend is asked once. Then, and when one's accept queue is full, which refuses
// nothing, one after the other is asked again, ever more slowly, for as long as a handshake may
// take.
//
// It begins with the client's first bytes. They are kept, and nothing more is read of the client,
// until INBOUND_TCP_OK: so a backend that goes away before that has consumed nothing, and another
// can be tried. Of the backend exactly the four bytes of INBOUND_TCP_OK are read first, when all of
// INBOUND_TCP is written, so what follows them needs no special care.
//
// What always holds: a handshake that fails says nothing about the backend's control session and
// does not affect it; a try leaves no bytes behind for the next one; a backend that did not answer,
// or was full, has not refused; no reference to a backend is kept when the connection is over.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>The handshake of one connection after another.</summary>
internal sealed class TcpHandshake(Services services, TcpProxies set, TcpProxy proxy)
{
    /// <summary>Those that refused it, or did not take it in time.</summary>
    private readonly List<Backend> _asked = [];

    /// <summary>Refusals since it waited last, or a backend let it connect.</summary>
    private int _refusals;

    private long _sessionsEnded;
    private long _sessionsRetired;
    private bool _wasFull;
    private Duration _fullDelay = Limits.FirstFullDelay;
    private Instant _okBy;

    /// <summary>How the last one refused it; null if it did not.</summary>
    private IoResult? _refusal;

    /// <summary>Bytes of INBOUND_TCP that the backend's stream took.</summary>
    private int _written;

    private int _okBytes;
    private uint _okFrame;

    /// <summary>The backend that was asked last.</summary>
    public Backend? Backend { get; private set; }

    /// <summary>Its session then; see Backend.SessionNumber.</summary>
    public long Session { get; private set; }

    /// <summary>INBOUND_TCP is not written whole.</summary>
    public bool WantsWrite => _written < Frames.TcpHeaderBytes;

    /// <summary>It waits until a backend may take it, and has no stream.</summary>
    public bool AwaitsRoom { get; private set; }

    /// <summary>
    /// The backend that took it hangs, or its session has ended and it has no other. Of a process
    /// whose socket was replaced, only its own stream tells.
    /// </summary>
    public bool IsBackendGone => Backend!.SessionsRetired == _sessionsRetired
        && (Backend.SessionsEnded != _sessionsEnded
            ? Backend.State is not (BackendState.Healthy or BackendState.Draining)
            : Backend.IsHung && Backend.SessionNumber == Session);

    /// <summary>It waits for a backend that is suspect or whose session ended.</summary>
    public bool ShouldLeave => !AwaitsRoom
        && (Backend!.IsSuspect || Backend.SessionsEnded != _sessionsEnded);

    /// <summary>A connection is over: what was of it is let go, backends included.</summary>
    public void Reset()
    {
        _asked.Clear();
        Backend = null;
        _refusals = 0;
        _refusal = null;
        _wasFull = false;
        _fullDelay = Limits.FirstFullDelay;
        AwaitsRoom = false;
        Forget();
    }

    /// <summary>Begins with the backend that was chosen for the client.</summary>
    public void Begin(Instant now, Backend backend) => TryBackend(now, backend);

    /// <summary>Its time is not over, and a wait of its is.</summary>
    public void OnDeadline(Instant now)
    {
        if (AwaitsRoom)
            TryAgain(now);
        else if (now >= services.Standstill.Extend(_okBy))
            LeaveSilent(now);
        else
            ArmForOk();
    }

    /// <summary>Its time is over.</summary>
    public void EndOverdue()
    {
        if (AwaitsRoom && _refusal is { } why)
            proxy.End(Counter.ConnectionsRefusedByBackend, why);
        else
            proxy.End(Counter.ConnectionsHandshakeTimedOut, IoResult.Ok());
    }

    /// <summary>
    /// Waits no longer for its backend, which may never answer, if there is a better one. One that
    /// has refused it is not asked again because of this: it may do so at once, for ever.
    /// </summary>
    public void LeaveForBetter(Instant now)
    {
        if (set.ChooseBetter(now, Backend!, _asked) is { } better)
            Leave(now, better);
    }

    /// <summary>
    /// Its backend has not taken it: one that was not asked and is as good or better is tried, or
    /// looked for later. If the backend may never answer, those that refused are asked once more.
    /// </summary>
    private void LeaveSilent(Instant now)
    {
        proxy.Look(now);
        if (!proxy.IsShakingHands || AwaitsRoom || now < services.Standstill.Extend(_okBy))
            return;
        var silent = Backend!;
        NoteAsked(silent);
        var other = set.ChooseBeside(now, silent, _asked);
        if (other is null && ShouldLeave)
        {
            _asked.Clear();
            _asked.Add(silent);
            other = set.ChooseBeside(now, silent, _asked);
        }
        if (other is not null)
        {
            Leave(now, other);
            return;
        }
        _okBy = now + Limits.TcpOkTime;
        ArmForOk();
    }

    private void ArmForOk() => proxy.ArmTimer(
        Instant.Min(services.Standstill.Extend(_okBy), proxy.HandshakeEnd));

    private void Leave(Instant now, Backend other)
    {
        proxy.DropBackendStream();
        Forget();
        services.Counters.Add(Counter.ConnectionsMoved);
        TryBackend(now, other);
    }

    /// <summary>Something was reported of the stream to the backend.</summary>
    public void OnReady(Instant now, SocketHandle stream, Readiness ready)
    {
        // A hang-up before that is written shows itself in the write.
        if ((ready & (Readiness.Write | Readiness.HangUp)) != 0 && WantsWrite)
        {
            Write(now);
            if (!proxy.IsShakingHands || AwaitsRoom || proxy.BackendStream != stream)
                return;
        }
        if ((ready & (Readiness.Read | Readiness.HangUp)) != 0)
            ReadOk(now);
    }

    /// <summary>Reads what is there of INBOUND_TCP_OK, if it was asked for.</summary>
    public void ReadOk(Instant now)
    {
        if (WantsWrite)
            return;
        Span<byte> ok = stackalloc byte[Frames.TypeBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(ok, _okFrame);
        var result = services.Network.Read(proxy.BackendStream, ok[_okBytes..]);
        if (result.Status == IoStatus.WouldBlock)
            return;
        if (result.Status == IoStatus.NoBuffers)
        {
            proxy.EndWithoutResources(now, result);
            return;
        }
        if (!result.IsOk)
        {
            OnRefused(now, Fault.OfRead(result));
            return;
        }
        _okFrame = BinaryPrimitives.ReadUInt32LittleEndian(ok);
        _okBytes += result.Count;
        if (_okBytes < Frames.TypeBytes)
            return;
        if (_okFrame != (uint)FrameType.InboundTcpOk)
        {
            OnRefused(now, new Fault(FaultCause.NotTcpOk, Detail: _okFrame));
            return;
        }
        proxy.BeginRelaying(now);
        Backend!.OnConnectionTaken(now, _sessionsEnded);
        set.OnRelaying(proxy, Backend);
        proxy.PassOn(now);
    }

    private void TryBackend(Instant now, Backend backend)
    {
        Backend = backend;
        _sessionsEnded = backend.SessionsEnded;
        _sessionsRetired = backend.SessionsRetired;
        Session = backend.SessionNumber;
        services.Log.Write(
            new LogEvent.ConnectionOpened(proxy.Id, proxy.Peer, backend.Id));
        var result = services.Network.ConnectBackend(backend.PathBytes, out var stream);
        if (result.Status is IoStatus.TooManyFiles or IoStatus.NoBuffers)
        {
            proxy.EndWithoutResources(now, result);
            return;
        }
        if (result.Status == IoStatus.WouldBlock)
        {
            OnFull(now, backend, result);
            return;
        }
        if (!result.IsOk)
        {
            OnRefused(now, new Fault(FaultCause.ConnectFailed, result));
            return;
        }
        AwaitsRoom = false;
        _refusal = null;
        _refusals = 0;
        backend.OnConnectionWaits(now);
        _okBy = now + Limits.TcpOkTime;
        ArmForOk();
        proxy.TakeBackendStream(stream);
        Write(now);
    }

    /// <summary>Its accept queue is full: another is tried at once, the first time.</summary>
    private void OnFull(Instant now, Backend full, IoResult why)
    {
        AwaitsRoom = true;
        _refusal = null;
        set.OnFull(now, proxy, full, why);
        var isFirst = !_wasFull;
        _wasFull = true;
        if (isFirst && set.ChooseBeside(now, full) is { } other)
            TryBackend(now, other);
        else
            AwaitRoom(now, NextFullDelay());
    }

    /// <summary>How long it waits; the first delay is for the first time that it waits.</summary>
    private Duration NextFullDelay()
    {
        var delay = _fullDelay;
        _fullDelay = Duration.Min(delay + delay, Limits.LongestFullDelay);
        return delay;
    }

    private void AwaitRoom(Instant now, Duration delay)
    {
        _refusals = 0;
        proxy.ArmTimer(Instant.Min(now + delay, proxy.HandshakeEnd));
    }

    /// <summary>Asks another, or the same if there is none, or waits for one to be there.</summary>
    private void TryAgain(Instant now)
    {
        var full = Backend!;
        var next = set.ChooseBeside(now, full)
            ?? (full.State == BackendState.Healthy ? full : null);
        if (next is not null)
            TryBackend(now, next);
        else
            AwaitRoom(now, Limits.LongestFullDelay);
    }

    private void Write(Instant now)
    {
        Span<byte> frame = stackalloc byte[Frames.TcpHeaderBytes];
        FrameWriter.WriteInboundTcp(frame, proxy.Peer);
        var result = services.Network.Write(proxy.BackendStream, frame[_written..]);
        if (result.Status == IoStatus.NoBuffers)
        {
            proxy.EndWithoutResources(now, result);
            return;
        }
        if (!result.IsOk && result.Status != IoStatus.WouldBlock)
        {
            OnRefused(now, Fault.OfWrite(result));
            return;
        }
        _written += result.Count;
        proxy.WaitForOk();
    }

    /// <summary>
    /// This backend did not take it, and consumed nothing: tries one more, or waits before it does
    /// if many refused one after the other.
    /// </summary>
    private void OnRefused(Instant now, Fault why)
    {
        var refused = Backend!;
        set.OnRefused(now, proxy, refused, why);
        proxy.DropBackendStream();
        Forget();
        services.Counters.Add(Counter.ConnectionsRetried);
        NoteAsked(refused);
        if (++_refusals < Limits.TcpRefusalsInARow && set.ChooseAgain(now, _asked) is { } next)
        {
            TryBackend(now, next);
            return;
        }
        AwaitsRoom = true;
        _refusal = why.Io;
        AwaitRoom(now, NextFullDelay());
    }

    private void NoteAsked(Backend backend)
    {
        if (!_asked.Contains(backend))
            _asked.Add(backend);
    }

    private void Forget()
    {
        _written = 0;
        _okBytes = 0;
        _okFrame = 0;
    }
}
