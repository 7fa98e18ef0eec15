// Cuts off what an observer gets: everything up to an instant, then nothing. The run
// itself goes on, so that what it comes to does not depend on how far anyone watches.
//
// What always holds: of two events of one instant both are reported or neither.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Pictures;

/// <summary>Hands on what happens until an instant.</summary>
public sealed class Until(Instant until, RunObserver watcher) : RunObserver
{
    public override void OnStalled(Instant now, Duration time)
    {
        if (now <= until)
            watcher.OnStalled(now, time);
    }

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        if (now <= until)
            watcher.OnTurnBegan(now, events);
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        if (now <= until)
            watcher.OnTurnEnded(now, core);
    }

    public override void OnReceived(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (now <= until)
            watcher.OnReceived(now, in header, payload);
    }

    public override void OnReceiveFailed(Instant now, IoResult why)
    {
        if (now <= until)
            watcher.OnReceiveFailed(now, why);
    }

    public override void OnSent(Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        if (now <= until)
            watcher.OnSent(now, in header, payload);
    }

    public override void OnSendFailed(Instant now, in DatagramHeader header, IoResult why)
    {
        if (now <= until)
            watcher.OnSendFailed(now, in header, why);
    }

    public override void OnAccepted(
        Instant now, IoResult result, SocketHandle stream, Endpoint client)
    {
        if (now <= until)
            watcher.OnAccepted(now, result, stream, client);
    }

    public override void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream)
    {
        if (now <= until)
            watcher.OnConnected(now, path, result, stream);
    }

    public override void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        if (now <= until)
            watcher.OnRead(now, stream, result, bytes);
    }

    public override void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        if (now <= until)
            watcher.OnWritten(now, stream, result, bytes);
    }

    public override void OnHalfClosed(Instant now, SocketHandle stream)
    {
        if (now <= until)
            watcher.OnHalfClosed(now, stream);
    }

    public override void OnClosed(Instant now, SocketHandle socket, bool aborted)
    {
        if (now <= until)
            watcher.OnClosed(now, socket, aborted);
    }

    public override void OnScanOpened(Instant now, IoResult result)
    {
        if (now <= until)
            watcher.OnScanOpened(now, result);
    }

    public override void OnLooked(Instant now, ReadOnlySpan<byte> name, IoResult result)
    {
        if (now <= until)
            watcher.OnLooked(now, name, result);
    }

    public override void OnScanEntry(Instant now, IoResult result, in DirectoryEntry entry)
    {
        if (now <= until)
            watcher.OnScanEntry(now, result, in entry);
    }

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        if (now <= until)
            watcher.OnLogged(now, logged);
    }

    public override void OnInterest(Instant now, SocketHandle socket, Readiness interest)
    {
        if (now <= until)
            watcher.OnInterest(now, socket, interest);
    }

    public override void OnClientAsked(Instant now, in ClientDatagram datagram, bool lost)
    {
        if (now <= until)
            watcher.OnClientAsked(now, in datagram, lost);
    }

    public override void OnClientArriving(Instant now, in ClientDatagram datagram)
    {
        if (now <= until)
            watcher.OnClientArriving(now, in datagram);
    }

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    {
        if (now <= until)
            watcher.OnClientSent(now, client, from, payload, queued);
    }

    public override void OnClientAnswered(Instant now, int client, int query)
    {
        if (now <= until)
            watcher.OnClientAnswered(now, client, query);
    }

    public override void OnTcpClientConnected(Instant now, int client, bool connected)
    {
        if (now <= until)
            watcher.OnTcpClientConnected(now, client, connected);
    }

    public override void OnTcpClientSent(Instant now, int client, ReadOnlySpan<byte> bytes)
    {
        if (now <= until)
            watcher.OnTcpClientSent(now, client, bytes);
    }

    public override void OnTcpClientReceived(Instant now, int client, ReadOnlySpan<byte> bytes)
    {
        if (now <= until)
            watcher.OnTcpClientReceived(now, client, bytes);
    }

    public override void OnTcpClientEnded(Instant now, int client, string how)
    {
        if (now <= until)
            watcher.OnTcpClientEnded(now, client, how);
    }

    public override void OnBackendAccepted(Instant now, int backend, SocketHandle stream)
    {
        if (now <= until)
            watcher.OnBackendAccepted(now, backend, stream);
    }

    public override void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (now <= until)
            watcher.OnBackendRead(now, backend, stream, bytes);
    }

    public override void OnBackendWrote(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        if (now <= until)
            watcher.OnBackendWrote(now, backend, stream, bytes);
    }

    public override void OnBackendEnded(Instant now, int backend, SocketHandle stream, string how)
    {
        if (now <= until)
            watcher.OnBackendEnded(now, backend, stream, how);
    }

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        if (now <= until)
            watcher.OnFault(now, fault, began);
    }

    public override void OnHealed(Instant now)
    {
        if (now <= until)
            watcher.OnHealed(now);
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        if (now <= until)
            watcher.OnEnded(now, core);
    }
}
