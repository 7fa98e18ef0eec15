// Owns the events that the daemon logs beside the core's: what goes wrong before the core runs, and
// what ends the process.
//
// What always holds: what LogEvent.cs says of names and levels.

using Balancer.Core;

namespace Balancer;

/// <summary>The daemon's own events.</summary>
public static class DaemonEvent
{
    /// <summary>Something is not as it should be, and the balancer goes on without it.</summary>
    public readonly record struct StartupWarning(string Warning) : ILogEvent
    {
        public static string Name => "startup_warning";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>
    /// The limit of open files leaves room for fewer TCP connections than the options allow. They
    /// take two descriptors each; Reserve is the rest of the limit.
    /// </summary>
    public readonly record struct DescriptorLimit(long Limit, int Connections, long Reserve)
        : ILogEvent
    {
        public static string Name => "descriptor_limit";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// The memory leaves room for fewer remotes than Limits.MaxRemotes, or fewer TCP connections,
    /// or fewer of which a side does not read, than the options allow.
    /// </summary>
    public readonly record struct MemoryLimit(
        long Limit, int Remotes, int Connections, int NotReading) : ILogEvent
    {
        public static string Name => "memory_limit";
        public static LogLevel Level => LogLevel.Info;
    }

    /// <summary>
    /// An operator asked for more TCP connections than open files or memory leave room for.
    /// </summary>
    public readonly record struct TcpConnectionsLowered(int Asked, int Connections) : ILogEvent
    {
        public static string Name => "tcp_connections_lowered";
        public static LogLevel Level => LogLevel.Warn;
    }

    /// <summary>The process cannot start, and ends.</summary>
    public readonly record struct CannotStart(string Why) : ILogEvent
    {
        public static string Name => "cannot_start";
        public static LogLevel Level => LogLevel.Fatal;
    }

    /// <summary>The process found a mistake of its own, and ends.</summary>
    public readonly record struct Bug(string Message) : ILogEvent
    {
        public static string Name => "bug";
        public static LogLevel Level => LogLevel.Fatal;
    }

    /// <summary>Lines that nobody read in time, or that could not be written.</summary>
    public readonly record struct LogLinesLost(long Lost) : ILogEvent
    {
        public static string Name => "log_lines_lost";
        public static LogLevel Level => LogLevel.Warn;
    }
}
