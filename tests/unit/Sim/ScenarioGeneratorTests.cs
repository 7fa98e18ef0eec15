// The generator: the same seed gives the same scenario for ever, filters leave everything else as
// it was, and what it makes is within the language's rules.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Kernel;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class ScenarioGeneratorTests
{
    [Theory]
    [InlineData(1, Profile.Swarm, 2748776340493432399)]
    [InlineData(2, Profile.Calm, 8413756611580666765)]
    [InlineData(3, Profile.Restart, 7800889800356281761)]
    [InlineData(4, Profile.Tcp, 6631819167406475650)]
    public void Golden_SameSeedSameScenario(ulong seed, Profile profile, ulong hash) =>
        Assert.Equal(hash, HashOf(Generator.FromSeed(seed, profile)));

    [Theory]
    [InlineData(Profile.Swarm)]
    [InlineData(Profile.Calm)]
    [InlineData(Profile.Udp)]
    [InlineData(Profile.Tcp)]
    [InlineData(Profile.Restart)]
    public void ShortScenarios_AreMadeAndKeepTheRules(Profile profile)
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            var length = Duration.FromSeconds((long)(10 + seed % 51));
            var scenario = Generator.FromSeed(
                seed, profile, new GeneratorOptions { Length = length });
            Assert.Equal(Instant.Zero + length, scenario.End);
            AssertChaosEnds(scenario);
        }
    }

    [Fact]
    public void SomeScenarios_AreStoppedAmidChaos()
    {
        var stopped = 0;
        for (ulong seed = 0; seed < 200; seed++)
            stopped += Swarm(seed) is var scenario && scenario.HealAt > scenario.End ? 1 : 0;
        Assert.InRange(stopped, 10, 40);
    }

    [Fact]
    public void OneInThree_AnswersWithoutABackend()
    {
        var answering = 0;
        for (ulong seed = 0; seed < 200; seed++)
            answering += Swarm(seed).Kernel.AnswersWithoutBackend ? 1 : 0;
        Assert.InRange(answering, 40, 100);
    }

    [Fact]
    public void SomeSeeds_BringFaultsAndQueriesToOneInstant()
    {
        var (deadlines, meetings) = (0, 0);
        for (ulong seed = 0; seed < 200; seed++)
        {
            var scenario = Swarm(seed);
            deadlines += scenario.Faults.Count(
                fault => IsNear(fault.At, Duration.FromSeconds(5L))) >= 2 ? 1 : 0;
            var moments = scenario.Faults.SelectMany(
                fault => new[] { fault.At, fault.At + fault.For }).ToHashSet();
            meetings += scenario.UdpClients.Any(
                client => client.Queries.Any(query => moments.Contains(query.At))) ? 1 : 0;
        }
        Assert.InRange(deadlines, 20, 100);
        Assert.InRange(meetings, 10, 100);
    }

    /// <summary>At a multiple of the period since the start, or a nanosecond beside it.</summary>
    private static bool IsNear(Instant at, Duration period) =>
        (at.Nanoseconds + 1) % period.Nanoseconds <= 2;

    [Fact]
    public void SomeStops_MeetABurstOrAStandstill()
    {
        var (bursts, standstills, pairs) = (0, 0, 0);
        for (ulong seed = 0; seed < 200; seed++)
        {
            var scenario = Swarm(seed);
            bursts += scenario.UdpClients.Any(client => client.Queries.Count(query =>
                (query.At - scenario.End).Nanoseconds is >= -1_000_000 and <= 1_000_000) > 100)
                ? 1 : 0;
            standstills += scenario.Faults.Any(fault => fault.Kind == FaultKind.ClockStall
                && fault.At < scenario.End && fault.At + fault.For > scenario.End) ? 1 : 0;
            var asked = scenario.Faults.Where(fault => fault.Kind
                is FaultKind.OperatorRescan or FaultKind.OperatorStatus).ToArray();
            pairs += asked.Zip(asked.Skip(1)).Any(
                two => two.Second.At - two.First.At < Duration.FromMilliseconds(1)) ? 1 : 0;
        }
        Assert.InRange(bursts, 15, 60);
        Assert.InRange(standstills, 3, 60);
        Assert.InRange(pairs, 15, 60);
    }

    [Fact]
    public void RushesAndJams_AreInSomeSeeds()
    {
        var (rushes, floods, jams, deaf) = (0, 0, 0, 0);
        for (ulong seed = 0; seed < 100; seed++)
        {
            var scenario = Swarm(seed);
            rushes += scenario.TcpClients.CountBy(client => (client.Address, client.At))
                .Any(host => host.Value >= 40) ? 1 : 0;
            floods += scenario.Backends.Any(plan => plan.Script.DuplicateReplies > 0) ? 1 : 0;
            deaf += scenario.Backends.Any(plan => plan.Script.DeafAfter is not null) ? 1 : 0;
            jams += scenario.Faults.Any(fault => fault.Kind == FaultKind.BackendPause
                && fault.At > scenario.HealAt - Duration.FromSeconds(13L)
                && fault.At + fault.For < scenario.HealAt
                && scenario.Kernel.UnixBufferBytes <= 16_384) ? 1 : 0;
        }
        Assert.InRange(rushes, 12, 30);
        Assert.InRange(floods, 8, 40);
        Assert.InRange(jams, 12, 40);
        Assert.InRange(deaf, 5, 30);
    }

    [Theory]
    [InlineData(FaultKind.BackendCrash, 300)]
    public void BackendsThatStayDead_AreThereInSomeSeeds(FaultKind kind, int seconds)
    {
        var dead = 0;
        for (ulong seed = 0; seed < 100; seed++)
        {
            dead += Swarm(seed).Faults.Any(fault => fault.Kind == kind
                && fault.For >= Duration.FromSeconds((long)seconds)) ? 1 : 0;
        }
        Assert.InRange(dead, 5, 40);
    }

    [Fact]
    public void EveryKind_IsMade()
    {
        var kinds = new HashSet<FaultKind>();
        for (ulong seed = 0; seed < 60; seed++)
            kinds.UnionWith(Swarm(seed).Faults.Select(fault => fault.Kind));
        Assert.Equal(Enum.GetValues<FaultKind>().Order(), kinds.Order());
    }

    /// <summary>
    /// But for those about backends that find somebody, or nobody, only because of it.
    /// </summary>
    [Fact]
    public void Without_LeavesAllOtherFaultsAsTheyWere()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            var options = new GeneratorOptions { Without = ["clock", "crash"] };
            var narrowed = Generator.FromSeed(seed, Profile.Swarm, options);
            var others = Swarm(seed).Faults.Where(fault =>
                fault.Kind is not (FaultKind.ClockStall or FaultKind.ClockBack
                    or FaultKind.ClockStill or FaultKind.BackendCrash)).ToArray();
            Assert.All(narrowed.Faults.Except(others).Concat(others.Except(narrowed.Faults)),
                fault => Assert.True(FaultKinds.IsAboutBackend(fault.Kind)));
            Assert.True(narrowed.Faults.Intersect(others).Count() * 10 >= others.Length * 7);
            Assert.Equal(Swarm(seed).Backends.ToArray(), narrowed.Backends.ToArray());
        }
    }

    [Fact]
    public void Only_LeavesNothingElse()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            var options = new GeneratorOptions { Only = ["UdpLoss"] };
            var narrowed = Generator.FromSeed(seed, Profile.Swarm, options);
            Assert.All(narrowed.Faults, fault => Assert.Equal(FaultKind.UdpLoss, fault.Kind));
            Assert.All(narrowed.Backends,
                backend => Assert.Equal(Misbehaviour.None, backend.Script));
        }
    }

    [Fact]
    public void UnknownWord_IsNamed()
    {
        Assert.Equal("flop", new GeneratorOptions { Only = ["udp", "flop"] }.UnknownWord());
        Assert.Null(new GeneratorOptions { Without = ["script", "CRASH"] }.UnknownWord());
    }

    [Fact]
    public void EveryScenario_KeepsTheRules()
    {
        for (ulong seed = 0; seed < 100; seed++)
        {
            var scenario = Generator.FromSeed(seed, (Profile)(seed % 5));
            Assert.Contains(scenario.Backends, backend => backend.IsCore);
            Assert.InRange(scenario.Backends.Length, 1, 8);
            Assert.InRange(scenario.UdpClients.Length, 1, 52);
            AssertChaosEnds(scenario);
            var ids = scenario.UdpClients.Select(client => client.Id)
                .Concat(scenario.TcpClients.Select(client => client.Id)).ToList();
            Assert.Equal(ids.Count, ids.Distinct().Count());
        }
    }

    [Fact]
    public void CalmScenarios_AnswerEveryQuery()
    {
        for (ulong seed = 0; seed < 10; seed++)
        {
            var scenario = Generator.FromSeed(seed, Profile.Calm);
            var witness = new Witness();
            var result = ScenarioRun.Execute(scenario, witness);
            Assert.Null(result.Violation);
            Assert.Empty(result.Faults);
            Assert.Equal(
                scenario.UdpClients.SelectMany(client => client.Queries.Select(
                    (_, query) => (client.Id, query))).Order(),
                witness.Answers.Order());
            Assert.All(witness.TcpEnds.Values, how => Assert.Equal("answered", how));
        }
    }

    [Fact]
    public void SwarmScenarios_AreSurvivedAndRepeatable()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            var scenario = Swarm(seed);
            var first = ScenarioRun.Execute(scenario);
            Assert.True(first.Passed, $"seed {seed}: {first.Violation}");
            Assert.Equal(first.Hash, ScenarioRun.Execute(scenario).Hash);
        }
    }

    /// <summary>Before the run does, or, where the stop comes amid it, once that is over.</summary>
    private static void AssertChaosEnds(Scenario scenario)
    {
        Assert.True(scenario.HealAt < scenario.End
            || scenario.HealAt == scenario.End + Duration.FromSeconds(10L));
        Assert.All(scenario.Faults, fault => Assert.True(fault.At < scenario.HealAt));
    }

    private static Scenario Swarm(ulong seed) => Generator.FromSeed(seed, Profile.Swarm);

    private static ulong HashOf(Scenario scenario)
    {
        ulong hash = 0;
        foreach (var octet in ScenarioFile.Write(scenario))
            hash = SimRandom.Mix(hash ^ octet);
        return hash;
    }
}
