// Owns Linux's errnos, the only table of them: their numbers, their names for the log, and the
// translation to IoStatus. What the core can act on has a status of its own, all the rest is Other
// and keeps its number for the log.
//
// What always holds: no errno throws, and none is lost.

using System.Globalization;
using Balancer.Core;

namespace Balancer.Linux;

/// <summary>Linux's numbers of errors, and what they mean to the core.</summary>
public static class Errno
{
    internal const int EPERM = 1;
    internal const int ENOENT = 2;
    internal const int EINTR = 4;
    internal const int EIO = 5;
    internal const int EBADF = 9;
    internal const int EAGAIN = 11;
    internal const int ENOMEM = 12;
    internal const int EACCES = 13;
    internal const int EEXIST = 17;
    public const int ENOTDIR = 20;
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
    internal const int ENOTSOCK = 88;
    internal const int EDESTADDRREQ = 89;
    internal const int EMSGSIZE = 90;
    internal const int EPROTOTYPE = 91;
    internal const int ENOPROTOOPT = 92;
    internal const int EOPNOTSUPP = 95;
    internal const int EADDRINUSE = 98;
    internal const int EADDRNOTAVAIL = 99;
    internal const int ENETDOWN = 100;
    internal const int ENETUNREACH = 101;
    internal const int ECONNABORTED = 103;
    internal const int ECONNRESET = 104;
    internal const int ENOBUFS = 105;
    internal const int ENOTCONN = 107;
    internal const int ETIMEDOUT = 110;
    internal const int ECONNREFUSED = 111;
    internal const int EHOSTDOWN = 112;
    internal const int ESTALE = 116;
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
        EPROTOTYPE => IoStatus.WrongType,
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

    /// <summary>The kernel's name of an errno of sockets and files, else its number.</summary>
    public static string NameOf(int errno) => errno switch
    {
        EPERM => nameof(EPERM),
        ENOENT => nameof(ENOENT),
        EINTR => nameof(EINTR),
        EIO => nameof(EIO),
        EBADF => nameof(EBADF),
        EAGAIN => nameof(EAGAIN),
        ENOMEM => nameof(ENOMEM),
        EACCES => nameof(EACCES),
        ENOTDIR => nameof(ENOTDIR),
        EINVAL => nameof(EINVAL),
        ENFILE => nameof(ENFILE),
        EMFILE => nameof(EMFILE),
        ENOSPC => nameof(ENOSPC),
        EPIPE => nameof(EPIPE),
        ENAMETOOLONG => nameof(ENAMETOOLONG),
        ENOSYS => nameof(ENOSYS),
        ELOOP => nameof(ELOOP),
        ENONET => nameof(ENONET),
        EPROTO => nameof(EPROTO),
        ENOTSOCK => nameof(ENOTSOCK),
        EDESTADDRREQ => nameof(EDESTADDRREQ),
        EMSGSIZE => nameof(EMSGSIZE),
        EPROTOTYPE => nameof(EPROTOTYPE),
        ENOPROTOOPT => nameof(ENOPROTOOPT),
        EOPNOTSUPP => nameof(EOPNOTSUPP),
        EADDRINUSE => nameof(EADDRINUSE),
        EADDRNOTAVAIL => nameof(EADDRNOTAVAIL),
        ENETDOWN => nameof(ENETDOWN),
        ENETUNREACH => nameof(ENETUNREACH),
        ECONNABORTED => nameof(ECONNABORTED),
        ECONNRESET => nameof(ECONNRESET),
        ENOBUFS => nameof(ENOBUFS),
        ENOTCONN => nameof(ENOTCONN),
        ETIMEDOUT => nameof(ETIMEDOUT),
        ECONNREFUSED => nameof(ECONNREFUSED),
        EHOSTDOWN => nameof(EHOSTDOWN),
        EHOSTUNREACH => nameof(EHOSTUNREACH),
        ESTALE => nameof(ESTALE),
        _ => "errno " + errno.ToString(CultureInfo.InvariantCulture),
    };
}
