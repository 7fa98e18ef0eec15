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
}
