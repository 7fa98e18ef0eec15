// What of a scenario is done for real: every kind of fault is mapped or counted as left out, times
// are bounded, and the same scenario gives the same plan.

using System;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Real;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Real;

public sealed class RealPlanTests
{
    private static readonly Duration Longest = Duration.FromSeconds(30L);

    [Theory]
    [InlineData(FaultKind.BackendCrash, 0, "Crash")]
    [InlineData(FaultKind.BackendStop, 0, "Stop")]
    [InlineData(FaultKind.BackendUnlink, 0, "Unlink")]
    [InlineData(FaultKind.BackendPause, 0, "Pause")]
    [InlineData(FaultKind.BackendScript, 1, "Script")]
    [InlineData(FaultKind.BackendReset, 0, "Reset")]
    [InlineData(FaultKind.BackendEnd, 3, "End")]
    [InlineData(FaultKind.BackendBacklog, 1, "Backlog")]
    [InlineData(FaultKind.BackendRebind, 0, "Rebind")]
    [InlineData(FaultKind.UdpLoss, 2, "Loss")]
    [InlineData(FaultKind.UdpDuplicate, 2, "Twice")]
    [InlineData(FaultKind.UdpReorder, 2, "Late")]
    [InlineData(FaultKind.KernelAccept, 0, "Descriptors")]
    [InlineData(FaultKind.KernelSocket, 0, "Descriptors")]
    [InlineData(FaultKind.DirectoryUnreadable, 0, "DirectoryGone")]
    [InlineData(FaultKind.DirectoryUnreadable, 1, "Descriptors")]
    [InlineData(FaultKind.DirectoryUnreadable, 2, "DirectoryUnreadable")]
    [InlineData(FaultKind.DirectoryEntry, 3, "Entries")]
    [InlineData(FaultKind.ClockStall, 0, "Stall")]
    [InlineData(FaultKind.OperatorRescan, 0, "Rescan")]
    [InlineData(FaultKind.OperatorStatus, 0, "Status")]
    public void FaultOfTheWorld_IsDoneForReal(FaultKind kind, long amount, string real)
    {
        var plan = Plan(new FaultPlan(7, At(1), Duration.FromSeconds(1L), kind, 0, amount));

        var fault = Assert.Single(plan.Faults, fault => fault.Id == 7);
        Assert.Equal(real, fault.Kind.ToString());
        Assert.Empty(plan.LeftOut);
    }

    [Theory]
    [InlineData(FaultKind.KernelAccept, 1, "KernelAccept ENFILE")]
    [InlineData(FaultKind.KernelAccept, 2, "KernelAccept ENOMEM")]
    [InlineData(FaultKind.KernelAccept, 3, "KernelAccept ECONNABORTED")]
    [InlineData(FaultKind.KernelAccept, 4, "KernelAccept ENOBUFS")]
    [InlineData(FaultKind.KernelAccept, 5, "KernelAccept EPERM")]
    [InlineData(FaultKind.KernelAccept, 6, "KernelAccept EPROTO")]
    [InlineData(FaultKind.KernelSocket, 1, "KernelSocket ENOMEM")]
    [InlineData(FaultKind.KernelSocket, 2, "KernelSocket ENOBUFS")]
    [InlineData(FaultKind.BackendListenLate, 0, "BackendListenLate")]
    [InlineData(FaultKind.BackendMove, 0, "BackendMove")]
    [InlineData(FaultKind.KernelWakes, 1, "KernelWakes")]
    [InlineData(FaultKind.UdpSendFails, 1, "UdpSendFails")]
    [InlineData(FaultKind.UdpSendBlocked, 1, "UdpSendBlocked")]
    [InlineData(FaultKind.UdpReceiveFails, 1, "UdpReceiveFails")]
    [InlineData(FaultKind.StreamShort, 1, "StreamShort")]
    [InlineData(FaultKind.StreamWouldBlock, 1, "StreamWouldBlock")]
    [InlineData(FaultKind.StreamReset, 1, "StreamReset")]
    [InlineData(FaultKind.DirectoryBreaksOff, 1, "DirectoryBreaksOff")]
    [InlineData(FaultKind.DirectorySilent, 1, "DirectorySilent")]
    [InlineData(FaultKind.DirectoryUnknown, 0, "DirectoryUnknown")]
    [InlineData(FaultKind.ClockBack, 1, "ClockBack")]
    [InlineData(FaultKind.ClockStill, 0, "ClockStill")]
    [InlineData(FaultKind.StreamNoMemory, 0, "StreamNoMemory")]
    public void FaultOfTheKernelAlone_IsLeftOutAndCounted(
        FaultKind kind, long amount, string name)
    {
        var fault = new FaultPlan(7, At(1), Duration.Zero, kind, -1, amount);
        var plan = Plan(fault, fault with { Id = 8 });

        Assert.DoesNotContain(plan.Faults, one => one.Id is 7 or 8);
        Assert.Equal(2, Assert.Single(plan.LeftOut, pair => pair.Key == name).Value);
    }

