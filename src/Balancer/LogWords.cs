// Owns the words of the log: what a fault, a refusal or a system call's answer is called when a
// person reads of it, and what it is called when a filter looks for it. The first may change; the
// second are names that monitors depend on: snake_case of the core's enums, and the kernel's own
// names of its errors.
//
// What always holds: every value of the core's enums has words, one that was added later its name.

using System;
using System.Globalization;
using System.Linq;
using System.Text;
using Balancer.Core;
using Balancer.Linux;

namespace Balancer;

internal static class LogWords
{
    private static readonly string[] CounterNames =
        [.. Enum.GetValues<Counter>().Select(counter => SnakeCase(counter.ToString()))];

    /// <summary>The field that a counter is logged under.</summary>
    public static string NameOf(Counter counter) => CounterNames[(int)counter];

    /// <summary>HelloTimeout is hello_timeout.</summary>
    public static string SnakeCase(string name)
    {
        var snake = new StringBuilder();
        foreach (var c in name)
        {
            if (char.IsUpper(c) && snake.Length > 0)
                snake.Append('_');
            snake.Append(char.ToLowerInvariant(c));
        }
        return snake.ToString();
    }

    public static string Of(Fault fault) => fault.Cause switch
    {
        FaultCause.ConnectFailed => "cannot connect: " + Of(fault.Io),
        FaultCause.HelloTimeout => $"no SERVER_HELLO within {Limits.HelloTimeout}",
        FaultCause.FrameBeforeHello => $"sent {Frame(fault.Detail)} before SERVER_HELLO",
        FaultCause.SecondHello => "sent a second SERVER_HELLO",
        FaultCause.UnaskedHeartbeat => "sent an unsolicited SERVER_HEARTBEAT",
        FaultCause.HeartbeatTimeout => $"no SERVER_HEARTBEAT within {Limits.HeartbeatTimeout}",
        FaultCause.ReadsNothing => $"read nothing for {Limits.StallTimeout}",
        FaultCause.UnknownFrame => $"sent {Frame(fault.Detail)}",
        FaultCause.TcpFrameOnControlSession => "sent INBOUND_TCP_OK on the control session",
        FaultCause.LengthTooLarge =>
            $"sent OUTBOUND_UDP with a length of {Invariant(fault.Detail)} bytes",
        FaultCause.EndOfStream => "its process ended or closed the session",
        FaultCause.ReadFailed => "cannot read from it: " + Of(fault.Io),
        FaultCause.WriteFailed => "cannot write to it: " + Of(fault.Io),
        FaultCause.NotTcpOk => $"sent {Frame(fault.Detail)} instead of INBOUND_TCP_OK",
        _ => fault.Cause.ToString(),
    };

    public static string Of(ProbeFailure why) => why switch
    {
        ProbeFailure.NoAnswer => $"no answer within {Limits.ProbeTimeout}",
        ProbeFailure.ServerFailure => "SERVFAIL",
        ProbeFailure.Refused => "REFUSED",
        _ => why.ToString(),
    };

    /// <summary>How a connection ended.</summary>
    public static string EndOf(Counter how) => how switch
    {
        Counter.ConnectionsFinished => "both sides are done",
        Counter.ConnectionsOverLimit => "too many connections are open",
        Counter.ConnectionsOverClientLimit => "too many from this address are open",
        Counter.ConnectionsWithoutBackend => "no backend is healthy",
        Counter.ConnectionsWithoutResources => "no descriptor or memory left for it",
        Counter.ConnectionsRefusedByBackend => "no backend that was tried accepted it",
        Counter.ConnectionsHandshakeTimedOut =>
            $"no backend accepted it within {Limits.TcpHandshakeTimeout}",
        Counter.ConnectionsIdle => "idle for too long",
        Counter.ConnectionsTooOld => "open for too long",
        Counter.ConnectionsGaveWay =>
            "gave way to another connection: the limit was nearly reached",
        Counter.ConnectionsSilent => "its client sent nothing",
        Counter.ConnectionsSlow => "its client did not finish a message",
        Counter.ConnectionsNotClosed => "its backend ended, and its client did not",
        Counter.ConnectionsNotReading => "its client or its backend does not read",
        Counter.ConnectionsQuarantined =>
            "its query is refused, because backends died or hung on it",
        Counter.ConnectionsFailedByClient => "the client's side failed",
        Counter.ConnectionsFailedByBackend => "the backend's side failed",
        Counter.ConnectionsCutByStop => "still open when the stop was over",
        _ => NameOf(how),
    };

