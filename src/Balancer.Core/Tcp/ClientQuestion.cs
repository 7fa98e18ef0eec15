// Owns what the client of one connection asks, as far as the quarantine is to know it: its first
// message, and whether something that was passed on is unanswered.
//
// The first message is kept back until it is whole, if it is short, and then looked at: if backends
// have died of it, it is not passed on, and the balancer answers in the backend's place. All that
// comes behind it is passed on as it comes.
//
// What always holds: one message at most of a connection is among FirstMessages; what the backend
// had sent before it was asked answers nothing; bytes are read, and none is altered.

using System;
using System.Buffers.Binary;

namespace Balancer.Core;

/// <summary>What becomes of a client's first message.</summary>
internal enum FirstMessageFate
{
    /// <summary>It is not whole yet.</summary>
    IsAwaited,

    /// <summary>It is passed on, with what is behind it.</summary>
    IsPassedOn,

    /// <summary>The balancer answers it.</summary>
    IsRefused,
}

/// <summary>What the client of one connection after another asks.</summary>
internal sealed class ClientQuestion(
    FirstMessages messages, RelayDirection toBackend, RelayDirection toClient)
{
    /// <summary>The longest answer, with its length in front.</summary>
    public const int MaxAnswerBytes = LengthBytes + Limits.FirstMessageBytes;

    private const int LengthBytes = 2;

    private MessageTicket _asked;
    private long _wholeBefore;
    private bool _hasName;

    /// <summary>The balancer answers in the backend's place.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>Another connection begins: its first message is kept back.</summary>
    public void Begin()
    {
        _asked = default;
        IsRefused = false;
        toBackend.KeepBack();
    }

    /// <summary>
    /// Looks at the first message as soon as it is whole, too long, or never will be whole. If it
    /// is refused, writes what the client is told, which may be nothing, and how long it is.
    /// </summary>
    public FirstMessageFate Judge(
        Instant now, Endpoint client, TcpHandshake taken, Span<byte> answer, out int length)
    {
        length = 0;
        Span<byte> kept = stackalloc byte[LengthBytes + Limits.FirstMessageBytes];
        kept = kept[..toBackend.PeekKept(kept)];
        var isUnknown = kept.Length < LengthBytes;
        var bytes = isUnknown ? 0 : BinaryPrimitives.ReadUInt16BigEndian(kept);
        var end = LengthBytes + bytes;
        var isPart = isUnknown || (bytes <= Limits.FirstMessageBytes && kept.Length < end);
        if (isPart && !toBackend.HasSourceEnded)
            return FirstMessageFate.IsAwaited;
        var message = isPart || kept.Length < end ? default : kept[LengthBytes..end];
        // A backend that spoke first, or ended, leaves no room for an answer of the balancer's.
        if (!message.IsEmpty && toClient.IsUntouched && messages.IsRefused(now, message))
        {
            IsRefused = true;
            length = Refuse(message, answer);
            return FirstMessageFate.IsRefused;
        }
        if (!kept.IsEmpty)
            Note(now, client, taken, toBackend.Kept == end ? message : default);
        return FirstMessageFate.IsPassedOn;
    }

    /// <summary>More was read from the client behind the first message, and is passed on.</summary>
    public void OnMore(Instant now, Endpoint client, TcpHandshake taken) =>
        Note(now, client, taken, default);

    /// <summary>Something was read from the backend.</summary>
    public void OnBackendRead()
    {
        if (_asked.IsNone || !IsAnswered)
            return;
        messages.OnAnswered(_asked);
        _asked = default;
    }

    /// <summary>What has a name is the first message; else all that was asked counts.</summary>
    private bool IsAnswered => _hasName
        ? toClient.Whole > _wholeBefore
        : toClient.Whole >= toBackend.Whole && !toBackend.IsInside;

    /// <summary>It is passed on: a first message that is alone, or whatever else.</summary>
    private void Note(
        Instant now, Endpoint client, TcpHandshake taken, ReadOnlySpan<byte> message)
    {
        messages.Remove(_asked);
        _hasName = !message.IsEmpty;
        _wholeBefore = toClient.Whole;
        _asked = messages.Add(now, new Asked
        {
            Client = client,
            Backend = taken.Backend!,
            Session = taken.Session,
            HasName = _hasName,
            Packet = message,
        });
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
