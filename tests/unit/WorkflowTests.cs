// What GitHub runs for this project, read out of .github: every action pinned by its commit, every
// make target one that the Makefile has, no right that a job does not need, no job without an end;
// and forms for reports that ask for a seed.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Tests.Unit;

public sealed class WorkflowTests
{
    private static readonly string Folder = Path.Combine(ArchitectureTests.Root, ".github");
    private static readonly string Makefile =
        File.ReadAllText(Path.Combine(ArchitectureTests.Root, "Makefile"));

    public static TheoryData<string> Workflows => [.. Files("workflows")];

    [Fact]
    public void Workflows_AreThoseThatAreLookedFor() =>
        Assert.Equal(["ci.yml", "nightly.yml", "release.yml"], Files("workflows"));

    [Theory]
    [MemberData(nameof(Workflows))]
    public void Actions_ArePinnedByTheirCommitWithTheVersionBehindIt(string file)
    {
        var used = Steps(file).Select(step => Text(step, "uses")).OfType<string>().ToList();
        Assert.NotEmpty(used);
        Assert.All(used, action => Assert.Matches("^[a-z-]+/[a-z-]+@[0-9a-f]{40}$", action));

        var lines = File.ReadLines(Path.Combine(Folder, "workflows", file))
            .Where(line => line.Contains("uses:", StringComparison.Ordinal)).ToList();
        Assert.Equal(used.Count, lines.Count);
        Assert.All(lines, line => Assert.Matches(@"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line));
    }

    [Fact]
    public void Action_IsTheSameCommitEverywhere()
    {
        var pins = Files("workflows").SelectMany(Steps)
            .Select(step => Text(step, "uses")?.Split('@')).OfType<string[]>()
            .GroupBy(parts => parts[0], parts => parts[1]);

        Assert.All(pins, pin => Assert.Single(pin.Distinct()));
    }

    [Theory]
    [MemberData(nameof(Workflows))]
    public void Make_IsCalledWithTargetsAndVariablesThatTheMakefileHas(string file)
    {
        var calls = Runs(file).SelectMany(run => Regex.Matches(run, @"\bmake((?: +[\w=.-]+)+)"))
            .Select(call => call.Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToList();

        Assert.NotEmpty(calls);
        Assert.All(calls.SelectMany(words => words), word => Assert.True(
            word.Contains('=') ? HasVariable(word.Split('=')[0]) : HasTarget(word), word));
    }

    [Theory]
    [MemberData(nameof(Workflows))]
    public void Rights_AreToReadAndNoMoreButForTheJobThatPublishes(string file)
    {
        Assert.Equal(["contents: read"], Rights(Load(file)));
        foreach (var (name, job) in Jobs(file))
        {
            if ((file, name) == ("release.yml", "publish"))
                Assert.Equal(["contents: write"], Rights(job));
            else if (job.Children.ContainsKey("permissions"))
                Assert.All(Rights(job), right => Assert.EndsWith(": read", right));
        }
        // The job that may write runs nothing of the tree.
        if (file == "release.yml")
        {
            Assert.DoesNotContain(StepsOf(Jobs(file)["publish"]), step => Text(step, "uses")
                ?.StartsWith("actions/checkout", StringComparison.Ordinal) == true);
        }
    }

    [Theory]
    [MemberData(nameof(Workflows))]
    public void Jobs_EndAndRunOnAMachineThatIsNamed(string file)
    {
        Assert.True(Load(file).Children.ContainsKey("concurrency"));
        foreach (var (name, job) in Jobs(file))
        {
            Assert.True(int.TryParse(Text(job, "timeout-minutes"), out var minutes), name);
            Assert.InRange(minutes, 5, 360);
            Assert.All(Runners(job), runner => Assert.Contains(
                runner, new[] { "ubuntu-24.04", "ubuntu-24.04-arm" }));
        }
    }

    [Theory]
    [InlineData("ci.yml", "test")]
    [InlineData("release.yml", "build")]
    public void BothArchitectures_AreBuiltAndTested(string file, string job)
    {
        Assert.Equal(["ubuntu-24.04", "ubuntu-24.04-arm"], Runners(Jobs(file)[job]));
        Assert.Contains(StepsOf(Jobs(file)[job]), step =>
            Text(step, "run")?.EndsWith("make test", StringComparison.Ordinal) == true);
    }

    // What GitHub knows of a request may be anybody's text: a shell must not be given it to read.
    [Theory]
    [MemberData(nameof(Workflows))]
    public void Scripts_HoldNoExpression(string file) => Assert.All(Runs(file), run =>
        Assert.DoesNotContain("${{", run, StringComparison.Ordinal));

    [Theory]
    [InlineData("push", "ci.yml")]
    [InlineData("pull_request", "ci.yml")]
    [InlineData("schedule", "nightly.yml")]
    [InlineData("push", "release.yml")]
    public void Workflow_IsRunOn(string happens, string file) => Assert.True(
        ((YamlMappingNode)Load(file)["on"]).Children.ContainsKey(happens));

    [Fact]
    public void Release_IsMadeOnATagAlone() => Assert.Equal(
        ["tags"], ((YamlMappingNode)Load("release.yml")["on"]["push"]).Children.Keys
            .Select(key => key.ToString()));

    [Fact]
    public void ReportOfAFault_AsksForASeed()
    {
        var form = Yaml(Path.Combine(Folder, "ISSUE_TEMPLATE", "bug.yml"));
        var seed = Assert.Single(((YamlSequenceNode)form["body"]).Children.Cast<YamlMappingNode>(),
            field => Text(field, "id") == "seed");

        Assert.Equal("input", Text(seed, "type"));
        Assert.Equal("true", Text((YamlMappingNode)seed["validations"], "required"));
        Assert.Contains("Seed:", File.ReadAllText(
            Path.Combine(Folder, "PULL_REQUEST_TEMPLATE.md")), StringComparison.Ordinal);
        Assert.Contains("seed", File.ReadAllText(
            Path.Combine(Folder, "CONTRIBUTING.md")), StringComparison.Ordinal);
    }

    [Fact]
    public void Forms_HaveWhatGitHubAsksFor()
    {
        foreach (var file in Files("ISSUE_TEMPLATE").Where(file => file != "config.yml"))
        {
            var form = Yaml(Path.Combine(Folder, "ISSUE_TEMPLATE", file));
            Assert.NotEmpty(Text(form, "name")!);
            Assert.NotEmpty(Text(form, "description")!);
            var fields = ((YamlSequenceNode)form["body"]).Children.Cast<YamlMappingNode>().ToList();
            Assert.All(fields, field => Assert.Contains(
                Text(field, "type"), new[] { "markdown", "input", "textarea" }));
            var ids = fields.Select(field => Text(field, "id")).OfType<string>().ToList();
            Assert.Equal(ids.Distinct(), ids);
        }
        Assert.Equal("false", Text(
            Yaml(Path.Combine(Folder, "ISSUE_TEMPLATE", "config.yml")), "blank_issues_enabled"));
    }

    private static bool HasTarget(string name) =>
        Regex.IsMatch(Makefile, $"^{Regex.Escape(name)}:(?!=)", RegexOptions.Multiline);

    private static bool HasVariable(string name) =>
        Makefile.Contains($"$({name})", StringComparison.Ordinal)
        || Makefile.Contains($"$(if $({name})", StringComparison.Ordinal);

    private static List<string> Files(string folder) =>
        [.. new DirectoryInfo(Path.Combine(Folder, folder)).EnumerateFiles()
            .Select(file => file.Name).Order(StringComparer.Ordinal)];

    private static YamlMappingNode Load(string workflow) =>
        Yaml(Path.Combine(Folder, "workflows", workflow));

    private static YamlMappingNode Yaml(string path)
    {
        var stream = new YamlStream();
        using var reader = new StreamReader(path);
        stream.Load(reader);
        return (YamlMappingNode)Assert.Single(stream.Documents).RootNode;
    }

    private static Dictionary<string, YamlMappingNode> Jobs(string workflow) =>
        ((YamlMappingNode)Load(workflow)["jobs"]).Children
            .ToDictionary(job => job.Key.ToString(), job => (YamlMappingNode)job.Value);

    private static IEnumerable<YamlMappingNode> StepsOf(YamlMappingNode job) =>
        ((YamlSequenceNode)job["steps"]).Children.Cast<YamlMappingNode>();

    private static IEnumerable<YamlMappingNode> Steps(string workflow) =>
        Jobs(workflow).Values.SelectMany(StepsOf);

    private static List<string> Runs(string workflow) =>
        [.. Steps(workflow).Select(step => Text(step, "run")).OfType<string>()];

    private static List<string> Rights(YamlMappingNode of) =>
        [.. ((YamlMappingNode)of["permissions"]).Children
            .Select(right => $"{right.Key}: {right.Value}")];

    private static List<string> Runners(YamlMappingNode job) =>
        Text(job, "runs-on") is var one && one == "${{ matrix.runner }}"
            ? [.. ((YamlSequenceNode)job["strategy"]["matrix"]["runner"]).Children
                .Select(runner => runner.ToString())]
            : [one!];

    private static string? Text(YamlMappingNode node, string key) =>
        node.Children.TryGetValue(key, out var value) ? value.ToString() : null;
}
