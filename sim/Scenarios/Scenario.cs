// Owns the shape of a scenario: everything that one run of the simulator depends on, as immutable
// data. A seed makes one, a file holds one, the shrinker takes parts of one away; whoever runs it
// draws nothing more than it says here.
//
// Times are instants of virtual time from 0, the start of the balancer. Chaos lasts until HealAt.
// Then the backends that are core heal, all others stay as broken as their last fault left them,
// and until End liveness is owed.
//
// What always holds: two scenarios that are equal run the same, event for event; lists are in the
// order of their times, then of their ids, and ids are never used twice.

using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>One run, as data.</summary>
public sealed record Scenario
{
    /// <summary>
    /// What it was made from; also what every entity's own stream of draws is keyed by.
    /// </summary>
    public ulong Seed { get; init; }

    /// <summary>
    /// The profile it was made with: swarm, calm, udp, tcp, restart, or "hand-made".
    /// </summary>
    public string Profile { get; init; } = "hand-made";

    public Instant HealAt { get; init; }

    /// <summary>
    /// An orderly stop is asked for; what is planned for later happens during it.
    /// </summary>
    public Instant End { get; init; }

    /// <summary>How long after End a stop is asked for again; zero for never.</summary>
    public Duration StopAgain { get; init; }

    public KernelPlan Kernel { get; init; } = new();

    public ImmutableArray<BackendPlan> Backends { get; init; } = [];

    public ImmutableArray<UdpClientPlan> UdpClients { get; init; } = [];

    public ImmutableArray<TcpClientPlan> TcpClients { get; init; } = [];

    public ImmutableArray<FaultPlan> Faults { get; init; } = [];

    /// <summary>The scenario with more faults, in order of time, and more clients.</summary>
    internal Scenario Adding(
        IEnumerable<FaultPlan> faults, IEnumerable<UdpClientPlan> clients) => this with
        {
            Faults = [.. Faults.Concat(faults).OrderBy(f => f.At).ThenBy(f => f.Id)],
            UdpClients = [.. UdpClients, .. clients],
        };
}

/// <summary>The host that the balancer runs on.</summary>
public sealed record KernelPlan
{
    /// <summary>The address both sockets are bound to; Any for every one.</summary>
    public Ipv4 Listen { get; init; } = Ipv4.From(10, 99, 99, 1);

    /// <summary>Bytes of the buffers of AF_UNIX streams, each way.</summary>
    public int UnixBufferBytes { get; init; } = 212_992;

    /// <summary>Bytes of the buffers of TCP connections, each way.</summary>
    public int TcpBufferBytes { get; init; } = 131_072;

    /// <summary>Descriptors that the balancer may have open.</summary>
    public int DescriptorLimit { get; init; } = 4096;

    /// <summary>Datagrams that wait in the receive queue at most.</summary>
    public int DatagramQueue { get; init; } = 1024;

    /// <summary>The clock moves in steps of this; zero for nanoseconds.</summary>
    public Duration ClockStep { get; init; }

    /// <summary>
    /// Bytes that one read takes at most, 1 and up; like all that cuts calls short, for the first
    /// hundred thousand of these.
    /// </summary>
    public int MaxReadBytes { get; init; } = int.MaxValue;

    /// <summary>Bytes that one write takes at most, 1 and up.</summary>
    public int MaxWriteBytes { get; init; } = int.MaxValue;

    /// <summary>Whether changes of the directory are reported, as by inotify.</summary>
    public bool TellsChanges { get; init; } = true;

    /// <summary>See BalancerOptions.WarmUp.</summary>
    public Duration WarmUp { get; init; } = Duration.FromSeconds(1L);

    /// <summary>Whether backends are probed, for SpecifiedLimits.ProbeName.</summary>
    public bool Probe { get; init; }

    /// <summary>See BalancerOptions.ProbeRise.</summary>
    public int ProbeRise { get; init; } = 1;

    /// <summary>See BalancerOptions.ProbeFall.</summary>
    public int ProbeFall { get; init; } = 3;

    /// <summary>See BalancerOptions.AnswersWithoutBackend.</summary>
    public bool AnswersWithoutBackend { get; init; }

    /// <summary>See BalancerOptions.TcpConnections.</summary>
    public int TcpConnections { get; init; } = 10_000;

    /// <summary>See BalancerOptions.TcpConnectionsPerClient.</summary>
    public int TcpConnectionsPerClient { get; init; } = 1000;

    /// <summary>See BalancerOptions.TcpIdleTimeout.</summary>
    public Duration TcpIdle { get; init; } = Duration.FromSeconds(120L);

    /// <summary>See BalancerOptions.TcpMessageTime.</summary>
    public Duration TcpMessage { get; init; } = Duration.FromSeconds(30L);

    /// <summary>See BalancerOptions.TcpNotReading.</summary>
    public int TcpNotReading { get; init; } = 256;

    /// <summary>See BalancerOptions.TcpLifetime.</summary>
    public Duration TcpLifetime { get; init; } = Duration.FromSeconds(3600L);

