// Standstill: how much time is given after one, and that in it nobody is condemned, whatever was
// waited for and in whatever order the others go on; and that who really hangs is noticed then.

using System;
using System.Linq;
using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class StandstillTests : CoreTest
{
    private static readonly Instant Start = Instant.Zero + Seconds(100);

    private readonly Counters _counters = new();
    private readonly Standstill _standstill;

    public StandstillTests() => _standstill = new Standstill(_counters);

    // ---- The time that is given ----

    [Theory]
    [InlineData(0.05, 0, 0)]
    [InlineData(0.051, 0.051, 0.051)]
    [InlineData(0.4, 0.4, 0.4)]
    [InlineData(2, 2, 0.5)]
    [InlineData(60, 3, 0.5)]
    public void OneStandstill_GivesItsLengthUpToTheBounds(
        double late, double time, double shortTime)
    {
        _standstill.OnTurn(Start, Seconds(late));

        Assert.Equal(Start + Seconds(time), _standstill.Extend(Start));
        var longer = time > 0 ? Limits.TimeOutPause : Duration.Zero;
        Assert.Equal(Start + Seconds(shortTime) + longer, _standstill.ExtendShort(Start));
        Assert.Equal(time > 0 ? 1 : 0, _counters[Counter.Standstills]);
    }

    [Fact]
    public void DeadlineAfterTheTime_IsLeftAsItIs()
    {
        _standstill.OnTurn(Start, Seconds(60));
        var deadline = Start + Seconds(3.1);

        Assert.Equal(deadline, _standstill.Extend(deadline));
        Assert.Equal(deadline, _standstill.ExtendShort(deadline));
    }

    [Fact]
    public void LongOnesFollowEachOtherAtOnce_EachGivesAllItsTime()
    {
        var now = Start;
        for (var n = 0; n < 20; n++)
        {
            now += Seconds(60.1);
            _standstill.OnTurn(now, Seconds(60));

            Assert.Equal(now + Seconds(3), _standstill.Extend(now));
        }
    }

    [Fact]
    public void ShortOneFollowsALongOne_WhatIsLeftIsLeft()
    {
        _standstill.OnTurn(Start, Seconds(60));
        var now = Start + Seconds(1.2);
        _standstill.OnTurn(now, Seconds(0.2));

        Assert.Equal(now + Seconds(2), _standstill.Extend(now));
    }

    [Fact]
    public void ShortOnesFollowEachOtherForEver_TimeIsBounded()
    {
        // It runs for as long as it stood still before.
        var now = Start;
        var ran = 0.0;
        while (_standstill.Extend(now) > now || ran == 0)
        {
            now += Seconds(0.4);
            _standstill.OnTurn(now, Seconds(0.2));
            ran += 0.2;
            Assert.True(ran < 7);
        }

        Assert.InRange(ran, 5, 7);
    }

    // ---- What is waited for ----

    [Theory]
    [InlineData(0, false)]
    [InlineData(0.2, false)]
    [InlineData(2.9, false)]
    [InlineData(0.2, true)]
    public void HeartbeatIsOut_BackendsThatGoOnLaterAreNotFaulted(double later, bool interrupted)
    {
        var backends = HealthyBackends("5301", "5302");
        Run(4);
        foreach (var backend in backends)
            backend.Hang();
        Run(4);
        StandStill(16, interrupted);
        foreach (var backend in backends)
            Kernel.After(Seconds(16 + later), backend.Resume);
        Run(20);

        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(BackendState.Healthy, State("5302"));
    }

    [Fact]
    public void HeartbeatIsOutAndTheBackendHangs_ItIsFaultedWhenTheTimeIsOver()
    {
        HealthyBackends("5301")[0].Hang();
        Run(8);
        StandStill(16);
        Run(16 + 2.9);
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Run(0.2);

        Assert.Equal(FaultCause.HeartbeatTimeout,
            Assert.Single(Log.Of<LogEvent.BackendFaulted>()).Fault.Cause);
    }

    [Fact]
    public void StandstillsWithoutEnd_BackendThatHangsIsFaultedAllTheSame()
    {
        HealthyBackends("5301")[0].Hang();
        Run(19.9);
        for (var n = 0; n < 60 && Log.Count<LogEvent.BackendFaulted>() == 0; n++)
        {
            StandStill(5.3);
            Run(5.3 + 0.2);
        }

        Assert.Single(Log.Of<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void HelloIsWaitedFor_BackendThatGoesOnLaterIsNotFaulted()
    {
        var backend = Backend("5301");
        backend.Hang();
        Run(10);
        StandStill(25);
        Kernel.After(Seconds(25.5), backend.Resume);
        Run(26);

        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(BackendState.Healthy, State("5301"));
    }

    [Fact]
    public void QueriesAreInFlight_AnswersAreDeliveredAfterIt()
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        Run(1);
        Ask(1);
        StandStill(17);
        Kernel.After(Seconds(17.3), () => SimBackend.Reply(backend.Queries[0], Query(1)));
        Run(18);

        Assert.Equal(1, Count(Counter.RepliesSent));
        Assert.Equal(0, Count(Counter.UnansweredTimedOut));
    }

    [Fact]
    public void QueriesAreInFlightAndUnanswered_TheyTimeOutWhenTheTimeIsOver()
    {
        var backend = HealthyBackends("5301")[0];
        backend.EchoesQueries = false;
        Run(1);
        Ask(1);
        StandStill(17);
        Run(17 + 2.9);
        Assert.Equal(0, Count(Counter.UnansweredTimedOut));
        Run(0.2);

        Assert.Equal(1, Count(Counter.UnansweredTimedOut));
    }

    [Theory]
    [InlineData(0.45, 0)]
    [InlineData(0.75, 1)]
    public void QueryIsUnanswered_BackendHasHalfASecondBeforeItIsSuspect(
        double later, int suspected)
    {
        var backend = HealthyBackends("5301", "5302")[0];
        Run(1);
        Ask(1);
        backend.Hang();
        Ask(1);
        StandStill(6);
        Kernel.After(Seconds(6 + later), backend.Resume);
        Run(7);

        Assert.Equal(suspected, Count(Counter.BackendsSuspected));
        Assert.Equal(2, Count(Counter.RepliesSent));
    }

    [Fact]
    public void BackendTakesNothing_ItHasTimeToGoOn()
    {
        var backend = HealthyBackends("5301")[0];
        Run(1);
        backend.Hang();
        FillQueueOf();
        StandStill(15.5);
        Kernel.After(Seconds(15.5 + 1), backend.Resume);
        Run(20);

        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
    }

    [Fact]
    public void BackendTakesNothingForGood_ItIsFaultedWhenTheTimeIsOver()
    {
        var backend = HealthyBackends("5301")[0];
        Run(1);
        backend.Hang();
        FillQueueOf();
        StandStill(15.5);
        Run(15.5 + 2.9);
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Run(0.2);

        Assert.Equal(FaultCause.ReadsNothing,
            Assert.Single(Log.Of<LogEvent.BackendFaulted>()).Fault.Cause);
    }

    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(4, 0, 1)]
    public void TcpHandshake_HasTimeToEnd(double later, int relayed, int timedOut)
    {
        var s = new ProxyScenario();
        s.Backend.AnswersTcp = false;
        s.Connect();
        s.Settle();
        s.Kernel.Faults.Stall = Seconds(17);
        s.Kernel.After(Seconds(17 + later), () => s.LastTcp().Send([0xeb, 3, 0, 0]));
        s.Run(17 + 4.1);

        Assert.Equal(relayed, s.Relayed);
        Assert.Equal(timedOut, s.Counters[Counter.ConnectionsHandshakeTimedOut]);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(4, 1)]
    public void IdleConnection_HasTimeToSaySomething(double later, int idle)
    {
        var s = new ProxyScenario();
        var client = s.ConnectThrough();
        s.Kernel.Faults.Stall = Seconds(130);
        s.Kernel.After(Seconds(130 + later), () => client.Send(ProxyScenario.Message(14)));
        s.Run(130 + 5);

        Assert.Equal(idle, s.Counters[Counter.ConnectionsIdle]);
    }

    [Fact]
    public void ByteLiesBehindAFullBatchOfEvents_ConnectionIsNotIdle()
    {
        var s = new ProxyScenario();
        var many = Enumerable.Range(0, Limits.EventsPerTurn)
            .Select(n => s.ConnectThrough(host: 1, port: (ushort)(10_000 + n))).ToList();
        var idleAt = s.Kernel.Now + Limits.TcpIdleTimeout;
        var one = s.ConnectThrough(host: 2);
        s.Run(100);
        foreach (var client in many)
            client.Send(ProxyScenario.Message(14));
        s.Settle();
        s.Kernel.At(idleAt, () =>
        {
            foreach (var client in many)
                client.Send(ProxyScenario.Message(14));
            one.Send(ProxyScenario.Message(14));
        });
        s.Run(30);

        Assert.Equal(0, s.Counters[Counter.ConnectionsIdle]);
        Assert.Equal(Limits.EventsPerTurn + 1, s.Core.ConnectionCount);
    }

    private void StandStill(double seconds, bool interrupted = false)
    {
        Kernel.Faults.Stall = Seconds(seconds);
        Kernel.Faults.StallInterrupts = interrupted;
    }

    private void FillQueueOf()
    {
        for (var n = 0; n < 600; n++)
        {
            Kernel.InjectDatagram(Client(1), Query(n, 1400));
            if (n % 50 == 0)
                Run(0.0001);
        }
        Run(0.001);
        Assert.True(Count(Counter.QueriesToStuckBackend) > 0);
    }
}
