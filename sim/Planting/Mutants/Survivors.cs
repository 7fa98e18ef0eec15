// Owns sim/mutants/survivors.tsv: the mutants that are known to survive, each with a word that says
// why, and, where that is not plain, a sentence. A row names its mutant by file, member and code,
// so it holds as long as the code does.
//
// What always holds: the words are those of the list here; a mutant has one row at most.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.IO;
using System.Linq;

namespace Simulation.Planting.Mutants;

/// <summary>A word that explains a survivor.</summary>
/// <param name="Word">The word.</param>
/// <param name="Counts">
/// Whether the survivor counts against the score: it makes a difference that a check could see.
/// </param>
/// <param name="Meaning">What it says.</param>
public sealed record SurvivorWord(string Word, bool Counts, string Meaning);

/// <summary>One row.</summary>
public sealed record Survivor(MutantKey Key, SurvivorWord Word, string Why);

/// <summary>The known survivors.</summary>
public sealed class Survivors
{
    /// <summary>Where they are, from the root of the repository.</summary>
    public const string File = "sim/mutants/survivors.tsv";

    public static readonly ImmutableArray<SurvivorWord> Words =
    [
        new("equivalent", false, "no input makes a difference"),
        new("speed", false, "only time or memory: a turn more, or a call that returns EAGAIN"),
        new("free", false, "the specification leaves it open"),
        new("words", false, "only a text in the log"),
        new("bound", true, "only at a bound, or after a failure, that no simulated run reaches"),
        new("unit", true, "no simulated run finds it, a unit test does"),
        new("open", true, "it makes a difference, and nothing looks for it yet"),
    ];

    private const string Head = "file\tmember\toriginal\tmutated\tnth\tword\twhy";

    private readonly Dictionary<MutantKey, Survivor> _rows;

    private Survivors(Dictionary<MutantKey, Survivor> rows)
    {
        _rows = rows;
    }

    public static Survivors None { get; } = new([]);

    public IReadOnlyCollection<Survivor> Rows => _rows.Values;

    /// <summary>What is known of a mutant; null if nothing is.</summary>
    public Survivor? Find(MutantKey key) => _rows.GetValueOrDefault(key);

    /// <summary>Reads the list; throws FormatException with the line that is wrong.</summary>
    public static Survivors Parse(string text)
    {
        var rows = new Dictionary<MutantKey, Survivor>();
        var lines = text.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        if (lines[0] != Head)
            throw new FormatException($"{File}: the first line must be '{Head}'");
        for (var at = 1; at < lines.Length; at++)
        {
            if (ParseRow(lines[at]) is not { } row)
                throw Wrong(at, "is not a row of file, member, original, mutated, nth, word, why");
            if (!rows.TryAdd(row.Key, row))
                throw Wrong(at, "is there twice");
        }
        return new Survivors(rows);
    }

    /// <summary>Rows of mutants, as they are kept.</summary>
    public static string Write(IEnumerable<Survivor> rows) => string.Concat(rows
        .Select(row => string.Join('\t', row.Key.File, row.Key.Member, row.Key.Original,
            row.Key.Mutated, row.Key.Nth.ToString(CultureInfo.InvariantCulture), row.Word.Word,
            row.Why))
        .Prepend(Head).Select(line => line + "\n"));

    /// <summary>A word of the list; null for any other.</summary>
    public static SurvivorWord? WordOf(string word) =>
        Words.FirstOrDefault(one => one.Word == word);

    private static Survivor? ParseRow(string line) =>
        line.Split('\t') is [var file, var member, var original, var mutated, var nth, var word,
            var why]
        && int.TryParse(nth, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && WordOf(word) is { } known
            ? new Survivor(new MutantKey(file, member, original, mutated, number), known, why)
            : null;

    private static FormatException Wrong(int at, string what) => new(string.Create(
        CultureInfo.InvariantCulture, $"{File}: line {at + 1} {what}"));
}
