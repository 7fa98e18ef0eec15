// The seam to the log: one method for all events. An event is a value (LogEvent.cs has those of the
// core); the daemon writes it as a record of text, the simulator keeps it for the checks to read.
//
// What always holds: Write neither blocks nor throws, and looks at the level before it formats or
// dates anything, so an event that is off costs a call and no memory; and no implementation in
// production boxes one that is on.

namespace Balancer.Core;

/// <summary>How much an event matters; the numbers are Bunyan's.</summary>
public enum LogLevel
{
    /// <summary>What comes with each query or heartbeat.</summary>
    Trace = 10,

    /// <summary>What clients do: one client cannot fill a disk at the default level.</summary>
    Debug = 20,

    /// <summary>What an operator does, and the life of backends.</summary>
    Info = 30,

    /// <summary>What may be meant or may not.</summary>
    Warn = 40,

    /// <summary>What an operator should look at.</summary>
    Error = 50,

    /// <summary>The process ends.</summary>
    Fatal = 60,
}

/// <summary>What can be logged; each implementation is a readonly struct.</summary>
public interface ILogEvent
{
    /// <summary>What filters and monitors know it by, as "backend_healthy".</summary>
    static abstract string Name { get; }

    /// <summary>How much it matters, unless there are too many (WriteQuietly).</summary>
    static abstract LogLevel Level { get; }
}

/// <summary>
/// An event about a condition that repeats: one record may speak of several times.
/// </summary>
public interface IRepeatedEvent<TSelf> : ILogEvent where TSelf : struct
{
    /// <summary>The same, with how many similar ones it speaks of besides.</summary>
    TSelf WithSuppressed(long suppressed);
}

/// <summary>Where the core logs what happened.</summary>
public interface IBalancerLog
{
    /// <summary>
    /// Whether a level is on: asked before an event that comes with each query is even made.
    /// </summary>
    bool IsOn(LogLevel level);

    /// <summary>Logs an event if its level is on.</summary>
    void Write<TEvent>(in TEvent logged) where TEvent : struct, ILogEvent;

    /// <summary>Logs an event as one of the level debug, whatever its own is.</summary>
    void WriteQuietly<TEvent>(in TEvent logged) where TEvent : struct, ILogEvent;
}
