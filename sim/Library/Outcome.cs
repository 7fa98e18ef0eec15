// Owns what a run came to, as users of the library look at it: who was answered by whom and when,
// what was logged, what was counted, and the picture of it all.
//
// What always holds: lists are in the order of time; times are virtual, from the balancer's start.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Reflection;
using Balancer.Core;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;

namespace Balancer.Simulation;

/// <summary>One datagram that a client sent, and what became of it.</summary>
/// <param name="Client">The client's address.</param>
/// <param name="AskedAt">When it was sent.</param>
/// <param name="Backend">The name of the backend that it was sent to; null for none.</param>
/// <param name="AnsweredAt">When its answer reached the client; null if none did.</param>
/// <param name="Question">The number of the client's question, from 0.</param>
/// <param name="Attempt">0 for the first datagram of the question, 1 to 3 for its retries.</param>
public sealed record Query(
    IPAddress Client, TimeSpan AskedAt, string? Backend, TimeSpan? AnsweredAt,
    int Question, int Attempt);

/// <summary>One event of the balancer's log.</summary>
/// <param name="At">When.</param>
/// <param name="Event">Its name in the log, such as backend_healthy.</param>
/// <param name="Text">All its values, for people.</param>
public sealed record LoggedEvent(TimeSpan At, string Event, string Text);

/// <summary>What a run came to.</summary>
public sealed class Outcome
{
    private readonly Story _story;
    private readonly RunResult _result;

    internal Outcome(
        SimulatedScenario scenario, Story story, RunResult result, OutcomeRecorder notes)
    {
        Scenario = scenario;
        _story = story;
        _result = result;
        Log = notes.Log;
        Counters = notes.Counters;
        Queries = [.. story.Queries.Select(query => new Query(
            IPAddress.Parse(query.From.Address.ToString()), Times.Of(query.At),
            query.Backend < 0 ? null : story.Backends[query.Backend].Name,
            query.Answered == Instant.Never ? null : Times.Of(query.Answered),
            query.Query, query.Attempt))];
    }

    /// <summary>What was run.</summary>
    public SimulatedScenario Scenario { get; }

    /// <summary>
    /// The first check that did not hold, the simulator's or one's own: its id, when, and what was
    /// seen, on one line. Null if all held.
    /// </summary>
    public string? Violation => Found is { } found
        ? string.Create(CultureInfo.InvariantCulture,
            $"{found.Check} at {Times.Of(found.At).TotalSeconds} s: {found.Evidence}")
        : null;

    /// <summary>
    /// Every datagram that clients sent, in the order of time: retries, and those that were lost on
    /// their way, included; one that a fault made come twice is listed twice.
    /// </summary>
    public IReadOnlyList<Query> Queries { get; }

    /// <summary>Those that were answered.</summary>
    public IEnumerable<Query> Answers => Queries.Where(query => query.AnsweredAt is not null);

    /// <summary>
    /// The longest time for which clients asked and nobody was answered: from a question that
    /// stayed open to the next answer that any client got, or to the last question. Zero if every
    /// question was answered at once.
    /// </summary>
    public TimeSpan LongestSilence
    {
        get
        {
            var longest = TimeSpan.Zero;
            TimeSpan? since = null;
            var marks = Queries.Select(query => (At: query.AskedAt, IsAnswer: false))
                .Concat(Answers.Select(query => (At: query.AnsweredAt!.Value, IsAnswer: true)));
            foreach (var (at, isAnswer) in marks.OrderBy(mark => mark.At)
                .ThenBy(mark => mark.IsAnswer))
            {
                since ??= at;
                longest = at - since.Value > longest ? at - since.Value : longest;
                if (isAnswer)
                    since = null;
            }
            return longest;
        }
    }

    /// <summary>The balancer's log, in the order of time.</summary>
    public IReadOnlyList<LoggedEvent> Log { get; }

    /// <summary>The balancer's counters at the end, by name, such as QueriesReceived.</summary>
    public IReadOnlyDictionary<string, long> Counters { get; }

    /// <summary>Virtual time that passed.</summary>
    public TimeSpan Time => Times.Of(Instant.Zero + _result.Time);

    /// <summary>Over every event of the run: two that are equal were the same run.</summary>
    public ulong Hash => _result.Hash;

    internal Violation? Found => _result.Violation;

    internal Instant End => Instant.Zero + _result.Time;

    /// <summary>The property of the user's that did not hold for it, in words.</summary>
    internal string? FailedProperty
    {
        get;
        set
        {
            field = value;
            // To the picture it is a check that failed when the run was over.
            _story.Result = value is null || Found is not null ? _result : _result with
            {
                Violation = new Violation(
                    SimulatedScenario.PropertyId, End, _result.Events, value),
            };
        }
    }

    /// <summary>The picture of the run: an HTML page that stands alone.</summary>
    public string Picture() => HtmlPage.Of(_story);
}

/// <summary>Virtual time as the library's users have it.</summary>
internal static class Times
{
    public static TimeSpan Of(Instant at) => TimeSpan.FromTicks(at.Nanoseconds / 100);
}

/// <summary>Notes what an outcome tells and a picture does not.</summary>
internal sealed class OutcomeRecorder : RunObserver
{
    private static readonly ConcurrentDictionary<Type, string> Names = new();

    private readonly List<LoggedEvent> _log = [];
    private readonly Dictionary<string, long> _counters = [];

    public IReadOnlyList<LoggedEvent> Log => _log;

    public IReadOnlyDictionary<string, long> Counters => _counters;

    public override void OnLogged(Instant now, ILogEvent logged) => _log.Add(Of(now, logged));

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        foreach (var counter in Enum.GetValues<Counter>())
            _counters[counter.ToString()] = core.Counters[counter];
    }

    public static LoggedEvent Of(Instant now, ILogEvent logged)
    {
        var type = logged.GetType();
        if (!Names.TryGetValue(type, out var name))
        {
            name = (string)type.GetProperty("Name", BindingFlags.Public | BindingFlags.Static)!
                .GetValue(null)!;
            Names.TryAdd(type, name);
        }
        return new LoggedEvent(Times.Of(now), name, logged.ToString()!);
    }
}
