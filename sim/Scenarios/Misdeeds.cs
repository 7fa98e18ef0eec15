// Owns the list of what a script can make a backend do wrong: each with its field in scenario
// files, what it means, its value in words, and how a script is without it. Whoever reads or writes
// a scenario, counts misdeeds or makes a script smaller goes through this list. No reflection,
// since the executable is native; tests hold the list to the properties of Misbehaviour, and to the
// table that fake-binder reads its options and scripts by (MisbehaviourTable).
//
// What always holds: a misdeed has a value exactly if the script does it; names are those of the
// properties, without the unit, and in camelCase where a file has them.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FakeBinder;

namespace Simulation.Scenarios;

/// <summary>One thing that a script can do wrong.</summary>
public sealed class Misdeed
{
    internal Misdeed(FileField<Misbehaviour> field) => Field = field;

    /// <summary>The property's name, without its unit.</summary>
    public string Name => char.ToUpperInvariant(Field.Name[0]) + Field.Name[1..];

    internal FileField<Misbehaviour> Field { get; }

    /// <summary>What it is set to, in words; null if the script does not do it.</summary>
    public string? Value(Misbehaviour script)
    {
        var value = Field.Get(script);
        if (value.ToText() == Field.Get(Misbehaviour.None).ToText())
            return null;
        return value.Kind == FileNodeKind.Flag ? "" : value.Text;
    }

    /// <summary>The script without it.</summary>
    public Misbehaviour Without(Misbehaviour script) =>
        Field.Set(script, Field.Get(Misbehaviour.None), default);
}

/// <summary>Everything that a script can do wrong.</summary>
public static class Misdeeds
{
    private const string NotDone = "does not";
    private const long MostCount = int.MaxValue;

