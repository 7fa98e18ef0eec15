// Owns what makes two queries the same, in two ways, for whoever answers them.
//
// Their fingerprint is the same if a server would treat them alike: the question's type and its
// name, as node-mname reads that, which is in any case, without the highest bit of each byte and
// with a dot between labels; RD; of EDNS the size's class, DO, and whether there are options that
// are in common use, or others; whether it is signed; and whether there are bytes behind it all,
// whatever they are. Binder does not look at the class. This is what is refused (Quarantine).
//
// That is so of queries as clients make them: opcode QUERY, no flag but RD, AD and CD, one question
// whose name has no pointer, EDNS of version 0 and 512 bytes at least, a signature (TSIG), and with
// IXFR the zone's SOA. Every other message is odd. Whoever makes a deadly one can change all of it
// as often as it likes, and hardly anybody else sends any, so all odd ones are one query: but those
// whose question cannot be read, and those whose question has a pointer, which are one each.
//
// Their form is the same if hardly anything differs that a server may read: the name as it is
// written, all flags and counts, each record's name, type and class, the exact size of EDNS, which
// options it has, and bytes that are no record. The id is left out, and what is in a record or an
// option: a client that asks again, or signs again, changes those. This is what an answer clears:
// a server that dies of a name may well answer it in other case.
//
// Of a long message perhaps only the first bytes are there. What ends a server may lie behind them,
// under another name each time, so such a message is odd. Its form is that of its first bytes.
//
// What counts is hashed with a key, so that nobody can make a query that has the fingerprint of
// somebody else's, and have that refused.
//
// What always holds: whatever the bytes are, it reads no further than their end; queries of one
// form have one fingerprint; what is hashed of two that are not the same is not the same.

using System;
using System.Buffers.Binary;

namespace Balancer.Core;

