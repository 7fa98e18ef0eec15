// Owns what each event of the log says: its sentence and its fields. The sentences are for people,
// the fields for filters. A number or a name in a sentence is a field too, unless it is a bound
// that is the same in every record.
//
// What always holds: every event has words, once, which a test sees to; its fields' names and their
// order change only with an entry in the changelog.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;

namespace Balancer;

/// <summary>What a record says, beside its level, its event and its time.</summary>
/// <param name="Sentence">For people.</param>
/// <param name="Fields">For filters, in this order.</param>
internal readonly record struct Words(
    string Sentence, IReadOnlyList<(string Name, object Value)> Fields)
{
    public Words(string sentence, params (string Name, object Value)[] fields)
        : this(sentence, (IReadOnlyList<(string, object)>)fields)
    {
    }
}

internal static class EventWords
{
    static EventWords()
    {
        Say((LogEvent.Started e) => new(
            $"listening on {e.Listen} (UDP and TCP), backends in {e.Directory}",
            ("listen_ip", e.Listen.Address.ToString()), ("listen_port", (int)e.Listen.Port),
            ("directory", e.Directory)));
        Say((LogEvent.Stopping e) => new(e.OpenConnections == 0
            ? "stopping"
            : e.Grace == Duration.Zero
            ? $"stopping: {LogWords.Count(e.OpenConnections, "open connection")} will be cut"
            : $"stopping: waiting up to {e.Grace} for "
                + LogWords.Count(e.OpenConnections, "open connection"),
            ("connections", e.OpenConnections)));
        Say((LogEvent.Stopped e) => new("stopped", Fields(e.Counters)));
        Say((DaemonEvent.StartupWarning e) => new(e.Warning));
        Say((DaemonEvent.DescriptorLimit e) => new(
            $"{LogWords.Count(e.Connections, "TCP connection")} at most, two descriptors each: the"
                + $" limit of open files is {e.Limit}, and {e.Reserve} are kept for all else",
            ("limit", e.Limit), ("connections", e.Connections), ("reserve", e.Reserve)));
        Say((DaemonEvent.MemoryLimit e) => new(
            $"memory ({LogWords.Count(e.Limit, "byte")}) allows at most"
                + $" {LogWords.Count(e.Remotes, "remote")} and"
                + $" {LogWords.Count(e.Connections, "TCP connection")},"
                + $" {e.NotReading} of them with a side that does not read",
            ("limit", e.Limit), ("remotes", e.Remotes), ("connections", e.Connections),
            ("not_reading", e.NotReading)));
        Say((DaemonEvent.TcpConnectionsLowered e) => new(
            $"--tcp-connections {e.Asked} is more than there is room for:"
                + $" {LogWords.Count(e.Connections, "TCP connection")} at most",
            ("asked", e.Asked), ("connections", e.Connections)));
        Say((DaemonEvent.CannotStart e) => new(e.Why));
        Say((DaemonEvent.Bug e) => new(e.Message));
        Say((DaemonEvent.LogLinesLost e) => new(
            $"{LogWords.Count(e.Lost, "log record")} dropped", ("lost", e.Lost)));

        Say((LogEvent.BackendDiscovered e) => OfBackend(e.Id, e.Path, " discovered"));
        Say((LogEvent.BackendReturned e) => OfBackend(e.Id, e.Path, ": socket is back"));
        Say((LogEvent.BackendRestarted e) =>
            OfBackend(e.Id, e.Path, " restarted: its path has a new socket"));
        Say((LogEvent.BackendConnected e) =>
            OfBackend(e.Id, e.Path, " connected; waiting for SERVER_HELLO"));
        Say((LogEvent.BackendHealthy e) => OfBackend(e.Id, e.Path, " is healthy"));
        Say((LogEvent.BackendFaulted e) => Of(e));
        Say((LogEvent.BackendStopped e) => new($"backend {e.Id} stopped",
            [("be_id", e.Id.Value), ("be_path", e.Path), .. Errno(e.How),
                ("backoff_s", Seconds(e.BackOff))]));
        Say((LogEvent.BackendDraining e) => OfBackend(e.Id, e.Path, ": socket removed; draining"));
        Say((LogEvent.BackendResumed e) =>
            OfBackend(e.Id, e.Path, ": socket restored; taking new clients again"));
        Say((LogEvent.BackendRemoved e) =>
            OfBackend(e.Id, e.Path, " removed: no socket at its path"));
        Say((LogEvent.BackendForgotten e) =>
            OfBackend(e.Id, e.Path, " forgotten: its id is free again"));
        Say((LogEvent.HeartbeatSent e) =>
            new($"heartbeat sent to backend {e.Id}", ("be_id", e.Id.Value)));
        Say((LogEvent.HeartbeatAnswered e) =>
            new($"heartbeat answered by backend {e.Id}", ("be_id", e.Id.Value)));
        Say((LogEvent.BackendStuck e) => new(
            $"backend {e.Id} is stuck: it does not read; "
            + $"{LogWords.Count(e.QueuedBytes, "byte")} queued in the balancer, "
            + $"{LogWords.Count(e.Suppressed + 1, "query", "queries")} not accepted",
            ("be_id", e.Id.Value), ("queued_bytes", e.QueuedBytes), ("suppressed", e.Suppressed)));
        Say((LogEvent.BackendUnstuck e) => Of(e));
        Say((LogEvent.BackendSuspected e) => new(
            $"backend {e.Id} is suspect: no byte for {e.Silent},"
            + $" {LogWords.Count(e.InFlight, "query", "queries")} and a heartbeat unanswered; its"
            + " clients go to another backend, or stay if none is better",
            ("be_id", e.Id.Value), ("be_path", e.Path),
            ("silent_ms", e.Silent.WholeMilliseconds), ("in_flight", e.InFlight)));
        Say((LogEvent.BackendTrusted e) => new(
            $"backend {e.Id} is trusted again: it was suspect for {e.Suspect}",
            ("be_id", e.Id.Value), ("be_path", e.Path),
            ("suspect_ms", e.Suspect.WholeMilliseconds)));
        Say((LogEvent.BackendFailing e) => new(
            $"backend {e.Id} is failing: {e.Failed} of its last {e.Answers} answers were SERVFAIL"
            + $" or REFUSED, against {e.OtherFailed} of {e.OtherAnswers} of backend {e.Other}; it"
            + " gets no new clients",
            ("be_id", e.Id.Value), ("be_path", e.Path), ("failed", e.Failed),
            ("answers", e.Answers), ("other_be_id", e.Other.Value),
            ("other_failed", e.OtherFailed), ("other_answers", e.OtherAnswers)));
        Say((LogEvent.BackendMute e) => new(
            $"backend {e.Id} has answered none of its "
            + $"{LogWords.Count(e.Queries, "query", "queries")} for {Limits.VainTime} while others"
            + " answer; moving its clients",
            ("be_id", e.Id.Value), ("be_path", e.Path), ("queries", e.Queries)));
        Say((LogEvent.BackendNoLongerFailing e) => new(
            $"backend {e.Id} is no longer failing after {Rounded(e.Lasted)}: "
            + (e.Answers == 0 ? "no recent answers are on record"
                : $"{e.Failed} of its last {e.Answers} answers were SERVFAIL or REFUSED"),
            ("be_id", e.Id.Value), ("be_path", e.Path), ("failed", e.Failed),
            ("answers", e.Answers), ("failing_s", Seconds(e.Lasted))));
        Say((LogEvent.ProbeSent e) => new($"probe sent to backend {e.Id}",
            ("be_id", e.Id.Value), ("dns_id", (int)e.DnsId)));
        Say((LogEvent.BackendDownByProbe e) => new(
            $"backend {e.Id} is down: "
            + LogWords.Count(e.Failures, "probe failed", "probes in a row failed")
            + $" (last: {LogWords.Of(e.Why)})",
            ("be_id", e.Id.Value), ("be_path", e.Path),
            ("probe_failure", LogWords.SnakeCase(e.Why.ToString())), ("failures", e.Failures)));
        Say((LogEvent.BackendUpByProbe e) => new(
            $"backend {e.Id} answers probes again after {Rounded(e.Lasted)}",
            ("be_id", e.Id.Value), ("be_path", e.Path), ("down_s", Seconds(e.Lasted))));
        Say((LogEvent.QueriesResent e) => new(
            $"session of backend {e.Id} ended: "
            + $"{LogWords.Count(e.Resent, "unanswered query", "unanswered queries")} resent,"
            + $" {e.Lost} lost",
            ("be_id", e.Id.Value), ("resent", e.Resent), ("lost", e.Lost)));

        Say((LogEvent.QueryQuarantined e) => Of(e));
        Say((LogEvent.QueryReleased e) => Of(e));
        Say((LogEvent.QueryRefusalProlonged e) => new(
            $"refusing {QueryIn(e.Query)} for another {e.By}: backend {e.Id} has said nothing"
            + $" since it had that query{LogWords.More(e.Suppressed)}",
            [("be_id", e.Id.Value), ("more_s", Seconds(e.By)), .. FieldsOf(e.Query),
                ("suppressed", e.Suppressed)]));

        Say((LogEvent.ClockWentBack e) => new(
            $"the monotonic clock went back by {Rounded(e.By)}: time stands still until it has"
            + $" caught up{LogWords.More(e.Suppressed)}",
            ("back_s", Seconds(e.By)), ("suppressed", e.Suppressed)));
        Say((LogEvent.SocketsNotWatched e) => Failed(
            "the kernel does not watch all sockets (epoll)", e.Why, e.Suppressed));
        Say((LogEvent.SocketsWatched e) => new(
            $"the kernel watches all sockets again after {Rounded(e.Lasted)}"
            + LogWords.More(e.Suppressed),
            ("unwatched_s", Seconds(e.Lasted)), ("suppressed", e.Suppressed)));
        Say((LogEvent.RescanRequested e) => new("SIGHUP: rescanning the socket directory"));
        Say((LogEvent.EntryRefused e) => OfEntry(
            e.Path, LogWords.Of(e.Why), LogWords.SnakeCase(e.Why.ToString())));
        Say((LogEvent.EntryNotASocket e) => OfEntry(e.Path, "not a socket", "not_a_socket"));
        Say((LogEvent.EntryRecordsSuppressed e) => new(
            "sockets or other entries come and go: "
            + $"{LogWords.Count(e.Suppressed, "record")} about them suppressed",
            ("suppressed", e.Suppressed)));
        Say((LogEvent.DirectoryUnreadable e) => new(
            $"cannot read socket directory {e.Path}: {LogWords.Of(e.Why)}; keeping all backends"
            + LogWords.More(e.Suppressed),
            [("directory", e.Path), .. Errno(e.Why), ("suppressed", e.Suppressed)]));
        Say((LogEvent.DirectoryReadable e) =>
            new($"socket directory {e.Path} is readable again{LogWords.More(e.Suppressed)}",
                ("directory", e.Path), ("suppressed", e.Suppressed)));
        Say((LogEvent.DirectoryNotAnswering e) => new(
            $"socket directory {e.Path} has not answered for {Rounded(e.Since)}; keeping all"
            + " backends", ("directory", e.Path), ("unanswered_s", Seconds(e.Since))));
        Say((LogEvent.DirectoryAnswering e) => new(
            $"socket directory {e.Path} answered after {Rounded(e.After)}",
            ("directory", e.Path), ("unanswered_s", Seconds(e.After))));

        Say((LogEvent.NoHealthyBackend e) => new("no healthy backend: dropped "
            + LogWords.Count(e.Dropped, "query or connection", "queries or connections"),
            ("dropped", e.Dropped)));
        Say((LogEvent.OutageEnded e) => new(
            $"outage ended after {Rounded(e.Lasted)}: "
            + LogWords.Count(e.QueriesDropped, "query", "queries") + " and "
            + LogWords.Count(e.ConnectionsDropped, "connection") + " dropped"
            + (e.Suppressed == 0 ? "" : $" in {e.Suppressed + 1} outages together"),
            ("outage_s", Seconds(e.Lasted)), ("queries_dropped", e.QueriesDropped),
            ("connections_dropped", e.ConnectionsDropped), ("suppressed", e.Suppressed)));
        Say((LogEvent.RemoteAssigned e) => new(
            $"remote {e.Remote} {(e.IsBackup ? "temporarily " : "")}assigned to backend "
            + e.Backend,
            ("remote_ip", e.Remote.ToString()), ("be_id", e.Backend.Value),
            ("backup", e.IsBackup)));
        Say((LogEvent.RemoteExpired e) => new($"remote {e.Remote} expired: idle for too long",
            ("remote_ip", e.Remote.ToString())));
        Say((LogEvent.RemoteEvicted e) => new(
            $"remote {e.Remote} evicted for {e.For}: the remote table is full",
            ("remote_ip", e.Remote.ToString()), ("for_ip", e.For.ToString())));
        Say((LogEvent.RemoteMoved e) => new(
            $"remote {e.Remote} taken from backend {e.From} by the rebalance",
            ("remote_ip", e.Remote.ToString()), ("be_id", e.From.Value)));
        Say((LogEvent.RemotesExpired e) => new(
            $"{LogWords.Count(e.Count, "idle remote")} expired", ("remotes", e.Count)));
        Say((LogEvent.Rebalancing e) => new(
            $"rebalancing: backend {e.Fullest} has {LogWords.Count(e.Spread, "remote")} more than "
            + $"the least loaded; moving {e.ToMove}",
            ("be_id", e.Fullest.Value), ("spread", e.Spread), ("remotes", e.ToMove)));

        Say((LogEvent.Query e) => Of(e));
        Say((LogEvent.ReceiveFailed e) => Failed("cannot receive queries", e.Why, e.Suppressed));
        Say((LogEvent.SendFailed e) => OfReply(e.Remote, e.Why, e.Suppressed));
        Say((LogEvent.ReplyUndeliverable e) => OfReply(e.Remote, e.Why, e.Suppressed));

        Say((LogEvent.AcceptFailed e) => Failed("cannot accept a connection", e.Why, e.Suppressed));
        Say((LogEvent.AcceptAborted e) =>
            Failed("client left before it was accepted", e.Why, e.Suppressed));
        Say((LogEvent.ConnectionsOverLimit e) => OfLimit(e.Client, "connection limit reached",
            e.Suppressed));
        Say((LogEvent.ClientOverLimit e) => OfLimit(e.Client,
            "connection limit per address reached", e.Suppressed));
        Say((LogEvent.ClientOverShare e) => new(
            $"backend {e.Backend} is behind, and {e.Client} has more than its share of it; "
            + $"{LogWords.Count(e.Suppressed + 1, "query", "queries")}"
            + " of clients over their share dropped",
            ("remote_ip", e.Client.Address.ToString()), ("remote_port", (int)e.Client.Port),
            ("be_id", e.Backend.Value), ("suppressed", e.Suppressed)));
        Say((LogEvent.ConnectWithoutResources e) => Failed(
            $"backend {e.Id}: cannot connect to {e.Path}, not counted as its fault", e.Why,
            e.Suppressed, ("be_id", e.Id.Value), ("be_path", e.Path)));
        Say((LogEvent.SessionsWithoutMemory e) => Failed(
            "no kernel memory for sessions to backends, which are kept", e.Why, e.Suppressed));
        Say((LogEvent.SessionsHaveMemory e) => new(
            $"kernel memory for sessions to backends again after {Rounded(e.Lasted)}"
            + LogWords.More(e.Suppressed),
            ("short_s", Seconds(e.Lasted)), ("suppressed", e.Suppressed)));
        Say((LogEvent.ConnectionWithoutResources e) => Failed(
            $"connection {e.Id}: no descriptor or memory left for it", e.Why, e.Suppressed,
            ("conn_id", e.Id.Value)));
        Say((LogEvent.ConnectionOpened e) => new(
            $"connection {e.Id} from {e.Client} assigned to backend {e.Backend}",
            ("conn_id", e.Id.Value), ("remote_ip", e.Client.Address.ToString()),
            ("remote_port", (int)e.Client.Port), ("be_id", e.Backend.Value)));
        Say((LogEvent.ConnectionRelaying e) => new(
            $"connection {e.Id} accepted by backend {e.Backend}",
            ("conn_id", e.Id.Value), ("be_id", e.Backend.Value)));
        Say((LogEvent.BackendAcceptQueueFull e) => Of(e));
        Say((LogEvent.ConnectionRefusedByBackend e) => Of(e));
        Say((LogEvent.ConnectionClosed e) => Of(e));

        Say((LogEvent.Status e) => Of(e));
        Say((LogEvent.BackendStatus e) => Of(e.Backend, e.Now));
        Say((LogEvent.RemoteStatus e) => Of(e.Remote, e.Now));
    }

