// EventLoop: when a turn reads the clock, how much it does at most, and what it ignores.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class EventLoopTests
{
    private readonly List<string> _calls = [];
    private readonly ScriptedNetwork _network = new();
    private readonly Clock _clock;
    private readonly SimKernel _directoryOf = new();
    private readonly SimLog _log;
    private readonly LoadBalancer _balancer;
    private readonly EventLoop _loop;

    public EventLoopTests()
    {
        _clock = new Clock(_calls);
        _log = new SimLog(_directoryOf.Clock);
        _balancer = new LoadBalancer(
            _network, _directoryOf.Directory, _log, new BalancerOptions(), TurnLimits.Standard);
        _loop = new EventLoop(_clock, _network, _balancer);
        Happens();
    }

    [Fact]
    public void Turn_ReadsTheClockAfterTheWaitAndAtItsEnd()
    {
        _loop.RunTurn();
        _calls.Clear();
        _loop.RunTurn();

        Assert.Equal(["wait", "clock", "clock"], _calls);
    }

    [Fact]
    public void LongestTurn_IsFromTheEndOfItsWaitToItsOwn()
    {
        SettleScan();
        foreach (var milliseconds in new[] { 2, 7, 3 })
        {
            // A second of waiting is none of it.
            _clock.Shown += Duration.FromSeconds(1);
            _clock.OnRead = () =>
            {
                _clock.OnRead = null;
                _clock.Shown += Duration.FromMilliseconds(milliseconds);
            };
            _loop.RunTurn();
        }

        Assert.Equal(Duration.FromMilliseconds(7), _balancer.LongestTurn);
    }

    [Fact]
    public void DeadlineThatPassesDuringTheWait_IsServedInTheSameTurn()
    {
        SettleScan();
        var due = _balancer.NextWake;
        _network.OnWait = until =>
        {
            Assert.Equal(due, until);
            _clock.Shown = until;
            return [];
        };
        _loop.RunTurn();

        Assert.True(_balancer.NextWake > due || _balancer.NextWake == Instant.Zero);
    }

    [Fact]
    public void ClockThatGoesBack_StandsStillUntilItHasCaughtUp()
    {
        _clock.Shown = Instant.Zero + Duration.FromSeconds(10);
        SettleScan();
        _clock.Shown = Instant.Zero + Duration.FromSeconds(9);
        Happens(new NetworkEvent(
            NetworkEventKind.DirectoryChanged, SocketHandle.None, Readiness.None));

        Assert.True(_loop.RunTurn());

        Assert.Equal(Instant.Zero + Duration.FromSeconds(10) + Limits.ScanDebounce,
            _balancer.NextWake);
        Assert.True(_loop.RunTurn());
        Assert.Equal(1, _balancer.Counters[Counter.ClockSetbacks]);
        Assert.Equal(new LogEvent.ClockWentBack(Duration.FromSeconds(1L), 0),
            Assert.Single(_log.Of<LogEvent.ClockWentBack>()));
    }

    [Fact]
    public void ClockThatGoesBackInTheFirstWait_StandsStillToo()
    {
        _clock.Shown = Instant.Zero + Duration.FromSeconds(10);
        _network.OnWait = _ =>
        {
            _clock.Shown = Instant.Zero;
            return [];
        };

        SettleScan();

        Assert.True(_balancer.NextWake > Instant.Zero + Duration.FromSeconds(10));
    }

    [Fact]
    public void ClockThatStandsStill_IsNone()
    {
        Assert.True(_loop.RunTurn());
        Assert.True(_loop.RunTurn());
    }

    [Fact]
    public void QueriesWithoutEnd_ATurnTakesItsShareOfThem()
    {
        _network.IsFlooded = true;
        _loop.RunTurn();
        Happens(Ready(_network.DatagramSocket));
        var before = _network.Receives;
        _loop.RunTurn();

        Assert.Equal(TurnLimits.Standard.DatagramBatchesPerTurn, _network.Receives - before);
        Assert.Equal(TurnLimits.Standard.DatagramBatchesPerTurn * Limits.DatagramsPerBatch,
            _balancer.Counters[Counter.QueriesReceived]);
    }

    [Fact]
    public void EventsOfOneTurn_AreBounded()
    {
        _loop.RunTurn();

        Assert.Equal(Limits.EventsPerTurn, _network.RoomForEvents);
    }

    [Fact]
    public void EventForAStreamClosedEarlierInTheSameTurn_IsIgnored()
    {
        _directoryOf.Directory.Bind("5301");
        SettleScan();
        var stream = _network.Stream;
        Assert.False(stream.IsNone);
        _network.ReadAnswer = IoResult.Failed(IoStatus.EndOfStream);
        Happens(Ready(stream), Ready(stream), Ready(stream));
        var reads = _network.Reads;
        _loop.RunTurn();

        Assert.Equal(1, _network.Reads - reads);
        Assert.Equal([stream], _network.Closed);
        Assert.Equal(1, _log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void EventsOfTheTurnThatEndsIt_AreDealtWith()
    {
        _loop.RunTurn();
        var stop = new NetworkEvent(
            NetworkEventKind.StopRequested, SocketHandle.None, Readiness.None);
        Happens(stop, stop, Ready(_network.DatagramSocket));
        var receives = _network.Receives;

        Assert.False(_loop.RunTurn());

        Assert.Equal(receives + 1, _network.Receives);
        Assert.Throws<VerificationException>(() => _loop.RunTurn());
    }

    private static NetworkEvent Ready(SocketHandle socket) =>
        new(NetworkEventKind.Socket, socket, Readiness.Read);

    private void Happens(params NetworkEvent[] events) => _network.OnWait = _ =>
    {
        _calls.Add("wait");
        return events;
    };

    /// <summary>Runs turns until the first scan is over and only deadlines are left.</summary>
    private void SettleScan()
    {
        do
        {
            Assert.True(_loop.RunTurn());
        }
        while (_balancer.NextWake == Instant.Zero);
    }

    private sealed class Clock(List<string> calls) : IClock
    {
        public Instant Shown { get; set; } = Instant.Zero + Duration.FromSeconds(1);

        public Action? OnRead { get; set; }

        public Instant Now
        {
            get
            {
                calls.Add("clock");
                var shown = Shown;
                OnRead?.Invoke();
                return shown;
            }
        }
    }
}
