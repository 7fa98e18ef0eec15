// The table of docs/claims.md, held to the specification: each sentence of docs/behaviour.md has
// one row, in order, and what a row says that would fail if the sentence were false is there. How
// many rows say that nothing would is written at the head of the table.
//
// A sentence ends with ". " or with its paragraph, outside of blocks of code; an item of a list is
// a paragraph, and a row of a table is a sentence. A heading in the line ("**Scans.**") is none.
//
// What always holds: a row is compared by the first words that it has, and these are the first
// words of no other sentence of its section; a finding is a line that says which row it is about.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Simulation.Checking;
using Xunit;

namespace Tests.Unit;

public sealed partial class ClaimTests
{
    private static readonly string Root = ArchitectureTests.Root;

    private static readonly List<(string Section, string Text)> Sentences =
        [.. SentencesOf(Read("docs/behaviour.md"))];

    private static readonly List<Row> Rows = [.. RowsOf(Read("docs/claims.md"))];

    /// <summary>The words of all sources that have a class, by the class.</summary>
    private static readonly ILookup<string, HashSet<string>> Classes = Directory
        .EnumerateFiles(Path.Combine(Root, "tests"), "*.cs", SearchOption.AllDirectories)
        .Select(File.ReadAllText)
        .SelectMany(text => Class().Matches(text).Select(match => (
            Name: match.Groups[1].Value,
            Methods: Method().Matches(text).Select(method => method.Groups[1].Value).ToHashSet())))
        .ToLookup(found => found.Name, found => found.Methods);

    private sealed record Row(string Section, string Words, string Checks, string? Why)
    {
        public bool IsOpen => Why?.StartsWith("open:", StringComparison.Ordinal) == true;
    }

    [Fact]
    public void EachSentence_HasOneRowInItsOrder()
    {
        var wrong = Sentences.Zip(Rows)
            .Where(pair => pair.First.Section != pair.Second.Section
                || !StartsWith(pair.First.Text, pair.Second.Words))
            .Select(pair => $"the row of \"{pair.Second.Words}\" stands where that should of:"
                + $" {pair.First.Section}: {pair.First.Text}");

        Assert.True(Sentences.Count > 500, $"only {Sentences.Count} sentences");
        Assert.True(!wrong.Any(), wrong.FirstOrDefault());
        Assert.Equal(Sentences.Count, Rows.Count);
    }

    [Fact]
    public void EachRow_IsAboutOneSentence() => Nothing(
        from row in Rows
        let meant = Sentences.Count(sentence => sentence.Section == row.Section
            && StartsWith(sentence.Text, row.Words))
        where meant != 1
        select $"{meant} sentences begin with: {row.Words}");

    [Fact]
    public void EachRow_NamesACheckOrATestOrAReason() => Nothing(
        Rows.Where(row => row.Checks.Length == 0 && row.Why is null)
            .Select(row => $"nothing is named for: {row.Words}"));

    [Fact]
    public void WhatRowsName_IsThere()
    {
        var checks = CheckSet.Ids.Append("S13").Append("L6").ToHashSet();
        var named = Rows
            .SelectMany(row => row.Checks.Split(", ", StringSplitOptions.RemoveEmptyEntries)
                .Select(name => (row.Words, Name: name)))
            .ToList();

        Assert.NotEmpty(named);
        Nothing(named.Where(one => !checks.Contains(one.Name) && !IsTest(one.Name))
            .Select(one => $"there is no {one.Name}, named for: {one.Words}"));
    }

    [Fact]
    public void RowsThatAreOpen_AreAtMostAsManyAsTheHeadSays()
    {
        var most = int.Parse(Most().Match(Read("docs/claims.md")).Groups[1].Value, null);
        var open = Rows.Where(row => row.IsOpen).ToList();

        Assert.Equal(most, open.Count);
    }

    /// <summary>
    /// The rules are written a second time: what the model and the checks judge by is no constant
    /// of the core's.
    /// </summary>
    [Fact]
    public void Model_TakesNoNumberOfTheCore()
    {
        var sources = new[] { "Model", "Checking" }
            .SelectMany(folder => Directory.EnumerateFiles(
                Path.Combine(Root, "sim", "Simulator", folder), "*.cs",
                SearchOption.AllDirectories))
            .Select(file => (File: Path.GetFileName(file), Text: File.ReadAllText(file)))
            .ToList();

        Assert.NotEmpty(sources);
        Nothing(sources.Where(source => NumberOfTheCore().IsMatch(source.Text))
            .Select(source => $"{source.File} takes a number of the core's Limits"));
    }

    // ---- How sentences are told apart ----

