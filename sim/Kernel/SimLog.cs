// Owns the simulator's log: what the daemon would write as text is kept here as records with their
// virtual time, for tests to look at and for checkers to follow. One record type an event, named
// after its method, so that Count<LogEvent.BackendFaulted>() reads as a sentence.
//
// What always holds: events are in the order of their calls; with Records false and nobody told,
// nothing is kept and nothing allocated.

using System;
using System.Collections.Generic;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>A log that keeps what it is told.</summary>
public sealed class SimLog(IClock clock) : IBalancerLog
{
    private readonly List<LogEvent> _events = [];

    /// <summary>What was told, oldest first.</summary>
    public IReadOnlyList<LogEvent> Events => _events;

    /// <summary>Whether events are kept; true at first.</summary>
    public bool Records { get; set; } = true;

    /// <summary>Told each event at its time, kept or not; null for nobody.</summary>
    public Action<LogEvent>? OnTold { get; set; }

    /// <summary>How many events of one type are kept.</summary>
    public int Count<T>() where T : LogEvent
    {
        var count = 0;
        foreach (var told in _events)
        {
            if (told is T)
                count++;
        }
        return count;
    }

    /// <summary>The kept events of one type, oldest first.</summary>
    public IEnumerable<T> Of<T>() where T : LogEvent
    {
        foreach (var told in _events)
        {
            if (told is T wanted)
                yield return wanted;
        }
    }

    /// <summary>The newest event of one type; null when there is none.</summary>
    public T? Last<T>() where T : LogEvent =>
        (T?)_events.FindLast(told => told is T);

    /// <summary>Forgets what was told.</summary>
    public void Clear() => _events.Clear();

    public void Started(Endpoint listen, string directory)
    {
        if (IsHeard)
            Add(new LogEvent.Started(listen, directory));
    }

    public void Stopping(int openConnections)
    {
        if (IsHeard)
            Add(new LogEvent.Stopping(openConnections));
    }

    public void Stopped(Counters counters)
    {
        if (IsHeard)
            Add(new LogEvent.Stopped(counters));
    }

    public void RescanRequested()
    {
        if (IsHeard)
            Add(new LogEvent.RescanRequested());
    }

