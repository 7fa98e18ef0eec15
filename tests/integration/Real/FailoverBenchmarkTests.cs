// `sim failover` with the built executables: one short scenario, whose table and counts must be
// there and add up; that it sees what a client loses; and what it says of what cannot be measured.
// How fast anything was is not asserted: this machine may be busy.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.Versioning;
using System.Text.Json;
using System.Text.RegularExpressions;
using Tests.Integration.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Tests.Integration.Real;

[SupportedOSPlatform("linux")]
[Collection(nameof(WallTime))]
public sealed class FailoverBenchmarkTests(ITestOutputHelper output) : IDisposable
{
    private const int Seconds = 300;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Rolling_IsARowOfTheTableAndItsQueriesAreAccountedFor()
    {
        var (code, lines, errors) = Failover([]);

        Assert.True(code == 0, string.Join('\n', errors));
        Assert.Equal(2, lines.Length);
        Assert.StartsWith("scenario     times per second      sent unanswered", lines[0]);
        Assert.Matches(@"^rolling +1( +[\d.]+){8} +-$", lines[1]);
        var sent = Counted("sent");
        Assert.True(sent > 0);
        Assert.Equal(sent, Counted("answered") + Counted("unanswered"));
        // Each client's backend was stopped once, so each was moved.
        Assert.True(Counted("moves") >= Counted("clients"));
        Assert.Contains($" {sent} ", lines[1]);
        // It ended every process and removed every folder that it made.
        Assert.Empty(Directory.GetFileSystemEntries(_folder["tmp"]));
    }

    [Fact]
    public void BackendsThatDropQueries_AreSeenToDoSoAndRepeatedRepliesStopAtTheBalancer()
    {
        var bad = Script("fake-binder",
            $"exec {Places.FakeBinder} --drop-every 10 --duplicate-replies 1 \"$@\"");

        var (code, _, errors) = Failover(["--fake-binder", bad]);

        Assert.True(code == 0, string.Join('\n', errors));
        Assert.Equal(Counted("sent"), Counted("answered") + Counted("unanswered"));
        // One in ten, but for those that the restart of their backend had sent again: each backend
        // is restarted within seconds, so only what is dropped after that stays unanswered.
        Assert.InRange(Counted("unanswered"), 1, Counted("sent") / 5);
        Assert.Equal(0, Counted("duplicates"));
    }

    [Theory]
    [InlineData("killer-20")]
    [InlineData("killer-tcp")]
    public void Killer_EndsTwoBackendsAndNoMoreAndNobodyElseIsRefused(string scenario)
    {
        var (code, lines, errors) = Failover(["--scenario", scenario]);

        Assert.True(code == 0, string.Join('\n', errors));
        Assert.Matches($@"^{scenario} +1( +[\d.]+){{8}} +2$", lines[1]);
        Assert.True(Counted("killers_refused") > 50);
        Assert.Equal(0, Counted("killers_answered"));
        Assert.Equal(0, Counted("refused"));
    }

    [Fact]
    public void BackendThatDoesNotStart_IsOneLineAnd2()
    {
        var dumb = Script("fake-binder", "echo cannot >&2; exit 1");

        var (code, _, errors) = Failover(["--fake-binder", dumb]);

        Assert.Equal(2, code);
        Assert.Equal(["sim: fake-binder 5301: it exited with status 1: cannot"], errors);
    }

    [Fact]
    public void BalancerThatDoesNotStart_IsOneLineAnd2()
    {
        var dumb = Script("bbal", "echo cannot >&2; exit 1");

        var (code, _, errors) = Failover(["--bbal", dumb]);

        Assert.Equal(2, code);
        Assert.Equal([$"sim: {dumb}: it does not listen: cannot"], errors);
    }

    [Fact]
    public void BalancerThatDropsDead_IsOneLineAnd2()
    {
        var dead = Script("bbal", $"{Places.Bbal} \"$@\" & sleep 5; kill -9 $!; exit 3");

        var (code, _, errors) = Failover(["--bbal", dead]);

        Assert.Equal(2, code);
        Assert.Equal([$"sim: {dead}: it ended by itself, with status 3"], errors);
    }

    [Theory]
    [InlineData(Posix.SigInt)]
    [InlineData(Posix.SigTerm)]
    public void Interrupted_LeavesNeitherProcessesNorFiles(int signal)
    {
        using var sim = Start("--scenario", "rolling");
        Eventually.That(() => Started().Length >= 4, "three backends and the balancer run");

        sim.Signal(signal);

        Assert.Equal(130, sim.WaitForExit(60));
        Assert.Equal("interrupted", sim.Lines[^1]);
        Assert.Empty(Started());
        Assert.Empty(Directory.GetFileSystemEntries(_folder["tmp"]));
    }

    /// <summary>Processes of which the folder of a run is in the arguments, or is theirs.</summary>
    private string[] Started() => [.. Directory.GetDirectories("/proc").Where(process =>
    {
        try
        {
            return new FileInfo(Path.Combine(process, "cwd")).LinkTarget is { } folder
                && folder.StartsWith(_folder.FullName, StringComparison.Ordinal);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    })];

    private double Counted(string what)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(_folder["json"]));
        return json.RootElement.GetProperty("scenarios")[0].GetProperty(what).GetDouble();
    }

    private string Script(string name, string text)
    {
        var path = _folder[name];
        File.WriteAllText(path, $"#!/bin/sh\n{text}\n");
        File.SetUnixFileMode(path,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private ManagedProcess Start(params string[] arguments) => new(Places.Sim,
        ["failover", .. arguments], new Dictionary<string, string>
        {
            ["TMPDIR"] = Directory.CreateDirectory(_folder["tmp"]).FullName,
        });

    private (int Code, string[] Lines, string[] Errors) Failover(string[] arguments)
    {
        string[] scenario =
            arguments.Contains("--scenario") ? [] : ["--scenario", "rolling"];
        using var sim = Start(
            [.. scenario, "--times", "1", "--json", _folder["json"], .. arguments]);
        var code = sim.WaitForExit(Seconds);
        output.WriteLine(string.Join('\n', sim.Lines.Concat(sim.Errors)));
        return (code, [.. sim.Lines],
            [.. sim.Errors.Where(line => !Regex.IsMatch(line, "^[a-z0-9-]+: [0-9]+ of"))]);
    }
}
