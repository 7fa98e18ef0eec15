// Owns what SimLog keeps of an event: its time, its name, its level and the event itself, which a
// test compares whole.
//
// What always holds: At is the clock's time of the call.

using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>One event of the balancer's log.</summary>
public sealed class LogRecord
{
    /// <summary>When it was logged, on the balancer's clock.</summary>
    public required Instant At { get; init; }

    /// <summary>As "backend_healthy".</summary>
    public required string Name { get; init; }

    public required LogLevel Level { get; init; }

    /// <summary>One of LogEvent's, boxed.</summary>
    public required ILogEvent Event { get; init; }

    public override string ToString() => $"{At} {Event}";
}
