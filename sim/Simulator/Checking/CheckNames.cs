// Owns what the ids of checks stand for, in words for people: a name, the rule in a line, and how
// much time the rule is about. A command takes a check by its id or by its name.
//
// What always holds: an id that is not known is shown as itself; no two checks have one name.

using System;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;

namespace Simulation.Checking;

/// <summary>The checks in words.</summary>
public static class CheckNames
{
    private static readonly ImmutableArray<Entry> All =
    [
        new("S1", "conservation", "every query, reply and connection is in exactly one place"),
        new("S2", "routing", "primary if healthy, else backup, else the next healthy, else a drop"),
        new("S3", "stickiness", "a primary changes only by expiry, removal or a due rebalance"),
        new("S4", "assignment", "a backend's count of remotes equals a recount"),
        new("S5", "no-invention", "what is sent is a whole reply of a live session to who asked"),
        new("S6", "decoder", "frames do not depend on chunks, nor sessions on older ones"),
        new("S7", "streams", "what arrives is a prefix of what was sent, ends after all bytes"),
        new("S8", "heartbeats", "one at a time, 5 s after an answer, a fault after 15 s"),
        new("S9", "back-off", "scans when due; connects at 0, 1, 3 … 32 s; hello resets"),
        new("S10", "bounds", "queues, remotes, descriptors and timers stay within their limits"),
        new("S11", "attribution", "every fault names evidence of the present generation"),
        new("S12", "accounting", "every counter and log record equals a recount"),
        new("S13", "survival", "nothing from outside ends the process"),
        new("S14", "attention", "the loop is woken for all that it waits for, and nothing else"),
        new("S15", "stop", "5 s for what is under way, nothing open in the end, no time wasted"),
        new("S16", "resends", "a query goes to two backends at most, and one reply comes back"),
        new("S17", "nothing-lost", "what a good backend can answer is answered within 250 ms"),
        new("S18", "shares", "a client that asks little loses nothing to one that floods"),
        new("S19", "one-culprit", "what ended or hung two backends is refused from then on"),
        new("L1", "answers", "a client that retries is answered within 22 s"),
        new("L2", "recovery", "a core backend is healthy within 65 s"),
        new("L3", "connections", "a connection is answered or closed within its time-outs"),
        new("L4", "balance", "n rebalances even n backends out, and then nothing moves"),
        new("L5", "rest", "an idle system settles to its timers"),
        new("L6", "coverage", "every fault and every reaction of the core happens"),
    ];

    private sealed record Entry(string Id, string Name, string Rule);

    /// <summary>All ids: S1 to S19, L1 to L6.</summary>
    public static ImmutableArray<string> Ids { get; } = [.. All.Select(check => check.Id)];

    public static string Of(string check) => WithId(check).Name;

    public static string Rule(string check) => WithId(check).Rule;

    /// <summary>The id of a check given by id or name, in any case; null for none.</summary>
    public static string? Find(string word) => All.FirstOrDefault(check =>
        word.Equals(check.Id, StringComparison.OrdinalIgnoreCase)
        || word.Equals(check.Name, StringComparison.OrdinalIgnoreCase))?.Id;

    /// <summary>How much of what came before a violation explains it.</summary>
    public static Duration LooksBack(string check) => Duration.FromSeconds(check switch
    {
        "S8" => 20L,
        "S9" => 40,
        "S19" => 65,
        "L1" => 25,
        "L2" or "L3" or "L4" or "L5" => 70,
        _ => 5,
    });

    private static Entry WithId(string check) => All.FirstOrDefault(entry => entry.Id == check)
        ?? new Entry(check, check, "what the evidence says");
}
