// docs/scenario-file.md: its example runs, and its tables are those of the reader - each field has
// its row, with its default and its meaning, and each kind of fault has one.

using System;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class ScenarioDocsTests
{
    private const string Default = " Default: ";

    private static readonly string Page = File.ReadAllText(
        Path.Combine(ArchitectureTests.Root, "docs", "scenario-file.md"));

    [Fact]
    public void Example_RunsAndPasses()
    {
        var text = Page.Split("```json\n")[1].Split("```")[0];
        var scenario = ScenarioFile.Read(Encoding.UTF8.GetBytes(text));
        var result = ScenarioRun.Execute(scenario, new CheckSet(scenario));
        Assert.True(result.Passed, result.Violation?.ToString());
        Assert.Equal([FaultKind.BackendCrash, FaultKind.UdpLoss], result.Faults.Keys);
    }

    [Fact]
    public void ExampleOfAMistake_IsWhatIsSaid()
    {
        var text = Page.Split("```json\n")[1].Split("```")[0]
            .Replace("\"backend\": \"5302\"", "\"backend\": \"5303\"", StringComparison.Ordinal);
        var wrong = Assert.Throws<ScenarioFormatException>(
            () => ScenarioFile.Read(Encoding.UTF8.GetBytes(text)));
        Assert.Contains($"sim: crash.json: {wrong.Message}\n", Page, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryField_HasItsRow()
    {
        using var schema = JsonDocument.Parse(ScenarioSchema.Text);
        var rows = 0;
        Look(schema.RootElement);
        Assert.True(rows > 80, $"{rows} rows");

        void Look(JsonElement node)
        {
            if (node.TryGetProperty("items", out var items))
                Look(items);
            if (!node.TryGetProperty("properties", out var properties))
                return;
            foreach (var field in properties.EnumerateObject())
            {
                Look(field.Value);
                if (field.Name is "$schema" or "check" or "found")
                    continue;
                rows++;
                var words = field.Value.GetProperty("description").GetString()!.Split(Default);
                var otherwise = words.Length > 1 ? words[1][..^1] : "**needed**";
                Assert.Contains($"\n| `{field.Name}` | {otherwise} | {words[0]}", Page,
                    StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void EveryFault_HasItsRowWithAllItsFields()
    {
        using var schema = JsonDocument.Parse(ScenarioSchema.Text);
        var kinds = schema.RootElement.GetProperty("properties").GetProperty("faults")
            .GetProperty("items").GetProperty("oneOf");
        Assert.Equal(Enum.GetValues<FaultKind>().Length, kinds.GetArrayLength());
        foreach (var kind in kinds.EnumerateArray())
        {
            var fields = kind.GetProperty("properties");
            var name = fields.GetProperty("kind").GetProperty("const").GetString();
            var row = Page.Split('\n').Single(
                line => line.StartsWith($"| `{name}` |", StringComparison.Ordinal));
            Assert.EndsWith($"| {kind.GetProperty("description").GetString()} |", row,
                StringComparison.Ordinal);
            foreach (var field in fields.EnumerateObject())
            {
                if (field.Name is not ("id" or "kind" or "at"))
                    Assert.Contains($"`{field.Name}`", row, StringComparison.Ordinal);
            }
        }
    }
}
