// The kernel has no memory for what a session writes or reads: that is not the backend's fault
// (docs/behaviour.md, section 3).

using Balancer.Core;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Unit.Core;

public sealed class KernelMemoryTests : CoreTest
{
    [Theory]
    [InlineData(SimCall.Write)]
    [InlineData(SimCall.Read)]
    public void NoMemoryForACall_IsNotAFaultAndTriedAgainSoon(SimCall call)
    {
        var backend = HealthyBackends("5301")[0];
        Kernel.Faults.Next(call, IoStatus.NoBuffers, times: 3);
        Ask(1);
        Run(0.2);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Single(backend.Sessions);
        Assert.Single(backend.Queries);
        Assert.Equal(1, Count(Counter.RepliesSent));
        Assert.Equal(3, Count(Counter.SessionCallsWithoutMemory));
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
    }

    /// <summary>Two backends, a machine.</summary>
    [Theory]
    [InlineData(SimCall.Write)]
    [InlineData(SimCall.Read)]
    public void NoMemoryForAWhile_IsLoggedOnceWithItsEnd(SimCall call)
    {
        HealthyBackends("5301", "5302");
        Kernel.Faults.Standing(call, IoStatus.NoBuffers);
        for (var n = 0; n < 40; n++)
            Ask(n);
        Run(1);
        Assert.Equal(IoStatus.NoBuffers, Assert.Single(
            Log.Of<LogEvent.SessionsWithoutMemory>()).Why.Status);
        Assert.Empty(Log.Of<LogEvent.SessionsHaveMemory>());
        Kernel.Faults.Heal(call);
        Run(10);

        Assert.Single(Log.Of<LogEvent.SessionsWithoutMemory>());
        var over = Assert.Single(Log.Of<LogEvent.SessionsHaveMemory>());
        Assert.Equal(0, over.Suppressed);
        Assert.InRange(over.Lasted.TotalSeconds, 1, 1.2);
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Assert.Equal(40, Count(Counter.RepliesSent));
    }

    [Fact]
    public void NoMemoryNowAndThen_IsLoggedAtMostEveryFiveSeconds()
    {
        HealthyBackends("5301");
        for (var n = 0; n < 50; n++)
        {
            Kernel.Faults.Next(SimCall.Write, IoStatus.NoBuffers);
            Ask(n);
            Run(0.1);
        }
        Run(10);

        Assert.InRange(Log.Count<LogEvent.SessionsWithoutMemory>()
            + Log.Count<LogEvent.SessionsHaveMemory>(), 2, 3);
        Assert.Equal(50, Count(Counter.SessionCallsWithoutMemory));
        Assert.Equal(50, Count(Counter.RepliesSent));
    }

    [Fact]
    public void NoMemoryForFifteenSeconds_IsAFaultAsOfABackendThatReadsNothing()
    {
        HealthyBackends("5301");
        Kernel.Faults.Standing(SimCall.Write, IoStatus.NoBuffers);
        Ask(1);
        Run(14.9);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Run(0.2);

        Assert.Equal(FaultCause.ReadsNothing,
            Assert.Single(Log.Of<LogEvent.BackendFaulted>()).Fault.Cause);
        Kernel.Faults.Heal(SimCall.Write);
        Run(1);
        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Single(Log.Of<LogEvent.SessionsHaveMemory>());
    }

    /// <summary>What it said lies unread, and nobody knows whether it said nothing.</summary>
    [Fact]
    public void NoMemoryToReadForAMinute_BackendIsNeitherSuspectNorAtFault()
    {
        HealthyBackends("5301", "5302");
        Kernel.Faults.Standing(SimCall.Read, IoStatus.NoBuffers);
        for (var n = 0; n < 60; n++)
        {
            Ask(n);
            Run(1);
        }
        Assert.Equal(0, Log.Count<LogEvent.BackendSuspected>());
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Kernel.Faults.Heal(SimCall.Read);
        Run(1.2);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Assert.InRange(Count(Counter.RepliesSent), 9, 11);
    }

    [Fact]
    public void NoMemoryToReadTheHello_IsWaitedForAndTheBackendIsHealthyThen()
    {
        var backend = Backend("5301");
        Kernel.Faults.Standing(SimCall.Read, IoStatus.NoBuffers);
        Run(40);
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Kernel.Faults.Heal(SimCall.Read);
        Run(0.2);

        Assert.Equal(BackendState.Healthy, State("5301"));
        Assert.Single(backend.Sessions);
    }

