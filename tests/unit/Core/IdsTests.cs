// The small types that name things: what an address reads and shows, and which handle is none.

using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class IdsTests
{
    [Fact]
    public void Ipv4_FirstOctetIsTheMostSignificant()
    {
        Assert.Equal(0x0a4d4d05u, Ipv4.From(10, 77, 77, 5).Value);
        Assert.Equal("10.77.77.5", Ipv4.From(10, 77, 77, 5).ToString());
    }

    [Theory]
    [InlineData("0.0.0.0", 0u)]
    [InlineData("127.0.0.1", 0x7f000001u)]
    [InlineData("255.255.255.255", 0xffffffffu)]
    public void Ipv4_DottedQuadIsRead(string text, uint value)
    {
        Assert.True(Ipv4.TryParse(text, out var address));
        Assert.Equal(value, address.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1.2.3")]
    [InlineData("1.2.3.4.5")]
    [InlineData("1.2.3.256")]
    [InlineData("1.2.3.-4")]
    [InlineData("1.2.3.4 ")]
    [InlineData(" 1.2.3.4")]
    [InlineData("1..3.4")]
    [InlineData("1.2.3.0004")]
    [InlineData("0x7f.1.1.1")]
    [InlineData("::1")]
    [InlineData("localhost")]
    public void Ipv4_AnythingElseIsNot(string text) => Assert.False(Ipv4.TryParse(text, out _));

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.255.0.9", true)]
    [InlineData("126.255.255.255", false)]
    [InlineData("128.0.0.1", false)]
    public void Ipv4_AllOf127IsLoopback(string text, bool isLoopback)
    {
        Assert.True(Ipv4.TryParse(text, out var address));
        Assert.Equal(isLoopback, address.IsLoopback);
    }

    [Fact]
    public void Endpoint_ShowsAddressAndPort() =>
        Assert.Equal("127.0.0.1:53", new Endpoint(Ipv4.Loopback, 53).ToString());

    [Fact]
    public void SocketHandle_IsNoneOnlyWithoutAGeneration()
    {
        Assert.True(default(SocketHandle).IsNone);
        Assert.False(new SocketHandle(0, 1).IsNone);
        Assert.NotEqual(new SocketHandle(4, 1), new SocketHandle(4, 2));
    }
}
