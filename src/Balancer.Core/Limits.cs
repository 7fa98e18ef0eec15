// Owns every number that bounds or times something, each once, with where it comes from: "the
// original" is Joyent's mname-balancer, whose behaviour operators know; "ours" is a choice of this
// project. What an operator may change is in BalancerOptions, whose defaults are here too. How much
// a turn does of each kind of work is in TurnLimits.
//
// What always holds is checked at start (LimitRelations.cs): some of these numbers are only right
// together.

namespace Balancer.Core;

public static partial class Limits
{
    // ---- Datagrams and frames ----

    /// <summary>
    /// The largest UDP payload that is forwarded, either way, in bytes; the original's, one
    /// Ethernet frame.
    /// </summary>
    public const int MaxUdpPayload = 1500;

    /// <summary>
    /// An OUTBOUND_UDP length up to here costs that one packet, in bytes; no UDP datagram can be
    /// longer, so a larger length is a protocol error. Ours: the original faulted at 1501.
    /// </summary>
    public const uint MaxSkippedPayload = 65_535;

    /// <summary>
    /// Datagrams per system call; the C relay that we measure against uses 64 too.
    /// </summary>
    public const int DatagramsPerBatch = 64;

    /// <summary>Bytes of a batch's slot; over MaxUdpPayload, and not a power of two.</summary>
    public const int DatagramSlotBytes = 1600;

    /// <summary>
    /// Events that one Wait may report; the rest are reported by the next. There is room for every
    /// urgent one, so that those come every turn, and for some 250 of relayed connections.
    /// </summary>
    public const int EventsPerTurn = 768;

    /// <summary>
    /// Urgent events at most: two sessions a backend, one of them retired, the two bound sockets,
    /// a stop, a rescan, a status report, and a change and an answer of the directory.
    /// </summary>
    internal const int UrgentEvents = 2 * MaxBackends + 7;

    // ---- Backends ----

    /// <summary>
    /// The names that become ids: 5300 to 5399, as Binder's deployments use them.
    /// </summary>
    public const int FirstNamedId = 5300;

    public const int LastNamedId = 5399;

    /// <summary>
    /// Bytes of a socket's path at most: sun_path is 108 bytes and ends with a zero.
    /// </summary>
    public const int MaxPathBytes = 107;

    /// <summary>
    /// Backends at most, removed ones counted; a process per core of a large host.
    /// </summary>
    public const int MaxBackends = 256;

    /// <summary>From connect to SERVER_HELLO; the original's.</summary>
    public static readonly Duration HelloTimeout = Duration.FromSeconds(30);

    /// <summary>From the hello, or a heartbeat's answer, to the next one; the original's.</summary>
    public static readonly Duration HeartbeatInterval = Duration.FromSeconds(5);

    /// <summary>From a heartbeat to its answer; the original's.</summary>
    public static readonly Duration HeartbeatTimeout = Duration.FromSeconds(15);

    /// <summary>
    /// How long a backend may read nothing while bytes wait for it. Ours: as long as it may take
    /// to answer a heartbeat, which it could not read either.
    /// </summary>
    public static readonly Duration StallTimeout = HeartbeatTimeout;

    /// <summary>
    /// Tries that follow a refused connect, or a path that is gone, just after a scan saw a new
    /// socket there, before that is a fault: bind makes the entry a moment before listen makes it
    /// answer. Ours: 10, 20, 40, 80 and 160 ms, when eight Binders started together were late.
    /// </summary>
    public const int QuietTries = 5;

    /// <summary>Before the first quiet try; twice as long before each further one.</summary>
    public static readonly Duration FirstQuietDelay = Duration.FromMilliseconds(10);

    /// <summary>The back-off after the first fault: 1 s, then 3, 5, …; the original's.</summary>
    public static readonly Duration FirstBackOff = Duration.FromSeconds(1);

    public static readonly Duration BackOffStep = Duration.FromSeconds(2);

    /// <summary>The longest back-off; the original meant 32 and reached 33.</summary>
    public static readonly Duration MaxBackOff = Duration.FromSeconds(32);

    /// <summary>
    /// How long a backend that said hello gets no clients while a warmer one is healthy. Ours:
    /// Binder answers SERVFAIL for 30 to 60 ms after its hello; a second is plenty.
    /// </summary>
    public static readonly Duration WarmUp = Duration.FromSeconds(1);

