// Timers against a list that is searched for the earliest deadline, and among equals for the one
// armed first. Actions arm and disarm other timers, themselves included, while they run.

using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace Tests.Property.Core;

/// <summary>Arms a timer for so many nanoseconds from now, or disarms it (In is null).</summary>
public sealed record Arming(int Timer, int? In)
{
    public override string ToString() => In is { } ns ? $"arm {Timer} in {ns}" : $"disarm {Timer}";
}

/// <summary>A step: an arming, or (Limit is not null) time passes and what is due runs.</summary>
public sealed record TimersStep(Arming Arming, int Passed, int? Limit)
{
    public override string ToString() =>
        Limit is { } limit ? $"{Passed} pass, run {limit} at most" : Arming.ToString();
}

/// <summary>What each timer's action arms and disarms.</summary>
public sealed record TimerActions(ImmutableArray<Script<Arming>> Of)
{
    public override string ToString() =>
        string.Join("; ", Of.Select((script, i) => $"{i}: {string.Join(", ", script.Steps)}"));
}

public static class TimersArbitraries
{
    public const int Count = 10;

    private static readonly Gen<Arming> AnyArming =
        from timer in Gen.Choose(0, Count - 1)
        from isArm in Gen.Frequency((4, Gen.Constant(true)), (1, Gen.Constant(false)))
        from ns in Gen.Choose(-1, 8)
        select new Arming(timer, isArm ? ns : null);

    public static Arbitrary<TimerActions> Actions() => Arb.From(
        Gen.Choose(0, 2).SelectMany(n => AnyArming.ArrayOf(n))
            .Select(armings => new Script<Arming>([.. armings])).ArrayOf(Count)
            .Select(scripts => new TimerActions([.. scripts])),
        actions => Enumerable.Range(0, Count).SelectMany(i =>
            Scripts.Shrink(actions.Of[i].Steps, _ => [])
                .Select(fewer => new TimerActions(actions.Of.SetItem(i, fewer)))));

    public static Arbitrary<Script<TimersStep>> Steps() => Scripts.Of(
        from arming in AnyArming
        from passed in Gen.Choose(0, 6)
        from limit in Gen.Choose(0, 12)
        from runs in Gen.Choose(0, 3)
        select new TimersStep(arming, passed, runs == 0 ? limit : null),
        min: 0, max: 60);
}

public sealed class TimersTests
{
    [Property(Arbitrary = [typeof(TimersArbitraries)], MaxTest = 500)]
    public void AnyUse_RunsWhatASortedListRuns(Script<TimersStep> steps, TimerActions actions)
    {
        var model = new ModelTimers(actions);
        var real = new RealTimers(actions);
        var now = new Instant(100);
        foreach (var step in steps.Steps)
        {
            if (step.Limit is { } limit)
            {
                now += new Duration(step.Passed);
                Assert.Equal(model.RunDue(now, limit), real.Timers.RunDue(now, limit));
            }
            else
            {
                model.Apply(now, step.Arming);
                real.Apply(now, step.Arming);
            }
            Assert.Equal(model.Ran, real.Ran);
            Assert.Equal(model.Armed.Count, real.Timers.Count);
            Assert.Equal(
                model.Armed.Count == 0 ? Instant.Never : model.Armed.Min(armed => armed.At),
                real.Timers.NextDeadline);
            for (var i = 0; i < TimersArbitraries.Count; i++)
                Assert.Equal(model.DeadlineOf(i), real.DeadlineOf(i));
        }
    }

    private sealed class ModelTimers(TimerActions actions)
    {
        /// <summary>In the order of arming.</summary>
        public List<(int Timer, Instant At)> Armed { get; } = [];

        public List<(int Timer, Instant Now)> Ran { get; } = [];

        public void Apply(Instant now, Arming arming)
        {
            Armed.RemoveAll(armed => armed.Timer == arming.Timer);
            if (arming.In is { } ns)
                Armed.Add((arming.Timer, now + new Duration(ns)));
        }

        public int RunDue(Instant now, int limit)
        {
            var ran = 0;
            // A stable sort keeps equals in the order of arming.
            while (ran < limit && Armed.Exists(armed => armed.At <= now))
            {
                var first = Armed.OrderBy(armed => armed.At).First();
                Armed.Remove(first);
                Ran.Add((first.Timer, now));
                foreach (var arming in actions.Of[first.Timer].Steps)
                    Apply(now, arming);
                ran++;
            }
            return ran;
        }

        public Instant? DeadlineOf(int timer) =>
            Armed.Where(armed => armed.Timer == timer).Select(armed => (Instant?)armed.At)
                .FirstOrDefault();
    }

    private sealed class RealTimers
    {
        private readonly Timer[] _timers = new Timer[TimersArbitraries.Count];

        public RealTimers(TimerActions actions)
        {
            for (var i = 0; i < _timers.Length; i++)
            {
                var index = i;
                _timers[i] = new Timer(now =>
                {
                    Ran.Add((index, now));
                    foreach (var arming in actions.Of[index].Steps)
                        Apply(now, arming);
                });
            }
        }

        public Timers Timers { get; } = new();

        public List<(int Timer, Instant Now)> Ran { get; } = [];

        public void Apply(Instant now, Arming arming)
        {
            if (arming.In is { } ns)
                Timers.Arm(_timers[arming.Timer], now + new Duration(ns));
            else
                Timers.Disarm(_timers[arming.Timer]);
        }

        public Instant? DeadlineOf(int timer) =>
            _timers[timer].IsArmed ? _timers[timer].Deadline : null;
    }
}