    /// <summary>
    /// What a record of an event says; throws for one that was given no words, which a test finds.
    /// </summary>
    public static Words Of<TEvent>(in TEvent logged) where TEvent : struct, ILogEvent =>
        Said<TEvent>.By is { } say
            ? say(logged)
            : throw new InvalidOperationException($"the event {TEvent.Name} has no words");

    /// <summary>Gives an event its words.</summary>
    private static void Say<TEvent>(Func<TEvent, Words> words) where TEvent : struct, ILogEvent =>
        Said<TEvent>.By = words;

    /// <summary>
    /// The words of one event: the compiler finds them by its type, so the event is not boxed.
    /// </summary>
    private static class Said<TEvent>
    {
        public static Func<TEvent, Words>? By { get; set; }
    }

    private static Words OfBackend(BackendId id, string path, string what) =>
        new($"backend {id}{what}", ("be_id", id.Value), ("be_path", path));

    private static Words Of(LogEvent.BackendFaulted e)
    {
        var next = e.BackOff > Duration.Zero ? $"in {e.BackOff}" : "at once";
        return new Words(
            $"backend {e.Id} failed: {LogWords.Of(e.Fault)}; reconnecting {next}",
        [
            ("be_id", e.Id.Value), ("be_path", e.Path),
            ("fault", LogWords.SnakeCase(e.Fault.Cause.ToString())),
            .. Detail(e.Fault), .. Errno(e.Fault.Io), ("backoff_s", Seconds(e.BackOff)),
        ]);
    }

