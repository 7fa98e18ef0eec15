// Owns the words for how two records of one kind differ: the fields that do, and what each is and
// should be, so that whoever reads the evidence need not compare a dozen numbers by eye.
//
// What always holds: records that print the same differ in nothing; two of different kinds, or
// whose text cannot be told apart by field, are given whole.

using System.Collections.Generic;
using System.Linq;

namespace Simulation.Model;

/// <summary>Tells how two records differ.</summary>
public static class Difference
{
    /// <summary>"Remotes is 3; it should be 4", for each field that differs.</summary>
    public static string Of(object logged, object should)
    {
        var (kind, fields) = Read(logged.ToString() ?? "");
        var (otherKind, others) = Read(should.ToString() ?? "");
        if (kind != otherKind || fields.Count == 0
            || !fields.Select(field => field.Name)
                .SequenceEqual(others.Select(field => field.Name)))
        {
            return $"it is {logged}; it should be {should}";
        }
        return string.Join(", ", fields.Zip(others)
            .Where(pair => pair.First.Value != pair.Second.Value)
            .Select(pair => $"{pair.First.Name} is {pair.First.Value}; it should be"
                + $" {pair.Second.Value}"));
    }

    /// <summary>Takes "Kind { A = 1, B = Other { C = 2 } }" apart, one level deep.</summary>
    private static (string Kind, List<(string Name, string Value)> Fields) Read(string text)
    {
        var fields = new List<(string, string)>();
        var open = text.IndexOf(" { ", System.StringComparison.Ordinal);
        if (open < 0 || !text.EndsWith(" }", System.StringComparison.Ordinal))
            return (text, fields);
        var depth = 0;
        var from = open + 3;
        for (var at = from; at < text.Length - 1; at++)
        {
            depth += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
            var ends = at == text.Length - 2
                || (depth == 0 && text[at] == ',' && text[at + 1] == ' ');
            if (!ends)
                continue;
            var part = text[from..at];
            var equals = part.IndexOf(" = ", System.StringComparison.Ordinal);
            if (equals < 0)
                return (text, []);
            fields.Add((part[..equals], part[(equals + 3)..]));
            from = at + 2;
        }
        return (text[..open], fields);
    }
}
