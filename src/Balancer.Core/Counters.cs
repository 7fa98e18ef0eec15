// Owns the numbers that an operator adds up: every datagram, reply and connection that came in is
// in exactly one of the counters that say what became of it.
//
// What always holds, after every turn (tests and the simulator recount it):
//   QueriesReceived     = QueriesForwarded + Σ the other Queries… counters
//   RepliesReceived     = RepliesSent + Σ the other Replies… counters
//   QueriesForwarded    = answered + in flight now + Σ the Unanswered… counters, where answered is
//     RepliesReceived without the replies that are unmatched, duplicate or not deliverable as such
//   ConnectionsAccepted = connections open now + Σ the other Connections… counters
// An OUTBOUND_UDP whose length no datagram can have is a fault, not a reply, and in no counter.

using System;
using System.Collections.Immutable;

namespace Balancer.Core;

/// <summary>Each counts events since the start; the groups add up as Counters.cs says.</summary>
public enum Counter
{
    /// <summary>Datagrams that the UDP socket delivered.</summary>
    QueriesReceived,

    /// <summary>Queries put into a healthy backend's queue.</summary>
    QueriesForwarded,

    /// <summary>Dropped: a payload over 1500 bytes.</summary>
    QueriesOversized,

    /// <summary>Dropped: QR=1, a response where a query belongs.</summary>
    QueriesWithResponseBit,

    /// <summary>Dropped: source port 0, which no reply can be sent to.</summary>
    QueriesFromPortZero,

    /// <summary>
    /// Dropped: from port 7, 13, 17, 19, 37 or 464, whose services answer whatever comes.
    /// </summary>
    QueriesFromEchoPort,

    /// <summary>
    /// Dropped: from 0.0.0.0, a multicast address or 255.255.255.255, which no host sends from.
    /// </summary>
    QueriesFromNoHost,

    /// <summary>Dropped: from the balancer's own port at any of the host's addresses.</summary>
    QueriesFromSelf,

    /// <summary>Dropped: from the address that probes of backends come from.</summary>
    QueriesFromProbeAddress,

    /// <summary>Refused: backends have died of it.</summary>
    QueriesQuarantined,

    /// <summary>Dropped: no backend was healthy.</summary>
    QueriesWithoutBackend,

    /// <summary>Dropped: its backend is behind, and its client has more than its share.</summary>
    QueriesOverShare,

    /// <summary>Dropped: the remote's backend takes no more for now.</summary>
    QueriesToStuckBackend,

    /// <summary>OUTBOUND_UDP frames decoded on a live session.</summary>
    RepliesReceived,

    /// <summary>Replies that the kernel took.</summary>
    RepliesSent,

    /// <summary>Dropped: a payload of 1501 to 65,535 bytes.</summary>
    RepliesOversized,

    /// <summary>Dropped: destination port 0.</summary>
    RepliesToPortZero,

    /// <summary>Dropped: destination port over 65,535.</summary>
    RepliesToPortTooLarge,

    /// <summary>Dropped: no query that it could answer is in flight on its session.</summary>
    RepliesUnmatched,

    /// <summary>
    /// Held: an error of a backend that has just said hello; the query is asked again.
    /// </summary>
    RepliesHeld,

    /// <summary>Dropped: another backend has answered the query.</summary>
    RepliesDuplicate,

    /// <summary>Dropped: the UDP socket's buffer was full (EAGAIN).</summary>
    RepliesWouldBlock,

    /// <summary>Dropped: the kernel or a firewall forbade it (EACCES, EPERM).</summary>
    RepliesDenied,

    /// <summary>Dropped: no such destination can be (EINVAL).</summary>
    RepliesInvalid,

    /// <summary>Dropped: the kernel had no memory (ENOBUFS, ENOMEM).</summary>
    RepliesNoBuffers,

    /// <summary>Dropped: no way to the remote (EHOSTUNREACH, ENETUNREACH).</summary>
    RepliesUnreachable,

    /// <summary>Dropped: any other error of sending.</summary>
    RepliesFailed,

    /// <summary>TCP connections taken from the listener.</summary>
    ConnectionsAccepted,

    /// <summary>
    /// Both directions ended after all their bytes, or the client's before it had sent any.
    /// </summary>
    ConnectionsFinished,

    /// <summary>Closed at once: as many connections as may be are open.</summary>
    ConnectionsOverLimit,

    /// <summary>Closed at once: as many as one client address may have are open.</summary>
    ConnectionsOverClientLimit,

