// Owns what is said of text that is not JSON: the line, the column, and the likely mistake - a
// missing comma, a name without quotes. The reader of .NET says where it stopped; its words are
// about its own bytes and classes, and nobody who writes a scenario needs them.
//
// What always holds: the message is one line; lines and columns count from 1, columns in
// characters.

using System;
using System.Text;
using System.Text.Json;

namespace Simulation.Scenarios;

/// <summary>Describes text that is not JSON.</summary>
internal static class JsonMistake
{
    /// <summary>What is wrong where the reader stopped.</summary>
    /// <param name="json">The whole text, as UTF-8.</param>
    /// <param name="wrong">What the reader threw.</param>
    /// <param name="token">Where its last token begins.</param>
    public static ScenarioFormatException Describe(
        ReadOnlySpan<byte> json, Exception wrong, int token)
    {
        if (wrong is not JsonException { LineNumber: { } line, BytePositionInLine: { } inLine })
            return At(json, token, "a text is not proper Unicode");
        var at = 0;
        for (; line > 0 && json[at..].IndexOf((byte)'\n') is >= 0 and var end; line--)
            at += end + 1;
        at = Math.Min(at + (int)inLine, json.Length);
        return At(json, at, WhatIsAt(json, at));
    }

    private static ScenarioFormatException At(ReadOnlySpan<byte> json, int at, string what)
    {
        var before = json[..at];
        var line = 1 + before.Count((byte)'\n');
        var column = 1 + Encoding.UTF8.GetCharCount(before[(before.LastIndexOf((byte)'\n') + 1)..]);
        return new ScenarioFormatException($"line {line}, column {column}: not JSON: {what}");
    }

    private static string WhatIsAt(ReadOnlySpan<byte> json, int at)
    {
        var before = json[..at].TrimEnd(" \t\r\n"u8);
        var last = before.IsEmpty ? '\0' : (char)before[^1];
        if (json.Trim(" \t\r\n"u8).IsEmpty)
            return "there is nothing in it";
        if (json[at..].Trim(" \t\r\n"u8).IsEmpty)
            return "it ends too early: a quote, a } or a ] is missing";
        var found = (char)json[at];
        if (found is '\r' or '\n')
            return "the line ends within a text or a number: is a quote missing?";
        if (last == '\\' && found is > ' ' and <= '~')
            return $"\\{found} means nothing in a text (a backslash is written \\\\)";
        if (at > 0 && char.IsAsciiLetter((char)json[at - 1]) && found is (' ' or ',' or '}' or ']'))
            return "a value is true, false, null, a number, or stands in double quotes";
        if (found == '\'' || (IsWord(found) && last is '{' or ',' or ':' or '[' or '\0'))
            return "texts and names of fields stand in double quotes";
        if ((found is '"' or '{' or '[' || IsWord(found)) && EndsValue(last))
            return $"{Shown(found)} cannot stand here: is a comma missing before it?";
        if (found is ',' or '}' or ']' && last is ':' or ',')
            return $"{Shown(found)} cannot stand here: is a value missing before it?";
        return $"{Shown(found)} cannot stand here";
    }

    private static bool IsWord(char found) => char.IsAsciiLetterOrDigit(found) || found == '_';

    private static bool EndsValue(char last) => last is '"' or '}' or ']' || IsWord(last);

    private static string Shown(char found) =>
        found is > ' ' and <= '~' ? $"'{found}'" : "what is here";
}
