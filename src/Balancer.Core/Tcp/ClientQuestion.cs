// Owns what the client of one connection asks, as far as the quarantine is to know it: one message
// after the other, and whether what was passed on is answered.
//
// A message is kept back until all before it are answered and it is whole, or, if it is long, as
// much of it is there as is read. Then it is looked at: if backends have died of it, it is not
// passed on, and the balancer answers in the backend's place; else it is passed on to its end and
// no further, so that it is known by name what a backend has. What is too short to be a DNS message
// is passed on as if it were not there: nobody answers it, so what comes behind it does not wait.
// A client that does not wait for answers must not be held up for long: what is kept behind an
// unanswered message goes on a moment later, with all that comes until everything is answered. It
// is looked at as before, one message after the other. Up to Limits.NamedMessages are known by
// name, and none of them if there are more.
//
//   Keeps ── a message is passed on ──→ Unanswered ── its answer ──→ Keeps
//     ▲                                     │ its time is over, and more is kept
//     └───── everything is answered ──── Passing
//
// What always holds: a few messages at most of a connection are among FirstMessages, or one that
// stands for more; what the backend had sent before it was asked answers nothing; bytes are read,
// and none is altered; what is refused is not passed on.

using System;
using System.Buffers.Binary;

namespace Balancer.Core;

/// <summary>What becomes of what a client sent.</summary>
internal enum MessageFate
{
    /// <summary>Nothing yet: it is not whole, or something before it is not answered.</summary>
    IsAwaited,

    /// <summary>It is passed on, or all that is kept back.</summary>
    IsPassedOn,

    /// <summary>The balancer answers it.</summary>
    IsRefused,
}