    /// <summary>
    /// How long it is remembered of a backend that a session with it ended by a fault or in
    /// silence. Ours: once in that time is an accident, as a crash is.
    /// </summary>
    public static readonly Duration FlapMemory = Duration.FromSeconds(60);

    /// <summary>
    /// A session that ends so counts if it was warm for less than this. Ours: one that fails when
    /// it gets clients fails sooner, and one that is killed now and then is up for longer.
    /// </summary>
    public static readonly Duration FlapTime = Duration.FromSeconds(2);

    /// <summary>
    /// How long it is cold after its hello when that happened twice; twice as long each time. Ours.
    /// </summary>
    public static readonly Duration FirstLongWarmUp = Duration.FromSeconds(2);

    /// <summary>
    /// The longest that this becomes. Ours: shorter than FlapMemory, so that one which fails as
    /// soon as it is warm is not forgiven for having had no clients.
    /// </summary>
    public static readonly Duration LongestWarmUp = Duration.FromSeconds(32);

    /// <summary>
    /// How much longer a deadline of a session waits while something lies unread that may meet it:
    /// after a standstill there can be more than a turn reads. Ours: a hundred backends' full
    /// streams are read in it, and what floods without end gains no more than that.
    /// </summary>
    public static readonly Duration UnreadTime = Duration.FromSeconds(1);

    /// <summary>
    /// How long the session of a socket that was replaced may still deliver replies. Ours: as long
    /// as a silent session is believed in.
    /// </summary>
    public static readonly Duration RetiredSessionTime = HeartbeatTimeout;

    /// <summary>
    /// Bytes that may wait for one backend besides what the kernel holds. Ours; the original had
    /// no queue of its own.
    /// </summary>
    public const int BackendQueueBytes = 256 * 1024;

    /// <summary>
    /// Room in a backend's queue that queries may not use, so that a hello and a heartbeat always
    /// fit: at most one of each waits.
    /// </summary>
    public const int ControlReserveBytes = 16;

    /// <summary>
    /// Bytes of the buffer that everything is read into.
    /// </summary>
    public const int ReadBytes = 16 * 1024;

    /// <summary>
    /// The shortest read of a session that is worth its system call, in bytes: when what the
    /// turn's budget has left might come in fewer, the rest waits for the next turn.
    /// </summary>
    public const int LeastSessionReadBytes = 1536;

    /// <summary>
    /// Reads, each of ReadBytes at most, of what a session has left whose stream takes nothing any
    /// more. Ours: more than the kernel buffers of it.
    /// </summary>
    public const int LastReads = 16;

    // ---- The directory ----

    /// <summary>Between scans that nothing asked for; the original's.</summary>
    public static readonly Duration ScanInterval = Duration.FromSeconds(5);

    /// <summary>
    /// From a change in the directory to the scan: bind makes a socket's entry a moment before
    /// listen makes it answer, and many changes make one scan. Ours.
    /// </summary>
    public static readonly Duration ScanDebounce = Duration.FromMilliseconds(10);

    /// <summary>
    /// Between two looks at which directory is at the path: one that comes, goes or is swapped has
    /// to be noticed within 0.3 s, and a look is one system call of the reader's thread. Ours.
    /// </summary>
    public static readonly Duration DirectoryLookInterval = Duration.FromMilliseconds(100);

    /// <summary>
    /// How long a scan waits for what a link leads to: longer than a server takes that is well, and
    /// short beside the time from scan to scan. Ours.
    /// </summary>
    public static readonly Duration LinkPatience = Duration.FromMilliseconds(100);

    /// <summary>
    /// Records about one entry of the directory before they are limited: a backend that restarts
    /// twice has fewer. Ours.
    /// </summary>
    public const int RecordsOfEntry = 16;

    /// <summary>After how long one more of them may come. Ours.</summary>
    public static readonly Duration EntryRecordTime = Duration.FromSeconds(5);

    /// <summary>
    /// Records about all entries before they are limited, those of backends that have said hello
    /// and the rest apart: all names that are ports may come at the same time. Ours.
    /// </summary>
    public const int RecordsOfEntries = 128;

    /// <summary>After how long one more of them may come. Ours.</summary>
    public static readonly Duration EntriesRecordTime = Duration.FromSeconds(1);

    /// <summary>Names whose records are limited apart, by a hash of the name. Ours.</summary>
    public const int EntryNames = 256;

