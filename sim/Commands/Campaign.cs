// Owns `sim run`: seeds handed out in order to as many threads as there are cores, results taken
// up in order, and the first that fails shrunk and told. Every sixteenth seed, the first one among
// them, is run twice, and both runs must have the same hash.
//
// What always holds: what is told does not depend on the number of threads - a failure is told
// only when every seed before it has passed; a thread shares nothing with another but the counter
// of seeds and the finished results.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using Balancer.Core;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;
using Simulation.Shrinking;
using Trace = Simulation.Pictures.Trace;

namespace Simulation.Commands;

internal sealed class Campaign(
    Simulator simulator, Request request, TextWriter output, TextWriter error)
{
    private const int TwiceEvery = 16;
    private static readonly TimeSpan Tell = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<long, Finished> _finished = [];
    private readonly SortedDictionary<FaultKind, long> _faults = [];
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private ulong _first;
    private long _handedOut;
    private long _takenUp;
    private long _stopAt = long.MaxValue;
    private long _events;
    private long _turns;
    private double _virtualSeconds;
    private (ulong Seed, TimeSpan Time) _slowest;
    private Finished? _failure;
    private Exception? _broken;
    private TimeSpan _toldAt;

    /// <summary>What one seed came to; Again is the hash of its second run, if it had one.</summary>
    private sealed record Finished(ulong Seed, RunResult Result, ulong Again, TimeSpan Time)
    {
        public bool Failed => !Result.Passed || Again != Result.Hash;
    }

    public int Run()
    {
        _first = request.Seed ?? (ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"seeds from {_first}, profile {request.Choice.Profile}, {request.Jobs} at a time"));
        var threads = new Thread[request.Jobs];
        for (var i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Work, 16 * 1024 * 1024);
            threads[i].Start();
        }
        foreach (var thread in threads)
            thread.Join();
        if (_broken is { } broken)
            throw new InvalidOperationException("the simulator itself failed", broken);
        var code = _failure is null ? Tool.Passed : Report(_failure);
        Summarise();
        if (request.Json is { } file)
            WriteJson(file, code);
        return code;
    }

    private void Work()
    {
        try
        {
            while (Next() is { } index)
                TakeUp(index, Try(unchecked(_first + (ulong)index), index % TwiceEvery == 0));
        }
        catch (Exception thrown)
        {
            lock (_lock)
            {
                _broken ??= thrown;
                _stopAt = 0;
            }
        }
    }

    private long? Next()
    {
        lock (_lock)
        {
            var isOver = _handedOut >= Math.Min(request.Count ?? long.MaxValue, _stopAt)
                || (request.Time is { } time && _clock.Elapsed >= time);
            return isOver ? null : _handedOut++;
        }
    }

    private Finished Try(ulong seed, bool twice)
    {
        var clock = Stopwatch.StartNew();
        var scenario = simulator.Generate(seed, request.Choice);
        var result = simulator.Run(scenario, request.Checks);
        var time = clock.Elapsed;
        var again = twice ? simulator.Run(scenario, request.Checks).Hash : result.Hash;
        return new Finished(seed, result, again, time);
    }

    /// <summary>Adds up what is finished, in the order of the seeds, up to the first failure.</summary>
    private void TakeUp(long index, Finished finished)
    {
        lock (_lock)
        {
            _finished[index] = finished;
            if (finished.Failed)
                _stopAt = Math.Min(_stopAt, index + 1);
            while (_failure is null && _finished.Remove(_takenUp, out var next))
            {
                _takenUp++;
                Add(next);
                if (next.Failed)
                    _failure = next;
            }
            if (_clock.Elapsed - _toldAt < Tell)
                return;
            _toldAt = _clock.Elapsed;
            error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{_takenUp} seeds, {_virtualSeconds:0} s virtual in {_clock.Elapsed.TotalSeconds:0} s"));
        }
    }

    private void Add(Finished finished)
    {
        _events += finished.Result.Events;
        _turns += finished.Result.Turns;
        _virtualSeconds += finished.Result.Time.TotalSeconds;
        if (finished.Time > _slowest.Time)
            _slowest = (finished.Seed, finished.Time);
        foreach (var (kind, hits) in finished.Result.Faults)
            _faults[kind] = _faults.GetValueOrDefault(kind) + hits;
    }

    private int Report(Finished failure)
    {
        if (failure.Again != failure.Result.Hash)
            return ReportDifference(failure);
        var violation = failure.Result.Violation!;
        output.WriteLine($"FAILED seed {failure.Seed}");
        output.WriteLine("  " + Tool.Describe(violation));
        var clock = Stopwatch.StartNew();
        var shrunk = Shrinker.Shrink(failure.Result.Scenario, violation,
            scenario => simulator.Run(scenario, request.Checks).Violation,
            () => clock.Elapsed >= request.Budget);
        var file = request.Output ?? $"sim-{failure.Seed}.json";
        File.WriteAllText(file, simulator.Write(shrunk.Smallest));
        output.WriteLine($"  {Tool.Size(failure.Result.Scenario)}");
        output.WriteLine($"  shrunk in {shrunk.Runs} runs to {Tool.Size(shrunk.Smallest)}"
            + (shrunk.IsMinimal ? "" : " (the budget ended it)"));
        output.WriteLine("  " + Tool.Describe(shrunk.Violation));
        output.WriteLine($"  sim replay {failure.Seed}{Options()}");
        output.WriteLine($"  sim show {file} --html {Path.ChangeExtension(file, ".html")}");
        return Tool.ExitCode(violation);
    }

    private int ReportDifference(Finished failure)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"NOT DETERMINISTIC seed {failure.Seed}: hash {failure.Result.Hash:x16}, then {failure.Again:x16}"));
        output.WriteLine("  " + FirstDifference(failure.Result.Scenario));
        output.WriteLine($"  sim replay {failure.Seed}{Options()} --trace");
        return Tool.NotDeterministic;
    }

    private string FirstDifference(Scenario scenario)
    {
        var lines = new List<string>();
        simulator.Run(scenario, request.Checks, new Trace((_, line) => lines.Add(line)));
        var at = 0;
        var difference = "";
        simulator.Run(scenario, request.Checks, new Trace((_, line) =>
        {
            var before = at < lines.Count ? lines[at] : "nothing";
            if (difference.Length == 0 && before != line)
                difference = $"first '{before.Trim()}', then '{line.Trim()}'";
            at++;
        }));
        if (difference.Length > 0)
            return difference;
        return at < lines.Count
            ? $"first '{lines[at].Trim()}', then nothing"
            : "two more runs told the same events: what differs is a draw, or does not always";
    }

    private string Options()
    {
        var choice = request.Choice;
        return (choice.Profile == "swarm" ? "" : " --profile " + choice.Profile)
            + (choice.Only.IsEmpty ? "" : " --only " + string.Join(',', choice.Only))
            + (choice.Without.IsEmpty ? "" : " --without " + string.Join(',', choice.Without))
            + (choice.Virtual is { } time ? string.Create(CultureInfo.InvariantCulture,
                $" --virtual {time.Nanoseconds / 1e9m}s") : "")
            + (request.Checks.IsEmpty ? "" : " --check " + string.Join(',', request.Checks));
    }

    private void Summarise()
    {
        var real = _clock.Elapsed.TotalSeconds;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{_takenUp} seeds, {_virtualSeconds:0} s virtual in {real:0.0} s ({_virtualSeconds / real:0} to 1), {_events} events, {_turns} turns"));
        foreach (var (kind, hits) in _faults)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {kind,-22} {hits,10}"));
        if (_takenUp > 0)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"slowest: seed {_slowest.Seed}, {_slowest.Time.TotalMilliseconds:0} ms"));
        }
        if (_failure is null)
            output.WriteLine("passed");
    }

    private void WriteJson(string file, int code)
    {
        using var stream = File.Create(file);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteNumber("exit", code);
        json.WriteNumber("first_seed", _first);
        json.WriteNumber("seeds", _takenUp);
        json.WriteNumber("virtual_seconds", _virtualSeconds);
        json.WriteNumber("real_seconds", _clock.Elapsed.TotalSeconds);
        json.WriteNumber("events", _events);
        json.WriteNumber("turns", _turns);
        json.WriteStartObject("faults");
        foreach (var (kind, hits) in _faults)
            json.WriteNumber(kind.ToString(), hits);
        json.WriteEndObject();
        json.WriteNumber("slowest_seed", _slowest.Seed);
        if (_failure is { } failure)
        {
            json.WriteStartObject("failure");
            json.WriteNumber("seed", failure.Seed);
            json.WriteString("check", failure.Result.Violation?.Check ?? "determinism");
            json.WriteNumber("event", failure.Result.Violation?.Event ?? 0);
            json.WriteNumber("at_nanoseconds", failure.Result.Violation?.At.Nanoseconds ?? 0);
            json.WriteString("evidence", failure.Result.Violation?.Evidence ?? "");
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }
}