    public void BackendDiscovered(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendDiscovered(id, path));
    }

    public void BackendReturned(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendReturned(id, path));
    }

    public void BackendMadeAnew(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendMadeAnew(id, path));
    }

    public void BackendConnected(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendConnected(id, path));
    }

    public void BackendHealthy(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendHealthy(id, path));
    }

    public void BackendFaulted(BackendId id, string path, Fault fault, Duration backOff)
    {
        if (IsHeard)
            Add(new LogEvent.BackendFaulted(id, path, fault, backOff));
    }

    public void BackendUnlinked(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendUnlinked(id, path));
    }

    public void BackendRelinked(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendRelinked(id, path));
    }

    public void BackendRemoved(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendRemoved(id, path));
    }

    public void BackendForgotten(BackendId id, string path)
    {
        if (IsHeard)
            Add(new LogEvent.BackendForgotten(id, path));
    }

    public void HeartbeatSent(BackendId id)
    {
        if (IsHeard)
            Add(new LogEvent.HeartbeatSent(id));
    }

    public void HeartbeatAnswered(BackendId id)
    {
        if (IsHeard)
            Add(new LogEvent.HeartbeatAnswered(id));
    }

    public void BackendStuck(BackendId id, int queuedBytes, long suppressed)
    {
        if (IsHeard)
            Add(new LogEvent.BackendStuck(id, queuedBytes, suppressed));
    }

    public void EntryRefused(string path, EntryRefusal why)
    {
        if (IsHeard)
            Add(new LogEvent.EntryRefused(path, why));
    }

    public void DirectoryUnreadable(string path, IoResult why)
    {
        if (IsHeard)
            Add(new LogEvent.DirectoryUnreadable(path, why));
    }

    public void DirectoryReadable(string path)
    {
        if (IsHeard)
            Add(new LogEvent.DirectoryReadable(path));
    }

    public void NoBackend(long dropped)
    {
        if (IsHeard)
            Add(new LogEvent.NoBackend(dropped));
    }

    public void RemoteAssigned(Ipv4 remote, BackendId backend, bool isBackup)
    {
        if (IsHeard)
            Add(new LogEvent.RemoteAssigned(remote, backend, isBackup));
    }

    public void RemoteExpired(Ipv4 remote)
    {
        if (IsHeard)
            Add(new LogEvent.RemoteExpired(remote));
    }

    public void RemoteEvicted(Ipv4 remote)
    {
        if (IsHeard)
            Add(new LogEvent.RemoteEvicted(remote));
    }

    public void RemoteMoved(Ipv4 remote, BackendId from)
    {
        if (IsHeard)
            Add(new LogEvent.RemoteMoved(remote, from));
    }

    public void RemotesExpired(int count)
    {
        if (IsHeard)
            Add(new LogEvent.RemotesExpired(count));
    }

    public void Rebalancing(BackendId fullest, int spread, int toMove)
    {
        if (IsHeard)
            Add(new LogEvent.Rebalancing(fullest, spread, toMove));
    }

    public void ReceiveFailed(IoResult why, long suppressed)
    {
        if (IsHeard)
            Add(new LogEvent.ReceiveFailed(why, suppressed));
    }

    public void SendFailed(Endpoint remote, IoResult why, long suppressed)
    {
        if (IsHeard)
            Add(new LogEvent.SendFailed(remote, why, suppressed));
    }

    public void AcceptFailed(IoResult why, long suppressed)
    {
        if (IsHeard)
            Add(new LogEvent.AcceptFailed(why, suppressed));
    }

    public void ConnectionsOverLimit(Endpoint client, Counter which, long suppressed)
    {
        if (IsHeard)
            Add(new LogEvent.ConnectionsOverLimit(client, which, suppressed));
    }

    public void ConnectionWithoutResources(ConnectionId id, IoResult why, long suppressed)
    {
        if (IsHeard)
            Add(new LogEvent.ConnectionWithoutResources(id, why, suppressed));
    }

    public void ConnectionOpened(ConnectionId id, Endpoint client, BackendId backend)
    {
        if (IsHeard)
            Add(new LogEvent.ConnectionOpened(id, client, backend));
    }

    public void ConnectionRelaying(ConnectionId id, BackendId backend)
    {
        if (IsHeard)
            Add(new LogEvent.ConnectionRelaying(id, backend));
    }

    public void ConnectionRefusedByBackend(
        ConnectionId id, BackendId backend, Fault why, long suppressed)
    {
        if (IsHeard)
            Add(new LogEvent.ConnectionRefusedByBackend(id, backend, why, suppressed));
    }

    public void ConnectionClosed(
        ConnectionId id, Endpoint client, Counter how, IoResult why, long bytesFromClient,
        long bytesFromBackend)
    {
        if (IsHeard)
            Add(new LogEvent.ConnectionClosed(
                id, client, how, why, bytesFromClient, bytesFromBackend));
    }

    public void Status(
        Instant now, int backends, int healthy, int remotes, int connections, Counters counters)
    {
        if (IsHeard)
            Add(new LogEvent.Status(now, backends, healthy, remotes, connections, counters));
    }

    public void BackendStatus(in BackendSnapshot backend)
    {
        if (IsHeard)
            Add(new LogEvent.BackendStatus(backend));
    }

    public void RemoteStatus(in RemoteSnapshot remote)
    {
        if (IsHeard)
            Add(new LogEvent.RemoteStatus(remote));
    }

    private bool IsHeard => Records || OnTold != null;

    private void Add(LogEvent told)
    {
        var dated = told with { At = clock.Now };
        if (Records)
            _events.Add(dated);
        OnTold?.Invoke(dated);
    }
}
