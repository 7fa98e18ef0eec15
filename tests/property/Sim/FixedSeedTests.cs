// Owns the seeds that the core must always pass: whole scenarios, all checks on, the same ones on
// every run. They are what a change of the core meets first, so they are many, small and quick: of
// each profile's seeds, counted upwards from 1, the first ones whose plans hold few exchanges, so
// that two hundred take a second or two.
//
// What always holds: which seeds they are depends on the generator alone, never on how a run of one
// of them ends; one that does not end is a failure like any other, which names its seed.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Property.Sim;

public sealed class FixedSeedTests
{
    /// <summary>
    /// Datagrams and TCP connections of a plan, their questions counted, at most.
    /// </summary>
    private const int MostExchanges = 700;

    /// <summary>The host's time for one seed, which takes some milliseconds.</summary>
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(15);

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
    public async Task SmallScenarios_NoCheckFails(Profile profile, ulong[] seeds)
    {
        foreach (var seed in seeds)
        {
            var scenario = Generator.FromSeed(seed, profile);
            // A core that loops for ever cannot be stopped, only left behind.
            var running = Task.Run(() => ScenarioRun.Execute(scenario, new CheckSet(scenario)));
            var first = await Task.WhenAny(running, Task.Delay(MostTime));
            Assert.True(first == running, $"{profile} {seed} has not ended after {MostTime}");
            var violation = (await running).Violation;
            Assert.True(violation is null, $"{profile} {seed}: {violation}");
        }
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