    /// <summary>
    /// A socket that has not said hello for this long since the first connect gives its place to a
    /// new one when there are as many as may be: longer than a start that is under way. Ours.
    /// </summary>
    public static readonly Duration DeadTime = Duration.FromSeconds(1);

    /// <summary>
    /// The same for a backend that said hello before: longer than any restart that clients wait
    /// for. Ours.
    /// </summary>
    public static readonly Duration DeadAfterHelloTime = Duration.FromSeconds(60);

    /// <summary>
    /// Descriptors that must be free when all is made that a start makes, or the start fails: two
    /// for each of two backends, one for a session that is replaced, one for a scan and two for a
    /// TCP connection. With fewer it would seem to serve, and one thing or another would not work.
    /// </summary>
    public const int LeastFreeDescriptors = 8;

    /// <summary>
    /// Of the descriptors that are free then, one in so many is kept from TCP connections, for what
    /// a few backends need where there are few.
    /// </summary>
    public const int DescriptorReserveShare = 4;

    /// <summary>
    /// As many are kept at most: two for each backend that may be known, its session and the one
    /// that it replaces, and what must be free in any case.
    /// </summary>
    public const int MostReservedDescriptors = 2 * MaxBackends + LeastFreeDescriptors;

    /// <summary>
    /// How long a backend waits to be connected to again when this process had no descriptor or
    /// memory for it, or got EAGAIN: as long as the listener pauses for the same cause.
    /// </summary>
    public static readonly Duration ConnectPause = Duration.FromMilliseconds(100);

    /// <summary>
    /// How long a session is not written to, or read, when the kernel had no memory for it, the
    /// first time; twice as long each further time in a row. Ours: short against the 100 ms after
    /// which a silent backend is asked for a heartbeat.
    /// </summary>
    public static readonly Duration FirstMemoryPause = Duration.FromMilliseconds(10);

    /// <summary>The longest of these pauses: as long as that of a connect.</summary>
    public static readonly Duration LongestMemoryPause = ConnectPause;

    /// <summary>
    /// What that grows to, twice as long each time, while a backend's accept queue stays full.
    /// Ours: as many sockets as may be are no more than 160 connects a second so.
    /// </summary>
    public static readonly Duration LongestConnectPause = Duration.FromMilliseconds(1600);

    /// <summary>
    /// For how long the directory may leave a scan unanswered before that is logged: far longer
    /// than any that works takes, and shorter than the time between two scans.
    /// </summary>
    public static readonly Duration DirectoryPatience = Duration.FromSeconds(3);

    /// <summary>
    /// A removed backend is forgotten when it has been gone this long and no remote is bound to
    /// it. Ours; the original kept them for ever.
    /// </summary>
    public static readonly Duration RemovedRetention = Duration.FromSeconds(300);

    /// <summary>
    /// Sessions that wait to be closed with descriptors that backends passed over them; while there
    /// are as many, a backend that has one of them is not connected to. Ours.
    /// </summary>
    public const int UnclosedSessions = 4;

    /// <summary>Names of entries that are not sockets remembered, to log each once.</summary>
    public const int MaxSkippedEntries = 64;

    // ---- Remotes ----

    /// <summary>Client hosts that are remembered at most. Ours: a /12 of them.</summary>
    public const int MaxRemotes = 1_000_000;

    /// <summary>Bytes of memory per remote at most, the index counted. Ours; it was 690.</summary>
    public const int MaxBytesPerRemote = 64;

    /// <summary>A remote not heard from for this long is forgotten; the original's.</summary>
    public static readonly Duration RemoteExpiry = Duration.FromSeconds(300);

    /// <summary>Between checks for remotes to forget; the original's.</summary>
    public static readonly Duration ExpiryInterval = Duration.FromSeconds(30);

    /// <summary>Between measurements of the spread; the original's.</summary>
    public static readonly Duration RebalanceInterval = Duration.FromSeconds(15);

    /// <summary>The least bound of remotes: some newcomers, and some established ones.</summary>
    public const int LeastRemotes = 4;

    /// <summary>
    /// Of the remotes that may be remembered, one in so many may be a newcomer. Ours: a flood of
    /// forged addresses must not lock real clients out, nor may they lock out new ones.
    /// </summary>
    public const int NewcomerShare = 4;

    /// <summary>
    /// A newcomer is established when it asks this long after an answer, or later. Ours: one that
    /// sends only once never is; one that retries because it heard nothing is not at once.
    /// </summary>
    public static readonly Duration ProvingTime = Duration.FromSeconds(1);

