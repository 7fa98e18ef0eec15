// Owns how a piece of code is changed: operators, conditions, numbers, what is returned, statements
// that are left out. Each rule is about one node of the syntax, and gives the text that takes its
// place. Whether that compiles is not asked here: what does not is dropped later.

using System;
using System.Collections.Generic;
using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Simulation.Planting.Mutants;

/// <summary>The rules.</summary>
public static class MutationRules
{
    /// <summary>What stands for no statement.</summary>
    public const string Nothing = ";";

    /// <summary>What stands for no expression, where a member is nothing else.</summary>
    public const string NoExpression = "_ = 0";

    private const string Default = "default";

    private static readonly Dictionary<SyntaxKind, string[]> Operators = new()
    {
        [SyntaxKind.LessThanToken] = ["<=", ">="],
        [SyntaxKind.LessThanEqualsToken] = ["<", ">"],
        [SyntaxKind.GreaterThanToken] = [">=", "<="],
        [SyntaxKind.GreaterThanEqualsToken] = [">", "<"],
        [SyntaxKind.EqualsEqualsToken] = ["!="],
        [SyntaxKind.ExclamationEqualsToken] = ["=="],
        [SyntaxKind.AmpersandAmpersandToken] = ["||"],
        [SyntaxKind.BarBarToken] = ["&&"],
        [SyntaxKind.PlusToken] = ["-"],
        [SyntaxKind.MinusToken] = ["+"],
        [SyntaxKind.AsteriskToken] = ["/"],
        [SyntaxKind.SlashToken] = ["*"],
        [SyntaxKind.PercentToken] = ["*"],
        [SyntaxKind.LessThanLessThanToken] = [">>"],
        [SyntaxKind.GreaterThanGreaterThanToken] = ["<<"],
        [SyntaxKind.AmpersandToken] = ["|"],
        [SyntaxKind.BarToken] = ["&"],
        [SyntaxKind.CaretToken] = ["&"],
        [SyntaxKind.PlusEqualsToken] = ["-="],
        [SyntaxKind.MinusEqualsToken] = ["+="],
        [SyntaxKind.AsteriskEqualsToken] = ["/="],
        [SyntaxKind.SlashEqualsToken] = ["*="],
        [SyntaxKind.AmpersandEqualsToken] = ["|="],
        [SyntaxKind.BarEqualsToken] = ["&="],
        [SyntaxKind.CaretEqualsToken] = ["|="],
        [SyntaxKind.LessThanLessThanEqualsToken] = [">>="],
        [SyntaxKind.GreaterThanGreaterThanEqualsToken] = ["<<="],
        [SyntaxKind.PlusPlusToken] = ["--"],
        [SyntaxKind.MinusMinusToken] = ["++"],
    };

    /// <summary>What a node may become, one text for each mutant.</summary>
    public static IEnumerable<string> Of(SyntaxNode node) => node switch
    {
        BinaryExpressionSyntax binary => OfBinary(binary),
        AssignmentExpressionSyntax assignment => OfOperator(assignment.OperatorToken, replaced =>
            $"{assignment.Left} {replaced} {assignment.Right}"),
        PostfixUnaryExpressionSyntax unary => OfOperator(unary.OperatorToken,
            replaced => $"{unary.Operand}{replaced}"),
        PrefixUnaryExpressionSyntax unary => OfPrefix(unary),
        RelationalPatternSyntax pattern => OfOperator(pattern.OperatorToken,
            replaced => $"{replaced} {pattern.Expression}"),
        IsPatternExpressionSyntax pattern => [$"!({pattern})"],
        LiteralExpressionSyntax literal => OfLiteral(literal),
        InvocationExpressionSyntax call => OfCall(call),
        ReturnStatementSyntax { Expression: null } => [Nothing],
        ReturnStatementSyntax { Expression: { } value } when IsOther(value) =>
            [$"return {Default};"],
        BreakStatementSyntax { Parent: not SwitchSectionSyntax } or ContinueStatementSyntax =>
            [Nothing],
        ExpressionStatementSyntax => [Nothing],
        ArrowExpressionClauseSyntax arrow => OfArrow(arrow),
        _ => [],
    };

    /// <summary>What a condition may become, beside what the rules make of its node.</summary>
    public static IEnumerable<string> OfCondition(ExpressionSyntax condition) => condition switch
    {
        // A comparison has its opposite already, and so has what is negated.
        BinaryExpressionSyntax binary when IsComparison(binary.OperatorToken) => [],
        PrefixUnaryExpressionSyntax or IsPatternExpressionSyntax or LiteralExpressionSyntax => [],
        _ => [$"!({condition})"],
    };