    private static Words Of(LogEvent.BackendUnstuck e)
    {
        var end = e.End == StuckEnd.Drained
            ? $"is no longer stuck after {Rounded(e.Lasted)}"
            : $"was stuck for {Rounded(e.Lasted)} until its session ended";
        return new Words(
            $"backend {e.Id} {end}: {LogWords.Count(e.Dropped, "query", "queries")} dropped",
            ("be_id", e.Id.Value), ("end", LogWords.SnakeCase(e.End.ToString())),
            ("stuck_s", Seconds(e.Lasted)), ("dropped", e.Dropped));
    }

    private static Words Of(LogEvent.QueryQuarantined e) => new(
        $"refusing {QueryIn(e.Query)} for {e.Term}: backends died or hung on it, most recently"
        + $" {e.Id} (asked by {e.Client.Address})",
    [
        ("be_id", e.Id.Value), ("remote_ip", e.Client.Address.ToString()),
        ("remote_port", (int)e.Client.Port), ("term_s", Seconds(e.Term)), .. FieldsOf(e.Query),
    ]);

    private static Words Of(LogEvent.QueryReleased e)
    {
        var why = e.Why == QueryRelease.Answered
            ? "a backend answered it" : "another query explains what happened to the backends";
        return new Words(
            $"no longer refusing {QueryIn(e.Query)} after {Rounded(e.Refused)}: {why}",
        [
            ("reason", LogWords.SnakeCase(e.Why.ToString())), ("refused_s", Seconds(e.Refused)),
            .. FieldsOf(e.Query),
        ]);
    }

