// Owns the kinds of log records as the tests know them: by the name of their event, which no change
// of wording touches.

using System.Text.RegularExpressions;

namespace Tests.Integration.Harness;

/// <summary>One kind of record: those of an event.</summary>
public sealed record LogKind(string Event)
{
    public bool Is(LogRecord record) => record.Event == Event;

    public override string ToString() => Event;
}

/// <summary>The records of bbal.</summary>
public static class Log
{
    public static readonly LogKind Started = new("started");
    public static readonly LogKind Stopping = new("stopping");
    public static readonly LogKind Stopped = new("stopped");
    public static readonly LogKind Rescan = new("rescan_requested");
    public static readonly LogKind Discovered = new("backend_discovered");
    public static readonly LogKind Returned = new("backend_returned");
    public static readonly LogKind Restarted = new("backend_restarted");
    public static readonly LogKind Connected = new("backend_connected");
    public static readonly LogKind Healthy = new("backend_healthy");
    public static readonly LogKind Draining = new("backend_draining");
    public static readonly LogKind Removed = new("backend_removed");
    public static readonly LogKind Faulted = new("backend_faulted");
    public static readonly LogKind Suspected = new("backend_suspected");
    public static readonly LogKind BackendStopped = new("backend_stopped");
    public static readonly LogKind Rebalancing = new("rebalancing");
    public static readonly LogKind NoHealthyBackend = new("no_healthy_backend");
    public static readonly LogKind AcceptFailed = new("accept_failed");
    public static readonly LogKind Unreadable = new("directory_unreadable");
    public static readonly LogKind StartupWarning = new("startup_warning");
    public static readonly LogKind DescriptorLimit = new("descriptor_limit");
    public static readonly LogKind TcpConnectionsLowered = new("tcp_connections_lowered");
    public static readonly LogKind MemoryLimit = new("memory_limit");
    public static readonly LogKind ConnectWithoutResources = new("connect_without_resources");
    public static readonly LogKind Readable = new("directory_readable");
    public static readonly LogKind NotAnswering = new("directory_not_answering");
    public static readonly LogKind Answering = new("directory_answering");
    public static readonly LogKind Refused = new("entry_refused");
    public static readonly LogKind QueryQuarantined = new("query_quarantined");
    public static readonly LogKind NotASocket = new("entry_not_a_socket");
    public static readonly LogKind HeartbeatSent = new("heartbeat_sent");
    public static readonly LogKind HeartbeatAnswered = new("heartbeat_answered");
    public static readonly LogKind RemoteAssigned = new("remote_assigned");
    public static readonly LogKind Status = new("status");
    public static readonly LogKind BackendStatus = new("backend_status");
    public static readonly LogKind RemoteStatus = new("remote_status");

    /// <summary>A counter in a status record, by its name in Balancer.Core.</summary>
    public static long CounterOf(LogRecord status, string counter) => (long)status.Number(
        Regex.Replace(counter, "(?<=[a-z])[A-Z]", match => "_" + match.Value).ToLowerInvariant());
}
