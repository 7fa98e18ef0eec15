// Owns the DNS messages that clients send: a question for an A record whose name tells the client
// and the query, so that no two are alike, and whether a message answers one.
//
// What always holds: the same client and query give the same bytes; a question that is to be longer
// is padded by its sender with zeros behind its end, which servers ignore.

using System;
using System.Buffers.Binary;
using System.Globalization;

namespace Simulation.Running;

/// <summary>Makes questions and recognises answers.</summary>
internal static class DnsQuestions
{
    /// <summary>The longest question made here, without padding.</summary>
    public const int MaxBytes = 64;

    private const int HeaderBytes = 12;
    private const byte Response = 0x80;

    /// <summary>Writes the question, without padding; returns its bytes.</summary>
    public static int Write(Span<byte> into, int client, int query)
    {
        into[..HeaderBytes].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(into, IdOf(client, query));
        into[2] = 1; // RD
        into[5] = 1; // One question.
        var at = HeaderBytes;
        at += WriteLabel(into[at..], (byte)'q', query);
        at += WriteLabel(into[at..], (byte)'c', client);
        ReadOnlySpan<byte> rest = [4, .. "test"u8, 0, 0, 1, 0, 1];
        rest.CopyTo(into[at..]);
        return at + rest.Length;
    }

    /// <summary>A proper header with QR set and nothing after it.</summary>
    public static void WriteResponse(Span<byte> into, int client, int query)
    {
        into.Clear();
        if (into.Length >= 2)
            BinaryPrimitives.WriteUInt16BigEndian(into, IdOf(client, query));
        if (into.Length > 2)
            into[2] = Response;
    }

    /// <summary>An id of its own for each of a client's first 65,536 queries.</summary>
    public static ushort IdOf(int client, int query) =>
        unchecked((ushort)(query * 40_503 + client * 31_337));

    /// <summary>The id of a response; null if it is none.</summary>
    public static ushort? IdOfResponse(ReadOnlySpan<byte> message) =>
        message.Length < HeaderBytes || (message[2] & Response) == 0
            ? null
            : BinaryPrimitives.ReadUInt16BigEndian(message);

    /// <summary>Whether a response repeats the question of that query.</summary>
    public static bool Answers(ReadOnlySpan<byte> message, int client, int query)
    {
        Span<byte> question = stackalloc byte[MaxBytes];
        question = question[HeaderBytes..Write(question, client, query)];
        return message.Length >= HeaderBytes + question.Length
            && message.Slice(HeaderBytes, question.Length).SequenceEqual(question);
    }

    private static int WriteLabel(Span<byte> into, byte letter, int number)
    {
        into[1] = letter;
        number.TryFormat(into[2..], out var digits, default, CultureInfo.InvariantCulture);
        into[0] = (byte)(1 + digits);
        return 2 + digits;
    }
}
