// Owns the JSON schema of scenario files, for editors: it is made of the same fields that the
// reader goes by. The committed copy is sim/scenario.schema.json; a test holds it to this one.
//
// What always holds: what the schema refuses the reader refuses; the reader refuses more, since a
// schema cannot say that a backend is there or that a fault begins before healAt.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;

namespace Simulation.Scenarios;

/// <summary>Makes the schema.</summary>
public static class ScenarioSchema
{
    private const string Draft = "https://json-schema.org/draft/2020-12/schema";

    /// <summary>The schema as a file, with a line feed at its end.</summary>
    public static string Text
    {
        get
        {
            var root = Object(ScenarioFields.Scenarios);
            root.Fields.InsertRange(0,
            [
                ("$schema", FileNode.Of(Draft)),
                ("title", FileNode.Of("A scenario of bbal's simulator")),
            ]);
            var properties = root.Find("properties")!;
            foreach (var (name, words) in ScenarioFile.Remarks)
                properties.Fields.Add((name, Described(FileValues.Text.Schema(), words, null)));
            return root.ToText() + "\n";
        }
    }

    /// <summary>An object with these fields and no others.</summary>
    internal static FileNode Object<T>(ImmutableArray<FileField<T>> fields) => Object(
        fields.Select(field => (field.Name, field.Words, field.Default, field.Schema())));

    internal static FileNode Query() => Object(ScenarioFields.QueryFields());

    /// <summary>A fault: one of its kinds, with the fields of that kind.</summary>
    internal static FileNode Faults() => FileNode.Object(
        ("type", FileNode.Of("array")),
        ("items", FileNode.Object(("oneOf", FileNode.List(FaultFields.Shapes.Select(Fault))))));

    private static FileNode Fault(FaultShape shape)
    {
        var node = Object(FaultFields.Of(shape.Kind, []).Select(field => (field.Name, field.Words,
            field.Default, field.Name == "kind"
                ? FileNode.Object(("const", FileNode.Of(shape.Name)))
                : field.Schema())));
        node.Fields.Insert(0, ("description", FileNode.Of(shape.Words)));
        return node;
    }

    private static FileNode Object(
        IEnumerable<(string Name, string Words, string? Default, FileNode Schema)> fields)
    {
        var all = fields.ToArray();
        var properties = FileNode.Object();
        foreach (var (name, words, otherwise, schema) in all)
            properties.Fields.Add((name, Described(schema, words, otherwise)));
        var node = FileNode.Object(("type", FileNode.Of("object")), ("properties", properties),
            ("additionalProperties", FileNode.Of(false)));
        var required = all.Where(field => field.Default is null).ToArray();
        if (required.Length > 0)
        {
            node.Fields.Add(("required",
                FileNode.List(required.Select(field => FileNode.Of(field.Name)))));
        }
        return node;
    }

    private static FileNode Described(FileNode schema, string words, string? otherwise)
    {
        schema.Fields.Insert(0, ("description", FileNode.Of(
            otherwise is null ? words : $"{words} Default: {otherwise}.")));
        return schema;
    }
}
