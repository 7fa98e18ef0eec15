// Owns what makes two queries the same for whoever answers them: the question in any case, the
// flags, the counts, and of each record behind it its name, type and class; of EDNS the size (above
// 512 bytes only its class), the version, the flags and which options there are. The id and what is
// in a record or an option are left out: a client that asks again, or signs again, changes those.
//
// Of a long message perhaps only the first bytes are there. What is cut counts as if the rest were
// there and nothing behind it, so a message that is padded to any length counts as one.
//
// What counts is hashed with a key, so that nobody can make a query that has the fingerprint of
// somebody else's, and have that refused (Quarantine).
//
// What always holds: whatever the bytes are, it reads no further than their end; a message whose
// question or tail it cannot read counts byte by byte, without its id; what is hashed of two
// queries that are not the same is not the same.

using System;
using System.Buffers.Binary;

namespace Balancer.Core;

/// <summary>Reduces a query to 64 bits.</summary>
internal ref struct Fingerprint
{
    private const int OptionsType = 41;

    /// <summary>Of a record behind its name: type, class, TTL and the length of its data.</summary>
    private const int RecordHeaderBytes = 10;

    /// <summary>Of an option: its code and the length of its data.</summary>
    private const int OptionHeaderBytes = 4;

    /// <summary>Bytes of a name at most, its end included (RFC 1035, 2.3.4).</summary>
    private const int LongestName = 255;

    private readonly ReadOnlySpan<byte> _query;
    private readonly bool _isCut;
    private SipHash _hash;

    /// <summary>What the bytes of a message, or of its tail, are hashed as.</summary>
    private enum Kind : byte
    {
        NoQuestion,
        Question,
        Record,
        Options,
        Option,
        OtherTail,
    }

    private Fingerprint(ReadOnlySpan<byte> query, ulong key, bool isCut)
    {
        _query = query;
        _isCut = isCut;
        _hash = new SipHash(key, ~key);
    }

    /// <summary>
    /// The fingerprint of a query of any content, or of its first bytes if it is cut.
    /// </summary>
    public static ulong Of(ReadOnlySpan<byte> query, ulong key, bool isCut = false)
    {
        var fingerprint = new Fingerprint(query, key, isCut);
        fingerprint.Read();
        return fingerprint._hash.Finish();
    }

    private void Read()
    {
        var question = DnsQuestion.LengthOf(_query);
        if (question == 0)
        {
            AddRest(Kind.NoQuestion, 2);
            return;
        }
        _hash.Add((byte)Kind.Question);
        _hash.Add(_query[2..DnsQuestion.HeaderBytes]);
        var tail = DnsQuestion.HeaderBytes + question;
        _hash.AddFolded(_query[DnsQuestion.HeaderBytes..(tail - 4)]);
        _hash.Add(_query[(tail - 4)..tail]);
        while (tail < _query.Length && TryAddRecord(ref tail))
        {
        }
        if (tail < _query.Length && !_isCut)
            AddRest(Kind.OtherTail, tail);
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
        if (name == 1 && BinaryPrimitives.ReadUInt16BigEndian(header) == OptionsType)
        {
            if (!TryAddOptions(header, data))
                return false;
        }
        else
        {
            _hash.Add((byte)Kind.Record);
            _hash.AddFolded(rest[..name]);
            _hash.Add(header[..4]);
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

    private bool TryAddOptions(ReadOnlySpan<byte> header, ReadOnlySpan<byte> codes)
    {
        if (!_isCut && !AreWhole(codes))
            return false;
        _hash.Add((byte)Kind.Options);
        AddSize(BinaryPrimitives.ReadUInt16BigEndian(header[2..]));
        for (var i = 4; i < 8; i++)
            _hash.Add(header[i]);
        while (codes.Length >= OptionHeaderBytes)
        {
            _hash.Add((byte)Kind.Option);
            _hash.Add(codes[0]);
            _hash.Add(codes[1]);
            codes = codes[Math.Min(codes.Length, BytesOfOption(codes))..];
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
    /// Sizes that a server treats alike are one; below 512, which no server need offer and few
    /// clients do, each is for itself: what one does not hold, another may.
    /// </summary>
    private void AddSize(int bytes)
    {
        var alike = bytes switch
        {
            < DnsQuestion.HeaderBytes => 0,
            <= 512 => bytes,
            <= 1232 => 1232,
            <= 4096 => 4096,
            _ => ushort.MaxValue,
        };
        _hash.Add((byte)(alike >> 8));
        _hash.Add((byte)alike);
    }

    /// <summary>The length tells the shortest messages apart, which have nothing else.</summary>
    private void AddRest(Kind kind, int from)
    {
        _hash.Add((byte)kind);
        _hash.Add((byte)(_query.Length >> 8));
        _hash.Add((byte)_query.Length);
        _hash.Add(_query[Math.Min(from, _query.Length)..]);
    }
}
