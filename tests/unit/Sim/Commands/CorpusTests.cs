// `sim corpus`: what is added is run for ever, under a name of its own, and an empty corpus is no
// pass.

using System;
using System.IO;
using System.Text.Json;
using Balancer.Core;
using Simulation.Commands;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class CorpusTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sim-").FullName;

    private string Corpus => Path.Combine(_folder, "corpus");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Added_HasItsCheckInItsNameAndItsSeedInIt()
    {
        var run = Add(Failing("S3"));

        Assert.Equal(0, run.Code);
        var file = run.Output.Trim();
        Assert.Matches("^s3-[0-9a-f]{10}\\.json$", Path.GetFileName(file));
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        Assert.Equal("S3", json.RootElement.GetProperty("check").GetString());
        Assert.Equal("it moved", json.RootElement.GetProperty("found").GetString());
        Assert.Equal("18446744073709551615", json.RootElement.GetProperty("seed").GetRawText());
        Assert.Equal(file, Add(Failing("S3")).Output.Trim());
        Assert.Single(Directory.GetFiles(Corpus));
    }

    [Fact]
    public void PassingOne_NeedsWhatItFound()
    {
        Assert.Equal(64, Add(new RealSimulator()).Code);
        Assert.False(Directory.Exists(Corpus));

        var run = Add(new RealSimulator(), " --found flapping --check S9");

        Assert.StartsWith("s9-", Path.GetFileName(run.Output), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Run_PassesOrTellsWhichCameBack(int jobs)
    {
        Add(Failing("L1"));
        var command = $"corpus run --directory {Corpus} --jobs {jobs}";

        Assert.Equal(0, CommandRun.Of(command).Code);
        Assert.Equal("passed: 1 scenarios\n", CommandRun.Of(command).Output);
        var back = CommandRun.Of(command, Failing("L1"));
        Assert.Equal(2, back.Code);
        Assert.Matches("^FAILED .*l1-[0-9a-f]{10}\\.json: L1 .*: it moved\n", back.Output);
        Assert.EndsWith("FAILED: 1 of 1 scenarios\n", back.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void EmptyFolder_DoesNotPass()
    {
        Directory.CreateDirectory(Corpus);
        var run = CommandRun.Of($"corpus run --directory {Corpus}");

        Assert.Equal(64, run.Code);
        Assert.Equal($"sim: {Corpus}: no scenario is there\n", run.Error);
        Assert.Empty(run.Output);
    }

    [Fact]
    public void FileThatIsNotAScenario_IsNotPassedOver()
    {
        Add(Failing("L1"));
        File.WriteAllText(Path.Combine(Corpus, "a.json"), "{}");

        var run = CommandRun.Of($"corpus run --directory {Corpus}");

        Assert.Equal(64, run.Code);
        Assert.Contains("a.json", run.Error, StringComparison.Ordinal);
    }

    private CommandRun Add(Simulator simulator, string more = "")
    {
        var real = new RealSimulator();
        var scenario = real.Generate(1, new Choice
        {
            Profile = "calm",
            Virtual = Duration.FromSeconds(30L),
        }) with
        { Seed = ulong.MaxValue };
        var file = Path.Combine(_folder, "scenario.json");
        File.WriteAllText(file, real.Write(scenario));
        return CommandRun.Of($"corpus add {file} --directory {Corpus}{more}", simulator);
    }

    private static FakeSimulator Failing(string check) => new()
    {
        Fail = _ => new Violation(check, new Instant(12_345_000_000), 4711, "it moved"),
    };
}
