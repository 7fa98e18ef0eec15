// `sim run` as a user meets it: its exit codes, what it tells of a failure, that neither the number
// of jobs nor what cannot be written changes a result, and how it is ended early.

using System;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using Balancer.Core;
using Simulation.Commands;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class CampaignTests : IDisposable
{
    private const string ThreeSeeds = "run --seed 1 --count 3 --virtual 60s --profile udp ";

    private readonly string _folder = Directory.CreateTempSubdirectory("sim-").FullName;

    private string File => Path.Combine(_folder, "least.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Passing_Is0AndTellsTheNumbers()
    {
        var run = CommandRun.Of(ThreeSeeds);

        Assert.Equal(0, run.Code);
        Assert.Equal("passed", run.Lines[^2]);
        Assert.Contains("seeds     3", run.Lines);
        Assert.Matches("(?m)^virtual   1[89][0-9] s, [0-9,]+ events, [0-9,]+ turns$", run.Output);
        Assert.Matches("(?m)^speed     [0-9,]+ virtual s a second and [0-9.]+ seeds of 300 virtual "
            + "s a second on one core$", run.Output);
        Assert.Matches("(?m)^slowest   seed [123], [0-9,]+ ms$", run.Output);
        Assert.Matches("(?m)^  UdpLoss +[0-9,]+ +[0-9]+ ", run.Output);
        Assert.Matches("(?m) QueriesForwarded +[0-9,]+ +[0-9]+", run.Output);
        Assert.Matches("(?m)^never, and not owed\n(  .*\n)*  .*Fault:NotTcpOk", run.Output);
    }

    [Theory]
    [InlineData("S3", 1)]
    [InlineData("L1", 2)]
    [InlineData("S13", 4)]
    public void Failing_IsTheCheckSCode(string check, int code)
    {
        var run = CommandRun.Of(ThreeSeeds + "--output " + File, Failing(check, 2));

        Assert.Equal(code, run.Code);
        Assert.Contains(run.Lines, line => line.StartsWith(
            $"FAILED seed 2: {check} ", StringComparison.Ordinal));
        Assert.DoesNotContain("passed", run.Lines);
        Assert.Contains("seeds     2", run.Lines);
        Assert.DoesNotContain("QueriesForwarded", run.Output);
    }

    [Fact]
    public void Failing_TellsWhatHowAndHowToSeeIt()
    {
        var run = CommandRun.Of(
            ThreeSeeds + "--without-check L4 --output " + File, Failing("S3", 2));

        Assert.Contains(
            "  rule      a primary changes only by expiry, removal or a due rebalance", run.Lines);
        Assert.Contains("  evidence  it moved", run.Lines);
        Assert.Contains("  at        12.345 s, event 4711", run.Lines);
        Assert.Contains("the smallest scenario that fails", run.Lines);
        Assert.Matches("(?m)^  until     [0-9.]+ s, chaos until [0-9.]+ s$", run.Output);
        Assert.Matches("the last events before it\n +[0-9]+ +[0-9.]+ ", run.Output);
        Assert.Contains(
            "  sim replay 2 --profile=udp --virtual=60s --without-check=L4", run.Lines);
        Assert.Contains($"  sim replay {File} --without-check=L4 --trace", run.Lines);
        Assert.Equal(1, CommandRun.Of($"replay {File}", Failing("S3", 2)).Code);
    }

    [Fact]
    public void SecondRunThatDiffers_Is3AndNamesTheFirstEvent()
    {
        var run = CommandRun.Of("run --seed 5 --count 1 --virtual 60s --profile calm",
            new ForgetfulSimulator(5));

        Assert.Equal(3, run.Code);
        Assert.Contains("NOT DETERMINISTIC seed 5", run.Output, StringComparison.Ordinal);
        Assert.Matches("(?m)^event [0-9]+ is the first that differs$", run.Output);
        Assert.Matches("(?m)^  once   [0-9]+ +2[0-9].[0-9]+ ", run.Output);
    }

    [Fact]
    public void FailureOfTheSimulatorItself_Is4AndSaysSo()
    {
        var run = CommandRun.Of(ThreeSeeds, new FakeSimulator
        {
            Fail = _ => throw new InvalidOperationException("out of order"),
        });

        Assert.Equal(4, run.Code);
        // On a slow machine a line of progress comes first.
        Assert.Contains(
            "sim: the simulator itself failed: ", run.Error, StringComparison.Ordinal);
        Assert.Contains("out of order", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("S3")]
    public void Jobs_ChangeNothingButTimes(string? check)
    {
        var one = WithoutTimes("1", check);

        Assert.Equal(one, WithoutTimes("4", check));
        Assert.Equal(check is not null, one.Any(line => line.StartsWith(
            "FAILED seed 9: S3", StringComparison.Ordinal)));
    }

    [Fact]
    public void UserWhoHasEnough_GetsTheSummaryAnd130()
    {
        using var stop = new CancellationTokenSource();
        var run = CommandRun.Of(
            "run --seed 1 --count 1000 --virtual 60s --jobs 1",
            new FakeSimulator { Fail = StopAt3 }, stop: stop.Token);

        Violation? StopAt3(Scenario scenario)
        {
            if (scenario.Seed == 3)
                stop.Cancel();
            return null;
        }

        Assert.Equal(130, run.Code);
        Assert.Contains("seeds     3", run.Lines);
        Assert.Equal("interrupted", run.Lines[^2]);
    }

    [Fact]
    public void TimeLimit_EndsTheRun()
    {
        var run = CommandRun.Of("run --seed 1 --time 1ms --jobs 1");

        Assert.Equal(0, run.Code);
        Assert.Matches("(?m)^seeds     [01]$", run.Output);
    }

    [Fact]
    public void FileThatCannotBeWritten_HidesNothing()
    {
        var run = CommandRun.Of(ThreeSeeds + "--output /proc/b", Failing("S3", 2));

        Assert.Equal(1, run.Code);
        Assert.Contains("the smallest scenario that fails", run.Lines);
        Assert.Contains("  sim replay 2 --profile=udp --virtual=60s", run.Lines);
        Assert.Single(run.Error.Split('\n'), line =>
            line.StartsWith("sim: /proc/b: not written: ", StringComparison.Ordinal));
    }

    [Fact]
    public void JsonThatCannotBeWritten_IsReportedBeforeAnythingRuns()
    {
        var run = CommandRun.Of(ThreeSeeds + "--json /proc/a", Failing("S3", 2));

        Assert.Equal(74, run.Code);
        Assert.Empty(run.Output);
        Assert.Equal(
            "sim: /proc/a: not written: No such file or directory\n", run.Error);
    }

    [Fact]
    public void Json_HasAll()
    {
        var file = Path.Combine(_folder, "a.json");
        CommandRun.Of($"{ThreeSeeds} --json {file} --output {File}", Failing("S3", 2));

        using var json = JsonDocument.Parse(System.IO.File.ReadAllText(file));
        var root = json.RootElement;
        Assert.Equal(1, root.GetProperty("exit").GetInt32());
        Assert.Equal(2, root.GetProperty("seeds").GetInt64());
        Assert.Equal(2, root.GetProperty("failure").GetProperty("seed").GetInt64());
        Assert.Equal("it moved", root.GetProperty("failure").GetProperty("evidence").GetString());
        Assert.True(root.GetProperty("virtual_seconds_a_core_second").GetDouble() > 0);
        Assert.True(root.GetProperty("reactions").GetProperty("QueriesReceived").GetInt64() > 0);
        Assert.True(root.GetProperty("faults").GetProperty("UdpLoss").GetInt64() >= 0);
        Assert.True(root.TryGetProperty("reactions_after_faults", out _));
    }

    [Fact]
    public void TenThousandSeedsThatReachNothing_FailL6()
    {
        var calm = new RealSimulator().Generate(1, new Choice { Profile = "calm" }) with
        {
            UdpClients = [],
            TcpClients = [],
            End = new Instant(1),
            HealAt = Instant.Zero,
        };
        var run = CommandRun.Of("run --seed 1 --count 10000", new SameSimulator(calm));

        Assert.Equal(2, run.Code);
        Assert.Contains("  the fault BackendCrash", run.Lines);
        Assert.Contains("  the reaction QueriesReceived", run.Lines);
        Assert.Equal(0, CommandRun.Of("run --seed 1 --count 9999", new SameSimulator(calm)).Code);
        Assert.Equal(2, CommandRun.Of(
            "run --seed 1 --count 9 --owe-coverage", new SameSimulator(calm)).Code);
        Assert.Equal(0, CommandRun.Of(
            "run --seed 1 --count 10000 --without-check L6", new SameSimulator(calm)).Code);
    }

    private static FakeSimulator Failing(string check, ulong seed) => new()
    {
        Fail = scenario => scenario.Seed == seed
            ? new Violation(check, new Instant(12_345_000_000), 4711, "it moved")
            : null,
    };

    private string[] WithoutTimes(string jobs, string? check)
    {
        var simulator = check is null ? new FakeSimulator() : Failing(check, 9);
        return [.. CommandRun.Of("run --seed 1 --count 20 --virtual 60s --budget 1h "
                + $"--jobs {jobs} --output {File}", simulator).Lines
            .Where(line => !line.StartsWith("real ", StringComparison.Ordinal)
                && !line.StartsWith("speed ", StringComparison.Ordinal)
                && !line.StartsWith("slowest ", StringComparison.Ordinal))];
    }

    /// <summary>Seeds that all come to the same, at no cost.</summary>
    private sealed class SameSimulator(Scenario scenario) : FakeSimulator
    {
        private readonly RunResult _result = new RealSimulator().Run(scenario, []);

        public override Scenario Generate(ulong seed, Choice choice) => scenario;

        public override RunResult Run(Scenario same, ImmutableArray<string> checks,
            params RunObserver[] watchers) => _result;
    }
}
