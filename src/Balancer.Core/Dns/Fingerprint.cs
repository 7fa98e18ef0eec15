// Owns what makes two queries the same, in two ways, for whoever answers them.
//
// Their fingerprint is the same if a server would treat them alike: the question in any case,
// opcode and RD, whether any other flag is set but AD and CD, whether the counts are those of a
// plain query; of EDNS the size's class, the version, DO, and whether there are options that are in
// common use, or others; and whether there are other records, or bytes that are no record. What
// such records, options and bytes are is left out, and so is the question if its name has a pointer
// in it or the size of EDNS is below 512, which few clients make: whoever makes a deadly query may
// change all of these as often as it likes. This is what is refused (Quarantine).
//
// Their form is the same if hardly anything differs that a server may read: the name as it is
// written, all flags and counts, each record's name, type and class, the exact size of EDNS, which
// options it has, and bytes that are no record. The id is left out, and what is in a record or an
// option: a client that asks again, or signs again, changes those. This is what an answer clears:
// a server that dies of a name may well answer it in other case.
//
// Of a long message perhaps only the first bytes are there. What is cut counts as if the rest were
// there and nothing behind it, so a message that is padded to any length counts as one.
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
    private const int OptionsType = 41;

    /// <summary>The smallest size of EDNS that means what it says.</summary>
    private const ushort SmallestSize = 512;

    /// <summary>Of a record behind its name: type, class, TTL and the length of its data.</summary>
    private const int RecordHeaderBytes = 10;

    /// <summary>Of an option: its code and the length of its data.</summary>
    private const int OptionHeaderBytes = 4;

    /// <summary>Bytes of the type and the class behind a question's name.</summary>
    private const int QuestionTailBytes = 4;

    /// <summary>Bytes of a name at most, its end included (RFC 1035, 2.3.4).</summary>
    private const int LongestName = 255;

    private readonly ReadOnlySpan<byte> _query;
    private readonly bool _isCut;

    /// <summary>The form is asked for.</summary>
    private readonly bool _isForm;

    private SipHash _hash;
    private Marks _marks;
    private ushort _size;

    /// <summary>What the bytes of a message, or of its tail, are hashed as.</summary>
    private enum Kind : byte
    {
        NoQuestion,
        Question,
        PointedQuestion,
        AnyQuestion,
        Record,
        Options,
        Option,
        OtherTail,
    }

    /// <summary>What a query has beside its question, whatever that is.</summary>
    [Flags]
    private enum Marks : ushort
    {
        None = 0,
        OtherFlags = 1,
        OtherQuestionCount = 1 << 1,
        Answers = 1 << 2,
        Additional = 1 << 3,
        OtherRecord = 1 << 4,
        OtherTail = 1 << 5,
        Options = 1 << 6,
        CommonOption = 1 << 7,
        OtherOption = 1 << 8,
        OtherVersion = 1 << 9,
        DnssecOk = 1 << 10,
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
        if (_query.Length < DnsQuestion.HeaderBytes)
        {
            AddRest(Kind.NoQuestion, 2);
            return;
        }
        AddHeader();
        var question = FindQuestion(out var tail);
        var end = tail;
        if (_isForm)
            AddQuestion(question, end);
        while (tail < _query.Length && TryAddRecord(ref tail))
        {
        }
        if (tail < _query.Length && !_isCut)
        {
            _marks |= Marks.OtherTail;
            AddRest(Kind.OtherTail, tail);
        }
        if (_isForm)
            return;
        var isSmall = (_marks & Marks.Options) != 0 && _size < SmallestSize;
        AddQuestion(isSmall && question == Kind.Question ? Kind.AnyQuestion : question, end);
        Add((ushort)_marks);
        Add(_size);
    }

    private void AddHeader()
    {
        var header = _query[2..DnsQuestion.HeaderBytes];
        if (_isForm)
        {
            _hash.Add(header);
            return;
        }
        _hash.Add((byte)(header[0] & 0x79)); // opcode and RD
        Mark((header[0] & 0x86) != 0 || (header[1] & 0xcf) != 0, Marks.OtherFlags);
        Mark(BinaryPrimitives.ReadUInt16BigEndian(header[2..]) != 1, Marks.OtherQuestionCount);
        Mark(BinaryPrimitives.ReadUInt32BigEndian(header[4..]) != 0, Marks.Answers);
        Mark(BinaryPrimitives.ReadUInt16BigEndian(header[8..]) != 0, Marks.Additional);
    }

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

    private void AddQuestion(Kind kind, int end)
    {
        if (kind == Kind.NoQuestion)
        {
            AddRest(kind, DnsQuestion.HeaderBytes);
            return;
        }
        _hash.Add((byte)kind);
        var question = _query[DnsQuestion.HeaderBytes..end];
        if (kind == Kind.Question)
        {
            AddName(question[..^QuestionTailBytes]);
            _hash.Add(question[^QuestionTailBytes..]);
        }
        else if (_isForm)
        {
            _hash.Add(question);
        }
    }

    private void AddName(ReadOnlySpan<byte> name)
    {
        if (_isForm)
            _hash.Add(name);
        else
            _hash.AddFolded(name);
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
        // Binder takes the first for EDNS whatever its name is.
        if (BinaryPrimitives.ReadUInt16BigEndian(header) == OptionsType
            && (_marks & Marks.Options) == 0)
        {
            if (!TryAddOptions(rest[..name], header, data))
                return false;
        }
        else
        {
            _marks |= Marks.OtherRecord;
            if (_isForm)
            {
                _hash.Add((byte)Kind.Record);
                _hash.Add(rest[..name]);
                _hash.Add(header[..4]);
            }
        }
        at += name + RecordHeaderBytes + length;
        return true;
    }

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

    private bool TryAddOptions(
        ReadOnlySpan<byte> name, ReadOnlySpan<byte> header, ReadOnlySpan<byte> options)
    {
        if (!_isCut && !AreWhole(options))
            return false;
        _marks |= Marks.Options;
        Mark(header[5] != 0, Marks.OtherVersion);
        Mark((header[6] & 0x80) != 0, Marks.DnssecOk);
        _size = Alike(BinaryPrimitives.ReadUInt16BigEndian(header[2..]));
        if (_isForm)
        {
            _hash.Add((byte)Kind.Options);
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
        return true;
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
    /// Sizes that a server treats alike are one, and so are all below 512, which few clients offer:
    /// they mean 512 (RFC 6891, 6.2.3), and a server that takes them as they are may die of one
    /// with any name.
    /// </summary>
    private static ushort Alike(int bytes) => bytes switch
    {
        < SmallestSize => 0,
        SmallestSize => SmallestSize,
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
