// Owns the table of everything that a fake backend can be told to do wrong: what each is called,
// which values it takes, and which member of Misbehaviour it sets. The command line, the
// environment and scripts are three ways to say the same; each reads this table and adds nothing.
//
//   --crash-after 100   FAKE_BINDER_CRASH_AFTER=100   {"crashAfter": 100}
//   --no-hello          FAKE_BINDER_NO_HELLO=1        {"noHello": true}
//   --delay 250ms       FAKE_BINDER_DELAY=250ms       {"delay": "250ms"}
//
// What always holds: a value that was taken is in its bounds; what Get gives Set takes.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Sockets;

namespace FakeBinder;

/// <summary>What the value of a misdeed looks like.</summary>
internal enum ValueForm
{
    /// <summary>It is done or not; "true" as text.</summary>
    Flag,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>A time such as 250ms, 1.5s or 2m.</summary>
    Time,

    /// <summary>An IPv4 address.</summary>
    Address,
}

/// <summary>One thing that can be done wrong.</summary>
/// <param name="Name">On the command line, such as --crash-after.</param>
/// <param name="Form">What its value looks like.</param>
/// <param name="Description">For the help.</param>
/// <param name="Get">The value as text; null when it is not done.</param>
/// <param name="Set">Takes a value, or says what it must be.</param>
internal sealed record Misdeed(
    string Name, ValueForm Form, string Description, Func<Misbehaviour, string?> Get,
    Func<Misbehaviour, string, (Misbehaviour Result, string? Wrong)> Set)
{
    /// <summary>In a script, such as crashAfter.</summary>
    public string Key { get; } = CamelCase(Name);

    /// <summary>It happens behind a balancer alone, and never at a plain DNS port.</summary>
    public bool IsOfFrames { get; init; }

    private static string CamelCase(string name) => string.Concat(name[2..].Split('-').Select(
        (word, i) => i == 0 ? word : char.ToUpperInvariant(word[0]) + word[1..]));
}

internal static class MisbehaviourTable
{
    private const long MaxNs = 3_600_000_000_000;

    public static readonly ImmutableArray<Misdeed> All =
        [.. Process(), .. OfFrames(Hello()), .. OfFrames(Control()), .. Replies(), .. Tcp()];

    private static IEnumerable<Misdeed> Process() =>
    [
        Time("--delay", "Answer everything this much later.",
            m => m.DelayNs, (m, v) => m with { DelayNs = v }),
        Number("--drop-every", "Do not answer every N-th query.", 1, int.MaxValue,
            m => m.DropEvery, (m, v) => m with { DropEvery = (int)v }),
        After("--hang-after", "Read and write nothing more after N queries.",
            m => m.HangAfter, (m, v) => m with { HangAfter = v }),
        After("--pause-after", "Do nothing for the time of --pause, once.",
            m => m.PauseAfter, (m, v) => m with { PauseAfter = v }),
        Time("--pause", "How long --pause-after pauses.",
            m => m.PauseNs, (m, v) => m with { PauseNs = v }),
        After("--crash-after", "Exit 1 after N queries and leave the path behind.",
            m => m.CrashAfter, (m, v) => m with { CrashAfter = v }),
        After("--crash-mid-frame-after", "Exit 1 in the middle of reply N + 1.",
            m => m.CrashMidFrameAfter, (m, v) => m with { CrashMidFrameAfter = v })
            with { IsOfFrames = true },
        Time("--servfail-for", "Answer SERVFAIL for this long after the start.",
            m => m.ServfailForNs, (m, v) => m with { ServfailForNs = v }),
        Time("--load-for",
            "Load names one by one for this long after the start; REFUSED before.",
            m => m.LoadForNs, (m, v) => m with { LoadForNs = v }),
    ];

    private static IEnumerable<Misdeed> Hello() =>
    [
        Flag("--no-hello", "Never say SERVER_HELLO.",
            m => m.NoHello, (m, v) => m with { NoHello = v }),
        Time("--hello-delay", "Say SERVER_HELLO this much later.",
            m => m.HelloDelayNs, (m, v) => m with { HelloDelayNs = v }),
        Flag("--hello-twice", "Say SERVER_HELLO twice.",
            m => m.HelloTwice, (m, v) => m with { HelloTwice = v }),
        MaybeTime("--close-after-hello", "Close the control session this long after the hello.",
            m => m.CloseAfterHelloNs, (m, v) => m with { CloseAfterHelloNs = v }),
        Flag("--reply-before-hello", "Send a reply before SERVER_HELLO.",
            m => m.ReplyBeforeHello, (m, v) => m with { ReplyBeforeHello = v }),
        Flag("--no-heartbeat", "Never answer a heartbeat.",
            m => m.NoHeartbeat, (m, v) => m with { NoHeartbeat = v }),
        Time("--heartbeat-delay", "Answer heartbeats this much later.",
            m => m.HeartbeatDelayNs, (m, v) => m with { HeartbeatDelayNs = v }),
        Flag("--heartbeat-twice", "Answer each heartbeat twice.",
            m => m.HeartbeatTwice, (m, v) => m with { HeartbeatTwice = v }),
        MaybeTime("--heartbeat-unasked",
            "Send one heartbeat nobody asked for, this long after hello.",
            m => m.HeartbeatUnaskedNs, (m, v) => m with { HeartbeatUnaskedNs = v }),
    ];

