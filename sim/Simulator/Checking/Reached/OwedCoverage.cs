// Owns what L6 owes: which of the faults, reactions and pairs of them must have been within 10,000
// seeds of the swarm profile. Situations that the model names are OwedSituations'.
//
// Every fault is owed. Every reaction is, but for those that no run can bring about; each of these
// has its reason here. Of the pairs, those are owed in which the reaction is what the fault is
// there for.
//
// What always holds: a name here is one of Coverage's; a test sees to it.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;

namespace Simulation.Checking;

/// <summary>What must have been hit.</summary>
public static class OwedCoverage
{
    private const string Control = "only a control session can fail so";
    private const string OnlyEnds = "a simulated stream that fails is one that has ended";
    private const string Proxied = "only a TCP session can fail so";

    private static readonly ImmutableSortedDictionary<string, string> Excuses =
        new Dictionary<string, string>
        {
            ["Entry:TooManyBackends"] = "256 sockets; a scenario has some ten",
            ["EntriesRefused"] = "256 sockets; a scenario has some ten",
            ["QueriesNotHeld"] = "4,096 at a time; a scenario has no more in all",
            ["QuarantineFull"] = "4,096 questions at a time; a scenario has no more in all",
            ["MessagesNotRemembered"] = "1,024 at a time; a scenario has some ten TCP clients",
            ["Entry:Unknown"] = "a simulated link leads to an entry or nowhere",
            ["RemotesUnremembered"] = "a simulated host has memory enough for its remotes",
            ["ConnectionsDroppedByKernel"] = "a thousand would have to wait to be accepted",
            ["SocketsNotWatched"] = "a simulated kernel watches whatever it is asked to",
            ["SocketsWatched"] = "a simulated kernel watches whatever it is asked to",
            ["ConnectionsNotReading"] = "few clients of a scenario do not read, not at one time",
            ["Fault:NotTcpOk"] = Proxied,
            ["Fault:ReadFailed"] = OnlyEnds,
            ["Fault:WriteFailed"] = OnlyEnds,
            ["Refusal:ReadFailed"] = OnlyEnds,
            ["Refusal:WriteFailed"] = OnlyEnds,
            ["Refusal:HelloTimeout"] = Control,
            ["Refusal:FrameBeforeHello"] = Control,
            ["Refusal:SecondHello"] = Control,
            ["Refusal:UnaskedHeartbeat"] = Control,
            ["Refusal:HeartbeatTimeout"] = Control,
            ["Refusal:ReadsNothing"] = Control,
            ["Refusal:UnknownFrame"] = Control,
            ["Refusal:TcpFrameOnControlSession"] = Control,
            ["Refusal:LengthTooLarge"] = Control,
        }.ToImmutableSortedDictionary(StringComparer.Ordinal);