    /// <summary>
    /// When there are as many established remotes as may be, the next takes the place of the one
    /// of this many that is known for the shortest time. Ours.
    /// </summary>
    public const int EvictionSample = 16;

    /// <summary>
    /// A remote known for this many seconds, and heard from within as many, is not evicted. Ours.
    /// </summary>
    public const int KeptSeconds = 60;

    /// <summary>A rebalance moves remotes that were answered in this time; ours.</summary>
    public static readonly Duration AnsweredLately = Duration.FromSeconds(60);

    /// <summary>
    /// Rebalances that pass between two moves of a remote: it is moved once a minute at most,
    /// whatever slices the moves are made in. Ours.
    /// </summary>
    public const int IntervalsBetweenMoves = 4;

    /// <summary>
    /// Of the memory that the process may have, one in so many bytes may be that of remotes, if
    /// nothing else is asked for. Ours.
    /// </summary>
    public const int RemotesMemoryShare = 4;

    /// <summary>As many may be that of TCP connections. Ours.</summary>
    public const int TcpMemoryShare = 4;

    /// <summary>As many may be that of queries in flight. Ours.</summary>
    public const int SessionMemoryShare = 4;

    /// <summary>
    /// Bytes that these may have in any case. Ours: each of a few sessions has some.
    /// </summary>
    public const int LeastSessionMemory = 1024 * 1024;

    /// <summary>
    /// Bytes of memory for each, at most: both queues full, and 8 KB for all else. Ours.
    /// </summary>
    public const int MaxBytesPerConnection = 2 * TcpQueueBytes + 8 * 1024;

    /// <summary>
    /// Of the memory that the process may have, one in so many bytes may be that of connections of
    /// which a side does not read, the kernel's counted. Ours.
    /// </summary>
    public const int NotReadMemoryShare = 4;

    /// <summary>
    /// Bytes that a large table of remotes keeps beside it, and gives up when there is no memory
    /// for more. Ours: what else is allocated for clients, one by one, must not fail.
    /// </summary>
    public const int MemoryForOthers = 1024 * 1024;

    // ---- TCP ----

    /// <summary>The listening socket's queue; the original's.</summary>
    public const int ListenBacklog = 1000;

    /// <summary>Keep-alive of client connections: idle, interval, probes; the original's.</summary>
    public const int KeepAliveIdleSeconds = 1;

    public const int KeepAliveIntervalSeconds = 1;

    public const int KeepAliveProbes = 15;

    /// <summary>
    /// How long the listener rests after an accept that failed for want of descriptors or memory:
    /// it stays readable, and would spin.
    /// </summary>
    public static readonly Duration AcceptPause = Duration.FromMilliseconds(100);

    /// <summary>
    /// How long the UDP socket rests when receiving fails turn after turn, for the same reason.
    /// </summary>
    public static readonly Duration ReceivePause = Duration.FromMilliseconds(10);

    /// <summary>From accept to INBOUND_TCP_OK, all tries counted; the original's.</summary>
    public static readonly Duration TcpHandshakeTimeout = Duration.FromSeconds(10);

    /// <summary>
    /// How long one backend is waited for to take a connection while others were not asked. Ours: a
    /// backend takes a connection as soon as it reads, and nothing was sent to it before that.
    /// </summary>
    public static readonly Duration TcpOkTime = Duration.FromSeconds(1);

    /// <summary>
    /// Backends that refuse a connection one after the other before it waits a moment. Ours: a
    /// visit makes no more connects.
    /// </summary>
    public const int TcpRefusalsInARow = 8;

    /// <summary>
    /// Without a whole question of the client's, or a byte of an answer that it takes. Ours: four
    /// times Binder's slowest answer.
    /// </summary>
    public static readonly Duration TcpIdleTimeout = Duration.FromSeconds(120);

    /// <summary>
    /// How long a client may take to send its first byte, and for a message that it has begun.
    /// Ours: 64 KB at 17 kbit/s, and as long as BIND waits for the first.
    /// </summary>
    public static readonly Duration TcpMessageTime = Duration.FromSeconds(30);

    /// <summary>
    /// How long a client may keep its side open after its backend has ended. Ours: nothing will
    /// come any more, and a round trip is far shorter.
    /// </summary>
    public static readonly Duration TcpCloseTime = Duration.FromSeconds(5);