/// <summary>What the client of one connection after another asks.</summary>
internal sealed class ClientQuestion(
    FirstMessages messages, RelayDirection toBackend, RelayDirection toClient)
{
    /// <summary>The longest answer, with its length in front.</summary>
    public const int MaxAnswerBytes = LengthBytes + DnsQuestion.LongestError;

    /// <summary>Bytes in front of a message that say how long it is.</summary>
    public const int LengthBytes = DnsMessages.LengthBytes;

    /// <summary>What it asked last, or more than have a name.</summary>
    private MessageTicket _asked;

    /// <summary>What it asked before that, and is unanswered as well.</summary>
    private readonly MessageTicket[] _before = new MessageTicket[Limits.NamedMessages - 1];

    private int _beforeCount;

    /// <summary>There were more than have a name since all was answered.</summary>
    private bool _isNameless;

    private bool _isUnanswered;

    /// <summary>Messages since all was answered.</summary>
    private long _askedCount;

    /// <summary>Messages are passed on although one before them is unanswered.</summary>
    private bool _isPassing;

    private long _wholeBefore;
    private long _goodBefore;
    private long _noted;

    /// <summary>Messages that were passed on and are too short to be answered.</summary>
    private long _short;

    /// <summary>
    /// Messages that were looked at and passed on, of all its connections; a run of empty ones,
    /// which is looked at as a whole, is one.
    /// </summary>
    public long Judged { get; private set; }

    /// <summary>The balancer answers in the backend's place.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>
    /// When what is kept behind an unanswered message is passed on; Never if there is none.
    /// </summary>
    public Instant KeptUntil { get; private set; } = Instant.Never;

    /// <summary>Another connection begins: its first message is kept back.</summary>
    public void Begin()
    {
        _asked = default;
        _beforeCount = 0;
        _isNameless = false;
        _isUnanswered = false;
        _askedCount = 0;
        _isPassing = false;
        _noted = 0;
        _short = 0;
        IsRefused = false;
        KeptUntil = Instant.Never;
        toBackend.KeepBack();
    }

    /// <summary>
    /// The client was read; what was not kept back is the rest of a long message.
    /// </summary>
    public void OnClientRead(Instant now)
    {
        if (toBackend.Passed <= _noted || toBackend.IsSinkLost)
            return;
        _noted = toBackend.Passed;
        messages.GoOn(now, _asked);
    }

    /// <summary>
    /// Looks at what is kept back once enough of a message is there to judge it, or no more of it
    /// will come, and all before it is answered or has waited too long. If it is refused, writes
    /// the answer for the client, which may be empty, and its length.
    /// </summary>
    public MessageFate Judge(
        Instant now, Endpoint client, TcpHandshake taken, Span<byte> answer, out int length)
    {
        length = 0;
        if (toBackend.Kept == 0)
            KeptUntil = Instant.Never;
        if (toBackend.Kept == 0 || (_isUnanswered && !MayPass(now)))
            return MessageFate.IsAwaited;
        Span<byte> message = stackalloc byte[Limits.FirstMessageBytes];
        var passed = toBackend.Passed;
        MessageFate fate;
        int bytes;
        do
        {
            fate = JudgeNext(now, message, out bytes, out var isCut);
            if (fate == MessageFate.IsPassedOn && bytes > 0)
                Note(now, client, taken, message[..bytes], isCut);
        }
        while (fate == MessageFate.IsPassedOn && (_isPassing || bytes == 0) && toBackend.Kept > 0);
        if (fate == MessageFate.IsRefused)
        {
            IsRefused = true;
            // A backend that has ended leaves no room for an answer of the balancer's.
            length = toClient.HasSourceEnded ? 0 : Refuse(message[..bytes], answer);
            return fate;
        }
        if (toBackend.Passed == passed)
            return fate;
        _noted = toBackend.Passed;
        if (_isUnanswered && !_isPassing)
            WaitForMore(now);
        return MessageFate.IsPassedOn;
    }

    /// <summary>
    /// Lets the next message pass, if it may; copies what is read of it and says how long that is,
    /// and whether it is not all. It is 0 for what is too short to be a message.
    /// </summary>
    private MessageFate JudgeNext(
        Instant now, Span<byte> into, out int bytes, out bool isCut)
    {
        KeptUntil = _isPassing ? Instant.Never : KeptUntil;
        (bytes, isCut) = (0, true);
        if (toBackend.KeptEmpty is > 0 and var empty)
        {
            // Nobody answers them, and one by one they would cost a hundred times their bytes.
            _short += empty;
            Judged++;
            toBackend.LetPass(LengthBytes * empty);
            return MessageFate.IsPassedOn;
        }
        Span<byte> prefix = stackalloc byte[LengthBytes];
        var isUnknown = toBackend.PeekKept(prefix) < LengthBytes;
        var announced = isUnknown ? 0 : BinaryPrimitives.ReadUInt16BigEndian(prefix);
        var read = Math.Min((int)announced, Limits.FirstMessageBytes);
        var isPart = isUnknown || toBackend.Kept < LengthBytes + read;
        if (isPart && !toBackend.HasSourceEnded)
        {
            KeptUntil = Instant.Never;
            return MessageFate.IsAwaited;
        }
        bytes = toBackend.PeekKept(into[..read], LengthBytes);
        isCut = bytes < announced;
        if (bytes < DnsQuestion.HeaderBytes)
        {
            _short += isPart ? 0 : 1;
            bytes = 0;
        }
        else if (messages.IsRefused(now, into[..bytes], isCut))
        {
            KeptUntil = Instant.Never;
            // Answers to what was asked before come first, and whole.
            return toClient.IsInside || toClient.Queue.Free < MaxAnswerBytes
                ? MessageFate.IsAwaited : MessageFate.IsRefused;
        }
        Judged++;
        toBackend.LetPass(isPart ? toBackend.Kept : LengthBytes + announced);
        return MessageFate.IsPassedOn;
    }

    /// <summary>Something was read from the backend.</summary>
    public void OnBackendRead(Instant now)
    {
        if (!_isUnanswered || !IsAnswered)
            return;
        _isUnanswered = false;
        _isPassing = false;
        var asked = _asked.IsValid ? _asked.Message : null;
        var (backend, session, sentAt) = (asked?.Backend, asked?.Session ?? 0, asked?.SentAt);
        var code = asked?.HasName == true && _askedCount == 1 ? toClient.LastCode : null;
        // One that could not answer does not say which it could not.
        var areGood = toClient.Good - _goodBefore >= _askedCount;
        foreach (var ticket in _before.AsSpan(0, _beforeCount))
            Settle(now, ticket, areGood);
        Settle(now, _asked, areGood);
        _asked = default;
        _beforeCount = 0;
        _isNameless = false;
        _askedCount = 0;
        if (sentAt is { } passedOnAt)
            backend!.OnMessageAnswered(now, session, passedOnAt, code);
    }

    private void Settle(Instant now, MessageTicket ticket, bool isGood)
    {
        if (isGood)
            messages.OnAnswered(now, ticket);
        else
            messages.Remove(ticket);
    }

    /// <summary>All that was passed on is: one message, or whatever came.</summary>
    private bool IsAnswered => _isPassing || toBackend.IsSinkLost
        ? toClient.Whole >= toBackend.Whole - _short && !toBackend.IsInside
        : toClient.Whole > _wholeBefore && !toBackend.AwaitsMore;

    /// <summary>What is kept behind something unanswered has waited for long enough.</summary>
    private bool MayPass(Instant now)
    {
        if (_isPassing)
            return true;
        WaitForMore(now);
        _isPassing = now >= KeptUntil;
        return _isPassing;
    }

    /// <summary>Starts the time for which kept messages wait, unless it runs already.</summary>
    private void WaitForMore(Instant now)
    {
        if (toBackend.Kept == 0)
            KeptUntil = Instant.Never;
        else if (KeptUntil == Instant.Never)
            KeptUntil = now + Limits.PipelineDelay;
    }

    /// <summary>A message is passed on, which may be one more than have a name.</summary>
    private void Note(Instant now, Endpoint client, TcpHandshake taken,
        ReadOnlySpan<byte> message, bool isCut)
    {
        if (!_isUnanswered)
            _goodBefore = toClient.Good;
        _wholeBefore = toClient.Whole;
        _isUnanswered = true;
        if (_askedCount++ > 0 && !_isNameless)
            KeepName();
        if (_isNameless)
        {
            messages.Remove(_asked);
            message = default;
        }
        _asked = messages.Add(now, new Asked
        {
            Client = client,
            Backend = taken.Backend!,
            Session = taken.Session,
            HasName = !message.IsEmpty,
            IsCut = isCut,
            Packet = message,
        });
        if (taken.Backend!.SessionNumber == taken.Session)
            taken.Backend.OnConnectionWaits(now);
    }

    /// <summary>
    /// What was asked last is not the last any more; if there are too many, all lose their names.
    /// </summary>
    private void KeepName()
    {
        if (_beforeCount < _before.Length)
        {
            _before[_beforeCount++] = _asked;
            return;
        }
        foreach (var ticket in _before)
            messages.Remove(ticket);
        (_beforeCount, _isNameless) = (0, true);
    }

    /// <summary>Writes the answer with its length in front; none to what is no QUERY.</summary>
    private static int Refuse(ReadOnlySpan<byte> message, Span<byte> answer)
    {
        if (!DnsQuestion.IsQuery(message))
            return 0;
        var length = DnsQuestion.WriteError(
            message, (byte)ResponseCode.Refused, answer[LengthBytes..]);
        BinaryPrimitives.WriteUInt16BigEndian(answer, (ushort)length);
        return LengthBytes + length;
    }
}
