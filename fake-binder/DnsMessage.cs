// Owns the DNS wire format as far as a server of made-up data needs it: reading a query's header,
// its one question and its EDNS record, and writing an answer's parts. RFC 1035 section 4, RFC
// 6891 section 6.
//
// What always holds: reading never throws and never looks beyond the message, whatever it holds,
// and takes time linear in its length. Integers are big-endian, as everywhere in DNS.

using System;
using System.Buffers.Binary;

namespace FakeBinder;

/// <summary>Record types that are answered differently from others.</summary>
public static class DnsType
{
    public const ushort A = 1;
    public const ushort Txt = 16;
    public const ushort Aaaa = 28;
    public const ushort Opt = 41;
}

/// <summary>Classes that there are data in.</summary>
public static class DnsClass
{
    public const ushort In = 1;
    public const ushort Chaos = 3;
}

/// <summary>The operations that a query may ask for; IQUERY (1) is obsolete.</summary>
public enum DnsOperation
{
    Query = 0,
    Status = 2,
    Notify = 4,
    Update = 5,
}

/// <summary>The answer's verdict; BadVersion needs EDNS for its upper bits.</summary>
public enum DnsRcode
{
    NoError = 0,
    ServerFailure = 2,
    NotImplemented = 4,
    Refused = 5,
    BadVersion = 16,
}

/// <summary>A message that could be read as one question of some operation.</summary>
public readonly ref struct DnsQuery
{
    /// <summary>Bytes before the question.</summary>
    public const int HeaderBytes = 12;

    /// <summary>The header's third and fourth byte: QR, opcode, flags, rcode.</summary>
    public ushort Flags { get; private init; }

    public ushort Id { get; private init; }

    /// <summary>The question's name on the wire, root label included.</summary>
    public ReadOnlySpan<byte> Name { get; private init; }

    /// <summary>Name, type and class as they came.</summary>
    public ReadOnlySpan<byte> Question { get; private init; }

    public ushort Type { get; private init; }

    public ushort Class { get; private init; }

    /// <summary>There is an OPT record.</summary>
    public bool HasEdns { get; private init; }

    /// <summary>The UDP payload that the client can take, as it said.</summary>
    public ushort EdnsPayload { get; private init; }

    public byte EdnsVersion { get; private init; }

    public bool IsResponse => (Flags & 0x8000) != 0;

    public DnsOperation Operation => (DnsOperation)((Flags >> 11) & 15);

    /// <summary>
    /// False for what node-mname gives up on too: fewer bytes than a header has, an operation
    /// that does not exist, another number of questions than one, a part that is cut or wrong.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> message, out DnsQuery query)
    {
        query = default;
        if (message.Length < HeaderBytes)
            return false;
        query = new DnsQuery { Id = Word(message, 0), Flags = Word(message, 2) };
        if (!Enum.IsDefined(query.Operation) || Word(message, 4) != 1)
            return false;
        // A name that comes first has nothing before it to point to, so the question's name is
        // read without compression.
        var at = SkipName(message, HeaderBytes, allowPointer: false);
        if (at < 0 || at + 4 > message.Length)
            return false;
        query = query with
        {
            Name = message[HeaderBytes..at],
            Question = message[HeaderBytes..(at + 4)],
            Type = Word(message, at),
            Class = Word(message, at + 2),
        };
        return TryReadRecords(message, at + 4, ref query);
    }

    private static bool TryReadRecords(ReadOnlySpan<byte> message, int at, ref DnsQuery query)
    {
        var before = Word(message, 6) + Word(message, 8);
        var all = before + Word(message, 10);
        for (var i = 0; i < all; i++)
        {
            var name = at;
            at = SkipName(message, at, allowPointer: true);
            if (at < 0 || at + 10 > message.Length)
                return false;
            var record = message[at..];
            at += 10 + Word(record, 8);
            if (at > message.Length)
                return false;
            if (i < before || Word(record, 0) != DnsType.Opt)
                continue;
            // RFC 6891: the OPT record's owner is the root, and there is one at most.
            if (message[name] != 0 || query.HasEdns)
                return false;
            query = query with
            {
                HasEdns = true,
                EdnsPayload = Word(record, 2),
                EdnsVersion = record[5],
            };
        }
        return true;
    }

    /// <summary>Where the name ends that begins here, or -1 if none does.</summary>
    private static int SkipName(ReadOnlySpan<byte> message, int at, bool allowPointer)
    {
        var start = at;
        while (at < message.Length)
        {
            int label = message[at];
            if (label == 0)
                return at + 1 - start <= 255 ? at + 1 : -1;
            if (label >= 0xC0)
                return allowPointer && at + 2 <= message.Length ? at + 2 : -1;
            if (label > 63)
                return -1;
            at += 1 + label;
        }
        return -1;
    }

    private static ushort Word(ReadOnlySpan<byte> bytes, int at) =>
        BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);
}