    public static readonly ImmutableArray<Misdeed> All =
    [
        Time("delay", m => m.DelayNs, (m, v) => m with { DelayNs = v },
            "Every answer comes this much later."),
        Count("dropEvery", 1, m => m.DropEvery, (m, v) => m with { DropEvery = v },
            "Every N-th query of the process is not answered."),
        Count("hangAfter", 0, m => m.HangAfter, (m, v) => m with { HangAfter = v },
            "After N queries the process neither reads nor writes, on any session."),
        Count("pauseAfter", 0, m => m.PauseAfter, (m, v) => m with { PauseAfter = v },
            "After N queries the process does nothing for as long as pause says, once."),
        Time("pause", m => m.PauseNs, (m, v) => m with { PauseNs = v },
            "How long pauseAfter pauses."),
        Count("crashAfter", 0, m => m.CrashAfter, (m, v) => m with { CrashAfter = v },
            "After N queries the process dies and leaves its path behind; it is started again "
            + "3 s later."),
        Count("crashMidFrameAfter", 0, m => m.CrashMidFrameAfter,
            (m, v) => m with { CrashMidFrameAfter = v },
            "The process dies in the middle of reply N + 1; it is started again 3 s later."),
        Time("servfailFor", m => m.ServfailForNs, (m, v) => m with { ServfailForNs = v },
            "SERVFAIL for everything until this long after the start."),
        Time("loadFor", m => m.LoadForNs, (m, v) => m with { LoadForNs = v },
            "Names are loaded one by one until this long after the start, and REFUSED before."),
        Flag("noHello", m => m.NoHello, (m, v) => m with { NoHello = v },
            "SERVER_HELLO is never sent."),
        Time("helloDelay", m => m.HelloDelayNs, (m, v) => m with { HelloDelayNs = v },
            "SERVER_HELLO comes this much later."),
        Flag("helloTwice", m => m.HelloTwice, (m, v) => m with { HelloTwice = v },
            "SERVER_HELLO is sent twice."),
        Moment("closeAfterHello", m => m.CloseAfterHelloNs,
            (m, v) => m with { CloseAfterHelloNs = v },
            "The control session is closed this long after the hello: flapping."),
        Flag("replyBeforeHello", m => m.ReplyBeforeHello,
            (m, v) => m with { ReplyBeforeHello = v },
            "An OUTBOUND_UDP comes before SERVER_HELLO."),
        Flag("noHeartbeat", m => m.NoHeartbeat, (m, v) => m with { NoHeartbeat = v },
            "Heartbeats are not answered."),
        Time("heartbeatDelay", m => m.HeartbeatDelayNs, (m, v) => m with { HeartbeatDelayNs = v },
            "SERVER_HEARTBEAT comes this much later."),
        Flag("heartbeatTwice", m => m.HeartbeatTwice, (m, v) => m with { HeartbeatTwice = v },
            "Each heartbeat is answered twice."),
        Moment("heartbeatUnasked", m => m.HeartbeatUnaskedNs,
            (m, v) => m with { HeartbeatUnaskedNs = v },
            "One SERVER_HEARTBEAT that nobody asked for, this long after the hello."),
        Count("deafAfter", 0, m => m.DeafAfter, (m, v) => m with { DeafAfter = v },
            "After N queries it reads nothing more on the control session, but answers "
            + "heartbeats, unread, heartbeatDelay or else 9 s after they must have come."),
        Count("unknownFrameAfter", 0, m => m.UnknownFrameAfter,
            (m, v) => m with { UnknownFrameAfter = v }, "A frame of type 1099 after N queries."),
        Count("tcpFrameOnControlAfter", 0, m => m.TcpFrameOnControlAfter,
            (m, v) => m with { TcpFrameOnControlAfter = v },
            "INBOUND_TCP_OK on the control session after N queries."),
        Count("garbageAfter", 0, m => m.GarbageAfter, (m, v) => m with { GarbageAfter = v },
            "64 fixed bytes of garbage after N queries."),
        Count("helloAgainAfter", 0, m => m.HelloAgainAfter,
            (m, v) => m with { HelloAgainAfter = v }, "Another SERVER_HELLO after N queries."),
        Count("halfCloseAfter", 0, m => m.HalfCloseAfter, (m, v) => m with { HalfCloseAfter = v },
            "It ends its own direction after N queries and goes on reading."),
        Count("endMidFrameAfter", 0, m => m.EndMidFrameAfter,
            (m, v) => m with { EndMidFrameAfter = v },
            "The session is closed in the middle of reply N + 1; the process lives on."),
        Count("frameSplit", 1, m => m.FrameSplit, (m, v) => m with { FrameSplit = v },
            "Frames are written in pieces of N bytes.", 65_535),
        Count("replyLength", 0, m => m.ReplyLength, (m, v) => m with { ReplyLength = v },
            "Every packet is cut, or padded with zeros, to N bytes.", 65_535),
        Maybe("replyLengthClaim", FileValues.Number(0, uint.MaxValue), m => m.ReplyLengthClaim,
            (m, v) => m with { ReplyLengthClaim = (uint?)v },
            "The header claims this length and no packet follows."),
        Maybe("replyPort", FileValues.Number(0, uint.MaxValue), m => m.ReplyPort,
            (m, v) => m with { ReplyPort = (uint?)v },
            "The port that replies go to, whoever asked; the field has 32 bits."),
        Maybe("replyAddress", new FileValue<long>(FileValues.Address.Schema,
                (node, place) => FileValues.Address.Read(node, place).Value,
                value => FileValues.Address.Write(new Ipv4((uint)value))),
            m => m.ReplyAddress, (m, v) => m with { ReplyAddress = (uint?)v },
            "The address that replies go to, whoever asked."),
        Make("duplicateReplies", FileValues.Count(0, 1000), "0", m => m.DuplicateReplies,
            (m, v) => m with { DuplicateReplies = v }, "Every reply is sent N times more."),
        Count("otherQuestionEvery", 1, m => m.OtherQuestionEvery,
            (m, v) => m with { OtherQuestionEvery = v },
            "Every N-th UDP reply is about another name."),
        Flag("crashBeforeTcpOk", m => m.CrashBeforeTcpOk,
            (m, v) => m with { CrashBeforeTcpOk = v },
            "It dies between INBOUND_TCP and INBOUND_TCP_OK; it is started again 3 s later."),
        Flag("tcpRefuse", m => m.TcpRefuse, (m, v) => m with { TcpRefuse = v },
            "It closes on INBOUND_TCP."),
        Flag("tcpReset", m => m.TcpReset, (m, v) => m with { TcpReset = v },
            "It resets on INBOUND_TCP."),
        Flag("tcpNoOk", m => m.TcpNoOk, (m, v) => m with { TcpNoOk = v },
            "INBOUND_TCP_OK is never sent."),
        Flag("tcpWrongFrame", m => m.TcpWrongFrame, (m, v) => m with { TcpWrongFrame = v },
            "SERVER_HELLO in the place of INBOUND_TCP_OK."),
        Time("tcpOkDelay", m => m.TcpOkDelayNs, (m, v) => m with { TcpOkDelayNs = v },
            "INBOUND_TCP_OK comes this much later."),
        Flag("tcpOkSplit", m => m.TcpOkSplit, (m, v) => m with { TcpOkSplit = v },
            "INBOUND_TCP_OK comes in two halves."),
        Flag("tcpOkWithData", m => m.TcpOkWithData, (m, v) => m with { TcpOkWithData = v },
            "A greeting follows INBOUND_TCP_OK in the same write."),
        Flag("tcpHalfCloseFirst", m => m.TcpHalfCloseFirst,
            (m, v) => m with { TcpHalfCloseFirst = v },
            "It ends its own direction after the first answer, before the client does."),
        Flag("tcpNeverRead", m => m.TcpNeverRead, (m, v) => m with { TcpNeverRead = v },
            "It reads nothing after INBOUND_TCP_OK."),
        Count("tcpChunk", 1, m => m.TcpChunk, (m, v) => m with { TcpChunk = v },
            "Answers over TCP are written in pieces of N bytes.", 65_537),
    ];

