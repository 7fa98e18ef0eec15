// Owns what a field of a scenario file is: its name, what may stand in it, what it means, and how
// it is taken from and put into the record. The reader, the writer, the schema for editors and the
// test of the documentation all go through these, so none of them can know a field that another
// does not.
//
// What always holds: a field that a file leaves out is at its default, and one at its default is
// left out when it is written; a value that a field refuses is a line that names the field's path
// and the line of the file.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>A file that does not hold a scenario; the message is one line.</summary>
public sealed class ScenarioFormatException(string message) : FormatException(message);

/// <summary>Where in a file something stands.</summary>
/// <param name="Path">Such as udpClients[0].queries[1].at; empty for the whole.</param>
/// <param name="Line">From 1; 0 if there is no file.</param>
internal readonly record struct FilePlace(string Path, int Line)
{
    public FilePlace Of(string field, FileNode node) => Of(field, node.Line);

    public FilePlace Of(string field, int line) =>
        new(Path.Length == 0 ? field : $"{Path}.{field}", line);

    public FilePlace At(int item, FileNode node) => At(item, node.Line);

    public FilePlace At(int item, int line) => new($"{Path}[{item}]", line);

    public ScenarioFormatException Wrong(string what) => new(
        (Line > 0 ? $"line {Line}: " : "") + (Path.Length > 0 ? $"{Path}: " : "") + what);
}

/// <summary>How one kind of value is read, written, and described to an editor.</summary>
/// <param name="Schema">The JSON schema of the value.</param>
/// <param name="Read">The value, or a refusal.</param>
/// <param name="Write">The value's node.</param>
internal sealed record FileValue<T>(
    Func<FileNode> Schema, Func<FileNode, FilePlace, T> Read, Func<T, FileNode> Write);

/// <summary>One field of a record.</summary>
/// <param name="Name">Its name in a file.</param>
/// <param name="Words">What it means, in a sentence or two.</param>
/// <param name="Default">What it is if it is left out; null if it must be there.</param>
/// <param name="Schema">The JSON schema of its value.</param>
/// <param name="Get">Its node.</param>
/// <param name="Set">The record with the field as the node has it.</param>
internal sealed record FileField<T>(string Name, string Words, string? Default,
    Func<FileNode> Schema, Func<T, FileNode> Get, Func<T, FileNode, FilePlace, T> Set)
{
    /// <summary>Written even at its default, for the sake of who reads it.</summary>
    public bool IsAlwaysWritten { get; init; }

    /// <summary>Never left out when it is written, and refused if it is not there.</summary>
    public bool IsRequired => Default is null;
}

/// <summary>The fields of a record, read and written as a whole.</summary>
internal static class FileFields
{
    public static FileField<T> Make<T, TValue>(string name, FileValue<TValue> value,
        string? otherwise, Func<T, TValue> get, Func<T, TValue, T> set, string words) => new(
        name, words, otherwise, value.Schema, record => value.Write(get(record)),
        (record, node, place) => set(record, value.Read(node, place)));

    /// <summary>The record that a node holds, made of one with every default.</summary>
    /// <param name="fields">Its fields.</param>
    /// <param name="node">What the file has.</param>
    /// <param name="place">Where.</param>
    /// <param name="defaults">The record with every field at its default.</param>
    /// <param name="others">Fields of another reader that the file may have here too.</param>
    public static T Read<T>(ImmutableArray<FileField<T>> fields, FileNode node, FilePlace place,
        T defaults, params ReadOnlySpan<string> others)
    {
        if (node.Kind != FileNodeKind.Object)
            throw place.Wrong("must be an object, in { }");
        foreach (var (name, value) in node.Fields)
        {
            if (!IsOne(fields, name))
            {
                string[] names = [.. Names(fields), .. others];
                throw place.Of(name, value).Wrong("there is no such field "
                    + (DidYouMean(name, names) ?? $"(there are {string.Join(", ", names)})"));
            }
        }
        foreach (var field in fields)
        {
            if (node.Find(field.Name) is { } value)
                defaults = field.Set(defaults, value, place.Of(field.Name, value));
            else if (field.IsRequired)
                throw place.Wrong($"the field {field.Name} is missing");
        }
        return defaults;
    }

