// Owns the way from a scenario that fails to the smallest one that still does. It tries one smaller
// scenario after another and keeps each that fails the same check; what stays is what the failure
// needs.
//
//   faults, then clients (UDP, TCP, then single queries), then backends: drop halves, quarters, …
//   times: end the run after the violation and drop what is planned for later, again whenever
//     something was dropped; heal at once, then all behind a gap earlier by the same time, then
//     each rounded to s, 0.1 s, ms
//   faults: shorter, fewer, amounts rounder; queries and TCP clients: plain ones; scripts, misdeed
//     by misdeed, and the kernel's limits: back to nothing wrong
//
// Rounds repeat until one keeps nothing: a client that goes may make a fault needless.
//
// What always holds: the result fails the same check as the start; each step kept is smaller than
// the one before by a measure that cannot grow for ever; a start that can be read from a file gives
// a result that can; without a time limit the same start gives the same result.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Shrinking;

/// <summary>What shrinking came to.</summary>
/// <param name="Smallest">The smallest scenario that failed.</param>
/// <param name="Violation">What it fails with.</param>
/// <param name="Runs">How many scenarios were tried.</param>
/// <param name="IsMinimal">No step is left; false if the budget ended first.</param>
public sealed record ShrinkResult(
    Scenario Smallest, Violation Violation, int Runs, bool IsMinimal);

/// <summary>Shrinks one failing scenario.</summary>
public sealed class Shrinker
{
    private readonly Func<Scenario, Violation?> _run;
    private readonly Func<bool> _isOver;
    private readonly bool _isWhole;
    private Scenario _smallest;
    private Violation _violation;
    private int _runs;
    private bool _ranOut;

    private Shrinker(
        Scenario start, Violation violation, Func<Scenario, Violation?> run, Func<bool> isOver)
    {
        _smallest = start;
        _violation = violation;
        _run = run;
        _isOver = isOver;
        _isWhole = ScenarioFile.WhyNot(start) is null;
    }

    /// <summary>Shrinks a scenario that fails with this violation.</summary>
    /// <param name="start">The scenario.</param>
    /// <param name="violation">What it fails with; only its check must stay the same.</param>
    /// <param name="run">Runs a scenario: the first violation, or null.</param>
    /// <param name="isOver">Whether the budget is spent; asked before each run.</param>
    public static ShrinkResult Shrink(Scenario start, Violation violation,
        Func<Scenario, Violation?> run, Func<bool> isOver)
    {
        var shrinker = new Shrinker(start, violation, run, isOver);
        while (shrinker.Round() && !shrinker._ranOut)
        {
        }
        return new ShrinkResult(
            shrinker._smallest, shrinker._violation, shrinker._runs, !shrinker._ranOut);
    }

    /// <summary>
    /// All scenarios that are one step simpler than this one, the boldest step first: what whoever
    /// has a search of his own goes on from. The result of Shrink has none that still fails.
    /// </summary>
    public static IEnumerable<Scenario> Simpler(Scenario scenario)
    {
        IEnumerable<Scenario> steps =
        [
            .. Parts(scenario.Faults).Select(rest => scenario with { Faults = rest }),
            .. Parts(scenario.UdpClients).Select(rest => scenario with { UdpClients = rest }),
            .. Parts(scenario.TcpClients).Select(rest => scenario with { TcpClients = rest }),
            .. Enumerable.Range(0, scenario.UdpClients.Length).SelectMany(at =>
                Parts(scenario.UdpClients[at].Queries).Select(rest =>
                    WithQueries(scenario, at, rest))),
            .. Parts(scenario.Backends)
                .Select(rest => Simplifications.WithBackends(scenario, rest)),
        ];
        var all = steps.Concat(Simplifications.All.SelectMany(reduce => reduce(scenario)));
        return ScenarioFile.WhyNot(scenario) is null
            ? all.Select(Runnable).OfType<Scenario>()
            : all;
    }

    /// <summary>
    /// What is written must be read again, and a step may leave faults nothing to do: the scenario
    /// without them, or null if that is not one either.
    /// </summary>
    private static Scenario? Runnable(Scenario scenario)
    {
        var left = ScenarioFile.WithoutVainFaults(scenario);
        return ScenarioFile.WhyNot(left) is null ? left : null;
    }