    /// <summary>One that hangs is found out when it can be read again.</summary>
    [Fact]
    public void BackendHangsWhileItCannotBeRead_IsAtFaultASecondLaterAtMost()
    {
        var backend = HealthyBackends("5301")[0];
        Kernel.Faults.Standing(SimCall.Read, IoStatus.NoBuffers);
        Ask(1);
        Run(0.05);
        backend.Hang();
        Run(40);
        Assert.Equal(0, Log.Count<LogEvent.BackendFaulted>());
        Kernel.Faults.Heal(SimCall.Read);
        Run(30);

        Assert.Equal(FaultCause.HeartbeatTimeout,
            Assert.Single(Log.Of<LogEvent.BackendFaulted>()).Fault.Cause);
    }

    /// <summary>A stream that is ready for a call that fails is not waited for.</summary>
    [Theory]
    [InlineData(SimCall.Write)]
    [InlineData(SimCall.Read)]
    public void NoMemory_LoopDoesNotSpin(SimCall call)
    {
        HealthyBackends("5301");
        Kernel.Faults.Standing(call, IoStatus.NoBuffers);
        Ask(1);
        var turns = Balancer.Turns;
        Run(10);

        Assert.InRange(Balancer.Turns - turns, 100, 600);
    }

    [Fact]
    public void BackendEndsWhileItsSessionLacksMemory_IsNoticedAndMemoryIsNotMissedAnyMore()
    {
        var backend = HealthyBackends("5301")[0];
        Kernel.Faults.Standing(SimCall.Write, IoStatus.NoBuffers);
        Ask(1);
        backend.CloseSessions();
        Run(0.1);

        Assert.Equal(FaultCause.EndOfStream,
            Assert.Single(Log.Of<LogEvent.BackendFaulted>()).Fault.Cause);
        Kernel.Faults.Heal(SimCall.Write);
        Run(5);
        Assert.Single(Log.Of<LogEvent.SessionsHaveMemory>());
    }

    /// <summary>What waits for the old process is written to it.</summary>
    [Fact]
    public void BackendIsRestartedWhileItsSessionLacksMemory_OldSessionIsTriedAgain()
    {
        var backend = HealthyBackends("5301")[0];
        Kernel.Faults.Standing(SimCall.Write, IoStatus.NoBuffers);
        Ask(1);
        backend.Rebind();
        Run(0.05);
        Kernel.Faults.Heal(SimCall.Write);
        Run(0.2);

        Assert.Same(backend.Sessions[0], Assert.Single(backend.Queries).Session);
        Assert.Equal(1, Count(Counter.RepliesSent));
        Assert.Single(Log.Of<LogEvent.SessionsWithoutMemory>());
    }

    // ---- Over TCP ----

    [Theory]
    [InlineData(SimCall.Write)]
    [InlineData(SimCall.Read)]
    public void NoMemoryForTheSessionOfAConnection_ItsClientIsResetAndNobodyIsAtFault(SimCall call)
    {
        var s = new ProxyScenario(backends: 2);
        var client = s.ConnectSilently();
        s.Settle();
        client.Send(ProxyScenario.Message(20));
        // The client's bytes are read first.
        if (call == SimCall.Read)
            s.Kernel.Faults.Next(call, IoStatus.Ok);
        s.Kernel.Faults.Next(call, IoStatus.NoBuffers);
        s.Settle();

        AssertReset(s, client);
    }

    [Theory]
    [InlineData(SimCall.Write)]
    [InlineData(SimCall.Read)]
    public void NoMemoryForWhatIsRelayed_ItsClientIsResetAndNobodyIsAtFault(SimCall call)
    {
        var s = new ProxyScenario(backends: 2);
        var client = s.ConnectThrough();
        s.Kernel.Faults.Next(call, IoStatus.NoBuffers);
        client.Send(ProxyScenario.Message(20));
        s.Run(0.1);

        AssertReset(s, client);
    }

    private static void AssertReset(ProxyScenario s, SimStream client)
    {
        Assert.True(client.IsReset);
        s.AssertEnded(Counter.ConnectionsWithoutResources);
        Assert.Equal(IoStatus.NoBuffers, Assert.Single(
            s.Log.Of<LogEvent.ConnectionWithoutResources>()).Why.Status);
        Assert.Equal(0, s.Counters[Counter.ConnectionsRetried]);
        Assert.Equal(0, s.Log.Count<LogEvent.BackendFaulted>());
        s.AssertNothingLeft();
    }
}
