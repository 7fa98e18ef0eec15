// Owns the kinds of log records as the tests know them, each recognised by its sentence without
// the numbers in it or by a field that only it has, so that a change of wording is one line here.

using System;
using System.Text.RegularExpressions;

namespace Tests.Integration.Harness;

/// <summary>One kind of record.</summary>
public sealed record LogKind(string Name, Func<LogRecord, bool> Is)
{
    public static LogKind OfBackend(string what) => new(what, record =>
        record.BackendId > 0 && record.Message.StartsWith(
            $"backend {record.BackendId} {what}", StringComparison.Ordinal));

    public static LogKind Begins(string with) => new(with, record =>
        record.Message.StartsWith(with, StringComparison.Ordinal));

    public override string ToString() => Name;
}

/// <summary>The records of bbal.</summary>
public static class Log
{
    public static readonly LogKind Started = LogKind.Begins("listening on");
    public static readonly LogKind Stopping = LogKind.Begins("stopping");
    public static readonly LogKind Stopped = LogKind.Begins("stopped");
    public static readonly LogKind Rescan = LogKind.Begins("scanning the directory as asked");
    public static readonly LogKind Discovered = LogKind.OfBackend("discovered");
    public static readonly LogKind Returned = LogKind.OfBackend("is back");
    public static readonly LogKind MadeAnew = LogKind.OfBackend("was restarted");
    public static readonly LogKind Connected = LogKind.OfBackend("connected");
    public static readonly LogKind Healthy = LogKind.OfBackend("is healthy");
    public static readonly LogKind Unlinked = LogKind.OfBackend("unlinked");
    public static readonly LogKind Removed = LogKind.OfBackend("removed");
    public static readonly LogKind Faulted = LogKind.OfBackend("faulted");
    public static readonly LogKind Rebalancing = LogKind.Begins("rebalancing");
    public static readonly LogKind NoBackend = LogKind.Begins("no backend is healthy");
    public static readonly LogKind AcceptFailed = LogKind.Begins("cannot accept a connection");
    public static readonly LogKind Unreadable = LogKind.Begins("cannot read directory");
    public static readonly LogKind Readable = new("can be read again", record =>
        record.Has("directory")
        && record.Message.EndsWith("can be read again", StringComparison.Ordinal));

    public static readonly LogKind Refused = new("refused entry", record => record.Has("refusal"));
    public static readonly LogKind HeartbeatSent = LogKind.Begins("heartbeat to backend");
    public static readonly LogKind HeartbeatAnswered = LogKind.Begins("heartbeat answered");
    public static readonly LogKind RemoteAssigned = LogKind.Begins("remote ");
    public static readonly LogKind Status = new("status", record =>
        record.Has("queries_received")
        && record.Message.StartsWith("status", StringComparison.Ordinal));

    public static readonly LogKind BackendStatus = LogKind.Begins("status: backend");
    public static readonly LogKind RemoteStatus = LogKind.Begins("status: remote");

    /// <summary>A counter in a status record, by its name in Balancer.Core.</summary>
    public static long CounterOf(LogRecord status, string counter) => (long)status.Number(
        Regex.Replace(counter, "(?<=[a-z])[A-Z]", match => "_" + match.Value).ToLowerInvariant());
}
