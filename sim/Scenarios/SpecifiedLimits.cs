// Owns the numbers that checks judge by: every time and bound of the balancer, written down a
// second time from the description of what it does. The core has its own, in its Limits; that these
// two agree is not compiled in but found by running, so a number that is changed in the core by
// mistake is a difference that a check sees.
//
// What always holds: nothing here is computed from the core's constants, and no check asks the core
// for a number that stands here.

using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>
/// What the balancer promises, in numbers; see the description's sections for each.
/// </summary>
public static class SpecifiedLimits
{
    // ---- Sessions to backends ----

    public static readonly Duration HelloTime = Seconds(30);
    public static readonly Duration HeartbeatInterval = Seconds(5);
    public static readonly Duration HeartbeatTime = Seconds(15);

    /// <summary>How long a session may take no byte of those that wait for it.</summary>
    public static readonly Duration StallTime = Seconds(15);

    /// <summary>
    /// Tries after a connect that failed because a socket just found is not ready, and when.
    /// </summary>
    public static readonly Duration[] QuietDelays =
    [
        Milliseconds(10), Milliseconds(20), Milliseconds(40), Milliseconds(80), Milliseconds(160),
    ];

    public static readonly Duration FirstBackOff = Seconds(1);
    public static readonly Duration BackOffStep = Seconds(2);
    public static readonly Duration LongestBackOff = Seconds(32);

    /// <summary>
    /// Entries that are not sockets, and others refused, whose names are remembered.
    /// </summary>
    public const int SkippedNames = 64;

    /// <summary>
    /// How much longer a session's deadline waits while something of it lies unread.
    /// </summary>
    public static readonly Duration UnreadTime = Seconds(1);

    /// <summary>
    /// A session whose socket was replaced ends by itself, or is ended after this.
    /// </summary>
    public static readonly Duration RetiredTime = Seconds(15);

    /// <summary>
    /// Bytes that may wait for one session, and of these those that no query may use.
    /// </summary>
    public const int SessionQueueBytes = 256 * 1024;

    public const int ControlReserveBytes = 16;

    // ---- The directory ----

    public static readonly Duration ScanInterval = Seconds(5);

    /// <summary>From a reported change to the scan that looks at it.</summary>
    public static readonly Duration ScanDelay = Duration.FromMilliseconds(10);

    /// <summary>
    /// From a call on a session that the kernel had no memory for to the next, the first time and
    /// at most; twice as long each time.
    /// </summary>
    public static readonly Duration FirstMemoryPause = Duration.FromMilliseconds(10);
    public static readonly Duration LongestMemoryPause = Duration.FromMilliseconds(100);

    /// <summary>From a connect that failed without a fault of the backend to the next.</summary>
    public static readonly Duration ConnectPause = Duration.FromMilliseconds(100);

    /// <summary>The same while an accept queue is full: doubled so often at most.</summary>
    public const int DoublingsOfFullPause = 4;

    /// <summary>From asking the directory to the line that it does not answer.</summary>
    public static readonly Duration DirectoryPatience = Seconds(3);

    public static readonly Duration RemovedRetention = Seconds(300);
    public const int MostBackends = 256;
    public const int LongestPath = 107;

    // ---- Remotes ----

    public static readonly Duration RemoteExpiry = Seconds(300);
    public static readonly Duration ExpiryInterval = Seconds(30);
    public static readonly Duration RebalanceInterval = Seconds(15);

    /// <summary>A full table forgets the one of this many that it knows for the shortest.</summary>
    public const int EvictionSample = 16;

    /// <summary>It looks at this many entries at most to find those.</summary>
    public const int EvictionLooks = 256;

    /// <summary>But not one known for this long and heard from within this time.</summary>
    public static readonly Duration KeptTime = Seconds(60);

    /// <summary>Of the remotes that may be remembered, one in so many may be a newcomer.</summary>
    public const int NewcomersShare = 4;

    /// <summary>From an answer to the query that establishes a newcomer, at least.</summary>
    public static readonly Duration ProvingTime = Seconds(1);

    /// <summary>A remote that was answered in this time may be moved.</summary>
    public static readonly Duration AnsweredLately = Seconds(60);

    /// <summary>Between two moves of a remote at least.</summary>
    public static readonly Duration MovesApart = Seconds(60);

    /// <summary>The fifth rebalance after a move may make another, be it late.</summary>
    public static readonly Duration MovesSurelyApart = Seconds(120);

    /// <summary>Rebalances between two moves of a remote, however late they are.</summary>
    public const long MovesBetween = 4;

    // ---- TCP ----

    public static readonly Duration HandshakeTime = Seconds(10);

    /// <summary>How long one is waited for while another may be asked.</summary>
    public static readonly Duration OkTime = Seconds(1);

    /// <summary>For a client to close whose backend has ended.</summary>
    public static readonly Duration CloseTime = Seconds(5);

