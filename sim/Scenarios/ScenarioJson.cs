// Owns how the small types of a scenario are written in JSON: an instant and a duration as whole
// nanoseconds, an address as text, a kind by its name. What the records look like follows from the
// records. And it owns what is said of JSON that is none of that, in the words of the file and not
// in those of the program that reads it.

using System;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Balancer.Core;

namespace Simulation.Scenarios;

/// <summary>The records of a scenario, as the serialiser needs them without reflection.</summary>
[JsonSerializable(typeof(Scenario))]
internal sealed partial class ScenarioJson : JsonSerializerContext;

internal sealed class InstantJson : JsonConverter<Instant>
{
    public override Instant Read(
        ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(Nanoseconds(ref reader));

    public override void Write(
        Utf8JsonWriter writer, Instant value, JsonSerializerOptions options) =>
        writer.WriteNumberValue(value.Nanoseconds);

    /// <summary>Whole nanoseconds, few enough that sums of some do not overflow.</summary>
    public static long Nanoseconds(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var value)
            && value is > long.MinValue / 8 and < long.MaxValue / 8
            ? value
            : throw new JsonException("a time is a whole number of nanoseconds");
}

internal sealed class DurationJson : JsonConverter<Duration>
{
    public override Duration Read(
        ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(InstantJson.Nanoseconds(ref reader));

    public override void Write(
        Utf8JsonWriter writer, Duration value, JsonSerializerOptions options) =>
        writer.WriteNumberValue(value.Nanoseconds);
}

internal sealed class Ipv4Json : JsonConverter<Ipv4>
{
    public override Ipv4 Read(
        ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            && Ipv4.TryParse(reader.GetString(), out var address)
            ? address
            : throw new JsonException("an address is four octets, such as \"10.1.2.3\"");

    public override void Write(
        Utf8JsonWriter writer, Ipv4 value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}

internal sealed class NameJson<T> : JsonConverter<T>
    where T : struct, Enum
{
    public override T Read(
        ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            && reader.GetString() is { } name && Array.IndexOf(Enum.GetNames<T>(), name) >= 0
            ? Enum.Parse<T>(name)
            : throw new JsonException("is none of " + string.Join(", ", Enum.GetNames<T>()));

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}

/// <summary>What is wrong with JSON, on one line that begins with the field, or the line.</summary>
internal static partial class JsonComplaint
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
