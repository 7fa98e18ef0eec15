// Owns the list of a run's observers and the number of events so far: whatever causes an event
// reports it here once, and every observer gets it, in the order of the list.
//
// What always holds: an event is counted before any observer gets it, so an observer that throws
// does so in the event of that number.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>All observers of a run, as one.</summary>
internal sealed class RunObservers(RunObserver[] all) : RunObserver
{
    /// <summary>Events so far; the present one has this number.</summary>
    public long Events { get; private set; }

    public override void OnBegan(SocketHandle datagramSocket, SocketHandle listener)
    {
        foreach (var observer in all)
            observer.OnBegan(datagramSocket, listener);
    }

    public override void OnLate(Duration late)
    {
        foreach (var observer in all)
            observer.OnLate(late);
    }

    public override void OnClockWentBack(Duration by)
    {
        foreach (var observer in all)
            observer.OnClockWentBack(by);
    }

    public override void OnStalled(Instant now, Duration time)
    {
        Events++;
        foreach (var observer in all)
            observer.OnStalled(now, time);
    }

    public override void OnWokenEarly()
    {
        foreach (var observer in all)
            observer.OnWokenEarly();
    }

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        Events++;
        foreach (var observer in all)
            observer.OnTurnBegan(now, events);
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        Events++;
        foreach (var observer in all)
            observer.OnTurnEnded(now, core);
    }

    public override void OnReceived(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        Events++;
        foreach (var observer in all)
            observer.OnReceived(now, in header, payload);
    }

    public override void OnReceiveFailed(Instant now, IoResult why)
    {
        Events++;
        foreach (var observer in all)
            observer.OnReceiveFailed(now, why);
    }

    public override void OnSent(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        Events++;
        foreach (var observer in all)
            observer.OnSent(now, in header, payload);
    }

    public override void OnSendFailed(Instant now, in DatagramHeader header, IoResult why)
    {
        Events++;
        foreach (var observer in all)
            observer.OnSendFailed(now, in header, why);
    }

    public override void OnAccepted(
        Instant now, IoResult result, SocketHandle stream, Endpoint client)
    {
        Events++;
        foreach (var observer in all)
            observer.OnAccepted(now, result, stream, client);
    }

    public override void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream)
    {
        Events++;
        foreach (var observer in all)
            observer.OnConnected(now, path, result, stream);
    }

    public override void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        Events++;
        foreach (var observer in all)
            observer.OnRead(now, stream, result, bytes);
    }

    public override void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        Events++;
        foreach (var observer in all)
            observer.OnWritten(now, stream, result, bytes);
    }

    public override void OnHalfClosed(Instant now, SocketHandle stream)
    {
        Events++;
        foreach (var observer in all)
            observer.OnHalfClosed(now, stream);
    }

    public override void OnClosed(Instant now, SocketHandle socket, bool aborted)
    {
        Events++;
        foreach (var observer in all)
            observer.OnClosed(now, socket, aborted);
    }

    public override void OnInterest(Instant now, SocketHandle socket, Readiness interest)
    {
        Events++;
        foreach (var observer in all)
            observer.OnInterest(now, socket, interest);
    }

    public override void OnScanOpened(Instant now, IoResult result)
    {
        Events++;
        foreach (var observer in all)
            observer.OnScanOpened(now, result);
    }

    public override void OnScanEntry(Instant now, IoResult result, in DirectoryEntry entry)
    {
        Events++;
        foreach (var observer in all)
            observer.OnScanEntry(now, result, in entry);
    }

    public override void OnLooked(Instant now, ReadOnlySpan<byte> name, IoResult result)
    {
        Events++;
        foreach (var observer in all)
            observer.OnLooked(now, name, result);
    }

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        Events++;
        foreach (var observer in all)
            observer.OnLogged(now, logged);
    }

    public override void OnClientAsked(Instant now, in ClientDatagram datagram, bool lost)
    {
        foreach (var observer in all)
            observer.OnClientAsked(now, in datagram, lost);
    }

    public override void OnClientArriving(Instant now, in ClientDatagram datagram)
    {
        foreach (var observer in all)
            observer.OnClientArriving(now, in datagram);
    }

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    {
        Events++;
        foreach (var observer in all)
            observer.OnClientSent(now, client, from, payload, queued);
    }

    public override void OnClientAnswered(Instant now, int client, int query)
    {
        Events++;
        foreach (var observer in all)
            observer.OnClientAnswered(now, client, query);
    }

    public override void OnTcpClientConnected(Instant now, int client, bool connected)
    {
        Events++;
        foreach (var observer in all)
            observer.OnTcpClientConnected(now, client, connected);
    }

    public override void OnTcpClientSent(Instant now, int client, ReadOnlySpan<byte> bytes)
    {
        Events++;
        foreach (var observer in all)
            observer.OnTcpClientSent(now, client, bytes);
    }

    public override void OnTcpClientReceived(Instant now, int client, ReadOnlySpan<byte> bytes)
    {
        Events++;
        foreach (var observer in all)
            observer.OnTcpClientReceived(now, client, bytes);
    }

    public override void OnTcpClientEnded(Instant now, int client, string how)
    {
        Events++;
        foreach (var observer in all)
            observer.OnTcpClientEnded(now, client, how);
    }

    public override void OnBackendAccepted(Instant now, int backend, SocketHandle stream)
    {
        Events++;
        foreach (var observer in all)
            observer.OnBackendAccepted(now, backend, stream);
    }

    public override void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        Events++;
        foreach (var observer in all)
            observer.OnBackendRead(now, backend, stream, bytes);
    }

    public override void OnBackendWrote(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        Events++;
        foreach (var observer in all)
            observer.OnBackendWrote(now, backend, stream, bytes);
    }

    public override void OnBackendEnded(
        Instant now, int backend, SocketHandle stream, string how)
    {
        Events++;
        foreach (var observer in all)
            observer.OnBackendEnded(now, backend, stream, how);
    }

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        Events++;
        foreach (var observer in all)
            observer.OnFault(now, fault, began);
    }

    public override void OnHealed(Instant now)
    {
        Events++;
        foreach (var observer in all)
            observer.OnHealed(now);
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        Events++;
        foreach (var observer in all)
            observer.OnEnded(now, core);
    }
}
