// Claims of what the balancer says about itself: that its counters add up (S1), and that they are
// what clients and backends counted (S12).
//
// It knows by the records in its log, and compares exactly where both sides can be known: in the
// quiet before the stop, when all that was sent has arrived or has been dropped by the kernel,
// which counts that itself. Elsewhere one side bounds the other: what was on its way when somebody
// died is in one count and not in the other.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class CountChecks
{
    private const long MostOfAReply = 65_535;
    private const int MaxPayload = 1500;

    /// <summary>Counters that are in no sum.</summary>
    private static readonly HashSet<string> Alone = new(StringComparer.Ordinal)
    {
        "connections_accepted", "connections_retried", "connections_moved",
    };

    public static Violation? Sums(Observations seen)
    {
        foreach (var record in seen.Balancer.Records)
        {
            var wrong = Sum(record, "queries_", "queries_received", 0)
                ?? Sum(record, "replies_", "replies_received", 0)
                ?? Sum(record, "connections_", "connections_accepted", record.Connections);
            if (wrong is not null)
            {
                return RealChecks.Fail(
                    seen, "S1", seen.Balancer.StopAskedAt ?? seen.StartedAt, wrong);
            }
        }
        return null;
    }

    public static Violation? Accounting(Observations seen)
    {
        var wrong = Falls(seen.Balancer.Records) ?? Quiet(seen) ?? Final(seen);
        return wrong is null
            ? null
            : RealChecks.Fail(seen, "S12",
                seen.SettledAt ?? seen.Balancer.StopAskedAt ?? seen.StartedAt, wrong);
    }

    private static string? Sum(
        CounterRecord record, string group, string whole, long open)
    {
        var parts = open + record.Counters.Where(counter => counter.Key != whole
            && !Alone.Contains(counter.Key)
            && counter.Key.StartsWith(group, StringComparison.Ordinal))
            .Sum(counter => counter.Value);
        return parts == record[whole]
            ? null
            : Say($"{whole} is {record[whole]}, and what became of them adds up to {parts}");
    }

    private static string? Falls(List<CounterRecord> records)
    {
        for (var i = 1; i < records.Count; i++)
        {
            foreach (var (name, value) in records[i - 1].Counters)
            {
                if (records[i][name] < value)
                    return Say($"{name} was {value}, then {records[i][name]}");
            }
        }
        return null;
    }

    private static string? Quiet(Observations seen)
    {
        if (seen.Quiet is not { Record: { } record } quiet)
            return null;
        return NotEqual("queries_received", record["queries_received"], quiet.Sent - quiet.Lost,
                Say($"clients sent {quiet.Sent}, the kernel dropped {quiet.Lost}"))
            ?? NotEqual("connections_accepted", record["connections_accepted"], quiet.Connected,
                "so many were made")
            ?? Forwarded(seen, record);
    }

    /// <summary>
    /// As many queries are forwarded as backends read, to each and of each host, if no session
    /// ended. One that is sent again is read twice, and counts once for its host.
    /// </summary>
    private static string? Forwarded(Observations seen, CounterRecord record)
    {
        var until = seen.Balancer.StopAskedAt ?? long.MaxValue;
        var read = seen.Sessions().SelectMany(session => session.Queries,
            (session, query) => (session.Backend, query.Peer, query.At))
            .Where(query => query.At < until).ToArray();
        var isCalm = seen.Sessions().All(session => !session.IsControl
            || (session.IsHealthyAt(until) && session.Queries.All(query => query.At < until)))
            && seen.Troubles.All(trouble => trouble.What == Trouble.Starts);
        if (!isCalm)
            return null;
        return NotEqual("queries_forwarded", record["queries_forwarded"],
                read.Length - Resent(record),
                "so many were read by backends, less those sent again")
            ?? ToBackends(seen, record, read.ToLookup(query => query.Backend))
            ?? (Resent(record) > 0 ? null
                : OfRemotes(record, read.ToLookup(query => query.Peer.ToString())));
    }

    private static long Resent(CounterRecord record) =>
        record["resends_after_loss"] + record["resends_from_suspect"] + record["replies_held"];

    private static string? ToBackends<T>(
        Observations seen, CounterRecord record, ILookup<int, T> read)
    {
        foreach (var (path, told) in record.Forwarded)
        {
            var plan = seen.Scenario.Backends.FirstOrDefault(
                one => path.EndsWith("/" + one.Name, StringComparison.Ordinal));
            if (plan is not null && NotEqual($"udp_queries of {path}", told,
                read[plan.Id].Count(), "so many were read by it") is { } wrong)
                return wrong;
        }
        return null;
    }

    private static string? OfRemotes<T>(CounterRecord record, ILookup<string, T> read)
    {
        foreach (var (address, told) in record.Remotes)
        {
            if (NotEqual($"udp_forwarded of {address}", told, read[address].Count(),
                "so many were read by backends") is { } wrong)
                return wrong;
        }
        return null;
    }

    /// <summary>What holds of the last record, whatever happened.</summary>
    private static string? Final(Observations seen)
    {
        if (seen.Balancer.Records is not [.., { IsFinal: true } final])
            return null;
        var read = seen.Sessions().Sum(session => session.Queries.Count);
        var replies = seen.Sessions().SelectMany(session => session.Replies)
            .Where(reply => reply.Length <= MostOfAReply).ToArray();
        // Others must have been dropped: no such port, too long, or to a host that never asked.
        var hosts = seen.Sent.Select(datagram => datagram.From.Address).ToHashSet();
        var unseen = replies.Count(reply => reply.Port is > 0 and <= ushort.MaxValue
            && reply.Length <= MaxPayload && hosts.Contains(reply.Peer)
            && !seen.Read.Contains(new Endpoint(reply.Peer, (ushort)reply.Port)));
        // What a backend sends to where probes come from, and answers none, is a reply.
        var probed = seen.Sessions().Sum(session => session.ProbeAnswers.Count);
        // Its own answers go to clients as well.
        var own = final["own_answers_sent"];
        return Above("queries_received", final["queries_received"], seen.Sent.Count, "were sent")
            ?? Below("queries_forwarded", final["queries_forwarded"], read - Resent(final),
                "were read by backends, less those sent again")
            ?? Above("replies_received", final["replies_received"], replies.Length + probed,
                "were given by backends")
            ?? Below("replies_sent", final["replies_sent"] + own, seen.Got.Count,
                "reached clients")
            ?? Above("replies_sent", final["replies_sent"] + own, seen.Got.Count + unseen + own,
                "reached clients or went where nobody looks");
    }

    private static string? NotEqual(string name, long told, long counted, string how) =>
        told == counted ? null : Say($"{name} is {told}; counted from outside {counted}: {how}");

    private static string? Above(string name, long told, long counted, string how) =>
        told <= counted ? null : Say($"{name} is {told}, and only {counted} {how}");

    private static string? Below(string name, long told, long counted, string how) =>
        told >= counted ? null : Say($"{name} is {told}, and {counted} {how}");

    private static string Say(FormattableString text) => FormattableString.Invariant(text);
}
