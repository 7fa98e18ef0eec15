// DnsName: which texts are names, and the bytes that they become.

using System.Linq;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class DnsNameTests
{
    [Theory]
    [InlineData("a.bc")]
    [InlineData("a.bc.")]
    public void Name_BecomesItsLabels(string text)
    {
        Assert.True(DnsName.TryParse(text, out var name));
        Assert.Equal(new byte[] { 1, (byte)'a', 2, (byte)'b', (byte)'c', 0 }, name.ToArray());
    }

    [Theory]
    [InlineData(63, true)]
    [InlineData(64, false)]
    public void Label_HasAtMost63Bytes(int bytes, bool isName) =>
        Assert.Equal(isName, DnsName.TryParse(new string('x', bytes), out _));

    [Theory]
    [InlineData(61, 255)]
    [InlineData(62, null)]
    public void Name_HasAtMost255BytesWithItsEnd(int lastLabel, int? bytes)
    {
        var text = string.Join('.',
            Enumerable.Repeat(new string('x', 63), 3).Append(new string('y', lastLabel)));

        Assert.Equal(bytes != null, DnsName.TryParse(text, out var name));
        Assert.Equal(bytes ?? 0, name.Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a..b")]
    [InlineData(".a")]
    [InlineData("a..")]
    [InlineData("a b")]
    [InlineData("a\\.b")]
    [InlineData("ä.example")]
    [InlineData("*.example")]
    public void AnythingElse_IsNone(string text) => Assert.False(DnsName.TryParse(text, out _));
}
