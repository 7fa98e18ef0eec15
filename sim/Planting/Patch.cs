// Owns patches of the core: reading a plain unified diff (of `diff -u`, `git diff` or an editor)
// and applying it to sources in memory. A hunk is found by its lines and not by its line number, so
// that a patch survives whatever moves around it. `git apply` could do it, but would need a
// checkout that nothing else touches for every patch; this works on the tree as it is, and needs no
// git.
//
// What always holds: a patch is applied whole or not at all; every complaint is one line that names
// the patch, and the file and the hunk where there is one.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

namespace Simulation.Planting;

/// <summary>A patch cannot be read, does not apply, or what it makes does not compile.</summary>
public sealed class PatchException(string message) : Exception(message);

/// <summary>One run of changed lines.</summary>
/// <param name="Line">Where its first line was, from 1.</param>
/// <param name="Old">The lines that it looks for: context, and those that it removes.</param>
/// <param name="New">What it puts in their place.</param>
public sealed record Hunk(int Line, ImmutableArray<string> Old, ImmutableArray<string> New);

/// <summary>The changes to one file.</summary>
/// <param name="Path">From the root of the repository, with slashes.</param>
/// <param name="IsNew">The patch makes the file.</param>
/// <param name="Hunks">The changes, from the top to the bottom of the file.</param>
public sealed record FilePatch(string Path, bool IsNew, ImmutableArray<Hunk> Hunks);

/// <summary>A patch.</summary>
public sealed partial class Patch
{
    private Patch(string name, string head, ImmutableArray<FilePatch> files)
    {
        Name = name;
        Head = head;
        Files = files;
    }

    /// <summary>The name of its file.</summary>
    public string Name { get; }

    /// <summary>What stands before the first changed file.</summary>
    public string Head { get; }

    public ImmutableArray<FilePatch> Files { get; }

    /// <summary>Reads a file; throws PatchException on what is not a patch.</summary>
    public static Patch Load(string file) => Parse(Path.GetFileName(file), File.ReadAllText(file));

    /// <summary>Reads a text; throws PatchException on what is not a patch.</summary>
    public static Patch Parse(string name, string text)
    {
        var lines = text.ReplaceLineEndings("\n").Split('\n');
        var head = Array.FindIndex(
            lines, line => line.StartsWith("--- ", StringComparison.Ordinal));
        if (head < 0)
            throw new PatchException($"{name}: no line '--- FILE': this is not a unified diff");
        var files = ImmutableArray.CreateBuilder<FilePatch>();
        var at = head;
        while (at < lines.Length)
        {
            if (!lines[at].StartsWith("--- ", StringComparison.Ordinal))
            {
                // Between files git puts lines of its own.
                at++;
                continue;
            }
            files.Add(ParseFile(name, lines, ref at));
        }
        return new Patch(name, string.Join('\n', lines[..head]), files.ToImmutable());
    }

    /// <summary>
    /// The sources, by their paths, with the patch applied; throws PatchException if it does not
    /// apply.
    /// </summary>
    public ImmutableDictionary<string, string> Apply(ImmutableDictionary<string, string> sources)
    {
        foreach (var file in Files)
        {
            if (!file.IsNew && !sources.ContainsKey(file.Path))
            {
                throw new PatchException($"{Name}: {file.Path}: no such file of the core"
                    + " (a patch changes nothing else)");
            }
            if (file.IsNew && sources.ContainsKey(file.Path))
                throw new PatchException($"{Name}: {file.Path}: the file is there already");
            sources = sources.SetItem(
                file.Path, Apply(file, file.IsNew ? "" : sources[file.Path]));
        }
        return sources;
    }

    private static FilePatch ParseFile(string name, string[] lines, ref int at)
    {
        var before = PathOf(lines[at]);
        if (at + 1 >= lines.Length || !lines[at + 1].StartsWith("+++ ", StringComparison.Ordinal))
            throw new PatchException($"{name}: line {at + 2}: '+++ FILE' is missing");
        var path = PathOf(lines[at + 1]);
        if (path == "/dev/null")
            throw new PatchException($"{name}: {before}: a patch cannot remove a file");
        at += 2;
        var hunks = ImmutableArray.CreateBuilder<Hunk>();
        while (at < lines.Length && lines[at].StartsWith("@@", StringComparison.Ordinal))
            hunks.Add(ParseHunk(name, lines, ref at));
        if (hunks.Count == 0)
            throw new PatchException($"{name}: {path}: no hunk ('@@ -1,2 +1,3 @@') follows");
        return new FilePatch(path, before == "/dev/null", hunks.ToImmutable());
    }