    /// <summary>Places are short when one in so many is free.</summary>
    public const int ShortShare = 10;

    public static readonly Duration IdleToGiveWay = Seconds(1);

    /// <summary>Refusals in a row after which a connection waits.</summary>
    public const int RefusalsInARow = 8;

    public static readonly Duration FirstFullDelay = Duration.FromMilliseconds(10);
    public static readonly Duration LongestFullDelay = Duration.FromMilliseconds(100);
    public const int RelayQueueBytes = 16 * 1024;

    /// <summary>How long the listener may rest when there is no descriptor to be had.</summary>
    public static readonly Duration AcceptPause = Duration.FromMilliseconds(100);

    /// <summary>How long the UDP socket may rest when receiving fails.</summary>
    public static readonly Duration ReceivePause = Duration.FromMilliseconds(10);

    // ---- Queries in flight ----

    public const int QueriesInFlight = 16_384;

    /// <summary>Blocks that their packets take, each of so many bytes.</summary>
    public const int BlocksInFlight = 32_768;

    public const int BlockBytes = 128;

    /// <summary>Of one address, port and id on one session.</summary>
    public const int AlikeInFlight = 16;

    public static readonly Duration AnswerTime = Seconds(10);

    // ---- Shares of a backend ----

    /// <summary>A backend is behind with more than it did in so long.</summary>
    public static readonly Duration ShareSpan = Duration.FromMilliseconds(500);

    /// <summary>Bytes that it may have to do in any case.</summary>
    public const int LeastToDo = 16384;

    /// <summary>Bytes that it may have to do while none has waited for so long.</summary>
    public const int BurstToDo = 65_536;

    public static readonly Duration BurstTime = Duration.FromMilliseconds(150);

    /// <summary>Queries in flight that each client may have there.</summary>
    public const int AnyonesShare = 16;

    // ---- More on queries in flight ----

    public static readonly Duration TimeOutPause = Duration.FromMilliseconds(1);

    /// <summary>When those follow that were not due yet, at the earliest.</summary>
    public static readonly Duration TimeOutInterval = Duration.FromMilliseconds(100);

    /// <summary>Younger queries of a session that ended, or is suspect, are sent again.</summary>
    public static readonly Duration ResendTime = Seconds(5);

    /// <summary>
    /// Of so many seconds, the present one included, the budget of copies is made up: one for every
    /// so many queries, and never less than so many.
    /// </summary>
    public const int BudgetSeconds = 11;

    public const int QueriesOfACopy = 10;
    public const int LeastCopies = 200;

    /// <summary>
    /// Of the queries of a session that are sent once more, so many questions are remembered with
    /// the backend that they went to.
    /// </summary>
    public const int QuestionsSentOnce = 4096;

    /// <summary>How long copies wait that would have been more.</summary>
    public static readonly Duration BudgetPause = Milliseconds(100);

    /// <summary>Of a session that takes no bytes any more: 16 reads of 16 KB.</summary>
    public const int RepliesOfARest = 16 * 16_384 / 16;

    // ---- Suspicion ----

    /// <summary>How long a backend may be silent when it was asked.</summary>
    public static readonly Duration SilenceTime = Duration.FromMilliseconds(100);

    /// <summary>
    /// A backend that owes an answer for so long gets no query that has been sent before.
    /// </summary>
    public static readonly Duration DoubtTime = Duration.FromMilliseconds(20);

    /// <summary>How long what a session had waits for others that end with it.</summary>
    public static readonly Duration LostWaitFor = Milliseconds(20);

    /// <summary>A wait that ends later than this proves nothing.</summary>
    public static readonly Duration LatenessAllowed = Duration.FromMilliseconds(50);

    /// <summary>How long it is remembered that a backend was suspect before.</summary>
    public static readonly Duration SuspicionMemory = Seconds(60);

    public static readonly Duration FirstProof = Seconds(2);
    public static readonly Duration LongestProof = Seconds(32);

    // ---- Standstills of the balancer itself ----

    /// <summary>The time that is given after one, at most; short for what is short.</summary>
    public static readonly Duration StandstillTime = Seconds(3);

    public static readonly Duration ShortStandstillTime = Milliseconds(500);

    /// <summary>And without a break.</summary>
    public static readonly Duration TimeOfStandstills = Seconds(6);

    // ---- Failing ----

    /// <summary>Answers of a session that its share is of, and those that it takes.</summary>
    public const int AnswersOfAShare = 100;

    public const int AnswersToJudgeBy = 20;

    /// <summary>Percentage points: to begin to fail, and to be still failing.</summary>
    public const int FarAbove = 50;

    public const int StillAbove = 25;

    /// <summary>
    /// Without an answer for so long a record is forgotten; so long a failing one fails at least.
    /// </summary>
    public static readonly Duration ShareMemory = Seconds(10);

