// Owns what is kept of the failures of a long run (`sim run --keep DIR`): for each the scenario, at
// first whole and in the end shrunk, in a file that replays as it is, and beside it what it came
// from: seed, commit, options, check, evidence.
//
// What always holds: a failure that was kept is found again by its seed and commit alone, and by
// its scenario without either; names of files follow from check and seed.

using System.Globalization;
using System.IO;
using System.Text.Json;
using Simulation.Checking;

namespace Simulation.Commands;

internal sealed class KeptFailures(Simulator simulator, Request request, string folder)
{
    /// <summary>A run goes on after so many failures at most: more say nothing new.</summary>
    public const int Most = 20;

    /// <summary>What tells the file about a failure from its scenario's.</summary>
    public const string Suffix = ".failure.json";

    /// <summary>Where a failure's scenario is kept.</summary>
    public string ScenarioOf(Finished failure) => Path.Combine(folder, NameOf(failure) + ".json");

    /// <summary>Keeps the scenario as it is, until it is shrunk, and where it comes from.</summary>
    public void KeepWhole(Finished failure)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(ScenarioOf(failure), simulator.Write(failure.Result.Scenario));
        KeepOrigin(failure);
    }

    /// <summary>Writes down where the scenario comes from.</summary>
    public void KeepOrigin(Finished failure)
    {
        Directory.CreateDirectory(folder);
        var violation = failure.Result.Violation;
        using var stream = File.Create(Path.Combine(folder, NameOf(failure) + Suffix));
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteNumber("seed", failure.Seed);
        json.WriteString("commit", request.Commit ?? "");
        json.WriteString("options", request.Options.Trim());
        json.WriteString("check", CheckOf(failure));
        json.WriteString("name", CheckNames.Of(CheckOf(failure)));
        json.WriteString("evidence", EvidenceOf(failure));
        json.WriteNumber("event", violation?.Event ?? 0);
        json.WriteNumber("at_nanoseconds", violation?.At.Nanoseconds ?? 0);
        json.WriteString("scenario", Path.GetFileName(ScenarioOf(failure)));
        json.WriteEndObject();
    }

    public static string CheckOf(Finished failure) =>
        failure.Result.Violation?.Check ?? "determinism";

    public static string EvidenceOf(Finished failure) =>
        failure.Result.Violation?.Evidence ?? "two runs had different hashes";

    private static string NameOf(Finished failure) => string.Create(
        CultureInfo.InvariantCulture, $"{CheckOf(failure).ToLowerInvariant()}-{failure.Seed}");
}
