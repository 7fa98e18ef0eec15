// Owns the catalogue of the log: for each event of the core its level, its sentence and its
// fields. The sentences are for people, the fields for filters; whatever a sentence says with a
// number or a name in it is a field too.
//
//   error  what an operator should look at: faults, no healthy backend, a refused entry, the
//          directory unreadable, the kernel saying no to us
//   warn   what may be meant or may not: a backend stopped, stuck, or turning connections away
//   info   what an operator does, and the life of backends
//   debug  what clients do: one client cannot fill a disk at the default level
//   trace  heartbeats
//
// What always holds: a level is asked about before anything is formatted, boxed or timed; an
// event's time is the moment of the call; no call blocks or throws (LogOutput sees to that).

using System;
using System.Collections.Generic;
using Balancer.Core;
using Serilog;
using Serilog.Events;
using Serilog.Parsing;
using static Serilog.Events.LogEventLevel;

namespace Balancer;

/// <summary>The daemon's IBalancerLog.</summary>
/// <param name="logger">Where records go; must not block.</param>
/// <param name="wallClock">What records are dated by.</param>
public sealed class BalancerLog(ILogger logger, TimeProvider wallClock) : IBalancerLog
{
    /// <summary>The time of the status report under way, which ages are told by.</summary>
    private Instant _statusAt;

    // ---- The process ----

    /// <summary>Something is not as it should be, and the balancer goes on without it.</summary>
    public void StartupWarning(string warning)
    {
        if (IsOn(Warning))
            Write(Warning, warning);
    }

    /// <summary>The process ends; why is for people, the exception for us.</summary>
    public void Fatal(string why, Exception? exception)
    {
        if (IsOn(LogEventLevel.Fatal))
            Write(LogEventLevel.Fatal, why, exception, []);
    }

    public void Started(Endpoint listen, string directory)
    {
        if (!IsOn(Information))
            return;
        Write(Information, $"listening on {listen}, UDP and TCP; backends in {directory}",
            ("listen_ip", listen.Address.ToString()), ("listen_port", (int)listen.Port),
            ("directory", directory));
    }

    public void Stopping(int openConnections)
    {
        if (!IsOn(Information))
            return;
        var open = LogWords.Count(openConnections, "open connection");
        Write(Information, $"stopping; {open}, up to {Limits.StopGrace} to finish",
            ("connections", openConnections));
    }

    public void Stopped(Counters counters)
    {
        if (IsOn(Information))
            Write(Information, "stopped", null, Fields(counters));
    }

    public void RescanRequested()
    {
        if (IsOn(Information))
            Write(Information, "scanning the directory as asked");
    }

    // ---- Backends ----

    public void BackendDiscovered(BackendId id, string path) =>
        OfBackend(Information, id, path, "discovered");

    public void BackendReturned(BackendId id, string path) =>
        OfBackend(Information, id, path, "is back: its path is there again");

    public void BackendMadeAnew(BackendId id, string path) =>
        OfBackend(Information, id, path, "was restarted: its socket is a new one");

    public void BackendConnected(BackendId id, string path) =>
        OfBackend(Debug, id, path, "connected, awaiting its hello");

    public void BackendHealthy(BackendId id, string path) =>
        OfBackend(Information, id, path, "is healthy");

    public void BackendFaulted(BackendId id, string path, Fault fault, Duration backOff)
    {
        if (!IsOn(Error))
            return;
        var cause = LogWords.Of(fault);
        var next = backOff > Duration.Zero ? $"in {backOff}" : "at once";
        Write(Error, $"backend {id} faulted: {cause}; next connect {next}", null,
        [
            ("be_id", id.Value), ("be_path", path),
            ("fault", LogWords.SnakeCase(fault.Cause.ToString())), ("cause", cause),
            .. Detail(fault), .. Errno(fault.Io), ("backoff_s", Seconds(backOff)),
        ]);
    }

    public void BackendUnlinked(BackendId id, string path) =>
        OfBackend(Warning, id, path, "unlinked its path: it gets nobody new");

    public void BackendRelinked(BackendId id, string path) =>
        OfBackend(Information, id, path, "has its path again: it gets new clients");

    public void BackendRemoved(BackendId id, string path) =>
        OfBackend(Warning, id, path, "removed: its path is gone");

