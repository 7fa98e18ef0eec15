// Owns the trace: one line for each event that a run tells, in one form for ever, so that two runs
// can be compared with diff. A line has the event's number, its time, its kind, and what it is
// about; payloads are shown by their length and first bytes.
//
// What always holds: the line's number is the number that a violation names; equal runs have equal
// traces. A datagram lost on its way is not an event of the balancer: its line has the number
// of the event before it.

using System;
using System.Globalization;
using Balancer.Core;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Pictures;

/// <summary>Hands each event's line to whoever wants it.</summary>
public sealed class Trace(Action<Instant, string> write) : RunObserver
{
    private long _number;

    public override void OnStalled(Instant now, Duration time) => Put(now, "stall", $"{time}");

    public override void OnTurnBegan(Instant now, ReadOnlySpan<NetworkEvent> events)
    {
        var ready = "";
        foreach (var happened in events)
        {
            ready += happened.Kind == NetworkEventKind.Socket
                ? $" {happened.Handle}:{happened.Ready.ToString().Replace(", ", "+")}"
                : $" {happened.Kind}";
        }
        Put(now, "turn", ready.Length == 0 ? "nothing ready" : ready[1..]);
    }

    public override void OnTurnEnded(Instant now, LoadBalancer core) => Put(now, "turn-end",
        $"{core.RemoteCount} remotes, {core.ConnectionCount} connections,"
        + $" {core.TimerCount} timers");

    public override void OnReceived(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload) =>
        Put(now, "receive", $"{header.Peer} to {header.Local}{(header.Truncated ? " cut" : "")}",
            payload);

    public override void OnReceiveFailed(Instant now, IoResult why) =>
        Put(now, "receive-failed", $"{why}");

    public override void OnSent(
        Instant now, in DatagramHeader header, ReadOnlySpan<byte> payload) =>
        Put(now, "send", $"{header.Local} to {header.Peer}", payload);

    public override void OnSendFailed(Instant now, in DatagramHeader header, IoResult why) =>
        Put(now, "send-failed", $"to {header.Peer}: {why}");

    public override void OnAccepted(
        Instant now, IoResult result, SocketHandle stream, Endpoint client) =>
        Put(now, "accept", result.IsOk ? $"{client} as {stream}" : $"{result}");

    public override void OnConnected(
        Instant now, ReadOnlySpan<byte> path, IoResult result, SocketHandle stream) =>
        Put(now, "connect", System.Text.Encoding.UTF8.GetString(path)
            + (result.IsOk ? $" as {stream}" : $": {result}"));

    public override void OnRead(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes) =>
        Io(now, "read", stream, result, bytes);

    public override void OnWritten(
        Instant now, SocketHandle stream, IoResult result, ReadOnlySpan<byte> bytes) =>
        Io(now, "write", stream, result, bytes);

    public override void OnHalfClosed(Instant now, SocketHandle stream) =>
        Put(now, "half-close", $"{stream}");

    public override void OnClosed(Instant now, SocketHandle socket, bool aborted) =>
        Put(now, aborted ? "abort" : "close", $"{socket}");

    public override void OnInterest(Instant now, SocketHandle socket, Readiness interest) =>
        Put(now, "interest", $"{socket}:{interest.ToString().Replace(", ", "+")}");

    public override void OnScanOpened(Instant now, IoResult result) =>
        Put(now, "scan", $"{result}");

    public override void OnScanEntry(Instant now, IoResult result, in DirectoryEntry entry) =>
        Put(now, "entry", result.IsOk
            ? System.Text.Encoding.UTF8.GetString(entry.Name) + (entry.IsSocket
                ? $" inode {entry.Identity.Inode}" : " no socket")
            : $"{result}");

    public override void OnLooked(Instant now, ReadOnlySpan<byte> name, IoResult result) =>
        Put(now, "look", $"{System.Text.Encoding.UTF8.GetString(name)} {result}");

    public override void OnLogged(Instant now, ILogEvent logged) => Put(now, "log", logged switch
    {
        // A set of counters has no text of its own.
        LogEvent.Stopped => "Stopped",
        LogEvent.Status e => $"Status {e.Backends} {e.Healthy} {e.Remotes} {e.Connections}",
        _ => logged.ToString()!,
    });

    public override void OnClientAsked(Instant now, in ClientDatagram datagram, bool lost)
    {
        if (lost)
            Write(now, "client-sends", $"{datagram.Client} from {datagram.From} lost on the way, "
                + $"query {datagram.Query} attempt {datagram.Attempt}");
    }

    public override void OnClientSent(
        Instant now, int client, Endpoint from, ReadOnlySpan<byte> payload, bool queued) =>
        Put(now, "client-sends", $"{client} from {from}{(queued ? "" : " lost")}", payload);

    public override void OnClientAnswered(Instant now, int client, int query) =>
        Put(now, "client-answered", $"{client} query {query}");

    public override void OnTcpClientConnected(Instant now, int client, bool connected) =>
        Put(now, "tcp-connects", $"{client}{(connected ? "" : " in vain")}");

    public override void OnTcpClientSent(Instant now, int client, ReadOnlySpan<byte> bytes) =>
        Put(now, "tcp-sends", $"{client}", bytes);

    public override void OnTcpClientReceived(Instant now, int client, ReadOnlySpan<byte> bytes) =>
        Put(now, "tcp-receives", $"{client}", bytes);

    public override void OnTcpClientEnded(Instant now, int client, string how) =>
        Put(now, "tcp-ends", $"{client} {how}");

    public override void OnBackendAccepted(Instant now, int backend, SocketHandle stream) =>
        Put(now, "backend-accepts", $"{backend} {stream}");

    public override void OnBackendRead(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes) =>
        Put(now, "backend-reads", $"{backend} {stream}", bytes);

    public override void OnBackendWrote(
        Instant now, int backend, SocketHandle stream, ReadOnlySpan<byte> bytes) =>
        Put(now, "backend-writes", $"{backend} {stream}", bytes);

    public override void OnBackendEnded(
        Instant now, int backend, SocketHandle stream, string how) =>
        Put(now, "backend-ends", $"{backend} {stream} {how}");

    public override void OnFault(Instant now, FaultPlan fault, bool began) =>
        Put(now, began ? "fault" : "fault-ends", $"{fault.Id} {fault.Kind}"
            + (fault.Target < 0 ? "" : $" backend {fault.Target}")
            + (fault.Amount == 0 ? "" : $" amount {fault.Amount}"));

    public override void OnHealed(Instant now) => Put(now, "healed", "");

    public override void OnEnded(Instant now, LoadBalancer core) => Put(now, "end", "");

    private void Io(Instant now, string kind, SocketHandle stream, IoResult result,
        ReadOnlySpan<byte> bytes)
    {
        if (result.IsOk)
            Put(now, kind, $"{stream}", bytes);
        else
            Put(now, kind, $"{stream}: {result}");
    }

    private void Put(Instant now, string kind, string text, ReadOnlySpan<byte> bytes)
    {
        var first = Convert.ToHexString(bytes[..Math.Min(8, bytes.Length)]).ToLowerInvariant();
        Put(now, kind, $"{text}, {bytes.Length} bytes {first}");
    }

    private void Put(Instant now, string kind, string text)
    {
        _number++;
        Write(now, kind, text);
    }

    private void Write(Instant now, string kind, string text)
    {
        var (seconds, rest) = Math.DivRem(now.Nanoseconds, 1_000_000_000);
        write(now, string.Create(CultureInfo.InvariantCulture,
            $"{_number,8} {seconds,5}.{rest:000000000} {kind,-15} {text}").TrimEnd());
    }
}
