// A directory with more sockets than there may be backends, against a list of those that are known:
// a new one is taken up when there is room or one that was removed can make it, the one removed
// longest ago first; one that was removed 300 s ago is forgotten in any case; and no entry waits
// while there is room for it.
//
// Nobody listens on these sockets, so a backend is found removed by the first attempt to connect
// after its path went; when that was, the log says, and the model goes by it.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Balancer.Core;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Simulation.Kernel;
using Tests.Support;
using Xunit;

namespace Tests.Property.Core;

public enum SetVerb
{
    /// <summary>Sockets with new names appear, Count of them at a time.</summary>
    Appear,

    /// <summary>The paths of Count backends go, those from number Which on.</summary>
    Vanish,

    /// <summary>The path of the backend removed last is there again.</summary>
    Return,

    /// <summary>Count seconds pass.</summary>
    Pass,
}

public sealed record SetStep(SetVerb Verb, int Which, int Count);

public static class FullSetArbitraries
{
    public static Arbitrary<Script<SetStep>> Steps() => Scripts.Of(
        from verb in Gen.Frequency((5, Gen.Constant(SetVerb.Appear)),
            (4, Gen.Constant(SetVerb.Vanish)), (1, Gen.Constant(SetVerb.Return)),
            (3, Gen.Constant(SetVerb.Pass)))
        from which in Gen.Choose(0, 255)
        from count in verb == SetVerb.Pass
            ? Gen.Elements(1, 7, 40, 120, 320) : Gen.Choose(1, 3)
        select new SetStep(verb, which, count),
        step => Scripts.Towards(1, step.Count).Select(n => step with { Count = n }),
        min: 0, max: 25);
}

public sealed class FullSetTests
{
    [Property(Arbitrary = [typeof(FullSetArbitraries)], MaxTest = 40)]
    public void AnyComingsAndGoings_RoomIsMadeByTheLongestRemoved(Script<SetStep> steps)
    {
        var run = new SetRun();
        run.Appear(Limits.MaxBackends - 2);
        foreach (var step in steps.Steps)
            run.Apply(step);
        run.Pass(40);
        run.AssertNobodyWaitsInVain();
    }
}

/// <summary>One run of such a script, and its model.</summary>
internal sealed class SetRun
{
    private const int MostBackends = 256;

    private static readonly Duration Retention = Duration.FromSeconds(300L);

    /// <summary>Between two scans that nothing asked for, and a little.</summary>
    private static readonly Duration ScanTime = Duration.FromSeconds(6L);

    private readonly SimBalancer _sim = new();
    private readonly List<string> _known = [];
    private readonly List<(string Name, Instant At)> _removed = [];
    private readonly List<string> _gone = [];
    private readonly Dictionary<string, SimBackend> _processes = [];
    private int _named;
    private int _followed;

    public void Apply(SetStep step)
    {
        if (step.Verb == SetVerb.Appear)
            Appear(step.Count);
        else if (step.Verb == SetVerb.Vanish)
            Vanish(step.Which, step.Count);
        else if (step.Verb == SetVerb.Return)
            Return();
        else
            Pass(step.Count);
        Pass(1);
    }

    public void Appear(int count)
    {
        for (var n = 0; n < count; n++)
            Start(Name(_named++));
        Pass(1);
    }

    public void Pass(int seconds)
    {
        _sim.Run(Duration.FromSeconds((long)seconds));
        for (; _followed < _sim.Log.Events.Count; _followed++)
            Follow(_sim.Log.Events[_followed]);
        var shown = _sim.Core.SnapshotBackends();
        Assert.Equal(_known.Order(StringComparer.Ordinal),
            shown.Select(backend => backend.Path).Order(StringComparer.Ordinal));
        Assert.Equal(shown.Select(backend => backend.Id.Value).Distinct().Order(),
            shown.Select(backend => backend.Id.Value));
    }

    /// <summary>What is owed whenever nothing has changed for a while.</summary>
    public void AssertNobodyWaitsInVain()
    {
        var now = _sim.Now;
        Assert.DoesNotContain(_removed, gone => now - gone.At > Retention + ScanTime);
        var hasRoom = _known.Count < MostBackends
            || _removed.Exists(gone => now - gone.At > ScanTime);
        var waits = Enumerable.Range(0, _named).Select(Name).Any(name =>
            _sim.Kernel.Directory.Contains(name) && !_known.Contains(PathOf(name)));
        Assert.False(hasRoom && waits, "an entry waits while there is room for it");
    }

    /// <summary>One that says hello, so that it is remembered when it is gone.</summary>
    private void Start(string name) => _processes[name] = new SimBackend(_sim.Kernel, name);

    private void Vanish(int first, int count)
    {
        for (var n = 0; n < count && _known.Count > 0; n++)
        {
            var path = _known[(first + n) % _known.Count];
            var name = path[(path.LastIndexOf('/') + 1)..];
            if (!_sim.Kernel.Directory.Contains(name))
                continue;
            _processes[name].Stop();
            _gone.Add(name);
        }
    }

    private void Return()
    {
        if (_gone.Count == 0)
            return;
        Start(_gone[^1]);
        _gone.RemoveAt(_gone.Count - 1);
    }

    private void Follow(LogRecord logged)
    {
        switch (logged.Event)
        {
            case LogEvent.BackendDiscovered found:
                Assert.DoesNotContain(found.Path, _known);
                _known.Add(found.Path);
                Assert.InRange(_known.Count, 1, MostBackends);
                break;
            case LogEvent.BackendRemoved removed:
                _removed.Add((removed.Path, logged.At));
                break;
            case LogEvent.BackendReturned returned:
                Assert.Equal(1, _removed.RemoveAll(gone => gone.Name == returned.Path));
                break;
            case LogEvent.BackendForgotten forgotten:
                Forget(forgotten, logged.At);
                break;
            case LogEvent.EntryRefused refused:
                Assert.Equal(EntryRefusal.TooManyBackends, refused.Why);
                Assert.Equal(MostBackends, _known.Count);
                Assert.Empty(_removed);
                break;
        }
    }

    /// <summary>By age, or for the next that is found; then the one removed first goes.</summary>
    private void Forget(LogEvent.BackendForgotten forgotten, Instant now)
    {
        var at = _removed.Single(gone => gone.Name == forgotten.Path).At;
        if (now - at < Retention)
        {
            Assert.Equal(_removed.Min(gone => gone.At), at);
            Assert.Equal(MostBackends, _known.Count);
            var next = _sim.Log.Events.Skip(_followed + 1)
                .First(logged => logged.Event is not LogEvent.EntryRecordsSuppressed);
            Assert.IsType<LogEvent.BackendDiscovered>(next.Event);
        }
        _removed.RemoveAll(gone => gone.Name == forgotten.Path);
        _known.Remove(forgotten.Path);
    }

    private static string Name(int number) =>
        "s" + number.ToString("0000", CultureInfo.InvariantCulture);

    private static string PathOf(string name) => "/run/bbal/" + name;
}
