// Owns what a fake Binder can be told to do wrong, as a type: a misbehaviour that does not exist,
// or a number in the place of a time, is a compile error. fake-binder's docs/fake-binder.md says
// more of each; "after N" counts whole queries, and 0 is right after the hello.
//
// What always holds: what is left out is not done. Bounds are fake-binder's to check, which does so
// before it starts and names what is out of them.

using System;
using System.Globalization;
using System.Net;
using System.Text;

namespace Balancer.Testing;

/// <summary>What a fake Binder does wrong.</summary>
public sealed record Misbehaviour
{
    /// <summary>A backend as it should be.</summary>
    public static readonly Misbehaviour None = new();

    // ---- Slow, deaf and dead ----

    /// <summary>Answer everything this much later. An hour at most.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>Do not answer every N-th query. 1 to 2147483647.</summary>
    public long? DropEvery { get; init; }

    /// <summary>Read and write nothing more after N queries. 0 or more.</summary>
    public int? HangAfter { get; init; }

    /// <summary>Do nothing for the time of Pause, once. 0 or more.</summary>
    public int? PauseAfter { get; init; }

    /// <summary>How long PauseAfter pauses. An hour at most.</summary>
    public TimeSpan? Pause { get; init; }

    /// <summary>Exit 1 after N queries and leave the path behind. 0 or more.</summary>
    public int? CrashAfter { get; init; }

    /// <summary>Exit 1 in the middle of reply N + 1. 0 or more.</summary>
    public int? CrashMidFrameAfter { get; init; }

    /// <summary>Answer SERVFAIL for this long after the start. An hour at most.</summary>
    public TimeSpan? ServfailFor { get; init; }

    /// <summary>
    /// Load names one by one for this long after the start; REFUSED before. An hour at most.
    /// </summary>
    public TimeSpan? LoadFor { get; init; }

    // ---- Hello and heartbeats ----

    /// <summary>Never say SERVER_HELLO.</summary>
    public bool NoHello { get; init; }

    /// <summary>Say SERVER_HELLO this much later. An hour at most.</summary>
    public TimeSpan? HelloDelay { get; init; }

    /// <summary>Say SERVER_HELLO twice.</summary>
    public bool HelloTwice { get; init; }

    /// <summary>Close the control session this long after the hello. An hour at most.</summary>
    public TimeSpan? CloseAfterHello { get; init; }

    /// <summary>Send a reply before SERVER_HELLO.</summary>
    public bool ReplyBeforeHello { get; init; }

    /// <summary>Never answer a heartbeat.</summary>
    public bool NoHeartbeat { get; init; }

    /// <summary>Answer heartbeats this much later. An hour at most.</summary>
    public TimeSpan? HeartbeatDelay { get; init; }

    /// <summary>Answer each heartbeat twice.</summary>
    public bool HeartbeatTwice { get; init; }

    /// <summary>
    /// Send one heartbeat nobody asked for, this long after hello. An hour at most.
    /// </summary>
    public TimeSpan? HeartbeatUnasked { get; init; }

    // ---- Frames on the control session ----

    /// <summary>Send a frame of unknown type. 0 or more.</summary>
    public int? UnknownFrameAfter { get; init; }

    /// <summary>Send INBOUND_TCP_OK on the control session. 0 or more.</summary>
    public int? TcpFrameOnControlAfter { get; init; }

    /// <summary>Send 64 bytes of garbage. 0 or more.</summary>
    public int? GarbageAfter { get; init; }

    /// <summary>Say SERVER_HELLO again. 0 or more.</summary>
    public int? HelloAgainAfter { get; init; }

    /// <summary>End our direction of the control session, read on. 0 or more.</summary>
    public int? HalfCloseAfter { get; init; }

    /// <summary>Close the control session in the middle of reply N + 1. 0 or more.</summary>
    public int? EndMidFrameAfter { get; init; }

    /// <summary>Write frames in pieces of N bytes. 1 to 65535.</summary>
    public long? FrameSplit { get; init; }

    // ---- UDP replies ----

    /// <summary>Cut or pad every UDP reply to N bytes. 0 to 65535.</summary>
    public long? ReplyLength { get; init; }

    /// <summary>Claim N bytes in a reply's header and send none. 0 to 4294967295.</summary>
    public long? ReplyLengthClaim { get; init; }

    /// <summary>Send UDP replies to this port. 0 to 4294967295.</summary>
    public long? ReplyPort { get; init; }

    /// <summary>Send UDP replies to this address.</summary>
    public IPAddress? ReplyAddress { get; init; }

    /// <summary>Send every UDP reply N times more. 0 to 1000.</summary>
    public long? DuplicateReplies { get; init; }

    /// <summary>Send every N-th UDP reply about another name. 1 to 2147483647.</summary>
    public long? OtherQuestionEvery { get; init; }

    // ---- TCP sessions ----

