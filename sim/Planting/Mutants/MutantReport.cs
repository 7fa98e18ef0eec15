// Owns what `sim mutate` prints and writes: a table of the files, what found the mutants, and those
// that nothing found; the same as JSON, a row for each mutant.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;

namespace Simulation.Planting.Mutants;

/// <summary>Tells what came of mutants.</summary>
public static class MutantReport
{
    /// <summary>The longest piece of code that is shown.</summary>
    private const int Columns = 70;

    /// <summary>The table, what found them, the survivors, and the score.</summary>
    public static void Print(
        TextWriter output, IReadOnlyCollection<MutantOutcome> outcomes, double least)
    {
        output.WriteLine($"{"file",-36}{"mutants",8}{"killed",8}{"time",6}{"survived",10}"
            + $"{"unreached",11}{"excused",9}{"score",8}");
        foreach (var file in outcomes.GroupBy(one => one.Mutation.Key.File))
            PrintSum(output, file.Key, MutantSum.Of(file));
        var sum = MutantSum.Of(outcomes);
        PrintSum(output, "all", sum);
        output.WriteLine("killed by: " + string.Join(", ", outcomes.Where(one => one.IsKilled)
            .GroupBy(one => one.By).OrderByDescending(group => group.Count())
            .ThenBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => $"{group.Key} {group.Count()}")));
        foreach (var one in outcomes.Where(one => one.Lives && !one.IsExcused))
            output.WriteLine(Line(one));
        if (sum.NotTried > 0)
        {
            output.WriteLine($"the time was enough for {sum.All - sum.NotTried} of {sum.All}"
                + " mutants, spread evenly over all of them");
        }
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"score {sum.Score:F1} %, {least:0.#} % is asked for; not explained:"
            + $" {outcomes.Count(one => one.IsUnexplained)}"));
    }

    /// <summary>Rows of the list of survivors that name no mutant.</summary>
    public static void Stale(TextWriter output, IEnumerable<Survivor> rows)
    {
        foreach (var row in rows)
            output.WriteLine($"no such mutant any more: {row.Key.File} {row.Key}");
    }

    /// <summary>
    /// The list of survivors as it would be: what is known, and the others with the word `open`.
    /// </summary>
    public static string RowsOf(IEnumerable<MutantOutcome> outcomes) => Survivors.Write(outcomes
        .Where(one => one.Lives)
        .Select(one => one.Known ?? new Survivor(one.Mutation.Key, Survivors.WordOf("open")!,
            string.Create(CultureInfo.InvariantCulture,
                $"{(one.Verdict == MutantVerdict.NotReached ? "not reached" : Vain(one))}"))));

    /// <summary>Writes all outcomes; throws as files do.</summary>
    public static void WriteJson(string path, IReadOnlyCollection<MutantOutcome> outcomes)
    {
        using var stream = File.Create(path);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        var sum = MutantSum.Of(outcomes);
        json.WriteStartObject();
        json.WriteNumber("score", Math.Round(sum.Score, 2));
        json.WriteNumber("mutants", sum.All);
        json.WriteNumber("killed", sum.Killed);
        json.WriteNumber("killed_by_time", sum.Endless);
        json.WriteNumber("survived", sum.Survived);
        json.WriteNumber("not_reached", sum.NotReached);
        json.WriteNumber("excused", sum.Excused);
        json.WriteNumber("not_tried", sum.NotTried);
        json.WriteStartArray("outcomes");
        foreach (var one in outcomes)
            WriteJson(json, one);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteJson(Utf8JsonWriter json, MutantOutcome one)
    {
        json.WriteStartObject();
        json.WriteString("file", one.Mutation.Key.File);
        json.WriteNumber("line", one.Mutation.Line);
        json.WriteString("member", one.Mutation.Key.Member);
        json.WriteString("original", one.Mutation.Key.Original);
        json.WriteString("mutated", one.Mutation.Key.Mutated);
        json.WriteNumber("nth", one.Mutation.Key.Nth);
        json.WriteString("verdict", one.Verdict.ToString());
        json.WriteString("by", one.By);
        json.WriteString("seed", one.Seed);
        json.WriteNumber("runs", one.Runs);
        json.WriteNumber("differed", one.Differed);
        if (one.Known is { } known)
            json.WriteString("word", known.Word.Word);
        json.WriteEndObject();
    }

    private static void PrintSum(TextWriter output, string name, MutantSum sum) =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-36}{sum.All,8}{sum.Killed,8}{sum.Endless,6}{sum.Survived,10}"
            + $"{sum.NotReached,11}{sum.Excused,9}{sum.Score,6:F1} %"));

    private static string Line(MutantOutcome one)
    {
        var key = one.Mutation.Key;
        var how = one.Verdict == MutantVerdict.NotReached ? "not reached" : Vain(one);
        var word = one.Known is { } known ? known.Word.Word : "not explained";
        return string.Create(CultureInfo.InvariantCulture,
            $"{key.File}:{one.Mutation.Line}  {key.Member}  {Short(key.Original)}"
            + $"  ->  {Short(key.Mutated)}  ({how}; {word})");
    }

    private static string Vain(MutantOutcome one) => string.Create(CultureInfo.InvariantCulture,
        $"differs in {one.Differed} of {one.Runs} runs");

    private static string Short(string code) =>
        code.Length > Columns ? code[..(Columns - 1)] + "…" : code;
}
