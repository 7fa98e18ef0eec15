// Owns the handshake of one proxied connection: which backend is asked to take it, and when
// another one is.
//
//   AwaitingOk ── INBOUND_TCP_OK ──→ Taken
//     │ ▲ │ ▲
//     │ │ │ └ refused, or its backend is suspect: one more backend
//     │ │ └ nobody takes it: the connection ends
//     ▼ │
//   AwaitingRoom: an accept queue was full
//
// A backend whose accept queue is full has refused nothing: it is busy. Another is asked at once,
// and then one after the other, ever more slowly, for as long as a handshake may take.
//
// The client is not read before INBOUND_TCP_OK: its bytes wait in the kernel, so a backend that
// goes away before that has consumed nothing and another can be tried. Of the backend exactly the
// four bytes of INBOUND_TCP_OK are read first, so what follows them needs no special care.
//
// What always holds: a handshake that fails says nothing about the backend's control session and
// touches nothing of it; a try leaves no bytes behind for the next one; whoever did not answer, or
// was full, has not refused.

using System;
using System.Buffers.Binary;

namespace Balancer.Core;

/// <summary>The handshake of one connection after another.</summary>
internal sealed class TcpHandshake(Services services, TcpProxies set, TcpProxy proxy)
{
    private long _sessionsEnded;
    private int _tries;
    private bool _wasFull;
    private Duration _fullDelay;
    private int _okBytes;
    private uint _okFrame;

    /// <summary>The backend that was asked last.</summary>
    public Backend? Backend { get; private set; }

    /// <summary>Its session then; see Backend.SessionNumber.</summary>
    public long Session { get; private set; }

    /// <summary>It waits until an accept queue may have room, and has no stream.</summary>
    public bool AwaitsRoom { get; private set; }

    /// <summary>It waits for a backend that is suspect or whose session ended.</summary>
    public bool ShouldLeave => !AwaitsRoom
        && (Backend!.IsSuspect || Backend.SessionsEnded != _sessionsEnded);

    /// <summary>Another connection begins.</summary>
    public void Reset()
    {
        _tries = 0;
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
        else
            proxy.ArmTimer(proxy.HandshakeEnd);
    }

    /// <summary>Waits no longer for its backend, which may never answer.</summary>
    public void Leave(Instant now, Backend better)
    {
        proxy.DropBackendStream();
        Forget();
        services.Counters.Add(Counter.ConnectionsMoved);
        // Who did not answer has not refused it.
        _tries--;
        TryBackend(now, better);
    }

    /// <summary>Something was reported of the stream to the backend.</summary>
    public void OnReady(Instant now, SocketHandle stream, Readiness ready)
    {
        if ((ready & Readiness.Write) != 0 && proxy.ToBackend.WantsWrite)
        {
            Write(now);
            if (!proxy.IsShakingHands || AwaitsRoom || proxy.BackendStream != stream)
                return;
        }
        if ((ready & (Readiness.Read | Readiness.HangUp)) != 0)
            ReadOk(now);
    }

    /// <summary>Reads what is there of INBOUND_TCP_OK.</summary>
    public void ReadOk(Instant now)
    {
        Span<byte> ok = stackalloc byte[Frames.TypeBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(ok, _okFrame);
        var result = services.Network.Read(proxy.BackendStream, ok[_okBytes..]);
        if (result.Status == IoStatus.WouldBlock)
            return;
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
        Backend!.OnConnectionTaken(_sessionsEnded);
        set.OnRelaying(proxy, Backend);
    }

    private void TryBackend(Instant now, Backend backend)
    {
        Backend = backend;
        _sessionsEnded = backend.SessionsEnded;
        Session = backend.SessionNumber;
        services.Log.Write(
            new LogEvent.ConnectionOpened(proxy.Id, proxy.Peer, backend.Id));
        var result = services.Network.ConnectBackend(backend.PathBytes, out var stream);
        if (result.Status is IoStatus.TooManyFiles or IoStatus.NoBuffers)
        {
            set.OnWithoutResources(now, proxy, result);
            proxy.End(Counter.ConnectionsWithoutResources, result);
            return;
        }
        if (result.Status == IoStatus.WouldBlock)
        {
            OnFull(now, backend, result);
            return;
        }
        _tries++;
        if (!result.IsOk)
        {
            OnRefused(now, new Fault(FaultCause.ConnectFailed, result));
            return;
        }
        AwaitsRoom = false;
        backend.OnConnectionWaits(now);
        proxy.ArmTimer(proxy.HandshakeEnd);
        proxy.TakeBackendStream(stream);
        FrameWriter.WriteInboundTcp(proxy.ToBackend.Queue, proxy.Peer);
        Write(now);
    }

    /// <summary>Its accept queue is full: another is tried at once, the first time.</summary>
    private void OnFull(Instant now, Backend full, IoResult why)
    {
        AwaitsRoom = true;
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

    private void AwaitRoom(Instant now, Duration delay) =>
        proxy.ArmTimer(Instant.Min(now + delay, proxy.HandshakeEnd));

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
        var written = proxy.ToBackend.OnSinkWritable();
        if (written.Status != RelayStatus.Ok)
        {
            OnRefused(now, Fault.OfWrite(written.Why));
            return;
        }
        proxy.WaitForOk();
    }

    /// <summary>This backend did not take it, and consumed nothing: try one more, or end.</summary>
    private void OnRefused(Instant now, Fault why)
    {
        var refused = Backend!;
        set.OnRefused(now, proxy, refused, why);
        proxy.DropBackendStream();
        Forget();
        var next = _tries < Limits.TcpBackendTries
            ? set.ChooseAgain(now, refused)
            : null;
        if (next is null)
        {
            proxy.End(Counter.ConnectionsRefusedByBackend, why.Io);
            return;
        }
        services.Counters.Add(Counter.ConnectionsRetried);
        TryBackend(now, next);
    }

    private void Forget()
    {
        proxy.ToBackend.Queue.Clear();
        _okBytes = 0;
        _okFrame = 0;
    }
}
