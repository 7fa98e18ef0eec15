// Owns `sim run`: seeds handed out in order to as many threads as there are cores, and results
// taken up in order until one fails, the seeds or the time are used up, or the user has had enough.
// Every sixteenth seed, the first one among them, is run twice, and both runs must have the same
// hash. With --keep a failure does not end it, and all are kept. The summary is CampaignSummary's,
// the report of a failure FailureReport's.
//
// What always holds: what is printed does not depend on the number of threads, but for times; a
// failure is printed only when every seed before it has passed.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using Simulation.Checking;
using Simulation.Running;

namespace Simulation.Commands;

internal sealed class Campaign(
    Simulator simulator, Request request, TextWriter output, TextWriter error)
{
    private const int TwiceEvery = 16;

    private readonly CampaignSummary _summary = new(request);
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private ulong _first;
    private readonly List<Finished> _failures = [];

    public bool IsTerminal { get; init; }

    public CancellationToken Interrupted { get; init; }

    public int Run()
    {
        // A file that cannot be written is reported before hours are spent, not after.
        if (!CanWriteJson())
            return Tool.CannotWrite;
        _first = request.Seed ?? (ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        output.WriteLine($"seeds from {_first}, profile {request.Choice.Profile}");
        output.Flush();
        var progress = new Progress(error, IsTerminal);
        var seeds = new InOrder<Finished>
        {
            Has = Has,
            Make = Make,
            IsLast = finished => finished.Failed && request.Keep is null,
            TakeUp = TakeUp,
        };
        seeds.Run(request.Jobs, progress.Every, () => progress.Show(Describe));
        progress.End();
        _summary.End(_first, _clock.Elapsed);
        _summary.Write(output, withCoverage: _failures.Count == 0);
        output.Flush();
        if (_failures.Count > 0)
            WriteJson(Tool.Safety);
        var code = Conclude(progress);
        return WriteJson(code) || code != Tool.Passed ? code : Tool.CannotWrite;
    }

    private int Conclude(Progress progress)
    {
        if (_failures.Count > 0)
        {
            var report = new FailureReport(simulator, request, output, error)
            {
                Progress = progress,
                Interrupted = Interrupted,
            };
            foreach (var failure in _failures.Skip(1))
                report.Tell(failure);
            return report.Tell(_failures[0]);
        }
        if (_summary.NeverHit is { IsEmpty: false } never)
        {
            output.WriteLine("FAILED L6 coverage: within these seeds there was never");
            foreach (var what in never)
                output.WriteLine("  " + what);
            return Tool.Liveness;
        }
        output.WriteLine(Interrupted.IsCancellationRequested ? "interrupted" : "passed");
        return Interrupted.IsCancellationRequested ? Tool.Interrupted : Tool.Passed;
    }

    private bool Has(long index) => index < (request.Count ?? long.MaxValue)
        && (request.Time is not { } time || _clock.Elapsed < time)
        && !Interrupted.IsCancellationRequested && _failures.Count < KeptFailures.Most;

    private Finished Make(long index)
    {
        var seed = unchecked(_first + (ulong)index);
        var clock = Stopwatch.StartNew();
        var before = ThreadTime.Now;
        var scenario = simulator.Generate(seed, request.Choice);
        var coverage = new Coverage(scenario);
        var result = simulator.Run(scenario, request.Checks, coverage);
        var finished = new Finished(seed, result, coverage)
        {
            OnCore = ThreadTime.Now - before,
            Time = clock.Elapsed,
        };
        return index % TwiceEvery == 0 && result.Passed
            ? finished with { Again = simulator.Run(scenario, request.Checks).Hash }
            : finished;
    }

    private void TakeUp(Finished finished)
    {
        _summary.Add(finished);
        if (!finished.Failed)
            return;
        _failures.Add(finished);
        // At once and whole, since a long run may be ended before it comes to shrink anything.
        if (request.Keep is { } folder)
        {
            Tool.Save(error, folder,
                _ => new KeptFailures(simulator, request, folder).KeepWhole(finished));
        }
    }

    private string Describe()
    {
        var seconds = _clock.Elapsed.TotalSeconds;
        var line = string.Create(CultureInfo.InvariantCulture,
            $"{_summary.Seeds:N0} seeds, {_summary.Seeds / seconds:0.0}/s, {_summary.VirtualSeconds
                / seconds:N0} virtual s/s, {Failures}");
        var left = request.Count is { } count && _summary.Seeds > 0
            ? TimeSpan.FromSeconds((count - _summary.Seeds) * seconds / _summary.Seeds)
            : (TimeSpan?)null;
        if (request.Time is { } time && !(left < time - _clock.Elapsed))
            left = time - _clock.Elapsed;
        return left is { } more && more > TimeSpan.Zero
            ? line + string.Create(CultureInfo.InvariantCulture,
                $", {(long)more.TotalMinutes}:{more.Seconds:00} left")
            : line;
    }

    private string Failures => _failures.Count switch
    {
        0 => "no failure",
        1 => "1 failure",
        var many => $"{many} failures",
    };

    private bool CanWriteJson() => request.Json is not { } file
        || Tool.Save(error, file, path => File.Open(path, FileMode.OpenOrCreate).Dispose());

    /// <summary>Whether what was asked for was written.</summary>
    private bool WriteJson(int code) =>
        request.Json is not { } file || Tool.Save(error, file, path =>
        {
            using var stream = File.Create(path);
            _summary.WriteJson(stream, code, _failures);
        });
}

/// <summary>What one seed came to.</summary>
internal sealed record Finished(ulong Seed, RunResult Result, Coverage Coverage)
{
    /// <summary>The hash of its second run, if it had one.</summary>
    public ulong? Again { get; init; }

    /// <summary>The first run's time on a processor.</summary>
    public TimeSpan OnCore { get; init; }

    /// <summary>The first run's real time.</summary>
    public TimeSpan Time { get; init; }

    public bool Differs => Again is { } hash && hash != Result.Hash;

    public bool Failed => !Result.Passed || Differs;
}