    private static string QueryIn(byte[] query) =>
        DnsWords.TryReadQuestion(query, out var name, out var type)
            ? $"query {type} {name}" : "a query whose question cannot be read";

    private static (string, object)[] FieldsOf(byte[] query) =>
        DnsWords.TryReadQuestion(query, out var name, out var type)
            ? [("query_name", name), ("query_type", type), ("query", Convert.ToHexString(query))]
            : [("query", Convert.ToHexString(query))];

    private static Words OfEntry(string path, string cause, string refusal) => new(
        $"ignoring {path}: {cause}", ("path", path), ("refusal", refusal));

    private static Words Of(LogEvent.Query e)
    {
        var what = $"query of {LogWords.Count(e.Bytes, "byte")} from {e.Remote}";
        (string, object)[] fields =
        [
            ("remote_ip", e.Remote.Address.ToString()), ("remote_port", (int)e.Remote.Port),
            ("bytes", e.Bytes), ("outcome", LogWords.NameOf(e.Outcome)),
        ];
        return e.Backend == BackendId.None
            ? new Words($"{what} dropped: {LogWords.OutcomeOf(e.Outcome)}", fields)
            : new Words($"{what} forwarded to backend {e.Backend}",
                [.. fields, ("be_id", e.Backend.Value)]);
    }

