// Owns what the two kinds of session share: the context they act in, and the shape in which
// BinderSession drives them.
//
// What always holds: a conversation is called only while its context is live, and stops in the
// middle of what it reads as soon as it is not.

using System;
using System.Text;

namespace FakeBinder;

/// <summary>What follows the first frame of a session.</summary>
internal abstract class Conversation(SessionContext context)
{
    protected SessionContext Context { get; } = context;

    protected Misbehaviour Misbehaviour => Context.Misbehaviour;

    protected Reassembly Input { get; } = new();

    /// <summary>Part of a frame or message has arrived.</summary>
    public bool IsInsideUnit => Input.Count > 0;

    /// <summary>See BinderSession.Reads.</summary>
    public virtual bool Reads => true;

    /// <summary>The first frame came; INBOUND_TCP brings the client's address and port.</summary>
    public abstract void Begin(long nowNs, uint address, ushort port);

    public abstract void OnBytes(long nowNs, ReadOnlySpan<byte> bytes);

    public abstract void OnDue(long nowNs, Deferred due);
}

/// <summary>What a session has and what it may do to itself and to its process.</summary>
internal sealed class SessionContext(string id, Misbehaviour misbehaviour, BinderShared shared)
{
    private readonly byte[] _id = Encoding.UTF8.GetBytes(id);

    public Misbehaviour Misbehaviour { get; set; } = misbehaviour;

    public BinderShared Shared { get; } = shared;

    public SessionOutbox Outbox { get; } = new();

    public DeadlineQueue Deadlines { get; } = new();

    public string? EndReason { get; private set; }

    public bool IsLive => !Outbox.Closed && !Shared.Stopped;

    /// <summary>Ends the session with Close or Reset.</summary>
    public void End(SessionActionKind kind, string reason)
    {
        if (!IsLive)
            return;
        EndReason = reason;
        Outbox.End(kind);
        Shared.Trace?.Invoke($"{id}: session ends ({kind}): {reason}");
    }

    /// <summary>Ends the session because of what the balancer sent.</summary>
    public void Violation(string reason)
    {
        Shared.Violations++;
        End(SessionActionKind.Close, reason);
    }

    public void Crash(string reason)
    {
        End(SessionActionKind.CrashProcess, reason);
        Shared.Crashed = true;
    }

    /// <summary>
    /// Counts a query and answers it into the shared buffer, behind two free bytes.
    /// </summary>
    public DnsReply Answer(long nowNs, ReadOnlySpan<byte> message, bool overTcp)
    {
        Shared.Queries++;
        if (Shared.Queries % Misbehaviour.DropEvery == 0)
            return new DnsReply(DnsFate.Ignored);
        var upNs = nowNs - Shared.StartNs;
        var failing = upNs < Misbehaviour.ServfailForNs;
        var loaded = Misbehaviour.LoadForNs == 0 ? 1 : (double)upNs / Misbehaviour.LoadForNs;
        var reply = DnsAnswers.Answer(message, overTcp, _id, failing,
            Shared.AnswerBuffer[DnsFraming.LengthBytes..], loaded);
        Shared.Trace?.Invoke(
            $"{id}: query {Shared.Queries} of {message.Length} bytes, {reply.Fate}");
        return reply with { DelayNs = reply.DelayNs + Misbehaviour.DelayNs };
    }

    /// <summary>
    /// A reply's packet, about another name as OtherQuestionEvery says, and cut or padded with
    /// zeros as ReplyLength does.
    /// </summary>
    public ReadOnlySpan<byte> Shape(ReadOnlySpan<byte> packet)
    {
        if (Shared.Replies > 0 && Shared.Replies % Misbehaviour.OtherQuestionEvery == 0)
            packet = AboutAnotherName(packet);
        if (Misbehaviour.ReplyLength is not { } length)
            return packet;
        if (length <= packet.Length)
            return packet[..length];
        var padded = Shared.PaddingBuffer[..length];
        packet.CopyTo(padded);
        padded[packet.Length..].Clear();
        return padded;
    }

    /// <summary>The packet with an octet of its name changed; of its type for the root.</summary>
    private ReadOnlySpan<byte> AboutAnotherName(ReadOnlySpan<byte> packet)
    {
        var other = Shared.PaddingBuffer[..packet.Length];
        packet.CopyTo(other);
        var isRoot = other[DnsQuery.HeaderBytes] == 0;
        other[DnsQuery.HeaderBytes + (isRoot ? 2 : 1)] ^= 1;
        return other;
    }

    /// <summary>What the process does wrong after so many queries.</summary>
    public void AfterQuery()
    {
        if (Misbehaviour.PauseAfter <= Shared.Queries && !Shared.HasPaused && IsLive)
        {
            Shared.HasPaused = true;
            Outbox.Pause(Misbehaviour.PauseNs);
        }
        if (Misbehaviour.HangAfter <= Shared.Queries)
        {
            Shared.Hung = true;
            Shared.Trace?.Invoke($"{id}: hangs after {Shared.Queries} queries");
        }
        else if (Misbehaviour.CrashAfter <= Shared.Queries)
        {
            Crash($"crash after {Shared.Queries} queries");
        }
    }
}
