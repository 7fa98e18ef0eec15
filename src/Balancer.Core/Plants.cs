#if PLANT
// Owns the bugs that are planted into a build of the simulator, to prove that its checks find what
// they should. Nothing of this is in an ordinary build: this file and every place that asks it are
// compiled only where the build's property Plant is true, and a test looks for what is left.
//
// What always holds: at most one bug is active in a thread, so that runs side by side may each
// have another; with None the core behaves as it does without any of this.

using System;

namespace Balancer.Core;

/// <summary>The planted bugs; what each does is told in the simulator's table of them.</summary>
public enum Plant
{
    None = 0,

    // ---- The twenty of the simulation's plan, by their numbers there ----

    FailedSendKills = 1,
    ReplyPortCut = 2,
    EmfileKills = 3,
    ProxyLeaked = 4,
    UnlinkedGetsTcp = 5,
    OldHandshakeFaultsNew = 6,
    EofUnseenMidFrame = 7,
    NoBackPressure = 8,
    BackOffReaches33 = 9,
    FailedSendCountedTwice = 10,
    HelloKeepsRemoved = 11,
    ClockReadBeforeWait = 12,
    HeaderTakenToBeWhole = 13,
    OldFrameReachesNew = 14,
    HeartbeatStaysOut = 15,
    CountNotLowered = 16,
    BackupKept = 17,
    EofOvertakes = 18,
    StuckNeverCleared = 19,
    UnreadableTakenForEmpty = 20,

    // ---- Those to be feared in this code ----

    PartialSendForgets = 21,
    FullBatchLosesReply = 22,
    RepliesKeptWhenBlocked = 23,
    StrangerAnswered = 24,
    LargestQueryRefused = 25,
    ReceiveNeverResumes = 26,
    SkipOneByteShort = 27,
    OldQueueReachesNew = 28,
    RetiredTimersLive = 29,
    RetiredOutlivesItsTime = 30,
    HelloTimerStaysArmed = 31,
    HelloKeepsBackOff = 32,
    MadeAnewKeepsBackOff = 33,
    MadeAnewWaits = 34,
    AttemptMadeAnewUncounted = 35,
    OwnSocketTakenForAnother = 36,
    DrainingNeverEnds = 37,
    HalfScanBelieved = 38,
    ScanEndsWithError = 39,
    ChangesUnheard = 40,
    WarmUpIgnored = 41,
    MovedFlagKept = 42,
    LastSeenNotMoved = 43,
    ExpirySkipsOne = 44,
    RebalanceMovesOneMore = 45,
    RebalanceOnce = 46,
    NewestEndKept = 47,
    EvictsLastHeard = 48,
    SplitLosesEntry = 49,
    AcceptNeverResumes = 50,
    AcceptSpins = 51,
    ClientCountNotLowered = 52,
    RefusedStreamLeaks = 53,
    RetryOnSameBackend = 54,
    OkBytesKept = 55,
    HangUpUnwatched = 56,
    IdleTimerNotRearmed = 57,
    LostSinkHalfClosed = 58,
    CutAnswerEndsClean = 59,
    GrowthLosesWrapped = 60,
    GateNeverCloses = 61,
    StopLeavesConnections = 62,
    StopWaitsForNobody = 63,
    HoleNotSiftedUp = 64,
    TimersBeforeEvents = 65,
    ReportNeverOver = 66,
    ScanBelievedOverConnect = 67,
    AbortedListenerRests = 68,
    DeafBackendCutsAnswer = 69,
    ShortResponseTaken = 70,
    WholeAnswerReset = 71,
    FailedSendNamesFirst = 72,
    LocalAddressKept = 73,
    StopEndsScans = 74,
    StartUntold = 75,
}

/// <summary>Which bug is active in this thread.</summary>
public static class Plants
{
    /// <summary>Set before a balancer is made, and left alone while it runs.</summary>
    [field: ThreadStatic]
    public static Plant Active { get; set; }

    internal static bool Is(Plant plant) => Active == plant;
}
#endif
