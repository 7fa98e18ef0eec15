// Owns what a run came to, as users of the library look at it: who was answered by whom and when,
// what was logged, what was counted, and the picture of it all.
//
// What always holds: lists are in the order of time; times are virtual, from the balancer's start.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Collections.Immutable;
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
/// <param name="Backend">
/// The name of the backend that it was sent to first; null for none.
/// </param>
/// <param name="AnsweredAt">When its answer reached the client; null if none did.</param>
/// <param name="Question">The number of the client's question, from 0.</param>
/// <param name="Attempt">0 for the first datagram of the question, 1 to 3 for its retries.</param>
/// <param name="AnsweredBy">
/// The name of the backend that gave the answer, which is another one than Backend if the query was
/// sent again; null for an answer of the balancer's own, and for none.
/// </param>
/// <param name="ResponseCode">
/// The answer's error as DNS numbers it, 0 for none; null if no answer reached the client. Of what
/// is not of kind question, neither this nor AnsweredBy is known.
/// </param>
public sealed record Query(
    IPAddress Client, TimeSpan AskedAt, string? Backend, TimeSpan? AnsweredAt,
    int Question, int Attempt, string? AnsweredBy, int? ResponseCode);

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
    private readonly IdleFaults _idle;

    internal Outcome(
        SimulatedScenario scenario, Story story, RunResult result, OutcomeRecorder notes,
        AnswerOrigins origins, IdleFaults idle)
    {
        _idle = idle;
        Scenario = scenario;
        _story = story;
        _result = result;
        Log = notes.Log;
        Counters = notes.Counters;
        Queries = [.. story.Queries.Select(query =>
        {
            // The balancer answers some by itself, which the picture does not follow.
            var origin = query.Answered == Instant.Never
                ? origins.OwnSince(query.Client, query.Query, query.Received)
                : origins.At(query.Client, query.Query, query.Answered);
            var answered = Instant.Min(query.Answered, origin?.At ?? Instant.Never);
            return new Query(Addresses.Of(query.From.Address), Times.Of(query.At),
                query.Backend < 0 ? null : story.Backends[query.Backend].Name,
                answered == Instant.Never ? null : Times.Of(answered),
                query.Query, query.Attempt, origin?.Backend, origin?.Code);
        })];
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

    /// <summary>
    /// The balancer's counters at the end, by their names in docs/operating/counters.md, such as
    /// queries_received; QueriesReceived is found as well.
    /// </summary>
    public IReadOnlyDictionary<string, long> Counters { get; }

    /// <summary>
    /// A line for each fault without which the run is the same: it tests nothing. Found out when it
    /// is asked for, with one more run for each fault; empty for a scenario with more than 20
    /// faults, and for a run that a check ended.
    /// </summary>
    public IReadOnlyList<string> IneffectiveFaults =>
        field ??= Found is null ? [.. _idle.Of(Scenario.Plan)] : [];

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

/// <summary>Addresses as the library's users have them.</summary>
internal static class Addresses
{
    public static IPAddress Of(Ipv4 address) => IPAddress.Parse(address.ToString());
}

/// <summary>
/// The names of counters: as the log has them, and found without underscores and in any case.
/// </summary>
internal sealed class CounterNames : IEqualityComparer<string>
{
    private static readonly ImmutableArray<string> All =
        [.. Enum.GetValues<Counter>().Select(counter => Of(counter.ToString()))];

    public static string Of(Counter counter) => All[(int)counter];

    public bool Equals(string? one, string? other) => string.Equals(
        Bare(one), Bare(other), StringComparison.OrdinalIgnoreCase);

    public int GetHashCode(string name) =>
        Bare(name)!.GetHashCode(StringComparison.OrdinalIgnoreCase);

    private static string? Bare(string? name) =>
        name?.Replace("_", "", StringComparison.Ordinal);

    private static string Of(string name) => string.Concat(name.Select((letter, at) =>
        (at > 0 && char.IsUpper(letter) ? "_" : "") + char.ToLowerInvariant(letter)));
}

/// <summary>Notes what is in an outcome and not in a picture.</summary>
internal sealed class OutcomeRecorder : RunObserver
{
    private static readonly ConcurrentDictionary<Type, string> Names = new();

    private readonly List<LoggedEvent> _log = [];
    private readonly Dictionary<string, long> _counters = new(new CounterNames());

    public IReadOnlyList<LoggedEvent> Log => _log;

    public IReadOnlyDictionary<string, long> Counters => _counters;

    public override void OnLogged(Instant now, ILogEvent logged) => _log.Add(Of(now, logged));

    public override void OnTurnEnded(Instant now, LoadBalancer core)
    {
        foreach (var counter in Enum.GetValues<Counter>())
            _counters[CounterNames.Of(counter)] = core.Counters[counter];
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