    [Fact]
    public void EveryKindOfFault_IsEither()
    {
        foreach (var kind in Enum.GetValues<FaultKind>())
        {
            var plan = Plan(new FaultPlan(7, At(1), Duration.Zero, kind, 0));

            Assert.Equal(1, plan.Faults.Count(fault => fault.Id == 7) + plan.LeftOut.Count);
        }
    }

    [Fact]
    public void FaultThatChaosEndsWith_EndsThere()
    {
        var plan = Plan(new FaultPlan(
            7, At(9), Duration.FromSeconds(60L), FaultKind.BackendPause, 0));

        Assert.Equal(Duration.FromSeconds(1L),
            plan.Faults.Single(fault => fault.Id == 7).For);
    }

    [Fact]
    public void WhatNoSocketCanDo_IsLeftOut()
    {
        var scenario = Scenario() with
        {
            UdpClients =
            [
                new UdpClientPlan(0, Ipv4.From(10, 1, 0, 1), true,
                [
                    new QueryPlan(At(1), 0, QueryKind.Question, 0),
                    new QueryPlan(At(2), 20_000, QueryKind.Question, 40, Copies: 1000),
                ]),
            ],
            Kernel = new KernelPlan { MaxReadBytes = 3 },
        };
        var plan = RealPlan.Of(scenario, Longest);

        Assert.Equal(1, plan.LeftOut["datagrams from port 0"]);
        Assert.Equal(1000 - RealPlan.MostCopies, plan.LeftOut["forged sources of a flood"]);
        Assert.Equal(1, plan.LeftOut["host: MaxReadBytes"]);
        // Their places stay, since a query's number is part of what it asks.
        Assert.Equal(2, plan.Scenario.UdpClients[0].Queries.Length);
        Assert.Equal(RealPlan.MostCopies, plan.Scenario.UdpClients[0].Queries[1].Copies);
    }

    [Fact]
    public void LowLimitOfDescriptors_IsSetWithRoomForTheProcess()
    {
        var few = Scenario() with { Kernel = new KernelPlan { DescriptorLimit = 40 } };

        Assert.Equal(64, RealPlan.Of(few, Longest).DescriptorLimit);
        Assert.Null(RealPlan.Of(Scenario(), Longest).DescriptorLimit);
    }

    [Fact]
    public void GeneratedScenarios_EndInTimeAndComeToTheSameAgain()
    {
        for (var seed = 1ul; seed <= 40; seed++)
        {
            var scenario = Generator.FromSeed(seed, Profile.Swarm);
            var plan = RealPlan.Of(scenario, Longest);
            var again = RealPlan.Of(scenario, Longest);

            Assert.True(plan.Scenario.End <= Instant.Zero + Longest);
            Assert.Equal(scenario.HealAt <= scenario.End, plan.Heals);
            Assert.All(plan.Faults, fault => Assert.True(
                fault.At + fault.For <= plan.Scenario.HealAt));
            Assert.Equal(plan.Faults.AsEnumerable(), again.Faults);
            Assert.Equal(plan.LeftOut, again.LeftOut);
            Assert.Equal(ScenarioFile.Write(plan.Scenario), ScenarioFile.Write(again.Scenario));
        }
    }

    private static RealPlan Plan(params FaultPlan[] faults) =>
        RealPlan.Of(Scenario() with { Faults = [.. faults] }, Longest);

    private static Scenario Scenario() => new()
    {
        HealAt = At(10),
        End = At(20),
        Backends = [new BackendPlan(0, "5301", Instant.Zero, true, Misbehaviour.None)],
    };

    private static Instant At(long seconds) => Instant.Zero + Duration.FromSeconds(seconds);
}