    private static Words OfReply(Endpoint remote, IoResult why, long suppressed) => Failed(
        $"cannot send reply to {remote}", why, suppressed,
        ("remote_ip", remote.Address.ToString()), ("remote_port", (int)remote.Port));

    private static Words OfLimit(Endpoint client, string limit, long suppressed) => new(
        $"connection from {client} refused: {limit}{LogWords.More(suppressed)}",
        ("remote_ip", client.Address.ToString()), ("remote_port", (int)client.Port),
        ("suppressed", suppressed));

    private static Words Of(LogEvent.BackendAcceptQueueFull e) => new(
        $"the accept queue of backend {e.Backend} is full; connection {e.Id} is tried again"
        + LogWords.More(e.Suppressed),
    [
        ("be_id", e.Backend.Value), ("conn_id", e.Id.Value), .. Errno(e.Why),
        ("suppressed", e.Suppressed),
    ]);

    private static Words Of(LogEvent.ConnectionRefusedByBackend e) => new(
        $"backend {e.Backend} refused connection {e.Id}: {LogWords.Of(e.Why)}"
        + LogWords.More(e.Suppressed),
    [
        ("conn_id", e.Id.Value), ("be_id", e.Backend.Value),
        ("fault", LogWords.SnakeCase(e.Why.Cause.ToString())),
        .. Detail(e.Why), .. Errno(e.Why.Io), ("suppressed", e.Suppressed),
    ]);

