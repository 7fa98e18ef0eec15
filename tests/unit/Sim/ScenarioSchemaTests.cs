// The schema that editors check scenario files by: the committed one is the one that is made of
// the reader's fields, every file of the corpus is valid by it, and schema and reader agree on each
// field - on its name, on what may be left out, and on what kind of value stands in it.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class ScenarioSchemaTests
{
    private static readonly JsonDocumentOptions Lenient = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    private static readonly JsonSchema Schema = JsonSchema.FromText(ScenarioSchema.Text);

    public static TheoryData<string> Corpus => [.. Directory
        .GetFiles(Path.Combine(ArchitectureTests.Root, "sim", "corpus"), "*.json")
        .Select(file => Path.GetRelativePath(ArchitectureTests.Root, file)),
        "tests/property/Sim/crash.json", "tests/integration/Pictures/two-backends.json"];

    /// <summary>`build/sim scenario --schema >sim/scenario.schema.json` makes it anew.</summary>
    [Fact]
    public void CommittedSchema_IsTheReaders() => Assert.Equal(ScenarioSchema.Text,
        File.ReadAllText(Path.Combine(ArchitectureTests.Root, "sim", "scenario.schema.json")));

    [Theory]
    [MemberData(nameof(Corpus))]
    public void CommittedScenario_IsValidAndAsItIsWritten(string file)
    {
        var bytes = File.ReadAllBytes(Path.Combine(ArchitectureTests.Root, file));
        AssertValid(JsonNode.Parse(bytes, documentOptions: Lenient)!, file);
        var written = Encoding.UTF8.GetString(ScenarioFile.Write(ScenarioFile.Read(bytes)));
        Assert.EndsWith(written[written.IndexOf("\"seed\"", StringComparison.Ordinal)..],
            Encoding.UTF8.GetString(bytes), StringComparison.Ordinal);
    }

    [Fact]
    public void GeneratedScenarios_AreValid()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            var bytes = ScenarioFile.Write(Generator.FromSeed(seed, Profile.Swarm));
            AssertValid(JsonNode.Parse(bytes)!, $"seed {seed}");
        }
    }

    [Fact]
    public void EveryField_IsTakenByBothOrByNeither()
    {
        var tried = 0;
        foreach (var (place, good) in Full().SelectMany(Places))
        {
            // Whatever is in its place: another kind of value, nothing, and a field too many.
            foreach (var (bad, what) in Changes(good, place))
            {
                tried++;
                var isValid = Schema.Evaluate(Element(bad)).IsValid;
                Assert.True(isValid == IsRead(bad),
                    $"{place}: {what}: only the {(isValid ? "schema" : "reader")} takes it");
            }
        }
        Assert.True(tried > 1000, $"{tried} were tried");
    }

    /// <summary>Scenarios that have every field, with a value that is not its default.</summary>
    private static IEnumerable<JsonNode> Full()
    {
        var seen = new HashSet<string>();
        for (ulong seed = 0; seed < 400; seed++)
        {
            var scenario = Generator.FromSeed(seed, (Profile)(seed % 5 == 1 ? 0 : seed % 5));
            var node = JsonNode.Parse(ScenarioFile.Write(scenario with
            {
                UdpClients = [.. scenario.UdpClients.Take(2).Select(client =>
                    client with { Queries = [.. client.Queries.Take(3)] })],
            }))!;
            if (!IsRead(node))
                continue;
            var names = Places(node).Select(place => Plain(place.Place)).ToArray();
            if (names.All(seen.Contains))
                continue;
            seen.UnionWith(names);
            yield return node;
        }
        Assert.Superset(new HashSet<string>(["kernel.tcpIdle", "backends.script.delay",
            "udpClients.queries.kind", "tcpClients.manner", "faults.oneIn", "faults.error"]), seen);
    }

    private static string Plain(string place) =>
        string.Concat(place.Where(c => c is not ('[' or ']') && !char.IsDigit(c)));

    private static IEnumerable<(string Place, JsonNode Whole)> Places(JsonNode whole) =>
        Fields(whole, "").Select(place => (place, whole))
            .DistinctBy(place => Plain(place.place));

    private static IEnumerable<string> Fields(JsonNode node, string path) => node switch
    {
        JsonObject o => o.SelectMany(field => Fields(field.Value!, $"{path}.{field.Key}")
            .Prepend($"{path}.{field.Key}".TrimStart('.'))).Select(place => place.TrimStart('.')),
        JsonArray list => list.SelectMany((item, i) => Fields(item!, $"{path}[{i}]")),
        _ => [],
    };

    private static IEnumerable<(JsonNode Bad, string What)> Changes(JsonNode whole, string place)
    {
        foreach (var value in (JsonNode?[])[JsonValue.Create("x"), JsonValue.Create(-1),
            JsonValue.Create(0.5), JsonValue.Create(true), new JsonArray(), new JsonObject(), null])
        {
            var (node, parent, name) = Find(whole, place);
            parent[name] = value?.DeepClone();
            yield return (node, $"is {value?.ToJsonString() ?? "null"}");
        }
        var (less, from, field) = Find(whole, place);
        from.Remove(field);
        yield return (less, "is missing");
        var (more, to, _) = Find(whole, place);
        to["sead"] = 1;
        yield return (more, "stands beside another");
    }

    private static (JsonNode Whole, JsonObject Parent, string Name) Find(
        JsonNode whole, string place)
    {
        var copy = whole.DeepClone();
        var names = place.Replace("[", ".[", StringComparison.Ordinal).Split('.');
        var at = copy;
        foreach (var name in names[..^1])
            at = name[0] == '[' ? at[int.Parse(name[1..^1])]! : at[name]!;
        return (copy, at.AsObject(), names[^1]);
    }

    private static bool IsRead(JsonNode node)
    {
        try
        {
            ScenarioFile.Read(Encoding.UTF8.GetBytes(node.ToJsonString()));
            return true;
        }
        catch (ScenarioFormatException wrong)
        {
            // What a schema cannot say is not a difference: what another field makes wrong.
            return wrong.Message.Contains("there is no backend", StringComparison.Ordinal)
                || !wrong.Message.Contains("is not", StringComparison.Ordinal)
                    && !wrong.Message.Contains("no such field", StringComparison.Ordinal)
                    && !wrong.Message.Contains("is missing", StringComparison.Ordinal)
                    && !wrong.Message.Contains("must be a list", StringComparison.Ordinal)
                    && !wrong.Message.Contains("must be an object", StringComparison.Ordinal)
                    && !wrong.Message.Contains("none of", StringComparison.Ordinal)
                    && !wrong.Message.Contains("neither true nor", StringComparison.Ordinal);
        }
    }

    private static void AssertValid(JsonNode node, string what)
    {
        var result = Schema.Evaluate(
            Element(node), new EvaluationOptions { OutputFormat = OutputFormat.List });
        Assert.True(result.IsValid, what);
    }

    private static JsonElement Element(JsonNode node) =>
        JsonSerializer.Deserialize<JsonElement>(node.ToJsonString());
}