    /// <summary>
    /// Places are short when one in so many is free, or fewer. Ours.
    /// </summary>
    public const int TcpShortShare = 10;

    /// <summary>
    /// How long a connection is idle before it may give way to another while there are places.
    /// Ours: a client that asks one question after the other is never idle for so long.
    /// </summary>
    public static readonly Duration TcpIdleToGiveWay = Duration.FromSeconds(1);

    /// <summary>
    /// Connections of which a side does not take what there is for it. Ours: 100 MB at most.
    /// </summary>
    public const int TcpNotReading = 256;

    /// <summary>
    /// Bytes of memory for each of these, at most, the kernel's counted: TcpBufferBytes, a
    /// backend's socket buffer and TcpQueueBytes. Ours: some 350 KB were measured.
    /// </summary>
    public const int MaxBytesNotRead = 384 * 1024;

    /// <summary>
    /// Bytes of a client's connection that the kernel buffers, each way; Linux takes twice as much
    /// for its own overhead. Ours: what a round trip of 20 ms needs for 25 Mbit/s; the kernel would
    /// take 4 MB for a client that does not read.
    /// </summary>
    public const int TcpBufferBytes = 64 * 1024;

    /// <summary>A connection's whole life. Ours: longer than any zone transfer.</summary>
    public static readonly Duration TcpLifetime = Duration.FromSeconds(3600);

    /// <summary>TCP connections at a time. Ours.</summary>
    public const int TcpConnections = 10_000;

    /// <summary>TCP connections at a time from one client address. Ours.</summary>
    public const int TcpConnectionsPerClient = 1_000;

    /// <summary>
    /// Bytes that may wait in each direction of a TCP connection; while as many wait, nothing
    /// more is read from the other side. Ours; the original had no bound. 10,000 connections that
    /// all stall cost 320 MB.
    /// </summary>
    public const int TcpQueueBytes = 16 * 1024;

    /// <summary>
    /// What a message of a client's costs of that besides its bytes, for the look at it: 3 bytes
    /// may be one, and a read has 5,461 of these. A run of empty ones is looked at as a whole.
    /// Ours.
    /// </summary>
    public const int TcpMessageBytes = 64;

    /// <summary>
    /// How long a connection waits before it asks again whose backend had no room in its accept
    /// queue; twice as long each further time, up to the longest. Ours: a backend that is busy for
    /// a moment delays its clients by little more than that moment.
    /// </summary>
    public static readonly Duration FirstFullDelay = Duration.FromMilliseconds(10);

    /// <summary>The longest of these delays. Ours.</summary>
    public static readonly Duration LongestFullDelay = Duration.FromMilliseconds(100);

    // ---- Queries in flight ----

    /// <summary>
    /// Queries in flight on one session. Ours: 80,000 a second, answered in 0.2 s.
    /// </summary>
    public const int InFlightQueries = 16_384;

    /// <summary>Blocks of memory for their packets: 4 MB a session. Ours.</summary>
    public const int InFlightBlocks = 32_768;

    /// <summary>Bytes of a block; most queries fit one. Ours.</summary>
    public const int InFlightBlockBytes = 128;

    /// <summary>
    /// Queries of one address, port and id in flight on one session; a client that asks again with
    /// the same id does so a few times. Ours.
    /// </summary>
    public const int InFlightAlike = 16;

    /// <summary>
    /// A backend that has more to do than it did in this time is behind, and a client that has more
    /// than its share of that loses queries; for as long it is not, after it or the balancer stood
    /// still. Ours: longer than a pause or a recursive query takes; resolvers ask again after 0.8 s
    /// and more.
    /// </summary>
    public static readonly Duration FairTime = Duration.FromMilliseconds(500);

    /// <summary>
    /// Bytes of queries that it may have to do however slow it is: some 300 queries. Ours.
    /// </summary>
    public const int FairBytes = 16 * 1024;

    /// <summary>
    /// Bytes that it may have to do while none of it has waited for FairWait, as when a burst meets
    /// a backend that was idle. Ours.
    /// </summary>
    public const int FairBurstBytes = 64 * 1024;

    /// <summary>
    /// How long the first of it has waited when it is no burst. Ours: one that hangs is asked for a
    /// heartbeat before that, and then nothing is dropped.
    /// </summary>
    public static readonly Duration FairWait = Duration.FromMilliseconds(150);

