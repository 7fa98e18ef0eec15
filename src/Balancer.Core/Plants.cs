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
    AcceptWithoutDescriptorKills = 3,
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
    RepliesKeptWhenBlocked = 22,
    ReplyFromAnyAddress = 23,
    StrangerAnswered = 24,
    LargestQueryRefused = 25,
    WarmUpIgnored = 26,
    RetryOnSameBackend = 27,
    OkBytesKept = 28,
    SkipOneByteShort = 29,
    OldQueueReachesNew = 30,
    HelloKeepsBackOff = 31,
    MadeAnewWaits = 32,
    DrainingNeverEnds = 33,
    ChangesUnheard = 34,
    AcceptNeverResumes = 35,
    IdleTimerNotRearmed = 36,
    EndedProxyKept = 37,
    GrowthLosesWrapped = 38,
    NewestEndKept = 39,
    ExpirySkipsOne = 40,
    RebalanceMovesOneMore = 41,
    EvictsLastHeard = 42,
    SplitLosesEntry = 43,
}

/// <summary>Which bug is active in this thread.</summary>
public static class Plants
{
    /// <summary>Set before a balancer is made, and left alone while it runs.</summary>
    [field: ThreadStatic]
    public static Plant Active { get; set; }

    internal static bool Is(Plant plant) => Active == plant;

    /// <summary>Ends the process, as far as the core can, if this bug is active.</summary>
    internal static void Kill(Plant plant) => Verify.That(Active != plant, $"planted: {plant}");
}
#endif
