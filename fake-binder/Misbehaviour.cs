// Owns the list of everything that a fake backend can do wrong, as one immutable record: the
// command line makes one for a process, the simulator one for each scripted backend, and both
// then misbehave in the same way.
//
// "After N" counts whole, well-treated queries, and 0 means right after the hello. What ends a
// session counts that session's queries, so it happens again on each session; what hits the
// whole process (hang, pause, crash) counts the process's, UDP and TCP alike. Where a reply is
// cut in its middle, N replies went out whole before.
//
// What always holds: null, 0 for a time, and false mean "does not do that"; Misbehaviour.None
// does nothing wrong.

namespace FakeBinder;

/// <summary>What a backend does wrong; times in nanoseconds, counts from 0.</summary>
public sealed record Misbehaviour
{
    /// <summary>A backend as it should be.</summary>
    public static readonly Misbehaviour None = new();

    // ---- Slow, deaf and dead ----

    /// <summary>Every answer comes this much later.</summary>
    public long DelayNs { get; init; }

    /// <summary>Every N-th query of the process is not answered; 1 or more.</summary>
    public int? DropEvery { get; init; }

    /// <summary>After N queries the process neither reads nor writes, on any session.</summary>
    public int? HangAfter { get; init; }

    /// <summary>After N queries the process does nothing for PauseNs, once.</summary>
    public int? PauseAfter { get; init; }

    /// <summary>How long PauseAfter pauses.</summary>
    public long PauseNs { get; init; }

    /// <summary>After N queries the process exits 1 and leaves its path behind.</summary>
    public int? CrashAfter { get; init; }

    /// <summary>The process exits in the middle of reply N + 1.</summary>
    public int? CrashMidFrameAfter { get; init; }

    /// <summary>SERVFAIL for everything until this long after the start.</summary>
    public long ServfailForNs { get; init; }

    /// <summary>
    /// Names are loaded one by one until this long after the start, and REFUSED before.
    /// </summary>
    public long LoadForNs { get; init; }

    // ---- Hello ----

    public bool NoHello { get; init; }

    /// <summary>SERVER_HELLO comes this much later.</summary>
    public long HelloDelayNs { get; init; }

    public bool HelloTwice { get; init; }

    /// <summary>Closes the control session this long after the hello: flapping.</summary>
    public long? CloseAfterHelloNs { get; init; }

    /// <summary>An OUTBOUND_UDP comes before SERVER_HELLO.</summary>
    public bool ReplyBeforeHello { get; init; }

    // ---- Heartbeats ----

    public bool NoHeartbeat { get; init; }

    /// <summary>SERVER_HEARTBEAT comes this much later.</summary>
    public long HeartbeatDelayNs { get; init; }

    public bool HeartbeatTwice { get; init; }

    /// <summary>One SERVER_HEARTBEAT that nobody asked for, this long after the hello.</summary>
    public long? HeartbeatUnaskedNs { get; init; }

    // ---- Frames on the control session ----

    /// <summary>
    /// Reads nothing more on the control session after N queries, and answers heartbeats unread,
    /// HeartbeatDelayNs, or else 9 s, after they must have come.
    /// </summary>
    public int? DeafAfter { get; init; }

    /// <summary>A frame of type 1099 after N queries.</summary>
    public int? UnknownFrameAfter { get; init; }

    /// <summary>INBOUND_TCP_OK on the control session after N queries.</summary>
    public int? TcpFrameOnControlAfter { get; init; }

    /// <summary>64 fixed bytes of garbage after N queries.</summary>
    public int? GarbageAfter { get; init; }

    /// <summary>Another SERVER_HELLO after N queries.</summary>
    public int? HelloAgainAfter { get; init; }

    /// <summary>Ends its own direction after N queries and goes on reading.</summary>
    public int? HalfCloseAfter { get; init; }

    /// <summary>Closes the session in the middle of reply N + 1; the process lives on.</summary>
    public int? EndMidFrameAfter { get; init; }

    /// <summary>Frames are written in pieces of N bytes; 1 or more.</summary>
    public int? FrameSplit { get; init; }

    // ---- UDP replies ----

    /// <summary>Every packet is cut or padded with zeros to N bytes, 0 to 65,535.</summary>
    public int? ReplyLength { get; init; }

    /// <summary>The header claims this length and no packet follows.</summary>
    public uint? ReplyLengthClaim { get; init; }

    /// <summary>The port that replies go to, whoever asked.</summary>
    public uint? ReplyPort { get; init; }

    /// <summary>The address that replies go to, first octet most significant.</summary>
    public uint? ReplyAddress { get; init; }

    /// <summary>Every reply is sent N times more.</summary>
    public int DuplicateReplies { get; init; }

    /// <summary>
    /// Every N-th reply of the process over UDP is about another name than the query; 1 or more.
    /// </summary>
    public int? OtherQuestionEvery { get; init; }

    // ---- TCP sessions ----

    /// <summary>Exits between INBOUND_TCP and INBOUND_TCP_OK.</summary>
    public bool CrashBeforeTcpOk { get; init; }

    /// <summary>Closes on INBOUND_TCP.</summary>
    public bool TcpRefuse { get; init; }

    /// <summary>Resets on INBOUND_TCP.</summary>
    public bool TcpReset { get; init; }

    /// <summary>Never says INBOUND_TCP_OK.</summary>
    public bool TcpNoOk { get; init; }

    /// <summary>SERVER_HELLO in the place of INBOUND_TCP_OK.</summary>
    public bool TcpWrongFrame { get; init; }

    /// <summary>INBOUND_TCP_OK comes this much later.</summary>
    public long TcpOkDelayNs { get; init; }

    /// <summary>INBOUND_TCP_OK comes in two halves, TcpConversation.SplitNs apart.</summary>
    public bool TcpOkSplit { get; init; }

    /// <summary>TcpConversation.Greeting follows INBOUND_TCP_OK in the same write.</summary>
    public bool TcpOkWithData { get; init; }

    /// <summary>Ends its own direction after the first answer, before the client does.</summary>
    public bool TcpHalfCloseFirst { get; init; }

    /// <summary>Reads nothing after INBOUND_TCP_OK.</summary>
    public bool TcpNeverRead { get; init; }

    /// <summary>Answers are written in pieces of N bytes; 1 or more.</summary>
    public int? TcpChunk { get; init; }
}
