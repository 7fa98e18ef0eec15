// Owns which rule of the specification a failure is about, in the words of docs/behaviour.md: a
// person who does not know the rule that was broken cannot tell why the core is wrong. A check has
// many rules; which one it was follows from the words of its evidence.
//
// What always holds: a sentence stands in the specification, in the section that is named, word for
// word; a test sees to it. The first row that fits is taken, so one that fits everything of its
// check comes last.

using System;
using System.Collections.Immutable;
using System.Linq;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Checking;

/// <summary>A rule of the specification, as it stands there.</summary>
/// <param name="Place">Its section, and the paragraph's title if it has one.</param>
/// <param name="Sentence">Its words.</param>
public sealed record SpecifiedRule(string Place, string Sentence);

/// <summary>Finds the rule that a failure is about.</summary>
public static class SpecifiedRules
{
    private sealed record Row(string Check, string Evidence, string Place, string Sentence);

    private static readonly ImmutableArray<Row> Rows =
    [
        new("S8", "was sent no heartbeat", "section 3, \"Suspect\"",
            "a backend that is healthy or draining and says nothing is asked for a "
                + "heartbeat; if it says nothing to that either, it is *suspect*"),
        new("S8", "heartbeat", "section 3, \"Heartbeats\"",
            "5 s after the hello a heartbeat is sent; its answer must come within 15 s; the "
                + "next one follows 5 s after the answer."),
        new("S8", "probe", "section 3, \"Probes\"",
            "each backend is asked for the name, type A, at its hello and then every second, "
                + "by a query with a new id on its own session"),
        new("S8", "", "section 3, \"Heartbeats\"",
            "5 s after the hello a heartbeat is sent; its answer must come within 15 s; the "
                + "next one follows 5 s after the answer."),
        new("S9", "backs off", "section 3, \"Faults and back-off\"",
            "The next connect comes after the back-off: 1 s, then 3, 5, … up to 32 s. A "
                + "SERVER_HELLO resets it to 1 s."),
        new("S9", "was found by a scan", "section 3, \"Connect\"",
            "A new backend is connected to at once."),
        new("S9", "connected to", "section 3, \"Faults and back-off\"",
            "The next connect comes after the back-off: 1 s, then 3, 5, … up to 32 s. A "
                + "SERVER_HELLO resets it to 1 s."),
        new("S9", "scan", "section 3, \"Scans\"",
            "The directory is scanned at start, every 5 s, and at once on SIGHUP."),
        new("S9", "", "section 3, \"Faults and back-off\"",
            "The next connect comes after the back-off: 1 s, then 3, 5, … up to 32 s. A "
                + "SERVER_HELLO resets it to 1 s."),
        new("S7", "kept back", "section 6",
            "A message is kept back until all that was passed on before it is answered."),
        new("S7", "it still waits for", "section 6",
            "a connection that waits for INBOUND_TCP_OK of a backend that is suspect, or "
                + "whose control session has ended, is tried at another one"),
        new("S7", "another backend was not asked", "section 6",
            "a backend that answers heartbeats but does not send INBOUND_TCP_OK within 1 s "
                + "is left for another one that is not worse and was not asked, if there is one"),
        new("S7", "before INBOUND_TCP_OK", "section 6",
            "After its first bytes the client is not read before INBOUND_TCP_OK, and the "
                + "backend not before it has all of INBOUND_TCP."),
        new("S7", "gave way", "section 6",
            "Then each one that is accepted has another give way: the one without activity, "
                + "as above, for the longest time, if that is a second or more"),
        new("S7", "message is refused", "section 6",
            "if a question is refused when it would be passed on, none of it is"),
        new("S7", "wait", "section 6",
            "bytes that wait in each direction | 16 KB | none: nothing more is read from the "
                + "other side"),
        new("S10", "datagrams were received", "section 5",
            "A turn takes up to two batches of 64 datagrams."),
        new("S10", "connections were accepted", "section 6",
            "A turn accepts up to 16 connections."),
        new("S10", "a check was due", "section 4",
            "A remote not heard from for 300 s is forgotten. That is checked every 30 s."),
        new("S10", "is remembered after a silence", "section 4",
            "A remote not heard from for 300 s is forgotten. That is checked every 30 s."),
        new("S10", "newcomers", "section 4, \"Newcomers\"",
            "At most a quarter of the remotes are newcomers."),
        new("S10", "does not read", "section 6",
            "the one goes of which that is so for the longest time"),
        new("S10", "was replaced at", "section 3, \"Restarted\"",
            "no more queries are sent on it, but its replies are delivered until it ends, "
                + "breaks the protocol, or 15 s have passed."),
        new("S10", "is removed since", "section 3, \"Removed and forgotten\"",
            "a backend that has been removed for 300 s and has no remotes bound to it is "
                + "forgotten, and its id is free."),
        new("S10", "bytes wait for", "section 3, \"Stuck\"",
            "Queries for a backend wait in a queue of 256 KB, in addition to what the kernel "
                + "buffers."),
        new("S3", "rebalance", "section 4, \"Rebalance\"",
            "Every 15 s, over the n healthy backends: if (most remotes − fewest remotes) > "
                + "n, some remotes of the fullest backend are bound to others."),
        new("S3", "was taken from", "section 4, \"Rebalance\"",
            "Only remotes that were answered, or connected over TCP, in the last minute are "
                + "moved, those bound last first, and none twice in a minute"),
        new("S3", "was evicted", "section 4, \"Newcomers\"",
            "When there are as many, the one that is silent for longest makes room for the "
                + "next"),
        new("S3", "was forgotten", "section 4",
            "A remote not heard from for 300 s is forgotten. That is checked every 30 s."),
        new("S3", "called unlinked", "section 3, \"Scans\"",
            "If a directory cannot be read, or not to its end, the scan proves nothing, and "
                + "no backend is removed because of it."),
        new("S3", "", "section 4",
            "a healthy primary | the primary; its backup is forgotten"),
        new("S5", "asked for it", "section 5, \"In flight\"",
            "A reply that answers no query is dropped and counted"),
        new("S5", "", "section 5, \"In flight\"",
            "A reply answers a query on its own session that came from the same address and "
                + "port with the same id"),
        new("S6", "", "section 3, \"Faults and back-off\"",
            "A fault (listed in [protocol.md, section 2](protocol.md#2-the-control-session)) "
                + "closes the session."),
        new("S4", "", "section 4, \"Rebalance\"",
            "only established remotes count."),
        new("S16", "suspect backends were sent again", "section 5, \"A suspect backend\"",
            "at most a tenth of the queries that were forwarded in the last 10 s, or 200 if "
                + "that is more, are sent again in 10 s"),
        new("S16", "replies with the id", "section 5, \"A suspect backend\"",
            "The first reply counts, whichever backend sends it; the other is dropped and "
                + "counted"),
        new("S16", "", "section 5, \"A session that ends\"",
            "So no query is ever sent to more than two backends."),
        new("S1", "queries answered, in flight", "section 5, \"In flight\"",
            "Every forwarded query is answered, or in one of the counters `unanswered_…`, or "
                + "still in flight."),
        new("S1", "", "section 5",
            "Each is checked in this order; the first reason that applies drops and counts it"),
        new("S2", "connection", "section 6",
            "The backend is chosen as for UDP (section 4), but never one that is draining."),
        new("S2", "", "section 4",
            "no primary | the next healthy backend, round robin in id order after the one "
                + "last chosen"),
        new("S17", "whose session has ended", "section 5, \"A session that ends\"",
            "its queries in flight, sent or still queued, are sent once more, 20 ms later, "
                + "to where the policy sends their client then."),
        new("S17", "suspect", "section 5, \"A suspect backend\"",
            "when a backend becomes suspect (section 3), its queries in flight are sent once "
                + "more in the same way, and stay in flight on it"),
        new("S17", "", "section 3, \"Suspect\"",
            "no client goes to it while another backend can be chosen that is not suspect, "
                + "and its queries in flight are sent to others (section 5)."),
        new("S18", "", "section 5, \"A backend that is behind\"",
            "Then a new query is dropped if its client has 16 or more in flight there, and "
                + "more than the average would be of the clients that have any and of one more."),
        new("S19", "hangs", "section 5, \"Hangs\"",
            "So a query that hangs backends takes two: the one that its client was sent to, "
                + "and the one that was sent the copy"),
        new("S19", "", "section 5, \"Quarantine\"",
            "a query that ends the backend it meets is sent to a second one and ends that "
                + "too. So such a query is refused"),
        new("L1", "", "section 4",
            "a primary that is not healthy | the backup if that is healthy, else the next "
                + "healthy one, which becomes its backup"),
        new("L2", "", "section 3, \"Faults and back-off\"",
            "The next connect comes after the back-off: 1 s, then 3, 5, … up to 32 s. A "
                + "SERVER_HELLO resets it to 1 s."),
        new("L4", "", "section 4, \"Rebalance\"",
            "What the fullest has above an even share, rounded up, is moved, one by one to "
                + "the backend that has the fewest then, so one pass is enough."),
        new("S15", "asked for again", "section 7",
            "A second signal goes to step 3 at once."),
        new("S15", "listener", "section 7",
            "Connections that wait to be accepted are accepted, at most as many as can wait, "
                + "and then the listener is closed"),
        new("S15", "queries are still taken", "section 7",
            "When no connection is left, or at the latest 1 s before the 5 s are over (of "
                + "less than 2 s, for the second half), no more queries are accepted."),
        new("S15", "is unanswered", "section 7",
            "When every query in flight is answered, or after 5 s, the replies that backends "
                + "have written by then are sent, and everything is closed."),
        new("S15", "nothing is left", "section 7",
            "When every query in flight is answered, or after 5 s, the replies that backends "
                + "have written by then are sent, and everything is closed."),
        new("S15", "", "section 7",
            "**SIGTERM and SIGINT** ask for an orderly stop, which takes at most 5 s "
                + "(`--stop-time`)"),
        new("S14", "receiving failed", "section 5",
            "When receiving fails twice in a row, the UDP socket is not read for 10 ms."),
        new("L3", "", "section 6",
            "from the client's first byte to INBOUND_TCP_OK, all tries included | 10 s"),
    ];

    /// <summary>All of them.</summary>
    public static ImmutableArray<SpecifiedRule> All { get; } =
        [.. Rows.Select(row => new SpecifiedRule(row.Place, row.Sentence)).Distinct()];

    /// <summary>The rule that a violation is about; null if its check has none here.</summary>
    public static SpecifiedRule? Of(Violation violation) => Rows
        .Where(row => row.Check == violation.Check && violation.Evidence.Contains(
            row.Evidence, StringComparison.Ordinal))
        .Select(row => new SpecifiedRule(row.Place, row.Sentence))
        .FirstOrDefault();
}
