// Fingerprint: which queries are the same for whoever answers them, and which have the same form,
// whatever the bytes are.

using System;
using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class FingerprintTests
{
    /// <summary>WWW.example A IN, id 7, with one OPT record of 1232 bytes and a cookie.</summary>
    private static readonly byte[] Query =
    [
        0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1,
        3, .. "WWW"u8, 7, .. "example"u8, 0, 0, 1, 0, 1,
        0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8,
    ];

    private const int SizeAt = 12 + 13 + 4 + 3;

    [Theory]
    [InlineData(1, 9)] // the id
    [InlineData(44, 99)] // what is in an option
    public void WhatAClientChangesWhenItAsksAgain_DoesNotMatter(int at, byte value)
    {
        Assert.Equal(Of(Query), Of(With((at, value))));
        Assert.Equal(FormOf(Query), FormOf(With((at, value))));
    }

    [Theory]
    [InlineData(3, 0x30)] // AD and CD
    [InlineData(13, (byte)'w')] // the case
    [InlineData(13, 0x80 | (byte)'w')] // a bit that ASCII does not have
    [InlineData(12 + 13 + 3, 3)] // the class
    [InlineData(SizeAt + 1, 207)] // the exact size
    [InlineData(SizeAt + 2, 1)] // the upper half of an error's code
    [InlineData(SizeAt + 5, 1)] // a flag that has no name
    [InlineData(SizeAt + 9, 3)] // another option in common use
    public void WhatHardlyAnyServerReads_MattersForTheFormOnly(int at, byte value)
    {
        Assert.Equal(Of(Query), Of(With((at, value))));
        Assert.NotEqual(FormOf(Query), FormOf(With((at, value))));
    }

    [Theory]
    [InlineData(2, 0)] // RD
    [InlineData(13, (byte)'x')] // the name
    [InlineData(12 + 13 + 1, 28)] // the type
    [InlineData(SizeAt, 2)] // the size's class: 720
    [InlineData(SizeAt + 4, 0x80)] // DO
    [InlineData(SizeAt + 9, 26)] // an option that hardly anybody sends
    [InlineData(11, 0)] // nothing more, so it has bytes behind it
    public void WhatAServerTreatsInAnotherWay_MattersForBoth(int at, byte value)
    {
        var query = With((SizeAt, 8)); // 2256
        var other = With((SizeAt, 8), (at, value));

        Assert.NotEqual(Of(query), Of(other));
        Assert.NotEqual(FormOf(query), FormOf(other));
        Assert.NotEqual(Of(Odd), Of(other));
    }

    /// <summary>Each may be deadly, and whoever makes one can change the rest each time.</summary>
    [Theory]
    [InlineData(2, 0x11)] // the opcode
    [InlineData(2, 3)] // TC
    [InlineData(2, 5)] // AA
    [InlineData(3, 1)] // an error's code
    [InlineData(3, 0x40)] // Z
    [InlineData(5, 2)] // two questions
    [InlineData(7, 1)] // an answer: the record is one
    [InlineData(9, 1)] // the record is in the section of authorities
    [InlineData(11, 2)] // two more, and there is one
    [InlineData(SizeAt, 0)] // a size of 208
    [InlineData(SizeAt + 3, 1)] // the version
    [InlineData(SizeAt + 7, 11)] // the record ends within an option
    [InlineData(SizeAt + 11, 9)] // an option is longer than its record
    public void WhatNoClientSends_IsOneQueryWhateverItAsks(int at, byte value)
    {
        byte[] query = [.. Query, 0];
        query[at] = value;
        var odd = query[..^1];
        var other = odd.ToArray();
        (other[2], other[13], other[12 + 13 + 1]) = ((byte)(other[2] ^ 1), (byte)'x', 28);

        Assert.Equal(Of(Odd), Of(odd));
        Assert.Equal(Of(odd), Of(other));
        Assert.NotEqual(Of(Query), Of(odd));
        Assert.NotEqual(FormOf(Query), FormOf(odd));
        Assert.NotEqual(FormOf(odd), FormOf(other));
    }

    [Theory]
    [InlineData(0, 511, true)]
    [InlineData(12, 63, true)]
    [InlineData(513, 1232, true)]
    [InlineData(1233, 4096, true)]
    [InlineData(4097, 65535, true)]
    [InlineData(511, 512, false)]
    [InlineData(512, 512, true)]
    [InlineData(512, 513, false)]
    [InlineData(1232, 1233, false)]
    [InlineData(4096, 4097, false)]
    public void SizesOfOneClass_AreAlike(int one, int other, bool areAlike) =>
        Assert.Equal(areAlike, Of(Sized(one)) == Of(Sized(other)));

    public static TheoryData<string, byte[]> OddRecords() => new()
    {
        { "another type", [1, (byte)'l', 0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 1, 1] },
        { "a second EDNS record", [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] },
        { "EDNS with a name", [1, (byte)'x', 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] },
        { "EDNS whose name is a pointer", [0xc0, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] },
        { "a signature that is cut", [1, (byte)'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 2, 0, 1] },
        { "a signature whose key is a pointer", Signed([0xc0, 12]) },
        { "a signature with more in it", [.. Signed([0])[..^2], 0, 1] },
    };

    /// <summary>A name that leads in circles hangs a server, a second size may end it.</summary>
    [Theory]
    [MemberData(nameof(OddRecords))]
    public void OtherRecords_AreOddWhateverIsAsked(string what, byte[] record)
    {
        byte[] odd = Counting(2, [.. Query, .. record]);
        byte[] first = Counting(2, [.. Query[..29], .. record, .. Query[29..]]);

        Assert.True(Of(Odd) == Of(odd), what);
        Assert.True(Of(Odd) == Of(first), what);
        Assert.NotEqual(FormOf(odd), FormOf(first));
    }

    [Fact]
    public void BytesBehindTheRecords_AreAlikeWhateverTheyAre()
    {
        Assert.Equal(Of([.. Query, 1, 2]), Of([.. Query, 7, 7, 7]));
        Assert.NotEqual(Of(Query), Of([.. Query, 1, 2]));
        Assert.NotEqual(Of(Odd), Of([.. Query, 1, 2]));
        Assert.NotEqual(FormOf([.. Query, 1, 2]), FormOf([.. Query, 7, 7, 7]));
    }

    /// <summary>A client that asks again signs again.</summary>
    [Fact]
    public void Signature_IsPartOfAQueryAndItsContentIsNot()
    {
        var signed = Counting(2, [.. Query, .. Signed([1, (byte)'k', 0])]);
        var again = signed.ToArray();
        again[^8] ^= 1;

        Assert.NotEqual(Of(Odd), Of(signed));
        Assert.NotEqual(Of(Query), Of(signed));
        Assert.Equal(Of(signed), Of(again));
        Assert.Equal(FormOf(signed), FormOf(again));
        Assert.NotEqual(FormOf(signed),
            FormOf(Counting(2, [.. Query, .. Signed([1, (byte)'l', 0])])));
    }

    /// <summary>A transfer's SOA may lead to the zone's name, and to nothing else.</summary>
    [Theory]
    [InlineData(12, true)]
    [InlineData(16, true)]
    [InlineData(17, false)]
    [InlineData(0, false)]
    [InlineData(29, false)]
    public void ZoneOfATransfer_MayBeNamedByAPointer(byte target, bool isPlain)
    {
        byte[] transfer =
        [
            0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, .. Query[12..25], 0, 251, 0, 1,
            0xc0, target, 0, 6, 0, 1, 0, 0, 0, 0, 0, 26,
            1, (byte)'m', 0xc0, target, 0xc0, 12, .. new byte[20],
        ];
        byte[] asked = [.. transfer];
        asked[26] = 252;

        Assert.Equal(!isPlain, Of(Odd) == Of(transfer));
        Assert.Equal(Of(Odd), Of(asked));
        Assert.Equal(Of(Odd), Of([.. transfer[..^1]]));
    }

    /// <summary>What ends a server by such a size does so with any name and type.</summary>
    [Theory]
    [InlineData(0, true)]
    [InlineData(511, true)]
    [InlineData(512, false)]
    public void SizesThatNoClientOffers_AreAlikeWhateverTheQuestion(int size, bool areAlike)
    {
        byte[] other = [.. Sized(size)];
        other[13] = (byte)'x';
        byte[] type = [.. Sized(size)];
        type[12 + 13 + 1] = 28;

        Assert.Equal(areAlike, Of(Sized(size)) == Of(other));
        Assert.Equal(areAlike, Of(Sized(size)) == Of(type));
        Assert.NotEqual(FormOf(Sized(size)), FormOf(other));
    }

    /// <summary>No client makes one, and there are any number that lead to nowhere.</summary>
    [Fact]
    public void QuestionsWithPointers_AreAllAlike()
    {
        byte[] header = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        byte[] one = [.. header, 0xc0, 12, 0, 1, 0, 1];
        byte[] other = [.. header, 1, (byte)'a', 0xc0, 12, 0, 28, 0, 1];

        Assert.Equal(Of(one), Of(other));
        Assert.NotEqual(FormOf(one), FormOf(other));
        Assert.NotEqual(Of(one), Of(Query));
    }

    [Fact]
    public void MessagesWithoutAQuestion_AreAllAlike()
    {
        byte[] none = [0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        byte[] unreadable = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, 1];
        byte[] another = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8, 2, 2];

        Assert.Equal(Of(unreadable), Of(another));
        Assert.NotEqual(FormOf(unreadable), FormOf(another));
        Assert.Equal(Of(none), Of(unreadable));
        Assert.NotEqual(FormOf(none), FormOf(unreadable));
        Assert.Single(Enumerable.Range(0, 12).Select(length => Of(new byte[length])).Distinct());
        Assert.Equal(12, Enumerable.Range(0, 12)
            .Select(length => FormOf(new byte[length])).Distinct().Count());
    }

    [Fact]
    public void EveryCut_IsReadToItsEndAndIsAnotherForm()
    {
        var seen = Enumerable.Range(0, Query.Length + 1)
            .Select(length => FormOf(Query.AsSpan(0, length)));

        // The id is left out, so the first three are alike but for their length.
        Assert.Equal(Query.Length + 1, seen.Distinct().Count());
    }

    [Fact]
    public void AnyBytes_AreRead()
    {
        var random = new Random(5);
        var bytes = new byte[600];
        for (var n = 0; n < 20_000; n++)
        {
            random.NextBytes(bytes);
            var length = random.Next(bytes.Length);
            // Counts that promise something make more of it be read.
            (bytes[4], bytes[5], bytes[10], bytes[11]) = (0, 1, 0, 1);
            if (n % 2 == 0)
                bytes[12] = (byte)random.Next(64);
            Assert.Equal(Of(bytes.AsSpan(0, length)), Of(bytes.AsSpan(0, length)));
            Assert.Equal(FormOf(bytes.AsSpan(0, length)), FormOf(bytes.AsSpan(0, length)));
        }
    }

    /// <summary>
    /// node-mname puts dots between labels, and Binder looks at what is between dots.
    /// </summary>
    [Fact]
    public void DotInALabel_MakesNoOtherQuery()
    {
        byte[] labels = [.. Query];
        byte[] one = [.. Query];
        // WWW.example, of two labels and of one.
        one[12] = 11;
        one[16] = (byte)'.';

        Assert.Equal(Of(labels), Of(one));
        Assert.NotEqual(FormOf(labels), FormOf(one));
        labels[14] = (byte)'.';
        Assert.NotEqual(Of(one), Of(labels));
    }

    /// <summary>What ends a server may be in the part that is not read.</summary>
    [Fact]
    public void MessageThatIsCut_IsOddAndHasAFormOfItsOwn()
    {
        byte[] other = [.. Query];
        other[13] = (byte)'x';

        Assert.Equal(Of(Odd), Fingerprint.Of(Query, 5, isCut: true));
        Assert.Equal(Of(Odd), Fingerprint.Of(other, 5, isCut: true));
        Assert.NotEqual(
            Fingerprint.FormOf(Query, 5, isCut: true), Fingerprint.FormOf(other, 5, isCut: true));
        Assert.NotEqual(FormOf(Query), Fingerprint.FormOf(Query, 5, isCut: true));
    }

    [Fact]
    public void AnotherKey_MakesAnotherFingerprint()
    {
        Assert.NotEqual(Fingerprint.Of(Query, 1), Fingerprint.Of(Query, 2));
        Assert.NotEqual(Fingerprint.FormOf(Query, 1), Fingerprint.FormOf(Query, 2));
    }

    /// <summary>
    /// Of the same name, flags and counts: one has an OPT record with option 25, the other has its
    /// record cut, and behind it what is hashed of that option.
    /// </summary>
    [Fact]
    public void TailThatLooksLikeAnOptionsHash_IsAnother()
    {
        byte[] question = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, (byte)'w', 0, 0, 1, 0, 1];
        byte[] options = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 25, 0, 0];
        byte[] tail = [3, 0, 0, 0, 0, 0];

        Assert.NotEqual(Of([.. question, .. options]), Of([.. question, .. tail]));
        Assert.NotEqual(FormOf([.. question, .. options]), FormOf([.. question, .. tail]));
    }

    private static ulong Of(ReadOnlySpan<byte> query) => Fingerprint.Of(query, 5);

    private static ulong FormOf(ReadOnlySpan<byte> query) => Fingerprint.FormOf(query, 5);

    /// <summary>Query with a flag that no client sets.</summary>
    private static byte[] Odd => With((3, 0x40));

    /// <summary>A TSIG record of a key; its MAC is 2 bytes.</summary>
    private static byte[] Signed(byte[] key) =>
    [
        .. key, 0, 250, 0, 255, 0, 0, 0, 0, 0, 21, 1, (byte)'h', 0,
        0, 0, 0, 0, 0, 1, 1, 44, 0, 2, 9, 9, 0, 7, 0, 0, 0, 0,
    ];

    private static byte[] Counting(byte additional, byte[] query)
    {
        query[11] = additional;
        return query;
    }

    private static byte[] Sized(int size) =>
        With((SizeAt, (byte)(size >> 8)), (SizeAt + 1, (byte)size));

    private static byte[] With(params (int At, byte Value)[] changes)
    {
        var changed = Query.ToArray();
        foreach (var (at, value) in changes)
            changed[at] = value;
        return changed;
    }
}
