// Owns the list of what is not mutated, each with its reason. It is short on purpose: whatever a
// simulated run could notice is mutated, and a mutant that makes no difference is explained in
// sim/mutants/survivors.tsv instead.

using System;
using System.Collections.Immutable;
using System.Linq;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Simulation.Planting.Mutants;

/// <summary>Something that is left as it is.</summary>
public sealed record Exclusion(string What, string Reason);

/// <summary>What is not mutated.</summary>
public static class Exclusions
{
    /// <summary>Files, from the folder of the core.</summary>
    public static readonly ImmutableArray<Exclusion> Files =
    [
        new("Limits.cs", "constants, which are read once, when the core is loaded"),
        new("LimitRelations.cs", "relations of constants, which hold"),
        new("Seams/LogEvent.cs", "names and levels of records; tests of the daemon have them"),
        new("SipHash.cs", "any hash would do; unit tests have the vectors"),
        new("KeyedHash.cs", "any hash would do; unit tests have the vectors"),
        new("Verify.cs", "nothing but a bug reaches it"),
    ];

    /// <summary>Members, wherever they are.</summary>
    public static readonly ImmutableArray<Exclusion> Members =
    [
        new("ToString", "texts, for people"),
        new("GetHashCode", "how a table is spread, which costs only time"),
    ];

    /// <summary>Kinds of code.</summary>
    public static readonly ImmutableArray<Exclusion> Code =
    [
        new("Verify.That(…)", "what it says always holds, whatever a peer does"),
        new("throw …", "only a bug gets there, and what is thrown is words"),
        new("texts, nameof", "words"),
        new("attributes", "they do nothing when it runs"),
        new("const, static readonly", "read once, when the core is loaded"),
        new("interfaces", "no code"),
    ];

    public static bool HasFile(string file) => Files.Any(one => one.What == file);

    public static bool HasMember(string name) => Members.Any(one => one.What == name);

    /// <summary>Whether nothing at or below a node is mutated.</summary>
    public static bool HasCode(CSharpSyntaxNode node) => node switch
    {
        ThrowStatementSyntax or ThrowExpressionSyntax => true,
        InterpolatedStringExpressionSyntax or AttributeListSyntax => true,
        LocalDeclarationStatementSyntax local => local.IsConst,
        InvocationExpressionSyntax call => call.Expression.ToString() is "Verify.That" or "nameof",
        ExpressionStatementSyntax { Expression: InvocationExpressionSyntax call } => HasCode(call),
        _ => false,
    };
}
