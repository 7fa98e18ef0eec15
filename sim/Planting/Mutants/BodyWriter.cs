// Owns the text of one body with its mutants: what stands in its place, and the copies that stand
// beside its member.

using System.Collections.Generic;
using System.Linq;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace Simulation.Planting.Mutants;

/// <summary>Writes one body.</summary>
internal sealed class BodyWriter(string source, MutableBody body,
    IReadOnlyList<Mutation> mutations, IReadOnlyList<Edit> loops)
{
    private const string Active = "global::Balancer.Core.MutantSwitch.Active";

    private readonly int _first = mutations[0].Number;
    private readonly int _last = mutations[^1].Number;

    /// <summary>
    /// Writes what stands in the body's place; gives the copies, and returns where in the source it
    /// goes on.
    /// </summary>
    public int Write(SwitchedText output, List<(string Text, int First, int Last)> copies)
    {
        if (body.IsInitialValue)
        {
            WriteInitialValue(output);
            return body.Code.Span.End;
        }
        if (body.Member is ConstructorDeclarationSyntax || IsInit)
        {
            WriteWithin(output);
            return EndOf(body.Code);
        }
        var (pass, isRef) = Pass();
        var all = $"{Name}__all{Text(_first)}";
        var guard = $"if (global::Balancer.Core.MutantSwitch.IsIn({Text(_first)},"
            + $" {Text(_last - _first + 1)})) ";
        var call = (isRef ? "ref " : "") + all + pass;
        guard += IsVoid ? $"{{ {call}; return; }} " : $"return {call}; ";
        WriteGuarded(output, guard);
        copies.Add((Dispatcher(all, pass, isRef), _first, _last));
        foreach (var one in mutations)
            copies.Add((Header($"{Name}__m{Text(one.Number)}") + CodeOf(one), one.Number,
                one.Number));
        return EndOf(body.Code);
    }

    private bool IsInit => body.Accessor is { } accessor
        && accessor.IsKind(SyntaxKind.InitAccessorDeclaration);

    private SyntaxNode Owner => body.Code.Parent!;

    private bool IsVoid => SourceWriter.ReturnsNothing(Owner);

    private static string Text(int number) => SourceWriter.Text(number);

    /// <summary>Where the source goes on: behind the semicolon, if it ends with one.</summary>
    private static int EndOf(SyntaxNode code) => code is ArrowExpressionClauseSyntax
        ? code.GetLastToken().GetNextToken().Span.End
        : code.Span.End;

    private string Name => body.Member switch
    {
        MethodDeclarationSyntax method => method.Identifier.ValueText,
        PropertyDeclarationSyntax property => property.Identifier.ValueText,
        IndexerDeclarationSyntax => "this__",
        _ => "operator__",
    };

    // ---- In its place ----

    private void WriteInitialValue(SwitchedText output)
    {
        var text = new StringBuilder("(");
        foreach (var one in mutations)
            text.Append($"{Active} == {Text(one.Number)} ? ({Mutated(one)}) : ");
        text.Append($"({source.AsPart(body.Code.Span)}))");
        output.Append(text.ToString(), _first, _last);
    }

    private void WriteWithin(SwitchedText output)
    {
        output.Append("{ ");
        foreach (var one in mutations)
        {
            output.Append($"if ({Active} == {Text(one.Number)}) {AsBlock(Mutated(one))} else ",
                one.Number, one.Number);
        }
        output.Append(AsBlock(SwitchedText.Apply(source, body.Code.Span, loops)) + " }");
    }

    /// <summary>A block as it is, or one of what follows an arrow and has no value.</summary>
    private string AsBlock(string code) =>
        body.Code is BlockSyntax ? code : $"{{ {code["=>".Length..]}; }}";

    private void WriteGuarded(SwitchedText output, string guard)
    {
        if (body.Code is ArrowExpressionClauseSyntax arrow)
        {
            var whole = TextSpan.FromBounds(arrow.SpanStart, EndOf(arrow));
            output.Append(SwitchedText.Apply(
                source, whole, [.. loops, .. SourceWriter.ToBlock(arrow, guard)]), _first, _last);
            return;
        }
        output.Append("{ ");
        output.Append(guard, _first, _last);
        output.Append(SwitchedText.Apply(
            source, TextSpan.FromBounds(body.Code.SpanStart + 1, body.Code.Span.End), loops));
    }

    // ---- Beside it ----

    private string Mutated(Mutation one) => SwitchedText.Apply(source, body.Code.Span,
        SwitchedText.With(loops, new Edit(one.Span, one.Text)));

    private string CodeOf(Mutation one) =>
        Mutated(one) + (body.Code is ArrowExpressionClauseSyntax ? ";" : "");

    private string Dispatcher(string name, string pass, bool isRef)
    {
        var text = new StringBuilder("[global::System.Runtime.CompilerServices.MethodImpl("
            + "global::System.Runtime.CompilerServices.MethodImplOptions.NoInlining)] ");
        text.Append(Header(name)).Append("{ switch (").Append(Active).Append(") { ");
        foreach (var one in mutations)
        {
            var call = $"{(isRef ? "ref " : "")}{Name}__m{Text(one.Number)}{pass}";
            text.Append($"case {Text(one.Number)}: ")
                .Append(IsVoid ? $"{call}; return; " : $"return {call}; ");
        }
        return text.Append("default: throw new global::System.InvalidOperationException(); } }")
            .ToString();
    }

    /// <summary>How a copy is declared.</summary>
    private string Header(string name)
    {
        var words = new List<string> { "private" };
        words.AddRange(Modifiers().Where(one => one.Kind() is SyntaxKind.StaticKeyword
            or SyntaxKind.ReadOnlyKeyword).Select(one => one.ValueText));
        words.Add(IsVoid ? "void" : ReturnType().ToString());
        var generic = body.Member as MethodDeclarationSyntax;
        return string.Join(' ', words) + $" {name}{generic?.TypeParameterList}({ParametersText()}) "
            + $"{generic?.ConstraintClauses} ";
    }

    private IEnumerable<SyntaxToken> Modifiers() =>
        body.Accessor is { } accessor
            ? body.Member.Modifiers.Concat(accessor.Modifiers)
            : body.Member.Modifiers;

    private TypeSyntax ReturnType() => body.Member switch
    {
        MethodDeclarationSyntax method => method.ReturnType,
        OperatorDeclarationSyntax one => one.ReturnType,
        ConversionOperatorDeclarationSyntax one => one.Type,
        BasePropertyDeclarationSyntax property => property.Type,
        _ => SyntaxFactory.ParseTypeName("void"),
    };

    private SeparatedSyntaxList<ParameterSyntax> Parameters() => body.Member switch
    {
        BaseMethodDeclarationSyntax method => method.ParameterList.Parameters,
        IndexerDeclarationSyntax indexer => indexer.ParameterList.Parameters,
        _ => [],
    };

    private string ParametersText()
    {
        var parameters = Parameters().Select(one => one.ToString());
        if (body.Accessor is not null && IsVoid)
            parameters = parameters.Append($"{ReturnType()} value");
        return string.Join(", ", parameters);
    }

    /// <summary>How a copy is given what the member was, and whether it returns a place.</summary>
    private (string Text, bool IsRef) Pass()
    {
        var arguments = Parameters().Select(one => ModifierOf(one) + one.Identifier.Text);
        if (body.Accessor is not null && IsVoid)
            arguments = arguments.Append("value");
        var types = (body.Member as MethodDeclarationSyntax)?.TypeParameterList?.Parameters
            .Select(one => one.Identifier.Text);
        var generic = types is null ? "" : $"<{string.Join(", ", types)}>";
        return ($"{generic}({string.Join(", ", arguments)})",
            !IsVoid && ReturnType() is RefTypeSyntax);
    }

    private static string ModifierOf(ParameterSyntax parameter)
    {
        var isReadOnly = parameter.Modifiers.Any(SyntaxKind.ReadOnlyKeyword);
        foreach (var modifier in parameter.Modifiers)
        {
            switch (modifier.Kind())
            {
                case SyntaxKind.RefKeyword:
                    return isReadOnly ? "in " : "ref ";
                case SyntaxKind.OutKeyword:
                    return "out ";
                case SyntaxKind.InKeyword:
                    return "in ";
            }
        }
        return "";
    }
}

file static class Parts
{
    public static string AsPart(this string source, TextSpan span) =>
        source.Substring(span.Start, span.Length);
}
