// Timers: order, disarming, and what an action may do to the heap that runs it.

using System;
using System.Collections.Generic;
using Balancer.Core;
using Xunit;

namespace Tests.Unit.Core;

public sealed class TimersTests
{
    private readonly Timers _timers = new();
    private readonly List<string> _ran = [];

    [Fact]
    public void NothingArmed_NextDeadlineIsNever() =>
        Assert.Equal(Instant.Never, _timers.NextDeadline);

    [Fact]
    public void Several_RunInOrderOfDeadline()
    {
        Arm("c", 3);
        Arm("a", 1);
        Arm("b", 2);

        Assert.Equal(At(1), _timers.NextDeadline);
        Assert.Equal(3, _timers.RunDue(At(3), 10));
        Assert.Equal(["a", "b", "c"], _ran);
        Assert.Equal(0, _timers.Count);
    }

    [Fact]
    public void EqualDeadlines_RunInOrderOfArming()
    {
        var timers = new List<Timer>();
        for (var i = 0; i < 50; i++)
            timers.Add(Arm($"{i}", 7));
        // Armed again, the first is now the last.
        _timers.Arm(timers[0], At(7));

        _timers.RunDue(At(7), 100);

        Assert.Equal("1", _ran[0]);
        Assert.Equal("49", _ran[48]);
        Assert.Equal("0", _ran[49]);
    }

    [Fact]
    public void DeadlineNotReached_DoesNotRun()
    {
        Arm("a", 2);

        Assert.Equal(0, _timers.RunDue(new Instant(At(2).Nanoseconds - 1), 10));
        Assert.Empty(_ran);
    }

    [Fact]
    public void Disarmed_DoesNotRun()
    {
        var a = Arm("a", 1);
        Arm("b", 1);
        _timers.Disarm(a);
        _timers.Disarm(a);

        _timers.RunDue(At(5), 10);

        Assert.False(a.IsArmed);
        Assert.Equal(["b"], _ran);
    }

    [Fact]
    public void MoreDueThanTheLimit_RestStaysDue()
    {
        for (var i = 0; i < 5; i++)
            Arm($"{i}", i);

        Assert.Equal(2, _timers.RunDue(At(10), 2));
        Assert.Equal(At(2), _timers.NextDeadline);
        Assert.Equal(3, _timers.RunDue(At(10), 10));
    }

    [Fact]
    public void ActionArmsItselfForNow_RunsAgainInTheSameCallUpToTheLimit()
    {
        var runs = 0;
        Timer again = null!;
        again = new Timer(now =>
        {
            runs++;
            _timers.Arm(again, now);
        });
        _timers.Arm(again, At(1));

        Assert.Equal(4, _timers.RunDue(At(1), 4));
        Assert.Equal(4, runs);
        Assert.True(again.IsArmed);
    }

    [Fact]
    public void ActionDisarmsAnotherThatIsDue_OtherDoesNotRun()
    {
        var other = new Timer(_ => _ran.Add("other"));
        _timers.Arm(new Timer(_ => _timers.Disarm(other)), At(1));
        _timers.Arm(other, At(1));

        _timers.RunDue(At(1), 10);

        Assert.Empty(_ran);
    }

    [Fact]
    public void ArmingAndDisarmingThousands_KeepsTheHeapWhole()
    {
        var timers = new Timer[3000];
        for (var i = 0; i < timers.Length; i++)
            timers[i] = Arm($"{i * 7919 % 3000:0000}", i * 7919 % 3000);
        for (var i = 0; i < timers.Length; i += 3)
            _timers.Disarm(timers[i]);

        _timers.RunDue(At(3000), 3000);

        Assert.Equal(2000, _ran.Count);
        var sorted = new List<string>(_ran);
        sorted.Sort(StringComparer.Ordinal);
        Assert.Equal(sorted, _ran);
    }

    /// <summary>What a client does may arm one, and there may be no memory.</summary>
    [Fact]
    public void MoreThanEver_AreArmedWithoutAllocating()
    {
        var timers = new Timer[5000];
        for (var i = 0; i < timers.Length; i++)
            timers[i] = new Timer(_ => { });
        var few = new Timers();
        few.Arm(timers[0], At(1));
        few.Disarm(timers[0]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < timers.Length; i++)
            few.Arm(timers[i], At(i * 7919 % 5000));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
        Assert.Equal(5000, few.Count);
        Assert.Equal(5000, few.RunDue(At(5000), 10_000));
    }

    private static Instant At(long seconds) => Instant.Zero + Duration.FromSeconds(seconds);

    private Timer Arm(string name, long seconds)
    {
        var timer = new Timer(_ => _ran.Add(name));
        _timers.Arm(timer, At(seconds));
        return timer;
    }
}
