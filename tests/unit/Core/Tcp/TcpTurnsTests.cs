// How TCP shares a turn: what a turn does at most, that queries come every turn, and that neither
// clients nor connections can keep others from theirs.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TcpTurnsTests
{
    private const int Large = 400_000;

    /// <summary>Bytes that a visit reads of one side at most.</summary>
    private static readonly TurnLimits OfATurn = TurnLimits.Standard;
    private static readonly int OneVisit = OfATurn.TcpReadsPerVisit * Limits.TcpQueueBytes;

    private readonly ProxyScenario _s = new(before: kernel =>
    {
        kernel.ClientToBalancer = new PipeSize(1_000_000);
        kernel.BalancerToBackend = new PipeSize(1_000_000);
    });

    [Fact]
    public void ManyClientsPump_ATurnReadsNoMoreThanItsBudget()
    {
        var clients = Connect(hosts: 20, each: 2);
        Pump(clients);

        var (mostOfATurn, before) = (0L, TotalRead());
        RunTurns(40, () =>
        {
            var total = TotalRead();
            mostOfATurn = Math.Max(mostOfATurn, total - before);
            before = total;
        });

        // What was kept back is written besides what is read.
        Assert.InRange(mostOfATurn, OfATurn.TcpBytesPerTurn / 2,
            2 * (OfATurn.TcpBytesPerTurn + 2 * OneVisit));
    }

    /// <summary>Each of them has three bytes, and is looked at by itself.</summary>
    [Fact]
    public void ManyClientsSendShortMessages_ATurnLooksAtABoundedNumber()
    {
        // Connect has sent the first half of the first one's length.
        byte[] shortest = [1, 7, 0];
        byte[] all = [.. Enumerable.Repeat(shortest, Large / 3).SelectMany(message => message)];
        var most = MostOfATurn(all) / 3;

        // What the last visit had is beyond the budget.
        Assert.InRange(most, 1,
            OfATurn.TcpBytesPerTurn / Limits.TcpMessageBytes + OneVisit / 3);
    }

    /// <summary>A run of them is passed on as a whole, so it costs its bytes and no more.</summary>
    [Fact]
    public void ManyClientsSendEmptyMessages_ATurnTakesAsManyBytesAsOfOthers() =>
        Assert.InRange(MostOfATurn(new byte[Large]), OfATurn.TcpBytesPerTurn / 2,
            2 * (OfATurn.TcpBytesPerTurn + 2 * OneVisit));

    /// <summary>
    /// Bytes that backends got in one of the turns in which many clients send these, at most.
    /// </summary>
    private long MostOfATurn(byte[] bytes)
    {
        foreach (var client in Connect(hosts: 20, each: 2))
            client.Send(bytes);
        var (most, before) = (0L, TotalRead());
        RunTurns(40, () =>
        {
            var total = TotalRead();
            most = Math.Max(most, total - before);
            before = total;
        });
        return most;
    }

    [Fact]
    public void ManyClientsPump_AQueryIsTakenInTheNextTurn()
    {
        Pump(Connect(hosts: 300, each: 1));
        RunTurns(3);
        for (var n = 0; n < 10; n++)
        {
            var before = _s.Counters[Counter.QueriesReceived];
            _s.Kernel.InjectDatagram(
                ProxyScenario.Client(200), ProxyScenario.Query(n));
            RunTurns(1);
            Assert.Equal(before + 1, _s.Counters[Counter.QueriesReceived]);
        }
    }

    [Fact]
    public void OneAddressPumpsOnManyConnections_AnotherGetsHalf()
    {
        var many = Connect(hosts: 1, each: 200);
        var one = Unheld(_s.ConnectThrough(host: 99));
        var ofOne = _s.LastTcp();
        Pump(many);
        RunTurns(20);
        one.Send(ProxyScenario.Pattern(900_000));
        RunTurns(2);
        var (total, first) = (TotalRead(), ofOne.TcpBytes.Count);
        RunTurns(4);

        var ofThis = ofOne.TcpBytes.Count - first;
        var ofMany = TotalRead() - total - ofThis;
        // What was kept back is written besides what is read.
        Assert.InRange(ofThis - ofMany, -OneVisit, 3 * OneVisit);
        Assert.True(ofThis >= OfATurn.TcpBytesPerTurn);
    }

    [Fact]
    public void ConnectionsOfOneAddress_AllGetTheSame()
    {
        var clients = Connect(hosts: 1, each: 50);
        Pump(clients);
        RunTurns(100);

        var read = _s.Backend.TcpSessions.Select(session => session.TcpBytes.Count).ToArray();
        Assert.InRange(read.Max() - read.Min(), 0, OneVisit);
        Assert.True(read.Min() > 0);
    }

    [Fact]
    public void ManyConnectionsEndAtOnce_ATurnEndsABoundedNumber()
    {
        var clients = Connect(hosts: 30, each: 10);
        foreach (var client in clients)
            client.Reset();
        var most = 0L;
        var turns = 0;
        while (_s.Core.ConnectionCount > 0)
        {
            var before = _s.Core.ConnectionCount;
            RunTurns(1);
            most = Math.Max(most, before - _s.Core.ConnectionCount);
            Assert.True(++turns < 100);
        }

        Assert.InRange(most, 1, OfATurn.TcpBytesPerTurn / OfATurn.TcpVisitBytes);
        _s.Settle();
        _s.AssertNothingLeft();
    }

    [Fact]
    public void ManyDeadlinesPassAtOnce_ATurnEndsABoundedNumber()
    {
        Connect(hosts: 30, each: 10);
        var last = _s.Core.ConnectionCount;
        var most = 0L;
        for (var n = 0; n < 1_000_000 && _s.Core.ConnectionCount > 0; n++)
        {
            _s.Balancer.Turn();
            most = Math.Max(most, last - _s.Core.ConnectionCount);
            last = _s.Core.ConnectionCount;
        }

        Assert.Equal(300, _s.Counters[Counter.ConnectionsSlow]);
        Assert.InRange(most, 1, OfATurn.TcpBytesPerTurn / OfATurn.TcpVisitBytes);
        _s.Settle();
        _s.AssertNothingLeft();
    }

    [Fact]
    public void ClientThatPumpsAndTakesAnswers_GetsThemAsItPumps()
    {
        var client = _s.ConnectThrough();
        var session = _s.LastTcp();
        client.Send(ProxyScenario.Pattern(Large));
        RunTurns(2);
        session.Send(ProxyScenario.Pattern(10));
        RunTurns(2);

        Assert.Equal(10, client.Receive().Length);
    }

    [Fact]
    public void ConnectionThatReadAllAtOnce_HasNothingLeftToDo()
    {
        var client = _s.ConnectThrough();
        client.Send(ProxyScenario.Message(Limits.TcpQueueBytes));
        _s.Settle();

        Assert.NotEqual(Instant.Zero, _s.Core.NextWake);
        Assert.Equal(Limits.TcpQueueBytes, _s.LastTcp().TcpBytes.Count);
    }

    // ---- The pool ----

    [Fact]
    public void ObjectIsUsedAgain_NothingOfTheOldConnectionReachesTheNewOne()
    {
        var first = _s.ConnectThrough(port: 1);
        _s.Backend.Hang();
        first.Send(ProxyScenario.Pattern(Large * 2));
        _s.Settle();
        first.Reset();
        _s.Backend.Resume();
        _s.Settle();
        Assert.Equal(0, _s.Core.ConnectionCount);

        var second = _s.ConnectThrough(port: 2);
        var session = _s.LastTcp();
        second.Send("\0\u000cthe question"u8);
        session.Send("answer"u8);
        _s.Settle();

        Assert.Equal("answer"u8, second.Receive());
        Assert.Equal("\0\u000cthe question"u8.ToArray(), session.TcpBytes.ToArray());
        _s.Run(5);
        Assert.Equal(1, _s.Core.ConnectionCount);
    }

    [Fact]
    public void MoreMemoryThanThePoolKeeps_ConnectionsMayEndWithBytesQueued()
    {
        _s.Kernel.BalancerToBackend = new PipeSize(1_000);
        var clients = Connect(
            hosts: 2, each: OfATurn.TcpFreeQueueBytes / Limits.TcpQueueBytes / 2 + 50);
        _s.Backend.Hang();
        clients.ForEach(client => client.Send(ProxyScenario.Pattern(Limits.TcpQueueBytes * 2)));
        RunTurns(200);

        clients.ForEach(client => client.Reset());
        _s.Run(5);

        Assert.Equal(0, _s.Core.ConnectionCount);
    }

    private List<SimStream> Connect(int hosts, int each)
    {
        var clients = new List<SimStream>();
        for (var host = 1; host <= hosts; host++)
        {
            for (var n = 0; n < each; n++)
                clients.Add(Unheld(_s.ConnectThrough(host, (ushort)(4000 + n)), wait: false));
        }
        _s.Run(0.2);
        return clients;
    }

    /// <summary>
    /// Nothing is kept back any more of what this client sends: its first message, which is empty,
    /// is not answered.
    /// </summary>
    private SimStream Unheld(SimStream client, bool wait = true)
    {
        client.Send([0, 0, 0]);
        _s.Run(wait ? 0.2 : 0);
        return client;
    }

    private static void Pump(List<SimStream> clients)
    {
        foreach (var client in clients)
            client.Send(ProxyScenario.Pattern(Large));
    }

    private long TotalRead() => _s.Backend.TcpSessions.Sum(session => (long)session.TcpBytes.Count);

    private void RunTurns(int turns, Action? after = null)
    {
        for (var n = 0; n < turns; n++)
        {
            _s.Balancer.Turn();
            after?.Invoke();
        }
    }
}