    /// <summary>See BalancerOptions.MaxRemotes.</summary>
    public int MaxRemotes { get; init; } = 1_000_000;

    /// <summary>What a turn does at most, within TurnBounds.</summary>
    public TurnLimits Turn { get; init; } = TurnLimits.Standard;
}

/// <summary>One backend process, and what it does wrong from its start on.</summary>
/// <param name="Id">Its number in this scenario.</param>
/// <param name="Name">Its entry in the directory.</param>
/// <param name="StartAt">When it binds its socket.</param>
/// <param name="IsCore">It heals at HealAt, whatever happened to it.</param>
/// <param name="Script">What it does wrong until then, or for good.</param>
public sealed record BackendPlan(
    int Id, string Name, Instant StartAt, bool IsCore, Misbehaviour Script);

/// <summary>A client host that asks over UDP.</summary>
/// <param name="Id">Its number, unique among all clients.</param>
/// <param name="Address">Its address.</param>
/// <param name="Retries">Whether it asks again, every 2 s, 3 times, until it is answered.</param>
/// <param name="Queries">What it asks, in the order of time.</param>
public sealed record UdpClientPlan(
    int Id, Ipv4 Address, bool Retries, ImmutableArray<QueryPlan> Queries);

/// <summary>One datagram, or many alike from forged sources.</summary>
/// <param name="At">When it is sent.</param>
/// <param name="Port">The source port, 0 included.</param>
/// <param name="Kind">What is in it.</param>
/// <param name="Bytes">Its size, 0 to 65,507; questions are padded or as long as they are.</param>
/// <param name="Copies">
/// How many, 1 and up; over 1 the sources are forged, counting upwards.
/// </param>
/// <param name="Variant">
/// How a killer differs from others with its number, 0 to DnsQuestions.LastVariant: bytes behind it
/// (0 to 12), an EDNS cookie (16), CD (32), AD (64), Z (128), TC (256), added up.
/// </param>
public sealed record QueryPlan(Instant At, ushort Port, QueryKind Kind, int Bytes, int Copies = 1,
    int Variant = 0);

/// <summary>What a datagram holds.</summary>
public enum QueryKind
{
    /// <summary>A proper question with an id of its own.</summary>
    Question,

    /// <summary>Bytes drawn at random, QR clear.</summary>
    Garbage,

    /// <summary>A proper header with QR set.</summary>
    Response,

    /// <summary>
    /// A question that ends the backend that reads it, or hangs it, from
    /// DnsQuestions.FirstHanger on; `Bytes` says which of them, so several
    /// queries can ask the same.
    /// </summary>
    Killer,

    /// <summary>A killer's question with its first label in capitals, which is answered.</summary>
    Decoy,

    /// <summary>A proper question that no backend answers.</summary>
    Dropped,
}

/// <summary>One TCP connection of a client.</summary>
/// <param name="Id">Its number, unique among all clients.</param>
/// <param name="Address">The client host.</param>
/// <param name="Port">Its source port.</param>
/// <param name="At">When it connects.</param>
/// <param name="Queries">Questions that it sends, pipelined; 0 sends nothing.</param>
/// <param name="ChunkBytes">It sends pieces of this size, each 1 ms after the one before.</param>
/// <param name="Manner">How it behaves besides.</param>
/// <param name="After">When its manner acts, counted from its connecting.</param>
/// <param name="Killer">
/// The number of the question that ends whoever reads it, from 1; it is asked last. 0 for none.
/// </param>
/// <param name="Padding">Bytes of EDNS padding that this one has; 0 for no EDNS.</param>
/// <param name="Empty">Empty messages in front of it.</param>
/// <param name="Late">
/// How long backends wait before they answer its other questions, whole milliseconds.
/// </param>
public sealed record TcpClientPlan(
    int Id, Ipv4 Address, ushort Port, Instant At, int Queries, int ChunkBytes,
    TcpManner Manner, Duration After, int Killer = 0, int Padding = 0, int Empty = 0,
    Duration Late = default);

/// <summary>How a TCP client behaves.</summary>
public enum TcpManner
{
    /// <summary>Closes when it has all its answers.</summary>
    Proper,

    /// <summary>Ends its direction right after its last question.</summary>
    HalfClosesEarly,

    /// <summary>Ends its direction after its first answer.</summary>
    HalfClosesLate,

    /// <summary>Never closes.</summary>
    StaysOpen,

    /// <summary>Never reads.</summary>
    NeverReads,

    /// <summary>Resets after its time.</summary>
    Resets,

    /// <summary>Closes after its time, whatever is under way.</summary>
    Leaves,

    /// <summary>
    /// Sends one more byte each time that its time has passed, of a message that is never whole,
    /// and never closes.
    /// </summary>
    Trickles,
}

