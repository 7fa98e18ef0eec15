// Owns what the balancer reads of a DNS message: its id and its first question. Everything else is
// the backends' business. Whatever the bytes are, it reads no further than their end, and a message
// that has no question it can read is just that.
//
// What always holds: two questions that differ in no more than the case of ASCII letters are the
// same.

using System;
using System.Buffers.Binary;

namespace Balancer.Core;

/// <summary>Reads ids and questions.</summary>
internal static class DnsQuestion
{
    /// <summary>Bytes of a message's header (RFC 1035, 4.1.1).</summary>
    public const int HeaderBytes = 12;

    /// <summary>Where a message has its response code, in the lower half of the byte.</summary>
    public const int CodeAt = 3;

    private const int QuestionCountAt = 4;
    private const int LongestLabel = 63;

    /// <summary>Bytes of a name at most, its end included (RFC 1035, 2.3.4).</summary>
    private const int LongestName = 255;

    /// <summary>Bytes of the type and the class behind the name.</summary>
    private const int TailBytes = 4;

    /// <summary>Bytes that WriteError writes at most.</summary>
    public const int LongestError = HeaderBytes + LongestName + TailBytes;

    /// <summary>The first two bytes; one that is missing counts as 0.</summary>
    public static ushort IdOf(ReadOnlySpan<byte> message) => message.Length switch
    {
        0 => 0,
        1 => (ushort)(message[0] << 8),
        _ => BinaryPrimitives.ReadUInt16BigEndian(message),
    };

    /// <summary>Whether it is long enough to be a DNS message.</summary>
    public static bool HasHeader(ReadOnlySpan<byte> message) => message.Length >= HeaderBytes;

    /// <summary>
    /// Whether a reply has a header that says that its server could not or would not answer.
    /// </summary>
    public static bool IsFailure(ReadOnlySpan<byte> reply) =>
        HasHeader(reply) && IsFailure(reply[CodeAt], reply.Length);

    /// <summary>The same of a reply of this length, by its byte at CodeAt.</summary>
    public static bool IsFailure(byte code, int length) => length >= HeaderBytes
        && (code & 0xf) is (int)ResponseCode.ServerFailure or (int)ResponseCode.Refused;

    /// <summary>What a reply that has a header says that became of its query.</summary>
    public static ResponseCode CodeOf(ReadOnlySpan<byte> reply) =>
        (ResponseCode)(reply[CodeAt] & 0xf);

    /// <summary>Whether a reply says that there is more, to be asked for over TCP.</summary>
    public static bool IsTruncated(ReadOnlySpan<byte> reply) =>
        HasHeader(reply) && (reply[2] & 0x02) != 0;

    /// <summary>
    /// Whether its opcode is QUERY, the one that is safe to be carried out twice.
    /// </summary>
    public static bool IsQuery(ReadOnlySpan<byte> message) =>
        message.Length >= HeaderBytes && (message[2] & 0x78) == 0;

    /// <summary>
    /// Whether it is such a query of one question, with no answers: nobody answers any other.
    /// </summary>
    public static bool IsPlainQuery(ReadOnlySpan<byte> message) => IsQuery(message)
        && BinaryPrimitives.ReadUInt16BigEndian(message[QuestionCountAt..]) == 1
        && BinaryPrimitives.ReadUInt32BigEndian(message[(QuestionCountAt + 2)..]) == 0;

    /// <summary>
    /// Whether a reply may be about a query's question: it has the same name in any case, type and
    /// class, or one of the two has no question that can be read.
    /// </summary>
    public static bool MayBeSame(ReadOnlySpan<byte> query, ReadOnlySpan<byte> reply)
    {
        var length = LengthOf(reply);
        if (length == 0)
            return true;
        // Mostly they are the same to the byte, and the query's need not be read too.
        var b = reply.Slice(HeaderBytes, length);
        if (query.Length >= HeaderBytes + length
            && query.Slice(HeaderBytes, length).SequenceEqual(b))
        {
            return true;
        }
        var asked = LengthOf(query);
        if (asked != length)
            return asked == 0;
        var a = query.Slice(HeaderBytes, length);
        return a[^TailBytes..].SequenceEqual(b[^TailBytes..])
            && IsSameName(a[..^TailBytes], b[..^TailBytes]);
    }

    /// <summary>Names hold any bytes; only ASCII letters have a case (RFC 4343).</summary>
    private static bool IsSameName(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        for (var i = 0; i < a.Length; i++)
        {
            if (Fold(a[i]) != Fold(b[i]))
                return false;
        }
        return true;
    }

    /// <summary>
    /// A hash (FNV-1a) of the first question, which has so many bytes (LengthOf): the same for the
    /// same name in any case, type and class. Two that differ share one by chance or on purpose.
    /// </summary>
    public static uint HashOf(ReadOnlySpan<byte> message, int length)
    {
        var hash = 2166136261u;
        var question = message.Slice(HeaderBytes, length);
        for (var at = 0; at < length; at++)
        {
            var b = at < length - TailBytes ? Fold(question[at]) : question[at];
            hash = unchecked((hash ^ b) * 16777619u);
        }
        return hash;
    }

    /// <summary>A letter in lower case; a length byte is under 64, so it is not a letter.</summary>
    public static byte Fold(byte b) => (uint)(b - 'A') <= 'Z' - 'A' ? (byte)(b | 0x20) : b;

    /// <summary>Eight bytes, each of them folded.</summary>
    public static ulong Fold(ulong bytes)
    {
        const ulong Each = 0x0101_0101_0101_0101;
        var low = bytes & (0x7f * Each);
        // The highest bit of each byte that is from A up, or above Z; and of each that is ASCII.
        var fromA = low + (0x80 - 'A') * Each;
        var aboveZ = low + (0x7f - 'Z') * Each;
        var letters = (fromA ^ aboveZ) & ~bytes & (0x80 * Each);
        return bytes | (letters >> 2);
    }

    /// <summary>
    /// Writes an answer that says no more than that there was an error: the query's id, opcode and
    /// RD, and its first question, if that can be read. Returns its length, which is no more than
    /// the query's; `query` has a header.
    /// </summary>
    public static int WriteError(ReadOnlySpan<byte> query, byte code, Span<byte> answer)
    {
        var question = LengthOf(query);
        query[..(HeaderBytes + question)].CopyTo(answer);
        answer[2] = (byte)(0x80 | (query[2] & 0x79)); // QR, and opcode and RD as they came
        answer[3] = code;
        answer[QuestionCountAt..HeaderBytes].Clear();
        answer[QuestionCountAt + 1] = (byte)(question == 0 ? 0 : 1);
        return HeaderBytes + question;
    }

    /// <summary>
    /// Bytes of the first question; 0 if there is none, or none that can be read.
    /// </summary>
    public static int LengthOf(ReadOnlySpan<byte> message)
    {
        if (message.Length < HeaderBytes
            || (message[QuestionCountAt] | message[QuestionCountAt + 1]) == 0)
        {
            return 0;
        }
        var at = HeaderBytes;
        while ((uint)at < (uint)message.Length)
        {
            var label = message[at];
            if (label == 0)
                break;
            if (label > LongestLabel)
                return 0;
            at += 1 + label;
        }
        var nameBytes = at + 1 - HeaderBytes;
        return nameBytes > LongestName || at + 1 + TailBytes > message.Length
            ? 0
            : nameBytes + TailBytes;
    }
}
