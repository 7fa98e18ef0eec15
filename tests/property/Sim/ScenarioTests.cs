// Whole scenarios: whatever world FsCheck draws, all checks hold; a scenario is all that a run
// depends on, so that it can be run again, from a file too; and what fails shrinks to something
// small that fails for the same reason.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;
using Simulation.Shrinking;
using Xunit;

namespace Tests.Property.Sim;

public sealed class ScenarioTests
{
    [Property(Arbitrary = [typeof(DrawnScenarios)], MaxTest = 300)]
    public void AnyScenario_BreaksNoCheck(Drawn drawn)
    {
        var result = ScenarioRun.Execute(drawn.Scenario, new CheckSet(drawn.Scenario));
        Assert.True(result.Passed, result.Violation?.ToString());
    }

    [Property(Arbitrary = [typeof(DrawnScenarios)], MaxTest = 60)]
    public void AnyScenario_RunsTheSameAgainAndFromAFile(Drawn drawn)
    {
        var bytes = ScenarioFile.Write(drawn.Scenario);
        var back = ScenarioFile.Read(bytes);
        Assert.Equal(bytes, ScenarioFile.Write(back));
        AssertEqual(drawn.Scenario, back);

        // Watched or not, read or not: the run is the scenario's alone.
        var first = ScenarioRun.Execute(drawn.Scenario);
        var again = ScenarioRun.Execute(drawn.Scenario, new CheckSet(drawn.Scenario));
        var read = ScenarioRun.Execute(back);
        Assert.Equal((first.Hash, first.Events), (again.Hash, again.Events));
        Assert.Equal((first.Hash, first.Events), (read.Hash, read.Events));
    }

    [Property(Arbitrary = [typeof(DrawnScenarios)], MaxTest = 60)]
    public void OneClientMore_HasAnotherHash(Drawn drawn)
    {
        var more = drawn.Scenario with
        {
            TcpClients = drawn.Scenario.TcpClients.Insert(0, new TcpClientPlan(
                999, Ipv4.From(10, 9, 9, 9), 9, Instant.Zero, 1, 100, TcpManner.Proper, default)),
        };
        Assert.NotEqual(
            ScenarioRun.Execute(drawn.Scenario).Hash, ScenarioRun.Execute(more).Hash);
    }

    [Fact]
    public void DrawnScenarios_ReachEveryFaultAndEveryEnd()
    {
        var faults = new HashSet<FaultKind>();
        var ends = new Ends();
        foreach (var drawn in DrawnScenarios.Any().Generator.Sample(120, Randomness.Fixed, 100))
            faults.UnionWith(ScenarioRun.Execute(drawn.Scenario, ends).Faults.Keys);
        Assert.Empty(Enum.GetValues<FaultKind>().Except(faults));
        Assert.True(ends.Answers > 1000, $"only {ends.Answers} answers");
        Assert.Superset(
            new HashSet<string>(["answered", "eof", "reset", "closed", "aborted"]),
            ends.Tcp);
    }

    [Property(Arbitrary = [typeof(DrawnScenarios)], MaxTest = 5)]
    public void AnyStepOfTheShrinker_IsAnotherScenarioThatCanBeRead(Drawn drawn)
    {
        var before = ScenarioFile.Write(drawn.Scenario);
        foreach (var simpler in Shrinker.Simpler(drawn.Scenario))
        {
            var after = ScenarioFile.Write(simpler);
            Assert.False(after.AsSpan().SequenceEqual(before));
            ScenarioFile.Read(after);
        }
    }

    [Property(Arbitrary = [typeof(DrawnScenarios)], MaxTest = 60)]
    public void ShrinkingWhateverTheStep_Ends(Drawn drawn, PositiveInt which)
    {
        var scenario = drawn.Scenario;
        for (var steps = 0; ; steps++)
        {
            // The boldest steps would end it at once; any other way must end, too.
            var simpler = Shrinker.Simpler(scenario).Take(which.Get % 50 + 1).LastOrDefault();
            if (simpler is null)
                return;
            Assert.InRange(steps, 0, 20_000);
            scenario = simpler;
        }
    }

    [Property(Arbitrary = [typeof(DrawnScenarios)], MaxTest = 12)]
    public FsCheck.Property WhatFails_ShrinksToAMinimalOneThatFailsTheSame(Drawn drawn)
    {
        var start = WithCrashes(drawn.Scenario);
        if (Failure(start) is not { } violation)
            return false.When(false);
        var result = Shrinker.Shrink(start, violation, Failure, () => false);

        Assert.True(result.IsMinimal);
        Assert.Equal(ThirdCrash.Id, result.Violation.Check);
        Assert.Equal(result.Violation, Failure(result.Smallest));
        Assert.DoesNotContain(Shrinker.Simpler(result.Smallest),
            simpler => Failure(simpler)?.Check == ThirdCrash.Id);
        Assert.Equal(3, result.Smallest.Faults.Length);
        Assert.All(result.Smallest.Faults,
            fault => Assert.Equal(FaultKind.BackendCrash, fault.Kind));
        Assert.All(result.Smallest.Backends, backend => Assert.Contains(
            result.Smallest.Faults, fault => fault.Target == backend.Id));
        Assert.Empty(result.Smallest.UdpClients);
        Assert.Empty(result.Smallest.TcpClients);
        return true.ToProperty();
    }

    private static Scenario WithCrashes(Scenario scenario) => scenario with
    {
        Faults = [.. scenario.Faults.Concat(Enumerable.Range(1, 12).Select(n => new FaultPlan(
            1000 + n, new Instant(scenario.HealAt.Nanoseconds / 14 * n),
            Duration.FromMilliseconds(1 + n * 17), FaultKind.BackendCrash, 0)))
            .OrderBy(fault => fault.At).ThenBy(fault => fault.Id)],
    };

    private static Violation? Failure(Scenario scenario) =>
        ScenarioRun.Execute(scenario, new ThirdCrash()).Violation;

    private static void AssertEqual(Scenario one, Scenario other)
    {
        Assert.Equal(one.Kernel, other.Kernel);
        Assert.Equal(one.Backends.AsEnumerable(), other.Backends);
        Assert.Equal(one.TcpClients.AsEnumerable(), other.TcpClients);
        Assert.Equal(one.Faults.AsEnumerable(), other.Faults);
        Assert.Equal((one.Seed, one.Profile, one.HealAt, one.End),
            (other.Seed, other.Profile, other.HealAt, other.End));
        Assert.Equal(one.UdpClients.SelectMany(client => client.Queries),
            other.UdpClients.SelectMany(client => client.Queries));
        Assert.Equal(
            one.UdpClients.Select(client => (client.Id, client.Address, client.Retries)),
            other.UdpClients.Select(client => (client.Id, client.Address, client.Retries)));
    }

    /// <summary>Notes what became of clients.</summary>
    private sealed class Ends : RunObserver
    {
        public long Answers { get; private set; }

        public HashSet<string> Tcp { get; } = [];

        public override void OnClientAnswered(Instant now, int client, int query) =>
            Answers += query >= 0 ? 1 : 0;

        public override void OnTcpClientEnded(Instant now, int client, string how) => Tcp.Add(how);
    }

    /// <summary>Objects to the third crash of any backend.</summary>
    private sealed class ThirdCrash : RunObserver
    {
        public const string Id = "T1";

        private int _crashes;

        public override void OnFault(Instant now, FaultPlan fault, bool began)
        {
            if (fault.Kind == FaultKind.BackendCrash && began && ++_crashes == 3)
                throw new ViolationException(Id, now, "a third backend has crashed", fault.Target);
        }
    }
}
