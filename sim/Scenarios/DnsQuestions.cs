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

/// <summary>What makes two killers the same: what a backend that meets them trips over.</summary>
/// <param name="Number">The number of the plan.</param>
/// <param name="HasOptions">There is an EDNS record.</param>
/// <param name="HasTail">There are bytes behind the last record.</param>
/// <param name="HasFlags">
/// It has a flag besides RD, AD and CD, as clients' queries have not: all that have are one.
/// </param>
public readonly record struct KillerName(
    int Number, bool HasOptions, bool HasTail, bool HasFlags)
{
    public override string ToString() => Number.ToString(CultureInfo.InvariantCulture)
        + (HasOptions ? " with EDNS" : "") + (HasTail ? " with bytes behind it" : "")
        + (HasFlags ? " with flags" : "");
}

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

    /// <summary>Of an OPT record without options, and of one with a client's cookie.</summary>
    private const int OptionsBytes = 11;
    private const int CookieBytes = 8;

    /// <summary>Bytes that a killer's variant puts behind the message at most.</summary>
    public const int LongestTail = 12;

    /// <summary>A killer's variants are numbered up to this one.</summary>
    public const int LastVariant = 1023;

    /// <summary>Of a killer's variant: its class is not IN.</summary>
    public const int AnotherClass = 512;

    /// <summary>How the names end here, the type A and the class IN.</summary>
    private static ReadOnlySpan<byte> Rest => "\u0004test\0\0\u0001\0\u0001"u8;

    /// <summary>The first label of a question that ends backends.</summary>
    private static ReadOnlySpan<byte> KillerLabel => "\u0006killer"u8;

    /// <summary>The first label of one that hangs them.</summary>
    private static ReadOnlySpan<byte> HangerLabel => "\u0006hanger"u8;

    /// <summary>The first label of a question that is like a killer's, and answered.</summary>
    private static ReadOnlySpan<byte> DecoyLabel => "\u0006KILLER"u8;

    private static ReadOnlySpan<byte> HangerDecoyLabel => "\u0006HANGER"u8;

    /// <summary>The first label of a question that fake-binder leaves unanswered.</summary>
    private static ReadOnlySpan<byte> DroppedLabel => "\u0004drop"u8;

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
                return WriteVariant(into, plan.Variant, new SimRandom(SimRandom.Mix((ulong)query
                    ^ SimRandom.Derive(seed, Streams.UdpClient, client.Id, Streams.Payload))),
                    WriteKiller(into, IdOf(client.Id, query), bytes));
            case QueryKind.Decoy:
                return WriteDecoy(into, IdOf(client.Id, query), bytes);
            case QueryKind.Dropped:
                return WriteLabelled(into, DroppedLabel, client.Id, query);
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
        {
            return client.Late == Duration.Zero ? Write(into, client.Id, query)
                : WriteLate(into, client.Id, query, client.Late);
        }
        var length = WriteKiller(into, IdOf(client.Id, query), client.Killer - 1);
        return client.Padding == 0 ? length
            : length + WritePadding(into, length, client.Padding, (byte)client.Id);
    }

    private static bool IsKiller(TcpClientPlan client, int query) =>
        client.Killer > 0 && query == client.Queries - 1;

    /// <summary>
    /// The question with a label in front, by which fake-binder knows what to do with it.
    /// </summary>
    private static int WriteLabelled(
        Span<byte> into, ReadOnlySpan<byte> label, int client, int query)
    {
        Span<byte> plain = stackalloc byte[MaxBytes];
        var length = Write(plain, client, query);
        plain[..HeaderBytes].CopyTo(into);
        label.CopyTo(into[HeaderBytes..]);
        plain[HeaderBytes..length].CopyTo(into[(HeaderBytes + label.Length)..]);
        return length + label.Length;
    }

    /// <summary>A question that fake-binder answers so many milliseconds later.</summary>
    private static int WriteLate(Span<byte> into, int client, int query, Duration late)
    {
        Span<byte> label = stackalloc byte[1 + 63];
        "delay-"u8.CopyTo(label[1..]);
        late.WholeMilliseconds.TryFormat(
            label[7..], out var digits, default, CultureInfo.InvariantCulture);
        label[0] = (byte)(6 + digits);
        return WriteLabelled(into, label[..(7 + digits)], client, query);
    }

    /// <summary>
    /// Makes a killer another one with the same number, which a variant says: bytes at random
    /// behind it, at most so many as LongestTail, are the last hexadecimal digit; 16 is an OPT
    /// record with a cookie at random, 32 CD, 64 AD, 128 Z and 256 TC; 512 is another class, at
    /// random. Returns its bytes.
    /// </summary>
    private static int WriteVariant(Span<byte> into, int variant, SimRandom random, int length)
    {
        into[3] |= (byte)((variant >> 1) & 0x70); // CD, AD and Z
        into[2] |= (byte)((variant >> 7) & 2); // TC
        if ((variant & AnotherClass) != 0)
            into[length - 1] = (byte)random.Next(2, 256);
        if ((variant & 16) != 0)
        {
            into[11] = 1; // One additional record.
            var record = into.Slice(length, PaddingHeaderBytes + CookieBytes);
            record[..PaddingHeaderBytes].Clear();
            record[2] = 41; // OPT
            record[3] = 16; // 4096 bytes
            record[10] = 4 + CookieBytes;
            record[12] = 10; // Cookie
            record[14] = CookieBytes;
            random.Fill(record[PaddingHeaderBytes..]);
            length += record.Length;
        }
        var tail = Math.Min(variant & 15, LongestTail);
        random.Fill(into.Slice(length, tail));
        return length + tail;
    }

    /// <summary>A killer with its first label in capitals, which backends answer.</summary>
    private static int WriteDecoy(Span<byte> into, ushort id, int which)
    {
        var length = WriteKiller(into, id, which);
        (HasFirst(into, HangerLabel) ? HangerDecoyLabel : DecoyLabel)
            .CopyTo(into[HeaderBytes..]);
        return length;
    }

    /// <summary>
    /// Which killer a whole message is; null if it is none. Neither AD and CD nor its class nor
    /// what is in records or behind them makes another, nor which other flags there are. Nor does
    /// a long one's name: it is not read to its end.
    /// </summary>
    public static KillerName? KillerOf(ReadOnlySpan<byte> message)
    {
        var at = HeaderBytes + KillerLabel.Length;
        if (!IsKiller(message) || at >= message.Length)
            return null;
        int digits = message[at] - 1;
        if (digits < 1 || at + 2 + digits + Rest.Length > message.Length
            || !int.TryParse(message.Slice(at + 2, digits), NumberStyles.None,
                CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }
        var rest = message[(at + 2 + digits + Rest.Length)..];
        // A record is only there if its header is; what is cut is a part of it.
        var hasOptions = message[11] == 1 && rest.Length >= OptionsBytes
            && rest[..3].SequenceEqual<byte>([0, 0, 41]);
        if (hasOptions)
        {
            var end = OptionsBytes + BinaryPrimitives.ReadUInt16BigEndian(rest[9..]);
            rest = rest[Math.Min(rest.Length, end)..];
        }
        var isOdd = (message[2] & 0x86) != 0 || (message[3] & 0xcf) != 0
            || message.Length > SpecifiedLimits.FirstMessageBytes;
        return isOdd ? new KillerName(0, false, false, true)
            : new KillerName(number, hasOptions, rest.Length > 0, false);
    }

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

    /// <summary>Whether a message is a question that fake-binder leaves unanswered.</summary>
    public static bool IsDropped(ReadOnlySpan<byte> message) => HasFirst(message, DroppedLabel);

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

    /// <summary>
    /// Whether a backend sends nonsense on its session before the first killer in the bytes ends
    /// it: those with odd numbers have it do so.
    /// </summary>
    public static bool IsForNonsense(ReadOnlySpan<byte> read)
    {
        if (IndexOfLabel(read) is not (>= 0 and var at) || !read[at..].StartsWith(KillerLabel))
            return false;
        at += KillerLabel.Length;
        var last = at < read.Length ? at + read[at] : read.Length;
        return last < read.Length && (read[last] - '0') % 2 == 1;
    }

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

    /// <summary>Whether a response repeats the question of a TCP client's query.</summary>
    public static bool Answers(ReadOnlySpan<byte> message, TcpClientPlan client, int query)
    {
        if (client.Late == Duration.Zero || IsKiller(client, query))
            return Answers(message, client.Id, query);
        Span<byte> question = stackalloc byte[MaxBytes];
        question = question[HeaderBytes..WriteLate(question, client.Id, query, client.Late)];
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
