// StreamOwners: who gets an event, and that a dead handle finds nobody.

using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class StreamOwnersTests
{
    private readonly StreamOwners _owners = new();
    private readonly Owner _owner = new();

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(1000)]
    public void StreamAtAnySlot_FindsItsOwner(int slot)
    {
        var other = new Owner();
        _owners.Add(new SocketHandle(5, 1), other);
        _owners.Add(new SocketHandle(slot, 7), _owner);

        Assert.Same(_owner, _owners.Find(new SocketHandle(slot, 7)));
        Assert.Same(other, _owners.Find(new SocketHandle(5, 1)));
        Assert.Equal(2, _owners.Count);
    }

    [Fact]
    public void HandleOfAnotherGeneration_FindsNobody()
    {
        _owners.Add(new SocketHandle(3, 1), new Owner());
        _owners.Remove(new SocketHandle(3, 1));
        _owners.Add(new SocketHandle(3, 2), _owner);

        Assert.Null(_owners.Find(new SocketHandle(3, 1)));
        Assert.Same(_owner, _owners.Find(new SocketHandle(3, 2)));
        Assert.Equal(1, _owners.Count);
    }

    [Fact]
    public void HandleThatWasNeverAdded_FindsNobody()
    {
        Assert.Null(_owners.Find(new SocketHandle(3, 1)));
        Assert.Null(_owners.Find(new SocketHandle(100_000, 1)));
        Assert.Null(_owners.Find(SocketHandle.None));
    }

    [Fact]
    public void SecondOwnerOfASlot_IsABug()
    {
        _owners.Add(new SocketHandle(3, 1), _owner);

        Assert.Throws<VerificationException>(
            () => _owners.Add(new SocketHandle(3, 2), new Owner()));
    }

    [Fact]
    public void RemovingADeadHandle_IsABug()
    {
        _owners.Add(new SocketHandle(3, 2), _owner);

        Assert.Throws<VerificationException>(() => _owners.Remove(new SocketHandle(3, 1)));
        Assert.Same(_owner, _owners.Find(new SocketHandle(3, 2)));
    }

    private sealed class Owner : IStreamOwner
    {
        public void OnReady(Instant now, SocketHandle stream, Readiness ready)
        {
        }
    }
}
