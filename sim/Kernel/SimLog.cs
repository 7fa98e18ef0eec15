// Owns the simulator's log: what the daemon would write as text is kept here as events with their
// virtual time, for tests to look at and for checkers to follow.
//
// What always holds: events are in the order of their calls; with Records false and nobody
// listening, nothing is kept and nothing allocated.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;

namespace Simulation.Kernel;

/// <summary>A log that keeps what is logged.</summary>
public sealed class SimLog(IClock clock) : IBalancerLog
{
    private readonly List<LogRecord> _events = [];

    /// <summary>What was logged, oldest first.</summary>
    public IReadOnlyList<LogRecord> Events => _events;

    /// <summary>Whether events are kept; true at first.</summary>
    public bool Records { get; set; } = true;

    /// <summary>
    /// Whether there is an event for each query too; false at first, since it doubles a run.
    /// </summary>
    public bool TracesQueries { get; set; }

    /// <summary>Hears each event at its time, kept or not; null for nobody.</summary>
    public Action<LogRecord>? OnLogged { get; set; }

    /// <summary>How many events of one type are kept.</summary>
    public int Count<T>() where T : struct, ILogEvent => _events.Count(kept => kept.Event is T);

    /// <summary>The kept events of one type, oldest first.</summary>
    public IEnumerable<T> Of<T>() where T : struct, ILogEvent =>
        _events.Where(kept => kept.Event is T).Select(kept => (T)kept.Event);

    /// <summary>When the events of one type were logged, oldest first.</summary>
    public IEnumerable<Instant> TimesOf<T>() where T : struct, ILogEvent =>
        _events.Where(kept => kept.Event is T).Select(kept => kept.At);

    /// <summary>The newest event of one type; throws when there is none.</summary>
    public T Last<T>() where T : struct, ILogEvent => Of<T>().Last();

    /// <summary>Forgets what was logged.</summary>
    public void Clear() => _events.Clear();

    public bool IsOn(LogLevel level) => level > LogLevel.Trace || TracesQueries;

    public void Write<TEvent>(in TEvent logged) where TEvent : struct, ILogEvent =>
        Write(in logged, TEvent.Level);

    public void WriteQuietly<TEvent>(in TEvent logged) where TEvent : struct, ILogEvent =>
        Write(in logged, LogLevel.Debug);

    private void Write<TEvent>(in TEvent logged, LogLevel level) where TEvent : struct, ILogEvent
    {
        if (!Records && OnLogged == null)
            return;
        var kept = new LogRecord
        {
            At = clock.Now,
            Name = TEvent.Name,
            Level = level,
            Event = logged,
        };
        if (Records)
            _events.Add(kept);
        OnLogged?.Invoke(kept);
    }
}
