// The bounds of what the quarantine remembers, each on both of its sides: deaths of one question,
// and answers.

using System;
using Balancer.Core;
using Simulation.Kernel;
using Xunit;

namespace Tests.Unit.Core;

public sealed class QuarantineLimitTests : QuarantineTest
{
    [Fact]
    public void SixtyFourDeathsCount_TheLastOfThemAll()
    {
        var services = new Services(new ScriptedNetwork(), new StreamOwners(), new Timers(),
            new Counters(), new SimLog(new SimKernel().Clock), new BalancerOptions(),
            TurnLimits.Standard);
        var backend = new Backends(
            services, new QueryPairs(), new Quarantine(services), Balancer.Core, Balancer.Core)
            .TryAdd(Instant.Zero, "/d"u8, "5301"u8)!;
        var held = new QuarantineCase { HasQuestion = true };
        var now = Instant.Zero;
        for (var death = 1; death <= 100; death++)
        {
            now += Duration.FromSeconds(1);
            held.SentAt = now - Duration.FromMilliseconds(death <= 36 ? 900 : 100);
            held.Begin(now, now, death, backend, wasAnswered: false, order: death);

            Assert.Equal(Math.Min(death, Limits.QuarantineDeaths), held.Deaths);
        }

        // With each that is forgotten goes its part of the time that they outlived it.
        Assert.InRange(held.Outlived.TotalSeconds, 64 * 0.1, 64 * 0.5);
    }

    /// <summary>Of eight answers one is remembered; who was answered has a third death.</summary>
    [Theory]
    [InlineData(Limits.QuarantineAnswers - 1, 0)]
    [InlineData(Limits.QuarantineAnswers, 1)]
    public void AnswerIsForgotten_WhenAsManyCameAfterIt(int others, int quarantines)
    {
        foreach (var backend in Binders.Values)
            backend.EchoesQueries = true;
        for (var n = 0; n < Limits.QuarantineSample; n++)
            Ask(1, Killer);
        for (var n = 0; n < others * Limits.QuarantineSample; n++)
        {
            var asked = QueryFor("other");
            (asked[0], asked[1]) = ((byte)(n >> 8), (byte)n);
            Kernel.InjectDatagram(Client(1 + n % 9), asked);
            if (n % 32 == 31)
                Run(0.000_1);
        }
        Run(0.001);
        Assert.Equal(Count(Counter.QueriesForwarded), Count(Counter.RepliesSent));
        foreach (var backend in Binders.Values)
            backend.EchoesQueries = false;
        KillTwiceWith(Killer);

        Assert.Equal(quarantines, Count(Counter.QuarantinesBegun));
    }
}
