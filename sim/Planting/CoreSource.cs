// Owns the source of the core and its compilation in memory: the tree's files as they are, those of
// a patch in place of the originals, compiled as the project does, with optimisation, against the
// runtime that runs this. Warnings say nothing here: a bug may well leave a field unused.
//
// What always holds: nothing is written; what no patch touches is parsed once; it may be called
// from several threads.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Simulation.Planting;

/// <summary>The core's source, which can be compiled with patches.</summary>
public sealed class CoreSource
{
    /// <summary>The core's folder, from the root.</summary>
    public const string Folder = "src/Balancer.Core";

    private const int MostErrors = 10;

    private static readonly CSharpParseOptions ParseOptions = new(
        LanguageVersion.CSharp14, DocumentationMode.None);

    private static readonly CSharpCompilationOptions Options = new(
        OutputKind.DynamicallyLinkedLibrary,
        optimizationLevel: OptimizationLevel.Release,
        nullableContextOptions: NullableContextOptions.Enable,
        generalDiagnosticOption: ReportDiagnostic.Suppress,
        concurrentBuild: true);

    private static readonly Lazy<ImmutableArray<MetadataReference>> Runtime = new(() =>
        [.. ((string?)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") ?? "")
            .Split(Path.PathSeparator)
            .Where(path => Path.GetDirectoryName(path)
                == Path.GetDirectoryName(RuntimeEnvironment.GetRuntimeDirectory()))
            .Select(path => MetadataReference.CreateFromFile(path))]);

    private readonly ImmutableDictionary<string, string> _texts;
    private readonly Lazy<CSharpCompilation> _unchanged;

    /// <summary>Reads the core of the repository that has this root.</summary>
    public CoreSource(string root)
    {
        Root = root;
        var folder = Path.Combine(root, Folder);
        _texts = Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
            .Where(file => !file.StartsWith("obj/", StringComparison.Ordinal)
                && !file.StartsWith("bin/", StringComparison.Ordinal))
            .ToImmutableDictionary(file => $"{Folder}/{file}",
                file => File.ReadAllText(Path.Combine(folder, file)));
        _unchanged = new Lazy<CSharpCompilation>(() => CSharpCompilation.Create("Balancer.Core",
            _texts.Select(file => Parse(file.Key, file.Value)), Runtime.Value, Options));
    }

    public string Root { get; }

    /// <summary>The files, by their paths from the root.</summary>
    public IReadOnlyDictionary<string, string> Texts => _texts;

    /// <summary>
    /// The root of the repository that this program or the current folder is in; null if there is
    /// none.
    /// </summary>
    public static string? FindRoot()
    {
        foreach (var start in new[] { AppContext.BaseDirectory, Environment.CurrentDirectory })
        {
            for (var at = start; at is not null; at = Path.GetDirectoryName(at))
            {
                if (Directory.Exists(Path.Combine(at, Folder)))
                    return at;
            }
        }
        return null;
    }

    /// <summary>
    /// The assembly of the core with a patch; throws PatchException with the compiler's errors, one
    /// a line, if there are any.
    /// </summary>
    public byte[] Compile(Patch patch)
    {
        var compilation = Change(patch, out _);
        using var assembly = new MemoryStream();
        var result = compilation.Emit(assembly);
        if (!result.Success)
            throw Broken(patch, result.Diagnostics);
        return assembly.ToArray();
    }

    /// <summary>A file of the core as it is, parsed.</summary>
    public SyntaxTree TreeOf(string path) =>
        _unchanged.Value.SyntaxTrees.Single(tree => tree.FilePath == path);

    /// <summary>
    /// The assembly of the core with other files in place of its own, or beside them; null, and
    /// the errors, if it does not compile.
    /// </summary>
    public byte[]? TryCompile(
        IReadOnlyDictionary<string, string> files, out ImmutableArray<Diagnostic> errors)
    {
        var compilation = _unchanged.Value;
        foreach (var (path, text) in files)
        {
            var tree = Parse(path, text);
            compilation = _texts.ContainsKey(path)
                ? compilation.ReplaceSyntaxTree(TreeOf(path), tree)
                : compilation.AddSyntaxTrees(tree);
        }
        using var assembly = new MemoryStream();
        var result = compilation.Emit(assembly);
        errors = [.. result.Diagnostics.Where(IsError)];
        return result.Success ? assembly.ToArray() : null;
    }

    /// <summary>
    /// Whether the core with a patch compiles, in a tenth of the time: throws as Compile does. A
    /// patch within the bodies of members cannot break another file, so only what it changes is
    /// looked at; that the core without it compiles is the build's business.
    /// </summary>
    public void Check(Patch patch)
    {
        var compilation = Change(patch, out var inBodies);
        var found = inBodies is { } changed
            ? changed.SelectMany(
                tree => compilation.GetSemanticModel(tree).GetDiagnostics())
            : compilation.GetDiagnostics();
        if (found.Where(IsError).ToList() is { Count: > 0 } errors)
            throw Broken(patch, errors);
    }

    /// <summary>
    /// The core with a patch, and the trees that it changed if it did so in bodies alone.
    /// </summary>
    private CSharpCompilation Change(Patch patch, out List<SyntaxTree>? inBodies)
    {
        var texts = patch.Apply(_texts);
        var compilation = _unchanged.Value;
        List<SyntaxTree> changed = [];
        var isInBodies = texts.Keys.All(_texts.ContainsKey);
        foreach (var tree in compilation.SyntaxTrees)
        {
            if (texts[tree.FilePath] is var text && text == _texts[tree.FilePath])
                continue;
            var other = Parse(tree.FilePath, text);
            changed.Add(other);
            isInBodies &= SyntaxFactory.AreEquivalent(tree, other, topLevel: true);
            compilation = compilation.ReplaceSyntaxTree(tree, other);
        }
        inBodies = isInBodies ? changed : null;
        return compilation.AddSyntaxTrees(texts.Keys.Except(_texts.Keys)
            .Select(path => Parse(path, texts[path])));
    }

    private static bool IsError(Diagnostic diagnostic) =>
        diagnostic.Severity == DiagnosticSeverity.Error;

    private static PatchException Broken(Patch patch, IEnumerable<Diagnostic> diagnostics)
    {
        var errors = diagnostics.Where(IsError)
            .OrderBy(error => error.Location.GetLineSpan().Path, StringComparer.Ordinal)
            .ThenBy(error => error.Location.SourceSpan.Start)
            .Select(error => error.ToString()).ToList();
        IEnumerable<string> lines =
            [$"{patch.Name}: does not compile", .. errors.Take(MostErrors)];
        if (errors.Count > MostErrors)
            lines = lines.Append($"and {errors.Count - MostErrors} more errors");
        return new PatchException(string.Join('\n', lines));
    }

    private static SyntaxTree Parse(string path, string text) =>
        CSharpSyntaxTree.ParseText(text, ParseOptions, path);
}