    private static IEnumerable<Misdeed> Control() =>
    [
        After("--deaf-after",
            "Read nothing more on the control session, but answer heartbeats, unread.",
            m => m.DeafAfter, (m, v) => m with { DeafAfter = v }),
        After("--unknown-frame-after", "Send a frame of unknown type.",
            m => m.UnknownFrameAfter, (m, v) => m with { UnknownFrameAfter = v }),
        After("--tcp-frame-on-control-after", "Send INBOUND_TCP_OK on the control session.",
            m => m.TcpFrameOnControlAfter, (m, v) => m with { TcpFrameOnControlAfter = v }),
        After("--garbage-after", "Send 64 bytes of garbage.",
            m => m.GarbageAfter, (m, v) => m with { GarbageAfter = v }),
        After("--hello-again-after", "Say SERVER_HELLO again.",
            m => m.HelloAgainAfter, (m, v) => m with { HelloAgainAfter = v }),
        After("--half-close-after", "End our direction of the control session, read on.",
            m => m.HalfCloseAfter, (m, v) => m with { HalfCloseAfter = v }),
        After("--end-mid-frame-after",
            "Close the control session in the middle of reply N + 1.",
            m => m.EndMidFrameAfter, (m, v) => m with { EndMidFrameAfter = v }),
        Number("--frame-split", "Write frames in pieces of N bytes.", 1, 65_535,
            m => m.FrameSplit, (m, v) => m with { FrameSplit = (int)v }),
    ];

    private static IEnumerable<Misdeed> Replies() =>
    [
        Number("--reply-length", "Cut or pad every UDP reply to N bytes.", 0, 65_535,
            m => m.ReplyLength, (m, v) => m with { ReplyLength = (int)v }),
        Number("--reply-length-claim", "Claim N bytes in a reply's header and send none.",
            0, uint.MaxValue,
            m => m.ReplyLengthClaim, (m, v) => m with { ReplyLengthClaim = (uint)v })
            with { IsOfFrames = true },
        Number("--reply-port", "Send UDP replies to this port.", 0, uint.MaxValue,
            m => m.ReplyPort, (m, v) => m with { ReplyPort = (uint)v }),
        Address("--reply-address", "Send UDP replies to this address.",
            m => m.ReplyAddress, (m, v) => m with { ReplyAddress = v }),
        Number("--duplicate-replies", "Send every UDP reply N times more.", 0, 1000,
            m => m.DuplicateReplies == 0 ? null : m.DuplicateReplies,
            (m, v) => m with { DuplicateReplies = (int)v }),
        Number("--other-question-every", "Send every N-th UDP reply about another name.",
            1, int.MaxValue,
            m => m.OtherQuestionEvery, (m, v) => m with { OtherQuestionEvery = (int)v }),
    ];

    private static IEnumerable<Misdeed> Tcp() =>
    [
        .. OfFrames(
        [
            Flag("--crash-before-tcp-ok", "Exit 1 between INBOUND_TCP and INBOUND_TCP_OK.",
                m => m.CrashBeforeTcpOk, (m, v) => m with { CrashBeforeTcpOk = v }),
            Flag("--tcp-wrong-frame", "Say SERVER_HELLO in the place of INBOUND_TCP_OK.",
                m => m.TcpWrongFrame, (m, v) => m with { TcpWrongFrame = v }),
            Flag("--tcp-no-ok", "Never say INBOUND_TCP_OK.",
                m => m.TcpNoOk, (m, v) => m with { TcpNoOk = v }),
            Time("--tcp-ok-delay", "Say INBOUND_TCP_OK this much later.",
                m => m.TcpOkDelayNs, (m, v) => m with { TcpOkDelayNs = v }),
            Flag("--tcp-ok-split", "Say INBOUND_TCP_OK in two halves, 20 ms apart.",
                m => m.TcpOkSplit, (m, v) => m with { TcpOkSplit = v }),
            Flag("--tcp-ok-with-data",
                "Send an unasked message in the same write as INBOUND_TCP_OK.",
                m => m.TcpOkWithData, (m, v) => m with { TcpOkWithData = v }),
        ]),
        Flag("--tcp-refuse", "Close TCP sessions on INBOUND_TCP.",
            m => m.TcpRefuse, (m, v) => m with { TcpRefuse = v }),
        Flag("--tcp-reset", "Reset TCP sessions on INBOUND_TCP.",
            m => m.TcpReset, (m, v) => m with { TcpReset = v }),
        Flag("--tcp-half-close-first", "End our direction after the first answer.",
            m => m.TcpHalfCloseFirst, (m, v) => m with { TcpHalfCloseFirst = v }),
        Flag("--tcp-never-read", "Read nothing after INBOUND_TCP_OK.",
            m => m.TcpNeverRead, (m, v) => m with { TcpNeverRead = v }),
        Number("--tcp-chunk", "Write TCP answers in pieces of N bytes.", 1, 65_537,
            m => m.TcpChunk, (m, v) => m with { TcpChunk = (int)v }),
    ];