    /// <summary>Why a query was dropped.</summary>
    public static string OutcomeOf(Counter outcome) => outcome switch
    {
        Counter.QueriesOversized => $"over {Limits.MaxUdpPayload} bytes",
        Counter.QueriesWithResponseBit => "it is a response",
        Counter.QueriesFromPortZero => "nobody can be answered at port 0",
        Counter.QueriesFromEchoPort => "its source port is that of a service that answers anything",
        Counter.QueriesFromNoHost => "it came from no host's address",
        Counter.QueriesFromSelf => "it came from the balancer's own address and port",
        Counter.QueriesFromProbeAddress => "it came from the address of the probes",
        Counter.QueriesQuarantined => "it is refused, because backends died or hung on it",
        Counter.QueriesWithoutBackend => "no backend is healthy",
        Counter.QueriesOverShare => "its backend is behind, and it has more than its share of it",
        Counter.QueriesToStuckBackend => "its backend is stuck, and no other took it",
        _ => NameOf(outcome),
    };

    public static string Of(EntryRefusal refusal) => refusal switch
    {
        EntryRefusal.PathTooLong => $"its path is longer than {Limits.MaxPathBytes} bytes",
        EntryRefusal.TooManyBackends => $"there are already {Limits.MaxBackends} backends",
        EntryRefusal.Unknown => "it cannot be looked at",
        EntryRefusal.WrongUser => "its user is not one of --backend-user",
        EntryRefusal.NotAStream => "it is a socket of another type than SOCK_STREAM",
        _ => refusal.ToString(),
    };

    /// <summary>In words, with the errno's name where there is one.</summary>
    public static string Of(IoResult result)
    {
        // The same status as a path that is absent: a plain file where the directory should be.
        var words = result.Errno == Errno.ENOTDIR ? "not a directory" : Of(result.Status);
        return result.Errno == 0 ? words : $"{words} ({Errno.NameOf(result.Errno)})";
    }

    public static string Of(BackendState state) => state switch
    {
        BackendState.BackingOff => "backing off",
        BackendState.AwaitingHello => "waiting for SERVER_HELLO",
        BackendState.Healthy => "healthy",
        BackendState.Draining => "draining",
        BackendState.Removed => "removed",
        _ => state.ToString(),
    };

    /// <summary>" (12 similar suppressed)", or nothing when none were.</summary>
    public static string More(long suppressed) => suppressed == 0
        ? ""
        : string.Create(CultureInfo.InvariantCulture, $" ({suppressed} similar suppressed)");

    /// <summary>"1 backend", "2 backends"; the plural is the noun with an s unless given.</summary>
    public static string Count(long count, string noun, string? plural = null) => string.Create(
        CultureInfo.InvariantCulture, $"{count} {(count == 1 ? noun : plural ?? noun + "s")}");

    private static string Of(IoStatus status) => status switch
    {
        IoStatus.Ok => "no error",
        IoStatus.WouldBlock => "would block",
        IoStatus.EndOfStream => "end of stream",
        IoStatus.NotFound => "no such path",
        IoStatus.Refused => "connection refused",
        IoStatus.Reset => "connection reset",
        IoStatus.BrokenPipe => "broken pipe",
        IoStatus.Aborted => "connection aborted",
        IoStatus.TooManyFiles => "too many open files",
        IoStatus.NoBuffers => "no buffer space",
        IoStatus.AccessDenied => "permission denied",
        IoStatus.InvalidArgument => "invalid argument",
        IoStatus.Unreachable => "unreachable",
        IoStatus.MessageTooLong => "message too long",
        IoStatus.WrongType => "not a stream socket",
        IoStatus.WrongUser => "its listener belongs to another user",
        IoStatus.TimedOut => "timed out",
        IoStatus.Other => "error",
        _ => status.ToString(),
    };

    private static string Frame(uint type) => (FrameType)type switch
    {
        FrameType.OutboundUdp => "OUTBOUND_UDP",
        FrameType.InboundTcpOk => "INBOUND_TCP_OK",
        FrameType.ServerHello => "SERVER_HELLO",
        FrameType.ServerHeartbeat => "SERVER_HEARTBEAT",
        _ => "a frame of unknown type " + Invariant(type),
    };

    private static string Invariant(uint number) => number.ToString(CultureInfo.InvariantCulture);
}