    /// <summary>Pairs, by the names that Coverage gives.</summary>
    public static ImmutableArray<(string Fault, string Reaction)> Pairs { get; } =
    [
        // A process that goes ends its sessions, and leaves a path that refuses, or none.
        ("BackendCrash", "Fault:EndOfStream"), ("BackendCrash", "Fault:ConnectFailed"),
        ("BackendStop", "BackendStopped"), ("BackendStop", "BackendRemoved"),
        ("BackendUnlink", "BackendDraining"), ("BackendRebind", "BackendRestarted"),

        // One that listens too late is refused, and then it is there.
        ("BackendListenLate", "Fault:ConnectFailed"), ("BackendListenLate", "BackendHealthy"),

        // One whose path is away for a while is nobody's choice until it is back.
        ("BackendMove", "BackendDraining"), ("BackendMove", "BackendResumed"),

        // One that stays and is silent, deaf or cut off is found out by its cause.
        ("BackendPause", "Fault:HeartbeatTimeout"), ("BackendReset", "Fault:EndOfStream"),
        ("BackendEnd", "Fault:EndOfStream"), ("BackendBacklog", "ConnectsWithoutResources"),

        // Each error of the kernel's has its counter or its line.
        ("UdpSendFails", "RepliesDenied"), ("UdpSendFails", "RepliesUnreachable"),
        ("UdpSendFails", "RepliesNoBuffers"), ("UdpSendFails", "RepliesInvalid"),
        ("UdpSendFails", "RepliesFailed"), ("UdpSendBlocked", "RepliesWouldBlock"),
        ("UdpReceiveFails", "ReceivesFailed"), ("KernelAccept", "AcceptsFailed"),
        ("KernelSocket", "ConnectionsWithoutResources"),
        ("KernelSocket", "ConnectsWithoutResources"), ("StreamReset", "Fault:EndOfStream"),
        ("StreamWouldBlock", "QueriesToStuckBackend"),
        ("StreamNoMemory", "SessionCallsWithoutMemory"),
        ("StreamNoMemory", "SessionsHaveMemory"),
        ("StreamNoMemory", "Fault:ReadsNothing"),
        ("DirectoryHangs", "DirectoryNotAnswering"), ("DirectoryUnknown", "Entry:Unknown"),
        ("DirectoryEntry", "Entry:NotAStream"),
        ("DirectoryEntry", "Entry:WrongUser"), ("DirectoryEntry", "EntryRecordsSuppressed"),
        ("ClockBack", "ClockSetbacks"), ("ClockStill", "Standstills"),
        ("DirectoryUnreadable", "DirectoryUnreadable"), ("DirectoryEntry", "EntryNotASocket"),
        ("ClockStall", "Fault:HeartbeatTimeout"),

        // What a backend owes when it ends or hangs is answered by another (S17).
        ("BackendCrash", "ResendsAnswered"), ("BackendReset", "ResendsAnswered"),
        ("BackendEnd", "ResendsAnswered"), ("BackendPause", "ResendsAnswered"),
        ("BackendPause", "ResendsFromSuspect"),

        // The operator is heard.
        ("OperatorRescan", "RescanRequested"), ("OperatorStatus", "Status"),

        // What a script does wrong on the control session is the fault's cause.
        ("script:NoHello", "Fault:HelloTimeout"), ("script:HelloDelay", "Fault:HelloTimeout"),
        ("script:HelloTwice", "Fault:SecondHello"), ("script:HelloAgainAfter", "Fault:SecondHello"),
        ("script:ReplyBeforeHello", "Fault:FrameBeforeHello"),
        ("script:NoHeartbeat", "Fault:HeartbeatTimeout"),
        ("script:HeartbeatDelay", "Fault:HeartbeatTimeout"),
        ("script:HangAfter", "Fault:HeartbeatTimeout"),
        ("script:HeartbeatTwice", "Fault:UnaskedHeartbeat"),
        ("script:HeartbeatUnasked", "Fault:UnaskedHeartbeat"),
        ("script:UnknownFrameAfter", "Fault:UnknownFrame"),
        ("script:GarbageAfter", "Fault:UnknownFrame"),
        ("script:TcpFrameOnControlAfter", "Fault:TcpFrameOnControlSession"),
        ("script:ReplyLengthClaim", "Fault:LengthTooLarge"),
        ("script:CloseAfterHello", "Fault:EndOfStream"), ("script:CrashAfter", "Fault:EndOfStream"),
        ("script:CrashMidFrameAfter", "Fault:EndOfStream"),
        ("script:EndMidFrameAfter", "Fault:EndOfStream"),
        ("script:HalfCloseAfter", "Fault:EndOfStream"),

        // A reply that cannot be sent is dropped and counted as what it is.
        ("script:ReplyLength", "RepliesOversized"), ("script:ReplyPort", "RepliesToPortZero"),
        ("script:ReplyPort", "RepliesToPortTooLarge"), ("script:ReplyAddress", "RepliesUnmatched"),
        ("script:OtherQuestionEvery", "RepliesUnmatched"),

        // A TCP session that is refused costs a connection, or a second try.
        ("script:TcpRefuse", "Refusal:EndOfStream"), ("script:TcpReset", "Refusal:EndOfStream"),
        ("script:TcpWrongFrame", "Refusal:NotTcpOk"),
        ("script:TcpNoOk", "ConnectionsHandshakeTimedOut"),
        ("script:TcpOkDelay", "ConnectionsHandshakeTimedOut"),
        ("script:CrashBeforeTcpOk", "ConnectionsRetried"),

        // One that takes no connection is left, and one that hangs with a question has it reset.
        ("script:TcpNoOk", "ConnectionsMoved"), ("script:TcpOkDelay", "ConnectionsMoved"),
        ("BackendPause", "ConnectionsFailedByBackend"),
    ];

    /// <summary>The reactions that are not owed.</summary>
    public static IEnumerable<string> Excused => Excuses.Keys;

    /// <summary>Whether so many seeds owe a situation.</summary>
    public static bool OwesSituation(int situation, long seeds) =>
        OwedSituations.IsOwed(situation, seeds);

    /// <summary>Why a reaction is not owed; null if it is.</summary>
    public static string? Excuse(string reaction) => Excuses.GetValueOrDefault(reaction);

    /// <summary>
    /// What is owed and was not there, a line each. Of situations those that come seldom are owed
    /// by so many seeds only.
    /// </summary>
    public static ImmutableArray<string> Missing(Coverage coverage, long seeds)
    {
        var missing = ImmutableArray.CreateBuilder<string>();
        for (var i = 0; i < Coverage.FaultNames.Length; i++)
        {
            if (coverage.Faults(i) == 0)
                missing.Add($"the fault {Coverage.FaultNames[i]}");
        }
        for (var i = 0; i < Coverage.ReactionNames.Length; i++)
        {
            if (coverage.Reaction(i) == 0 && Excuse(Coverage.ReactionNames[i]) is null)
                missing.Add($"the reaction {Coverage.ReactionNames[i]}");
        }
        foreach (var (fault, reaction) in Pairs)
        {
            if (coverage.Pair(Coverage.FaultNames.IndexOf(fault),
                Coverage.ReactionNames.IndexOf(reaction)) == 0)
            {
                missing.Add($"{reaction} after {fault}");
            }
        }
        missing.AddRange(coverage.MissingSituations(seeds));
        return missing.ToImmutable();
    }
}
