// Owns what the sessions of one process have in common: how many queries it has had, whether it
// hangs or has crashed, when it started. One per process, or per backend in the simulator; a
// process that is restarted gets a new one.
//
// What always holds: one thread at a time runs all sessions that share it. Once Stopped, no
// session of the process does anything more.

using System;

namespace FakeBinder;

/// <summary>State and counts of one fake process.</summary>
/// <param name="startNs">When the process started, on the clock of the sessions' nowNs.</param>
public sealed class BinderShared(long startNs)
{
    private readonly byte[] _answer = new byte[DnsFraming.LengthBytes + DnsWriter.MaxMessage];
    private byte[]? _padded;

    public long StartNs { get; } = startNs;

    /// <summary>Told one line for each event; null when nobody listens.</summary>
    public Action<string>? Trace { get; init; }

    /// <summary>Sessions that connected.</summary>
    public long Sessions { get; internal set; }

    /// <summary>SERVER_HELLOs said, not counting those too many.</summary>
    public long Hellos { get; internal set; }

    /// <summary>CLIENT_HEARTBEATs that came.</summary>
    public long Heartbeats { get; internal set; }

    /// <summary>Queries that came, over UDP and TCP, answered or not.</summary>
    public long Queries { get; internal set; }

    /// <summary>Whole replies sent over UDP, not counting duplicates.</summary>
    public long Replies { get; internal set; }

    /// <summary>Answers sent over TCP.</summary>
    public long TcpAnswers { get; internal set; }

    /// <summary>Sessions ended because of what the balancer sent on them.</summary>
    public long Violations { get; internal set; }

    /// <summary>The process reads and writes nothing more, but lives.</summary>
    public bool Hung { get; internal set; }

    /// <summary>The process is dead, or about to be.</summary>
    public bool Crashed { get; internal set; }

    /// <summary>PauseAfter has paused the process; it does so once.</summary>
    internal bool HasPaused { get; set; }

    public bool Stopped => Hung || Crashed;

    /// <summary>Where an answer is made: room for the length of a stream, then a message.</summary>
    internal Span<byte> AnswerBuffer => _answer;

    /// <summary>
    /// Where a reply is padded; any packet that a header can claim without error.
    /// </summary>
    internal Span<byte> PaddingBuffer => _padded ??= new byte[DnsWriter.MaxMessage];
}
