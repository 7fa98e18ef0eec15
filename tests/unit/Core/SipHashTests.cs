// SipHash: the published vectors of SipHash-2-4, whose key and messages are 00, 01, 02, …

using System;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class SipHashTests
{
    private const ulong Key0 = 0x0706050403020100;
    private const ulong Key1 = 0x0f0e0d0c0b0a0908;

    [Theory]
    [InlineData(0, 0x726fdb47dd0e0e31)]
    [InlineData(1, 0x74f839c593dc67fd)]
    [InlineData(15, 0xa129ca6149be45e5)]
    public void PublishedVector_IsItsHash(int length, ulong expected)
    {
        var hash = new SipHash(Key0, Key1);
        for (var n = 0; n < length; n++)
            hash.Add((byte)n);

        Assert.Equal(expected, hash.Finish());
    }

    /// <summary>Whatever came before, and however many bytes come together.</summary>
    [Fact]
    public void BytesAddedTogether_AreHashedAsOneByOne()
    {
        var bytes = new byte[300];
        new Random(1).NextBytes(bytes);
        for (var before = 0; before < 17; before++)
        {
            for (var together = 0; together < 40; together++)
            {
                foreach (var folds in new[] { false, true })
                {
                    var one = new SipHash(Key0, Key1);
                    var other = new SipHash(Key0, Key1);
                    for (var n = 0; n < before + together + 3; n++)
                    {
                        var isFolded = folds && n >= before && n < before + together;
                        one.Add(isFolded ? DnsQuestion.Fold(bytes[n]) : bytes[n]);
                    }
                    foreach (var value in bytes.AsSpan(0, before))
                        other.Add(value);
                    if (folds)
                        other.AddFolded(bytes.AsSpan(before, together));
                    else
                        other.Add(bytes.AsSpan(before, together));
                    foreach (var value in bytes.AsSpan(before + together, 3))
                        other.Add(value);
                    Assert.Equal(one.Finish(), other.Finish());
                }
            }
        }
    }

    [Fact]
    public void EightBytes_AreFoldedAsEach()
    {
        for (var n = 0; n < 256; n++)
        {
            for (var at = 0; at < 8; at++)
            {
                ulong bytes = 0x80_5b_5a_41_40_ff_7a_61;
                bytes = (bytes & ~(0xfful << (8 * at))) | ((ulong)n << (8 * at));
                ulong expected = 0;
                for (var i = 0; i < 64; i += 8)
                    expected |= (ulong)DnsQuestion.Fold((byte)(bytes >> i)) << i;
                Assert.Equal(expected, DnsQuestion.Fold(bytes));
            }
        }
    }
}
