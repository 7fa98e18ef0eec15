// Owns the list of situations that the model names where it meets them: places in which the core is
// more likely to be wrong than elsewhere. Many seeds owe each of them (OwedSituations), so that a
// check which would find a bug there has its chance.
//
// What always holds: counting changes nothing in the model; a situation is one of the scenario's
// and of the run's as it should be, never of the core's own state.

using System;

namespace Simulation.Model;

/// <summary>Situations; what each is in words stands in OwedSituations.</summary>
internal enum Situation
{
    ConnectMeetsLateListener,
    QuietTriesUsedUp,
    ConnectFindsNoPath,
    ConnectFindsOthersSocket,
    AcceptQueueFullThreeTimes,
    BackOffIsLongest,
    HelloWithoutPath,
    HelloAfterBadEnds,
    FrameWrittenInParts,
    StuckSessionDrains,
    StuckSessionEnds,
    SuspectSessionEnds,
    EndWithHeartbeatOut,
    ReplyBehindFailedWrite,
    RetiredAnswersHeartbeat,
    RetiredOutOfTime,
    SessionSpared,
    SessionLacksMemoryForLong,
    ConnectionLacksMemory,
    DrainingResumes,
    RemovedReturns,
    RestartWhileSuspect,
    RestartBeforeHello,
    ScanOlderThanSession,
    UnknownEntryKeepsBackend,
    ScanBreaksOffWithNews,
    LookFindsNothing,
    OthersEntryLookedAtAgain,
    RemovedIsForgotten,
    BackupIsBound,
    BackupServesAgain,
    PrimaryServesAgain,
    DrainingServes,
    PrimaryWasRemoved,
    EstablishedOverTcp,
    EstablishedByTime,
    EstablishedAreFull,
    CrowdedByHash,
    TcpGoesWhereDataIs,
    LoadedForLastTime,
    NewcomerEvicted,
    EstablishedEvicted,
    SpreadJustAllowed,
    SpreadJustTooWide,
    RebalanceOfOne,
    RebalanceFindsNobody,
    AskedBeside,
    OldQueriesWaitLonger,
    NewQueryEndsLongWait,
    AnswerOverTcpShowsLife,
    SuspicionSpared,
    JudgedLaterForUnread,
    SuspectAgain,
    ProofGetsLonger,
    ProvingFallsSilent,
    TrustedByProof,
    HangIsJudged,
    HangsAsAnotherDid,
    LostWaitForAnybody,
    LostTakenUp,
    LostWaitForDoubtful,
    CopyWaitsForDoubtful,
    HeldAskedAgain,
    HeldFindsNobody,
    HeldIsWoken,
    HeldRunsOut,
    BudgetComesBack,
    CopyGoesWhereOneWent,
    CopyWouldBeRefused,
    WalkIsMadeAgain,
    ResendsOfATurnUsedUp,
    SuspectCleared,
    RefusedForAnothersDeath,
    RefusedAgain,
    RefusedForLonger,
    ManyFormsOfOne,
    NamelessAskExcuses,
    CutMessageIsCharged,
    RefusedOverTcp,
    DeathsCountAsOne,
    TcpLastPlace,
    TcpLastPlaceOfClient,
    TcpMustMakeRoom,
    TcpSecondBackend,
    TcpRefusedByAll,
    TcpAcceptQueueFull,
    TcpTriedAnew,
    TcpOkInParts,
    TcpBackendTakesNoMore,
    TcpClientToldFirst,
    TcpBackendToldFirst,
    TcpMessageKept,
    TcpMessageKeptTooLong,
    TcpBudgetUsedUp,
    StopAtOnce,
    StopWaitsForReplies,
    StopOutOfTime,
    StopAskedAgain,
    StopInAScan,
    StopWithSuspect,
    StopWithRetired,
    StopWithUnsent,
    StopInHandshake,
    StopWithoutBackend,
    StandstillInAScan,
    StandstillWithHeartbeatOut,
    BatchIsFull,
    FullSocketLosesBatch,
    RepliesOfACallExceeded,
    StatusAskedInAReport,
    ForgottenInAReport,
}

/// <summary>How often each was met in a run, or in many.</summary>
internal sealed class ReachedSituations
{
    private readonly long[] _times = new long[Enum.GetValues<Situation>().Length];

    public long Times(Situation situation) => _times[(int)situation];

    public void Add(Situation situation) => _times[(int)situation]++;

    public void Add(bool isThere, Situation situation) =>
        _times[(int)situation] += isThere ? 1 : 0;

    /// <summary>Adds what another run met.</summary>
    public void Add(ReachedSituations other)
    {
        for (var i = 0; i < _times.Length; i++)
            _times[i] += other._times[i];
    }
}
