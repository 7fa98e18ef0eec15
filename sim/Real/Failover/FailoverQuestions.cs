// Owns what the clients of the failover benchmark ask, and what of a reply they understand. Every
// fourth query asks who answers (CH TXT id.server), the others for the address of a name that no
// other query has, or that all have where a name is popular. A query's DNS id is its number, so
// that a reply leads to its query.
//
// What always holds: a client's queries have different ids until it has sent 65,536; a reply that
// does not repeat the question of its query is a stray.

using System;
using System.Buffers.Binary;
using Simulation.Scenarios;

namespace Simulation.Real.Failover;

/// <summary>A reply to one of the client's queries.</summary>
/// <param name="Query">The query's number.</param>
/// <param name="IsRefusal">It is an error.</param>
internal readonly record struct FailoverReply(int Query, bool IsRefusal);

/// <summary>Writes queries and reads replies.</summary>
internal static class FailoverQuestions
{
    private const int HeaderBytes = 12;
    private const int ErrorBits = 0x0f;
    private const int WhoEvery = 4;

    /// <summary>A pointer or a name in front of a record's fixed fields.</summary>
    private const int PointerBytes = 2;

    private const int RecordBytes = 10;

    /// <summary>id.server, TXT, CH.</summary>
    private static ReadOnlySpan<byte> WhoQuestion =>
        "\u0002id\u0006server\0\0\u0010\0\u0003"u8;

    /// <summary>Clients do not all ask who answers at the same time.</summary>
    public static bool AsksWho(int client, int query) => (query + client) % WhoEvery == 0;

    /// <summary>
    /// Writes a query into a buffer of DnsQuestions.MaxBytes; returns its bytes.
    /// </summary>
    public static int Write(Span<byte> into, int client, int query, bool isPopular = false)
    {
        var length = isPopular
            ? DnsQuestions.Write(into, 0, 0)
            : DnsQuestions.Write(into, client, query);
        if (AsksWho(client, query))
        {
            WhoQuestion.CopyTo(into[HeaderBytes..]);
            length = HeaderBytes + WhoQuestion.Length;
        }
        BinaryPrimitives.WriteUInt16BigEndian(into, (ushort)query);
        return length;
    }

    /// <summary>What a datagram answers; null if it answers none of the queries sent.</summary>
    public static FailoverReply? Read(
        ReadOnlySpan<byte> message, int client, int sent, bool isPopular = false)
    {
        if (DnsQuestions.IdOfResponse(message) is not { } id)
            return null;
        var last = sent - 1;
        var query = last - (ushort)(last - id);
        if (query < 0)
            return null;
        var repeats = AsksWho(client, query)
            ? message[HeaderBytes..].StartsWith(WhoQuestion)
            : DnsQuestions.Answers(message, isPopular ? 0 : client, isPopular ? 0 : query);
        return repeats ? new FailoverReply(query, (message[3] & ErrorBits) != 0) : null;
    }

    /// <summary>The id that a reply to "who answers" has; empty if it has none.</summary>
    public static ReadOnlySpan<byte> Server(ReadOnlySpan<byte> message)
    {
        var at = HeaderBytes + WhoQuestion.Length;
        if (BinaryPrimitives.ReadUInt16BigEndian(message[6..]) == 0 || message.Length <= at)
            return [];
        // The record's name is the question's: a pointer to it, or written out.
        var name = (message[at] & 0xc0) != 0 ? PointerBytes : WhoQuestion.Length - 4;
        at += name + RecordBytes;
        if (message.Length <= at || message.Length < at + 1 + message[at])
            return [];
        return message.Slice(at + 1, message[at]);
    }
}
