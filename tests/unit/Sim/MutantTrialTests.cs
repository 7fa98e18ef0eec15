// How `sim mutate` tries mutants and tells what came of it: which seeds a mutant is tried with,
// what counts for the score, what its list of survivors may say, and a small file from end to end.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using Microsoft.CodeAnalysis.Text;
using Simulation.Commands;
using Simulation.Planting;
using Simulation.Planting.Mutants;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class MutantTrialTests
{
    private const string Head = "file\tmember\toriginal\tmutated\tnth\tword\twhy\n";

    // ---- The seeds ----

    [Fact]
    public void Plan_HasSeedsThatReach_ShortestFirst()
    {
        var pool = new SeedPool([Seed(1, 30, 1), Seed(2, 10, 2), Seed(3, 20, 1, 2)]);

        Assert.Equal([3ul, 1], pool.PlanFor(1, 5).Select(one => one.Seed));
        Assert.Equal([2ul, 3], pool.PlanFor(2, 5).Select(one => one.Seed));
        Assert.Equal([2ul, 3, 1], pool.PlanFor(0, 5).Select(one => one.Seed));
        Assert.Empty(pool.PlanFor(9, 5));
    }

    [Fact]
    public void PlanThatCannotHaveAll_HasTheShortestAndSomeOfEveryLength()
    {
        var pool = new SeedPool(Enumerable.Range(1, 100).Select(n => Seed((ulong)n, n, 1)));

        Assert.Equal([1ul, 2, 18, 35, 51, 68, 84], pool.PlanFor(1, 7).Select(one => one.Seed));
    }

    [Fact]
    public void SeedThatTheCoreFails_IsLeftOut()
    {
        var failing = Seed(1, 10, 1);

        Assert.Equal(1, new SeedPool(
            [failing with { Run = failing.Run with { Check = "S1" } }, Seed(2, 10, 1)]).Count);
    }

    [Fact]
    public void BeginningsOfTheOrder_AreSpreadEvenly()
    {
        var order = MutantTrials.Spread(1000);

        Assert.Equal(Enumerable.Range(0, 1000), order.Order());
        // Of each tenth of all, a tenth of the first hundred, one more or less.
        Assert.All(order.Take(100).GroupBy(n => n / 100),
            group => Assert.InRange(group.Count(), 9, 11));
    }

    // ---- The score ----

    [Fact]
    public void Score_LeavesOutWhatIsExcusedAndWhatWasNotTried()
    {
        var sum = MutantSum.Of([
            Outcome(MutantVerdict.Killed), Outcome(MutantVerdict.Killed),
            Outcome(MutantVerdict.Killed), Outcome(MutantVerdict.Survived, "open"),
            Outcome(MutantVerdict.NotReached), Outcome(MutantVerdict.Survived, "equivalent"),
            Outcome(MutantVerdict.NotReached, "speed"), Outcome(MutantVerdict.NotTried)]);

        Assert.Equal((3, 1, 1, 2, 1, 8), (sum.Killed, sum.Survived, sum.NotReached, sum.Excused,
            sum.NotTried, sum.All));
        Assert.Equal(60, sum.Score);
    }

    [Fact]
    public void KilledMutant_IsKilled_WhateverTheListSays() => Assert.Equal(
        1, MutantSum.Of([Outcome(MutantVerdict.Killed, "equivalent")]).Killed);

    // ---- The list of survivors ----

    [Fact]
    public void List_IsReadAsItIsWritten()
    {
        const string Text = Head + "A.cs\tA.F\ta < b\ta <= b\t2\tspeed\ta turn more\n";

        var survivors = Survivors.Parse(Text);

        Assert.Equal("a turn more",
            survivors.Find(new MutantKey("A.cs", "A.F", "a < b", "a <= b", 2))?.Why);
        Assert.Null(survivors.Find(new MutantKey("A.cs", "A.F", "a < b", "a <= b", 1)));
        Assert.Equal(Text, Survivors.Write(survivors.Rows));
    }

    [Theory]
    [InlineData("", "line")]
    [InlineData(Head + "A.cs\tA.F\ta\tb\t1\tspeed\n", "line 2")]
    [InlineData(Head + "A.cs\tA.F\ta\tb\t1\tfast\t\n", "line 2")]
    [InlineData(Head + "A.cs\tA.F\ta\tb\tone\tspeed\t\n", "line 2")]
    [InlineData(Head + "A\tF\ta\tb\t1\tspeed\t\nA\tF\ta\tb\t1\topen\t\n", "line 3")]
    public void ListThatIsWrong_IsComplainedAbout(string text, string where) => Assert.Contains(
        where, Assert.Throws<FormatException>(() => Survivors.Parse(text)).Message);

    // ---- The command ----

    [Fact]
    public void Arguments_AreTaken()
    {
        var mutate = CommandLine.Parse(["mutate", "--files", "A.cs,B.cs", "--time", "30m",
            "--seed", "7", "--count", "20", "--tries", "3", "--least", "80", "--jobs", "2"])
            .Request!.Mutate!;

        Assert.Equal(["A.cs", "B.cs"], mutate.Files.ToArray());
        Assert.Equal((TimeSpan.FromMinutes(30), 7ul, 20, 3, 80, 2), (mutate.Time, mutate.First,
            mutate.Count, mutate.Tries, mutate.Least, mutate.Jobs));
    }

    [Theory]
    [InlineData("mutate --files Nothing.cs")]
    [InlineData("mutate --files Limits.cs")]
    [InlineData("mutate --least 101")]
    [InlineData("mutate --tries 0")]
    [InlineData("mutate 5")]
    public void WrongArguments_AreOneLine(string arguments)
    {
        var (status, output, error) = Run(arguments);

        Assert.Equal(64, status);
        Assert.Empty(output);
        Assert.StartsWith("sim: ", error);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Fact]
    public void SmallFile_IsTriedFromEndToEnd()
    {
        var folder = Directory.CreateTempSubdirectory("sim-");
        var json = Path.Combine(folder.FullName, "all.json");
        var rows = Path.Combine(folder.FullName, "rows.tsv");

        var (status, output, error) = Run("mutate --files Newcomers.cs --count 40 --tries 6"
            + $" --jobs 2 --least 50 --json {json} -o {rows}");

        Assert.True(status == 0, output + error);
        using var document = JsonDocument.Parse(File.ReadAllText(json));
        var outcomes = document.RootElement.GetProperty("outcomes").EnumerateArray().ToList();
        var alive = Survivors.Parse(File.ReadAllText(rows)).Rows;
        folder.Delete(recursive: true);
        Assert.Contains(outcomes, one => one.GetProperty("original").GetString() == "Count++;"
            && one.GetProperty("verdict").GetString() == "Killed"
            && one.GetProperty("by").GetString() != "crash");
        Assert.Equal(alive.Select(row => row.Key.Original).Order(StringComparer.Ordinal),
            outcomes.Where(one => one.GetProperty("verdict").GetString() != "Killed")
                .Select(one => one.GetProperty("original").GetString()!)
                .Order(StringComparer.Ordinal));
        Assert.Contains("Clients/Newcomers.cs", output);
        Assert.Matches(@"\nscore \d+\.\d %, 50 % is asked for", output);
    }

    private static PooledSeed Seed(ulong seed, long events, params IEnumerable<int> sites)
    {
        var reached = new byte[2];
        foreach (var site in sites)
            reached[site / 8] |= (byte)(1 << (site % 8));
        return new PooledSeed("swarm", seed, new MutantAnswer("", "", events, 0, "", reached));
    }

    private static MutantOutcome Outcome(MutantVerdict verdict, string? word = null)
    {
        var key = new MutantKey("A.cs", "A.F", "a", "b", 1);
        return new MutantOutcome(new Mutation(1, key, 1, new TextSpan(0, 1), "b", 1), verdict, "",
            "", 1, 0, word is null ? null : new Survivor(key, Survivors.WordOf(word)!, ""));
    }

    private static (int Status, string Output, string Error) Run(string arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var status = new PlantTool(output, error).Main(arguments.Split(' '));
        return (status, output.ToString(), error.ToString());
    }
}
