// The built executable as a user meets it: help, wrong usage, the exit codes that a sound tree has,
// progress in a pipe, Ctrl-C, and the same bytes for the same seed.

using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Simulator;

public sealed class CommandTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Help_NamesEveryCommand()
    {
        var (code, lines, _) = Sim("--help");

        Assert.Equal(0, code);
        foreach (var verb in (string[])["run", "replay", "shrink", "show", "det", "corpus"])
        {
            Assert.Contains(lines, line => line.StartsWith(
                $"  {verb}", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("--seed", "run --seed -1")]
    [InlineData("--check", "run --check S99")]
    [InlineData("frobnicate", "frobnicate")]
    [InlineData("no-such-file.json", "replay no-such-file.json")]
    [InlineData("no scenario is there", "corpus run --directory FOLDER")]
    public void WrongUsage_IsOneLineThatNamesItAnd64(string named, string arguments)
    {
        var (code, lines, errors) = Sim(
            arguments.Replace("FOLDER", _folder.FullName, StringComparison.Ordinal));

        Assert.Equal(64, code);
        Assert.Empty(lines);
        var line = Assert.Single(errors);
        Assert.StartsWith("sim: ", line, StringComparison.Ordinal);
        Assert.Contains(named, line, StringComparison.Ordinal);
    }

    [Fact]
    public void SeedsThatPass_Are0WithTheirSpeed()
    {
        var json = _folder["result.json"];
        var (code, lines, _) = Sim($"run --seed 1 --count 20 --profile calm --json {json}");

        Assert.Equal(0, code);
        Assert.Equal("passed", lines[^1]);
        Assert.Contains(lines, line => line.StartsWith("speed ", StringComparison.Ordinal)
            && line.EndsWith("on one core", StringComparison.Ordinal));
        using var result = JsonDocument.Parse(File.ReadAllText(json));
        Assert.Equal(20, result.RootElement.GetProperty("seeds").GetInt32());
    }

    [Fact]
    public void SameSeed_HasTheSameTrace()
    {
        var first = Sim("replay 3 --profile restart --trace").Lines;

        Assert.Equal(first, Sim("replay 3 --profile restart --trace").Lines);
        Assert.Contains(first[^1].Split(' ')[^1], Sim("replay 3 --profile restart").Lines[^1],
            StringComparison.Ordinal);
    }

    [Fact]
    public void TwoProcesses_ComeToTheSame()
    {
        var (code, lines, _) = Sim("det --seed 5 --seeds 5 --profile restart --virtual 60s");

        Assert.Equal(0, code);
        Assert.Equal(["passed: 5 seeds came to the same in two processes"], lines);
    }

    [Fact]
    public void Added_IsInTheCorpusOfTheFolder()
    {
        var corpus = Directory.CreateDirectory(_folder["sim/corpus"]).FullName;
        Assert.Equal(0, Sim($"corpus add 3 --found flapping --check S9 --directory {corpus}").Code);

        Assert.StartsWith("s9-", Path.GetFileName(Directory.GetFiles(corpus).Single()),
            StringComparison.Ordinal);
        using var run = new ManagedProcess(
            "/bin/sh", ["-c", $"cd {corpus} && exec {Places.Sim} corpus run"]);
        Assert.Equal(0, run.WaitForExit(60));
        Assert.Equal("passed: 1 scenarios", run.Lines[^1]);
    }

    [Fact]
    public void CtrlC_EndsARunWithItsSummaryAnd130()
    {
        using var sim = new ManagedProcess(Places.Sim,
            ["run", "--seed", "1", "--time", "10m", "--jobs", "1", "--profile", "calm"]);
        sim.WaitForLine(line => line == "seeds from 1, profile calm", "the first line");
        // A line of progress, since this is no terminal: there are seeds to sum up.
        Eventually.Gives(
            () => sim.Errors is [var first, ..] ? first : null, "a line of progress");
        sim.Signal(Posix.SigInt);

        Assert.Equal(130, sim.WaitForExit(60));
        Assert.Equal("interrupted", sim.Lines[^1]);
        Assert.Contains(sim.Lines, line => line.StartsWith("virtual ", StringComparison.Ordinal));
        Assert.All(sim.Errors, line => Assert.Matches(
            "^[0-9,]+ seeds, [0-9.]+/s, [0-9,]+ virtual s/s, no failure, [0-9]+:[0-9]{2} left$",
            line));
    }

    private static (int Code, string[] Lines, string[] Errors) Sim(string arguments)
    {
        using var sim = new ManagedProcess(Places.Sim, arguments.Split(' '));
        var code = sim.WaitForExit(60);
        return (code, [.. sim.Lines], [.. sim.Errors]);
    }
}
