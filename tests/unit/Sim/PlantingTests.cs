// `sim plant` without a planted build: the table and the core's enum are the same bugs, a trial's
// blocks are disjoint and counted as they are told, and wrong arguments are complained about.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Simulation.Checking;
using Simulation.Planting;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class PlantingTests
{
    // ---- The table ----

    [Fact]
    public void Table_IsTheCoresEnum()
    {
        var planted = Regex.Matches(File.ReadAllText(PlantsFile()),
            @"^    (\w+) = ([1-9][0-9]*),$", RegexOptions.Multiline)
            .Select(match => $"{match.Groups[2].Value} {match.Groups[1].Value}");

        Assert.Equal(planted, PlantedBug.All.Select(bug => $"{bug.Number} {bug.Name}"));
    }

    [Fact]
    public void Table_HasThePlansTwentyAndTenMore()
    {
        Assert.Equal(Enumerable.Range(1, PlantedBug.All.Length),
            PlantedBug.All.Select(bug => bug.Number));
        Assert.True(PlantedBug.All.Length >= 30);
    }

    [Fact]
    public void Bugs_NameChecksThatExist() => Assert.All(PlantedBug.All, bug =>
        Assert.True(bug.Check == "S13" || CheckSet.Ids.Contains(bug.Check), bug.Name));

    [Fact]
    public void EachBug_IsAskedForInTheCore()
    {
        var core = Directory.EnumerateFiles(Path.GetDirectoryName(PlantsFile())!, "*.cs")
            .Where(path => Path.GetFileName(path) != "Plants.cs")
            .Select(File.ReadAllText).ToList();

        Assert.All(PlantedBug.All, bug => Assert.Contains(core,
            text => Regex.IsMatch(text, $@"Plants\.(Is|Kill)\(Plant\.{bug.Name}\)")));
    }

    [Theory]
    [InlineData("2", 2)]
    [InlineData("ReplyPortCut", 2)]
    [InlineData("replyportcut", 2)]
    public void Find_TakesNumbersAndNames(string id, int number) =>
        Assert.Equal(number, PlantedBug.Find(id)?.Number);

    [Theory]
    [InlineData("0")]
    [InlineData("02")]
    [InlineData("nothing")]
    [InlineData("")]
    public void Find_KnowsNoOthers(string id) => Assert.Null(PlantedBug.Find(id));

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
            return seed is 7 or 8 or 15;
        }, _ => { });

        Assert.Equal([3, 0, 1], outcome.SeedsToCatch.ToArray());
        ulong[] expected = [5, 6, 7, 10, 11, 12, 13, 14, 15];
        Assert.Equal(expected, ran.Order());
        Assert.Equal(2, outcome.Found);
        Assert.Equal(3, outcome.Median);
    }

    [Fact]
    public void Trial_TellsEachBlockOnce()
    {
        var told = new ConcurrentBag<int>();

        BlockTrial.Run(20, 2, 1, 4, _ => false, told.Add);

        Assert.Equal(Enumerable.Range(1, 20), told.Order());
    }

    [Fact]
    public void Trial_WhoseRunThrows_Throws() => Assert.Throws<InvalidOperationException>(() =>
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
    public void BlocksThatDidNotCatch_AreTheSlowestForTheMedian()
    {
        Assert.Equal(9, Outcome([0, 9, 2]).Median);
        Assert.Equal(2, Outcome([0, 2, 2, 0]).Median);
        Assert.Null(Outcome([0, 9, 0]).Median);
    }

    // ---- The command ----

    [Fact]
    public void List_HasEveryBug()
    {
        var (status, output, _) = Run("list");

        Assert.Equal(0, status);
        Assert.All(PlantedBug.All, bug => Assert.Contains(bug.Name, output));
    }

    [Theory]
    [InlineData]
    [InlineData("grow")]
    [InlineData("list", "--seeds", "3")]
    [InlineData("run")]
    [InlineData("run", "nothing")]
    [InlineData("run", "2", "--seeds")]
    [InlineData("run", "2", "--seeds", "0")]
    [InlineData("run", "2", "--blocks", "10")]
    [InlineData("all", "--blocks", "-1")]
    [InlineData("all", "--only", "2,nothing")]
    [InlineData("all", "--without-check", "S99")]
    [InlineData("all", "--without-fault", "nothing")]
    public void WrongArguments_AreAnUsageError(params string[] arguments)
    {
        var (status, output, error) = Run(arguments);

        Assert.Equal(64, status);
        Assert.Empty(output);
        Assert.StartsWith("sim: ", error);
    }

    [Fact]
    public void Arguments_AreTaken()
    {
        var options = PlantOptions.TryParse(["all", "--blocks", "7", "--first", "900",
            "--only", "2,StuckNeverCleared", "--jobs", "3", "--without-check", "s6,L1",
            "--without-fault", "udp,script"], out _);

        Assert.NotNull(options);
        Assert.Equal(7, options.Blocks);
        Assert.Equal(900ul, options.First);
        Assert.Equal([2, 19], options.Bugs.Select(bug => bug.Number));
        Assert.Equal(3, options.Jobs);
        Assert.Equal(["S6", "L1"], options.WithoutChecks);
        Assert.Equal(["udp", "script"], options.WithoutFaults);
    }

    private static (int Status, string Output, string Error) Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var status = PlantCommand.Run(arguments, output, error);
        return (status, output.ToString(), error.ToString());
    }

    private static TrialOutcome Outcome(IEnumerable<int> seedsToCatch) =>
        new(10, [.. seedsToCatch], TimeSpan.Zero);

    private static string PlantsFile()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "Balancer.sln")))
        {
            at = Path.GetDirectoryName(at) ?? throw new InvalidOperationException(
                $"no Balancer.sln above {AppContext.BaseDirectory}");
        }
        return Path.Combine(at, "src", "Balancer.Core", "Plants.cs");
    }
}
