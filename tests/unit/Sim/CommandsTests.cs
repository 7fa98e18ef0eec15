// Holds the command line of `sim` to its table, and the exit codes to theirs.

using System;
using System.IO;
using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Commands;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class CommandsTests
{
    [Fact]
    public void Run_ReadsItsOptions()
    {
        var request = CommandLine.Parse(["run", "--seed", "7", "--time", "10m", "--jobs", "3",
            "--profile", "tcp", "--only", "udp,BackendCrash", "--without=clock", "--virtual",
            "300s", "--check", "s1,S7", "--json", "x.json"]).Request!;
        Assert.Equal("run", request.Verb);
        Assert.Equal(7ul, request.Seed);
        Assert.Null(request.Count);
        Assert.Equal(TimeSpan.FromMinutes(10), request.Time);
        Assert.Equal(3, request.Jobs);
        Assert.Equal("tcp", request.Choice.Profile);
        Assert.Equal(["udp", "BackendCrash"], request.Choice.Only.ToArray());
        Assert.Equal(["clock"], request.Choice.Without.ToArray());
        Assert.Equal(Duration.FromSeconds(300L), request.Choice.Virtual);
        Assert.Equal(["S1", "S7"], request.Checks.ToArray());
        Assert.Equal("x.json", request.Json);
    }

    [Fact]
    public void Replay_TakesASubject()
    {
        var request = CommandLine.Parse(["replay", "42", "--until", "12.345s", "--trace",
            "--break", "S3"]).Request!;
        Assert.Equal("42", request.Subject);
        Assert.Equal(new Instant(12_345_000_000), request.Until);
        Assert.True(request.Trace);
        Assert.Equal(["S3"], request.Checks.ToArray());
    }

    [Theory]
    [InlineData("stickiness", "S3")]
    [InlineData("Back-off,s7", "S9", "S7")]
    [InlineData("conservation,connections", "S1", "L3")]
    public void Checks_AreNamedByIdOrName(string text, params string[] ids)
    {
        Assert.Equal(ids, CommandLine.Parse(["run", "--check", text]).Request!.Checks);
        Assert.Equal(ids, CommandLine.Parse(["run", "--without-check", text])
            .Request!.WithoutChecks);
    }

    [Fact]
    public void Check_ThatDoesNotExist_IsNamedInALine() => Assert.Equal(
        "sim: --check: 'stickyness' is not a check (S1 to S19, L1 to L6, or a name such as"
            + " stickiness)",
        CommandLine.Parse(["run", "--check", "streams,stickyness"]).Complaint);

    [Fact]
    public void EveryCheck_HasANameOfItsOwn()
    {
        Assert.Subset(CheckNames.Ids.ToHashSet(), CheckSet.Ids.ToHashSet());
        Assert.Equal(CheckNames.Ids.Length,
            CheckNames.Ids.Select(CheckNames.Of).Distinct().Count());
        Assert.All(CheckNames.Ids, id => Assert.Matches("^[a-z-]+$", CheckNames.Of(id)));
        var document = File.ReadAllLines(
            Path.Combine(ArchitectureTests.Root, "docs", "invariants.md"));
        Assert.All(CheckNames.Ids, id =>
            Assert.Contains($"### {id} {CheckNames.Of(id)}", document));
    }

    [Theory]
    [InlineData("")]
    [InlineData("frobnicate")]
    [InlineData("real f.json")]
    [InlineData("run --seed -1")]
    [InlineData("run --count 0")]
    [InlineData("run --count")]
    [InlineData("run --time soon")]
    [InlineData("run --profile wild")]
    [InlineData("run --only gravity")]
    [InlineData("run --check S20")]
    [InlineData("run --check stickyness")]
    [InlineData("run --without-check survival")]
    [InlineData("run --virtual 9.9s")]
    [InlineData("run --jobs 0")]
    [InlineData("run --without-check S13")]
    [InlineData("run --check S1 --without-check S1")]
    [InlineData("run --without-check X1")]
    [InlineData("run --json")]
    [InlineData("run --budget -1s")]
    [InlineData("det --jobs 2")]
    [InlineData("det --seeds none")]
    [InlineData("shrink")]
    [InlineData("replay 18446744073709551616")]
    [InlineData("corpus run --directory /proc/none")]
    [InlineData("run stray")]
    [InlineData("replay")]
    [InlineData("replay 1 2")]
    [InlineData("replay 1 --break X")]
    [InlineData("show 1 --png f")]
    [InlineData("show 1 --html /proc/none/a")]
    [InlineData("show 1 --svg /proc")]
    [InlineData("shrink 1 --output /proc/none/a")]
    [InlineData("real 1 --json /proc/none/a")]
    [InlineData("corpus")]
    [InlineData("corpus add")]
    [InlineData("replay no-such-file.json")]
    [InlineData("replay no-such-file.json --only udp")]
    public void WrongUsage_IsOneLineAnd64(string arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = new Tool(new RealSimulator(), output, error)
            .Main(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(64, code);
        Assert.Empty(output.ToString());
        Assert.Matches(@"^sim: [^\n]+\n$", error.ToString());
    }

    [Theory]
    [InlineData("show 1 --html /dev/full")]
    [InlineData("show 1 --svg /dev/full")]
    [InlineData("replay 1 --html /dev/full")]
    [InlineData("scenario 1 -o /dev/full")]
    [InlineData("run --seed 1 --count 1 --json /dev/full")]
    public void FileThatCannotBeWritten_IsOneLineAnd74(string arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = new Tool(new RealSimulator(), output, error)
            .Main([.. arguments.Split(' '), "--profile", "calm"]);
        Assert.Equal(74, code);
        Assert.Contains("sim: /dev/full: not written: No space left on device\n",
            error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("drawn", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void FileThatCannotBeRead_IsNamedInOneLine()
    {
        using var error = new StringWriter();
        var code = new Tool(new RealSimulator(), TextWriter.Null, error)
            .Main(["replay", "/proc/self/mem"]);
        Assert.Equal(64, code);
        Assert.Equal("sim: /proc/self/mem: Input/output error\n", error.ToString());
    }

    [Theory]
    [InlineData("replay", "replay: SEED|FILE is missing (try --help)")]
    [InlineData("shrink", "shrink: SEED|FILE is missing (try --help)")]
    [InlineData("show --html a", "show: SEED|FILE is missing (try --help)")]
    [InlineData("corpus add", "add: FILE is missing (try --help)")]
    [InlineData("run --seed", "--seed: its value is missing")]
    [InlineData("run --seed 1 --seed 2", "--seed: given more than once")]
    [InlineData("replay 1 --trace --trace", "--trace: given more than once")]
    [InlineData("shrink 1 -o a --output b", "-o: given more than once")]
    public void WhatIsMissingOrTooMuch_IsNamed(string arguments, string complaint) =>
        Assert.Equal("sim: " + complaint, CommandLine.Parse(arguments.Split(' ')).Complaint);

    [Theory]
    [InlineData("replay f.json --only udp", "--only")]
    [InlineData("replay f.json --profile swarm", "--profile")]
    [InlineData("show f.json --virtual 30s", "--virtual")]
    [InlineData("shrink f.json --without=udp", "--without")]
    [InlineData("scenario f.json --only udp", "--only")]
    [InlineData("real f.json --profile tcp", "--profile")]
    public void OptionThatChoosesFromASeed_IsRefusedWithAFile(string arguments, string option) =>
        Assert.Equal($"sim: {option}: comes with a seed, not with a file (a file's scenario is run "
            + "as it is)", CommandLine.Parse(arguments.Split(' ')).Complaint);

    [Theory]
    [InlineData("replay f.json --check S1 --until 3s")]
    [InlineData("replay 7 --only udp --profile tcp")]
    [InlineData("real f.json --virtual 20s")]
    [InlineData("real --corpus --only udp")]
    public void OptionThatAlsoAppliesToAFile_IsTaken(string arguments) =>
        Assert.Null(CommandLine.Parse(arguments.Split(' ')).Complaint);

    [Theory]
    [InlineData("-h")]
    [InlineData("-?")]
    [InlineData("run -h")]
    [InlineData("replay -?")]
    public void ShortHelp_IsTheHelp(string arguments)
    {
        var words = arguments.Split(' ');

        var help = CommandLine.Parse(words).Text;

        Assert.NotNull(help);
        Assert.Equal(CommandLine.Parse([.. words[..^1], "--help"]).Text, help);
    }

    [Fact]
    public void Version_HasTheName() => Assert.Matches(
        @"^sim \d+\.\d+\.\d+\S*\n$", CommandLine.Parse(["--version"]).Text);

    [Fact]
    public void OutputThatCannotBeWritten_IsKeptForTheEndAndMakesNoViolation()
    {
        var failures = 0;
        using var full = new OutputStream(new FullDisk(), () => failures++);
        using var output = new StreamWriter(full);
        using var error = new StringWriter();

        var code = new Tool(new RealSimulator(), output, error)
            .Main(["replay", "1", "--profile", "calm", "--trace"]);

        Assert.Equal(0, code);
        Assert.Equal("the disk is full", full.Failure?.Message);
        Assert.Equal(1, failures);
        Assert.Empty(error.ToString());
    }

    private sealed class FullDisk : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) =>
            throw new IOException("the disk is full");
    }

    [Fact]
    public void WithoutCheck_LeavesAllOthers()
    {
        var request = CommandLine.Parse(["run", "--without-check", "S6,l5"]).Request!;
        Assert.Equal(23, request.Checks.Length);
        Assert.DoesNotContain("S6", request.Checks);
        Assert.Equal(" --without-check=S6,L5", request.Options);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" --profile=tcp --only=udp,BackendCrash --without=clock --virtual=61.5s")]
    [InlineData(" --check=S1,S7")]
    [InlineData(" --without-check=S6")]
    public void Options_AskForTheSameAgain(string options)
    {
        var arguments = ("run" + options).Split(' ');
        Assert.Equal(options, CommandLine.Parse(arguments).Request!.Options);
    }

    [Theory]
    [InlineData(null, 0)]
    [InlineData("S3", 1)]
    [InlineData("L1", 2)]
    [InlineData("S13", 4)]
    public void ExitCode_IsThatOfTheCheck(string? check, int code) => Assert.Equal(code,
        Tool.ExitCode(check is null ? null : new Violation(check, Instant.Zero, 1, "")));
}
