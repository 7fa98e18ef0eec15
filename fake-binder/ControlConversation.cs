// Owns the control session: hello, heartbeats, and UDP queries and replies in frames.
//
// What always holds: the balancer is held to its part. A frame before our hello, a second
// CLIENT_HELLO, a heartbeat while one is unanswered, or a frame of the other kind of session
// ends the session with a reason. A reply is two writes, header and packet, as node-mname does.
// Once it is deaf nothing is read and no query answered, whatever it is told to do wrong then.

using System;

namespace FakeBinder;

internal sealed class ControlConversation(SessionContext context) : Conversation(context)
{
    /// <summary>
    /// From a hello, or a heartbeat's answer, to the next heartbeat, which must be there although
    /// it was not read; and from there to its answer, if HeartbeatDelayNs says nothing: the
    /// balancer waits for 15 s.
    /// </summary>
    private const long NextHeartbeatNs = 5_000_000_000;

    private const long UnreadDelayNs = 9_000_000_000;

    /// <summary>The type that no side knows.</summary>
    private const WireType UnknownType = (WireType)1099;

    private const uint Loopback = 0x7F000001;
    private const uint DnsPort = 53;

    private bool _helloSaid;
    private bool _heartbeatOwed;
    private bool _isDeaf;
    private long _lastSignNs;
    private long _queries;
    private long _replies;

    public override bool Reads => !_isDeaf;

    private long ToUnreadHeartbeatNs => NextHeartbeatNs
        + (Misbehaviour.HeartbeatDelayNs > 0 ? Misbehaviour.HeartbeatDelayNs : UnreadDelayNs);

    public override void Begin(long nowNs, uint address, ushort port)
    {
        if (Misbehaviour.ReplyBeforeHello)
            WriteReply(Loopback, DnsPort, TcpConversation.Greeting[DnsFraming.LengthBytes..]);
        if (Misbehaviour.NoHello)
            return;
        if (Misbehaviour.HelloDelayNs > 0)
            Defer(nowNs + Misbehaviour.HelloDelayNs, DeferredKind.Hello);
        else
            SayHello(nowNs);
    }

    public override void OnBytes(long nowNs, ReadOnlySpan<byte> bytes)
    {
        var input = Input.Join(bytes);
        while (Context.IsLive && !_isDeaf && !input.IsEmpty)
        {
            var status = WireCodec.Read(input, out var frame, out var wrong);
            if (status == WireStatus.Partial)
                break;
            if (status == WireStatus.Whole)
                OnFrame(nowNs, frame);
            else
                Context.Violation(wrong ?? "no frame");
            input = input[frame.Size..];
        }
        Input.Keep(input);
    }

    public override void OnDue(long nowNs, Deferred due)
    {
        switch (due.Kind)
        {
            case DeferredKind.Hello:
                SayHello(nowNs);
                break;
            case DeferredKind.Heartbeat:
                AnswerHeartbeat(nowNs);
                break;
            case DeferredKind.UnreadHeartbeat:
                WriteType(WireType.ServerHeartbeat);
                Defer(nowNs + ToUnreadHeartbeatNs, DeferredKind.UnreadHeartbeat);
                break;
            case DeferredKind.UnaskedHeartbeat:
                WriteType(WireType.ServerHeartbeat);
                break;
            case DeferredKind.UdpReply:
                SendReply(due.Address, due.Port, due.Bytes);
                break;
            case DeferredKind.CloseAfterHello:
                Context.End(SessionActionKind.Close, "closed after hello");
                break;
        }
    }

    private void OnFrame(long nowNs, in BalancerFrame frame)
    {
        if (frame.Type is WireType.ClientHello or WireType.InboundTcp)
            Context.Violation($"{frame.Type} on a control session");
        else if (!_helloSaid)
            Context.Violation($"{frame.Type} before SERVER_HELLO");
        else if (frame.Type == WireType.ClientHeartbeat)
            OnHeartbeat(nowNs);
        else
            OnQuery(nowNs, frame);
    }

    private void SayHello(long nowNs)
    {
        _helloSaid = true;
        _lastSignNs = nowNs;
        Context.Shared.Hellos++;
        WriteType(WireType.ServerHello);
        if (Misbehaviour.HelloTwice)
            WriteType(WireType.ServerHello);
        if (Misbehaviour.CloseAfterHelloNs is { } life)
            Defer(nowNs + life, DeferredKind.CloseAfterHello);
        if (Misbehaviour.HeartbeatUnaskedNs is { } wait)
            Defer(nowNs + wait, DeferredKind.UnaskedHeartbeat);
        AfterQuery(nowNs);
    }

    private void OnHeartbeat(long nowNs)
    {
        Context.Shared.Heartbeats++;
        if (_heartbeatOwed)
        {
            Context.Violation("a second heartbeat before the answer to the first");
            return;
        }
        _heartbeatOwed = true;
        if (Misbehaviour.NoHeartbeat)
            return;
        if (Misbehaviour.HeartbeatDelayNs > 0)
            Defer(nowNs + Misbehaviour.HeartbeatDelayNs, DeferredKind.Heartbeat);
        else
            AnswerHeartbeat(nowNs);
    }