    /// <summary>A node of what differs from the defaults.</summary>
    public static FileNode Write<T>(ImmutableArray<FileField<T>> fields, T record, T defaults)
    {
        var node = FileNode.Object();
        foreach (var field in fields)
        {
            var value = field.Get(record);
            if (field.IsRequired || field.IsAlwaysWritten
                || value.ToText() != field.Get(defaults).ToText())
                node.Fields.Add((field.Name, value));
        }
        return node;
    }

    /// <summary>The word that differs in case alone, as a question; null if none does.</summary>
    public static string? DidYouMean(string word, IEnumerable<string> words)
    {
        foreach (var other in words)
        {
            if (string.Equals(word, other, StringComparison.OrdinalIgnoreCase))
                return $"(did you mean '{other}'?)";
        }
        return null;
    }

    private static bool IsOne<T>(ImmutableArray<FileField<T>> fields, string name)
    {
        foreach (var field in fields)
        {
            if (field.Name == name)
                return true;
        }
        return false;
    }

    private static IEnumerable<string> Names<T>(ImmutableArray<FileField<T>> fields)
    {
        foreach (var field in fields)
            yield return field.Name;
    }
}

/// <summary>The kinds of values that fields have.</summary>
internal static class FileValues
{
    public const string TimePattern = @"^[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h)$";
    public const string AddressPattern = @"^[0-9]{1,3}(\.[0-9]{1,3}){3}$";

    /// <summary>The longest time, ten days; sums of some do not overflow.</summary>
    private const decimal MostNanoseconds = 864e12m;

    /// <summary>A time as people write it: 3.2s, 150ms, 2m; in nanoseconds.</summary>
    public static readonly FileValue<long> Nanoseconds = new(
        () => FileNode.Object(("type", FileNode.Of("string")),
            ("pattern", FileNode.Of(TimePattern))),
        (node, place) => ToNanoseconds(node) ?? throw place.Wrong(IsBelowZero(node)
            ? $"{Shown(node)} is below 0s, the start of the balancer"
            : $"{Shown(node)} is not a time (write \"3.2s\", \"150ms\" or \"2m\"; up to 10 days)"),
        nanoseconds => FileNode.Of(ToText(nanoseconds)));

    public static readonly FileValue<Instant> Instant = new(Nanoseconds.Schema,
        (node, place) => new Instant(Nanoseconds.Read(node, place)),
        at => Nanoseconds.Write(at.Nanoseconds));

    public static readonly FileValue<Duration> Duration = new(Nanoseconds.Schema,
        (node, place) => new Duration(Nanoseconds.Read(node, place)),
        time => Nanoseconds.Write(time.Nanoseconds));

    public static readonly FileValue<Ipv4> Address = new(
        () => FileNode.Object(("type", FileNode.Of("string")),
            ("pattern", FileNode.Of(AddressPattern))),
        (node, place) => node.Kind == FileNodeKind.Text && Ipv4.TryParse(node.Text, out var found)
            ? found
            : throw place.Wrong(
                $"{Shown(node)} is not an address (write four numbers: \"10.1.0.7\")"),
        address => FileNode.Of(address.ToString()));

    public static readonly FileValue<string> Text = new(
        () => FileNode.Object(("type", FileNode.Of("string"))),
        (node, place) => node.Kind == FileNodeKind.Text
            ? node.Text
            : throw place.Wrong($"{Shown(node)} is not a text, in quotes"),
        FileNode.Of);

    public static readonly FileValue<bool> Flag = new(
        () => FileNode.Object(("type", FileNode.Of("boolean"))),
        (node, place) => node.Kind == FileNodeKind.Flag
            ? node.Text == "true"
            : throw place.Wrong($"{Shown(node)} is neither true nor false"),
        FileNode.Of);

