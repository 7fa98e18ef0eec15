// Owns the list of what a script can make a backend do wrong, by name, with its value in words, and
// how a script is without it: for whoever counts misdeeds, reads a scenario or makes it smaller. No
// reflection, since the executable is native; a test holds the list to the properties of
// Misbehaviour.
//
// What always holds: a misdeed has a value exactly if the script does it; names are those of the
// properties, without the unit.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using Balancer.Core;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>One thing that a script can do wrong.</summary>
/// <param name="Name">The property's name.</param>
/// <param name="Value">What it is set to, in words; null if the script does not do it.</param>
/// <param name="Without">The script without it.</param>
public sealed record Misdeed(string Name, Func<Misbehaviour, string?> Value,
    Func<Misbehaviour, Misbehaviour> Without);

/// <summary>Everything that a script can do wrong.</summary>
public static class Misdeeds
{
    public static readonly ImmutableArray<Misdeed> All =
    [
        Time("Delay", m => m.DelayNs, m => m with { DelayNs = 0 }),
        Count("DropEvery", m => m.DropEvery, m => m with { DropEvery = null }),
        Count("HangAfter", m => m.HangAfter, m => m with { HangAfter = null }),
        Count("PauseAfter", m => m.PauseAfter, m => m with { PauseAfter = null }),
        Time("Pause", m => m.PauseNs, m => m with { PauseNs = 0 }),
        Count("CrashAfter", m => m.CrashAfter, m => m with { CrashAfter = null }),
        Count("CrashMidFrameAfter", m => m.CrashMidFrameAfter,
            m => m with { CrashMidFrameAfter = null }),
        Time("ServfailFor", m => m.ServfailForNs, m => m with { ServfailForNs = 0 }),
        Flag("NoHello", m => m.NoHello, m => m with { NoHello = false }),
        Time("HelloDelay", m => m.HelloDelayNs, m => m with { HelloDelayNs = 0 }),
        Flag("HelloTwice", m => m.HelloTwice, m => m with { HelloTwice = false }),
        Moment("CloseAfterHello", m => m.CloseAfterHelloNs,
            m => m with { CloseAfterHelloNs = null }),
        Flag("ReplyBeforeHello", m => m.ReplyBeforeHello, m => m with { ReplyBeforeHello = false }),
        Flag("NoHeartbeat", m => m.NoHeartbeat, m => m with { NoHeartbeat = false }),
        Time("HeartbeatDelay", m => m.HeartbeatDelayNs, m => m with { HeartbeatDelayNs = 0 }),
        Flag("HeartbeatTwice", m => m.HeartbeatTwice, m => m with { HeartbeatTwice = false }),
        Moment("HeartbeatUnasked", m => m.HeartbeatUnaskedNs,
            m => m with { HeartbeatUnaskedNs = null }),
        Count("UnknownFrameAfter", m => m.UnknownFrameAfter,
            m => m with { UnknownFrameAfter = null }),
        Count("TcpFrameOnControlAfter", m => m.TcpFrameOnControlAfter,
            m => m with { TcpFrameOnControlAfter = null }),
        Count("GarbageAfter", m => m.GarbageAfter, m => m with { GarbageAfter = null }),
        Count("HelloAgainAfter", m => m.HelloAgainAfter, m => m with { HelloAgainAfter = null }),
        Count("HalfCloseAfter", m => m.HalfCloseAfter, m => m with { HalfCloseAfter = null }),
        Count("EndMidFrameAfter", m => m.EndMidFrameAfter, m => m with { EndMidFrameAfter = null }),
        Count("FrameSplit", m => m.FrameSplit, m => m with { FrameSplit = null }),
        Count("ReplyLength", m => m.ReplyLength, m => m with { ReplyLength = null }),
        Count("ReplyLengthClaim", m => m.ReplyLengthClaim, m => m with { ReplyLengthClaim = null }),
        Count("ReplyPort", m => m.ReplyPort, m => m with { ReplyPort = null }),
        new("ReplyAddress", m => m.ReplyAddress is { } to ? new Ipv4(to).ToString() : null,
            m => m with { ReplyAddress = null }),
        Count("DuplicateReplies", m => m.DuplicateReplies is > 0 and var more ? more : null,
            m => m with { DuplicateReplies = 0 }),
        Flag("CrashBeforeTcpOk", m => m.CrashBeforeTcpOk, m => m with { CrashBeforeTcpOk = false }),
        Flag("TcpRefuse", m => m.TcpRefuse, m => m with { TcpRefuse = false }),
        Flag("TcpReset", m => m.TcpReset, m => m with { TcpReset = false }),
        Flag("TcpNoOk", m => m.TcpNoOk, m => m with { TcpNoOk = false }),
        Flag("TcpWrongFrame", m => m.TcpWrongFrame, m => m with { TcpWrongFrame = false }),
        Time("TcpOkDelay", m => m.TcpOkDelayNs, m => m with { TcpOkDelayNs = 0 }),
        Flag("TcpOkSplit", m => m.TcpOkSplit, m => m with { TcpOkSplit = false }),
        Flag("TcpOkWithData", m => m.TcpOkWithData, m => m with { TcpOkWithData = false }),
        Flag("TcpHalfCloseFirst", m => m.TcpHalfCloseFirst,
            m => m with { TcpHalfCloseFirst = false }),
        Flag("TcpNeverRead", m => m.TcpNeverRead, m => m with { TcpNeverRead = false }),
        Count("TcpChunk", m => m.TcpChunk, m => m with { TcpChunk = null }),
    ];

    /// <summary>What a script does, each with its value: "NoHello", "DropEvery 3".</summary>
    public static IEnumerable<string> Of(Misbehaviour script)
    {
        foreach (var misdeed in All)
        {
            if (misdeed.Value(script) is { } value)
                yield return value.Length == 0 ? misdeed.Name : $"{misdeed.Name} {value}";
        }
    }

    private static Misdeed Flag(string name, Func<Misbehaviour, bool> get,
        Func<Misbehaviour, Misbehaviour> without) =>
        new(name, script => get(script) ? "" : null, without);

    private static Misdeed Time(string name, Func<Misbehaviour, long> get,
        Func<Misbehaviour, Misbehaviour> without) =>
        Moment(name, script => get(script) is > 0 and var time ? time : null, without);

    private static Misdeed Moment(string name, Func<Misbehaviour, long?> get,
        Func<Misbehaviour, Misbehaviour> without) =>
        new(name, script => get(script) is { } time ? new Duration(time).ToString() : null,
            without);

    private static Misdeed Count(string name, Func<Misbehaviour, long?> get,
        Func<Misbehaviour, Misbehaviour> without) =>
        new(name, script => get(script)?.ToString(CultureInfo.InvariantCulture), without);
}
