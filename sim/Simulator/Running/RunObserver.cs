// Owns what a run reports to its observers: checks, hash, picture, trace. Each observer
// gets every system call with its answer, every line of the log, every turn, and what the world
// outside does, in the order in which they happen and at the moment at which they do.
//
// What always holds: an observer changes nothing; spans live until the call returns; `now` is the
// kernel's time, which during a turn is the time that the turn's clock reading gave.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>One datagram as a client sends it.</summary>
/// <param name="Client">The client's id.</param>
/// <param name="Query">The number of its question, from 0.</param>
/// <param name="Attempt">0 for the first, 1 to 3 for its retries; of a flood, the copy.</param>
/// <param name="From">Its source.</param>
public readonly record struct ClientDatagram(int Client, int Query, int Attempt, Endpoint From);

/// <summary>Watches a run; does nothing unless overridden.</summary>
public abstract class RunObserver
{
    // ---- The loop ----

    /// <summary>The run begins; these are the two bound sockets.</summary>
    public virtual void OnBegan(SocketHandle datagramSocket, SocketHandle listener) { }

    /// <summary>
    /// The process stood still for so long in the wait that just returned; before OnTurnBegan,
    /// and only if it did.
    /// </summary>
    public virtual void OnStalled(Instant now, Duration time) { }

    /// <summary>
    /// The wait that just returned did so this much after its time; before OnTurnBegan.
    /// </summary>
    public virtual void OnLate(Duration late) { }

    /// <summary>
    /// The clock shows so much less than a turn before; called before the turn that begins then.
    /// </summary>
    public virtual void OnClockWentBack(Duration by) { }

    /// <summary>
    /// The wait that just returned did so for nothing, because of a fault; before OnTurnBegan.
    /// </summary>
    public virtual void OnWokenEarly() { }

    /// <summary>A wait returned and the clock was read.</summary>
    public virtual void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events) { }

    /// <summary>A turn is over; the core may be looked at.</summary>
    public virtual void OnTurnEnded(Instant now, LoadBalancer core) { }

    // ---- Its system calls ----

    public virtual void OnReceived(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    { }

    public virtual void OnReceiveFailed(Instant now, IoResult why) { }

    public virtual void OnSent(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    { }

    /// <summary>A send failed; the header is that of the datagram that it failed for.</summary>
    public virtual void OnSendFailed(Instant now, in DatagramHeader header, IoResult why) { }

    public virtual void OnAccepted(
        Instant now, IoResult result, SocketHandle stream, Endpoint client)
    { }

    public virtual void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream)
    { }

    /// <summary>The bytes are those read, none unless Ok.</summary>
    public virtual void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    { }

    /// <summary>The bytes are those that were taken, none unless Ok.</summary>
    public virtual void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    { }

    public virtual void OnHalfClosed(Instant now, SocketHandle stream) { }

    public virtual void OnClosed(Instant now, SocketHandle socket, bool aborted) { }

    public virtual void OnScanOpened(Instant now, IoResult result) { }

    /// <summary>The entry means something only if Ok.</summary>
    public virtual void OnScanEntry(Instant now, IoResult result, in DirectoryEntry entry) { }

    /// <summary>A name was looked up, outside of scans.</summary>
    public virtual void OnLooked(Instant now, ReadOnlySpan<byte> name, IoResult result) { }

    /// <summary>What the next waits report of a socket was set.</summary>
    public virtual void OnInterest(Instant now, SocketHandle socket, Readiness interest) { }

    // ---- Its log ----

    public virtual void OnLogged(Instant now, ILogEvent logged) { }

    // ---- The world ----

    /// <summary>
    /// A client sent a datagram; lost is one that a fault lost on its way. No event that counts:
    /// what reaches the balancer is told by OnClientSent.
    /// </summary>
    public virtual void OnClientAsked(Instant now, in ClientDatagram datagram, bool lost) { }

    /// <summary>Which datagram the OnClientSent that follows is about; no event either.</summary>
    public virtual void OnClientArriving(Instant now, in ClientDatagram datagram) { }

    /// <summary>A datagram was put into the balancer's receive queue, or found it full.</summary>
    public virtual void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    { }

    /// <summary>
    /// A reply reached a client; the query is what it answers, -1 for none it knows.
    /// </summary>
    public virtual void OnClientAnswered(Instant now, int client, int query) { }

    /// <summary>A TCP client connected, or could not.</summary>
    public virtual void OnTcpClientConnected(Instant now, int client, bool connected) { }

    public virtual void OnTcpClientSent(Instant now, int client, ReadOnlySpan<byte> bytes) { }

    public virtual void OnTcpClientReceived(Instant now, int client, ReadOnlySpan<byte> bytes) { }

    /// <summary>A TCP client's connection is over for it: how, in a word.</summary>
    public virtual void OnTcpClientEnded(Instant now, int client, string how) { }

    /// <summary>A backend process took a connection of the balancer's.</summary>
    public virtual void OnBackendAccepted(Instant now, int backend, SocketHandle stream) { }

    /// <summary>A backend process read bytes that the balancer wrote.</summary>
    public virtual void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    { }

    /// <summary>A backend process wrote bytes for the balancer.</summary>
    public virtual void OnBackendWrote(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    { }

    /// <summary>A backend's end of a stream ended: "eof", "close", "reset".</summary>
    public virtual void OnBackendEnded(
        Instant now, int backend, SocketHandle stream, string how)
    { }

    /// <summary>A fault began (or happened, if it has no length), or ended.</summary>
    public virtual void OnFault(Instant now, FaultPlan fault, bool began) { }

    /// <summary>Chaos is over: core backends heal, liveness is owed.</summary>
    public virtual void OnHealed(Instant now) { }

    /// <summary>The run is over.</summary>
    public virtual void OnEnded(Instant now, LoadBalancer core) { }
}
