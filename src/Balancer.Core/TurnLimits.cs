// Owns how much of each kind of work one turn does, and how much is looked at to find something:
// the numbers that bound what everybody else waits for. They are a value, and not constants as
// those of Limits.cs, because nothing that anybody observes may depend on them but how long it
// takes: whoever owns a balancer may give it others, within the relations below.
//
// What always holds: they do not change once a balancer has them, and it has checked them.

namespace Balancer.Core;

/// <summary>The bounds of one turn's work; those of a daemon unless they are set.</summary>
public sealed record TurnLimits
{
    /// <summary>What a daemon has.</summary>
    public static TurnLimits Standard { get; } = new();

    /// <summary>
    /// Batches of queries that one turn takes, while they come full: enough that a turn's fixed
    /// cost is shared, few enough that an empty queue takes a whole turn's queries.
    /// </summary>
    public int DatagramBatchesPerTurn { get; init; } = 2;

    /// <summary>
    /// Replies that one turn takes from all sessions together, at 2 µs each to be sent: half a
    /// millisecond. More than a turn's queries, so that replies keep up. Ours.
    /// </summary>
    public int FramesPerTurn { get; init; } = 256;

    /// <summary>
    /// Frames that a read counts for at least, for its system call. Two, so that replies of every
    /// size keep up with a turn's queries.
    /// </summary>
    public int FramesOfAVisit { get; init; } = 2;

    /// <summary>Entries of the directory that one turn looks at.</summary>
    public int EntriesPerTurn { get; init; } = 64;

    /// <summary>
    /// Remotes that one turn looks at or forgets in the background. At 0.5 µs each, if
    /// every one misses the caches, that stays far below the 5 ms that no turn may take.
    /// </summary>
    public int RemotesPerTurn { get; init; } = 2048;

    /// <summary>
    /// Remotes that are looked at to find Limits.EvictionSample established ones; ours.
    /// </summary>
    public int EvictionLooks { get; init; } = 256;

    /// <summary>
    /// Remotes that one turn moves; each time all backends are looked at, of which there may be
    /// MaxBackends. Ours.
    /// </summary>
    public int MovesPerTurn { get; init; } = 128;

    /// <summary>
    /// Connections accepted in one turn, at some 40 µs each with the handshake that each begins.
    /// </summary>
    public int AcceptsPerTurn { get; init; } = 16;

    /// <summary>
    /// Connections that are looked at for one that may give way: the kernel may have reported
    /// something of the first ones that no turn has read yet. Ours.
    /// </summary>
    public int TcpIdleLooks { get; init; } = 64;

    /// <summary>
    /// What one turn does for all TCP connections together, in bytes that it reads: 0.2 ms of
    /// work, so that queries, which come every turn, wait no longer. Ours.
    /// </summary>
    public int TcpBytesPerTurn { get; init; } = 256 * 1024;

    /// <summary>
    /// What a visit to a connection costs of that besides what it read, for its system calls: a
    /// turn makes 32 visits at most, and that many ends of connections are a millisecond.
    /// </summary>
    public int TcpVisitBytes { get; init; } = 8 * 1024;

    /// <summary>
    /// Reads of each side of a connection in one visit, while they come full and the other side
    /// takes all. A visit makes some calls that move no bytes: with one read a turn, TCP as a whole
    /// moved 8 % less.
    /// </summary>
    public int TcpReadsPerVisit { get; init; } = 2;

    /// <summary>
    /// Bytes of memory that the queues of connections not in use may keep, all together; a queue
    /// of 64 bytes is all that most connections need.
    /// </summary>
    public int TcpFreeQueueBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>
    /// Connections that one turn looks at when a backend's state changed, for those that should
    /// leave it. Ours: 10,000 of them are looked at in ten turns.
    /// </summary>
    public int TcpLooksPerTurn { get; init; } = 1024;

    /// <summary>
    /// Queries that one turn looks at to send them again, or to time them out. Ours.
    /// </summary>
    public int ResendsPerTurn { get; init; } = 256;

    /// <summary>Deadlines that one turn serves; the rest are served by the next.</summary>
    public int TimersPerTurn { get; init; } = 1024;

    /// <summary>Remotes that one turn looks at for the status report.</summary>
    public int StatusRemotesPerTurn { get; init; } = 64;

    /// <summary>
    /// Checks each number, and what must hold between them and those of Limits; called once by
    /// whoever is given them.
    /// </summary>
    internal void VerifyRelations()
    {
        Verify.That(
            DatagramBatchesPerTurn > 0 && FramesOfAVisit > 0 && EntriesPerTurn > 0
                && RemotesPerTurn > 0 && MovesPerTurn > 0 && AcceptsPerTurn > 0 && TcpIdleLooks > 0
                && TcpVisitBytes > 0 && TcpReadsPerVisit > 0 && TcpLooksPerTurn > 0
                && ResendsPerTurn > 0 && TimersPerTurn > 0 && StatusRemotesPerTurn > 0,
            "every kind of work goes on in every turn");
        Verify.That(
            Limits.BackendQueueBytes >= Limits.ControlReserveBytes
                + DatagramBatchesPerTurn * Limits.DatagramsPerBatch
                * (Frames.UdpHeaderBytes + Limits.MaxUdpPayload),
            "an empty queue takes a whole turn's queries");
        Verify.That(Limits.ReadBytes >= FramesPerTurn * Frames.UdpHeaderBytes,
            "a turn's smallest replies fit the buffer");
        Verify.That(FramesPerTurn - Limits.LeastSessionReadBytes / Frames.UdpHeaderBytes
            >= DatagramBatchesPerTurn * Limits.DatagramsPerBatch,
            "replies are taken faster than queries");
        Verify.That(
            TcpBytesPerTurn >= 3 * (TcpVisitBytes + 2 * TcpReadsPerVisit * Limits.TcpQueueBytes),
            "a turn serves several connections, however busy");
        Verify.That(TcpFreeQueueBytes >= 2 * Limits.TcpQueueBytes,
            "a connection's queues may be kept");
        Verify.That(EvictionLooks >= Limits.EvictionSample,
            "a sample may be found in one search");
    }
}
