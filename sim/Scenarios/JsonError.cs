// Owns what is said of a file that holds no scenario, in the words of the file and not in those of
// the program that reads it: the reader's own messages name types that nobody wrote.
//
// What always holds: it is one line, and begins with the field, or with the number of the line
// where there is no JSON.

using System;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Simulation.Scenarios;

/// <summary>What is wrong with JSON, on one line that begins with the field, or the line.</summary>
internal static partial class JsonError
{
    public static string Of(JsonException wrong)
    {
        // Without a path it was not read as a scenario, since it is no JSON.
        if (wrong.Path is null && wrong.LineNumber is { } line)
            return $"line {line + 1}: {Message(wrong)}";
        var field = wrong.Path ?? "$";
        var message = Message(wrong);
        if (NoField().Match(message) is { Success: true } unknown)
            return $"{field}: no such field: {unknown.Groups[1].Value}";
        if (Twice().Match(message) is { Success: true } twice)
            return $"{field}: a field is there twice: {twice.Groups[1].Value}";
        if (IsNull().IsMatch(message))
            return $"{field}: is null";
        return message.Contains(" could not be converted to ", StringComparison.Ordinal)
            ? $"{field}: {WhatItIsNot(wrong.InnerException?.Message ?? "")}"
            : $"{field}: {message}";
    }

    /// <summary>The message without where it was, which is told otherwise.</summary>
    private static string Message(JsonException wrong) =>
        Where().Replace(wrong.Message, "").ReplaceLineEndings(" ");

    private static string WhatItIsNot(string reason)
    {
        if (reason.Contains("as a string", StringComparison.Ordinal))
            return "is no text";
        if (reason.Contains("as a boolean", StringComparison.Ordinal))
            return "is neither true nor false";
        return IsNoNumber().IsMatch(reason)
            ? "is no whole number that fits"
            : "is not as it is written in other files";
    }

    [GeneratedRegex(@" *(Path: .* \| )?LineNumber: .*$", RegexOptions.Singleline)]
    private static partial Regex Where();

    [GeneratedRegex(@"^The JSON property '(.*)' could not be mapped to any ")]
    private static partial Regex NoField();

    [GeneratedRegex("^Duplicate property '(.*)' encountered ")]
    private static partial Regex Twice();

    [GeneratedRegex("doesn't allow (setting )?null values")]
    private static partial Regex IsNull();

    [GeneratedRegex("as a number|too large or too small|not in a supported format|out of bounds")]
    private static partial Regex IsNoNumber();
}
