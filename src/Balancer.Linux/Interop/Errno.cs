// Owns the translation from errno to IoStatus, in one place: what the core can act on has a
// status of its own, all the rest is Other and keeps its number for the log.
//
// What always holds: no errno throws, and none is lost.

using Balancer.Core;

namespace Balancer.Linux.Interop;

internal static class Errno
{
    internal const int EPERM = 1;
    internal const int ENOENT = 2;
    internal const int EINTR = 4;
    internal const int EAGAIN = 11;
    internal const int ENOMEM = 12;
    internal const int EACCES = 13;
    internal const int ENOTDIR = 20;
    internal const int EINVAL = 22;
    internal const int ENFILE = 23;
    internal const int EMFILE = 24;
    internal const int ENOSPC = 28;
    internal const int EPIPE = 32;
    internal const int ENAMETOOLONG = 36;
    internal const int ENOSYS = 38;
    internal const int ELOOP = 40;
    internal const int ENONET = 64;
    internal const int EPROTO = 71;
    internal const int EDESTADDRREQ = 89;
    internal const int EMSGSIZE = 90;
    internal const int ENOPROTOOPT = 92;
    internal const int EOPNOTSUPP = 95;
    internal const int EADDRINUSE = 98;
    internal const int EADDRNOTAVAIL = 99;
    internal const int ENETDOWN = 100;
    internal const int ENETUNREACH = 101;
    internal const int ECONNABORTED = 103;
    internal const int ECONNRESET = 104;
    internal const int ENOBUFS = 105;
    internal const int ETIMEDOUT = 110;
    internal const int ECONNREFUSED = 111;
    internal const int EHOSTDOWN = 112;
    internal const int EHOSTUNREACH = 113;

    /// <summary>What an errno means to the core, after any call but accept.</summary>
    internal static IoStatus Status(int errno) => errno switch
    {
        EAGAIN => IoStatus.WouldBlock,
        ENOENT or ENOTDIR => IoStatus.NotFound,
        ECONNREFUSED => IoStatus.Refused,
        ECONNRESET => IoStatus.Reset,
        EPIPE => IoStatus.BrokenPipe,
        ECONNABORTED => IoStatus.Aborted,
        EMFILE or ENFILE => IoStatus.TooManyFiles,
        ENOBUFS or ENOMEM => IoStatus.NoBuffers,
        EACCES or EPERM => IoStatus.AccessDenied,
        EINVAL or EDESTADDRREQ or EADDRNOTAVAIL => IoStatus.InvalidArgument,
        EHOSTUNREACH or ENETUNREACH or EHOSTDOWN or ENETDOWN or ENONET => IoStatus.Unreachable,
        EMSGSIZE => IoStatus.MessageTooLong,
        ETIMEDOUT => IoStatus.TimedOut,
        _ => IoStatus.Other,
    };

    internal static IoResult Result(int errno) => IoResult.Failed(Status(errno), errno);

    /// <summary>
    /// What an errno of accept means. Linux hands out errors that wait on the new connection, so
    /// those of a network are that one connection's end (accept(2), "Error handling").
    /// </summary>
    internal static IoResult AcceptResult(int errno) => errno switch
    {
        ECONNABORTED or ECONNRESET or ETIMEDOUT or EPROTO or ENOPROTOOPT or EOPNOTSUPP or ENONET
            or ENETDOWN or ENETUNREACH or EHOSTDOWN or EHOSTUNREACH =>
            IoResult.Failed(IoStatus.Aborted, errno),
        _ => Result(errno),
    };
}
