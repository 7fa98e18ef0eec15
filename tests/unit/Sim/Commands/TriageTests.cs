// What long runs leave and what becomes of it: that failures are kept and the run goes on, that
// those of one cause are one group, and that a page shows them and lets nothing of a file into its
// markup.

using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using Balancer.Core;
using Simulation.Commands;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class TriageTests : IDisposable
{
    private const string FourSeeds =
        "run --seed 1 --count 4 --virtual 20s --profile calm --budget 1 --commit c0ffee ";

    private readonly string _folder = Directory.CreateTempSubdirectory("sim-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void KeptFailures_EndNoRunAndReplay()
    {
        var simulator = Failing(2, 4);
        var run = CommandRun.Of(
            $"{FourSeeds}--keep {_folder} --json {_folder}/run.json", simulator);

        Assert.Equal(1, run.Code);
        Assert.Contains("seeds     4", run.Lines);
        Assert.Equal(1, CommandRun.Of($"replay {_folder}/s3-2.json", simulator).Code);
        using var kept = JsonDocument.Parse(File.ReadAllText($"{_folder}/s3-4.failure.json"));
        Assert.Equal(4, kept.RootElement.GetProperty("seed").GetInt32());
        Assert.Equal("c0ffee", kept.RootElement.GetProperty("commit").GetString());
        Assert.Equal("--profile=calm --virtual=20s",
            kept.RootElement.GetProperty("options").GetString());
        using var result = JsonDocument.Parse(File.ReadAllText($"{_folder}/run.json"));
        Assert.Equal(2, result.RootElement.GetProperty("failures").GetInt32());

        var triage = CommandRun.Of($"triage {_folder}");

        Assert.Equal(0, triage.Code);
        Assert.Equal("1 runs, 4 seeds, 2 failures of 1 causes", triage.Lines[0]);
        Assert.Contains("2 × S3 stickiness", triage.Lines);
        Assert.Contains("  seeds     2, 4", triage.Lines);
        Assert.Contains("  commits   c0ffee", triage.Lines);
        Assert.Contains(triage.Lines, line =>
            line.StartsWith($"  replay    sim replay {_folder}/s3-", StringComparison.Ordinal));
    }

    [Fact]
    public void Failures_AreGroupedByCheckAndCause()
    {
        var groups = Triage.GroupsOf(
        [
            Left(1, "S9", "backend 5301 backs off for 3 s; it should be 1 s"),
            Left(2, "S9", "backend 5304 backs off for 11.5 s; it should be 9 s"),
            Left(3, "S9", "10.0.0.1:53 was connected to late"),
            Left(4, "S8", "backend 5301 backs off for 3 s; it should be 1 s"),
            Left(2, "S9", "backend 5304 backs off for 11.5 s; it should be 9 s"),
        ]);

        Assert.Equal([("S9", 2), ("S8", 1), ("S9", 1)],
            groups.Select(group => (group.Check, group.Failures.Length)));
        Assert.Equal("backend # backs off for # s; it should be # s", groups[0].Cause);
        Assert.Equal("ADDRESS was connected to late", groups[2].Cause);
    }

    [Fact]
    public void Page_EscapesWhatComesFromFiles()
    {
        const string Evil = "<script>alert('x')</script>&\"";
        var text = JsonSerializer.Serialize(Evil);
        File.WriteAllText($"{_folder}/a.failure.json", $$"""
            {"seed": 1, "commit": {{text}}, "options": {{text}}, "check": {{text}},
            "evidence": {{text}}, "scenario": {{text}}}
            """);
        File.WriteAllText($"{_folder}/run.json", $$"""
            {"virtual_seconds": 3600, "real_seconds": 2, "first_seed": 1, "seeds": 7,
            "profile": {{text}}, "commit": {{text}}, "finished": {{text}}, "failures": 1,
            "situations": {"A": 1, "B": 0} }
            """);

        var run = CommandRun.Of($"triage {_folder} --html {_folder}/page.html");

        Assert.Equal((0, ""), (run.Code, run.Error));
        var page = File.ReadAllText($"{_folder}/page.html");
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("&\"", page, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", page, StringComparison.Ordinal);
        Assert.Contains("1 of 2 situations", page, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme:dark", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void FileThatIsNone_CostsALineAlone()
    {
        File.WriteAllText($"{_folder}/broken.json", "{");
        File.WriteAllText($"{_folder}/other.json", "[1]");
        File.WriteAllText($"{_folder}/half.failure.json", "{}");

        var run = CommandRun.Of($"triage {_folder}");

        Assert.Equal(0, run.Code);
        Assert.Equal("0 runs, 0 seeds, 0 failures of 0 causes", run.Lines[0]);
        Assert.Equal(2, run.Error.Split("not read").Length - 1);
    }

    [Fact]
    public void FolderThatIsNotThere_IsSaid() => Assert.Equal(
        64, CommandRun.Of($"triage {_folder}/none").Code);

    private static LeftFailure Left(ulong seed, string check, string evidence) =>
        new(seed, "", "", check, evidence, "");

    private static FakeSimulator Failing(params ulong[] seeds) => new()
    {
        Fail = scenario => seeds.Contains(scenario.Seed)
            ? new Violation("S3", Instant.Zero + Duration.FromSeconds(1L), 7,
                $"{scenario.Seed} moved") : null,
    };
}