    private static Words Of(LogEvent.ConnectionClosed e)
    {
        var end = LogWords.NameOf(e.How);
        var cause = e.Why.IsOk ? "" : ": " + LogWords.Of(e.Why);
        return new Words(
            $"connection {e.Id} from {e.Client} closed: {LogWords.EndOf(e.How)}{cause}",
        [
            ("conn_id", e.Id.Value), ("remote_ip", e.Client.Address.ToString()),
            ("remote_port", (int)e.Client.Port), ("end", end), .. Errno(e.Why),
            ("bytes_from_client", e.BytesFromClient), ("bytes_from_backend", e.BytesFromBackend),
        ]);
    }

    private static Words Of(LogEvent.Status e) => new(
        $"status: {e.Healthy} of {LogWords.Count(e.Backends, "backend")} healthy, "
        + $"{LogWords.Count(e.Remotes, "remote")} ({e.Established} established), "
        + $"{LogWords.Count(e.Connections, "connection")}"
        + (e.Refused == 0 ? "; " : $", {LogWords.Count(e.Refused, "question")} refused; ")
        + $"{e.Counters[Counter.QueriesForwarded]} of {e.Counters[Counter.QueriesReceived]} "
        + $"queries forwarded, {e.Counters[Counter.RepliesSent]} replies sent",
    [
        ("backends", e.Backends), ("healthy", e.Healthy), ("remotes", e.Remotes),
        ("established", e.Established), ("connections", e.Connections),
        ("refused", e.Refused), ("longest_turn_us", e.LongestTurn.WholeMicroseconds),
        .. Fields(e.Counters),
    ]);

