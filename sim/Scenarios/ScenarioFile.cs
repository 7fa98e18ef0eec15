// Owns the form that scenarios have in files: JSON that people write, with times such as 3.2s,
// addresses with dots, and nothing that is at its default. docs/scenario-file.md has it field by
// field.
//
// What always holds: equal scenarios give equal bytes; what was written reads back equal; a file
// that is wrong is one line that names the line and the field, and a scenario that was read can be
// run.

using System;
using System.Collections.Generic;
using System.Text;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>Writes and reads scenarios.</summary>
public static class ScenarioFile
{
    /// <summary>Fields that say something about the file; no run depends on them.</summary>
    internal static readonly IReadOnlyList<(string Name, string Words)> Remarks =
    [
        ("$schema", "Where an editor finds the schema of this file."),
        ("check", "The check that the scenario once failed."),
        ("found", "What it once found, in a line."),
    ];

    /// <summary>How long after `end` something that is planned can still happen.</summary>
    public static Duration StopTakes => ScenarioCheck.StopTakes;

    /// <summary>The scenario as UTF-8, with a line feed at its end.</summary>
    public static byte[] Write(Scenario scenario) => Write(scenario, []);

    /// <summary>The same with remarks before it: the check that it failed, what it found.</summary>
    public static byte[] Write(
        Scenario scenario, params ReadOnlySpan<(string Name, string Text)> remarks)
    {
        var node = FileNode.Object();
        foreach (var (name, text) in remarks)
            node.Fields.Add((name, FileNode.Of(text)));
        node.Fields.AddRange(
            FileFields.Write(ScenarioFields.Scenarios, scenario, new Scenario()).Fields);
        return Encoding.UTF8.GetBytes(node.ToText() + "\n");
    }

    /// <exception cref="ScenarioFormatException">It is not a scenario that can be run.</exception>
    public static Scenario Read(ReadOnlySpan<byte> json)
    {
        var root = FileNode.Parse(json);
        var whole = new FilePlace("", root.Line);
        foreach (var (name, _) in Remarks)
        {
            if (root.Find(name) is { } remark)
                FileValues.Text.Read(remark, whole.Of(name, remark));
            root.Fields.RemoveAll(field => field.Name == name);
        }
        var scenario = FileFields.Read(ScenarioFields.Scenarios, root, whole, new Scenario());
        if (ScenarioCheck.Find(scenario) is { } wrong)
            throw new FilePlace(wrong.Path, LineOf(root, wrong.Path)).Wrong(wrong.What);
        return scenario;
    }

    /// <summary>
    /// Why a scenario is refused, on one line that names the field; null if it can be run.
    /// </summary>
    public static string? WhyNot(Scenario scenario) => ScenarioCheck.Find(scenario) is { } wrong
        ? $"{wrong.Path}: {wrong.What}"
        : null;

    /// <summary>The scenario without the faults that can do nothing.</summary>
    public static Scenario WithoutVainFaults(Scenario scenario) =>
        FaultCheck.WithoutVain(scenario);

    /// <summary>The line of the deepest node on a path that is in the file.</summary>
    private static int LineOf(FileNode node, string path)
    {
        var names = path.Replace("[", ".[", StringComparison.Ordinal)
            .Split('.', StringSplitOptions.RemoveEmptyEntries);
        foreach (var name in names)
        {
            var next = name[0] != '['
                ? node.Find(name)
                : int.Parse(name[1..^1]) is var item && item < node.Items.Count
                    ? node.Items[item] : null;
            if (next is null)
                break;
            node = next;
        }
        return node.Line;
    }
}
