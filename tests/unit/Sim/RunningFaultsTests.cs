// Each kind of fault is carried out as told: begun, counted, felt by the balancer, ended.

using System;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;
using static Tests.Unit.Sim.RunningWorlds;

namespace Tests.Unit.Sim;

public sealed class RunningFaultsTests
{
    private readonly Witness _witness = new();

    [Theory]
    [InlineData(FaultKind.BackendCrash, 1)]
    [InlineData(FaultKind.BackendStop, 1)]
    [InlineData(FaultKind.BackendUnlink, 1)]
    [InlineData(FaultKind.BackendPause, 1)]
    [InlineData(FaultKind.BackendScript, 1)]
    [InlineData(FaultKind.BackendReset, 1)]
    [InlineData(FaultKind.BackendEnd, 1)]
    [InlineData(FaultKind.BackendBacklog, 1)]
    [InlineData(FaultKind.BackendRebind, 1)]
    [InlineData(FaultKind.BackendListenLate, 1)]
    [InlineData(FaultKind.BackendMove, 1)]
    [InlineData(FaultKind.UdpLoss, -1)]
    [InlineData(FaultKind.UdpDuplicate, -1)]
    [InlineData(FaultKind.UdpReorder, -1)]
    [InlineData(FaultKind.UdpSendFails, -1)]
    [InlineData(FaultKind.UdpSendBlocked, -1)]
    [InlineData(FaultKind.UdpReceiveFails, -1)]
    [InlineData(FaultKind.KernelAccept, -1)]
    [InlineData(FaultKind.KernelSocket, -1)]
    [InlineData(FaultKind.KernelWakes, -1)]
    [InlineData(FaultKind.StreamShort, -1)]
    [InlineData(FaultKind.StreamWouldBlock, -1)]
    [InlineData(FaultKind.StreamReset, -1)]
    [InlineData(FaultKind.DirectoryUnreadable, -1)]
    [InlineData(FaultKind.DirectoryBreaksOff, -1)]
    [InlineData(FaultKind.DirectoryEntry, -1)]
    [InlineData(FaultKind.DirectorySilent, -1)]
    [InlineData(FaultKind.ClockStall, -1)]
    [InlineData(FaultKind.OperatorRescan, -1)]
    [InlineData(FaultKind.OperatorStatus, -1)]
    [InlineData(FaultKind.DirectoryHangs, -1)]
    [InlineData(FaultKind.DirectoryUnknown, -1)]
    [InlineData(FaultKind.ClockBack, -1)]
    [InlineData(FaultKind.ClockStill, -1)]
    [InlineData(FaultKind.StreamNoMemory, -1)]
    public void EachKind_IsTracedCountedAndSurvived(FaultKind kind, int target)
    {
        var result = Run(Fault(kind, 10, 4, target, amount: 3));
        Assert.Null(result.Violation);
        Assert.Equal(1, result.Faults[kind]);
        Assert.Equal($"{kind} begins", _witness.Faults[0].What);
        Assert.Equal($"{kind} ends", _witness.Faults[1].What);
        Assert.NotEqual(ScenarioRun.Execute(Calm()).Hash, result.Hash);
    }

    [Fact]
    public void EveryKind_IsInThatTest()
    {
        var told = typeof(RunningFaultsTests)
            .GetMethod(nameof(EachKind_IsTracedCountedAndSurvived))!
            .GetCustomAttributesData().SelectMany(data => data.ConstructorArguments)
            .SelectMany(argument => argument.Value as
                System.Collections.Generic.IReadOnlyCollection<
                    System.Reflection.CustomAttributeTypedArgument> ?? [])
            .Where(argument => argument.ArgumentType == typeof(FaultKind))
            .Select(argument => (FaultKind)argument.Value!);
        Assert.Equal(Enum.GetValues<FaultKind>().Order(), told.Order());
    }

    [Theory]
    [InlineData(FaultKind.OperatorRescan, typeof(LogEvent.RescanRequested))]
    [InlineData(FaultKind.OperatorStatus, typeof(LogEvent.BackendStatus))]
    public void OperatorsSignal_IsHeard(FaultKind kind, Type line)
    {
        Run(Fault(kind, 10, 4));
        Assert.Contains(_witness.Log, told => told.Event.GetType() == line && told.At == At(10));
    }

    [Fact]
    public void Crash_EndsItsSessionsAndRefusesUntilItIsBack()
    {
        Run(Fault(FaultKind.BackendCrash, 10, 4, target: 1));
        Assert.Contains(_witness.BackendEnds, end => end.At == At(10) && end.Backend == 1);
        Assert.Contains(_witness.Connects, connect => connect.Result.Status == IoStatus.Refused);
        var healthy = _witness.Logged<LogEvent.BackendHealthy>().Last();
        Assert.InRange(healthy.At.Nanoseconds, At(14).Nanoseconds, At(15).Nanoseconds);
    }

    [Fact]
    public void Stop_RemovesThePath()
    {
        Run(Fault(FaultKind.BackendStop, 10, 4, target: 1));
        Assert.Contains(_witness.Connects, connect => connect.Result.Status == IoStatus.NotFound);
        Assert.Contains(_witness.Log, told => told.Event is LogEvent.BackendReturned);
    }

