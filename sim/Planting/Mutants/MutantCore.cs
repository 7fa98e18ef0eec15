// Owns the compilation of the core with its mutants: all of them in one assembly, of which one may
// be switched on, and the core without any that tells which sites it reaches. What does not compile
// (a sum of texts turned into a difference) is dropped and the rest compiled again.
//
// What always holds: nothing is written; a mutant that was dropped is in no assembly.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Microsoft.CodeAnalysis;

namespace Simulation.Planting.Mutants;

/// <summary>The core with its mutants, compiled.</summary>
/// <param name="Mutations">All mutants that compile, by number.</param>
/// <param name="Dropped">How many do not.</param>
/// <param name="Sites">The highest number of a site.</param>
/// <param name="Switched">The core with the mutants.</param>
/// <param name="Marked">The core that tells what it reaches.</param>
public sealed record MutantCore(ImmutableArray<Mutation> Mutations, int Dropped, int Sites,
    byte[] Switched, byte[] Marked)
{
    private const string SwitchFile = CoreSource.Folder + "/MutantSwitch.cs";

    /// <summary>Behind errors there may be others, which were not looked for yet.</summary>
    private const int MostRounds = 20;

    /// <summary>
    /// The mutants of the files of the core that have these names, with or without their folders;
    /// of all if there are none. Throws FormatException if there is no such file.
    /// </summary>
    public static (ImmutableArray<MutableFile> Files, int Sites) Find(
        CoreSource source, ImmutableArray<string> names)
    {
        var paths = source.Texts.Keys.Order(StringComparer.Ordinal)
            .Select(path => path[(CoreSource.Folder.Length + 1)..]).ToList();
        foreach (var name in names)
        {
            if (!paths.Any(path => IsCalled(path, name)))
                throw new FormatException(
                        $"--files: '{name}' is not a file of {CoreSource.Folder}");
            if (paths.All(path => !IsCalled(path, name) || Exclusions.HasFile(path)))
                throw new FormatException(
                        $"--files: '{name}' is not mutated");
        }
        var mutator = new Mutator();
        ImmutableArray<MutableFile> files = [.. paths
            .Where(path => names.IsEmpty || names.Any(name => IsCalled(path, name)))
            .Select(path => $"{CoreSource.Folder}/{path}")
            .Select(path => mutator.Find(path[(CoreSource.Folder.Length + 1)..],
                source.Texts[path], source.TreeOf(path)))
            .Where(file => !file.Bodies.IsEmpty)];
        return (files, mutator.Sites);
    }

    /// <summary>Compiles the mutants of these files.</summary>
    public static MutantCore Compile(
        CoreSource source, ImmutableArray<MutableFile> files, int sites)
    {
        var marked = source.TryCompile(With(files.Select(
            file => (file.File, SourceWriter.Marked(file)))), out var wrong)
            ?? throw Broken(wrong);
        var dropped = new HashSet<int>();
        for (var round = 0; round < MostRounds; round++)
        {
            var texts = files.ToDictionary(file => $"{CoreSource.Folder}/{file.File}",
                file => SourceWriter.Switched(file, dropped));
            var assembly = source.TryCompile(With(files.Select(
                file => (file.File, texts[$"{CoreSource.Folder}/{file.File}"].ToString()))),
                out var errors);
            if (assembly is not null)
            {
                var all = files.SelectMany(file => file.Mutations).ToList();
                return new MutantCore([.. all.Where(one => !dropped.Contains(one.Number))],
                    dropped.Count, sites, assembly, marked);
            }
            Drop(errors, texts, dropped);
        }
        throw new InvalidOperationException(
            $"the core with its mutants does not compile after {MostRounds} rounds");
    }

    private static void Drop(ImmutableArray<Diagnostic> errors,
        Dictionary<string, SwitchedText> texts, HashSet<int> dropped)
    {
        var before = dropped.Count;
        foreach (var error in errors)
        {
            if (error.Location.SourceTree is not { } tree
                || !texts.TryGetValue(tree.FilePath, out var text)
                || text.MutantsAt(error.Location.SourceSpan.Start) is not var (first, last))
            {
                throw Broken([error]);
            }
            for (var number = first; number <= last; number++)
                dropped.Add(number);
        }
        if (dropped.Count == before)
            throw Broken(errors);
    }

    private static bool IsCalled(string path, string name) =>
        path == name || path.EndsWith("/" + name, StringComparison.Ordinal);

    private static Dictionary<string, string> With(IEnumerable<(string File, string Text)> files)
    {
        var all = files.ToDictionary(
            file => $"{CoreSource.Folder}/{file.File}", file => file.Text);
        all.Add(SwitchFile, SourceWriter.SwitchSource);
        return all;
    }

    private static InvalidOperationException Broken(IEnumerable<Diagnostic> errors) =>
        new("the core with its mutants does not compile: "
            + string.Join("; ", errors.Take(5).Select(error => error.ToString())));
}