    /// <summary>The fields of a script in a file.</summary>
    internal static readonly ImmutableArray<FileField<Misbehaviour>> Fields =
        [.. All.Select(misdeed => misdeed.Field)];

    /// <summary>What a script does, each with its value: "NoHello", "DropEvery 3".</summary>
    public static IEnumerable<string> Of(Misbehaviour script)
    {
        foreach (var misdeed in All)
        {
            if (misdeed.Value(script) is { } value)
                yield return value.Length == 0 ? misdeed.Name : $"{misdeed.Name} {value}";
        }
    }

    private static Misdeed Make<T>(string name, FileValue<T> value, string otherwise,
        Func<Misbehaviour, T> get, Func<Misbehaviour, T, Misbehaviour> set, string words) =>
        new(FileFields.Make(name, value, otherwise, get, set, words));

    private static Misdeed Flag(string name, Func<Misbehaviour, bool> get,
        Func<Misbehaviour, bool, Misbehaviour> set, string words) =>
        Make(name, FileValues.Flag, "false", get, set, words);

    private static Misdeed Time(string name, Func<Misbehaviour, long> get,
        Func<Misbehaviour, long, Misbehaviour> set, string words) =>
        Make(name, FileValues.Nanoseconds, "0s", get, set, words);

    private static Misdeed Moment(string name, Func<Misbehaviour, long?> get,
        Func<Misbehaviour, long?, Misbehaviour> set, string words) =>
        Maybe(name, FileValues.Nanoseconds, get, set, words);

    private static Misdeed Count(string name, int least, Func<Misbehaviour, int?> get,
        Func<Misbehaviour, int?, Misbehaviour> set, string words, long most = MostCount) =>
        Maybe(name, FileValues.Number(least, most), script => get(script),
            (script, value) => set(script, (int?)value), words);

    /// <summary>A field that has no value where the script does not do it.</summary>
    private static Misdeed Maybe(string name, FileValue<long> value,
        Func<Misbehaviour, long?> get, Func<Misbehaviour, long?, Misbehaviour> set,
        string words) => new(new FileField<Misbehaviour>(name, words, NotDone, value.Schema,
            script => get(script) is { } number ? value.Write(number) : FileNode.Null,
            (script, node, place) => set(script,
                ReferenceEquals(node, FileNode.Null) ? null : value.Read(node, place))));
}