    [Fact]
    public void Unlink_DrainsFirst()
    {
        Run(Fault(FaultKind.BackendUnlink, 10, 4, target: 1));
        var unlinked = Assert.Single(_witness.Logged<LogEvent.BackendDraining>());
        Assert.InRange(unlinked.At.Nanoseconds, At(10).Nanoseconds, At(11).Nanoseconds);
        Assert.Contains(_witness.BackendEnds, end => end.At == At(14));
    }

    [Fact]
    public void Move_DrainsUntilThePathIsBack()
    {
        Run(Fault(FaultKind.BackendMove, 10, 4, target: 1));
        var away = Assert.Single(_witness.Logged<LogEvent.BackendDraining>());
        Assert.InRange(away.At.Nanoseconds, At(10).Nanoseconds, At(11).Nanoseconds);
        var back = Assert.Single(_witness.Logged<LogEvent.BackendResumed>());
        Assert.InRange(back.At.Nanoseconds, At(14).Nanoseconds, At(15).Nanoseconds);
        Assert.DoesNotContain(_witness.BackendEnds, end => end.At >= At(10) && end.At < At(15));
    }

    [Fact]
    public void MoveBack_LeavesWhatHasTheNameByThen()
    {
        Run(Fault(FaultKind.BackendMove, 10, 4, target: 1),
            Fault(FaultKind.BackendRebind, 12, target: 1));
        Assert.Empty(_witness.Logged<LogEvent.BackendResumed>());
        Assert.Single(_witness.Logged<LogEvent.BackendRestarted>());
    }

    [Fact]
    public void Rebind_IsSeenAsARestart()
    {
        Run(Fault(FaultKind.BackendRebind, 10, target: 1));
        Assert.Single(_witness.Logged<LogEvent.BackendRestarted>());
    }

    /// <summary>10 ms to the scan, then tries at 10, 30, 70, 150 and 310 ms.</summary>
    [Theory]
    [InlineData(0.005, 1)]
    [InlineData(0.1, 5)]
    [InlineData(0.315, 6)]
    public void SocketThatListensSoon_IsNotAtFault(double listensAfter, int connects)
    {
        RunLateStart(listensAfter);
        Assert.Empty(_witness.Logged<LogEvent.BackendFaulted>());
        var tried = _witness.Connects.Where(
            connect => connect.At >= At(10) && connect.At < At(11)).ToArray();
        Assert.Equal(connects, tried.Length);
        Assert.All(tried[..^1], connect =>
            Assert.Equal(IoStatus.Refused, connect.Result.Status));
        Assert.True(tried[^1].Result.IsOk);
        Assert.Contains(_witness.Logged<LogEvent.BackendHealthy>(),
            healthy => healthy.At >= At(10) && healthy.At < At(10.4));
    }

    [Fact]
    public void SocketThatListensAfterThat_IsAtFaultOnce()
    {
        RunLateStart(0.4);
        var fault = Assert.Single(_witness.Logged<LogEvent.BackendFaulted>());
        Assert.Equal(FaultCause.ConnectFailed, fault.Event.Fault.Cause);
        Assert.True(fault.At > At(10.31) && fault.At < At(10.33), fault.At.ToString());
        Assert.Contains(_witness.Logged<LogEvent.BackendHealthy>(),
            healthy => healthy.At >= At(11.3) && healthy.At < At(11.4));
    }

    [Fact]
    public void SocketThatIsPausedBeforeItListens_ListensAfterThePause()
    {
        RunLateStart(0.05, new FaultPlan(
            101, At(10.01), Duration.FromSeconds(0.15), FaultKind.BackendPause, 1));
        Assert.Empty(_witness.Logged<LogEvent.BackendFaulted>());
        Assert.Contains(_witness.Logged<LogEvent.BackendHealthy>(),
            healthy => healthy.At >= At(10.16) && healthy.At < At(10.4));
    }

    /// <summary>The second backend is started at 10 s, and its socket listens later.</summary>
    private void RunLateStart(double listensAfter, params FaultPlan[] others)
    {
        var scenario = Calm(
            [Fault(FaultKind.BackendListenLate, 10, listensAfter, target: 1), .. others]);
        var later = scenario.Backends[1] with { StartAt = At(30) };
        Assert.Null(ScenarioRun.Execute(
            scenario with { Backends = [scenario.Backends[0], later] }, _witness).Violation);
    }

    [Fact]
    public void LongPause_CostsAHeartbeat()
    {
        Run(Fault(FaultKind.BackendPause, 10, 25, target: 1));
        Assert.Contains(_witness.Log, told => told.Event is LogEvent.BackendFaulted
        { Fault.Cause: FaultCause.HeartbeatTimeout });
    }

    [Fact]
    public void EndMidFrame_IsAnEndOfStream()
    {
        Run(Fault(FaultKind.BackendEnd, 10.5, target: 1, amount: 6));
        Assert.Contains(_witness.Log, told => told.Event is LogEvent.BackendFaulted
        { Fault.Cause: FaultCause.EndOfStream });
    }

