// Owns what clients send: a question for an A record whose name tells the client and the query, so
// that no two are alike, or what a plan wants in its place; and whether a message answers one.
//
// What always holds: the same client and query give the same bytes; a question that is to be longer
// is padded by its sender with zeros behind its end, which servers ignore.

using System;
using System.Buffers.Binary;
using System.Globalization;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Makes questions and recognises answers.</summary>
public static class DnsQuestions
{
    /// <summary>The longest question made here, without padding.</summary>
    public const int MaxBytes = 64;

    /// <summary>The largest payload of a UDP datagram over IPv4.</summary>
    public const int MaxPayload = 65_507;

    /// <summary>
    /// Killers with this number and the next ones do not end the simulator's backends, but hang
    /// them.
    /// </summary>
    public const int FirstHanger = 1000;

    private const int Hangers = 1000;

    /// <summary>How long they do; the balancer ends a session sooner than that.</summary>
    public static readonly Duration HangTime = Duration.FromSeconds(30L);

    private const int HeaderBytes = 12;

    /// <summary>Of an INBOUND_UDP, before its packet.</summary>
    private const int FrameHeaderBytes = 16;
    private const int LengthBytes = 2;

    /// <summary>Of an OPT record with one option, before what that has.</summary>
    private const int PaddingHeaderBytes = 15;

    private const byte Response = 0x80;

    /// <summary>How the names end here, the type A and the class IN.</summary>
    private static ReadOnlySpan<byte> Rest => "\u0004test\0\0\u0001\0\u0001"u8;

    /// <summary>The first label of a question that ends backends.</summary>
    private static ReadOnlySpan<byte> KillerLabel => "\u0006killer"u8;

    /// <summary>The first label of one that hangs them.</summary>
    private static ReadOnlySpan<byte> HangerLabel => "\u0006hanger"u8;

