// SessionMemory: who may take how much, and that tables in flight stay within it, and give it back.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class SessionMemoryTests
{
    private const int Bound = 256 * 1024;

    private readonly Services _services;
    private readonly Counters _counters = new();
    private readonly QueryPairs _pairs = new();
    private readonly ScriptedNetwork _network = new();
    private long _frameEnd;

    public SessionMemoryTests() => _services = new Services(
        _network, new StreamOwners(), new Timers(), _counters,
        new SimLog(new SimKernel().Clock), new BalancerOptions { SessionMemory = Bound },
        TurnLimits.Standard);

    [Theory]
    [InlineData(1, 512)]
    [InlineData(2, 341)]
    [InlineData(3, 256)]
    [InlineData(9, 102)]
    public void ThoseThatTakeAllTheyMay_LeaveAsMuchAsEachHas(int takers, int most)
    {
        var memory = new SessionMemory(1024);
        var shares = new MemoryShare[takers];
        Array.Fill(shares, null!);
        for (var n = 0; n < takers; n++)
            shares[n] = new MemoryShare(memory);
        var each = 0;
        while (Array.TrueForAll(shares, share => share.TryTake(1)))
            each++;

        Assert.Equal(most, each);
        Assert.InRange(1024 - memory.Taken, each, 1024);
        foreach (var share in shares)
            share.GiveAllBack();
        Assert.Equal(0, memory.Taken);
    }

    [Fact]
    public void TableInFlight_KeepsToItsShareAndItsOldestGivesWay()
    {
        var table = Table();

        Fill(table, 2000, bytes: 1400);

        Assert.InRange(table.Count, 32, Bound / 2 / 1400);
        Assert.InRange(_services.SessionMemory.Taken, Bound / 8, Bound / 2);
        Assert.Equal(2000 - table.Count, _counters[Counter.UnansweredEvicted]);
        var second = Table();
        Fill(second, 2000, bytes: 1400);
        Assert.InRange(second.Count, 32, Bound / 2 / 1400);
        Assert.InRange(_services.SessionMemory.Taken, 0, Bound);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SessionEnds_WhatItTookIsGivenBackWithItsLastQuery(bool isAnsweredBefore)
    {
        var table = Table();
        Fill(table, 500, bytes: 100);
        Assert.True(_services.SessionMemory.Taken > 0);
        if (isAnsweredBefore)
            table.DropAll();
        else
            table.OnSessionEnded();

        for (table.BeginWalk(); table.Count > 1;)
            DropNext(table);
        Assert.Equal(isAnsweredBefore, _services.SessionMemory.Taken == 0);
        if (!isAnsweredBefore)
            DropNext(table);

        Assert.Equal(0, _services.SessionMemory.Taken);
        table.Begin();
        _frameEnd = 0;
        Fill(table, 500, bytes: 100);
        Assert.Equal(500, table.Count);
    }

    [Fact]
    public void QueueOfASession_TakesItsShareAndGivesItBack()
    {
        var session = new ControlSession(_services, _pairs, new Quarantine(_services));
        session.Begin(new SocketHandle(1, 1));
        var query = new Query(new Endpoint(Ipv4.From(10, 0, 0, 1), 4000), default, default);
        var packet = new byte[1400];
        var forwarded = 0;
        for (; forwarded < 1000; forwarded++)
        {
            packet[0] = (byte)(forwarded >> 8);
            packet[1] = (byte)forwarded;
            if (!session.TryForward(default, in query, packet))
                break;
        }

        Assert.InRange(forwarded, 16, Bound / 1400);
        session.SendHello();
        session.SendHeartbeat();
        Assert.True(session.Flush(Instant.Zero).IsOk);
        Assert.True(session.TryForward(default, in query, packet));
        session.TakeInFlight().DropAll();
        session.End(Instant.Zero);
        Assert.Equal(0, _services.SessionMemory.Taken);
    }

    private InFlight Table() => new(_services, _pairs, new Quarantine(_services));

    private void Fill(InFlight table, int queries, int bytes)
    {
        var packet = new byte[bytes];
        for (var n = 0; n < queries; n++)
        {
            packet[0] = (byte)(n >> 8);
            packet[1] = (byte)n;
            var client = new Endpoint(Ipv4.From(10, 0, 0, 1), (ushort)(1024 + n));
            table.Add(default, new Query(client, default, default), packet, ++_frameEnd);
        }
    }

    private static void DropNext(InFlight table)
    {
        table.Next(new byte[Limits.MaxUdpPayload], out var index, out _);
        table.Drop(index);
    }
}
