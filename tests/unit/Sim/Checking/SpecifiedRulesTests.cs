// The rules that failures name: each stands in the specification as it is told, and what checks
// say finds its own.

using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim.Checking;

public sealed partial class SpecifiedRulesTests
{
    [Fact]
    public void EachSentence_StandsInItsSection()
    {
        var text = File.ReadAllText(Path.Combine(Root(), "docs", "behaviour.md"));
        var sections = Heading().Split(text).Skip(1).Chunk(2).ToDictionary(
            part => part[0], part => Spaces().Replace(part[1], " "));

        Assert.All(SpecifiedRules.All, rule =>
        {
            var parts = rule.Place.Split(", ", 2);
            var section = sections[parts[0]["section ".Length..]];
            Assert.Contains(rule.Sentence, section, StringComparison.Ordinal);
            if (parts.Length == 2)
            {
                var title = parts[1].Trim('"');
                Assert.True(section.Contains($"**{title}.**", StringComparison.Ordinal)
                    || section.Contains($"*{title}.*", StringComparison.Ordinal), title);
            }
        });
    }

    [Theory]
    [InlineData("S9", "backend 5301 backs off for 3 s; it should be 1 s", "Faults and back-off")]
    [InlineData("S8", "backend 1 was sent a heartbeat at 3 s; due 5 s", "Heartbeats")]
    [InlineData("S3", "10.0.0.1 was taken from backend 3; it was answered 70 s ago", "Rebalance")]
    [InlineData("S17", "to backend 2, whose session has ended, and then to nobody",
        "A session that ends")]
    [InlineData("S19", "backend 2 hangs of the killer 3", "Hangs")]
    public void Evidence_FindsItsRule(string check, string evidence, string title) =>
        Assert.Contains(title, SpecifiedRules.Of(new Violation(check, Instant.Zero, 1, evidence))!
            .Place, StringComparison.Ordinal);

    [Fact]
    public void CheckWithoutARuleOfItsOwn_HasNone() => Assert.Null(
        SpecifiedRules.Of(new Violation("S13", Instant.Zero, 1, "NullReferenceException")));

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Balancer.sln")))
            folder = Path.GetDirectoryName(folder.TrimEnd('/'))!;
        return folder;
    }

    [GeneratedRegex("(?m)^## ([0-9]+)\\. .*$")]
    private static partial Regex Heading();

    [GeneratedRegex("\\s+")]
    private static partial Regex Spaces();
}
