// Owns plain DNS over UDP: a datagram in, an answer out, with the misbehaviour that is not about
// frames. With it, and with TCP sessions that need no handshake, the process is an ordinary DNS
// server that misbehaves, for whoever tests a resolver and has no balancer.
//
// It has no IO and no clock but what it is handed, as a BinderSession. Its outbox holds only what
// happens to the process; answers are handed to whoever sends them.
//
// What always holds: a datagram that is not a query gets no answer, as behind a balancer.

using System;

namespace FakeBinder;

/// <summary>An IPv4 address, first octet most significant, and a port.</summary>
internal sealed record DnsAddress(uint Address, ushort Port)
{
    public override string ToString() => $"{Address >> 24}.{(byte)(Address >> 16)}."
        + $"{(byte)(Address >> 8)}.{(byte)Address}:{Port}";
}

/// <summary>Sends an answer, or not: it is a datagram.</summary>
internal delegate void SendDatagram(uint address, ushort port, ReadOnlySpan<byte> datagram);

/// <summary>Answers datagrams.</summary>
internal sealed class PlainDns(
    string id, Misbehaviour misbehaviour, BinderShared shared, SendDatagram send)
{
    private readonly SessionContext _context = new(id, misbehaviour, shared);

    public Misbehaviour Misbehaviour
    {
        get => _context.Misbehaviour;
        set => _context.Misbehaviour = value;
    }

    /// <summary>What is to be done to the process: it crashes, it pauses.</summary>
    public SessionOutbox Outbox => _context.Outbox;

    /// <summary>When OnDeadline is to be called; null for not at all.</summary>
    public long? NextDeadlineNs => _context.IsLive ? _context.Deadlines.NextNs : null;

    public void OnDatagram(long nowNs, uint address, ushort port, ReadOnlySpan<byte> datagram)
    {
        if (!_context.IsLive || datagram.Length < DnsQuery.HeaderBytes)
            return;
        var reply = _context.Answer(nowNs, datagram, overTcp: false);
        if (reply.Fate == DnsFate.Deadly)
        {
            _context.Crash("a query of death");
            return;
        }
        if (reply.Fate == DnsFate.Answered)
        {
            var packet = _context.Shared.AnswerBuffer.Slice(DnsFraming.LengthBytes, reply.Length);
            if (reply.DelayNs == 0)
                Send(address, port, packet);
            else
                _context.Deadlines.Add(nowNs + reply.DelayNs, new Deferred(
                    DeferredKind.UdpReply, packet.ToArray(), address, port));
        }
        _context.AfterQuery();
    }

    public void OnDeadline(long nowNs)
    {
        while (_context.IsLive && _context.Deadlines.TryTake(nowNs, out var due))
            Send(due.Address, due.Port, due.Bytes);
    }

    private void Send(uint address, ushort port, ReadOnlySpan<byte> packet)
    {
        _context.Shared.Replies++;
        var shaped = _context.Shape(packet);
        for (var copy = 0; copy <= Misbehaviour.DuplicateReplies; copy++)
        {
            send(Misbehaviour.ReplyAddress ?? address,
                (ushort)(Misbehaviour.ReplyPort ?? port), shaped);
        }
    }
}