    public void BackendForgotten(BackendId id, string path) =>
        OfBackend(Information, id, path, "forgotten: it was gone for long");

    public void HeartbeatSent(BackendId id)
    {
        if (IsOn(Verbose))
            Write(Verbose, $"heartbeat to backend {id}", ("be_id", id.Value));
    }

    public void HeartbeatAnswered(BackendId id)
    {
        if (IsOn(Verbose))
            Write(Verbose, $"heartbeat answered by backend {id}", ("be_id", id.Value));
    }

    public void BackendStuck(BackendId id, int queuedBytes, long suppressed)
    {
        if (!IsOn(Warning))
            return;
        Write(Warning, $"backend {id} is stuck: {LogWords.Count(queuedBytes, "byte")} wait for it, "
            + $"and its queries are dropped{LogWords.More(suppressed)}",
            ("be_id", id.Value), ("queued_bytes", queuedBytes), ("suppressed", suppressed));
    }

    // ---- The directory ----

    public void EntryRefused(string path, EntryRefusal why)
    {
        var level = why == EntryRefusal.NotASocket ? Warning : Error;
        if (!IsOn(level))
            return;
        var cause = LogWords.Of(why);
        Write(level, $"{path} is not taken for a backend: {cause}",
            ("path", path), ("refusal", LogWords.SnakeCase(why.ToString())), ("cause", cause));
    }

    public void DirectoryUnreadable(string path, IoResult why)
    {
        if (!IsOn(Error))
            return;
        var cause = LogWords.Of(why);
        Write(Error, $"cannot read directory {path}: {cause}; the backends known stay", null,
            [("directory", path), ("cause", cause), .. Errno(why)]);
    }

    public void DirectoryReadable(string path)
    {
        if (IsOn(Information))
            Write(Information, $"directory {path} can be read again", ("directory", path));
    }

    // ---- Clients ----

    public void NoBackend(long dropped)
    {
        if (!IsOn(Error))
            return;
        var count = LogWords.Count(dropped, "query or connection", "queries and connections");
        Write(Error, $"no backend is healthy; dropped {count}", ("dropped", dropped));
    }

    public void RemoteAssigned(Ipv4 remote, BackendId backend, bool isBackup)
    {
        if (!IsOn(Debug))
            return;
        Write(Debug, $"remote {remote} goes to backend {backend}{(isBackup ? " for now" : "")}",
            ("remote_ip", remote.ToString()), ("be_id", backend.Value), ("backup", isBackup));
    }

    public void RemoteExpired(Ipv4 remote)
    {
        if (!IsOn(Debug))
            return;
        Write(Debug, $"remote {remote} was silent and is forgotten",
            ("remote_ip", remote.ToString()));
    }

    public void RemoteEvicted(Ipv4 remote)
    {
        if (!IsOn(Debug))
            return;
        Write(Debug, $"remote {remote} is forgotten to make room",
            ("remote_ip", remote.ToString()));
    }

    public void RemoteMoved(Ipv4 remote, BackendId from)
    {
        if (!IsOn(Debug))
            return;
        Write(Debug, $"remote {remote} leaves backend {from} for a less busy one",
            ("remote_ip", remote.ToString()), ("be_id", from.Value));
    }

    public void RemotesExpired(int count)
    {
        if (!IsOn(Debug))
            return;
        Write(Debug, $"forgot {LogWords.Count(count, "silent remote")}", ("remotes", count));
    }

    public void Rebalancing(BackendId fullest, int spread, int toMove)
    {
        if (!IsOn(Information))
            return;
        var remotes = LogWords.Count(toMove, "remote");
        Write(Information, $"rebalancing: backend {fullest} has {spread} more remotes than the "
            + $"emptiest; {remotes} of it will choose again",
            ("be_id", fullest.Value), ("spread", spread), ("remotes", toMove));
    }

    public void ReceiveFailed(IoResult why, long suppressed)
    {
        if (IsOn(Error))
            Failed(Error, "cannot receive queries", why, suppressed);
    }

    public void SendFailed(Endpoint remote, IoResult why, long suppressed)
    {
        var level = IsClientsDoing(why.Status) ? Debug : Warning;
        if (!IsOn(level))
            return;
        Failed(level, $"cannot send a reply to {remote}", why, suppressed,
            ("remote_ip", remote.Address.ToString()), ("remote_port", (int)remote.Port));
    }

