// Owns the table of planted bugs: what each does, the check that must catch it, and within how many
// seeds. The first twenty are the plan's, with its checks and its budgets; the others are what a
// reader of this core would fear. Each is planted in the core under its name (Plants.cs there).
//
// What always holds: numbers go up from 1 without a gap, and are those of the core's enum; a budget
// is kept when the check catches the bug in 99 of 100 disjoint blocks of so many seeds.

using System;
using System.Collections.Immutable;
using System.Globalization;

namespace Simulation.Planting;

/// <summary>One planted bug.</summary>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Name">Its name in the core's enum.</param>
/// <param name="Check">The check that must catch it.</param>
/// <param name="Seeds">Within so many seeds.</param>
/// <param name="What">What it does, in a few words.</param>
public sealed record PlantedBug(int Number, string Name, string Check, int Seeds, string What)
{
    public static ImmutableArray<PlantedBug> All { get; } =
    [
        new(1, "FailedSendKills", "S13", 20, "a failed send of a reply ends the process"),
        new(2, "ReplyPortCut", "S5", 20, "a reply's port is cut to 16 bits"),
        new(3, "EmfileKills", "S13", 50, "EMFILE on accept ends the process"),
        new(4, "ProxyLeaked", "S10", 10, "a client that gets no backend is never closed"),
        new(5, "UnlinkedGetsTcp", "L3", 100, "an unlinked path still gets TCP sessions"),
        new(6, "OldHandshakeFaultsNew", "S11", 500,
            "an old TCP handshake's timer faults the next session"),
        new(7, "EofUnseenMidFrame", "S2", 50, "EOF is not seen while part of a frame is kept"),
        new(8, "NoBackPressure", "S10", 20, "TCP is read however much waits"),
        new(9, "BackOffReaches33", "S9", 50, "the back-off reaches 33 s"),
        new(10, "FailedSendCountedTwice", "S1", 20,
            "a failed send is counted as sent and as dropped"),
        new(11, "HelloKeepsRemoved", "S3", 5000,
            "a hello does not clear that a backend was removed"),
        new(12, "ClockReadBeforeWait", "S8", 20, "the clock is read before the wait"),
        new(13, "HeaderTakenToBeWhole", "S6", 5, "a frame's header is taken to be whole"),
        new(14, "OldFrameReachesNew", "S6", 300,
            "an old session's half frame ends in the next one"),
        new(15, "HeartbeatStaysOut", "S8", 100, "an outstanding heartbeat survives a reconnect"),
        new(16, "CountNotLowered", "S4", 20, "a count of remotes is not lowered on expiry"),
        new(17, "BackupKept", "S2", 20, "the backup is kept when the primary is back"),
        new(18, "EofOvertakes", "S7", 50, "the end of a TCP stream overtakes queued bytes"),
        new(19, "StuckNeverCleared", "L1", 50, "a backend that was stuck stays so"),
        new(20, "UnreadableTakenForEmpty", "S3", 100,
            "an unreadable directory is taken for an empty one"),

        new(21, "PartialSendForgets", "S1", 50, "what a partial send left over is forgotten"),
        new(22, "FullBatchLosesReply", "S1", 100, "a reply that finds the batch full is lost"),
        new(23, "RepliesKeptWhenBlocked", "S5", 50,
            "a batch that the socket did not take is sent again"),
        new(24, "StrangerAnswered", "S5", 50, "a reply goes to somebody who never asked"),
        new(25, "LargestQueryRefused", "S12", 50, "a query of 1500 bytes counts as oversized"),
        new(26, "ReceiveNeverResumes", "S14", 50,
            "after two failed receives no datagram is taken any more"),
        new(27, "SkipOneByteShort", "S6", 100,
            "of an oversized reply all but one byte is skipped"),
        new(28, "OldQueueReachesNew", "S6", 100,
            "what waited for an old session goes to the next"),
        new(29, "RetiredTimersLive", "S8", 300, "a retired session's timers act on the new one"),
        new(30, "RetiredOutlivesItsTime", "S10", 100, "a retired session has no end but its own"),
        new(31, "HelloTimerStaysArmed", "S11", 20, "a hello does not end the wait for it"),
        new(32, "HelloKeepsBackOff", "S9", 50, "a hello does not set the back-off back"),
        new(33, "MadeAnewKeepsBackOff", "S9", 50,
            "an entry made anew does not set the back-off back"),
        new(34, "MadeAnewWaits", "S9", 50, "an entry made anew waits for the back-off"),
        new(35, "AttemptMadeAnewUncounted", "S12", 300,
            "a connect that an entry made anew ends is not counted as failed"),
        new(36, "OwnSocketTakenForAnother", "S9", 100,
            "a socket connected to before a scan saw it is taken for another"),
        new(37, "DrainingNeverEnds", "S2", 100, "an unlinked backend's session outlives its end"),
        new(38, "HalfScanBelieved", "S3", 100, "a scan that broke off is taken for a whole one"),
        new(39, "ScanEndsWithError", "L2", 100,
            "after an unreadable directory nothing scans any more"),
        new(40, "ChangesUnheard", "S9", 100, "a change in the directory waits for the next scan"),
        new(41, "WarmUpIgnored", "S2", 50, "returning clients meet a backend that warms up"),
        new(42, "MovedFlagKept", "S2", 300, "who was moved once always goes to the fewest"),
        new(43, "LastSeenNotMoved", "S3", 50, "silence is counted from the first query"),
        new(44, "ExpirySkipsOne", "S10", 200, "the expiry skips the entry after one it forgot"),
        new(45, "RebalanceMovesOneMore", "S3", 50, "a rebalance takes one remote more"),
        new(46, "RebalanceOnce", "L4", 100, "only the first rebalance comes"),
        new(47, "NewestEndKept", "L4", 500, "the list of a backend's remotes keeps a dead end"),
        new(48, "EvictsLastHeard", "S3", 500, "a full table forgets whom it heard last"),
        new(49, "SplitLosesEntry", "S3", 2000, "a bucket that splits loses what should move"),
        new(50, "AcceptNeverResumes", "S14", 100, "after EMFILE nobody is accepted any more"),
        new(51, "AcceptSpins", "L5", 50, "the listener does not rest after EMFILE"),
        new(52, "ClientCountNotLowered", "S12", 500,
            "a connection that failed counts against its client's limit for ever"),
        new(53, "RefusedStreamLeaks", "S10", 50,
            "the stream to a backend that refused stays open"),
        new(54, "RetryOnSameBackend", "S2", 200,
            "a connection's second try goes to the same backend"),
        new(55, "OkBytesKept", "S12", 3000, "half an INBOUND_TCP_OK counts for the next backend"),
        new(56, "HangUpUnwatched", "S14", 50,
            "a reset goes unseen while a client is neither read nor written"),
        new(57, "IdleTimerNotRearmed", "L3", 100,
            "a connection that was used is never idle again"),
        new(58, "LostSinkHalfClosed", "S7", 50,
            "a backend that reads no more is told an end before its bytes"),
        new(59, "CutAnswerEndsClean", "S7", 100,
            "an answer cut short by its backend ends as if it were whole"),
        new(60, "GrowthLosesWrapped", "S7", 500, "a queue that grows loses what had wrapped"),
        new(61, "GateNeverCloses", "S10", 50, "a condition that repeats is logged every time"),
        new(62, "StopLeavesConnections", "S15", 50, "a stop leaves connections open"),
        new(63, "StopWaitsForNobody", "S15", 100, "a stop does not wait for queries in flight"),
        new(64, "HoleNotSiftedUp", "S8", 50,
            "a timer that fills a hole may be too deep in the heap"),
        new(65, "TimersBeforeEvents", "S8", 300,
            "deadlines are judged before what has arrived is read"),
        new(66, "ReportNeverOver", "S12", 2000,
            "a status report that is over goes on with remotes that come later"),
        new(67, "ScanBelievedOverConnect", "S12", 500,
            "a scan that a connect came between says that the path is gone"),
        new(68, "AbortedListenerRests", "S14", 100,
            "a client that left before it was accepted keeps others waiting"),
        new(69, "DeafBackendCutsAnswer", "S12", 1000,
            "a backend that reads no more has its answer cut short"),
        new(70, "ShortResponseTaken", "S2", 100,
            "a response of three bytes is taken for a query"),
        new(71, "WholeAnswerReset", "S7", 50, "every TCP connection ends with a reset"),
        new(72, "FailedSendNamesFirst", "S12", 100,
            "a failed send is told of the first remote of its batch"),
        new(73, "LocalAddressKept", "S5", 200,
            "replies leave from the address that a remote asked first"),
        new(74, "StopEndsScans", "S9", 100,
            "a stop that waits for connections looks for backends no more"),
        new(75, "StartUntold", "S12", 5, "the log does not tell of the start"),
    ];

    /// <summary>The core as it is, to see what checks say where there is nothing to find.</summary>
    private static readonly PlantedBug None = new(0, "None", "no check", 100, "no bug is planted");

    /// <summary>
    /// The bug of this number or name, in any case of letters; "none" is number 0; null if there is
    /// no such bug.
    /// </summary>
    public static PlantedBug? Find(string id)
    {
        if (id.Equals(None.Name, StringComparison.OrdinalIgnoreCase))
            return None;
        foreach (var bug in All)
        {
            if (bug.Name.Equals(id, StringComparison.OrdinalIgnoreCase)
                || bug.Number.ToString(CultureInfo.InvariantCulture) == id)
            {
                return bug;
            }
        }
        return null;
    }
}
