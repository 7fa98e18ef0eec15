// Owns one run of this assembly in a process of its own, whose culture, time zone, collector and
// compiler are what a test says, and what it printed: hashes, and how it found itself to be.
//
// What always holds: nothing of the test's own environment that could set any of these is passed
// on.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using Xunit;

namespace Tests.Property.Sim;

/// <summary>What another process printed.</summary>
internal sealed record OtherProcess(
    ImmutableArray<string> Hashes, ImmutableDictionary<string, string> Settings)
{
    private static readonly string Assembly = typeof(OtherProcess).Assembly.Location;

    private static readonly Lazy<bool> Icu = new(() =>
        Start(["--seeds", "1"], hasCultures: true, []).ExitCode == 0);

    /// <summary>
    /// Whether a process can have a culture here: that needs the libicu of the system, which
    /// nothing else in this project does.
    /// </summary>
    public static bool CanHaveCultures => Icu.Value;

    public static OtherProcess Run(
        string[] arguments, bool hasCultures, Dictionary<string, string> environment)
    {
        var (exitCode, output, error) = Start(arguments, hasCultures, environment);
        Assert.True(exitCode == 0, $"the other process exited {exitCode}: {error}");
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return new OtherProcess(
            [.. lines.Where(line => !line.Contains('=', StringComparison.Ordinal))],
            lines.Where(line => line.Contains('=', StringComparison.Ordinal))
                .Select(line => line.Split('=', 2))
                .ToImmutableDictionary(pair => pair[0], pair => pair[1]));
    }

    private static (int ExitCode, string Output, string Error) Start(
        string[] arguments, bool hasCultures, Dictionary<string, string> environment)
    {
        var configuration = WriteConfiguration(hasCultures);
        try
        {
            var host = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
                ? Environment.ProcessPath! : "dotnet";
            var start = new ProcessStartInfo(host)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            foreach (var word in (string[])["exec", "--runtimeconfig", configuration, "--depsfile",
                Path.ChangeExtension(Assembly, ".deps.json"), Assembly, .. arguments])
            {
                start.ArgumentList.Add(word);
            }
            Clean(start.Environment);
            foreach (var (name, value) in environment)
                start.Environment[name] = value;
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.GetAwaiter().GetResult());
        }
        finally
        {
            File.Delete(configuration);
        }
    }

    private static void Clean(IDictionary<string, string?> environment)
    {
        foreach (var name in environment.Keys.ToList())
        {
            var isRuntimes = name.StartsWith("DOTNET_", StringComparison.Ordinal)
                && name != "DOTNET_ROOT";
            if (isRuntimes || name.StartsWith("LC_", StringComparison.Ordinal)
                || name is "LANG" or "LANGUAGE" or "TZ")
            {
                environment.Remove(name);
            }
        }
    }

    /// <summary>
    /// This assembly's own configuration, with cultures or without. What it says of the collector
    /// and the compiler is left out, so that the environment decides.
    /// </summary>
    private static string WriteConfiguration(bool hasCultures)
    {
        var own = JsonNode.Parse(
            File.ReadAllText(Path.ChangeExtension(Assembly, ".runtimeconfig.json")))!;
        var options = own["runtimeOptions"]!;
        var properties = options["configProperties"]!.AsObject();
        foreach (var name in properties.Select(property => property.Key).ToList())
        {
            if (name.StartsWith("System.GC.", StringComparison.Ordinal)
                || name.StartsWith("System.Runtime.Tiered", StringComparison.Ordinal))
            {
                properties.Remove(name);
            }
        }
        properties["System.Globalization.Invariant"] = !hasCultures;
        properties["System.Globalization.PredefinedCulturesOnly"] = false;
        var path = Path.Combine(Path.GetTempPath(), $"bbal-{Guid.NewGuid():n}.json");
        File.WriteAllText(path, own.ToJsonString());
        return path;
    }
}

/// <summary>A test of processes that have a culture.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CultureFactAttribute : FactAttribute
{
    public CultureFactAttribute()
    {
        if (!OtherProcess.CanHaveCultures)
            Skip = "no libicu here, so no process can have a culture";
    }
}
