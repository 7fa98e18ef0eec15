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
        FaultCause.FrameBeforeHello =>
            $"its first frame was {Frame(fault.Detail)}, not SERVER_HELLO",
        FaultCause.SecondHello => "a second SERVER_HELLO",
        FaultCause.UnaskedHeartbeat => "a SERVER_HEARTBEAT that nobody asked for",
        FaultCause.HeartbeatTimeout => $"no SERVER_HEARTBEAT within {Limits.HeartbeatTimeout}",
        FaultCause.ReadsNothing => $"it read nothing for {Limits.StallTimeout}",
        FaultCause.UnknownFrame => $"a frame of unknown type {Invariant(fault.Detail)}",
        FaultCause.TcpFrameOnControlSession => "INBOUND_TCP_OK on the control session",
        FaultCause.LengthTooLarge =>
            $"an OUTBOUND_UDP of {Invariant(fault.Detail)} bytes, more than any datagram has",
        FaultCause.EndOfStream => "it ended the session",
        FaultCause.ReadFailed => "reading failed: " + Of(fault.Io),
        FaultCause.WriteFailed => "writing failed: " + Of(fault.Io),
        FaultCause.NotTcpOk =>
            $"its first frame was {Frame(fault.Detail)}, not INBOUND_TCP_OK",
        _ => fault.Cause.ToString(),
    };

    public static string Of(EntryRefusal refusal) => refusal switch
    {
        EntryRefusal.NotASocket => "it is not a socket",
        EntryRefusal.PathTooLong => $"its path is longer than {Limits.MaxPathBytes} bytes",
        EntryRefusal.TooManyBackends => $"{Limits.MaxBackends} backends are known already",
        _ => refusal.ToString(),
    };

    /// <summary>In words, with the errno's name where there is one.</summary>
    public static string Of(IoResult result)
    {
        // The same status as a path that is absent: a plain file where the directory should be.
        var words = ErrnoName(result.Errno) == "ENOTDIR" ? "not a directory" : Of(result.Status);
        return result.Errno == 0 ? words : $"{words} ({ErrnoName(result.Errno)})";
    }

    public static string Of(BackendState state) => state switch
    {
        BackendState.BackingOff => "backing off",
        BackendState.AwaitingHello => "awaiting its hello",
        BackendState.Healthy => "healthy",
        BackendState.Draining => "draining",
        BackendState.Removed => "removed",
        _ => state.ToString(),
    };

    /// <summary>" (12 more like it)", or nothing when nothing went unsaid.</summary>
    public static string More(long suppressed) => suppressed == 0
        ? ""
        : string.Create(CultureInfo.InvariantCulture, $" ({suppressed} more like it)");

    /// <summary>"1 backend", "2 backends"; the plural is the noun with an s unless told.</summary>
    public static string Count(long count, string noun, string? plural = null) => string.Create(
        CultureInfo.InvariantCulture, $"{count} {(count == 1 ? noun : plural ?? noun + "s")}");

    /// <summary>Linux's name for an errno that sockets and files answer, else its number.</summary>
    public static string ErrnoName(int errno) => errno switch
    {
        1 => "EPERM",
        2 => "ENOENT",
        4 => "EINTR",
        5 => "EIO",
        9 => "EBADF",
        11 => "EAGAIN",
        12 => "ENOMEM",
        13 => "EACCES",
        20 => "ENOTDIR",
        22 => "EINVAL",
        23 => "ENFILE",
        24 => "EMFILE",
        32 => "EPIPE",
        36 => "ENAMETOOLONG",
        38 => "ENOSYS",
        40 => "ELOOP",
        71 => "EPROTO",
        88 => "ENOTSOCK",
        89 => "EDESTADDRREQ",
        90 => "EMSGSIZE",
        91 => "EPROTOTYPE",
        92 => "ENOPROTOOPT",
        95 => "EOPNOTSUPP",
        98 => "EADDRINUSE",
        99 => "EADDRNOTAVAIL",
        100 => "ENETDOWN",
        101 => "ENETUNREACH",
        103 => "ECONNABORTED",
        104 => "ECONNRESET",
        105 => "ENOBUFS",
        107 => "ENOTCONN",
        110 => "ETIMEDOUT",
        111 => "ECONNREFUSED",
        112 => "EHOSTDOWN",
        113 => "EHOSTUNREACH",
        _ => "errno " + errno.ToString(CultureInfo.InvariantCulture),
    };

    private static string Of(IoStatus status) => status switch
    {
        IoStatus.Ok => "no error",
        IoStatus.WouldBlock => "it takes no more for now",
        IoStatus.EndOfStream => "end of stream",
        IoStatus.NotFound => "no such path",
        IoStatus.Refused => "nobody listens there",
        IoStatus.Reset => "connection reset",
        IoStatus.BrokenPipe => "the other end reads no more",
        IoStatus.Aborted => "connection aborted",
        IoStatus.TooManyFiles => "too many open files",
        IoStatus.NoBuffers => "the kernel has no memory for it",
        IoStatus.AccessDenied => "permission denied",
        IoStatus.InvalidArgument => "no such destination can be",
        IoStatus.Unreachable => "no way there",
        IoStatus.MessageTooLong => "message too long",
        IoStatus.TimedOut => "timed out",
        IoStatus.Other => "an error",
        _ => status.ToString(),
    };

    private static string Frame(uint type) => (FrameType)type switch
    {
        FrameType.OutboundUdp => "OUTBOUND_UDP",
        FrameType.InboundTcpOk => "INBOUND_TCP_OK",
        FrameType.ServerHello => "SERVER_HELLO",
        FrameType.ServerHeartbeat => "SERVER_HEARTBEAT",
        _ => "of type " + Invariant(type),
    };

    private static string Invariant(uint number) => number.ToString(CultureInfo.InvariantCulture);
}