    /// <summary>Queries in flight that any client may have at a backend that is behind.</summary>
    public const int LeastShare = 16;

    /// <summary>
    /// How long a query is in flight without an answer; resolvers give up sooner. Ours.
    /// </summary>
    public static readonly Duration InFlightTime = Duration.FromSeconds(10);

    /// <summary>
    /// How old a query may be to be sent again; its client has asked again by then. Ours.
    /// </summary>
    public static readonly Duration ResendTime = Duration.FromSeconds(5);

    /// <summary>
    /// Of the queries of one session that are sent again, so many that differ are known by where
    /// they went, so that others like them go there too. Ours: as many as are suspected of having
    /// ended a backend.
    /// </summary>
    public const int SecondBackends = 4096;

    /// <summary>
    /// How long the next look at queries that are due waits when one turn had too many. Ours.
    /// </summary>
    public static readonly Duration TimeOutPause = Duration.FromMilliseconds(1);

    /// <summary>
    /// How far apart two looks at queries that are due are, so that as many as a client likes wake
    /// the balancer ten times a second. Ours.
    /// </summary>
    public static readonly Duration TimeOutInterval = Duration.FromMilliseconds(100);

    /// <summary>How long the budget of queries sent again looks back. Ours.</summary>
    public static readonly Duration ResendBudgetTime = Duration.FromSeconds(10);

    /// <summary>Of the queries in that time, one in so many may be sent again. Ours.</summary>
    public const int ResendBudgetShare = 10;

    /// <summary>
    /// Queries that may be sent again in that time, however few there were. Two of three backends
    /// that stop together have what came in some 0.3 s, so this is enough for 1,000 queries a
    /// second in the first two seconds, when a tenth of what came is less. Ours.
    /// </summary>
    public const int LeastResendBudget = 200;

    /// <summary>
    /// When it is looked again whether there is room for more, or whether a backend that was asked
    /// lives. Ours.
    /// </summary>
    public static readonly Duration BudgetPause = Duration.FromMilliseconds(100);

    // ---- Quarantine ----

    /// <summary>Two deaths of backends count together if no more is between them. Ours.</summary>
    public static readonly Duration QuarantineMemory = Duration.FromSeconds(60);

    /// <summary>
    /// How long a query that ends backends is refused, the first time, unless an operator says
    /// otherwise. Ours.
    /// </summary>
    public static readonly Duration FirstQuarantine = Duration.FromSeconds(60);

    /// <summary>How long at most, and how long it is remembered after that. Ours.</summary>
    public static readonly Duration LongestQuarantine = Duration.FromSeconds(3600);

    /// <summary>
    /// How long before its end it is looked whether the backends are back that it is refused for.
    /// Ours: so that no query comes in between.
    /// </summary>
    public static readonly Duration QuarantineLook = Duration.FromSeconds(1);

    /// <summary>
    /// Queries under suspicion or refused, and queries that one death is looked through for: what a
    /// backend has in flight in 0.2 s at 20,000 a second. Ours.
    /// </summary>
    public const int QuarantineCases = 4096;

    /// <summary>
    /// Forms of one query, as names in other case, that are remembered until they are answered.
    /// Ours: plain clients have one, and few names are asked by more resolvers at one moment.
    /// </summary>
    public const int QuarantineForms = 16;

    /// <summary>
    /// Deaths that may count for one query, the last of them all. Ours: bits of a number.
    /// </summary>
    public const int QuarantineDeaths = 64;

    /// <summary>
    /// Deaths after which a query is refused though something that cannot be named may be the
    /// cause. Ours: no backend answered it in between, so refusing it costs no client an answer.
    /// </summary>
    public const int QuarantineSureDeaths = 4;

    /// <summary>
    /// How long a backend is silent when something may have hung it, since it became suspect. Ours:
    /// others answer by then what they were sent in its place; and it is less than the time in
    /// which the next one becomes suspect, so that no third is given what hung them both.
    /// </summary>
    public static readonly Duration QuarantineHangTime = Duration.FromMilliseconds(150);

    /// <summary>
    /// Queries over UDP and TCP that may have hung a backend, the first that nobody answered. Ours:
    /// what it had read together with the culprit.
    /// </summary>
    public const int QuarantineHangs = 16;

    /// <summary>
    /// Of the answers, one in so many is remembered. Ours: that costs 10 ns each.
    /// </summary>
    public const int QuarantineSample = 8;