/// <summary>Reduces a query to 64 bits.</summary>
internal ref struct Fingerprint
{
    private const int AuthorityType = 6;
    private const int OptionsType = 41;
    private const int SignatureType = 250;
    private const int IncrementalTransferType = 251;

    /// <summary>The smallest size of EDNS that means what it says.</summary>
    private const ushort SmallestSize = 512;

    /// <summary>Of a record behind its name: type, class, TTL and the length of its data.</summary>
    private const int RecordHeaderBytes = 10;

    /// <summary>Of an SOA record behind its names: serial, refresh, retry, expire, TTL.</summary>
    private const int AuthorityNumbersBytes = 20;

    /// <summary>Of a signature behind its algorithm: time and fudge (RFC 8945, 4.2).</summary>
    private const int SignatureTimeBytes = 8;

    /// <summary>Behind the MAC: the original id and an error's code.</summary>
    private const int SignatureTailBytes = 4;

    /// <summary>Of an option: its code and the length of its data.</summary>
    private const int OptionHeaderBytes = 4;

    /// <summary>Bytes of the type and the class behind a question's name.</summary>
    private const int QuestionTailBytes = 4;

    private const int TypeBytes = 2;

    /// <summary>Bytes of a name at most, its end included (RFC 1035, 2.3.4).</summary>
    private const int LongestName = 255;

    private readonly ReadOnlySpan<byte> _query;
    private readonly bool _isCut;

    /// <summary>The form is asked for.</summary>
    private readonly bool _isForm;

    private SipHash _hash;
    private Marks _marks;
    private ushort _size;

    /// <summary>Bytes up to the end of the question.</summary>
    private int _questionEnd;

    /// <summary>Records that were read.</summary>
    private int _records;

    /// <summary>What the bytes of a message, or of its tail, are hashed as.</summary>
    private enum Kind : byte
    {
        NoQuestion,
        Question,
        PointedQuestion,
        OddQuestion,
        Record,
        OddRecord,
        Options,
        OddOptions,
        Option,
        OtherTail,
    }

    /// <summary>What a query has beside its question.</summary>
    [Flags]
    private enum Marks : ushort
    {
        None = 0,

        /// <summary>Something that clients do not send.</summary>
        Odd = 1,
        Options = 1 << 1,
        CommonOption = 1 << 2,
        OtherOption = 1 << 3,
        DnssecOk = 1 << 4,
        Signature = 1 << 5,

        /// <summary>Bytes behind everything.</summary>
        Tail = 1 << 6,
    }

    private Fingerprint(ReadOnlySpan<byte> query, ulong key, bool isCut, bool isForm)
    {
        _query = query;
        _isCut = isCut;
        _isForm = isForm;
        _hash = new SipHash(key, ~key);
    }

    /// <summary>
    /// The fingerprint of a query of any content, or of its first bytes if it is cut.
    /// </summary>
    public static ulong Of(ReadOnlySpan<byte> query, ulong key, bool isCut = false) =>
        Read(new Fingerprint(query, key, isCut, isForm: false));

    /// <summary>The form of a query of any content, or of its first bytes if it is cut.</summary>
    public static ulong FormOf(ReadOnlySpan<byte> query, ulong key, bool isCut = false) =>
        Read(new Fingerprint(query, key, isCut, isForm: true));

    private static ulong Read(Fingerprint fingerprint)
    {
        fingerprint.Read();
        return fingerprint._hash.Finish();
    }

    private void Read()
    {
        if (_isForm)
            _hash.Add((byte)(_isCut ? 1 : 0));
        if (_query.Length < DnsQuestion.HeaderBytes)
        {
            AddRest(Kind.NoQuestion, 2);
            return;
        }
        if (_isForm)
            _hash.Add(_query[2..DnsQuestion.HeaderBytes]);
        var question = FindQuestion(out _questionEnd);
        if (_isForm)
            AddQuestion(question);
        ReadHeader();
        var tail = _questionEnd;
        while (_records < AllRecords && TryAddRecord(ref tail))
            _records++;
        Mark(_isCut || _records < AllRecords, Marks.Odd);
        var hasTail = tail < _query.Length && !_isCut;
        Mark(hasTail, Marks.Tail);
        if (_isForm)
        {
            if (hasTail)
                AddRest(Kind.OtherTail, tail);
            return;
        }
        var isOdd = (_marks & Marks.Odd) != 0;
        if (question != Kind.Question || isOdd)
        {
            _hash.Add((byte)(question == Kind.Question ? Kind.OddQuestion : question));
            return;
        }
        AddQuestion(question);
        _hash.Add((byte)(_query[2] & 1)); // RD
        Add((ushort)_marks);
        Add(_size);
    }

    private int Answers => Count(6);

    private int Authorities => Count(8);

    private int AllRecords => Answers + Authorities + Count(10);

    private int Count(int at) => BinaryPrimitives.ReadUInt16BigEndian(_query[at..]);

    private void ReadHeader()
    {
        var hasOtherFlags = (_query[2] & 0xfe) != 0 || (_query[3] & 0xcf) != 0;
        Mark(hasOtherFlags || Count(4) != 1 || Answers > 0, Marks.Odd);
        Mark(Authorities > 0 && !IsIncrementalTransfer, Marks.Odd);
    }

    private bool IsIncrementalTransfer => Authorities == 1
        && BinaryPrimitives.ReadUInt16BigEndian(_query[(_questionEnd - QuestionTailBytes)..])
            == IncrementalTransferType;

    private void Mark(bool isSet, Marks mark) => _marks |= isSet ? mark : Marks.None;

    /// <summary>What its question is; where that ends, or the message if it has none.</summary>
    private Kind FindQuestion(out int end)
    {
        var length = DnsQuestion.LengthOf(_query);
        end = DnsQuestion.HeaderBytes + length;
        if (length > 0)
            return Kind.Question;
        var name = NameBytes(_query[DnsQuestion.HeaderBytes..]);
        end = DnsQuestion.HeaderBytes + name + QuestionTailBytes;
        if ((_query[4] | _query[5]) != 0 && name > 0 && end <= _query.Length)
            return Kind.PointedQuestion;
        end = _query.Length;
        return Kind.NoQuestion;
    }

    private void AddQuestion(Kind kind)
    {
        if (kind == Kind.NoQuestion)
        {
            AddRest(kind, DnsQuestion.HeaderBytes);
            return;
        }
        _hash.Add((byte)kind);
        var question = _query[DnsQuestion.HeaderBytes.._questionEnd];
        if (kind == Kind.Question)
        {
            var name = question[..^QuestionTailBytes];
            if (_isForm)
                _hash.Add(name);
            else
                AddNameAsRead(name);
            _hash.Add(question.Slice(name.Length, _isForm ? QuestionTailBytes : TypeBytes));
        }
        else if (_isForm)
        {
            _hash.Add(question);
        }
    }

    /// <summary>
    /// node-mname takes the labels for ASCII, which is 7 bits, and puts a dot between them: so each
    /// letter can be written in four ways, and a dot splits a label.
    /// </summary>
    private void AddNameAsRead(ReadOnlySpan<byte> name)
    {
        Span<byte> read = stackalloc byte[LongestName];
        read = read[..name.Length];
        for (var at = 0; at < name.Length; at++)
            read[at] = (byte)(name[at] & 0x7f);
        for (var label = 0; name[label] != 0; label += 1 + name[label])
            read[label] = (byte)'.';
        _hash.Add((byte)name.Length);
        _hash.AddFolded(read);
    }

    /// <summary>Adds a record that is whole, and moves behind it; false if none is there.</summary>
    private bool TryAddRecord(ref int at)
    {
        var rest = _query[at..];
        var name = NameBytes(rest);
        if (name == 0 || rest.Length < name + RecordHeaderBytes)
            return false;
        var header = rest.Slice(name, RecordHeaderBytes);
        int length = BinaryPrimitives.ReadUInt16BigEndian(header[8..]);
        if (rest.Length < name + RecordHeaderBytes + length)
        {
            if (!_isCut)
                return false;
            length = rest.Length - name - RecordHeaderBytes;
        }
        var data = rest.Slice(name + RecordHeaderBytes, length);
        var type = BinaryPrimitives.ReadUInt16BigEndian(header);
        if (type == OptionsType)
        {
            Mark(name > 1 || IsBeforeAdditional || (_marks & Marks.Options) != 0, Marks.Odd);
            AddOptions(rest[..name], header, data);
        }
        else
        {
            var mark = type switch
            {
                SignatureType when IsLast && IsSignature(rest[..name], data) => Marks.Signature,
                AuthorityType when _records == 0 && IsAuthority(rest[..name], data) => Marks.None,
                _ => Marks.Odd,
            };
            _marks |= mark;
            if (_isForm)
            {
                _hash.Add((byte)(mark == Marks.Odd ? Kind.OddRecord : Kind.Record));
                _hash.Add(rest[..name]);
                _hash.Add(header[..4]);
            }
        }
        at += name + RecordHeaderBytes + length;
        return true;
    }

    /// <summary>The record that is read is not in the section of additional ones.</summary>
    private bool IsBeforeAdditional => _records < Answers + Authorities;

    /// <summary>The record that is read is the last, and additional.</summary>
    private bool IsLast => !IsBeforeAdditional && _records == AllRecords - 1;

    /// <summary>Whether a record is a TSIG that can be read to its end.</summary>
    private static bool IsSignature(ReadOnlySpan<byte> owner, ReadOnlySpan<byte> data)
    {
        if (EndsInPointer(owner))
            return false;
        var algorithm = NameBytes(data);
        return algorithm > 0 && !EndsInPointer(data[..algorithm])
            && TrySkip(ref data, algorithm + SignatureTimeBytes) && TrySkipCounted(ref data)
            && TrySkip(ref data, SignatureTailBytes) && TrySkipCounted(ref data)
            && data.IsEmpty;
    }

    /// <summary>Whether a record is an SOA that says no more than that.</summary>
    private bool IsAuthority(ReadOnlySpan<byte> owner, ReadOnlySpan<byte> data) =>
        IsIncrementalTransfer && EndsWell(owner) && TrySkipName(ref data)
            && TrySkipName(ref data) && data.Length == AuthorityNumbersBytes;

    private bool TrySkipName(ref ReadOnlySpan<byte> data)
    {
        var name = NameBytes(data);
        return name > 0 && EndsWell(data[..name]) && TrySkip(ref data, name);
    }

    /// <summary>
    /// Whether a name ends by itself, or leads to the question's at one of its labels; that has no
    /// pointer, so it ends there.
    /// </summary>
    private bool EndsWell(ReadOnlySpan<byte> name)
    {
        if (!EndsInPointer(name))
            return true;
        var target = BinaryPrimitives.ReadUInt16BigEndian(name[^2..]) & 0x3fff;
        var label = DnsQuestion.HeaderBytes;
        var end = _questionEnd - QuestionTailBytes;
        while (label < Math.Min(target, end))
            label += 1 + _query[label];
        return label == target && label < end;
    }

    private static bool EndsInPointer(ReadOnlySpan<byte> name)
    {
        var at = 0;
        while (name[at] is > 0 and < 0xc0)
            at += 1 + name[at];
        return name[at] >= 0xc0;
    }

    private static bool TrySkip(ref ReadOnlySpan<byte> data, int bytes)
    {
        if (data.Length < bytes)
            return false;
        data = data[bytes..];
        return true;
    }

    /// <summary>Skips a length of two bytes, and as many bytes.</summary>
    private static bool TrySkipCounted(ref ReadOnlySpan<byte> data) => data.Length >= 2
        && TrySkip(ref data, 2 + BinaryPrimitives.ReadUInt16BigEndian(data));

    /// <summary>Bytes of a name, which may end in a pointer; 0 if it is not whole.</summary>
    private static int NameBytes(ReadOnlySpan<byte> bytes)
    {
        for (var at = 0; at < bytes.Length && at < LongestName; at += 1 + bytes[at])
        {
            if (bytes[at] == 0)
                return at + 1;
            if (bytes[at] >= 0xc0)
                return at + 2 <= bytes.Length ? at + 2 : 0;
            if (bytes[at] > 63)
                return 0;
        }
        return 0;
    }

    private void AddOptions(
        ReadOnlySpan<byte> name, ReadOnlySpan<byte> header, ReadOnlySpan<byte> options)
    {
        int size = BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
        var isWhole = _isCut || AreWhole(options);
        Mark(!isWhole || size < SmallestSize || header[5] != 0, Marks.Odd);
        _marks |= Marks.Options;
        Mark((header[6] & 0x80) != 0, Marks.DnssecOk);
        _size = Alike(size);
        if (_isForm)
        {
            _hash.Add((byte)(isWhole ? Kind.Options : Kind.OddOptions));
            _hash.Add(name);
            _hash.Add(header[2..8]);
        }
        while (options.Length >= OptionHeaderBytes)
        {
            var code = BinaryPrimitives.ReadUInt16BigEndian(options);
            _marks |= IsCommon(code) ? Marks.CommonOption : Marks.OtherOption;
            if (_isForm)
            {
                _hash.Add((byte)Kind.Option);
                Add(code);
            }
            options = options[Math.Min(options.Length, BytesOfOption(options))..];
        }
    }

    private static bool AreWhole(ReadOnlySpan<byte> options)
    {
        while (options.Length >= OptionHeaderBytes)
        {
            var length = BytesOfOption(options);
            if (length > options.Length)
                return false;
            options = options[length..];
        }
        return options.Length == 0;
    }

    private static int BytesOfOption(ReadOnlySpan<byte> options) =>
        OptionHeaderBytes + BinaryPrimitives.ReadUInt16BigEndian(options[2..]);

    /// <summary>
    /// Those that resolvers and stubs send: NSID, client subnet, cookie, keep-alive, padding.
    /// </summary>
    private static bool IsCommon(ushort code) => code is 3 or 8 or 10 or 11 or 12;

    /// <summary>
    /// Sizes that a server treats alike are one. Those below 512 are odd: they mean 512 (RFC 6891,
    /// 6.2.3), and a server that takes them as they are may die of one with any name.
    /// </summary>
    private static ushort Alike(int bytes) => bytes switch
    {
        <= SmallestSize => SmallestSize,
        <= 1232 => 1232,
        <= 4096 => 4096,
        _ => ushort.MaxValue,
    };

    private void Add(ushort value)
    {
        _hash.Add((byte)(value >> 8));
        _hash.Add((byte)value);
    }

    /// <summary>
    /// Of the form, the length tells the shortest messages apart, which have nothing else.
    /// </summary>
    private void AddRest(Kind kind, int from)
    {
        _hash.Add((byte)kind);
        if (!_isForm)
            return;
        Add((ushort)_query.Length);
        _hash.Add(_query[Math.Min(from, _query.Length)..]);
    }
}