/// <summary>Something that goes wrong at a time.</summary>
/// <param name="Id">Its number.</param>
/// <param name="At">When it begins.</param>
/// <param name="For">How long it lasts; zero for one that is over at once.</param>
/// <param name="Kind">What.</param>
/// <param name="Target">The backend's id, where it is about one; else -1.</param>
/// <param name="Amount">How much or how many, where that has a meaning; see FaultKind.</param>
public sealed record FaultPlan(
    int Id, Instant At, Duration For, FaultKind Kind, int Target = -1, long Amount = 0);

/// <summary>What can go wrong. Each has a class, the word before the capital in its name.</summary>
public enum FaultKind
{
    /// <summary>The process dies; its path stays, stale. It starts again after For.</summary>
    BackendCrash,

    /// <summary>The process unlinks its path and exits; it starts again after For.</summary>
    BackendStop,

    /// <summary>The process unlinks its path and goes on; it ends after For.</summary>
    BackendUnlink,

    /// <summary>The process does nothing for For.</summary>
    BackendPause,

    /// <summary>It begins to behave by its script (Amount 1) or stops to (Amount 0).</summary>
    BackendScript,

    /// <summary>All its sessions are reset.</summary>
    BackendReset,

    /// <summary>All its sessions end, in the middle of a frame if Amount is above 0.</summary>
    BackendEnd,

    /// <summary>It accepts nothing for For; its backlog is Amount.</summary>
    BackendBacklog,

    /// <summary>Its path is bound by another process; the old one goes on.</summary>
    BackendRebind,

    /// <summary>
    /// It is restarted, or started: the old process is gone, and the new one has bound the path and
    /// listens after For. Until then connects are refused (0) or denied, as by a mode (1).
    /// </summary>
    BackendListenLate,

    /// <summary>
    /// Its path is moved out of the directory, and back after For if nothing else has it then.
    /// </summary>
    BackendMove,

    /// <summary>For For, one in Amount datagrams to the balancer is lost.</summary>
    UdpLoss,

    /// <summary>For For, one in Amount datagrams to the balancer comes twice.</summary>
    UdpDuplicate,

    /// <summary>For For, datagrams come late by up to Amount nanoseconds, each its own.</summary>
    UdpReorder,

    /// <summary>The next Amount sends fail, by turns with every errno that sends have.</summary>
    UdpSendFails,

    /// <summary>For For, the UDP socket takes nothing.</summary>
    UdpSendBlocked,

    /// <summary>The next Amount receives fail.</summary>
    UdpReceiveFails,

    /// <summary>
    /// For For, accept says EMFILE (Amount 0), ENFILE (1), ENOMEM (2), ENOBUFS (4), EPERM (5); or
    /// for each client ECONNABORTED (3) or EPROTO (6).
    /// </summary>
    KernelAccept,

    /// <summary>For For, making a socket says EMFILE (Amount 0), ENOMEM (1), ENOBUFS (2).</summary>
    KernelSocket,

    /// <summary>Amount waits wake early, with nothing ready.</summary>
    KernelWakes,

    /// <summary>For For, reads and writes on streams take at most Amount bytes.</summary>
    StreamShort,

    /// <summary>The next Amount writes to backends say EAGAIN.</summary>
    StreamWouldBlock,

    /// <summary>The next Amount reads from backends say ECONNRESET.</summary>
    StreamReset,

    /// <summary>
    /// For For, the directory cannot be read: missing (0), EMFILE (1), EACCES (2).
    /// </summary>
    DirectoryUnreadable,

    /// <summary>The next scan breaks off after Amount entries.</summary>
    DirectoryBreaksOff,

    /// <summary>
    /// A plain file (0), folder (1), dangling link (2), stale socket (3), socket of datagrams (4)
    /// or socket of another user (5) appears for For; with 6 more for each entry more of the kind.
    /// </summary>
    DirectoryEntry,

    /// <summary>For For, changes are not reported.</summary>
    DirectorySilent,

    /// <summary>
    /// The process stands still for For: the next turn is that much later (0), or the next turn
    /// that comes while a scan of the directory is half done (1). With 2 more, the wait before that
    /// turn is interrupted, and reports nothing of what is ready.
    /// </summary>
    ClockStall,

    /// <summary>The operator asks for a scan, as SIGHUP does.</summary>
    OperatorRescan,

    /// <summary>The operator asks for the state of everything, as SIGUSR1 does.</summary>
    OperatorStatus,

    /// <summary>For For, the directory does not answer: scans wait until that is over.</summary>
    DirectoryHangs,

    /// <summary>
    /// For For, it cannot be found out what the directory's entries are (Amount 0), or what that of
    /// the Amount-th backend is, as of a link into a file system that does not answer.
    /// </summary>
    DirectoryUnknown,

    /// <summary>For For, the clock is behind by Amount nanoseconds.</summary>
    ClockBack,

    /// <summary>For For, the clock shows the same.</summary>
    ClockStill,

    /// <summary>
    /// For For, the kernel has no memory for what is written to backends (0), read of them (1), or
    /// both (2): ENOBUFS of a write, ENOMEM of a read.
    /// </summary>
    StreamNoMemory,
}
