// Owns what makes two queries the same for whoever answers them: the question in any case, the
// flags, the counts, and of EDNS the size class, the version, the flags and which options there
// are. The id, the exact size and what is in an option are left out: a client that asks again
// changes those.
//
// What always holds: whatever the bytes are, it reads no further than their end; a message whose
// question or tail it cannot read counts byte by byte, without its id.

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
    private ulong _hash = 14_695_981_039_346_656_037; // FNV-1a, 64 bits

    private Fingerprint(ReadOnlySpan<byte> query) => _query = query;

    /// <summary>The fingerprint of a query of any content; never 0.</summary>
    public static ulong Of(ReadOnlySpan<byte> query)
    {
        var fingerprint = new Fingerprint(query);
        fingerprint.Read();
        return fingerprint._hash == 0 ? 1 : fingerprint._hash;
    }

    private void Read()
    {
        var question = DnsQuestion.LengthOf(_query);
        if (question == 0)
        {
            AddRest(2);
            return;
        }
        for (var i = 2; i < HeaderBytes; i++)
            Add(_query[i]);
        var tail = HeaderBytes + question;
        for (var i = HeaderBytes; i < tail; i++)
            Add(i < tail - 4 ? DnsQuestion.Fold(_query[i]) : _query[i]);
        if (!TryAddOptions(tail))
            AddRest(tail);
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
        Add(SizeClass(BinaryPrimitives.ReadUInt16BigEndian(rest[3..])));
        for (var i = 5; i < 9; i++)
            Add(rest[i]);
        while (codes.Length > 0)
        {
            Add(codes[0]);
            Add(codes[1]);
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

    /// <summary>Sizes that a server treats alike: no room for a header, less than 512, …</summary>
    private static uint SizeClass(int bytes) => bytes switch
    {
        < HeaderBytes => 0,
        < 512 => 1,
        512 => 2,
        <= 1232 => 3,
        <= 4096 => 4,
        _ => 5,
    };

    private void AddRest(int from)
    {
        for (var i = from; i < _query.Length; i++)
            Add(_query[i]);
        Add((uint)_query.Length);
    }

    private void Add(uint value) => _hash = (_hash ^ value) * 1_099_511_628_211;
}