    private static Hunk ParseHunk(string name, string[] lines, ref int at)
    {
        var head = HunkHead().Match(lines[at]);
        if (!head.Success)
            throw new PatchException($"{name}: line {at + 1}: '{lines[at]}' is not a hunk's head");
        var first = at + 1;
        var left = Number(head, "oldCount", 1);
        var right = Number(head, "newCount", 1);
        var old = ImmutableArray.CreateBuilder<string>();
        var made = ImmutableArray.CreateBuilder<string>();
        for (at++; old.Count < left || made.Count < right; at++)
        {
            if (at >= lines.Length)
                throw Wrong("ends too early");
            // Editors take the space off an empty line of context.
            var (sign, line) = lines[at] is ['\\' or '+' or '-' or ' ', ..]
                ? (lines[at][0], lines[at][1..])
                : lines[at].Length == 0 ? (' ', "") : throw Wrong($"has '{lines[at]}' in it");
            if (sign is ' ' or '-')
                old.Add(line);
            if (sign is ' ' or '+')
                made.Add(line);
        }
        if (old.Count != left || made.Count != right)
            throw Wrong("has other lines than it counts");
        while (at < lines.Length && lines[at].StartsWith('\\'))
            at++;
        return new Hunk(Number(head, "line", 1), old.ToImmutable(), made.ToImmutable());

        PatchException Wrong(string what) =>
            new($"{name}: line {first}: the hunk {what} (-{left} +{right} lines)");
    }

    private string Apply(FilePatch file, string source)
    {
        var lines = source.Length == 0 ? [] : source.ReplaceLineEndings("\n").Split('\n').ToList();
        var from = 0;
        var moved = 0;
        for (var n = 0; n < file.Hunks.Length; n++)
        {
            var hunk = file.Hunks[n];
            var at = Find(lines, hunk.Old, from, hunk.Line - 1 + moved);
            if (at < 0)
            {
                throw new PatchException($"{Name}: {file.Path}: hunk {n + 1} (line {hunk.Line})"
                    + " does not apply: its lines are not in the file");
            }
            lines.RemoveRange(at, hunk.Old.Length);
            lines.InsertRange(at, hunk.New);
            from = at + hunk.New.Length;
            moved = from - (hunk.Line - 1 + hunk.Old.Length);
        }
        return string.Join('\n', lines);
    }

    /// <summary>Where the lines are, from a line on, nearest to another; -1 if nowhere.</summary>
    private static int Find(List<string> lines, ImmutableArray<string> wanted, int from, int near)
    {
        var best = -1;
        for (var at = from; at + wanted.Length <= lines.Count; at++)
        {
            if (IsAt(lines, wanted, at)
                && (best < 0 || Math.Abs(at - near) < Math.Abs(best - near)))
            {
                best = at;
            }
        }
        return best;
    }

    private static bool IsAt(List<string> lines, ImmutableArray<string> wanted, int at)
    {
        for (var n = 0; n < wanted.Length; n++)
        {
            if (lines[at + n] != wanted[n])
                return false;
        }
        return true;
    }

    /// <summary>A path without git's prefix and diff's time.</summary>
    private static string PathOf(string line)
    {
        var path = line[4..].Split('\t')[0].Trim();
        return path.StartsWith("a/", StringComparison.Ordinal)
            || path.StartsWith("b/", StringComparison.Ordinal) ? path[2..] : path;
    }

    private static int Number(Match head, string group, int otherwise) =>
        head.Groups[group] is { Success: true } found
            ? int.Parse(found.ValueSpan, CultureInfo.InvariantCulture)
            : otherwise;

    [GeneratedRegex(
        @"^@@ -(?<line>\d{1,9})(,(?<oldCount>\d{1,9}))? \+\d{1,9}(,(?<newCount>\d{1,9}))? @@",
        RegexOptions.CultureInvariant)]
    private static partial Regex HunkHead();
}
