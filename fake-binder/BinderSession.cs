// Owns one session between a balancer and this backend, without any IO: bytes in, actions out,
// time as an argument. The process runs it on sockets, the simulator on its own kernel.
//
//   host                                session
//   connection accepted        →        OnConnected
//   bytes read (while Reads)   →        OnBytes
//   end of stream read         →        OnEndOfStream
//   NextDeadlineNs reached     →        OnDeadline
//   after each of them         ←        Outbox.TryTake, until empty
//
// The first frame tells which kind of session it is: CLIENT_HELLO a control session,
// INBOUND_TCP a TCP session; from then on a Conversation has it. A plain session has no frames: it
// is a TCP session from its first byte on.
//
// What always holds: the same calls give the same actions (no clock, no randomness, no IO). The
// host may drop a session at any time; nothing needs to be told. Once the balancer's end of the
// stream was seen, the session closes as soon as everything owed is answered.

using System;

namespace FakeBinder;

/// <summary>One backend session.</summary>
public sealed class BinderSession
{
    private readonly SessionContext _context;
    private readonly bool _isPlain;
    private readonly Reassembly _first = new();
    private Conversation? _conversation;
    private string? _peerEnded;

    /// <summary>A session of the backend with that id, 255 bytes at most.</summary>
    public BinderSession(string id, Misbehaviour misbehaviour, BinderShared shared)
        : this(id, misbehaviour, shared, isPlain: false)
    {
    }

    /// <summary>With isPlain, a TCP connection of a DNS client's, without any frame.</summary>
    internal BinderSession(
        string id, Misbehaviour misbehaviour, BinderShared shared, bool isPlain)
    {
        _context = new SessionContext(id, misbehaviour, shared);
        _isPlain = isPlain;
    }

    /// <summary>
    /// What it does wrong from now on; what it has begun or put off is done as it was begun.
    /// </summary>
    public Misbehaviour Misbehaviour
    {
        get => _context.Misbehaviour;
        set => _context.Misbehaviour = value;
    }

    /// <summary>What is to be done, to be emptied after each call.</summary>
    public SessionOutbox Outbox => _context.Outbox;

    /// <summary>Whether bytes are to be read; while false, they stay in the stream.</summary>
    public bool Reads =>
        _context.IsLive && _peerEnded is null && (_conversation?.Reads ?? true);

    /// <summary>The session ended itself, or its process stopped: nothing more will come.</summary>
    public bool IsOver => !_context.IsLive;

    /// <summary>Why the session ended itself; null while it has not.</summary>
    public string? EndReason => _context.EndReason;

    /// <summary>When OnDeadline is to be called; null for not at all.</summary>
    public long? NextDeadlineNs => _context.IsLive ? _context.Deadlines.NextNs : null;

    public void OnConnected(long nowNs)
    {
        _ = nowNs;
        _context.Shared.Sessions++;
    }

    /// <summary>Takes bytes cut anywhere.</summary>
    public void OnBytes(long nowNs, ReadOnlySpan<byte> bytes)
    {
        if (!_context.IsLive || _peerEnded is not null)
            return;
        if (_conversation is null)
            OnFirstBytes(nowNs, bytes);
        else
            _conversation.OnBytes(nowNs, bytes);
    }

    public void OnEndOfStream(long nowNs)
    {
        _ = nowNs;
        if (!_context.IsLive)
            return;
        var inside = _first.Count > 0 || _conversation is { IsInsideUnit: true };
        _peerEnded = inside ? "end of stream inside a frame or message" : "end of stream";
        CloseWhenDone();
    }

    /// <summary>Does all that is due.</summary>
    public void OnDeadline(long nowNs)
    {
        while (_context.IsLive && _context.Deadlines.TryTake(nowNs, out var due))
            _conversation?.OnDue(nowNs, due);
        CloseWhenDone();
    }

    private void OnFirstBytes(long nowNs, ReadOnlySpan<byte> bytes)
    {
        if (_isPlain)
        {
            _conversation = new TcpConversation(_context, isPlain: true);
            _conversation.Begin(nowNs, 0, 0);
            if (_context.IsLive)
                _conversation.OnBytes(nowNs, bytes);
            return;
        }
        var input = _first.Join(bytes);
        var status = WireCodec.Read(input, out var frame, out var wrong);
        if (status == WireStatus.Partial)
        {
            _first.Keep(input);
            return;
        }
        _first.Keep([]);
        _conversation = frame.Type switch
        {
            WireType.ClientHello => new ControlConversation(_context),
            WireType.InboundTcp => new TcpConversation(_context),
            _ => null,
        };
        if (_conversation is null)
        {
            _context.Violation(wrong ?? $"{frame.Type} cannot be the first frame");
            return;
        }
        _conversation.Begin(nowNs, frame.Address, frame.Port);
        if (_context.IsLive && input.Length > frame.Size)
            _conversation.OnBytes(nowNs, input[frame.Size..]);
    }

    private void CloseWhenDone()
    {
        if (_peerEnded is not null && _context.IsLive && _context.Deadlines.Owed == 0)
            _context.End(SessionActionKind.Close, _peerEnded);
    }
}
