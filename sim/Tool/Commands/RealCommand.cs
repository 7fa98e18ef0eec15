// Owns `sim real`: which scenarios are run in wall time, several at a time since they mostly wait,
// and how what they came to is told: a line each, and of a failure the check, the evidence, the
// last of the balancer's log and the command that runs it again.
//
// With --corpus it takes the corpus in the order of names and then goes on with seeds, always the
// same ones and of each profile in turn, so that twenty or two hundred can be asked for however
// large the corpus is.
//
// What always holds: the exit code is that of the first failure in the order of the scenarios; each
// scenario runs once, and all that were asked for run, whatever became of the others.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text.Json;
using System.Threading;
using Simulation.Checking;
using Simulation.Pictures;
using Simulation.Real;
using Simulation.Real.Interop;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Commands;

internal sealed class RealCommand(
    Simulator simulator, Request request, TextWriter output, TextWriter error)
{
    /// <summary>The first seed that follows the corpus.</summary>
    public const ulong FirstSeed = 2_000_000;

    private const int LogLines = 12;
    private const int LogColumns = 240;

    private readonly List<(Subject Subject, RealResult Result)> _done = [];
    private int _failed;
    private int _code = Tool.Passed;

    public bool IsTerminal { get; init; }

    public CancellationToken Interrupted { get; init; }

    /// <summary>A scenario, and what the command line calls it.</summary>
    private sealed record Subject(string Name, Choice Choice, Scenario Scenario)
    {
        public bool IsSeed => ulong.TryParse(Name, out _);

        public string Title => IsSeed && Choice.Profile != CommandLine.Profiles[0]
            ? $"{Name} --profile={Choice.Profile}"
            : Name;
    }

    public int Run()
    {
        var executables = new Executables(
            Find(request.Bbal, "bbal", "--bbal"),
            Find(request.FakeBinder, "fake-binder", "--fake-binder"));
        var subjects = Subjects();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var progress = new Progress(error, IsTerminal);
        var all = new InOrder<(Subject Subject, RealResult Result)>
        {
            Has = index => index < subjects.Count && !Interrupted.IsCancellationRequested,
            Make = index => (subjects[(int)index], Execute(subjects[(int)index], executables)),
            IsLast = _ => false,
            TakeUp = TakeUp,
        };
        try
        {
            all.Run(Math.Min(request.Jobs, subjects.Count), progress.Every, () => progress.Show(
                () => $"{_done.Count} of {subjects.Count} scenarios, {_failed} failed, "
                    + $"{(int)clock.Elapsed.TotalSeconds} s"));
        }
        catch (SimulatorException broken) when (broken.InnerException
            is IOException or UnauthorizedAccessException or SocketException)
        {
            // No fault of the simulator's: no descriptors, no folder, no room.
            throw new IOException(
                $"this host has not what a run needs: {broken.InnerException.Message}", broken);
        }
        progress.End();
        Summarize(clock.Elapsed);
        var isWritten = request.Json is not { } file || Tool.Save(
            error, file, path => File.WriteAllBytes(path, ToJson(clock.Elapsed)));
        if (Interrupted.IsCancellationRequested && _code == Tool.Passed)
        {
            output.WriteLine("interrupted");
            return Tool.Interrupted;
        }
        output.WriteLine(_failed == 0
            ? $"passed: {_done.Count} scenarios"
            : $"FAILED: {_failed} of {_done.Count} scenarios");
        return isWritten || _code != Tool.Passed ? _code : Tool.CannotWrite;
    }

    /// <summary>An executable that was named, or the one beside this one.</summary>
    internal static string Find(string? named, string name, string option)
    {
        var path = Path.GetFullPath(named ?? Path.Combine(AppContext.BaseDirectory, name));
        if (!File.Exists(path))
        {
            throw new FormatException($"{path}: no such executable (build it, or name another "
                + $"with {option})");
        }
        return LibC.MayExecute(path)
            ? path
            : throw new FormatException($"{path}: not executable");
    }

    private List<Subject> Subjects()
    {
        if (!request.IsCorpus)
            return [Load(request.Subject, request.Choice)];
        var count = (int)request.Count!.Value;
        var subjects = Corpus.Files(request.Directory).Take(count)
            .Select(file => Load(file, request.Choice)).ToList();
        subjects.AddRange(Seeds(request).Take(count - subjects.Count)
            .Select(seed => Load(seed.Seed, seed.Choice)));
        return subjects;
    }

    /// <summary>What follows the corpus, without end.</summary>
    internal static IEnumerable<(string Seed, Choice Choice)> Seeds(Request request)
    {
        for (var n = 0; ; n++)
        {
            yield return ((FirstSeed + (ulong)n).ToString(CultureInfo.InvariantCulture),
                request.TakesProfilesInTurn
                    ? request.Choice with
                    {
                        Profile = CommandLine.Profiles[n % CommandLine.Profiles.Length],
                    }
                    : request.Choice);
        }
    }

    private Subject Load(string subject, Choice choice) =>
        new(subject, choice, Tool.Load(simulator, subject, choice));

    private RealResult Execute(Subject subject, Executables executables) => RealRun.Execute(
        RealPlan.Of(subject.Scenario, request.Choice.Virtual!.Value), executables,
        () => Interrupted.IsCancellationRequested);

    // ---- What is told ----

    private void TakeUp((Subject Subject, RealResult Result) item)
    {
        // A run that was broken off says nothing.
        if (Interrupted.IsCancellationRequested)
            return;
        _done.Add(item);
        var (subject, result) = item;
        if (result.Violation is { } violation)
        {
            _failed++;
            if (_code == Tool.Passed)
                _code = Tool.ExitCode(violation);
            Tell(subject, result, violation);
        }
        else
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"ok {result.Took.TotalSeconds,5:0.0} s  {subject.Title}: "
                + $"{Planned(subject, result)} planned; {Seen(result)}; "
                + $"{result.Plan.Nemesis}"));
        }
        output.Flush();
    }

    /// <summary>At the times of the run; it has its faults apart from its scenario.</summary>
    private static string Planned(Subject subject, RealResult result) => ScenarioText.Size(
        result.Plan.Scenario with { Faults = subject.Scenario.Faults });

    private static string Seen(RealResult result) => string.Create(CultureInfo.InvariantCulture,
        $"{result.Seen.Sent.Count} datagrams sent, {result.Seen.Got.Count} got, "
        + $"{result.Seen.Connections.Count} connections, {result.Faults.Values.Sum()} faults");

    private void Tell(Subject subject, RealResult result, Violation violation)
    {
        output.WriteLine(
            $"FAILED {subject.Title}: {violation.Check} {CheckNames.Of(violation.Check)}");
        output.WriteLine($"  rule      {CheckNames.Rule(violation.Check)}");
        output.WriteLine($"  evidence  {violation.Evidence}");
        output.WriteLine($"  at        {Chart.Time(violation.At)}");
        foreach (var other in result.Violations.Skip(1))
            output.WriteLine($"  also      {other.Check}: {other.Evidence}");
        output.WriteLine($"  seen      {Seen(result)}");
        output.WriteLine($"  nemesis   {result.Plan.Nemesis}");
        foreach (var trouble in result.Seen.Troubles.Where(one => one.From > 0).Take(LogLines))
        {
            output.WriteLine($"  trouble   {Chart.Time(result.Seen.Since(trouble.From))} "
                + (trouble.Backend >= 0 ? $"backend {trouble.Backend} " : "") + trouble.What);
        }
        var log = result.Seen.Balancer.Log;
        output.WriteLine(log.Count > 0
            ? "the last lines of its log"
            : "its log could not be read");
        foreach (var line in log.TakeLast(LogLines))
            output.WriteLine("  " + (line.Length > LogColumns ? line[..LogColumns] + "…" : line));
        output.WriteLine("to see it again");
        var options = subject.IsSeed
            ? (request with { Choice = subject.Choice }).Options
            : (request with { Choice = new Choice { Virtual = request.Choice.Virtual } }).Options;
        output.WriteLine($"  sim real {subject.Name}{options}");
    }

    private void Summarize(TimeSpan took)
    {
        Counts("faults", _done.SelectMany(one => one.Result.Faults)
            .Select(pair => (pair.Key.ToString(), pair.Value)));
        Counts("left out", _done.SelectMany(one => one.Result.Plan.LeftOut)
            .Select(pair => (pair.Key, pair.Value)));
        Counts("logs", _done.Select(
            one => (one.Result.Plan.Nemesis.Log.ToString().ToLowerInvariant(), 1)));
        if (_done.Count == 0)
            return;
        var slowest = _done.MaxBy(one => one.Result.Took);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"time      {took.TotalSeconds:0} s, {request.Jobs} at a time; the slowest "
            + $"{slowest.Subject.Title}, {slowest.Result.Took.TotalSeconds:0.0} s"));
    }

    private void Counts(string label, IEnumerable<(string Name, int Count)> counts)
    {
        var sums = counts.GroupBy(one => one.Name, StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => FormattableString.Invariant(
                $"{group.Sum(one => one.Count)} {group.Key}")).ToArray();
        output.WriteLine($"{label,-9} {(sums.Length > 0 ? string.Join(", ", sums) : "none")}");
    }

    private byte[] ToJson(TimeSpan took)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(
            bytes, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteNumber("scenarios", _done.Count);
            json.WriteNumber("failed", _failed);
            json.WriteNumber("seconds", Math.Round(took.TotalSeconds, 1));
            json.WriteStartArray("runs");
            foreach (var (subject, result) in _done)
                Write(json, subject, result);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return bytes.ToArray();
    }

    private static void Write(Utf8JsonWriter json, Subject subject, RealResult result)
    {
        json.WriteStartObject();
        json.WriteString("scenario", subject.Title);
        json.WriteNumber("seconds", Math.Round(result.Took.TotalSeconds, 1));
        json.WriteString("nemesis", result.Plan.Nemesis.ToString());
        json.WriteStartArray("violations");
        foreach (var violation in result.Violations)
        {
            json.WriteStartObject();
            json.WriteString("check", violation.Check);
            json.WriteString("evidence", violation.Evidence);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartObject("faults");
        foreach (var (kind, count) in result.Faults)
            json.WriteNumber(kind.ToString(), count);
        json.WriteEndObject();
        json.WriteStartObject("left_out");
        foreach (var (name, count) in result.Plan.LeftOut)
            json.WriteNumber(name, count);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
