// Owns what the fake server knows: answers that follow from the name alone, so that a test can
// tell a right answer from a wrong one without any data.
//
//   A      one address, 10.x.y.z: the lower 24 bits of the FNV-1a hash (32 bits) of the name in
//          lower case, labels joined by dots, no dot at the end
//   TXT    one string: the name as it was asked
//   CH TXT id.server and hostname.bind: the backend's own id
//   other types: NOERROR and nothing; other classes, other CHAOS names: REFUSED; operations other
//   than QUERY: NOTIMP
//
// First labels that do something: size-N (64 to 65535; a TXT answer of exactly N octets, if the
// name leaves room), delay-MS (0 to 600000; answered that much later), drop (never answered),
// crash (the process ends, as a real Binder does on some queries).
//
// What always holds: over UDP an answer is at most 512 octets without EDNS, else at most what the
// client says and 1232; a longer one is cut to its question, with TC=1. A response (QR=1) gets no
// answer, and neither does what is not a query (DnsQuery.TryRead): a server may say FORMERR,
// but node-mname, which a fake Binder stands in for, says nothing. The answer depends on the
// query, the id and nothing else.

using System;

namespace FakeBinder;

/// <summary>What becomes of a query.</summary>
public enum DnsFate
{
    /// <summary>It is answered.</summary>
    Answered,

    /// <summary>It is a response, or a query that asks not to be answered.</summary>
    Ignored,

    /// <summary>It is not a query; over TCP the connection is closed.</summary>
    Unreadable,

    /// <summary>It kills the process.</summary>
    Deadly,
}

/// <summary>What was made of a query.</summary>
/// <param name="Fate">Whether there is an answer.</param>
/// <param name="Length">Bytes of the answer in the buffer.</param>
/// <param name="DelayNs">How much later it is due, in nanoseconds.</param>
public readonly record struct DnsReply(DnsFate Fate, int Length = 0, long DelayNs = 0);

/// <summary>Answers queries.</summary>
public static class DnsAnswers
{
    /// <summary>The longest answer over UDP without EDNS.</summary>
    public const int PlainUdpBytes = 512;

    /// <summary>The longest delay a name can ask for, in milliseconds.</summary>
    public const int MaxDelayMs = 600_000;

    private const int MinSize = 64;
    private const long NsPerMs = 1_000_000;

    /// <summary>
    /// Answers one message into a buffer of DnsWriter.MaxMessage bytes. The id is what CH TXT
    /// id.server tells, 255 bytes at most; `loaded` is the share of names of class IN that are
    /// known, all from 1 on.
    /// </summary>
    public static DnsReply Answer(
        ReadOnlySpan<byte> message, bool overTcp, ReadOnlySpan<byte> id, bool failing,
        Span<byte> into, double loaded = 1)
    {
        if (!DnsQuery.TryRead(message, out var query))
            return new DnsReply(DnsFate.Unreadable);
        if (query.IsResponse)
            return new DnsReply(DnsFate.Ignored);
        var first = FirstLabel(query.Name);
        if (IsLabel(first, "crash"u8))
            return new DnsReply(DnsFate.Deadly);
        if (IsLabel(first, "drop"u8))
            return new DnsReply(DnsFate.Ignored);
        var delayMs = NumberIn(first, "delay-"u8, 0, MaxDelayMs) ?? 0;
        var rcode = Verdict(query, failing, loaded);
        var writer = new DnsWriter(into);
        writer.Begin(query, rcode);
        if (rcode == DnsRcode.NoError)
            AddAnswer(ref writer, query, id);
        if (!overTcp)
            CutToUdp(ref writer, query, rcode);
        if (query.HasEdns)
            writer.AddEdns(rcode);
        return new DnsReply(DnsFate.Answered, writer.Length, delayMs * NsPerMs);
    }

    /// <summary>The address that the name has, first octet most significant.</summary>
    public static uint AddressOf(string name)
    {
        var wire = new byte[name.Length + 2];
        var at = 0;
        foreach (var label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            wire[at++] = (byte)label.Length;
            foreach (var letter in label)
                wire[at++] = (byte)letter;
        }
        return AddressOf(wire.AsSpan(0, at + 1));
    }

    private static DnsRcode Verdict(in DnsQuery query, bool failing, double loaded)
    {
        if (query.Operation != DnsOperation.Query)
            return DnsRcode.NotImplemented;
        if (query.EdnsVersion > 0)
            return DnsRcode.BadVersion;
        if (failing)
            return DnsRcode.ServerFailure;
        return query.Class switch
        {
            DnsClass.In when (AddressOf(query.Name) & 0xff) >= loaded * 256 => DnsRcode.Refused,
            DnsClass.In => DnsRcode.NoError,
            DnsClass.Chaos when AsksForId(query.Name) => DnsRcode.NoError,
            _ => DnsRcode.Refused,
        };
    }

