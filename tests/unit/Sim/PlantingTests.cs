// What `sim plant` does with bugs, whatever they are: a trial's blocks are disjoint and counted as
// they are run, the ablation calls escaped what nothing else finds, and wrong arguments are
// complained about in one line.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Simulation.Checking;
using Simulation.Commands;
using Simulation.Planting;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class PlantingTests
{
    private static readonly PlantedBug Bug =
        new(2, "reply-port-cut", "S5", 20, "a reply's port is cut to 16 bits", null);

    // ---- The bugs ----

    [Theory]
    [InlineData("2", 2)]
    [InlineData("reply-port-cut", 2)]
    [InlineData("Reply-Port-Cut", 2)]
    [InlineData("none", 0)]
    public void Find_TakesNumbersAndNames(string id, int number) =>
        Assert.Equal(number, PlantedBug.Find([Bug], id)?.Number);

    [Theory]
    [InlineData("0")]
    [InlineData("02")]
    [InlineData("2 ")]
    [InlineData("nothing")]
    [InlineData("")]
    public void Find_KnowsNoOthers(string id) => Assert.Null(PlantedBug.Find([Bug], id));

    /// <summary>What docs/simulator.md shows of a failure is what its command prints.</summary>
    [Fact]
    public void FailingSeedOfTheDocument_FailsAsItIsShown()
    {
        var page = File.ReadAllText(
            Path.Combine(ArchitectureTests.Root, "docs", "simulator.md"));
        var shown = page.Split("```").Single(block => block.StartsWith(
            "\nsim run --seed", StringComparison.Ordinal)).Trim('\n').Split('\n');
        var folder = Directory.CreateTempSubdirectory("sim-");

        using var host = Process.Start(new ProcessStartInfo("dotnet",
            [typeof(PlantTool).Assembly.Location, .. shown[0].Split(' ')[1..],
                "-o", Path.Combine(folder.FullName, "small.json")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = ArchitectureTests.Root,
        })!;
        host.ErrorDataReceived += (_, _) => { };
        host.BeginErrorReadLine();
        var lines = host.StandardOutput.ReadToEnd().Split('\n');
        host.WaitForExit();
        folder.Delete(recursive: true);

        Assert.Equal(1, host.ExitCode);
        Assert.Empty(shown[1..].Where(line => line is not ("" or "...")).Except(lines));
    }

    // ---- The trial ----

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Trial_StopsEachBlockAtItsFirstCatch(int threads)
    {
        var ran = new ConcurrentBag<ulong>();

        // Blocks 5–9, 10–14, 15–19: caught at 7, never, at 15.
        var outcome = BlockTrial.Run(3, 5, 5, threads, seed =>
        {
            ran.Add(seed);
            return seed is 7 or 8 or 15 ? "S1" : null;
        }, _ => { });

        Assert.Equal([3, 0, 1], outcome.Blocks.Select(block => block.Seeds));
        ulong[] expected = [5, 6, 7, 10, 11, 12, 13, 14, 15];
        Assert.Equal(expected, ran.Order());
        Assert.Equal(2, outcome.Found);
        Assert.Equal(3, outcome.Median);
    }

    [Fact]
    public void Trial_TellsEachBlockOnce()
    {
        var logged = new ConcurrentBag<int>();

        BlockTrial.Run(20, 2, 1, 4, _ => null, logged.Add);

        Assert.Equal(Enumerable.Range(1, 20), logged.Order());
    }

    [Fact]
    public void Trial_WhoseRunThrows_Throws() => Assert.ThrowsAny<Exception>(() =>
        BlockTrial.Run(10, 1, 1, 2, _ => throw new FormatException("no"), _ => { }));

    [Theory]
    [InlineData(100, 99, true)]
    [InlineData(100, 98, false)]
    [InlineData(10, 10, true)]
    [InlineData(10, 9, false)]
    [InlineData(1, 0, false)]
    public void NinetyNineOfAHundred_AreEnough(int blocks, int found, bool isEnough) =>
        Assert.Equal(isEnough, Outcome(Enumerable.Range(0, blocks).Select(i => i < found ? 1 : 0))
            .IsEnough);

    [Fact]
    public void CheckThatFoundMost_IsNamed()
    {
        Assert.Equal("S2", new TrialOutcome(
            10, [new(1, "S9"), default, new(2, "S2"), new(3, "S2")], TimeSpan.Zero).MostlyBy);
        Assert.Equal("", Outcome([0, 0]).MostlyBy);
    }

    [Fact]
    public void BlocksThatDidNotCatch_AreTheSlowestForTheMedian()
    {
        Assert.Equal(9, Outcome([0, 9, 2]).Median);
        Assert.Equal(2, Outcome([0, 2, 2, 0]).Median);
        Assert.Null(Outcome([0, 9, 0]).Median);
    }

    // ---- The ablation ----

    [Fact]
    public void BugThatAnotherCheckFinds_DoesNotEscape()
    {
        var ablation = Ablate((_, seed, _) => seed == 3 ? "S1" : seed == 5 ? "S2" : null);

        Assert.Empty(ablation.EscapingWithout(Check("S1")));
    }

    [Fact]
    public void BugThatOneCheckFinds_EscapesWithoutIt()
    {
        var ablation = Ablate((_, seed, without) =>
            seed == 3 && !without.Checks.Contains("S1") ? "S1" : null);

        Assert.Equal([2], ablation.EscapingWithout(Check("S1")).Select(bug => bug.Number));
        Assert.Empty(ablation.EscapingWithout(Check("S2")));
    }

    [Fact]
    public void BugThatAnotherCheckFindsLater_DoesNotEscape()
    {
        // Another check finds it in a seed that is not among those found first.
        var ablation = Ablate((_, seed, without) => without.Checks.Contains("S1")
            ? seed == 20 ? "S12" : null
            : seed <= 5 ? "S1" : null);

        Assert.Empty(ablation.EscapingWithout(Check("S1")));
    }

    [Fact]
    public void BugThatNeedsAFault_EscapesWithoutIt()
    {
        var ablation = Ablate(
            (_, seed, without) => seed == 2 && without.Faults.IsEmpty ? "S1" : null);

        Assert.Equal([2],
            ablation.EscapingWithout(new LeftOut("udp", [], ["udp"])).Select(bug => bug.Number));
    }

    [Fact]
    public void BugThatNothingFinds_IsListedApart()
    {
        var ablation = Ablate((_, _, _) => null);

        Assert.Equal([2], ablation.NeverFound.Select(bug => bug.Number));
        Assert.Empty(ablation.EscapingWithout(Check("S1")));
    }

    [Fact]
    public void Everything_IsEachCheckAndEachClass()
    {
        var names = Ablation.Everything(CheckSet.Ids.Append("S13")).Select(one => one.Name)
            .ToList();

        Assert.Equal(["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12",
            "S13", "S14", "S15", "S16", "S17", "S18", "S19"], names.Take(19));
        Assert.Equal(
            ["backend", "udp", "kernel", "stream", "directory", "clock", "operator", "script"],
            names.Where(name => char.IsLower(name[0])));
    }

    // ---- The command ----

    [Fact]
    public void List_HasEveryBug()
    {
        var (status, output, _) = Run("plant list");

        Assert.Equal(0, status);
        Assert.Contains("  2  reply-port-cut                  S5      500  a reply's port", output);
        Assert.True(output.TrimEnd().Split('\n').Length > 70, output);
    }

    [Theory]
    [InlineData("plant")]
    [InlineData("plant grow")]
    [InlineData("plant list --seeds 3")]
    [InlineData("plant run")]
    [InlineData("plant run nothing")]
    [InlineData("plant run 0")]
    [InlineData("plant run 2 --seeds")]
    [InlineData("plant run 2 --seeds 0")]
    [InlineData("plant run 2 --blocks 10")]
    [InlineData("plant all --blocks -1")]
    [InlineData("plant all --bugs 2,nothing")]
    [InlineData("plant all --bugs none")]
    [InlineData("plant all --without-check S99")]
    [InlineData("plant all --without nothing")]
    [InlineData("plant ablate --without udp")]
    [InlineData("plant try")]
    [InlineData("plant try nowhere.patch")]
    [InlineData("plant try nowhere.patch --blocks 3")]
    [InlineData("plant try nowhere.patch --check S99")]
    [InlineData("plant try nowhere.patch --profile wild")]
    [InlineData("replay 1 --plant nothing")]
    [InlineData("replay 1 --plant")]
    [InlineData("det --plant 5")]
    public void WrongArguments_AreOneLine(string arguments)
    {
        var (status, output, error) = Run(arguments);

        Assert.Equal(64, status);
        Assert.Empty(output);
        Assert.StartsWith("sim: ", error);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Fact]
    public void Arguments_AreTaken()
    {
        var plant = CommandLine.Parse(["plant", "all", "--blocks", "7", "--seed", "900", "--bugs",
            "2,stuck-never-cleared", "--jobs", "3", "--without-check", "s6,L1", "--without",
            "udp,script"]).Request!.Plant!;

        Assert.Equal(PlantAction.All, plant.Action);
        Assert.Equal(7, plant.Blocks);
        Assert.Equal(900ul, plant.First);
        Assert.Equal(["2", "stuck-never-cleared"], plant.Bugs.ToArray());
        Assert.Equal(3, plant.Jobs);
        Assert.Equal(["S6", "L1"], plant.WithoutChecks.ToArray());
        Assert.Equal(["udp", "script"], plant.WithoutFaults.ToArray());
    }

    [Fact]
    public void LeftOutArguments_HaveTheirDefaults()
    {
        var all = CommandLine.Parse(["plant", "all"]).Request!.Plant!;
        var run = CommandLine.Parse(["plant", "run", "13"]).Request!.Plant!;

        Assert.Equal((100, 1ul), (all.Blocks, all.First));
        Assert.Empty(all.Bugs);
        Assert.False(all.LeavesOut);
        Assert.Equal(["13"], run.Bugs.ToArray());
        Assert.Null(run.Seeds);
        Assert.Equal(1, CommandLine.Parse(["plant", "ablate"]).Request!.Plant!.Blocks);
    }

    [Fact]
    public void PlantedBug_IsAmongTheOptionsThatRepeatARun() => Assert.Equal(" --plant=5",
        CommandLine.Parse(["replay", "1", "--plant", "5"]).Request!.Options);

    [Fact]
    public void ArgumentsOfTry_AreTaken()
    {
        var request = CommandLine.Parse(["plant", "try", "x.patch", "--seeds", "7"])
            .Request!.Plant!;

        Assert.Equal(("x.patch", 7, "swarm"), (request.File, request.Seeds, request.Profile));
        Assert.Equal("tcp", CommandLine.Parse(["plant", "try", "x.patch", "--profile", "tcp"])
            .Request!.Plant!.Profile);
    }

    // ---- What it prints ----

    [Fact]
    public void TableOfTrials_NamesWhoFallsShort()
    {
        using var output = new StringWriter();
        var request = new PlantRequest();
        var outcome = new TrialOutcome(20, [new(3, "S5"), default], TimeSpan.FromSeconds(2));
        PlantReport.TrialsHead(output, request);
        PlantReport.Trial(output, request, Bug, outcome);
        PlantReport.Missed(output, request, [(Bug, outcome)]);

        Assert.Equal("""
         id  bug                             check     budget     found  median    time
          2  reply-port-cut                  S5            20       1/2       3     2 s  falls short
        fall short: 2 reply-port-cut (1 found)

        """, output.ToString());
    }

    [Fact]
    public void TableOfTrialsWithoutSomething_NamesWhoEscapes()
    {
        using var output = new StringWriter();
        var request = new PlantRequest { WithoutChecks = ["S5"], WithoutFaults = ["udp"] };
        PlantReport.TrialsHead(output, request);
        PlantReport.Trial(output, request, Bug,
            new TrialOutcome(20, [new(3, "S1")], TimeSpan.Zero));
        PlantReport.Missed(output, request, []);

        Assert.Equal("""
            without S5, udp
             id  bug                             mostly by budget     found  median    time
              2  reply-port-cut                  S1            20       1/1       3     0 s
            nothing escapes

            """, output.ToString());
    }

    private static LeftOut Check(string id) => new(id, [id], []);

    private static Ablation Ablate(Func<PlantedBug, ulong, LeftOut, string?> findsBy)
    {
        var request = new PlantRequest { Blocks = 2, Jobs = 2 };
        var ablation = new Ablation([Bug], request, findsBy, _ => { });
        ablation.FindAll();
        return ablation;
    }

    private static (int Status, string Output, string Error) Run(string arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var status = new PlantTool(output, error).Main(arguments.Split(' '));
        return (status, output.ToString(), error.ToString());
    }

    private static TrialOutcome Outcome(IEnumerable<int> seedsToCatch) =>
        new(10, [.. seedsToCatch.Select(seeds => new BlockOutcome(seeds, "S1"))], TimeSpan.Zero);
}
