// Owns the seeds that the core must always pass: whole scenarios, all checks on, the same ones on
// every run. They are what a change of the core meets first, and what mutants of it are judged by
// (tests/MUTATION.md), so they are many, small and quick: of each profile's seeds, counted upwards
// from 1, the first ones whose plans hold few exchanges, so that two hundred take a second or two.
//
// What always holds: which seeds they are depends on the generator alone, never on how a run of one
// of them ends.

using System.Collections.Generic;
using System.Linq;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Property.Sim;

public sealed class FixedSeedTests
{
    /// <summary>Datagrams and TCP connections of a plan, their questions counted, at most.</summary>
    private const int MostExchanges = 700;

    /// <summary>Seeds of one test: a failure is known before the rest have run.</summary>
    private const int SeedsPerTest = 5;

    public static TheoryData<Profile, ulong[]> Seeds()
    {
        var tests = new TheoryData<Profile, ulong[]>();
        Add(tests, Profile.Swarm, 120);
        Add(tests, Profile.Tcp, 30);
        Add(tests, Profile.Udp, 20);
        Add(tests, Profile.Restart, 20);
        Add(tests, Profile.Calm, 10);
        return tests;
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void SmallScenarios_NoCheckFails(Profile profile, ulong[] seeds)
    {
        Assert.All(seeds, seed =>
        {
            var scenario = Generator.FromSeed(seed, profile);
            Assert.Null(ScenarioRun.Execute(scenario, new CheckSet(scenario)).Violation);
        });
    }

    private static void Add(TheoryData<Profile, ulong[]> tests, Profile profile, int count)
    {
        foreach (var seeds in SmallSeeds(profile).Take(count).Chunk(SeedsPerTest))
            tests.Add(profile, seeds);
    }

    private static IEnumerable<ulong> SmallSeeds(Profile profile)
    {
        for (ulong seed = 1; ; seed++)
        {
            if (Exchanges(Generator.FromSeed(seed, profile)) <= MostExchanges)
                yield return seed;
        }
    }

    private static long Exchanges(Scenario scenario) =>
        scenario.UdpClients.Sum(client => client.Queries.Sum(query => (long)query.Copies))
        + scenario.TcpClients.Sum(client => 1L + client.Queries);
}
