// Owns the tests of the numbering of sockets and of the rounding of timeouts.

using Balancer.Core;
using Balancer.Linux;
using Xunit;

namespace Tests.Integration.Linux;

public sealed class SocketTableTests
{
    private readonly SocketTable _table = new(capacity: 1);

    [Fact]
    public void Slots_AreDense_AndUsedAgainLastInFirstOut()
    {
        var handles = new[] { _table.Add(10), _table.Add(11), _table.Add(12) };
        Assert.Equal(
            [new SocketHandle(0, 1), new SocketHandle(1, 1), new SocketHandle(2, 1)], handles);
        Assert.Equal(11, _table.Remove(handles[1]));
        Assert.Equal(10, _table.Remove(handles[0]));
        Assert.Equal(new SocketHandle(0, 2), _table.Add(13));
        Assert.Equal(new SocketHandle(1, 2), _table.Add(14));
        Assert.Equal(new SocketHandle(3, 1), _table.Add(15));
        Assert.False(_table.IsLive(handles[0]));
        Assert.True(_table.IsLive(handles[2]));
    }

    [Fact]
    public void SlotWhoseGenerationsAreUsedUp_IsRetired()
    {
        _table.Remove(_table.Add(10));
        _table.At(0).Generation = uint.MaxValue;
        var last = _table.Add(11);
        Assert.Equal(new SocketHandle(0, uint.MaxValue), last);
        _table.Remove(last);
        Assert.False(_table.IsLive(last));
        Assert.Equal(new SocketHandle(1, 1), _table.Add(12));
    }

    [Theory]
    [InlineData(-1, -1)]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(1_000_000, 1)]
    [InlineData(1_000_001, 2)]
    [InlineData(long.MaxValue, int.MaxValue)]
    public void Timeout_InMilliseconds_IsNeverShorter(long nanoseconds, int expected) =>
        Assert.Equal(expected, Epoll.RoundUpToMilliseconds(nanoseconds));
}
