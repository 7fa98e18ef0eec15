// Owns the search for mutants: it walks through the bodies of a file and has the rules say what
// each node may become.
//
// What always holds: the same source gives the same mutants in the same order; no two of a file are
// the same change.

using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace Simulation.Planting.Mutants;

/// <summary>The mutants of one file.</summary>
/// <param name="File">From the folder of the core, with slashes.</param>
/// <param name="Source">The file as it is.</param>
/// <param name="Tree">The same, parsed.</param>
/// <param name="Bodies">Those that have mutants, with them.</param>
public sealed record MutableFile(string File, string Source, SyntaxTree Tree,
    ImmutableArray<(MutableBody Body, ImmutableArray<Mutation> Mutations)> Bodies)
{
    /// <summary>All of them, by number.</summary>
    public IEnumerable<Mutation> Mutations => Bodies.SelectMany(one => one.Mutations);
}

/// <summary>Finds mutants, and numbers them and their sites through several files.</summary>
public sealed class Mutator
{
    private int _mutants;
    private int _sites;

    /// <summary>Sites so far; the last has this number.</summary>
    public int Sites => _sites;

    /// <summary>Finds the mutants of a file.</summary>
    public MutableFile Find(string file, string source, SyntaxTree tree)
    {
        var bodies = ImmutableArray.CreateBuilder<(MutableBody, ImmutableArray<Mutation>)>();
        var seen = new Dictionary<(string, string, string), int>();
        if (!Exclusions.HasFile(file))
        {
            foreach (var body in MutableBody.In(tree.GetRoot()))
            {
                var found = Of(file, body, tree, seen);
                if (!found.IsEmpty)
                    bodies.Add((body, found));
            }
        }
        return new MutableFile(file, source, tree, bodies.ToImmutable());
    }

    /// <summary>
    /// The statement that must be reached for what is at a node to matter; null if it is the body
    /// as a whole.
    /// </summary>
    internal static StatementSyntax? StatementOf(SyntaxNode node, MutableBody body)
    {
        for (var at = node; at is not null && at != body.Code; at = at.Parent)
        {
            if (at is LocalFunctionStatementSyntax)
                return null;
            if (at is StatementSyntax statement and not BlockSyntax)
                return statement;
        }
        return null;
    }

    private ImmutableArray<Mutation> Of(string file, MutableBody body, SyntaxTree tree,
        Dictionary<(string, string, string), int> seen)
    {
        var found = ImmutableArray.CreateBuilder<Mutation>();
        var done = new HashSet<(TextSpan, string)>();
        var sites = new Dictionary<TextSpan, int>();
        var nodes = body.Code.DescendantNodesAndSelf(
            node => !Exclusions.HasCode((CSharpSyntaxNode)node));
        foreach (var node in nodes.Where(node => !Exclusions.HasCode((CSharpSyntaxNode)node)))
        {
            foreach (var (at, text) in ChangesOf(node))
            {
                if (!done.Add((at.Span, text)))
                    continue;
                var original = Mutation.OnOneLine(at.ToString());
                var mutated = Mutation.OnOneLine(text);
                var same = (body.Name, original, mutated);
                seen[same] = seen.GetValueOrDefault(same) + 1;
                found.Add(new Mutation(++_mutants,
                    new MutantKey(file, body.Name, original, mutated, seen[same]),
                    tree.GetLineSpan(at.Span).StartLinePosition.Line + 1, at.Span, text,
                    SiteOf(at, body, sites)));
            }
        }
        return found.ToImmutable();
    }

    private static IEnumerable<(SyntaxNode At, string Text)> ChangesOf(SyntaxNode node)
    {
        foreach (var text in MutationRules.Of(node))
            yield return (node, text);
        if (MutationRules.ConditionOf(node) is not { } condition)
            yield break;
        foreach (var text in MutationRules.OfCondition(condition))
            yield return (condition, text);
    }

    private int SiteOf(SyntaxNode node, MutableBody body, Dictionary<TextSpan, int> sites)
    {
        if (body.IsInitialValue)
            return 0;
        var span = StatementOf(node, body)?.Span ?? body.Code.Span;
        if (!sites.TryGetValue(span, out var site))
            sites[span] = site = ++_sites;
        return site;
    }
}