/// <summary>
/// Writes an answer from its header on; the buffer holds any message, 65,535 bytes.
/// </summary>
public ref struct DnsWriter(Span<byte> buffer)
{
    /// <summary>The largest DNS message there is.</summary>
    public const int MaxMessage = 65_535;

    /// <summary>
    /// Bytes of a record without its data, its name being a pointer to the question.
    /// </summary>
    public const int RecordBytes = 12;

    /// <summary>Bytes of an OPT record without options.</summary>
    public const int EdnsBytes = 11;

    /// <summary>The UDP payload that we say we can take.</summary>
    public const ushort OwnEdnsPayload = 1232;

    /// <summary>Seconds that every record may be cached.</summary>
    private const uint TimeToLive = 30;

    private const ushort Response = 0x8000;
    private const ushort Authoritative = 0x0400;
    private const ushort Truncated = 0x0200;

    // Opcode, RD and CD of the query stay as they are.
    private const ushort Echoed = 0x7910;

    private readonly Span<byte> _buffer = buffer;

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    /// <summary>Starts the answer: header and question.</summary>
    public void Begin(in DnsQuery query, DnsRcode rcode)
    {
        var flags = (query.Flags & Echoed) | Response | ((int)rcode & 15);
        if (rcode == DnsRcode.NoError)
            flags |= Authoritative;
        _buffer[..DnsQuery.HeaderBytes].Clear();
        Put(0, query.Id);
        Put(2, (ushort)flags);
        Put(4, 1);
        query.Question.CopyTo(_buffer[DnsQuery.HeaderBytes..]);
        Length = DnsQuery.HeaderBytes + query.Question.Length;
    }

    /// <summary>Says that the answer did not fit.</summary>
    public readonly void SetTruncated() => _buffer[2] |= Truncated >> 8;

    /// <summary>
    /// Starts a record of the question's name with that many bytes of data, and returns where
    /// the data go.
    /// </summary>
    public Span<byte> AddRecord(ushort type, ushort @class, int dataBytes)
    {
        Put(Length, 0xC000 | DnsQuery.HeaderBytes);
        Put(Length + 2, type);
        Put(Length + 4, @class);
        BinaryPrimitives.WriteUInt32BigEndian(_buffer[(Length + 6)..], TimeToLive);
        Put(Length + 10, (ushort)dataBytes);
        var data = _buffer.Slice(Length + RecordBytes, dataBytes);
        Length += RecordBytes + dataBytes;
        Put(6, (ushort)(BinaryPrimitives.ReadUInt16BigEndian(_buffer[6..]) + 1));
        return data;
    }

    /// <summary>Adds our OPT record, with the upper bits of the verdict.</summary>
    public void AddEdns(DnsRcode rcode)
    {
        var record = _buffer.Slice(Length, EdnsBytes);
        record.Clear();
        Put(Length + 1, DnsType.Opt);
        Put(Length + 3, OwnEdnsPayload);
        record[5] = (byte)((int)rcode >> 4);
        Length += EdnsBytes;
        Put(10, 1);
    }

    private readonly void Put(int at, ushort value) =>
        BinaryPrimitives.WriteUInt16BigEndian(_buffer[at..], value);
}