    private void AnswerHeartbeat(long nowNs)
    {
        _heartbeatOwed = false;
        _lastSignNs = nowNs;
        WriteType(WireType.ServerHeartbeat);
        if (Misbehaviour.HeartbeatTwice)
            WriteType(WireType.ServerHeartbeat);
    }

    private void OnQuery(long nowNs, in BalancerFrame frame)
    {
        _queries++;
        var reply = Context.Answer(nowNs, frame.Packet, overTcp: false);
        if (reply.Fate == DnsFate.Deadly)
        {
            Context.Crash("a query of death");
            return;
        }
        if (reply.Fate == DnsFate.Answered)
        {
            var packet = Context.Shared.AnswerBuffer.Slice(DnsFraming.LengthBytes, reply.Length);
            if (reply.DelayNs == 0)
                SendReply(frame.Address, frame.Port, packet);
            else
                Context.Deadlines.Add(nowNs + reply.DelayNs, new Deferred(
                    DeferredKind.UdpReply, packet.ToArray(), frame.Address, frame.Port));
        }
        if (Context.IsLive)
            AfterQuery(nowNs);
    }

    private void SendReply(uint address, ushort port, ReadOnlySpan<byte> packet)
    {
        if (Misbehaviour.CrashMidFrameAfter <= Context.Shared.Replies)
        {
            WriteHalfReply(address, port, packet);
            Context.Crash("crash in the middle of a reply");
            return;
        }
        if (Misbehaviour.EndMidFrameAfter <= _replies)
        {
            WriteHalfReply(address, port, packet);
            Context.End(SessionActionKind.Close, "ended in the middle of a reply");
            return;
        }
        _replies++;
        Context.Shared.Replies++;
        for (var copy = 0; copy <= Misbehaviour.DuplicateReplies; copy++)
            WriteReply(address, port, packet);
    }

    private void WriteReply(uint address, uint port, ReadOnlySpan<byte> packet)
    {
        var shaped = Context.Shape(packet);
        var claim = Misbehaviour.ReplyLengthClaim;
        WriteHeader(address, port, claim ?? (uint)shaped.Length, WireCodec.UdpHeaderBytes);
        if (claim is null)
            Context.Outbox.WritePieces(shaped, Misbehaviour.FrameSplit);
    }

    private void WriteHalfReply(uint address, uint port, ReadOnlySpan<byte> packet)
    {
        var shaped = Context.Shape(packet);
        var half = (WireCodec.UdpHeaderBytes + shaped.Length) / 2;
        var ofHeader = Math.Min(half, WireCodec.UdpHeaderBytes);
        WriteHeader(address, port, (uint)shaped.Length, ofHeader);
        Context.Outbox.WritePieces(shaped[..(half - ofHeader)], Misbehaviour.FrameSplit);
    }

    /// <summary>Writes the first bytes of a reply's header, sixteen for all of it.</summary>
    private void WriteHeader(uint address, uint port, uint length, int bytes)
    {
        Span<byte> header = stackalloc byte[WireCodec.UdpHeaderBytes];
        WireCodec.WriteOutboundUdpHeader(header, Misbehaviour.ReplyAddress ?? address,
            Misbehaviour.ReplyPort ?? port, length);
        Context.Outbox.WritePieces(header[..bytes], Misbehaviour.FrameSplit);
    }

    private void AfterQuery(long nowNs)
    {
        if (Misbehaviour.DeafAfter <= _queries && !_isDeaf)
        {
            _isDeaf = true;
            // One that is read already is answered as any other, and the next after that.
            Defer(Math.Max(nowNs, _lastSignNs + ToUnreadHeartbeatNs), DeferredKind.UnreadHeartbeat);
        }
        if (Misbehaviour.UnknownFrameAfter == _queries)
            WriteType(UnknownType);
        if (Misbehaviour.TcpFrameOnControlAfter == _queries)
            WriteType(WireType.InboundTcpOk);
        if (Misbehaviour.HelloAgainAfter == _queries)
            WriteType(WireType.ServerHello);
        if (Misbehaviour.GarbageAfter == _queries)
            WriteGarbage();
        if (Misbehaviour.HalfCloseAfter == _queries)
            Context.Outbox.HalfClose();
        Context.AfterQuery();
    }

    private void WriteGarbage()
    {
        // Looks random, is the same in every run; its first word is not a frame's type.
        Span<byte> garbage = stackalloc byte[64];
        var state = 0x9E3779B9u;
        foreach (ref var octet in garbage)
        {
            state = state * 1_664_525 + 1_013_904_223;
            octet = (byte)(state >> 24);
        }
        Context.Outbox.WritePieces(garbage, Misbehaviour.FrameSplit);
    }

    private void WriteType(WireType type)
    {
        Span<byte> frame = stackalloc byte[WireCodec.TypeBytes];
        WireCodec.WriteType(frame, type);
        Context.Outbox.WritePieces(frame, Misbehaviour.FrameSplit);
    }

    private void Defer(long atNs, DeferredKind kind) =>
        Context.Deadlines.Add(atNs, new Deferred(kind));
}