    /// <summary>Of the oldest queries, how many are looked at for that.</summary>
    public const int LooksForMute = 64;

    /// <summary>How long a backend answers nothing until it is mute.</summary>
    public static readonly Duration VainTime = Seconds(2);

    /// <summary>So few queries say that too when they differ and the first is so old.</summary>
    public const int FewLeft = 3;

    public static readonly Duration FewLeftFor = Seconds(5);

    /// <summary>With a longer gap between them they do not belong together.</summary>
    public static readonly Duration LeftTogether = Seconds(60);

    /// <summary>
    /// Bad ends of sessions that are no further apart make the next warm-up longer.
    /// </summary>
    public static readonly Duration FlapMemory = Seconds(60);

    /// <summary>Those that come so long after the warm-up are not counted.</summary>
    public static readonly Duration FlapTime = Seconds(2);

    public static readonly Duration FirstLongWarmUp = Seconds(2);
    public static readonly Duration LongestWarmUp = Seconds(32);

    // ---- Held answers ----

    public static readonly Duration HoldTime = Seconds(2);
    public static readonly Duration AskAgainAfter = Milliseconds(100);
    public static readonly Duration SameBackendFor = Seconds(1);
    public const int MostHeld = 4096;

    /// <summary>How long a backend that gave only errors gets no clients after each.</summary>
    public static readonly Duration DistrustTime = Seconds(1);

    // ---- Probes ----

    public static readonly Duration ProbeEvery = Seconds(1);
    public static readonly Duration ProbeEveryWhenCold = Milliseconds(100);
    public static readonly Duration ProbeColdFor = Seconds(10);
    public static readonly Duration ProbeAnswerTime = Seconds(1);

    /// <summary>Where probes come from.</summary>
    public static readonly Endpoint ProbeSource = new(Ipv4.From(192, 0, 0, 8), 53);

    /// <summary>The name that simulated balancers ask for.</summary>
    public const string ProbeName = "ready.probe.test";

    // ---- Quarantine ----

    public static readonly Duration DeathsCountTogether = Seconds(60);
    public static readonly Duration FirstRefusal = Seconds(60);
    public static readonly Duration LongestRefusal = Seconds(3600);

    /// <summary>Queries under suspicion or refused, and those looked at for one death.</summary>
    public const int RefusalCases = 4096;

    public const int FormsOfARefusal = 16;

    /// <summary>Deaths that count for one query.</summary>
    public const int DeathsRemembered = 64;

    /// <summary>How long it is suspect, and silent, when something may have hung it.</summary>
    public static readonly Duration HangTime = Milliseconds(150);

    /// <summary>Queries that may be what a backend hangs of, the first that it owes.</summary>
    public const int FirstOfAHang = 16;

    /// <summary>Deaths after which a message without a name excuses no query.</summary>
    public const int SureDeaths = 4;

    /// <summary>Every so many answers one is remembered.</summary>
    public const int AnswersOfASample = 8;

    public const int AnswersRemembered = 4096;

    /// <summary>Bytes of a message over TCP that is read, without its length.</summary>
    public const int FirstMessageBytes = 4096;

    /// <summary>How long before a refusal ends it may become longer.</summary>
    public static readonly Duration RefusalLook = Duration.FromSeconds(1L);

    /// <summary>Bytes of an error's answer at most: a header and a question.</summary>
    public const int ErrorBytes = 12 + 255 + 4;

    /// <summary>How long what follows a message waits for its answer.</summary>
    public static readonly Duration PipelineDelay = Milliseconds(20);

    /// <summary>Unanswered messages of a connection that have a name.</summary>
    public const int NamedMessages = 8;

    /// <summary>First messages of TCP clients that are remembered.</summary>
    public const int FirstMessages = 1024;

    // ---- The log and the stop ----

    public static readonly Duration RepeatedLine = Seconds(5);
    public static readonly Duration StopGrace = Seconds(5);

    /// <summary>The end of the grace, in which no more queries are taken.</summary>
    public static readonly Duration StopQuiet = Seconds(1);

    // ---- Work of a turn ----

    /// <summary>Replies that are sent by one call, if it takes them all.</summary>
    public const int DatagramsOfACall = 64;

    /// <summary>A stop accepts those that wait, and no more than can.</summary>
    public const int AcceptsOfAStop = 1001;

    public const int RelayMessageBytes = 64;

    /// <summary>
    /// Bytes of the smallest reply: a read asks for as many as the turn may take.
    /// </summary>
    public const int LeastReplyBytes = 16;

    /// <summary>
    /// A session is read in at least so many bytes at a time; what came short of it was all.
    /// </summary>
    public const int LeastSessionRead = 1536;

    private static Duration Milliseconds(long ms) => Duration.FromMilliseconds(ms);

    private static Duration Seconds(long seconds) => Duration.FromSeconds(seconds);
}
