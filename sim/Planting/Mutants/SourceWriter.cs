// Owns the text of a file of the core with all its mutants in it, and of one that tells which sites
// are reached. Each mutant is a copy of its member's code beside the member, so whatever a rule
// makes is in place, whichever names the code declares; the member itself is one comparison longer,
// and the copies are not even compiled to machine code until one is switched on. Constructors have
// their copies within, because only there read-only fields are set.
//
// A loop counts its rounds, so that one that a mutant makes endless ends by itself, on any machine
// at the same place.
//
// What always holds: with no mutant switched on, the code does what the source says.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace Simulation.Planting.Mutants;

/// <summary>Writes files.</summary>
internal static class SourceWriter
{
    /// <summary>What is compiled beside the core; see MutantRun, which sets it.</summary>
    public const string SwitchSource = """
        namespace Balancer.Core;

        internal static class MutantSwitch
        {
            public static int Active;
            public static long RoundsLeft;
            public static bool[] Reached;

            public static bool IsIn(int first, int count) => (uint)(Active - first) < (uint)count;

            public static void Round()
            {
                if (--RoundsLeft < 0)
                    End();
            }

            private static void End() => throw new EndlessLoopException();
        }

        internal sealed class EndlessLoopException : global::System.Exception
        {
        }
        """;

    private const string Switch = "global::Balancer.Core.MutantSwitch";
    private const string Round = $"{Switch}.Round(); ";

    /// <summary>A file with its mutants, but those that are left out.</summary>
    public static SwitchedText Switched(MutableFile file, IReadOnlySet<int> without)
    {
        var loops = LoopsOf(file.Tree.GetRoot()).ToList();
        var output = new SwitchedText();
        var at = 0;
        foreach (var group in file.Bodies.GroupBy(one => one.Body.Member))
        {
            var member = group.Key;
            // What is behind a member's code is written as it is: only code has loops.
            output.Append(SwitchedText.Apply(
                file.Source, TextSpan.FromBounds(at, member.SpanStart), loops));
            at = member.SpanStart;
            var copies = new List<(string Text, int First, int Last)>();
            foreach (var (body, all) in group)
            {
                var mutations = all.Where(one => !without.Contains(one.Number)).ToList();
                if (mutations.Count == 0)
                    continue;
                output.Append(SwitchedText.Apply(
                    file.Source, TextSpan.FromBounds(at, body.Code.SpanStart), loops));
                at = new BodyWriter(file.Source, body, mutations, loops).Write(output, copies);
            }
            output.Append(SwitchedText.Apply(
                file.Source, TextSpan.FromBounds(at, member.Span.End), loops));
            at = member.Span.End;
            foreach (var (text, first, last) in copies)
                output.Append("\n" + text, first, last);
        }
        output.Append(SwitchedText.Apply(
            file.Source, TextSpan.FromBounds(at, file.Source.Length), loops));
        return output;
    }

    /// <summary>A file without mutants, that tells which sites are reached.</summary>
    public static string Marked(MutableFile file)
    {
        var edits = LoopsOf(file.Tree.GetRoot()).ToList();
        foreach (var (body, mutations) in file.Bodies)
        {
            if (body.IsInitialValue)
                continue;
            var isConverted = false;
            foreach (var site in mutations.DistinctBy(one => one.Site))
            {
                var node = body.Code.FindNode(site.Span, getInnermostNodeForTie: true);
                var mark = $"{Switch}.Reached[{Text(site.Site)}] = true; ";
                if (Mutator.StatementOf(node, body) is { } statement)
                    edits.AddRange(Before(statement, mark));
                else if (body.Code is BlockSyntax block)
                    edits.Add(Edit.Insert(block.OpenBraceToken.Span.End, mark));
                else if (!isConverted)
                {
                    // What follows an arrow is one site.
                    edits.AddRange(ToBlock((ArrowExpressionClauseSyntax)body.Code, mark));
                    isConverted = true;
                }
            }
        }
        return SwitchedText.Apply(
            file.Source, TextSpan.FromBounds(0, file.Source.Length), edits);
    }

    /// <summary>Makes a block of what follows an arrow, with something before it.</summary>
    internal static IEnumerable<Edit> ToBlock(ArrowExpressionClauseSyntax arrow, string before)
    {
        var isGetter = arrow.Parent is PropertyDeclarationSyntax or IndexerDeclarationSyntax;
        var returns = ReturnsNothing(arrow.Parent!) || arrow.Expression is ThrowExpressionSyntax
            ? "" : "return ";
        var semicolon = arrow.GetLastToken().GetNextToken();
        yield return new Edit(
            TextSpan.FromBounds(arrow.ArrowToken.SpanStart, arrow.Expression.SpanStart),
            (isGetter ? "{ get { " : "{ ") + before + returns);
        yield return new Edit(semicolon.Span, isGetter ? "; } }" : "; }");
    }

    /// <summary>Whether a method, constructor or accessor has no value.</summary>
    internal static bool ReturnsNothing(SyntaxNode owner) => owner switch
    {
        MethodDeclarationSyntax method => method.ReturnType
            is PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.VoidKeyword },
        AccessorDeclarationSyntax accessor => !accessor.IsKind(SyntaxKind.GetAccessorDeclaration),
        BaseMethodDeclarationSyntax method =>
            method is ConstructorDeclarationSyntax or DestructorDeclarationSyntax,
        _ => false,
    };

    internal static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static IEnumerable<Edit> LoopsOf(SyntaxNode root)
    {
        foreach (var node in root.DescendantNodes())
        {
            var body = node switch
            {
                WhileStatementSyntax loop => loop.Statement,
                DoStatementSyntax loop => loop.Statement,
                ForStatementSyntax loop => loop.Statement,
                CommonForEachStatementSyntax loop => loop.Statement,
                _ => null,
            };
            if (body is BlockSyntax block)
                yield return Edit.Insert(block.OpenBraceToken.Span.End, " " + Round);
            else if (body is not null)
            {
                yield return Edit.Insert(body.SpanStart, "{ " + Round);
                yield return Edit.Insert(body.Span.End, " }");
            }
        }
    }

    private static IEnumerable<Edit> Before(StatementSyntax statement, string mark)
    {
        if (statement.Parent is BlockSyntax or SwitchSectionSyntax)
        {
            yield return Edit.Insert(statement.SpanStart, mark);
            yield break;
        }
        yield return Edit.Insert(statement.SpanStart, "{ " + mark);
        yield return Edit.Insert(statement.Span.End, " }");
    }
}