    [Fact]
    public void ScriptSwitchedOn_MisbehavesInTheLivingSession()
    {
        var scenario = Calm(Fault(FaultKind.BackendScript, 5, target: 1)) with { };
        var deaf = Misbehaviour.None with { NoHeartbeat = true };
        var faults = scenario.Faults.Add(
            new FaultPlan(101, At(12), Duration.Zero, FaultKind.BackendScript, 1, 1));
        scenario = scenario with
        {
            Backends = [scenario.Backends[0], Backend(1, "5302", isCore: false, deaf)],
            Faults = faults,
        };
        ScenarioRun.Execute(scenario, _witness);
        var faulted = _witness.Logged<LogEvent.BackendFaulted>().First();
        Assert.Equal(FaultCause.HeartbeatTimeout, faulted.Event.Fault.Cause);
    }

    [Fact]
    public void Loss_MakesClientsAskAgain()
    {
        Run(Fault(FaultKind.UdpLoss, 0, 40, amount: 2));
        Assert.True(_witness.Sent.Count > 60);
        Assert.Contains(_witness.Sent, sent => sent.At.Nanoseconds % 1_000_000_000 == 0);
    }

    [Fact]
    public void Duplicates_AreAnsweredTwice()
    {
        Run(Fault(FaultKind.UdpDuplicate, 0, 40, amount: 1));
        Assert.True(_witness.Answers.Count > 150);
    }

    [Fact]
    public void Sends_FailAsOftenAsTheFaultSays()
    {
        Run(Fault(FaultKind.UdpSendFails, 10, amount: 7));
        Assert.Equal(7, _witness.SendFailures.Count);
        Assert.Equal(7, _witness.SendFailures.Distinct().Count());
    }

    [Fact]
    public void ShortStreams_ReadNoMore()
    {
        Run(Fault(FaultKind.StreamShort, 0, 40, amount: 3));
        var inChaos = new Witness();
        ScenarioRun.Execute(
            Calm(Fault(FaultKind.StreamShort, 0, 99, amount: 3)) with { HealAt = At(99) },
            inChaos);
        Assert.Equal(3, inChaos.LongestRead);
        Assert.True(_witness.LongestRead > 3);
    }

    [Theory]
    [InlineData(0, IoStatus.TooManyFiles)]
    [InlineData(1, IoStatus.TooManyFiles)]
    [InlineData(2, IoStatus.NoBuffers)]
    [InlineData(3, IoStatus.Aborted)]
    [InlineData(4, IoStatus.NoBuffers)]
    [InlineData(5, IoStatus.AccessDenied)]
    [InlineData(6, IoStatus.Aborted)]
    public void Accepts_FailSo(long amount, IoStatus status)
    {
        Run(Fault(FaultKind.KernelAccept, 4, 4, amount: amount));
        Assert.Contains(_witness.Accepts, accept => accept.Result.Status == status);
        Assert.Equal(status == IoStatus.Aborted ? "reset" : "answered", _witness.TcpEnds[2]);
    }

    /// <summary>One entry is unknown: it is not missing, and what happens to others is seen.
    /// </summary>
    [Fact]
    public void EntryOfOneBackendIsUnknown_TheOtherIsMissedAndItIsNot()
    {
        Run(Fault(FaultKind.DirectoryUnknown, 10, 20, amount: 1),
            Fault(FaultKind.BackendUnlink, 12, 10, target: 1));
        var other = Assert.Single(_witness.Logged<LogEvent.BackendDraining>());
        Assert.InRange(other.At.Nanoseconds, At(12).Nanoseconds, At(13).Nanoseconds);
        Assert.Contains(_witness.Connects, connect => connect.At < At(1));
    }

    [Theory]
    [InlineData(0, IoStatus.NotFound)]
    [InlineData(1, IoStatus.TooManyFiles)]
    [InlineData(2, IoStatus.AccessDenied)]
    public void Directory_IsUnreadableSo(long amount, IoStatus status)
    {
        Run(Fault(FaultKind.DirectoryUnreadable, 10, 20, amount: amount));
        Assert.Contains(_witness.Scans, scan => scan.Result.Status == status
            && scan.At >= At(10) && scan.At < At(30));
        Assert.DoesNotContain(_witness.Log, told => told.Event is LogEvent.BackendDraining);
    }

    [Fact]
    public void Stall_MakesOneTurnLate()
    {
        var calm = new Witness();
        ScenarioRun.Execute(Calm(), calm);
        Run(Fault(FaultKind.ClockStall, 10, 20));
        Assert.True(_witness.Turns < calm.Turns);
    }

    [Fact]
    public void WhatLasts_EndsWithChaos()
    {
        Run(Fault(FaultKind.UdpSendBlocked, 10, 1000));
        Assert.Equal((At(40), "UdpSendBlocked ends"), _witness.Faults[1]);
        Assert.Equal((At(40), "healed"), _witness.Faults[2]);
    }

    private RunResult Run(params FaultPlan[] faults) =>
        ScenarioRun.Execute(Calm(faults), _witness);
}