    /// <summary>Answers that are remembered. Ours: a name asked by many is among them.</summary>
    public const int QuarantineAnswers = 4096;

    /// <summary>
    /// Bytes of a message over TCP that are read, the first ones. Ours: a query with EDNS, signed
    /// and padded, has less, and it fits a connection's queue.
    /// </summary>
    public const int FirstMessageBytes = 4096;

    /// <summary>
    /// How long what a TCP client sends behind a message waits for its answer, so that messages are
    /// known one by one. Ours: a backend answers within a few ms, and a client that does not wait
    /// for answers is held up no longer.
    /// </summary>
    public static readonly Duration PipelineDelay = Duration.FromMilliseconds(20);

    /// <summary>
    /// Unanswered messages of one TCP connection that are known by name, or none if there are more.
    /// Ours: stubs send two or three in one write.
    /// </summary>
    public const int NamedMessages = 8;

    /// <summary>
    /// What TCP clients have asked that is remembered until it is answered. Ours: of those that a
    /// backend dies of it is the newest that counts.
    /// </summary>
    public const int FirstMessages = 1024;

    // ---- Failing ----

    /// <summary>Answers of a backend that are remembered. Ours: bits of a number.</summary>
    public const int AnswersRecorded = 100;

    /// <summary>Answers from which on a share means something. Ours.</summary>
    public const int LeastAnswers = 20;

    /// <summary>
    /// How far, in percentage points, its share of SERVFAIL and REFUSED is above another's when a
    /// backend begins to fail. Ours.
    /// </summary>
    public const int FailingMargin = 50;

    /// <summary>How far at most when it fails no longer, in percentage points. Ours.</summary>
    public const int FailingEnd = 25;

    /// <summary>
    /// A record without an answer for so long is forgotten, and a backend fails for so long at
    /// least. Ours: it gets clients again then, and is judged again twenty answers later.
    /// </summary>
    public static readonly Duration AnswerMemory = Duration.FromSeconds(10);

    /// <summary>
    /// For how long a backend answers no query, of which it has LeastAnswers that are as old, until
    /// it is mute, if another answers. Ours: longer than a recursive query takes.
    /// </summary>
    public static readonly Duration VainTime = Duration.FromSeconds(2);

    /// <summary>
    /// So few do if they differ and UnansweredTime has passed. Ours: one alone may be what nobody
    /// answers, asked again and again.
    /// </summary>
    public const int LeastUnanswered = 3;

    /// <summary>
    /// How old the first of those few is. Ours: a backend that serves anybody answers somebody in
    /// that time, and a client that asks once a second loses no more than about ten queries.
    /// </summary>
    public static readonly Duration UnansweredTime = Duration.FromSeconds(5);

    /// <summary>
    /// Queries that a backend left belong together if no two that follow each other are further
    /// apart, and say nothing of it any more when the last is older. Ours.
    /// </summary>
    public static readonly Duration UnansweredMemory = Duration.FromSeconds(60);

    /// <summary>
    /// Of the oldest queries in flight so many are looked at for those. Ours: what is in flight may
    /// be what no backend answers, and a look takes microseconds so.
    /// </summary>
    public const int MuteLooks = 64;

    /// <summary>
    /// How long a backend is mute at most: AnswerMemory first, and twice as long each time. Ours.
    /// </summary>
    public static readonly Duration LongestMute = Duration.FromSeconds(320);

    /// <summary>
    /// How long the queries of a session that ended wait before they are sent again. Ours: backends
    /// that end together are known by then, or in doubt (DoubtTime), and no client minds. As long
    /// again, while the only one that could take them was asked whether it lives.
    /// </summary>
    public static readonly Duration LossDelay = Duration.FromMilliseconds(20);

    // ---- Answers that are held ----

    /// <summary>
    /// How old a backend's hello may be when an error is not passed on, and later a query. Ours:
    /// shorter than what a client waits before it asks again.
    /// </summary>
    public static readonly Duration HoldTime = Duration.FromSeconds(2);

    /// <summary>
    /// How long a backend that has given nothing but errors since its hello gets no clients after
    /// each. Ours: it is tried once a second or so, until it has its data.
    /// </summary>
    public static readonly Duration DistrustTime = Duration.FromSeconds(1);