    /// <summary>Exit 1 between INBOUND_TCP and INBOUND_TCP_OK.</summary>
    public bool CrashBeforeTcpOk { get; init; }

    /// <summary>Say SERVER_HELLO in the place of INBOUND_TCP_OK.</summary>
    public bool TcpWrongFrame { get; init; }

    /// <summary>Never say INBOUND_TCP_OK.</summary>
    public bool TcpNoOk { get; init; }

    /// <summary>Say INBOUND_TCP_OK this much later. An hour at most.</summary>
    public TimeSpan? TcpOkDelay { get; init; }

    /// <summary>Say INBOUND_TCP_OK in two halves, 20 ms apart.</summary>
    public bool TcpOkSplit { get; init; }

    /// <summary>Send an unasked message in the same write as INBOUND_TCP_OK.</summary>
    public bool TcpOkWithData { get; init; }

    /// <summary>Close TCP sessions on INBOUND_TCP.</summary>
    public bool TcpRefuse { get; init; }

    /// <summary>Reset TCP sessions on INBOUND_TCP.</summary>
    public bool TcpReset { get; init; }

    /// <summary>End our direction after the first answer.</summary>
    public bool TcpHalfCloseFirst { get; init; }

    /// <summary>Read nothing after INBOUND_TCP_OK.</summary>
    public bool TcpNeverRead { get; init; }

    /// <summary>Write TCP answers in pieces of N bytes. 1 to 65537.</summary>
    public long? TcpChunk { get; init; }

    /// <summary>As fake-binder reads it, a JSON object on one line.</summary>
    internal string ToScript()
    {
        var script = new Script();
        script.Add("delay", Delay);
        script.Add("dropEvery", DropEvery);
        script.Add("hangAfter", HangAfter);
        script.Add("pauseAfter", PauseAfter);
        script.Add("pause", Pause);
        script.Add("crashAfter", CrashAfter);
        script.Add("crashMidFrameAfter", CrashMidFrameAfter);
        script.Add("servfailFor", ServfailFor);
        script.Add("loadFor", LoadFor);
        script.Add("noHello", NoHello);
        script.Add("helloDelay", HelloDelay);
        script.Add("helloTwice", HelloTwice);
        script.Add("closeAfterHello", CloseAfterHello);
        script.Add("replyBeforeHello", ReplyBeforeHello);
        script.Add("noHeartbeat", NoHeartbeat);
        script.Add("heartbeatDelay", HeartbeatDelay);
        script.Add("heartbeatTwice", HeartbeatTwice);
        script.Add("heartbeatUnasked", HeartbeatUnasked);
        script.Add("unknownFrameAfter", UnknownFrameAfter);
        script.Add("tcpFrameOnControlAfter", TcpFrameOnControlAfter);
        script.Add("garbageAfter", GarbageAfter);
        script.Add("helloAgainAfter", HelloAgainAfter);
        script.Add("halfCloseAfter", HalfCloseAfter);
        script.Add("endMidFrameAfter", EndMidFrameAfter);
        script.Add("frameSplit", FrameSplit);
        script.Add("replyLength", ReplyLength);
        script.Add("replyLengthClaim", ReplyLengthClaim);
        script.Add("replyPort", ReplyPort);
        script.Add("replyAddress", ReplyAddress);
        script.Add("duplicateReplies", DuplicateReplies);
        script.Add("otherQuestionEvery", OtherQuestionEvery);
        script.Add("crashBeforeTcpOk", CrashBeforeTcpOk);
        script.Add("tcpWrongFrame", TcpWrongFrame);
        script.Add("tcpNoOk", TcpNoOk);
        script.Add("tcpOkDelay", TcpOkDelay);
        script.Add("tcpOkSplit", TcpOkSplit);
        script.Add("tcpOkWithData", TcpOkWithData);
        script.Add("tcpRefuse", TcpRefuse);
        script.Add("tcpReset", TcpReset);
        script.Add("tcpHalfCloseFirst", TcpHalfCloseFirst);
        script.Add("tcpNeverRead", TcpNeverRead);
        script.Add("tcpChunk", TcpChunk);
        return script.ToString();
    }

    private sealed class Script
    {
        private readonly StringBuilder _text = new("{");

        public void Add(string key, bool value) => AddText(key, value ? "true" : null);

        public void Add(string key, long? value) =>
            AddText(key, value?.ToString(CultureInfo.InvariantCulture));

        public void Add(string key, TimeSpan? value) => AddText(key, value is { } time
            ? string.Create(CultureInfo.InvariantCulture, $"\"{time.Ticks / 10_000m:0.####}ms\"")
            : null);

        public void Add(string key, IPAddress? value) =>
            AddText(key, value is null ? null : $"\"{value}\"");

        public override string ToString() => _text + "}";

        private void AddText(string key, string? value)
        {
            if (value is null)
                return;
            if (_text.Length > 1)
                _text.Append(',');
            _text.Append('"').Append(key).Append("\":").Append(value);
        }
    }
}