    /// <summary>Closed when its client had sent something: no backend was healthy.</summary>
    ConnectionsWithoutBackend,

    /// <summary>Reset: this process had no descriptor or memory for it.</summary>
    ConnectionsWithoutResources,

    /// <summary>
    /// Closed: backends refused it, or ended it before INBOUND_TCP_OK, for all its time.
    /// </summary>
    ConnectionsRefusedByBackend,

    /// <summary>Closed: no INBOUND_TCP_OK within its time.</summary>
    ConnectionsHandshakeTimedOut,

    /// <summary>
    /// Closed: no whole question, and no byte of an answer that the client took, for the idle time.
    /// </summary>
    ConnectionsIdle,

    /// <summary>Closed: open for as long as a connection may be.</summary>
    ConnectionsTooOld,

    /// <summary>
    /// Closed so that another got its place: the longest idle when places were short, or one of the
    /// address with the most when all were taken.
    /// </summary>
    ConnectionsGaveWay,

    /// <summary>Closed: its client sent nothing in time.</summary>
    ConnectionsSilent,

    /// <summary>Torn down: a message that its client had begun was not whole in time.</summary>
    ConnectionsSlow,

    /// <summary>
    /// Torn down: its client did not take the rest and close in time when its backend had ended.
    /// </summary>
    ConnectionsNotClosed,

    /// <summary>
    /// Torn down: its client or its backend did not read, the longest of too many of which one did
    /// not.
    /// </summary>
    ConnectionsNotReading,

    /// <summary>Answered with REFUSED: backends have died of its first message.</summary>
    ConnectionsQuarantined,

    /// <summary>Torn down: the client's side failed.</summary>
    ConnectionsFailedByClient,

    /// <summary>Torn down: the backend's side failed.</summary>
    ConnectionsFailedByBackend,

    /// <summary>Torn down: still open when the balancer stopped.</summary>
    ConnectionsCutByStop,

    /// <summary>Forwarded, and not answered within 10 s.</summary>
    UnansweredTimedOut,

    /// <summary>Forwarded, and forgotten since too many are in flight.</summary>
    UnansweredEvicted,

    /// <summary>Forwarded, and lost with a session; not sent again.</summary>
    UnansweredLost,

    /// <summary>
    /// Forwarded, and answered REFUSED when it would be sent again: backends died of it.
    /// </summary>
    UnansweredQuarantined,

    /// <summary>Queries sent to a second backend because a session ended.</summary>
    ResendsAfterLoss,

    /// <summary>Queries sent to a second backend because the first is suspect.</summary>
    ResendsFromSuspect,

    /// <summary>Queries asked again because their answer was held.</summary>
    ResendsAfterError,

    /// <summary>Queries of suspect backends not sent again at once: too many were lately.</summary>
    ResendsOverBudget,

    /// <summary>Queries that the second backend has answered first.</summary>
    ResendsAnswered,

    /// <summary>Answers of the balancer's own that the kernel took.</summary>
    OwnAnswersSent,

    /// <summary>Answers of the balancer's own that it did not.</summary>
    OwnAnswersFailed,

    /// <summary>Times that a query began to be refused because backends died of it.</summary>
    QuarantinesBegun,

    /// <summary>Times that a backend became suspect.</summary>
    BackendsSuspected,

    /// <summary>Times that a suspect backend was trusted again.</summary>
    BackendsTrusted,

    /// <summary>Times that a backend's answers became far worse than another's.</summary>
    BackendsFailing,

    /// <summary>Times that a failing backend's answers became like the others'.</summary>
    BackendsNoLongerFailing,

    /// <summary>Probes put into a backend's queue.</summary>
    ProbesSent,

    /// <summary>Probes that a backend gave a good answer to.</summary>
    ProbesAnswered,

    /// <summary>Probes answered with SERVFAIL or REFUSED, or not in time.</summary>
    ProbesFailed,

    /// <summary>Times that a backend failed so many probes that it was taken as down.</summary>
    BackendsDownByProbe,

    /// <summary>Times that such a backend's answers were good again.</summary>
    BackendsUpByProbe,

    /// <summary>Accepts that failed; what waited goes on waiting.</summary>
    AcceptsFailed,

    /// <summary>Calls to receive datagrams that failed, with none received.</summary>
    ReceivesFailed,

    /// <summary>Backends that did not take a connection, which is tried again.</summary>
    ConnectionsRetried,

    /// <summary>
    /// Waited for a backend that became suspect, lost its session or did not answer.
    /// </summary>
    ConnectionsMoved,

