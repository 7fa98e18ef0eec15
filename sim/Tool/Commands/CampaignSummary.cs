// Owns the sum of what seeds came to: how many, how much virtual time, how fast, the slowest, and
// what of the scenario language and of the core's reactions they have reached (L6). In text for
// people, all of it as JSON for programs.
//
// Speed is told for one core: virtual time over the time that threads spent on a processor while
// they ran seeds, so that neither other load nor the number of jobs changes it.
//
// What always holds: but for the lines "real", "speed" and "slowest", the text follows from the
// seeds alone.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using Simulation.Checking;
using Simulation.Scenarios;

namespace Simulation.Commands;

internal sealed class CampaignSummary(Request request)
{
    /// <summary>The seeds within which everything that L6 owes must have been.</summary>
    public const long SeedsForCoverage = 10_000;

    /// <summary>Asked for by name, coverage is owed as if there were so many.</summary>
    private const long SeedsOfARun = 2_000;

    private const double SeedSeconds = 300;

    private readonly Coverage _coverage = new();
    private long _events;
    private long _turns;
    private TimeSpan _onCore;
    private TimeSpan _real;
    private ulong _first;
    private (ulong Seed, TimeSpan Time) _slowest;

    public long Seeds { get; private set; }

    public double VirtualSeconds { get; private set; }

    /// <summary>What L6 owes and was not there; empty as long as it owes nothing yet.</summary>
    public ImmutableArray<string> NeverHit => OwesCoverage
        ? OwedCoverage.Missing(_coverage, Math.Max(Seeds, SeedsOfARun)) : [];

    /// <summary>
    /// Only whole scenarios owe that everything was hit, and enough of them unless it is asked for.
    /// </summary>
    private bool OwesCoverage => (Seeds >= SeedsForCoverage || request.OwesCoverage)
        && request.ScenarioWords().IsEmpty
        && (request.Checks.IsEmpty || request.Checks.Contains("L6"));

    private double PerCore => VirtualSeconds / Math.Max(1e-9, _onCore.TotalSeconds);

    public void Add(Finished finished)
    {
        Seeds++;
        VirtualSeconds += finished.Result.Time.TotalSeconds;
        _events += finished.Result.Events;
        _turns += finished.Result.Turns;
        _onCore += finished.OnCore;
        if (finished.Time > _slowest.Time)
            _slowest = (finished.Seed, finished.Time);
        _coverage.Add(finished.Coverage);
    }

    /// <summary>No more seeds follow.</summary>
    public void End(ulong first, TimeSpan real) => (_first, _real) = (first, real);

    /// <summary>
    /// What a failure is about should not have to be looked for below the tables.
    /// </summary>
    public void Write(TextWriter output, bool withCoverage)
    {
        var inReal = Number(VirtualSeconds / Math.Max(1e-9, _real.TotalSeconds));
        var seeds = (PerCore / SeedSeconds).ToString("0.0", CultureInfo.InvariantCulture);
        var real = _real.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        if (withCoverage)
            WriteCoverage(output);
        output.WriteLine($"seeds     {Number(Seeds)}");
        output.WriteLine($"virtual   {Number(VirtualSeconds)} s, {Number(_events)} events, "
            + $"{Number(_turns)} turns");
        output.WriteLine(
            $"real      {real} s with {request.Jobs} jobs, {inReal} virtual s a second");
        if (Seeds == 0)
            return;
        output.WriteLine($"speed     {Number(PerCore)} virtual s a second and {seeds} seeds of "
            + $"{SeedSeconds} virtual s a second on one core");
        output.WriteLine($"slowest   seed {_slowest.Seed}, "
            + $"{Number(_slowest.Time.TotalMilliseconds)} ms");
    }

    private static string Number(double value) =>
        value.ToString("N0", CultureInfo.InvariantCulture);

