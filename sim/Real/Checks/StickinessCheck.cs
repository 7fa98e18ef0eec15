// Claims that a client host stays with its backend (S3): it meets another only with a reason, and
// comes back when its own is healthy again.
//
// A reason is what changed between the host's last query at the one and its first at the other: a
// session of one of the two began or ended, or its warm-up did, or another process took its path; a
// rebalance; five minutes of silence; that a backend became suspect or was trusted again, or was
// down by probe or up again. A third
// backend is a reason when its path was taken away and what it still had ended, for the host may
// have been bound to that one, have met a backup, and be bound again; and when the host went to it
// in between, as it does when its own is well for so long, and then needs another backup: over
// TCP, or with a query that it took with it when it ended. Where a process may have been hung, what
// its journal tells comes late; then, and while the balancer stood still or could not read the
// directory, a host may go where it likes.
//
// That it comes back is claimed where it is plain whose the host is: it met one backend before
// anything happened to any and while none warmed up, and nothing since could have bound it to
// another.
//
// It knows by which backend read each query or was given a connection, and by the sessions in the
// journals. A rebalance, and who is suspect, is told in the log at every level; where the log
// cannot be read, a rebalance may have taken place once the first was due, and anybody may be
// suspect.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Real.Checks;

internal static class StickinessCheck
{
    private const long Second = 1_000_000_000;

    /// <summary>From a change to its effect: a wait, a hello, a busy machine.</summary>
    public const long EffectNs = 3 * Second;

    /// <summary>Journals of two backends are this much apart at most.</summary>
    private const long SkewNs = 2 * Second;

    /// <summary>Until a connect finds that a path is gone: the longest back-off.</summary>
    private const long LongestBackOffNs = 35 * Second;

    private readonly record struct Meeting(long At, int Backend);

    public static Violation? Judge(Observations seen)
    {
        var hosts = new SortedDictionary<uint, List<Meeting>>();
        foreach (var session in seen.Sessions())
        {
            foreach (var query in session.Queries)
            {
                if (!hosts.TryGetValue(query.Peer.Value, out var met))
                    hosts[query.Peer.Value] = met = [];
                met.Add(new Meeting(query.At, session.Backend));
            }
        }
        foreach (var (host, met) in hosts)
        {
            Meeting[] inOrder = [.. met.OrderBy(one => one.At)];
            var found = Moves(seen, new Ipv4(host), inOrder, OverTcp(seen, new Ipv4(host)))
                ?? ComesBack(seen, new Ipv4(host), inOrder);
            if (found is not null)
                return found;
        }
        return null;
    }

    /// <summary>
    /// Where the host's connections went, -1 for one that no backend got; both when they were made
    /// and when the backend took them, which may be long after it was chosen.
    /// </summary>
    private static Meeting[] OverTcp(Observations seen, Ipv4 host)
    {
        var given = seen.Sessions().Where(session => session.Client?.Address == host)
            .ToLookup(session => session.Client, session => session.Backend);
        return
        [
            .. seen.Sessions().Where(session => session.Client?.Address == host)
                .Select(session => new Meeting(session.AcceptedAt, session.Backend)),
            .. seen.Connections
                .Where(connection => connection.WasConnected && connection.From.Address == host)
                .SelectMany(connection => given[connection.From].DefaultIfEmpty(-1),
                    (connection, backend) => new Meeting(connection.ConnectedAt, backend)),
        ];
    }

    private static Violation? Moves(
        Observations seen, Ipv4 host, Meeting[] met, Meeting[] overTcp)
    {
        for (var i = 1; i < met.Length; i++)
        {
            var (before, after) = (met[i - 1], met[i]);
            if (before.Backend == after.Backend || HasReason(seen, host, overTcp, before, after))
                continue;
            return RealChecks.Fail(seen, "S3", after.At,
                $"{host} met backend {RealChecks.Name(seen, before.Backend)} at "
                + $"{RealChecks.Moment(seen, before.At)} and "
                + $"{RealChecks.Name(seen, after.Backend)} at "
                + $"{RealChecks.Moment(seen, after.At)}; nothing was wrong with either",
                after.Backend);
        }
        return null;
    }

    private static bool HasReason(
        Observations seen, Ipv4 host, Meeting[] overTcp, Meeting before, Meeting after)
    {
        var from = before.At - EffectNs;
        var until = after.At + SkewNs;
        bool IsBetween(long at) => at >= from && at <= until;
        int[] met =
        [
            before.Backend, after.Backend,
            .. overTcp.Where(one => IsBetween(one.At)).Select(one => one.Backend),
        ];
        return after.At - before.At > SpecifiedLimits.RemoteExpiry.Nanoseconds - Second
            || MayHaveRebalanced(seen, from, until)
            || MayHaveSuspected(seen, from, until)
            || met.Contains(-1)
            || met.SelectMany(backend => Changes(seen, backend)).Any(IsBetween)
            || seen.Troubles.Any(trouble => trouble.Until >= from && trouble.From <= until
                && (IsBlinding(trouble) || (trouble.Kind is RealFaultKind.Rebind
                    && met.Contains(trouble.Backend))))
            || MayHaveBeenBoundAnew(seen, from, until)
            || (HasLostAQuery(seen, host, from, after.At) && seen.Scenario.Backends
                .SelectMany(plan => Changes(seen, plan.Id)).Any(IsBetween));
    }