    public void AcceptFailed(IoResult why, long suppressed)
    {
        var level = why.Status == IoStatus.Aborted ? Debug : Error;
        if (IsOn(level))
            Failed(level, "cannot accept a connection", why, suppressed);
    }

    public void ConnectionsOverLimit(Endpoint client, Counter which, long suppressed)
    {
        var level = which == Counter.ConnectionsOverLimit ? Warning : Debug;
        if (!IsOn(level))
            return;
        var limit = which == Counter.ConnectionsOverLimit
            ? "as many as may be are open"
            : "its address has as many open as one may";
        Write(level, $"connection from {client} refused: {limit}{LogWords.More(suppressed)}",
            ("remote_ip", client.Address.ToString()), ("remote_port", (int)client.Port),
            ("limit", LogWords.NameOf(which)), ("suppressed", suppressed));
    }

    // ---- Connections ----

    public void ConnectionWithoutResources(ConnectionId id, IoResult why, long suppressed)
    {
        if (IsOn(Error))
        {
            Failed(Error, $"cannot reach a backend for connection {id}", why, suppressed,
                ("conn_id", id.Value));
        }
    }

    public void ConnectionOpened(ConnectionId id, Endpoint client, BackendId backend)
    {
        if (!IsOn(Debug))
            return;
        Write(Debug, $"connection {id} from {client} goes to backend {backend}",
            ("conn_id", id.Value), ("remote_ip", client.Address.ToString()),
            ("remote_port", (int)client.Port), ("be_id", backend.Value));
    }

    public void ConnectionRelaying(ConnectionId id, BackendId backend)
    {
        if (!IsOn(Debug))
            return;
        Write(Debug, $"connection {id} taken by backend {backend}",
            ("conn_id", id.Value), ("be_id", backend.Value));
    }

    public void ConnectionRefusedByBackend(
        ConnectionId id, BackendId backend, Fault why, long suppressed)
    {
        if (!IsOn(Warning))
            return;
        var cause = LogWords.Of(why);
        Write(Warning, $"backend {backend} did not take connection {id}: {cause}"
            + LogWords.More(suppressed), null,
        [
            ("conn_id", id.Value), ("be_id", backend.Value),
            ("fault", LogWords.SnakeCase(why.Cause.ToString())), ("cause", cause),
            .. Detail(why), .. Errno(why.Io), ("suppressed", suppressed),
        ]);
    }

    public void ConnectionClosed(ConnectionId id, Endpoint client, Counter how, IoResult why,
        long bytesFromClient, long bytesFromBackend)
    {
        if (!IsOn(Debug))
            return;
        var end = LogWords.NameOf(how);
        var cause = why.IsOk ? "" : ": " + LogWords.Of(why);
        Write(Debug, $"connection {id} from {client} closed, {end}{cause}", null,
        [
            ("conn_id", id.Value), ("remote_ip", client.Address.ToString()),
            ("remote_port", (int)client.Port), ("end", end), .. Errno(why),
            ("bytes_from_client", bytesFromClient), ("bytes_from_backend", bytesFromBackend),
        ]);
    }

    // ---- The status report ----

    public void Status(Instant now, int backends, int healthy, int remotes, int connections,
        Counters counters)
    {
        _statusAt = now;
        if (!IsOn(Information))
            return;
        Write(Information, $"status: {healthy} of {LogWords.Count(backends, "backend")} healthy, "
            + $"{LogWords.Count(remotes, "remote")}, {LogWords.Count(connections, "connection")}; "
            + $"{counters[Counter.QueriesForwarded]} of {counters[Counter.QueriesReceived]} "
            + $"queries forwarded, {counters[Counter.RepliesSent]} of "
            + $"{counters[Counter.RepliesReceived]} replies sent", null,
        [
            ("backends", backends), ("healthy", healthy), ("remotes", remotes),
            ("connections", connections), .. Fields(counters),
        ]);
    }