    public void WriteJson(Stream stream, int code, IReadOnlyList<Finished> failures)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteNumber("exit", code);
        json.WriteString("finished", DateTimeOffset.UtcNow.ToString(
            "yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        json.WriteString("commit", request.Commit ?? "");
        json.WriteNumber("failures", failures.Count);
        json.WriteNumber("first_seed", _first);
        json.WriteString("profile", request.Choice.Profile);
        json.WriteNumber("seeds", Seeds);
        json.WriteNumber("virtual_seconds", VirtualSeconds);
        json.WriteNumber("real_seconds", _real.TotalSeconds);
        json.WriteNumber("core_seconds", _onCore.TotalSeconds);
        json.WriteNumber("virtual_seconds_a_core_second", PerCore);
        json.WriteNumber("events", _events);
        json.WriteNumber("turns", _turns);
        json.WriteNumber("slowest_seed", _slowest.Seed);
        json.WriteNumber("slowest_seconds", _slowest.Time.TotalSeconds);
        WriteFailure(json, failures.Count > 0 ? failures[0] : null);
        WriteCoverage(json);
        json.WriteEndObject();
    }

    private static void WriteFailure(Utf8JsonWriter json, Finished? failure)
    {
        if (failure is null)
            return;
        var violation = failure.Result.Violation;
        json.WriteStartObject("failure");
        json.WriteNumber("seed", failure.Seed);
        json.WriteString("check", KeptFailures.CheckOf(failure));
        json.WriteNumber("event", violation?.Event ?? 0);
        json.WriteNumber("at_nanoseconds", violation?.At.Nanoseconds ?? 0);
        json.WriteString("evidence", KeptFailures.EvidenceOf(failure));
        json.WriteEndObject();
    }

    // ---- Coverage ----

    private void WriteCoverage(TextWriter output)
    {
        var faults = new List<string>();
        for (var i = 0; i < Coverage.FaultNames.Length; i++)
        {
            faults.Add(Cell(
                Coverage.FaultNames[i], _coverage.Faults(i), _coverage.ReactionsAfter(i)));
        }
        WriteColumns(output, "faults: how often; how many different reactions came after", faults);
        var reactions = new List<string>();
        for (var i = 0; i < Coverage.ReactionNames.Length; i++)
        {
            if (_coverage.Reaction(i) > 0)
            {
                reactions.Add(Cell(
                    Coverage.ReactionNames[i], _coverage.Reaction(i), _coverage.FaultsBefore(i)));
            }
        }
        WriteColumns(output, "reactions: how often; how many different faults came before",
            reactions);
        WriteSituations(output);
        WriteNever(output, "never, and owed within 10,000 seeds", name => name is null);
        WriteNever(output, "never, and not owed", name => name is not null);
    }

    private void WriteSituations(TextWriter output)
    {
        var cells = new List<string>();
        for (var i = 0; i < Coverage.SituationNames.Length; i++)
        {
            cells.Add(string.Create(CultureInfo.InvariantCulture,
                $"{Coverage.SituationNames[i],-30}{_coverage.Situations(i),12:N0}    "));
        }
        WriteColumns(output, "situations: how often", cells);
    }

    private void WriteNever(TextWriter output, string title, Func<string?, bool> isExcused)
    {
        var names = Coverage.ReactionNames.Where((name, i) =>
            _coverage.Reaction(i) == 0 && isExcused(OwedCoverage.Excuse(name))).ToArray();
        if (names.Length == 0)
            return;
        output.WriteLine(title);
        foreach (var line in names.Chunk(3))
            output.WriteLine("  " + string.Join(", ", line));
    }

    private static string Cell(string name, long times, int others) => string.Create(
        CultureInfo.InvariantCulture, $"{name,-30}{times,12:N0}{others,4}");

    /// <summary>Two columns, to be read downwards.</summary>
    private static void WriteColumns(TextWriter output, string title, List<string> cells)
    {
        output.WriteLine(title);
        var rows = (cells.Count + 1) / 2;
        for (var i = 0; i < rows; i++)
        {
            output.WriteLine("  " + cells[i]
                + (rows + i < cells.Count ? "   " + cells[rows + i] : ""));
        }
    }

    private void WriteCoverage(Utf8JsonWriter json)
    {
        json.WriteStartObject("faults");
        for (var i = 0; i < Coverage.FaultNames.Length; i++)
            json.WriteNumber(Coverage.FaultNames[i], _coverage.Faults(i));
        json.WriteEndObject();
        json.WriteStartObject("reactions");
        for (var i = 0; i < Coverage.ReactionNames.Length; i++)
            json.WriteNumber(Coverage.ReactionNames[i], _coverage.Reaction(i));
        json.WriteEndObject();
        json.WriteStartObject("situations");
        for (var i = 0; i < Coverage.SituationNames.Length; i++)
            json.WriteNumber(Coverage.SituationNames[i], _coverage.Situations(i));
        json.WriteEndObject();
        json.WriteStartObject("reactions_after_faults");
        for (var fault = 0; fault < Coverage.FaultNames.Length; fault++)
        {
            json.WriteStartObject(Coverage.FaultNames[fault]);
            for (var i = 0; i < Coverage.ReactionNames.Length; i++)
            {
                if (_coverage.Pair(fault, i) > 0)
                    json.WriteNumber(Coverage.ReactionNames[i], _coverage.Pair(fault, i));
            }
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteStartArray("owed_and_missing");
        foreach (var what in NeverHit)
            json.WriteStringValue(what);
        json.WriteEndArray();
    }
}
