// The key of the hashes that decide about clients' bytes.

using System.Linq;
using Balancer.Linux;
using Xunit;

namespace Tests.Integration.Linux;

public sealed class RandomKeyTests
{
    /// <summary>Each bit is 0 in some and 1 in others, but for one run in 2^93.</summary>
    [Fact]
    public void Keys_AreOthersEachTimeInEveryBit()
    {
        var keys = Enumerable.Range(0, 100).Select(_ => RandomKey.Draw()).ToArray();

        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.Equal(ulong.MaxValue, keys.Aggregate((a, b) => a | b));
        Assert.Equal(0UL, keys.Aggregate((a, b) => a & b));
    }
}
