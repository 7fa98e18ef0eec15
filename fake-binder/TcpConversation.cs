// Owns a TCP session: INBOUND_TCP_OK, then DNS messages behind their lengths, both ways.
//
// What always holds: bytes that come before INBOUND_TCP_OK was sent wait for it, and no more
// than HeldBytes of them are read. Queries may be pipelined and cut anywhere; answers that are
// due at once come in the order of their queries. The client's half-close costs it no answer. A
// message that is not a query ends the session, as it does with node-mname.

using System;

namespace FakeBinder;

/// <param name="context">What it acts in.</param>
/// <param name="isPlain">The client is on the stream itself: no INBOUND_TCP_OK is said.</param>
internal sealed class TcpConversation(SessionContext context, bool isPlain = false)
    : Conversation(context)
{
    /// <summary>
    /// Between the two halves of a split INBOUND_TCP_OK: long enough to be two reads.
    /// </summary>
    public const long SplitNs = 20_000_000;

    /// <summary>Bytes that may wait for INBOUND_TCP_OK before reading stops.</summary>
    private const int HeldBytes = 65_536;

    private const int ResponseBit = 0x80;

    private bool _okSaid;

    /// <summary>
    /// What nobody asked for: a message of only a header, id 0, QR=1. It follows the OK with
    /// TcpOkWithData, and its message is what ReplyBeforeHello sends.
    /// </summary>
    public static ReadOnlySpan<byte> Greeting =>
        [0, DnsQuery.HeaderBytes, 0, 0, ResponseBit, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    public override bool Reads =>
        _okSaid ? !Misbehaviour.TcpNeverRead : Input.Count < HeldBytes;

    public override void Begin(long nowNs, uint address, ushort port)
    {
        if (Misbehaviour.CrashBeforeTcpOk)
            Context.Crash("crash before INBOUND_TCP_OK");
        else if (Misbehaviour.TcpReset)
            Context.End(SessionActionKind.Reset, "TCP reset");
        else if (Misbehaviour.TcpRefuse)
            Context.End(SessionActionKind.Close, SessionEnd.TcpRefused);
        else if (Misbehaviour.TcpNoOk)
            return;
        else if (Misbehaviour.TcpOkDelayNs > 0)
            Context.Deadlines.Add(
                nowNs + Misbehaviour.TcpOkDelayNs, new Deferred(DeferredKind.TcpOk));
        else
            SayOk(nowNs);
    }

    public override void OnBytes(long nowNs, ReadOnlySpan<byte> bytes)
    {
        var input = Input.Join(bytes);
        if (_okSaid)
            TakeMessages(nowNs, ref input);
        Input.Keep(input);
    }

    public override void OnDue(long nowNs, Deferred due)
    {
        switch (due.Kind)
        {
            case DeferredKind.TcpOk:
                SayOk(nowNs);
                break;
            case DeferredKind.TcpOkRest:
                EndHandshake(nowNs, due.Bytes);
                break;
            case DeferredKind.TcpAnswer:
                SendAnswer(due.Bytes);
                break;
        }
    }

    private void SayOk(long nowNs)
    {
        Span<byte> ok = stackalloc byte[WireCodec.TypeBytes + Greeting.Length];
        WireCodec.WriteType(
            ok, Misbehaviour.TcpWrongFrame ? WireType.ServerHello : WireType.InboundTcpOk);
        Greeting.CopyTo(ok[WireCodec.TypeBytes..]);
        if (!Misbehaviour.TcpOkWithData)
            ok = ok[..WireCodec.TypeBytes];
        if (isPlain)
            ok = ok[WireCodec.TypeBytes..];
        if (!Misbehaviour.TcpOkSplit || isPlain)
        {
            EndHandshake(nowNs, ok);
            return;
        }
        const int half = WireCodec.TypeBytes / 2;
        Context.Outbox.Write(ok[..half]);
        Context.Deadlines.Add(
            nowNs + SplitNs, new Deferred(DeferredKind.TcpOkRest, ok[half..].ToArray()));
    }

    private void EndHandshake(long nowNs, ReadOnlySpan<byte> rest)
    {
        Context.Outbox.WritePieces(rest, Misbehaviour.FrameSplit);
        _okSaid = true;
        if (Input.Count > 0 && !Misbehaviour.TcpNeverRead)
            OnBytes(nowNs, []);
    }

    private void TakeMessages(long nowNs, ref ReadOnlySpan<byte> input)
    {
        while (Context.IsLive && DnsFraming.TryTake(ref input, out var message))
        {
            if (message.Length < DnsQuery.HeaderBytes)
                Context.Violation($"a message of {message.Length} bytes");
            else
                OnQuery(nowNs, message);
        }
    }

    private void OnQuery(long nowNs, ReadOnlySpan<byte> message)
    {
        var reply = Context.Answer(nowNs, message, overTcp: true);
        if (reply.Fate == DnsFate.Deadly)
        {
            Context.Crash("a query of death");
            return;
        }
        if (reply.Fate == DnsFate.Unreadable)
            Context.End(SessionActionKind.Close, "a message that is not a query");
        if (reply.Fate == DnsFate.Answered)
        {
            var framed = Context.Shared.AnswerBuffer[..(DnsFraming.LengthBytes + reply.Length)];
            DnsFraming.WriteLength(framed, reply.Length);
            if (reply.DelayNs == 0)
                SendAnswer(framed);
            else
                Context.Deadlines.Add(nowNs + reply.DelayNs,
                    new Deferred(DeferredKind.TcpAnswer, framed.ToArray()));
        }
        if (Context.IsLive)
            Context.AfterQuery();
    }

    private void SendAnswer(ReadOnlySpan<byte> framed)
    {
        if (Context.Outbox.WritingEnded)
            return;
        Context.Shared.TcpAnswers++;
        Context.Outbox.WritePieces(framed, Misbehaviour.TcpChunk);
        if (Misbehaviour.TcpHalfCloseFirst)
            Context.Outbox.HalfClose();
    }
}
