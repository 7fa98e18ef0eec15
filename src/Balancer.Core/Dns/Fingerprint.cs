// Owns what makes two queries the same for whoever answers them: the question in any case, the
// flags, the counts, and of EDNS the size (above 512 bytes only its class), the version, the flags
// and which options there are. The id and what is in an option are left out: a client that asks
// again changes those.
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
    private const int HeaderBytes = 12;
    private const int OptionsType = 41;

    /// <summary>Of an OPT record: root name, type, class, TTL and the length of its data.</summary>
    private const int OptionsHeaderBytes = 11;

    private readonly ReadOnlySpan<byte> _query;
    private SipHash _hash;

    /// <summary>What the bytes of a message, or of its tail, are hashed as.</summary>
    private enum Kind : byte
    {
        NoQuestion,
        Question,
        Options,
        OtherTail,
    }

    private Fingerprint(ReadOnlySpan<byte> query, ulong key)
    {
        _query = query;
        _hash = new SipHash(key, ~key);
    }

    /// <summary>The fingerprint of a query of any content.</summary>
    public static ulong Of(ReadOnlySpan<byte> query, ulong key)
    {
        var fingerprint = new Fingerprint(query, key);
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
        for (var i = 2; i < HeaderBytes; i++)
            _hash.Add(_query[i]);
        var tail = HeaderBytes + question;
        for (var i = HeaderBytes; i < tail; i++)
            _hash.Add(i < tail - 4 ? DnsQuestion.Fold(_query[i]) : _query[i]);
        if (!TryAddOptions(tail))
            AddRest(Kind.OtherTail, tail);
    }

    /// <summary>The tail, if it is one OPT record and nothing else.</summary>
    private bool TryAddOptions(int at)
    {
        var rest = _query[at..];
        if (rest.Length < OptionsHeaderBytes || rest[0] != 0
            || BinaryPrimitives.ReadUInt16BigEndian(rest[1..]) != OptionsType
            || BinaryPrimitives.ReadUInt16BigEndian(rest[9..]) != rest.Length - OptionsHeaderBytes)
        {
            return false;
        }
        var codes = rest[OptionsHeaderBytes..];
        if (!AreWhole(codes))
            return false;
        _hash.Add((byte)Kind.Options);
        AddSize(BinaryPrimitives.ReadUInt16BigEndian(rest[3..]));
        for (var i = 5; i < 9; i++)
            _hash.Add(rest[i]);
        while (codes.Length > 0)
        {
            _hash.Add(codes[0]);
            _hash.Add(codes[1]);
            codes = codes[(4 + BinaryPrimitives.ReadUInt16BigEndian(codes[2..]))..];
        }
        return true;
    }

    private static bool AreWhole(ReadOnlySpan<byte> options)
    {
        while (options.Length >= 4)
        {
            var length = 4 + BinaryPrimitives.ReadUInt16BigEndian(options[2..]);
            if (length > options.Length)
                return false;
            options = options[length..];
        }
        return options.Length == 0;
    }

    /// <summary>
    /// Sizes that a server treats alike are one; below 512, which no server need offer and few
    /// clients do, each is for itself: what one does not hold, another may.
    /// </summary>
    private void AddSize(int bytes)
    {
        var alike = bytes switch
        {
            < HeaderBytes => 0,
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
        for (var i = from; i < _query.Length; i++)
            _hash.Add(_query[i]);
    }
}
