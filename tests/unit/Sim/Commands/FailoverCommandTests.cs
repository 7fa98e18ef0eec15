// `sim failover` as far as it comes without processes: wrong usage, what cannot be started, and the
// table and the JSON that a result becomes.

using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using Simulation.Commands;
using Simulation.Real.Failover;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class FailoverCommandTests
{
    private static readonly FailoverResult Result = new(
        FailoverScenario.All[0], new FailoverCounts
        {
            Sent = 1_000_010,
            Answered = 1_000_000,
            Unanswered = 10,
            Refused = 7,
            Duplicates = 3,
            Late = 2,
            Strays = 1,
            Moves = 134,
            LongestSilenceNs = 1_234_567_890,
            MedianNs = 500_000,
            Percentile99Ns = 5_490_000,
            LongestNs = 21_760_000,
        })
    {
        Backends = "fake-binder",
        Times = 100,
        Took = TimeSpan.FromSeconds(50),
        LongestDelayNs = 1_500_000,
        DroppedByKernel = 4,
    };

    private static readonly FailoverResult Killed = Result with
    {
        Scenario = FailoverScenario.All.First(scenario => scenario.Killer is not null),
        Times = 3,
        Deaths = [2, 0, 1],
        Killers = (700, 690, 5),
    };

    [Theory]
    [InlineData("failover 7", "7")]
    [InlineData("failover --bogus", "--bogus")]
    [InlineData("failover --check S1", "S1")]
    [InlineData("failover --times 0", "--times")]
    [InlineData("failover --times 1001", "--times")]
    [InlineData("failover --times", "--times")]
    [InlineData("failover --scenario crash", "kill, hang, hang-two, kill-hang, flutter, ")]
    [InlineData("failover --node --fake-binder /bin/sh", "--node")]
    [InlineData("failover --json /no/such/folder/file", "--json")]
    public void WrongUsage_IsOneLineAnd64(string arguments, string named)
    {
        var run = CommandRun.Of(arguments);

        Assert.Equal(Tool.Usage, run.Code);
        Assert.Empty(run.Output);
        Assert.Matches("^sim: [^\n]+\n$", run.Error);
        Assert.Contains(named, run.Error);
    }

    [Theory]
    [InlineData("failover --bbal /no/such/bbal", "--bbal")]
    [InlineData("failover --bbal /bin/sh --fake-binder /no/such/binder", "--fake-binder")]
    [InlineData("failover --bbal /etc/passwd", "/etc/passwd")]
    public void ExecutableThatIsMissing_IsOneLineAnd2(string arguments, string named)
    {
        var run = CommandRun.Of(arguments);

        Assert.Equal(2, run.Code);
        Assert.Empty(run.Output);
        Assert.Matches("^sim: [^\n]+\n$", run.Error);
        Assert.Contains(named, run.Error);
    }

    [Fact]
    public void Help_NamesTheScenariosAndHowOftenEachFaultIsDone()
    {
        var help = Regex.Replace(CommandRun.Of("failover --help").Output, @"\s+", " ");

        Assert.Contains("kill, hang, hang-two, kill-hang, flutter, rolling, ", help);
        Assert.Contains(
            "[default: kill 10, hang 1, hang-two 1, kill-hang 3, flutter 1, ", help);
    }

    [Fact]
    public void Scenarios_AreAsTheDocumentHasThem()
    {
        var text = File.ReadAllText(
            Path.Combine(ArchitectureTests.Root, "docs", "testing.md"));

        Assert.All(FailoverScenario.All, scenario => Assert.Matches(string.Create(
            CultureInfo.InvariantCulture, $@"\| `{scenario.Name}` \| {scenario.Rate:N0} "
            + $@"\| {scenario.Clients} \| [^|]+ \| {scenario.Times} \|"), text));
    }

    [Fact]
    public void NodeMname_IsAskedNoMoreThanItCanAnswer() => Assert.Equal(
        [4000, 450, 450, 2000, 450, 200, 2000, 2000],
        FailoverScenario.All.Take(8).Select(scenario => scenario.ForNode().Rate));

    [Fact]
    public void Row_StandsBelowTheHead()
    {
        Assert.Equal(
            "scenario     times per second      sent unanswered  refused duplicates "
            + "longest silence ms   p99 ms  moves deaths", FailoverTable.Head);
        Assert.Equal(
            "kill           100      20000   1000010         10        7          3 "
            + "            1234.6      5.5    134      -", FailoverTable.Row(Result));
        Assert.Equal(
            "killer-20        3        150   1000010         10        7          3 "
            + "            1234.6      5.5    134  2,0,1", FailoverTable.Row(Killed));
    }

    [Fact]
    public void JsonOfAKiller_HasItsDeathsAndWhatBecameOfIt()
    {
        using var json = JsonDocument.Parse(FailoverCommand.ToJson([Result, Killed]));

        var scenarios = json.RootElement.GetProperty("scenarios");
        Assert.False(scenarios[0].TryGetProperty("deaths_in_minutes", out _));
        Assert.Equal([2, 0, 1], scenarios[1].GetProperty("deaths_in_minutes")
            .EnumerateArray().Select(deaths => deaths.GetInt32()));
        Assert.Equal(700, scenarios[1].GetProperty("killers_sent").GetInt32());
        Assert.Equal(690, scenarios[1].GetProperty("killers_refused").GetInt32());
        Assert.Equal(5, scenarios[1].GetProperty("killers_answered").GetInt32());
    }

    [Fact]
    public void Json_HasAllThatWasMeasured()
    {
        using var json = JsonDocument.Parse(FailoverCommand.ToJson([Result]));

        var scenario = json.RootElement.GetProperty("scenarios")[0];
        Assert.Equal("kill", scenario.GetProperty("scenario").GetString());
        Assert.Equal("fake-binder", scenario.GetProperty("backends").GetString());
        (string Name, double Value)[] expected =
        [
            ("times", 100), ("clients", 100), ("queries_a_second", 20_000), ("seconds", 50),
            ("sent", 1_000_010), ("answered", 1_000_000), ("unanswered", 10), ("refused", 7),
            ("late", 2), ("duplicates", 3), ("strays", 1), ("moves", 134),
            ("longest_silence_ms", 1234.57), ("p50_ms", 0.5), ("p99_ms", 5.49),
            ("max_ms", 21.76), ("sent_late_by_up_to_ms", 1.5), ("dropped_by_kernel", 4),
        ];
        Assert.All(expected, field =>
            Assert.Equal(field.Value, scenario.GetProperty(field.Name).GetDouble()));
        Assert.Equal<string>(FailoverGoals.Missed(Result), scenario.GetProperty("missed")
            .EnumerateArray().Select(goal => goal.GetString()!));
    }
}
