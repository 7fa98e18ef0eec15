// Owns JSON as a scenario file needs it: a tree whose every node knows the line it stands on, so
// that whatever is wrong with it can be pointed at, and the layout in which scenarios are written:
// what fits on one line is on one line.
//
// What always holds: reading never throws anything but ScenarioFormatException; comments and
// trailing commas are allowed, a field written twice is not; equal trees give equal text; numbers
// are whole.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Simulation.Scenarios;

/// <summary>What a node is.</summary>
internal enum FileNodeKind
{
    Null,
    Flag,
    Number,
    Text,
    List,
    Object,
}

/// <summary>One value of a file.</summary>
internal sealed class FileNode
{
    private const int Columns = 100;

    /// <summary>What stands for a value that is not there.</summary>
    public static readonly FileNode Null = new(FileNodeKind.Null, "null", 0);

    private FileNode(FileNodeKind kind, string text, int line)
    {
        Kind = kind;
        Text = text;
        Line = line;
    }

    public FileNodeKind Kind { get; }

    /// <summary>The text, the digits of a number, or true or false.</summary>
    public string Text { get; }

    /// <summary>Where it begins in its file, from 1; 0 for what was made here.</summary>
    public int Line { get; }

    /// <summary>The fields of an object, in the order of the file.</summary>
    public List<(string Name, FileNode Value)> Fields { get; } = [];

    /// <summary>The items of a list.</summary>
    public List<FileNode> Items { get; } = [];

    public static FileNode Of(string text) => new(FileNodeKind.Text, text, 0);

    public static FileNode Of(bool flag) => new(FileNodeKind.Flag, flag ? "true" : "false", 0);

    public static FileNode Of(long number) =>
        new(FileNodeKind.Number, number.ToString(CultureInfo.InvariantCulture), 0);

    public static FileNode Of(ulong number) =>
        new(FileNodeKind.Number, number.ToString(CultureInfo.InvariantCulture), 0);

    public static FileNode Object(params ReadOnlySpan<(string Name, FileNode Value)> fields)
    {
        var node = new FileNode(FileNodeKind.Object, "", 0);
        node.Fields.AddRange(fields);
        return node;
    }

    public static FileNode List(IEnumerable<FileNode> items)
    {
        var node = new FileNode(FileNodeKind.List, "", 0);
        node.Items.AddRange(items);
        return node;
    }

    /// <summary>The field of that name; null if there is none.</summary>
    public FileNode? Find(string name) =>
        Fields.FirstOrDefault(field => field.Name == name).Value;

    /// <exception cref="ScenarioFormatException">It is not JSON.</exception>
    public static FileNode Parse(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions
        {
            CommentHandling = JsonCommentHandling.Skip,
            AllowTrailingCommas = true,
        });
        try
        {
            var lines = new LineCounter();
            reader.Read();
            var node = Parse(ref reader, json, ref lines, new FilePlace("", 0));
            reader.Read();
            return node;
        }
        catch (Exception wrong) when (wrong is JsonException or InvalidOperationException)
        {
            throw JsonMistake.Describe(json, wrong, (int)reader.TokenStartIndex);
        }
    }

    /// <summary>The tree as text, without a line feed at its end.</summary>
    public string ToText()
    {
        var text = new StringBuilder();
        Write(text, 0, 0, isRoot: true);
        return text.ToString();
    }

    private static FileNode Parse(
        ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref LineCounter lines, FilePlace place)
    {
        var line = lines.At(json, (int)reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var node = new FileNode(FileNodeKind.Object, "", line);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    var at = lines.At(json, (int)reader.TokenStartIndex);
                    var name = reader.GetString()!;
                    var field = place.Of(name, at);
                    if (node.Find(name) is not null)
                        throw field.Wrong("the field is written twice");
                    reader.Read();
                    node.Fields.Add((name, Parse(ref reader, json, ref lines, field)));
                }
                return node;
            case JsonTokenType.StartArray:
                var list = new FileNode(FileNodeKind.List, "", line);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    list.Items.Add(
                        Parse(ref reader, json, ref lines, place.At(list.Items.Count, line)));
                }
                return list;
            case JsonTokenType.String:
                return new FileNode(FileNodeKind.Text, reader.GetString()!, line);
            case JsonTokenType.Number:
                var digits = Encoding.ASCII.GetString(reader.ValueSpan);
                return new FileNode(FileNodeKind.Number, digits, line);
            case JsonTokenType.True or JsonTokenType.False:
                var isTrue = reader.TokenType == JsonTokenType.True;
                return new FileNode(FileNodeKind.Flag, isTrue ? "true" : "false", line);
            default:
                return new FileNode(FileNodeKind.Null, "null", line);
        }
    }

    private void Write(StringBuilder text, int indent, int before, bool isRoot)
    {
        var start = text.Length;
        WriteOnOneLine(text);
        var fits = indent + before + (text.Length - start) < Columns;
        if (Kind is not (FileNodeKind.Object or FileNodeKind.List)
            || (fits && !isRoot) || (Items.Count == 0 && Fields.Count == 0))
            return;
        text.Length = start;
        text.Append(Kind == FileNodeKind.List ? '[' : '{').Append('\n');
        var left = Items.Count + Fields.Count;
        foreach (var item in Items)
            WriteLine("", item);
        foreach (var (name, value) in Fields)
            WriteLine(Quote(name) + ": ", value);
        text.Append(' ', indent).Append(Kind == FileNodeKind.List ? ']' : '}');

        void WriteLine(string label, FileNode value)
        {
            text.Append(' ', indent + 2).Append(label);
            value.Write(text, indent + 2, label.Length, isRoot: false);
            text.Append(--left > 0 ? ",\n" : "\n");
        }
    }

    private void WriteOnOneLine(StringBuilder text)
    {
        switch (Kind)
        {
            case FileNodeKind.Text:
                text.Append(Quote(Text));
                break;
            case FileNodeKind.List:
                text.Append('[');
                for (var i = 0; i < Items.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "");
                    Items[i].WriteOnOneLine(text);
                }
                text.Append(']');
                break;
            case FileNodeKind.Object:
                text.Append(Fields.Count > 0 ? "{ " : "{");
                for (var i = 0; i < Fields.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "").Append(Quote(Fields[i].Name)).Append(": ");
                    Fields[i].Value.WriteOnOneLine(text);
                }
                text.Append(Fields.Count > 0 ? " }" : "}");
                break;
            default:
                text.Append(Text);
                break;
        }
    }

    private static string Quote(string text) =>
        $"\"{JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(text)}\"";

    /// <summary>Counts lines up to a place that only moves on.</summary>
    private struct LineCounter
    {
        private int _at;
        private int _line;

        public int At(ReadOnlySpan<byte> json, int place)
        {
            _line += json[_at..place].Count((byte)'\n');
            _at = place;
            return _line + 1;
        }
    }
}
