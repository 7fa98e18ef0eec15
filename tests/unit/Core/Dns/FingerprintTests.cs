// Fingerprint: which queries are the same for whoever answers them, whatever the bytes are.

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

    [Fact]
    public void IdCaseExactSizeAndWhatIsInAnOption_DoNotMatter()
    {
        Assert.Equal(Of(Query), Of(With((0, 9), (1, 1))));
        Assert.Equal(Of(Query), Of(With((13, (byte)'w'))));
        Assert.Equal(Of(Query), Of(With((SizeAt + 1, 207))));
        Assert.Equal(Of(Query), Of(With((Query.Length - 1, 99))));
    }

    [Fact]
    public void ShortestMessages_DifferByTheirLength() => Assert.Equal(
        12, Enumerable.Range(0, 12).Select(length => Of(new byte[length])).Distinct().Count());

    [Theory]
    [InlineData(2, 0)] // RD
    [InlineData(3, 16)] // CD
    [InlineData(13, (byte)'x')] // the name
    [InlineData(12 + 13 + 1, 28)] // the type
    [InlineData(12 + 13 + 3, 3)] // the class
    [InlineData(SizeAt, 0)] // the size class: 208
    [InlineData(SizeAt + 4, 0x80)] // DO
    [InlineData(SizeAt + 9, 3)] // which option
    public void WhatAServerTreatsInAnotherWay_Matters(int at, byte value) =>
        Assert.NotEqual(Of(Query), Of(With((at, value))));

    [Fact]
    public void SignatureBehindTheOptions_IsTheSameWhateverItsTimeAndMac()
    {
        byte[] signed = [.. Query, 1, (byte)'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4];
        signed[11] = 2;
        byte[] again = [.. signed];
        again[^1] = 9;
        byte[] otherKey = [.. signed];
        otherKey[Query.Length + 1] = (byte)'l';

        Assert.Equal(Of(signed), Of(again));
        Assert.NotEqual(Of(signed), Of(otherKey));
    }

    [Fact]
    public void EveryCut_IsReadToItsEndAndIsAnother()
    {
        var seen = Enumerable.Range(0, Query.Length + 1)
            .Select(length => Of(Query.AsSpan(0, length)));

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
        }
    }

    [Fact]
    public void AnotherKey_MakesAnotherFingerprint() =>
        Assert.NotEqual(Fingerprint.Of(Query, 1), Fingerprint.Of(Query, 2));

    /// <summary>
    /// Of the same name and flags: one has an OPT record with option 25, the other at its end what
    /// is hashed of that but for the last byte, and 25 bytes in all.
    /// </summary>
    [Fact]
    public void TailThatLooksLikeAnOptionsHash_IsAnother()
    {
        byte[] question = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, (byte)'w', 0, 0, 1, 0, 1];
        byte[] options = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 25, 0, 0];
        byte[] tail = [3, 0, 0, 0, 0, 0];

        Assert.NotEqual(Of([.. question, .. options]), Of([.. question, .. tail]));
    }

    private static ulong Of(ReadOnlySpan<byte> query) => Fingerprint.Of(query, 5);

    private static byte[] With(params (int At, byte Value)[] changes)
    {
        var changed = Query.ToArray();
        foreach (var (at, value) in changes)
            changed[at] = value;
        return changed;
    }
}
