// `sim replay` and `sim shrink` as a user meets them.

using System;
using System.IO;
using Balancer.Core;
using Simulation.Commands;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Commands;

public sealed class ToolTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sim-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Replay_OfASeedThatPassesIs0WithItsHash()
    {
        var run = CommandRun.Of("replay 7 --virtual 30s --profile calm");

        Assert.Equal(0, run.Code);
        Assert.Matches("^passed\n[0-9]+ events, [0-9]+ turns, [0-9.]+ s virtual, "
            + "hash [0-9a-f]{16}\n$", run.Output);
    }

    [Theory]
    [InlineData("replay", 0)]
    [InlineData("show --html {0}/a.html", 1)]
    public void File_NamesFaultsThatChangedNothing(string command, int line)
    {
        var file = Path.Combine(_folder, "idle.json");
        File.WriteAllText(file, """
            {
              "healAt": "20s", "end": "30s",
              "backends": [{ "name": "5301" }],
              "udpClients": [{ "queries": [{ "at": "3s" }] }],
              "faults": [
                { "kind": "backendCrash", "backend": "5301", "at": "5s", "for": "2s" },
                { "kind": "udpSendBlocked", "at": "10s", "for": "2s" }
              ]
            }
            """);

        var run = CommandRun.Of($"{command.Replace(
            "{0}", _folder, StringComparison.Ordinal)} {file}");

        Assert.Equal(0, run.Code);
        Assert.Equal("faults[1] (UdpSendBlocked at 10.000 s) changed nothing: the run is the same "
            + "without it", run.Lines[line]);
    }

    [Fact]
    public void Trace_EndsWhereItIsTo()
    {
        var run = CommandRun.Of("replay 7 --virtual 30s --profile calm --trace --until 8.95s");

        Assert.Matches(@"(?m)^ +[0-9]+ +8\.[0-9]+ ", run.Output);
        Assert.DoesNotMatch(@"(?m)^ +[0-9]+ +(9|[1-9][0-9]+)\.", run.Output);
    }

    [Fact]
    public void Break_ShowsWhatLedThere()
    {
        var run = CommandRun.Of("replay 7 --virtual 30s --profile calm --break S3", Failing());

        Assert.Equal(1, run.Code);
        Assert.Contains("the last events before it", run.Lines);
        Assert.Contains(run.Lines, line => line.StartsWith(
            "FAILED S3 stickiness at 12.345 s, event 4711", StringComparison.Ordinal));
    }

    [Fact]
    public void Shrink_WritesWhatItTells()
    {
        var file = Path.Combine(_folder, "small.json");
        var run = CommandRun.Of($"shrink 7 --virtual 30s -o {file}", Failing());

        Assert.Equal(1, run.Code);
        Assert.Contains("the smallest scenario that fails", run.Lines);
        Assert.Contains($"written to {file}", run.Lines);
        Assert.Equal(1, CommandRun.Of($"replay {file}", Failing()).Code);
    }

    [Fact]
    public void Shrink_OfWhatPassesIs0AndWritesNothing()
    {
        var file = Path.Combine(_folder, "small.json");
        var run = CommandRun.Of($"shrink 7 --virtual 30s --profile calm -o {file}");

        Assert.Equal(0, run.Code);
        Assert.False(File.Exists(file));
    }

    [Theory]
    [InlineData("{\"a\":1", "line 1, column 7: not JSON: it ends too early: a quote, a } or")]
    [InlineData("{\n\"sead\":1\n}", "line 2: sead: there is no such field (")]
    [InlineData("{\"scenario\":{}}", "line 1: scenario: there is no such field (")]
    public void FileWithNoScenario_IsOneLineThatSaysWhere(string text, string where)
    {
        var file = Path.Combine(_folder, "wrong.json");
        File.WriteAllText(file, text);

        var run = CommandRun.Of($"replay {file}");

        Assert.Equal(64, run.Code);
        Assert.StartsWith($"sim: {file}: {where}", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static FakeSimulator Failing() => new()
    {
        Fail = _ => new Violation("S3", new Instant(12_345_000_000), 4711, "it moved"),
    };
}
