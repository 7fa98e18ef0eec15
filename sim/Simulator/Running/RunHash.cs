// Owns the rolling hash of a run: every event that observers get goes into it, with its time
// and its bytes, so that two runs are equal exactly if their hashes are (but for chance). Kept step
// by step, it names the first event that differs.
//
// What always holds: it depends on nothing but these events: no address of memory, no hash code of
// the runtime's, no order of a dictionary.

using System;
using System.Collections.Generic;
using System.Numerics;
using System.Runtime.InteropServices;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Scenarios;

namespace Simulation.Running;

/// <summary>Hashes a run; keeps the hash after each event if it is to be compared.</summary>
public sealed class RunHash(bool keepsSteps = false) : RunObserver
{
    private const ulong Multiplier = 0x9e3779b97f4a7c15;

    private readonly List<ulong> _steps = [];

    /// <summary>The hash of all events so far.</summary>
    public ulong Value { get; private set; } = Multiplier;

    /// <summary>
    /// What faults do is hashed, but not that they begin and end: so two runs show whether one did
    /// anything.
    /// </summary>
    public bool IgnoresFaults { get; init; }

    /// <summary>The hash after event n at index n − 1, if they are kept.</summary>
    public IReadOnlyList<ulong> Steps => _steps;

    public override void OnStalled(Instant now, Duration time)
    {
        Begin(33, now);
        Add((ulong)time.Nanoseconds);
        End();
    }

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        Begin(1, now);
        foreach (var happened in events)
        {
            Add((ulong)happened.Kind << 8 | (ulong)happened.Ready);
            Add(happened.Handle);
        }
        End();
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        Begin(2, now);
        Add((ulong)core.RemoteCount);
        Add((ulong)core.ConnectionCount);
        Add((ulong)core.TimerCount);
        End();
    }

    public override void OnReceived(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload) =>
        Datagram(3, now, in header, payload);

    public override void OnReceiveFailed(Instant now, IoResult why) => Answer(4, now, why);

    public override void OnSent(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload) =>
        Datagram(5, now, in header, payload);

    public override void OnSendFailed(Instant now, in DatagramHeader header, IoResult why)
    {
        Begin(6, now);
        Add(header.Peer);
        Add(why);
        End();
    }

    public override void OnAccepted(
        Instant now, IoResult result, SocketHandle stream, Endpoint client)
    {
        Begin(7, now);
        Add(result);
        Add(stream);
        Add(client);
        End();
    }

    public override void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream)
    {
        Begin(8, now);
        Add(path);
        Add(result);
        Add(stream);
        End();
    }

    public override void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes) =>
        Moved(9, now, stream, result, bytes);

    public override void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes) =>
        Moved(10, now, stream, result, bytes);

    public override void OnHalfClosed(Instant now, SocketHandle stream)
    {
        Begin(11, now);
        Add(stream);
        End();
    }

    public override void OnClosed(Instant now, SocketHandle socket, bool aborted)
    {
        Begin(aborted ? 12 : 13, now);
        Add(socket);
        End();
    }

    public override void OnInterest(Instant now, SocketHandle socket, Readiness interest)
    {
        Begin(34, now);
        Add(socket);
        Add((ulong)interest);
        End();
    }

    public override void OnScanOpened(Instant now, IoResult result) => Answer(14, now, result);

    public override void OnLooked(Instant now, ReadOnlySpan<byte> name, IoResult result)
    {
        Begin(35, now);
        Add(name);
        Add(result);
        End();
    }

    public override void OnScanEntry(Instant now, IoResult result, in DirectoryEntry entry)
    {
        Begin(15, now);
        Add(result);
        if (result.IsOk)
        {
            Add(entry.Name);
            Add(entry.Identity.Inode);
            Add((ulong)entry.Identity.BirthNanoseconds);
        }
        End();
    }

    public override void OnLogged(Instant now, ILogEvent logged)
    {
        Begin(16, now);
        Add(MemoryMarshal.AsBytes(logged.GetType().Name.AsSpan()));
        AddFields(logged);
        End();
    }

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued)
    {
        Begin(queued ? 17 : 18, now);
        Add((ulong)client);
        Add(from);
        Add(payload);
        End();
    }

    public override void OnClientAnswered(Instant now, int client, int query)
    {
        Begin(19, now);
        Add((ulong)client << 32 ^ (ulong)(uint)query);
        End();
    }

    public override void OnTcpClientConnected(Instant now, int client, bool connected) =>
        Peer(connected ? 20 : 21, now, client, default, []);

    public override void OnTcpClientSent(Instant now, int client, ReadOnlySpan<byte> bytes) =>
        Peer(22, now, client, default, bytes);

    public override void OnTcpClientReceived(Instant now, int client, ReadOnlySpan<byte> bytes) =>
        Peer(23, now, client, default, bytes);

    public override void OnTcpClientEnded(Instant now, int client, string how) =>
        Peer(24, now, client, default, MemoryMarshal.AsBytes(how.AsSpan()));

    public override void OnBackendAccepted(Instant now, int backend, SocketHandle stream) =>
        Peer(25, now, backend, stream, []);

    public override void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes) =>
        Peer(26, now, backend, stream, bytes);

    public override void OnBackendWrote(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes) =>
        Peer(27, now, backend, stream, bytes);

    public override void OnBackendEnded(
        Instant now, int backend, SocketHandle stream, string how) =>
        Peer(28, now, backend, stream, MemoryMarshal.AsBytes(how.AsSpan()));

    public override void OnFault(Instant now, FaultPlan fault, bool began)
    {
        if (IgnoresFaults)
            return;
        Begin(began ? 29 : 30, now);
        Add((ulong)fault.Id);
        End();
    }

    public override void OnHealed(Instant now)
    {
        Begin(31, now);
        End();
    }

    public override void OnEnded(Instant now, LoadBalancer core)
    {
        Begin(32, now);
        foreach (var counter in Enum.GetValues<Counter>())
            Add((ulong)core.Counters[counter]);
        End();
    }

    // ---- Shapes that several events have ----

    private void Datagram(
        int kind, Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload)
    {
        Begin(kind, now);
        Add(header.Peer);
        Add(header.Local.Value);
        Add(payload);
        End();
    }

    private void Answer(int kind, Instant now, IoResult result)
    {
        Begin(kind, now);
        Add(result);
        End();
    }

    private void Moved(
        int kind, Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes)
    {
        Begin(kind, now);
        Add(stream);
        Add(result);
        Add(bytes);
        End();
    }

    private void Peer(
        int kind, Instant now, int peer, SocketHandle stream, ReadOnlySpan<byte> bytes)
    {
        Begin(kind, now);
        Add((ulong)(uint)peer);
        Add(stream);
        Add(bytes);
        End();
    }

    /// <summary>What an event says; of those that are rare, as it prints.</summary>
    private void AddFields(ILogEvent logged)
    {
        switch (logged)
        {
            case LogEvent.BackendFaulted faulted:
                Add((ulong)faulted.Id.Value);
                Add((ulong)faulted.Fault.Cause << 32 | faulted.Fault.Detail);
                Add(faulted.Fault.Io);
                Add((ulong)faulted.BackOff.Nanoseconds);
                break;
            case LogEvent.BackendHealthy healthy:
                Add((ulong)healthy.Id.Value);
                break;
            case LogEvent.BackendConnected connected:
                Add((ulong)connected.Id.Value);
                break;
            case LogEvent.BackendDiscovered discovered:
                Add((ulong)discovered.Id.Value);
                break;
            case LogEvent.RemoteAssigned assigned:
                Add(assigned.Remote.Value);
                Add((ulong)assigned.Backend.Value << 1 | (assigned.IsBackup ? 1ul : 0));
                break;
            case LogEvent.RemoteExpired gone:
                Add(gone.Remote.Value);
                break;
            case LogEvent.RemoteEvicted gone:
                Add(gone.Remote.Value);
                Add(gone.For.Value);
                break;
            case LogEvent.RemoteMoved moved:
                Add(moved.Remote.Value);
                break;
            case LogEvent.RemotesExpired expired:
                Add((ulong)expired.Count);
                break;
            case LogEvent.Rebalancing moving:
                Add((ulong)moving.Fullest.Value);
                Add((ulong)moving.Spread << 32 | (uint)moving.ToMove);
                break;
            case LogEvent.ConnectionOpened opened:
                Add((ulong)opened.Id.Value);
                Add((ulong)opened.Backend.Value);
                break;
            case LogEvent.ConnectionClosed closed:
                Add((ulong)closed.Id.Value);
                Add((ulong)closed.How);
                Add((ulong)closed.BytesFromClient);
                Add((ulong)closed.BytesFromBackend);
                break;
            case LogEvent.HeartbeatSent or LogEvent.HeartbeatAnswered:
                // The frames say as much.
                break;
            default:
                Add(MemoryMarshal.AsBytes(logged.ToString()!.AsSpan()));
                break;
        }
    }

    // ---- The hash ----

    private void Begin(int kind, Instant now)
    {
        Add((ulong)kind);
        Add((ulong)now.Nanoseconds);
    }

    private void End()
    {
        if (keepsSteps)
            _steps.Add(Value);
    }

    private void Add(SocketHandle handle) => Add((ulong)handle.Slot << 32 | handle.Generation);

    private void Add(Endpoint endpoint) =>
        Add((ulong)endpoint.Address.Value << 16 | endpoint.Port);

    private void Add(IoResult result) =>
        Add((ulong)result.Status << 32 | (uint)(result.IsOk ? result.Count : result.Errno));

    private void Add(ReadOnlySpan<byte> bytes)
    {
        Add((ulong)bytes.Length);
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            Add(word);
        ulong rest = 0;
        foreach (var octet in bytes[(words.Length * sizeof(ulong))..])
            rest = rest << 8 | octet;
        Add(rest);
    }

    private void Add(ulong word) =>
        Value = (BitOperations.RotateLeft(Value, 23) ^ word) * Multiplier;
}