    [Theory]
    [InlineData("One goes on\nhere. Two.", "One goes on here.", "Two.")]
    [InlineData("**Head.** One 1.5 s. (Two.) Three", "One 1.5 s.", "(Two.)", "Three")]
    [InlineData("*Ours:* one:\n\n- two\n  and on; \n1. three", "*Ours:* one:", "two and on;",
        "three")]
    [InlineData("| a | b |\n|---|---|\n| `one` | 1 |\n| two. So | 2 |", "`one` | 1",
        "two. So | 2")]
    [InlineData("One\n\n```\nTwo.\n```\n\n*Exceptions.*\n\n<!-- three -->\nFour", "One", "Four")]
    public void Text_IsItsSentences(string text, params string[] sentences) =>
        Assert.Equal(sentences, SentencesOf("# head\n" + text).Select(found => found.Text));

    private static IEnumerable<(string Section, string Text)> SentencesOf(string document)
    {
        var section = "";
        foreach (var (kind, text) in PiecesOf(document))
        {
            if (kind == Piece.Heading)
            {
                section = text;
                continue;
            }
            string[] sentences = kind == Piece.Row ? [text] : EndOfSentence().Split(text);
            foreach (var sentence in sentences)
            {
                var said = kind == Piece.Row ? sentence : InlineHeading().Replace(sentence, "");
                if (said.Length > 0)
                    yield return (section, said);
            }
        }
    }

    private enum Piece
    {
        Heading,
        Paragraph,
        Row,
    }

    /// <summary>Paragraphs in one line each, rows without the bars at their ends.</summary>
    private static IEnumerable<(Piece Kind, string Text)> PiecesOf(string document)
    {
        var paragraph = new List<string>();
        var lines = WithoutCode(document).Split('\n').Select(line => line.Trim()).ToList();
        for (var n = 0; n <= lines.Count; n++)
        {
            var line = n < lines.Count ? lines[n] : "";
            var isItem = Item().IsMatch(line);
            var ends = line.Length == 0 || line[0] is '|' or '#' || isItem
                || line.StartsWith("<!--", StringComparison.Ordinal);
            if (ends && paragraph.Count > 0)
            {
                yield return (Piece.Paragraph, string.Join(' ', paragraph));
                paragraph.Clear();
            }
            var isHead = n + 1 < lines.Count && UnderHead().IsMatch(lines[n + 1]);
            if (!ends || isItem)
                paragraph.Add(Item().Replace(line, ""));
            else if (line.StartsWith('#'))
                yield return (Piece.Heading, line.TrimStart('#', ' '));
            else if (line.StartsWith('|') && !isHead && !UnderHead().IsMatch(line))
                yield return (Piece.Row, string.Join(" | ", CellsOf(line)));
        }
    }

    private static IEnumerable<Row> RowsOf(string document)
    {
        var section = "";
        foreach (var (kind, text) in PiecesOf(document))
        {
            if (kind == Piece.Heading)
                section = text;
            if (kind != Piece.Row)
                continue;
            var cells = text.Split(" | ");
            var what = Note().Match(cells[^1]);
            yield return new Row(section, string.Join(" | ", cells[..^1]).Replace("\\|", "|"),
                what.Groups["checks"].Value.Replace("`", ""),
                what.Groups["why"].Success ? what.Groups["why"].Value : null);
        }
    }

    private static IEnumerable<string> CellsOf(string row) =>
        Bar().Split(row.Trim('|')).Select(cell => cell.Trim());

    private static string WithoutCode(string text) => Fence().Replace(text, "");

    private static bool StartsWith(string sentence, string words) =>
        sentence.StartsWith(words, StringComparison.Ordinal);

    private static bool IsTest(string name) => name.Split('.') is [var of, .. var method]
        && Classes[of].Any(methods => method.All(methods.Contains));

    private static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    private static void Nothing(IEnumerable<string> findings) =>
        Assert.True(!findings.Any(), string.Join('\n', findings));

    [GeneratedRegex(@"(?<=\.\)?) (?=\S)")]
    private static partial Regex EndOfSentence();

    [GeneratedRegex(@"^(\*{1,2})[A-Z][^*]*?\.\1( |$)")]
    private static partial Regex InlineHeading();

    [GeneratedRegex(@"^(- |\d+\. )")]
    private static partial Regex Item();

    [GeneratedRegex(@"^\|[-| ]+\|$")]
    private static partial Regex UnderHead();

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex Bar();

    [GeneratedRegex(@"^ *```.*?^ *```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    /// <summary>What is named, and behind it why the rest, or all, is not checked.</summary>
    [GeneratedRegex(@"^(?<checks>.*?)(; |^|$)(?<why>(open|reason): .*)?$")]
    private static partial Regex Note();

    [GeneratedRegex(@"no more rows are open than this: (\d+)\.")]
    private static partial Regex Most();

    [GeneratedRegex(@"(?<!\w)Limits\.\w")]
    private static partial Regex NumberOfTheCore();

    [GeneratedRegex(@"\bclass (\w+)")]
    private static partial Regex Class();

    [GeneratedRegex(@"\b(\w+)\(")]
    private static partial Regex Method();
}