    private static Words Of(in BackendSnapshot backend, Instant now)
    {
        var standing = StandingOf(backend, now).ToList();
        var inWords = standing.Count == 0
            ? "" : $" ({string.Join(", ", standing).Replace('_', ' ')})";
        return new Words(
            $"status: backend {backend.Id} {LogWords.Of(backend.State)}{inWords}, "
            + LogWords.Count(backend.Remotes, "remote"),
        [
            ("be_id", backend.Id.Value), ("be_path", backend.Path),
            ("state", LogWords.SnakeCase(backend.State.ToString())),
            ("standing", string.Join(',', standing)), ("remotes", backend.Remotes),
            ("heartbeat_outstanding", backend.HeartbeatOutstanding),
            ("reconnect_delay_s", Seconds(backend.ReconnectDelay)),
            ("connects_started", backend.ConnectsStarted),
            ("connects_failed", backend.ConnectsFailed), ("udp_queries", backend.UdpQueries),
            ("tcp_sessions", backend.TcpSessions), ("drops_while_stuck", backend.DropsWhileStuck),
            ("queued_bytes", backend.QueuedBytes), ("in_flight", backend.InFlight),
        ]);
    }

    /// <summary>All that keeps clients from a backend with a session, the worst first.</summary>
    private static IEnumerable<string> StandingOf(BackendSnapshot backend, Instant now)
    {
        if (backend.IsStuck)
            yield return "stuck";
        if (backend.IsSuspect)
            yield return "suspect";
        if (backend.IsDownByProbe)
            yield return "down_by_probe";
        if (backend.IsFailing)
            yield return backend.IsMute ? "mute" : "failing";
        if (now < backend.ColdUntil)
            yield return "cold";
    }

    private static Words Of(in RemoteSnapshot remote, Instant now)
    {
        var backup = remote.Backup == BackendId.None ? "" : $", temporarily to {remote.Backup}";
        return new Words(
            $"status: remote {remote.Address} assigned to backend {remote.Primary}{backup}",
            ("remote_ip", remote.Address.ToString()), ("primary", remote.Primary.Value),
            ("backup", remote.Backup.Value), ("established", remote.IsEstablished),
            ("first_seen_s_ago", Seconds(now - remote.FirstSeen)),
            ("last_seen_s_ago", Seconds(now - remote.LastSeen)),
            ("udp_forwarded", remote.UdpForwarded), ("udp_dropped", remote.UdpDropped),
            ("tcp_forwarded", remote.TcpForwarded), ("tcp_dropped", remote.TcpDropped));
    }

    private static Words Failed(string what, IoResult why, long suppressed,
        params (string Name, object Value)[] fields) => new(
        $"{what}: {LogWords.Of(why)}{LogWords.More(suppressed)}",
        [.. fields, .. Errno(why), ("suppressed", suppressed)]);

    private static (string Name, object Value)[] Errno(IoResult why) => why.Errno == 0
        ? []
        : [("errno", why.Errno), ("errno_name", Balancer.Linux.Errno.NameOf(why.Errno))];

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

    private static Duration Rounded(Duration time) =>
        Duration.FromMilliseconds(time.WholeMilliseconds);

    /// <summary>To the millisecond, so that 1 s is 1 and not 1.000000000.</summary>
    private static decimal Seconds(Duration time) => time.WholeMilliseconds / 1000m;
}
