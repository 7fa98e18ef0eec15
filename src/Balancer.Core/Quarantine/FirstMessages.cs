// Owns what TCP clients have asked backends and got no answer to, as far as it may be what ends
// them: up to Limits.NamedMessages of each connection, for the quarantine.
//
// A message is in flight from when it was passed on until it is answered, or for as long as a UDP
// query is, even if its connection ends before: a backend that dies ends the connection as well,
// and which of the two ends is seen first is chance.
//
// A message is named by all of it, or by its first bytes if it is long. If more of a connection are
// unanswered than are named, no more is kept of them than when the last bytes were passed on: they
// may be the culprit, so no other query is refused in their place (Quarantine).
//
// What always holds: at most Limits.FirstMessages are in flight, and the oldest makes room; a
// message is looked up by its ticket, which is never given twice; nothing is allocated once as
// many were in flight as ever are, and as long.

using System;
using System.Collections.Generic;

namespace Balancer.Core;

/// <summary>What one connection asked that is not answered.</summary>
internal sealed class FirstMessage
{
    /// <summary>A query has seldom more.</summary>
    private const int UsualBytes = 128;

    private byte[] _bytes = new byte[UsualBytes];
    private int _length;

    public LinkedListNode<FirstMessage> Node { get; }

    public FirstMessage() => Node = new LinkedListNode<FirstMessage>(this);

    /// <summary>Whose it is; another connection's has another.</summary>
    public long Ticket { get; private set; }

    public Endpoint Client { get; private set; }

    public Instant SentAt { get; private set; }

    public Backend? Backend { get; private set; }

    public long Session { get; private set; }

    /// <summary>Its first bytes at least are known.</summary>
    public bool HasName { get; private set; }

    /// <summary>Packet is its first bytes, and not all.</summary>
    public bool IsCut { get; private set; }

    public ReadOnlySpan<byte> Packet => _bytes.AsSpan(0, _length);

    /// <summary>Whether it was in flight when this session of a backend ended.</summary>
    public bool IsAt(Instant now, Backend backend) => Backend == backend
        && Session == backend.SessionNumber && now - SentAt < Limits.InFlightTime;

    public void Begin(Instant now, long ticket, in Asked asked)
    {
        if (asked.Packet.Length > _bytes.Length)
            _bytes = new byte[Math.Max(asked.Packet.Length, 2 * _bytes.Length)];
        Ticket = ticket;
        SentAt = now;
        Client = asked.Client;
        Backend = asked.Backend;
        Session = asked.Session;
        HasName = asked.HasName;
        IsCut = asked.IsCut;
        _length = asked.Packet.Length;
        asked.Packet.CopyTo(_bytes);
    }

    /// <summary>More of it is passed on.</summary>
    public void GoOn(Instant now) => SentAt = now;

    /// <summary>It is out of flight; a backend that is forgotten is not kept.</summary>
    public void End() => (Ticket, Backend) = (0, null);
}

/// <summary>What a connection passes on to a session of a backend.</summary>
internal readonly ref struct Asked
{
    public required Endpoint Client { get; init; }

    public required Backend Backend { get; init; }

    public required long Session { get; init; }

    public bool HasName { get; init; }

    public bool IsCut { get; init; }

    /// <summary>
    /// The message, without its length, or its first bytes if it is cut; empty if it has no name.
    /// </summary>
    public ReadOnlySpan<byte> Packet { get; init; }
}

/// <summary>Where a connection's message in flight is found.</summary>
internal readonly record struct MessageTicket(FirstMessage? Message, long Ticket)
{
    public bool IsNone => Message is null;

    /// <summary>It is in flight, and was not pushed out by others.</summary>
    public bool IsValid => Message is not null && Message.Ticket == Ticket;
}

/// <summary>The messages of all connections.</summary>
internal sealed class FirstMessages(Counters counters, Quarantine quarantine)
{
    private readonly LinkedList<FirstMessage> _inFlight = new();

    /// <summary>With room for all that are ever made: one may come free at any time.</summary>
    private readonly Stack<FirstMessage> _free = new(Limits.FirstMessages);
    private long _lastTicket;

    /// <summary>Whether the balancer answers a message instead of passing it on.</summary>
    public bool IsRefused(Instant now, ReadOnlySpan<byte> packet, bool isCut) =>
        quarantine.IsRefused(now, packet, isCut);

    /// <summary>A backend's session ended by itself: the messages to look through.</summary>
    public LinkedList<FirstMessage> InFlight => _inFlight;

    /// <summary>Whether any was in flight on this session of a backend.</summary>
    public bool IsAnyAt(Instant now, Backend backend)
    {
        foreach (var message in _inFlight)
        {
            if (message.IsAt(now, backend))
                return true;
        }
        return false;
    }

    /// <summary>
    /// When the newest was passed on to this session of a backend; Never if there is none.
    /// </summary>
    public Instant NewestAt(Instant now, Backend backend)
    {
        for (var node = _inFlight.Last; node is not null; node = node.Previous)
        {
            if (now - node.Value.SentAt >= Limits.InFlightTime)
                break;
            if (node.Value.IsAt(now, backend))
                return node.Value.SentAt;
        }
        return Instant.Never;
    }

    /// <summary>A connection passes on more of a message: its backend may end of that.</summary>
    public void GoOn(Instant now, MessageTicket ticket)
    {
        if (!ticket.IsValid)
            return;
        ticket.Message!.GoOn(now);
        _inFlight.Remove(ticket.Message.Node);
        _inFlight.AddLast(ticket.Message.Node);
    }

    /// <summary>A connection passes a message on, or more than one.</summary>
    public MessageTicket Add(Instant now, in Asked asked)
    {
        var message = TakeFree();
        message.Begin(now, ++_lastTicket, in asked);
        _inFlight.AddLast(message.Node);
        Verify.That(_inFlight.Count <= Limits.FirstMessages, "messages in flight have a bound");
        return new MessageTicket(message, message.Ticket);
    }

    /// <summary>
    /// A backend answered it. An error proves nothing: a cold backend answers SERVFAIL to
    /// what will end it as soon as it has its data.
    /// </summary>
    public void OnAnswered(Instant now, MessageTicket ticket)
    {
        if (!ticket.IsValid)
            return;
        var message = ticket.Message!;
        if (message.HasName && quarantine.WantsAnswer())
            quarantine.OnAnswered(now, message.Packet, isTruncated: false, message.IsCut);
        Remove(ticket);
    }

    /// <summary>
    /// Its connection passes on another and adds both again; or a backend could not answer it.
    /// </summary>
    public void Remove(MessageTicket ticket)
    {
        if (!ticket.IsValid)
            return;
        _inFlight.Remove(ticket.Message!.Node);
        ticket.Message.End();
        _free.Push(ticket.Message);
    }

    private FirstMessage TakeFree()
    {
        if (_inFlight.Count < Limits.FirstMessages)
            return _free.TryPop(out var free) ? free : new FirstMessage();
        counters.Add(Counter.MessagesNotRemembered);
        var oldest = _inFlight.First!.Value;
        _inFlight.RemoveFirst();
        oldest.End();
        return oldest;
    }
}
