// Owns the fuzzing of all that reads a DNS message: bytes of a client and of a backend.
//
// What always holds of it: whatever the bytes are, a question lies within its message, an error is
// an answer about the same question, and letters' case changes neither match nor fingerprint.

using System;
using Balancer.Core;

namespace Tests.Fuzz;

internal static class QuestionsTarget
{
    private const ulong Key = 0x0123_4567_89ab_cdef;

    /// <summary>A length byte and so many bytes of a query; the rest is a reply.</summary>
    public static void Run(ReadOnlySpan<byte> bytes)
    {
        var script = new Script(bytes);
        var query = script.Bytes();
        var reply = bytes[Math.Min(bytes.Length, query.Length + 1)..];
        Read(query);
        Read(reply);
        DnsQuestion.MayBeSame(query, reply);
        FindingException.Unless(DnsQuestion.MayBeSame(query, query), "a query is unlike itself");
    }

    private static void Read(ReadOnlySpan<byte> message)
    {
        var length = DnsQuestion.LengthOf(message);
        FindingException.Unless(length == 0 || DnsQuestion.HeaderBytes + length <= message.Length,
            "a question that ends behind its message");
        DnsQuestion.IdOf(message);
        DnsQuestion.IsQuery(message);
        DnsQuestion.IsPlainQuery(message);
        DnsQuestion.IsFailure(message);
        DnsQuestion.IsTruncated(message);
        var fingerprint = Fingerprint.Of(message, Key);
        Span<byte> other = message.ToArray();
        if (other.Length >= 2)
            (other[0], other[1]) = ((byte)~other[0], (byte)~other[1]);
        FindingException.Unless(Fingerprint.Of(other, Key) == fingerprint
            && Fingerprint.FormOf(other, Key) == Fingerprint.FormOf(message, Key),
            "the id tells queries apart");
        if (DnsQuestion.HasHeader(message))
            ReadError(message, length);
        if (length == 0)
            return;
        Span<byte> upper = message.ToArray();
        foreach (ref var b in upper.Slice(DnsQuestion.HeaderBytes, length - 4))
            b = b is >= (byte)'a' and <= (byte)'z' ? (byte)(b - 0x20) : b;
        FindingException.Unless(DnsQuestion.MayBeSame(message, upper), "case tells names apart");
        FindingException.Unless(Fingerprint.Of(upper, Key) == fingerprint,
            "case tells fingerprints apart");
    }

    private static void ReadError(ReadOnlySpan<byte> query, int question)
    {
        Span<byte> answer = new byte[query.Length];
        answer = answer[..DnsQuestion.WriteError(query, 5, answer)];
        FindingException.Unless(DnsQuestion.IsFailure(answer), "an error that is none");
        FindingException.Unless(DnsQuestion.IdOf(answer) == DnsQuestion.IdOf(query), "another id");
        FindingException.Unless(DnsQuestion.LengthOf(answer) == question
            && DnsQuestion.MayBeSame(query, answer), "an error about another question");
    }
}
