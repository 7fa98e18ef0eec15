// Owns the numbers that Linux would have put into errno. Only logs and tests look at them; they are
// here so that a simulated log line reads like a real one.

using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>Linux's errno values, as on x64 and arm64.</summary>
internal static class Errnos
{
    public const int Enoent = 2;
    public const int Eagain = 11;
    public const int Eacces = 13;
    public const int Einval = 22;
    public const int Emfile = 24;
    public const int Epipe = 32;
    public const int Eloop = 40;
    public const int Eprototype = 91;
    public const int Enetunreach = 101;
    public const int Econnrefused = 111;

    /// <summary>The usual errno of a status, 0 for those that have none.</summary>
    public static int Of(IoStatus status) => status switch
    {
        IoStatus.WouldBlock => Eagain,
        IoStatus.NotFound => Enoent,
        IoStatus.Refused => Econnrefused,
        IoStatus.Reset => 104,
        IoStatus.BrokenPipe => Epipe,
        IoStatus.Aborted => 103,
        IoStatus.TooManyFiles => Emfile,
        IoStatus.NoBuffers => 105,
        IoStatus.AccessDenied => Eacces,
        IoStatus.InvalidArgument => Einval,
        IoStatus.Unreachable => 113,
        IoStatus.MessageTooLong => 90,
        IoStatus.WrongType => Eprototype,
        IoStatus.TimedOut => 110,
        IoStatus.Other => 5,
        _ => 0,
    };
}
