// Owns the corpus: every scenario that ever found something, one file each, with what it found.
// All of them are run again and again; one that fails has come back.
//
// What always holds: a file is named after its check and its content, so adding one twice is
// adding it once.

using System;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using Simulation.Scenarios;

namespace Simulation.Commands;

internal sealed class Corpus(Simulator simulator, Request request, TextWriter output)
{
    public const string ScenarioProperty = "scenario";

    /// <summary>Adds a file; one that passes must come with what it once found.</summary>
    public int Add()
    {
        var scenario = Tool.Load(simulator, request.Subject, request.Choice);
        var violation = simulator.Run(scenario, request.Checks).Violation;
        if (violation is null && request.Found is null)
            throw new FormatException($"{request.Subject}: it passes; say with --found what it found");
        var check = violation?.Check ?? (request.Checks is [var named, ..] ? named : "");
        var text = simulator.Write(scenario);
        var hash = Convert.ToHexStringLower(
            System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..10];
        var name = $"{(check.Length == 0 ? "found" : check.ToLowerInvariant())}-{hash}.json";
        Directory.CreateDirectory(request.Directory);
        var path = Path.Combine(request.Directory, name);
        using (var file = File.Create(path))
        using (var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("check", check);
            json.WriteString("found", request.Found ?? violation!.Evidence);
            json.WritePropertyName(ScenarioProperty);
            json.WriteRawValue(text);
            json.WriteEndObject();
        }
        output.WriteLine(path);
        return Tool.Passed;
    }

    /// <summary>Runs all, in the order of their names; the first failure's exit code.</summary>
    public int Run()
    {
        var files = Directory.Exists(request.Directory)
            ? Directory.GetFiles(request.Directory, "*.json").Order(StringComparer.Ordinal).ToArray()
            : [];
        var code = Tool.Passed;
        foreach (var file in files)
        {
            var scenario = Tool.Load(simulator, file, request.Choice);
            var violation = simulator.Run(scenario, ImmutableArray<string>.Empty).Violation;
            output.WriteLine(violation is null
                ? $"passed {Path.GetFileName(file)}"
                : $"FAILED {Path.GetFileName(file)}: {Tool.Describe(violation)}");
            if (code == Tool.Passed)
                code = Tool.ExitCode(violation);
        }
        output.WriteLine($"{files.Length} scenarios");
        return code;
    }
}