    /// <summary>
    /// Whether a connect may have found a path gone: after it was taken away, or after the end of
    /// what the backend still had.
    /// </summary>
    private static bool MayHaveBeenBoundAnew(Observations seen, long from, long until) =>
        seen.Troubles.Any(taken => TakesPathAway(taken) && seen.Processes
            .Where(process => process.Backend == taken.Backend && process.StartedAt <= taken.From)
            .SelectMany(Ends).Where(end => end >= taken.From).Append(taken.From)
            .Any(at => at <= until
                && at >= from - (IsHealthy(seen, taken) ? 0 : LongestBackOffNs)));

    /// <summary>Whether no backend read a query that the host sent in that time.</summary>
    private static bool HasLostAQuery(Observations seen, Ipv4 host, long from, long until)
    {
        var read = seen.Sessions().SelectMany(session => session.Queries)
            .Where(query => query.Peer == host && query.At <= until + SkewNs)
            .ToLookup(query => DatagramKey.Of(host, query.Port, query.Payload));
        // The same may have been sent before, so all that were are counted.
        return seen.Sent.Where(sent => sent.From.Address == host && sent.At <= until)
            .GroupBy(sent => DatagramKey.Of(host, sent.From.Port, sent.Payload))
            .Any(same => same.Any(sent => sent.At >= from)
                && same.Count() > read[same.Key].Count());
    }

    /// <summary>When sessions and processes of a backend began, became warm, and ended.</summary>
    private static IEnumerable<long> Changes(Observations seen, int backend)
    {
        foreach (var process in seen.Processes.Where(process => process.Backend == backend))
        {
            yield return process.StartedAt;
            foreach (var end in Ends(process))
                yield return end;
            foreach (var session in process.Sessions.Where(session => session.IsControl))
            {
                yield return session.AcceptedAt;
                if (session.HelloAt is { } hello)
                    yield return hello;
                if (seen.WarmAt(session) is { } warm)
                    yield return warm;
            }
        }
    }

    /// <summary>When a process and its control sessions ended.</summary>
    private static IEnumerable<long> Ends(ObservedProcess process)
    {
        if (process.EndedAt is { } died)
            yield return died;
        foreach (var session in process.Sessions.Where(session => session.IsControl))
        {
            if (session.PeerEndedAt is { } ended)
                yield return ended;
            if (session.OverAt is { } over)
                yield return over;
        }
    }

    private static bool IsBlinding(Trouble trouble) =>
        trouble.What is Trouble.Hangs or Trouble.StoodStill
        || trouble.Kind is RealFaultKind.Pause or RealFaultKind.Stall
            or RealFaultKind.DirectoryGone or RealFaultKind.DirectoryUnreadable;

    private static bool TakesPathAway(Trouble trouble) =>
        trouble.Kind is RealFaultKind.Stop or RealFaultKind.Unlink;

    private static bool IsHealthy(Observations seen, Trouble trouble) =>
        seen.HealthyThrough(trouble.Backend, trouble.From, trouble.From) is not null;

    private static bool MayHaveRebalanced(Observations seen, long from, long until) =>
        seen.Balancer.LogIsWhole
            ? seen.Balancer.Rebalances.Exists(at => at >= from && at <= until)
            : until > seen.Balancer.ReadyAt
                + SpecifiedLimits.RebalanceInterval.Nanoseconds - Second;

    private static bool MayHaveSuspected(Observations seen, long from, long until) =>
        !seen.Balancer.LogIsWhole
            || seen.Balancer.Suspicions.Exists(at => at >= from && at <= until);

    // ---- The way back ----

    private static Violation? ComesBack(Observations seen, Ipv4 host, Meeting[] met)
    {
        var (first, own) = met[0];
        if (!IsPlain(seen, own, first) || MayHaveSuspected(seen, 0, long.MaxValue))
            return null;
        foreach (var at in met)
        {
            if (at.Backend == own || MayHaveRebalanced(seen, 0, at.At + SkewNs))
                continue;
            if (seen.WarmSince(own, at.At, at.At + SkewNs) is { } since && since + EffectNs < at.At)
            {
                return RealChecks.Fail(seen, "S3", at.At,
                    $"{host}, which backend {RealChecks.Name(seen, own)} had first, met "
                    + $"{RealChecks.Name(seen, at.Backend)} at {RealChecks.Moment(seen, at.At)}, "
                    + $"though its own is healthy since {RealChecks.Moment(seen, since)}",
                    at.Backend);
            }
        }
        return null;
    }

    /// <summary>
    /// The host is the backend's, since all were well when it came; and it stayed so, since that
    /// one's path was there whenever it was looked for.
    /// </summary>
    private static bool IsPlain(Observations seen, int own, long first) =>
        !seen.Troubles.Exists(trouble => IsBlinding(trouble)
            || (trouble.Kind is not null && trouble.From < first + SkewNs)
            || (trouble.Backend == own
                && (TakesPathAway(trouble) || trouble.Kind is RealFaultKind.Rebind)))
        && seen.Sessions().Any(session => session.Backend == own && session.IsHealthyAt(first))
        && seen.Processes.TrueForAll(process => Ends(process).All(at => at >= first + SkewNs))
        // Of one that warms up it may be already, over TCP, and meet a stand-in.
        && seen.Sessions().All(session => !(session.HelloAt < first + SkewNs)
            || seen.WarmAt(session) + SkewNs < first);
}
