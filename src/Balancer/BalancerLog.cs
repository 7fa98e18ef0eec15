// Owns the way from an event to a record: whether its level is on, its words (EventWords), and its
// time, which is the moment of the call.
//
// What always holds: a level is asked about before anything is formatted, boxed or timed; no call
// blocks, or throws but for an event without words (LogOutput sees to that): a record that there is
// no memory for is lost, and counted as such; each record carries the name of its event.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Serilog;
using Serilog.Events;
using Serilog.Parsing;
using SerilogEvent = Serilog.Events.LogEvent;

namespace Balancer;

/// <summary>The daemon's IBalancerLog.</summary>
/// <param name="logger">Where records go; must not block.</param>
/// <param name="wallClock">What records are dated by.</param>
/// <param name="lose">Counts a record as lost.</param>
public sealed class BalancerLog(ILogger logger, TimeProvider wallClock, Action lose)
    : IBalancerLog
{
    /// <summary>The field that an event's name is in.</summary>
    public const string EventField = "event";

    public bool IsOn(LogLevel level) => logger.IsEnabled(LevelOf(level));

    public void Write<TEvent>(in TEvent logged) where TEvent : struct, ILogEvent =>
        Write(in logged, null);

    public void WriteQuietly<TEvent>(in TEvent logged) where TEvent : struct, ILogEvent
    {
        if (logger.IsEnabled(LogEventLevel.Debug))
            WriteRecord(in logged, null, LogLevel.Debug);
    }

    /// <summary>Logs an event with the exception that it comes from, for us.</summary>
    public void Write<TEvent>(in TEvent logged, Exception? exception)
        where TEvent : struct, ILogEvent
    {
        if (logger.IsEnabled(LevelOf(TEvent.Level)))
            WriteRecord(in logged, exception, TEvent.Level);
    }

    private void WriteRecord<TEvent>(in TEvent logged, Exception? exception, LogLevel level)
        where TEvent : struct, ILogEvent
    {
        try
        {
            logger.Write(Record(in logged, wallClock.GetUtcNow(), exception, level));
        }
        catch (OutOfMemoryException)
        {
            lose();
        }
    }

    /// <summary>An event as Serilog has it.</summary>
    internal static SerilogEvent Record<TEvent>(
        in TEvent logged, DateTimeOffset at, Exception? exception = null, LogLevel? level = null)
        where TEvent : struct, ILogEvent
    {
        var words = EventWords.Of(in logged);
        var properties = new List<LogEventProperty>(words.Fields.Count + 1)
        {
            new(EventField, new ScalarValue(TEvent.Name)),
        };
        foreach (var (name, value) in words.Fields)
            properties.Add(new LogEventProperty(name, new ScalarValue(value)));
        // The sentence is whole already: one token, so that a brace in a path is only a brace.
        return new SerilogEvent(at, LevelOf(level ?? TEvent.Level), exception,
            new MessageTemplate(words.Sentence, [new TextToken(words.Sentence)]), properties);
    }

    /// <summary>Serilog's name of a level.</summary>
    public static LogEventLevel LevelOf(LogLevel level) => level switch
    {
        LogLevel.Trace => LogEventLevel.Verbose,
        LogLevel.Debug => LogEventLevel.Debug,
        LogLevel.Info => LogEventLevel.Information,
        LogLevel.Warn => LogEventLevel.Warning,
        LogLevel.Error => LogEventLevel.Error,
        _ => LogEventLevel.Fatal,
    };
}
