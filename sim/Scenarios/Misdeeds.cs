// Owns the list of what a script can make a backend do wrong, by name and with its value in words:
// for whoever counts misdeeds, and for whoever reads a scenario. No reflection, since the
// executable is native; a test holds the list to the properties of Misbehaviour.
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
public sealed record Misdeed(string Name, Func<Misbehaviour, string?> Value);

/// <summary>Everything that a script can do wrong.</summary>
public static class Misdeeds
{
    public static readonly ImmutableArray<Misdeed> All =
    [
        Time("Delay", m => m.DelayNs),
        Count("DropEvery", m => m.DropEvery),
        Count("HangAfter", m => m.HangAfter),
        Count("PauseAfter", m => m.PauseAfter),
        Time("Pause", m => m.PauseNs),
        Count("CrashAfter", m => m.CrashAfter),
        Count("CrashMidFrameAfter", m => m.CrashMidFrameAfter),
        Time("ServfailFor", m => m.ServfailForNs),
        Flag("NoHello", m => m.NoHello),
        Time("HelloDelay", m => m.HelloDelayNs),
        Flag("HelloTwice", m => m.HelloTwice),
        Moment("CloseAfterHello", m => m.CloseAfterHelloNs),
        Flag("ReplyBeforeHello", m => m.ReplyBeforeHello),
        Flag("NoHeartbeat", m => m.NoHeartbeat),
        Time("HeartbeatDelay", m => m.HeartbeatDelayNs),
        Flag("HeartbeatTwice", m => m.HeartbeatTwice),
        Moment("HeartbeatUnasked", m => m.HeartbeatUnaskedNs),
        Count("UnknownFrameAfter", m => m.UnknownFrameAfter),
        Count("TcpFrameOnControlAfter", m => m.TcpFrameOnControlAfter),
        Count("GarbageAfter", m => m.GarbageAfter),
        Count("HelloAgainAfter", m => m.HelloAgainAfter),
        Count("HalfCloseAfter", m => m.HalfCloseAfter),
        Count("EndMidFrameAfter", m => m.EndMidFrameAfter),
        Count("FrameSplit", m => m.FrameSplit),
        Count("ReplyLength", m => m.ReplyLength),
        Count("ReplyLengthClaim", m => m.ReplyLengthClaim),
        Count("ReplyPort", m => m.ReplyPort),
        new("ReplyAddress", m => m.ReplyAddress is { } to ? new Ipv4(to).ToString() : null),
        Count("DuplicateReplies", m => m.DuplicateReplies is > 0 and var more ? more : null),
        Flag("CrashBeforeTcpOk", m => m.CrashBeforeTcpOk),
        Flag("TcpRefuse", m => m.TcpRefuse),
        Flag("TcpReset", m => m.TcpReset),
        Flag("TcpNoOk", m => m.TcpNoOk),
        Flag("TcpWrongFrame", m => m.TcpWrongFrame),
        Time("TcpOkDelay", m => m.TcpOkDelayNs),
        Flag("TcpOkSplit", m => m.TcpOkSplit),
        Flag("TcpOkWithData", m => m.TcpOkWithData),
        Flag("TcpHalfCloseFirst", m => m.TcpHalfCloseFirst),
        Flag("TcpNeverRead", m => m.TcpNeverRead),
        Count("TcpChunk", m => m.TcpChunk),
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

    private static Misdeed Flag(string name, Func<Misbehaviour, bool> get) =>
        new(name, script => get(script) ? "" : null);

    private static Misdeed Time(string name, Func<Misbehaviour, long> get) =>
        Moment(name, script => get(script) is > 0 and var time ? time : null);

    private static Misdeed Moment(string name, Func<Misbehaviour, long?> get) =>
        new(name, script => get(script) is { } time ? new Duration(time).ToString() : null);

    private static Misdeed Count(string name, Func<Misbehaviour, long?> get) =>
        new(name, script => get(script)?.ToString(CultureInfo.InvariantCulture));
}