    /// <summary>
    /// How old a query may be that is asked again of the backend that erred, while none has given a
    /// good answer. Half of HoldTime, so that another may learn of it too. Ours.
    /// </summary>
    public static readonly Duration SameBackendTime = Duration.FromSeconds(1);

    /// <summary>When the query is asked again. Ours.</summary>
    public static readonly Duration HoldDelay = Duration.FromMilliseconds(100);

    /// <summary>Queries that wait for that at most. Ours: 40,000 a second.</summary>
    public const int HeldQueries = 4096;

    // ---- Probes ----

    /// <summary>Between two probes of a backend. Ours.</summary>
    public static readonly Duration ProbeInterval = Duration.FromSeconds(1);

    /// <summary>
    /// Between two probes before the first good answer. Ours: a Binder that was started has its
    /// data after 30 to 800 ms, and should not wait for clients much longer.
    /// </summary>
    public static readonly Duration FastProbeInterval = Duration.FromMilliseconds(100);

    /// <summary>For how long after the hello they are so fast at most. Ours.</summary>
    public static readonly Duration FastProbing = Duration.FromSeconds(10);

    /// <summary>How long a probe's answer may take. Ours.</summary>
    public static readonly Duration ProbeTimeout = Duration.FromSeconds(1);

    /// <summary>
    /// Good answers in a row after which a backend is no longer down by probe. Ours.
    /// </summary>
    public const int ProbeRise = 1;

    /// <summary>Failures in a row after which it is. Ours.</summary>
    public const int ProbeFall = 3;

    // ---- Suspicion ----

    /// <summary>
    /// How long a backend may be silent when asked, first by a query, then by a heartbeat. Ours:
    /// longer than a pause of its garbage collector, short enough that a client does not ask again.
    /// </summary>
    public static readonly Duration SilenceTime = Duration.FromMilliseconds(100);

    /// <summary>
    /// A backend that is silent for so long gets no query that was sent to one already, if another
    /// is there. Ours: far longer than an answer takes, and two that hang together differ by less.
    /// </summary>
    public static readonly Duration DoubtTime = Duration.FromMilliseconds(20);

    /// <summary>
    /// A wait that ends later than this proves nothing about the other side. Ours.
    /// </summary>
    public static readonly Duration LatenessAllowed = Duration.FromMilliseconds(50);

    /// <summary>Suspect again within this time, a backend is not trusted at once. Ours.</summary>
    public static readonly Duration SuspicionMemory = Duration.FromSeconds(60);

    /// <summary>
    /// How long it must answer then, the first time; twice as long each time. Ours.
    /// </summary>
    public static readonly Duration FirstProof = Duration.FromSeconds(2);

    /// <summary>The longest that it must answer. Ours.</summary>
    public static readonly Duration LongestProof = Duration.FromSeconds(32);

    // ---- The loop ----

    /// <summary>
    /// The most time that deadlines of peers are extended by after a standstill. Ours: several
    /// containers that are thawed one after the other, the balancer's first.
    /// </summary>
    public static readonly Duration StandstillTime = Duration.FromSeconds(3);

    /// <summary>
    /// The same for what is waited for in fractions of a second. Ours: clients of a backend that
    /// really hangs wait as well.
    /// </summary>
    public static readonly Duration ShortStandstillTime = Duration.FromMilliseconds(500);

    /// <summary>
    /// The most such time without a break, when standstills follow each other. Ours.
    /// </summary>
    public static readonly Duration TimeOfStandstills = Duration.FromSeconds(6);

    /// <summary>
    /// How long an orderly stop waits for connections and queries in flight, unless an operator
    /// says otherwise, and how old a query may be that it waits for.
    /// </summary>
    public static readonly Duration StopGrace = Duration.FromSeconds(5);

    /// <summary>
    /// The end of the grace in which no new queries are taken, so that those in flight are
    /// answered; half of a grace that is shorter than two of it. Ours.
    /// </summary>
    public static readonly Duration StopQuietTime = Duration.FromSeconds(1);

    /// <summary>
    /// Turns' shares of what backends sent that a stop still reads before it closes: what many
    /// streams hold after a standstill, in some 60 ms at the most. Ours.
    /// </summary>
    public const int LastShares = 128;

    /// <summary>Between two log lines about one condition that repeats; the original's.</summary>
    public static readonly Duration RepeatedLogInterval = Duration.FromSeconds(5);

    /// <summary>Remotes that a status report names at most, one log line each.</summary>
    public const int StatusRemotes = 1000;
}