    /// <summary>A list without all of it, a half, a quarter, …, one item.</summary>
    private static IEnumerable<ImmutableArray<T>> Parts<T>(ImmutableArray<T> list)
    {
        for (var size = list.Length; size >= 1; size /= 2)
        {
            for (var at = 0; at < list.Length; at += size)
                yield return list.RemoveRange(at, Math.Min(size, list.Length - at));
        }
    }

    private static Scenario WithQueries(
        Scenario scenario, int client, ImmutableArray<QueryPlan> queries) => scenario with
        {
            UdpClients = scenario.UdpClients.SetItem(
                client, scenario.UdpClients[client] with { Queries = queries }),
        };

    /// <summary>Tries everything once; whether anything was kept.</summary>
    private bool Round()
    {
        var kept = EndSooner();
        kept |= Drop(scenario => scenario.Faults, (scenario, rest) =>
            scenario with { Faults = rest });
        kept |= EndSooner();
        kept |= Drop(scenario => scenario.UdpClients, (scenario, rest) =>
            scenario with { UdpClients = rest });
        kept |= EndSooner();
        kept |= Drop(scenario => scenario.TcpClients, (scenario, rest) =>
            scenario with { TcpClients = rest });
        kept |= DropQueries();
        kept |= Drop(scenario => scenario.Backends, Simplifications.WithBackends);
        foreach (var reduce in Simplifications.All)
            kept |= TryEach(reduce);
        kept |= EndSooner();
        return kept;
    }

    /// <summary>
    /// Ends the run behind the violation, which may have come sooner by what was dropped, and drops
    /// in one step what was planned for later.
    /// </summary>
    private bool EndSooner() => Try(Simplifications.EndAfter(_smallest, _violation))
        | Try(Simplifications.WithoutWhatIsAfterTheEnd(_smallest));

    private bool DropQueries()
    {
        var kept = false;
        for (var i = 0; i < _smallest.UdpClients.Length && !_ranOut; i++)
        {
            var at = i;
            kept |= Drop(scenario => scenario.UdpClients[at].Queries,
                (scenario, rest) => WithQueries(scenario, at, rest));
        }
        return kept;
    }

    /// <summary>Drops parts of a list: all of it, halves, quarters, down to single items.</summary>
    private bool Drop<T>(Func<Scenario, ImmutableArray<T>> get,
        Func<Scenario, ImmutableArray<T>, Scenario> set)
    {
        var kept = false;
        for (var size = get(_smallest).Length; size >= 1 && !_ranOut; size /= 2)
        {
            var at = 0;
            while (at < get(_smallest).Length && !_ranOut)
            {
                var list = get(_smallest);
                var rest = list.RemoveRange(at, Math.Min(size, list.Length - at));
                if (Try(set(_smallest, rest)))
                    kept = true;
                else
                    at += size;
            }
        }
        return kept;
    }

    /// <summary>Tries each of a reduction's scenarios, again after each that is kept.</summary>
    private bool TryEach(Func<Scenario, IEnumerable<Scenario>> reduce)
    {
        var kept = false;
        var index = 0;
        while (!_ranOut)
        {
            Scenario? next = null;
            var n = 0;
            foreach (var candidate in reduce(_smallest))
            {
                if (n++ < index)
                    continue;
                next = candidate;
                break;
            }
            if (next is null)
                return kept;
            // What is kept makes the list that remains shorter or its next item another one.
            if (Try(next))
                kept = true;
            else
                index++;
        }
        return kept;
    }

    private bool Try(Scenario? candidate)
    {
        if (candidate is not null && _isWhole)
            candidate = Runnable(candidate);
        if (candidate is null || _ranOut)
            return false;
        if (_isOver())
        {
            _ranOut = true;
            return false;
        }
        _runs++;
        if (_run(candidate) is not { } violation || violation.Check != _violation.Check)
            return false;
        _smallest = candidate;
        _violation = violation;
        return true;
    }
}