    /// <summary>The condition of a node that has one.</summary>
    public static ExpressionSyntax? ConditionOf(SyntaxNode node) => node switch
    {
        IfStatementSyntax one => one.Condition,
        WhileStatementSyntax one => one.Condition,
        DoStatementSyntax one => one.Condition,
        ForStatementSyntax one => one.Condition,
        ConditionalExpressionSyntax one => one.Condition,
        _ => null,
    };

    private static IEnumerable<string> OfBinary(BinaryExpressionSyntax binary)
    {
        // A text has no difference.
        if (IsText(binary.Left) || IsText(binary.Right))
            return [];
        return OfOperator(binary.OperatorToken, replaced => IsTight(binary)
            ? $"{binary.Left} {replaced} {binary.Right}"
            : $"({binary.Left} {replaced} {binary.Right})");
    }

    /// <summary>Whether the operators that take its place bind as it does.</summary>
    private static bool IsTight(BinaryExpressionSyntax binary) =>
        IsComparison(binary.OperatorToken) || binary.OperatorToken.Kind() is SyntaxKind.PlusToken
            or SyntaxKind.MinusToken or SyntaxKind.AsteriskToken or SyntaxKind.SlashToken
            or SyntaxKind.PercentToken;

    private static bool IsComparison(SyntaxToken token) => token.Kind() is SyntaxKind.LessThanToken
        or SyntaxKind.LessThanEqualsToken or SyntaxKind.GreaterThanToken
        or SyntaxKind.GreaterThanEqualsToken or SyntaxKind.EqualsEqualsToken
        or SyntaxKind.ExclamationEqualsToken;

    private static bool IsText(ExpressionSyntax expression) =>
        expression.IsKind(SyntaxKind.StringLiteralExpression)
        || expression is InterpolatedStringExpressionSyntax
        || (expression is BinaryExpressionSyntax binary
            && (IsText(binary.Left) || IsText(binary.Right)));

    private static IEnumerable<string> OfOperator(SyntaxToken token, Func<string, string> make)
    {
        if (!Operators.TryGetValue(token.Kind(), out var others))
            yield break;
        foreach (var other in others)
            yield return make(other);
    }

    private static IEnumerable<string> OfPrefix(PrefixUnaryExpressionSyntax unary) =>
        unary.OperatorToken.Kind() is SyntaxKind.ExclamationToken or SyntaxKind.MinusToken
            or SyntaxKind.TildeToken
            ? [unary.Operand.ToString()]
            : OfOperator(unary.OperatorToken, replaced => $"{replaced}{unary.Operand}");

    private static IEnumerable<string> OfLiteral(LiteralExpressionSyntax literal)
    {
        switch (literal.Kind())
        {
            case SyntaxKind.TrueLiteralExpression:
                return ["false"];
            case SyntaxKind.FalseLiteralExpression:
                return ["true"];
            case SyntaxKind.NumericLiteralExpression:
                break;
            default:
                return [];
        }
        return literal.Token.Value switch
        {
            int value and < int.MaxValue => [Number(value + 1, "")],
            uint value and < uint.MaxValue => [Number(value + 1, "u")],
            long value and < long.MaxValue => [Number(value + 1, "L")],
            ulong value and < ulong.MaxValue => [Number(value + 1, "UL")],
            _ => [],
        };
    }

    private static string Number(IFormattable value, string suffix) =>
        value.ToString(null, CultureInfo.InvariantCulture) + suffix;

    private static IEnumerable<string> OfCall(InvocationExpressionSyntax call) =>
        call.Expression.ToString() switch
        {
            "Math.Min" => ["Math.Max" + call.ArgumentList],
            "Math.Max" => ["Math.Min" + call.ArgumentList],
            _ => [],
        };

    /// <summary>A member that is one expression: returns another value, or does nothing.</summary>
    private static IEnumerable<string> OfArrow(ArrowExpressionClauseSyntax arrow)
    {
        if (!IsOther(arrow.Expression))
            return [];
        var isVoid = arrow.Parent switch
        {
            MethodDeclarationSyntax method => IsVoid(method.ReturnType),
            LocalFunctionStatementSyntax function => IsVoid(function.ReturnType),
            AccessorDeclarationSyntax accessor =>
                !accessor.IsKind(SyntaxKind.GetAccessorDeclaration),
            ConstructorDeclarationSyntax => true,
            _ => false,
        };
        return [$"=> {(isVoid ? NoExpression : Default)}"];
    }

    /// <summary>A value that is not a default and not a literal, which has its own rule.</summary>
    private static bool IsOther(ExpressionSyntax value) =>
        value is not (LiteralExpressionSyntax or DefaultExpressionSyntax or RefExpressionSyntax
            or ThrowExpressionSyntax)
        && value.ToString() != "[]";

    private static bool IsVoid(TypeSyntax type) =>
        type is PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.VoidKeyword };
}