    /// <summary>The first label of a question that ends fake-binder.</summary>
    private static ReadOnlySpan<byte> FakeBinderLabel => "\u0005crash"u8;

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
        Rest.CopyTo(into[at..]);
        return at + Rest.Length;
    }

    /// <summary>
    /// Writes a query of a client's as its plan has it, cut to the largest datagram; returns its
    /// bytes. The buffer has room for that.
    /// </summary>
    public static int Write(Span<byte> into, ulong seed, UdpClientPlan client, int query)
    {
        var plan = client.Queries[query];
        var bytes = Math.Clamp(plan.Bytes, 0, MaxPayload);
        switch (plan.Kind)
        {
            case QueryKind.Garbage:
                new SimRandom(SimRandom.Mix((ulong)query ^ SimRandom.Derive(
                    seed, Streams.UdpClient, client.Id, Streams.Payload))).Fill(into[..bytes]);
                into[2] &= 0x7f;
                return bytes;
            case QueryKind.Response:
                WriteResponse(into[..bytes], client.Id, query);
                return bytes;
            case QueryKind.Killer:
                return WriteKiller(into, IdOf(client.Id, query), bytes);
            default:
                var length = Write(into, client.Id, query);
                if (bytes > length)
                    into[length..bytes].Clear();
                return Math.Max(length, bytes);
        }
    }

    /// <summary>Room for what a TCP client sends, if it asks so many questions.</summary>
    public static int MostBytes(TcpClientPlan client, int queries) => client.Padding
        + LengthBytes * client.Empty + queries * (LengthBytes + MaxBytes + PaddingHeaderBytes);

    /// <summary>Bytes of empty messages that a TCP client sends before this question.</summary>
    public static int EmptyBytes(TcpClientPlan client, int query) =>
        IsKiller(client, query) ? LengthBytes * client.Empty : 0;

    /// <summary>Writes a question of a TCP client's; returns its bytes.</summary>
    public static int Write(Span<byte> into, TcpClientPlan client, int query)
    {
        if (!IsKiller(client, query))
            return Write(into, client.Id, query);
        var length = WriteKiller(into, IdOf(client.Id, query), client.Killer - 1);
        return client.Padding == 0 ? length
            : length + WritePadding(into, length, client.Padding, (byte)client.Id);
    }

    private static bool IsKiller(TcpClientPlan client, int query) =>
        client.Killer > 0 && query == client.Queries - 1;

    /// <summary>An OPT record with one option, filled with a byte.</summary>
    private static int WritePadding(Span<byte> into, int at, int bytes, byte with)
    {
        into[11] = 1; // One additional record.
        var record = into.Slice(at, PaddingHeaderBytes + bytes);
        record[..PaddingHeaderBytes].Clear();
        record[2] = 41; // OPT
        record[3] = 16; // 4096 bytes
        BinaryPrimitives.WriteUInt16BigEndian(record[9..], (ushort)(bytes + 4));
        record[12] = 12; // Padding
        BinaryPrimitives.WriteUInt16BigEndian(record[13..], (ushort)bytes);
        record[PaddingHeaderBytes..].Fill(with);
        return record.Length;
    }

    /// <summary>
    /// Makes a question that ends the simulator's backends one that ends a process of fake-binder;
    /// returns how long it is then. Others stay as they are, those included that hang backends.
    /// </summary>
    public static int MakeDeadly(Span<byte> message)
    {
        if (!HasFirst(message, KillerLabel))
            return message.Length;
        FakeBinderLabel.CopyTo(message[HeaderBytes..]);
        message[(HeaderBytes + KillerLabel.Length)..].CopyTo(
            message[(HeaderBytes + FakeBinderLabel.Length)..]);
        return message.Length - KillerLabel.Length + FakeBinderLabel.Length;
    }

    /// <summary>Whether a message is one of these questions, padded or not.</summary>
    public static bool IsQuestion(ReadOnlySpan<byte> message)
    {
        if (message.Length <= HeaderBytes + 2 || message[HeaderBytes + 1] != (byte)'q')
            return false;
        var second = HeaderBytes + 1 + message[HeaderBytes];
        var rest = second < message.Length ? second + 1 + message[second] : message.Length;
        return rest < message.Length && message[rest..].StartsWith(Rest);
    }

    /// <summary>Whether a message is a question that ends backends, or hangs them.</summary>
    public static bool IsKiller(ReadOnlySpan<byte> message) =>
        HasFirst(message, KillerLabel) || HasFirst(message, HangerLabel);

    private static bool HasFirst(ReadOnlySpan<byte> message, ReadOnlySpan<byte> label) =>
        message.Length > HeaderBytes && message[HeaderBytes..].StartsWith(label);

    /// <summary>
    /// Where in the bytes that a backend read the frame of the first killer begins, or over TCP its
    /// length; -1 for none, or one that came in pieces.
    /// </summary>
    public static int FindKiller(ReadOnlySpan<byte> read)
    {
        var at = IndexOfLabel(read);
        if (IsMessage(read, at - HeaderBytes - LengthBytes))
            return at - HeaderBytes - LengthBytes;
        return at < FrameHeaderBytes + HeaderBytes ? -1 : at - FrameHeaderBytes - HeaderBytes;
    }

    /// <summary>Whether the first killer in the bytes hangs a backend.</summary>
    public static bool IsHanger(ReadOnlySpan<byte> read) =>
        IndexOfLabel(read) is >= 0 and var at && read[at..].StartsWith(HangerLabel);

    private static int IndexOfLabel(ReadOnlySpan<byte> read)
    {
        var killer = read.IndexOf(KillerLabel);
        var hanger = read.IndexOf(HangerLabel);
        return killer < 0 || (hanger >= 0 && hanger < killer) ? hanger : killer;
    }

    /// <summary>A killer's message is there behind its length, as over TCP.</summary>
    private static bool IsMessage(ReadOnlySpan<byte> read, int at)
    {
        var second = at + LengthBytes + HeaderBytes + KillerLabel.Length;
        if (at < 0 || second >= read.Length)
            return false;
        var length = BinaryPrimitives.ReadUInt16BigEndian(read[at..]);
        var isPadded = read[at + LengthBytes + HeaderBytes - 1] == 1
            && at + LengthBytes + length <= read.Length;
        var plain = second + 1 + read[second] + Rest.Length - at - LengthBytes;
        return length == plain || (isPadded && length > plain + PaddingHeaderBytes);
    }

    private static int WriteKiller(Span<byte> into, ushort id, int which)
    {
        into[..HeaderBytes].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(into, id);
        into[2] = 1; // RD
        into[5] = 1; // One question.
        (which is >= FirstHanger and < FirstHanger + Hangers ? HangerLabel : KillerLabel)
            .CopyTo(into[HeaderBytes..]);
        var at = HeaderBytes + KillerLabel.Length;
        at += WriteLabel(into[at..], (byte)'k', which);
        Rest.CopyTo(into[at..]);
        return at + Rest.Length;
    }

    /// <summary>A proper header with QR set and nothing after it.</summary>
    private static void WriteResponse(Span<byte> into, int client, int query)
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
