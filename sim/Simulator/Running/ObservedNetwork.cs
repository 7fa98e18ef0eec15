// Owns the reporting of the balancer's system calls: it passes each on to the simulated kernel and
// reports question and answer to the observers. A datagram that was sent goes on to
// the clients from here, after the observers got it.
//
// What always holds: the answers are the kernel's own, unchanged; each call is reported once,
// WouldBlock included. Times are those of the balancer's clock.

using System;
using Balancer.Core;
using Simulation.Kernel;

namespace Simulation.Running;

/// <summary>The kernel's network, watched.</summary>
internal sealed class ObservedNetwork(SimKernel kernel, RunObserver observer, UdpClients clients)
    : INetwork
{
    private readonly SimNetwork _inner = kernel.Network;

    /// <summary>
    /// Calls so far that moved something: bytes, a datagram, a connection, an end.
    /// </summary>
    public long Deeds { get; private set; }

    /// <summary>What the clock showed in the turn before.</summary>
    private Instant _shown;

    /// <summary>The balancer waits, so what happens is the world's doing, not its own.</summary>
    public bool IsWaiting { get; private set; }

    public Endpoint ListenEndpoint => _inner.ListenEndpoint;

    public SocketHandle DatagramSocket => _inner.DatagramSocket;

    public SocketHandle Listener => _inner.Listener;

    public long DatagramsDropped => kernel.Network.DatagramsDropped;

    public long ConnectionsDropped => kernel.Network.ConnectionsDropped;

    public IoResult Unwatched => kernel.Network.Unwatched;

    private Instant Now => kernel.Clock.Steady;

    public int Wait(Instant until, Span<NetworkEvent> events)
    {
        IsWaiting = true;
        var before = (Shown: Now, kernel.Now);
        var isWrong = kernel.Clock.IsWrong;
        var wake = Instant.Max(until, Now);
        var count = _inner.Wait(until, events);
        IsWaiting = false;
        if (kernel.Clock.Shown < _shown)
            observer.OnClockWentBack(_shown - kernel.Clock.Shown);
        _shown = kernel.Clock.Shown;
        if (Now > wake)
            observer.OnLate(Now - wake);
        // A wait by a clock that is wrong, or leaps, is as one in which the process stood still.
        var leapt = Now - before.Shown - (kernel.Now - before.Now);
        var stalled = Duration.Max(_inner.Stalled,
            Now > wake && (isWrong || leapt > kernel.Clock.Granularity)
                ? Now - wake : Duration.Zero);
        if (stalled > Duration.Zero)
            observer.OnStalled(Now, stalled);
        if (_inner.WokeEarly)
            observer.OnWokenEarly();
        observer.OnTurnBegan(Now, events[..count]);
        return count;
    }

    public void MakeUrgent(SocketHandle stream) => _inner.MakeUrgent(stream);

    public void SetInterest(SocketHandle socket, Readiness interest)
    {
        _inner.SetInterest(socket, interest);
        observer.OnInterest(Now, socket, interest);
    }

    public IoResult ReceiveDatagrams(DatagramBatch batch)
    {
        var result = Noted(_inner.ReceiveDatagrams(batch));
        if (!result.IsOk)
            observer.OnReceiveFailed(Now, result);
        for (var i = 0; i < result.Count; i++)
            observer.OnReceived(Now, in batch.Headers[i], batch.Payload(i));
        return result;
    }

    public IoResult SendDatagrams(DatagramBatch batch, int first)
    {
        var result = Noted(_inner.SendDatagrams(batch, first));
        if (!result.IsOk)
            observer.OnSendFailed(Now, in batch.Headers[first], result);
        for (var i = first; i < first + result.Count; i++)
        {
            observer.OnSent(Now, in batch.Headers[i], batch.Payload(i));
            clients.OnReply(Now, batch.Headers[i].Peer, batch.Payload(i));
        }
        return result;
    }

    public IoResult Accept(out SocketHandle stream, out Endpoint client)
    {
        var result = Noted(_inner.Accept(out stream, out client));
        observer.OnAccepted(Now, result, stream, client);
        return result;
    }

    public IoResult ConnectBackend(ReadOnlySpan<byte> path, out SocketHandle stream)
    {
        var result = Noted(_inner.ConnectBackend(path, out stream));
        observer.OnConnected(Now, path, result, stream);
        return result;
    }

    public IoResult Read(SocketHandle stream, Span<byte> into)
    {
        var result = Noted(_inner.Read(stream, into));
        observer.OnRead(Now, stream, result, into[..result.Count]);
        return result;
    }

    public IoResult Write(SocketHandle stream, ReadOnlySpan<byte> from)
    {
        var result = Noted(_inner.Write(stream, from));
        observer.OnWritten(Now, stream, result, from[..result.Count]);
        return result;
    }

    public void HalfClose(SocketHandle stream)
    {
        _inner.HalfClose(stream);
        observer.OnHalfClosed(Now, stream);
    }

    public void Discard(Span<byte> unused) => _inner.Discard(unused);

    public void Close(SocketHandle socket)
    {
        _inner.Close(socket);
        observer.OnClosed(Now, socket, aborted: false);
    }

    public void Abort(SocketHandle stream)
    {
        _inner.Abort(stream);
        observer.OnClosed(Now, stream, aborted: true);
    }

    private IoResult Noted(IoResult result)
    {
        if (result.IsOk || result.Status == IoStatus.EndOfStream)
            Deeds++;
        return result;
    }
}