    /// <summary>Up to 2^64 - 1, which some readers of JSON do not keep exactly.</summary>
    public static readonly FileValue<ulong> Seed = new(
        () => FileNode.Object(("type", FileNode.Of("integer")), ("minimum", FileNode.Of(0L))),
        (node, place) => node.Kind == FileNodeKind.Number && ulong.TryParse(
            node.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw place.Wrong($"{Shown(node)} is not a seed (a whole number, 0 to 2^64 - 1)"),
        FileNode.Of);

    /// <summary>A whole number within bounds.</summary>
    public static FileValue<long> Number(long least, long most) => new(
        () => FileNode.Object(("type", FileNode.Of("integer")), ("minimum", FileNode.Of(least)),
            ("maximum", FileNode.Of(most))),
        (node, place) => node.Kind == FileNodeKind.Number && long.TryParse(
            node.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most
            ? number
            : throw place.Wrong($"{Shown(node)} is not a whole number from {least} to {most}"),
        FileNode.Of);

    public static FileValue<int> Count(int least, int most = int.MaxValue)
    {
        var number = Number(least, most);
        return new FileValue<int>(number.Schema,
            (node, place) => (int)number.Read(node, place), count => number.Write(count));
    }

    /// <summary>One of some words, which stand for the numbers from 0 on.</summary>
    public static FileValue<long> Word(ImmutableArray<string> words) => new(
        () =>
        {
            var list = new List<FileNode>();
            foreach (var word in words)
                list.Add(FileNode.Of(word));
            return FileNode.Object(("enum", FileNode.List(list)));
        },
        (node, place) => node.Kind == FileNodeKind.Text
            && words.IndexOf(node.Text) is >= 0 and var at
            ? at
            : throw place.Wrong(FileFields.DidYouMean(node.Text, words) is { } meant
                ? $"{Shown(node)} is not known {meant}"
                : $"{Shown(node)} is none of {string.Join(", ", words)}"),
        at => FileNode.Of(words[(int)at]));

    /// <summary>The names of an enum, in camelCase.</summary>
    public static FileValue<T> Name<T>()
        where T : struct, Enum
    {
        var values = Enum.GetValues<T>();
        var word = Word([.. Array.ConvertAll(values, value => Camel(value.ToString()))]);
        return new FileValue<T>(word.Schema,
            (node, place) => values[(int)word.Read(node, place)],
            value => word.Write(Array.IndexOf(values, value)));
    }

    /// <summary>A list of records; each item's defaults depend on its place in the list.</summary>
    public static FileValue<ImmutableArray<T>> List<T>(
        Func<FileNode> schema, Func<FileNode, FilePlace, int, T> read,
        Func<T, int, FileNode> write) =>
        new(() => FileNode.Object(("type", FileNode.Of("array")), ("items", schema())),
            (node, place) =>
            {
                if (node.Kind != FileNodeKind.List)
                    throw place.Wrong("must be a list, in [ ]");
                var items = ImmutableArray.CreateBuilder<T>(node.Items.Count);
                for (var i = 0; i < node.Items.Count; i++)
                    items.Add(read(node.Items[i], place.At(i, node.Items[i]), i));
                return items.MoveToImmutable();
            },
            items =>
            {
                var nodes = new List<FileNode>(items.Length);
                for (var i = 0; i < items.Length; i++)
                    nodes.Add(write(items[i], i));
                return FileNode.List(nodes);
            });

    public static string Camel(string name) => char.ToLowerInvariant(name[0]) + name[1..];

    /// <summary>Exact, in seconds from one second on, else in milliseconds.</summary>
    public static string ToText(long nanoseconds)
    {
        var (unit, name) = nanoseconds is 0 or >= 1_000_000_000 ? (1_000_000_000m, "s")
            : (1_000_000m, "ms");
        return (nanoseconds / unit).ToString("0.#########", CultureInfo.InvariantCulture) + name;
    }

    private static long? ToNanoseconds(FileNode node)
    {
        if (node.Kind != FileNodeKind.Text)
            return null;
        var (digits, unit) = node.Text switch
        {
            [.. var d, 'n', 's'] => (d, 1m),
            [.. var d, 'u', 's'] => (d, 1e3m),
            [.. var d, 'm', 's'] => (d, 1e6m),
            [.. var d, 's'] => (d, 1e9m),
            [.. var d, 'm'] => (d, 60e9m),
            [.. var d, 'h'] => (d, 3600e9m),
            _ => ("", 0m),
        };
        return digits is [>= '0' and <= '9', .., >= '0' and <= '9'] or [>= '0' and <= '9']
            && decimal.TryParse(digits, NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture, out var value)
            && value <= MostNanoseconds / unit && value * unit is var exact
            && exact == decimal.Truncate(exact)
            ? (long)exact
            : null;
    }

    private static bool IsBelowZero(FileNode node) => node.Kind == FileNodeKind.Text
        && node.Text.StartsWith('-') && ToNanoseconds(FileNode.Of(node.Text[1..])) is not null;

    private static string Shown(FileNode node) => node.Kind switch
    {
        FileNodeKind.Text => $"'{node.Text.ReplaceLineEndings(" ")}'",
        FileNodeKind.List => "a list",
        FileNodeKind.Object => "an object",
        _ => node.Text,
    };
}