    private static IEnumerable<Misdeed> OfFrames(IEnumerable<Misdeed> misdeeds) =>
        misdeeds.Select(misdeed => misdeed with { IsOfFrames = true });

    // ---- The forms of values ----

    private static Misdeed Flag(string name, string description,
        Func<Misbehaviour, bool> get, Func<Misbehaviour, bool, Misbehaviour> set) =>
        new(name, ValueForm.Flag, description, m => get(m) ? "true" : null,
            (m, text) => text is "true" or "false"
                ? (set(m, text == "true"), null)
                : (m, "must be true or false"));

    private static Misdeed After(string name, string description,
        Func<Misbehaviour, int?> get, Func<Misbehaviour, int, Misbehaviour> set) =>
        Number(name, description, 0, int.MaxValue, m => get(m), (m, v) => set(m, (int)v));

    private static Misdeed Number(string name, string description, long min, long max,
        Func<Misbehaviour, long?> get, Func<Misbehaviour, long, Misbehaviour> set) =>
        new(name, ValueForm.Number, description,
            m => get(m)?.ToString(CultureInfo.InvariantCulture),
            (m, text) => long.TryParse(text, NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
                ? (set(m, number), null)
                : (m, $"must be a whole number, {min} to {max}"));

    private static Misdeed Time(string name, string description,
        Func<Misbehaviour, long> get, Func<Misbehaviour, long, Misbehaviour> set) =>
        MaybeTime(name, description, m => get(m) is > 0 and var time ? time : null, set);

    private static Misdeed MaybeTime(string name, string description,
        Func<Misbehaviour, long?> get, Func<Misbehaviour, long, Misbehaviour> set) =>
        new(name, ValueForm.Time, description, m => get(m) is { } time ? ToText(time) : null,
            (m, text) => ToTime(text) is { } time
                ? (set(m, time), null)
                : (m, "must be a time such as 250ms, 1.5s or 2m, an hour at most"));

    private static Misdeed Address(string name, string description,
        Func<Misbehaviour, uint?> get, Func<Misbehaviour, uint, Misbehaviour> set) =>
        new(name, ValueForm.Address, description,
            m => get(m) is { } address
                ? $"{address >> 24}.{(byte)(address >> 16)}.{(byte)(address >> 8)}.{(byte)address}"
                : null,
            (m, text) => ToAddress(text) is { } address
                ? (set(m, address), null)
                : (m, "must be an IPv4 address"));

    private static string ToText(long ns) => ns % 1_000_000_000 == 0
        ? string.Create(CultureInfo.InvariantCulture, $"{ns / 1_000_000_000}s")
        : (ns / 1_000_000m).ToString("0.######", CultureInfo.InvariantCulture) + "ms";

    private static long? ToTime(string text)
    {
        var (unit, ns) = text.EndsWith("ms", StringComparison.Ordinal) ? ("ms", 1_000_000L)
            : text.EndsWith('s') ? ("s", 1_000_000_000L)
            : text.EndsWith('m') ? ("m", 60_000_000_000L)
            : ("", 0);
        return ns != 0 && decimal.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture, out var number) && number <= MaxNs / ns
            ? (long)(number * ns)
            : null;
    }

    /// <summary>An IPv4 address, first octet most significant; null if it is none.</summary>
    public static uint? ToAddress(string text)
    {
        if (!IPAddress.TryParse(text, out var address)
            || address.AddressFamily != AddressFamily.InterNetwork || address.ToString() != text)
            return null;
        var number = 0u;
        foreach (var octet in address.GetAddressBytes())
            number = number << 8 | octet;
        return number;
    }
}
