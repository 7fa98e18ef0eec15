// Owns the pieces of code that are mutated: bodies of methods, constructors, operators and
// accessors, and what fields and properties begin with.

using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Simulation.Planting.Mutants;

/// <summary>One piece of code.</summary>
/// <param name="Member">The member that it belongs to.</param>
/// <param name="Code">A block, what follows an arrow, or an initial value.</param>
/// <param name="Name">Type and member.</param>
public sealed record MutableBody(MemberDeclarationSyntax Member, SyntaxNode Code, string Name)
{
    /// <summary>The accessor that it is the body of; null if it is none's.</summary>
    public AccessorDeclarationSyntax? Accessor => Code.Parent as AccessorDeclarationSyntax;

    /// <summary>A value that is there before any constructor runs.</summary>
    public bool IsInitialValue => Code is ExpressionSyntax;

    /// <summary>The bodies of a file, from its top to its bottom.</summary>
    public static IEnumerable<MutableBody> In(SyntaxNode root)
    {
        var members = root.DescendantNodes(node => node is CompilationUnitSyntax
                or BaseNamespaceDeclarationSyntax or TypeDeclarationSyntax)
            .OfType<MemberDeclarationSyntax>()
            .Where(member => member.Parent is TypeDeclarationSyntax
                and not InterfaceDeclarationSyntax);
        foreach (var member in members)
        {
            var name = NameOf(member);
            if (Exclusions.HasMember(name))
                continue;
            foreach (var code in CodeOf(member))
                yield return new MutableBody(member, code, $"{TypesOf(member)}.{name}");
        }
    }

    private static IEnumerable<SyntaxNode> CodeOf(MemberDeclarationSyntax member) => member switch
    {
        BaseMethodDeclarationSyntax method =>
            OnlyOne((SyntaxNode?)method.Body ?? method.ExpressionBody),
        PropertyDeclarationSyntax { ExpressionBody: { } arrow } => [arrow],
        PropertyDeclarationSyntax property =>
            [.. CodeOf(property.AccessorList), .. InitialOf(property)],
        IndexerDeclarationSyntax indexer => indexer.ExpressionBody is { } arrow
            ? [arrow]
            : CodeOf(indexer.AccessorList),
        FieldDeclarationSyntax field when !IsReadOnce(field.Modifiers) =>
            field.Declaration.Variables.SelectMany(one => OnlyOne(one.Initializer?.Value)),
        _ => [],
    };

    private static IEnumerable<SyntaxNode> CodeOf(AccessorListSyntax? accessors) =>
        accessors is null
            ? []
            : accessors.Accessors.SelectMany(
                one => OnlyOne((SyntaxNode?)one.Body ?? one.ExpressionBody));

    private static IEnumerable<SyntaxNode> InitialOf(PropertyDeclarationSyntax property) =>
        IsReadOnce(property.Modifiers) ? [] : OnlyOne(property.Initializer?.Value);

    private static IEnumerable<SyntaxNode> OnlyOne(SyntaxNode? node) => node is null ? [] : [node];

    private static bool IsReadOnce(SyntaxTokenList modifiers) =>
        modifiers.Any(SyntaxKind.StaticKeyword) || modifiers.Any(SyntaxKind.ConstKeyword);

    private static string TypesOf(SyntaxNode member) => string.Join('.', member.Ancestors()
        .OfType<TypeDeclarationSyntax>().Select(type => type.Identifier.ValueText).Reverse());

    private static string NameOf(MemberDeclarationSyntax member) => member switch
    {
        MethodDeclarationSyntax method => method.Identifier.ValueText,
        ConstructorDeclarationSyntax => "ctor",
        OperatorDeclarationSyntax one => "operator" + one.OperatorToken.ValueText,
        ConversionOperatorDeclarationSyntax one => "operator " + one.Type,
        PropertyDeclarationSyntax property => property.Identifier.ValueText,
        IndexerDeclarationSyntax => "this",
        FieldDeclarationSyntax field => field.Declaration.Variables[0].Identifier.ValueText,
        _ => member.Kind().ToString(),
    };
}