    /// <summary>Connects that found a backend's accept queue full, and are made again.</summary>
    ConnectsToFullBackend,

    /// <summary>
    /// Connects to a backend for its session that could not even be tried, for want of a descriptor
    /// or memory, or that got EAGAIN.
    /// </summary>
    ConnectsWithoutResources,

    /// <summary>
    /// Writes to sessions, and reads of them, that failed since the kernel had no memory for them,
    /// and are made again.
    /// </summary>
    SessionCallsWithoutMemory,

    /// <summary>
    /// Sources that were remembered, each time: those of them that were neither expired nor evicted
    /// are the remotes.
    /// </summary>
    RemotesNew,

    /// <summary>Newcomers that became established.</summary>
    RemotesEstablished,

    /// <summary>
    /// Queries and connections of unknown sources that were served without being remembered, for
    /// want of memory.
    /// </summary>
    RemotesUnremembered,

    /// <summary>Remotes forgotten because they were silent for five minutes.</summary>
    RemotesExpired,

    /// <summary>Remotes forgotten early, to make room in a full table.</summary>
    RemotesEvicted,

    /// <summary>Remotes that a rebalance took their backend from.</summary>
    RemotesMoved,

    /// <summary>
    /// Errors of backends that start that were passed on, since no more queries could be held.
    /// </summary>
    QueriesNotHeld,

    /// <summary>
    /// Queries and messages in flight at a death or hang of a backend that were not charged with
    /// it, since as many are under suspicion as may be.
    /// </summary>
    QuarantineFull,

    /// <summary>
    /// Messages over TCP that are not charged if their backend ends, since too many came later.
    /// </summary>
    MessagesNotRemembered,

    /// <summary>
    /// Sockets in the directory that are not backends, since as many are known as may be; each once
    /// while it stays.
    /// </summary>
    EntriesRefused,

    /// <summary>Turns that began much later than the wait before was to end.</summary>
    Standstills,

    /// <summary>Times that the monotonic clock showed less than a turn before.</summary>
    ClockSetbacks,

    /// <summary>
    /// Datagrams that the kernel dropped before they were received, as its own count has it when a
    /// report is written: mostly for want of room in the receive buffer.
    /// </summary>
    DatagramsDroppedByKernel,

    /// <summary>
    /// Connections for which the accept queue had no room, each try of each client, as the kernel's
    /// count has it when a report is written.
    /// </summary>
    ConnectionsDroppedByKernel,
}

/// <summary>
/// The counters of one balancer; they start at 0 and only grow. Only the core adds to them.
/// </summary>
public sealed class Counters
{
    private readonly long[] _values = new long[Enum.GetValues<Counter>().Length];

    /// <summary>What queries become other than forwarded.</summary>
    public static readonly ImmutableArray<Counter> QueryDrops = Range(
        Counter.QueriesOversized, Counter.QueriesToStuckBackend);

    /// <summary>What replies become other than sent.</summary>
    public static readonly ImmutableArray<Counter> ReplyDrops = Range(
        Counter.RepliesOversized, Counter.RepliesFailed);

    /// <summary>
    /// Replies that answer no query, or only one that is answered or asked again.
    /// </summary>
    public static readonly ImmutableArray<Counter> RepliesWithoutQuery = Range(
        Counter.RepliesOversized, Counter.RepliesDuplicate);

    /// <summary>How forwarded queries end other than answered.</summary>
    public static readonly ImmutableArray<Counter> Unanswered = Range(
        Counter.UnansweredTimedOut, Counter.UnansweredQuarantined);

    /// <summary>How accepted connections end.</summary>
    public static readonly ImmutableArray<Counter> ConnectionEnds = Range(
        Counter.ConnectionsFinished, Counter.ConnectionsCutByStop);

    public long this[Counter counter] => _values[(int)counter];

    internal void Add(Counter counter) => _values[(int)counter]++;

    internal void Add(Counter counter, long count)
    {
        Verify.That(count >= 0, "counters only grow");
        _values[(int)counter] += count;
    }

    /// <summary>The sum over a group of counters.</summary>
    public long Sum(ImmutableArray<Counter> counters)
    {
        long sum = 0;
        foreach (var counter in counters)
            sum += this[counter];
        return sum;
    }

    private static ImmutableArray<Counter> Range(Counter first, Counter last)
    {
        var range = ImmutableArray.CreateBuilder<Counter>();
        for (var counter = first; counter <= last; counter++)
            range.Add(counter);
        return range.ToImmutable();
    }
}