    private static void AddAnswer(ref DnsWriter writer, in DnsQuery query, ReadOnlySpan<byte> id)
    {
        if (query.Type == DnsType.A && query.Class == DnsClass.In)
        {
            var address = AddressOf(query.Name);
            var data = writer.AddRecord(DnsType.A, DnsClass.In, 4);
            for (var i = 0; i < 4; i++)
                data[i] = (byte)(address >> (24 - 8 * i));
        }
        else if (query.Type == DnsType.Txt)
        {
            AddText(ref writer, query, id);
        }
    }

    private static void AddText(ref DnsWriter writer, in DnsQuery query, ReadOnlySpan<byte> id)
    {
        var size = NumberIn(FirstLabel(query.Name), "size-"u8, MinSize, DnsWriter.MaxMessage);
        if (query.Class == DnsClass.Chaos)
        {
            AddString(writer.AddRecord(DnsType.Txt, query.Class, 1 + id.Length), id);
        }
        else if (size is { } octets)
        {
            var edns = query.HasEdns ? DnsWriter.EdnsBytes : 0;
            var room = octets - writer.Length - DnsWriter.RecordBytes - edns;
            FillStrings(writer.AddRecord(DnsType.Txt, query.Class, Math.Max(1, room)));
        }
        else
        {
            Span<byte> text = stackalloc byte[255];
            text = text[..WriteText(query.Name, text)];
            AddString(writer.AddRecord(DnsType.Txt, query.Class, 1 + text.Length), text);
        }
    }

    private static void AddString(Span<byte> data, ReadOnlySpan<byte> text)
    {
        data[0] = (byte)text.Length;
        text.CopyTo(data[1..]);
    }

    /// <summary>Fills record data of one byte or more with whole character strings.</summary>
    private static void FillStrings(Span<byte> data)
    {
        while (!data.IsEmpty)
        {
            var length = Math.Min(255, data.Length - 1);
            data[0] = (byte)length;
            for (var i = 1; i <= length; i++)
                data[i] = (byte)('a' + i % 26);
            data = data[(1 + length)..];
        }
    }

    private static void CutToUdp(ref DnsWriter writer, in DnsQuery query, DnsRcode rcode)
    {
        var limit = query.HasEdns
            ? Math.Clamp((int)query.EdnsPayload, PlainUdpBytes, DnsWriter.OwnEdnsPayload)
            : PlainUdpBytes;
        var edns = query.HasEdns ? DnsWriter.EdnsBytes : 0;
        if (writer.Length + edns <= limit)
            return;
        writer.Begin(query, rcode);
        writer.SetTruncated();
    }

    private static bool AsksForId(ReadOnlySpan<byte> name) =>
        IsName(name, "id"u8, "server"u8) || IsName(name, "hostname"u8, "bind"u8);

    private static bool IsName(
        ReadOnlySpan<byte> name, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second) =>
        name.Length == first.Length + second.Length + 3
        && IsLabel(FirstLabel(name), first)
        && IsLabel(FirstLabel(name[(1 + first.Length)..]), second);

    private static ReadOnlySpan<byte> FirstLabel(ReadOnlySpan<byte> name) =>
        name.IsEmpty ? name : name.Slice(1, name[0]);

    private static bool IsLabel(ReadOnlySpan<byte> label, ReadOnlySpan<byte> lowerCase)
    {
        if (label.Length != lowerCase.Length)
            return false;
        for (var i = 0; i < label.Length; i++)
        {
            if (Lower(label[i]) != lowerCase[i])
                return false;
        }
        return true;
    }

    /// <summary>The number behind a label's prefix; null if there is none in the bounds.</summary>
    private static int? NumberIn(
        ReadOnlySpan<byte> label, ReadOnlySpan<byte> prefix, int min, int max)
    {
        if (label.Length <= prefix.Length || label.Length > prefix.Length + 6
            || !IsLabel(label[..prefix.Length], prefix))
            return null;
        var number = 0;
        foreach (var digit in label[prefix.Length..])
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return null;
            number = number * 10 + digit - '0';
        }
        return number >= min && number <= max ? number : null;
    }

    private static uint AddressOf(ReadOnlySpan<byte> wireName)
    {
        Span<byte> text = stackalloc byte[255];
        var hash = 2_166_136_261u;
        foreach (var letter in text[..WriteText(wireName, text)])
            hash = (hash ^ Lower(letter)) * 16_777_619u;
        return 10u << 24 | hash & 0xFF_FFFF;
    }

    /// <summary>Writes the labels joined by dots, 253 bytes at most; returns how many.</summary>
    private static int WriteText(ReadOnlySpan<byte> wireName, Span<byte> text)
    {
        var length = 0;
        for (var at = 0; wireName[at] != 0; at += 1 + wireName[at])
        {
            if (at > 0)
                text[length++] = (byte)'.';
            var label = wireName.Slice(at + 1, wireName[at]);
            label.CopyTo(text[length..]);
            length += label.Length;
        }
        return length;
    }

    private static byte Lower(byte letter) =>
        letter is >= (byte)'A' and <= (byte)'Z' ? (byte)(letter + 32) : letter;
}