    public void BackendStatus(in BackendSnapshot backend)
    {
        if (!IsOn(Information))
            return;
        Write(Information, $"status: backend {backend.Id} {LogWords.Of(backend.State)}, "
            + $"{LogWords.Count(backend.Remotes, "remote")}",
            ("be_id", backend.Id.Value), ("be_path", backend.Path),
            ("state", LogWords.SnakeCase(backend.State.ToString())), ("remotes", backend.Remotes),
            ("heartbeat_outstanding", backend.HeartbeatOutstanding),
            ("reconnect_delay_s", Seconds(backend.ReconnectDelay)),
            ("connects_started", backend.ConnectsStarted),
            ("connects_failed", backend.ConnectsFailed), ("udp_queries", backend.UdpQueries),
            ("tcp_sessions", backend.TcpSessions), ("drops_while_stuck", backend.DropsWhileStuck),
            ("queued_bytes", backend.QueuedBytes));
    }

    public void RemoteStatus(in RemoteSnapshot remote)
    {
        if (!IsOn(Information))
            return;
        var standIn = remote.Backup == BackendId.None ? "" : $", for now to {remote.Backup}";
        Write(Information, $"status: remote {remote.Address} goes to {remote.Primary}{standIn}",
            ("remote_ip", remote.Address.ToString()), ("primary", remote.Primary.Value),
            ("backup", remote.Backup.Value),
            ("first_seen_s_ago", Seconds(_statusAt - remote.FirstSeen)),
            ("last_seen_s_ago", Seconds(_statusAt - remote.LastSeen)),
            ("udp_forwarded", remote.UdpForwarded), ("udp_dropped", remote.UdpDropped),
            ("tcp_forwarded", remote.TcpForwarded), ("tcp_dropped", remote.TcpDropped));
    }

    // ---- How records are made ----

    private bool IsOn(LogEventLevel level) => logger.IsEnabled(level);

    private void OfBackend(LogEventLevel level, BackendId id, string path, string what)
    {
        if (IsOn(level))
            Write(level, $"backend {id} {what}", ("be_id", id.Value), ("be_path", path));
    }

    private void Failed(LogEventLevel level, string what, IoResult why, long suppressed,
        params (string Name, object Value)[] fields)
    {
        var cause = LogWords.Of(why);
        Write(level, $"{what}: {cause}{LogWords.More(suppressed)}", null,
            [.. fields, ("cause", cause), .. Errno(why), ("suppressed", suppressed)]);
    }

    /// <summary>A forged source brings these about; the rest is trouble of our own.</summary>
    private static bool IsClientsDoing(IoStatus status) => status
        is IoStatus.AccessDenied or IoStatus.InvalidArgument or IoStatus.Unreachable
        or IoStatus.Refused or IoStatus.MessageTooLong;

    private static (string Name, object Value)[] Errno(IoResult why) => why.Errno == 0
        ? []
        : [("errno", why.Errno), ("errno_name", LogWords.ErrnoName(why.Errno))];

    private static (string Name, object Value)[] Detail(Fault fault) => fault.Cause switch
    {
        FaultCause.FrameBeforeHello or FaultCause.UnknownFrame or FaultCause.NotTcpOk =>
            [("frame_type", fault.Detail)],
        FaultCause.LengthTooLarge => [("length", fault.Detail)],
        _ => [],
    };

    private static List<(string Name, object Value)> Fields(Counters counters)
    {
        var fields = new List<(string, object)>();
        foreach (var counter in Enum.GetValues<Counter>())
            fields.Add((LogWords.NameOf(counter), counters[counter]));
        return fields;
    }

    /// <summary>To the millisecond, so that 1 s is 1 and not 1.000000000.</summary>
    private static decimal Seconds(Duration time) => time.WholeMilliseconds / 1000m;

    private void Write(
        LogEventLevel level, string message, params (string Name, object Value)[] fields) =>
        Write(level, message, null, fields);

    private void Write(LogEventLevel level, string message, Exception? exception,
        IReadOnlyCollection<(string Name, object Value)> fields)
    {
        var properties = new List<LogEventProperty>(fields.Count);
        foreach (var (name, value) in fields)
            properties.Add(new LogEventProperty(name, new ScalarValue(value)));
        // The message is whole already: one token, so that a brace in a path is only a brace.
        logger.Write(new LogEvent(wallClock.GetUtcNow(), level, exception,
            new MessageTemplate(message, [new TextToken(message)]), properties));
    }
}
