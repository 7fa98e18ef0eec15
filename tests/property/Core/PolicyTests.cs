// Who is sent where: the core on the simulated network against the reference model, for scripts of
// queries, connections, backends that come, greet, fail and go, and time.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Core;

public static class PolicyArbitraries
{
    private const int Hosts = 12;

    private static readonly Gen<int> Backend = Gen.Choose(0, PolicyRun.Names.Length - 1);

    private static readonly Gen<PolicyCommand> Command = Gen.Frequency(
        (10, Of(PolicyVerb.Query, Gen.Choose(0, Hosts), Gen.Elements(1, 1, 2, 12))),
        (3, Of(PolicyVerb.Connect, Gen.Choose(0, Hosts - 1), Gen.Elements(1, 1, 3))),
        (3, Of(PolicyVerb.Appear, Backend, Gen.Constant(0))),
        (14, Of(PolicyVerb.Hello, Backend, Gen.Constant(0))),
        (3, Of(PolicyVerb.Fault, Backend, Gen.Choose(0, 2))),
        (2, Of(PolicyVerb.Unlink, Backend, Gen.Constant(0))),
        (9, Of(PolicyVerb.Tick, Gen.Constant(0), Gen.Frequency(
            (4, Gen.Choose(1, 12)), (4, Gen.Choose(10, 60)), (3, Gen.Choose(100, 400)),
            (1, Gen.Elements(700, 3000, 3400))))));

    public static Arbitrary<Script<PolicyCommand>> Commands() =>
        Arb.From(
            from beginners in Gen.Choose(0, 3)
            from length in Gen.Choose(30, 80 - 2 * beginners)
            from commands in Command.ArrayOf(length)
            select new Script<PolicyCommand>([.. Beginning(beginners), .. commands]),
            script => Scripts.Shrink(script.Steps, Simpler));

    /// <summary>Some backends that have said hello, so that less of a run is idle.</summary>
    private static IEnumerable<PolicyCommand> Beginning(int backends) =>
        Enumerable.Range(0, backends).SelectMany(which => new PolicyCommand[]
        {
            new(PolicyVerb.Appear, which, 0),
            new(PolicyVerb.Hello, which, 0),
        });

    private static Gen<PolicyCommand> Of(PolicyVerb verb, Gen<int> which, Gen<int> count) =>
        which.Zip(count, (w, n) => new PolicyCommand(verb, w, n));

    private static IEnumerable<PolicyCommand> Simpler(PolicyCommand command)
    {
        var least = command.Verb is PolicyVerb.Fault ? 0 : 1;
        foreach (var count in Scripts.Towards(least, command.Count))
            yield return command with { Count = count };
        foreach (var which in Scripts.Towards(0, command.Which))
            yield return command with { Which = which };
    }
}

public sealed class PolicyTests
{
    [Property(Arbitrary = [typeof(PolicyArbitraries)], MaxTest = 250)]
    public void AnyScript_SendsEveryoneWhereThePolicySays(Script<PolicyCommand> script) =>
        Run(script.Steps);

    [Fact]
    public void RestartedBeforeTheScanAfterItsConnect_IsNoticed() => Run(
        [
            new(PolicyVerb.Appear, 0, 0),
            new(PolicyVerb.Hello, 0, 0),
            new(PolicyVerb.Appear, 0, 0),
        ]);

    [Fact]
    public void FoundWhileAnotherIsForgotten_GetsTheIdThatThatLeft() => Run(
        [
            new(PolicyVerb.Appear, 0, 0),
            new(PolicyVerb.Appear, 2, 0),
            new(PolicyVerb.Tick, 0, 2999),
            new(PolicyVerb.Tick, 0, 7),
            new(PolicyVerb.Tick, 0, 700),
            new(PolicyVerb.Tick, 0, 700),
            new(PolicyVerb.Unlink, 2, 0),
            new(PolicyVerb.Tick, 0, 37),
            new(PolicyVerb.Tick, 0, 17),
            new(PolicyVerb.Tick, 0, 40),
            new(PolicyVerb.Tick, 0, 3000),
            new(PolicyVerb.Appear, 1, 0),
        ]);

    [Fact]
    public void HelloAtTheInstantOfItsTimeout_CountsForNothing() => Run(
        [
            new(PolicyVerb.Appear, 0, 0),
            new(PolicyVerb.Fault, 0, 0),
            new(PolicyVerb.Tick, 0, 308),
            new(PolicyVerb.Hello, 0, 0),
        ]);

    [Fact]
    public void Scripts_ReachWhatThePolicyIsAbout()
    {
        var reached = new Dictionary<string, int>();
        foreach (var script in PolicyArbitraries.Commands().Generator
            .Sample(100, Randomness.Fixed, 100))
        {
            foreach (var (what, times) in Run(script.Steps).Reached)
                reached[what] = reached.GetValueOrDefault(what) + times;
        }
        // Each is reached dozens of times; the rarer ones are left to the larger number of runs.
        Assert.All(
            [
                "dropped", "to a backup", "to a draining one", "expired",
                "rebalanced", "Healthy faults", "Healthy is unlinked", "Healthy appears",
                "Down appears", "Draining faults",
            ],
            what => Assert.True(reached.ContainsKey(what), $"no script reached: {what}"));
    }

    /// <summary>
    /// A core that knows no warm-up differs from the model, and the smallest script that shows it
    /// has a backend that says hello: its status has until when it is cold.
    /// </summary>
    [Fact]
    public void WrongCore_IsFoundAndShrunkToAFewSteps()
    {
        var scripts = PolicyArbitraries.Commands();
        var failing = scripts.Generator.Sample(100, Randomness.Fixed, 100)
            .First(script => Fails(script));
        while (scripts.Shrinker(failing).FirstOrDefault(Fails) is { } smaller)
            failing = smaller;
        Assert.Equal(2, failing.Steps.Length);
        Assert.Equal(1, failing.Steps.Count(step => step.Verb == PolicyVerb.Hello));

        static bool Fails(Script<PolicyCommand> script) =>
            Record.Exception(() => Run(script.Steps, new PolicyRun(Duration.Zero))) != null;
    }

    private static PolicyRun Run(IEnumerable<PolicyCommand> commands) =>
        Run(commands, new PolicyRun());

    private static PolicyRun Run(IEnumerable<PolicyCommand> commands, PolicyRun run)
    {
        foreach (var command in commands)
            run.Apply(command);
        return run;
    }
}
