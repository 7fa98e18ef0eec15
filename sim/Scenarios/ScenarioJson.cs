// Owns how the small types of a scenario are written in JSON: an instant and a duration as whole
// nanoseconds, an address as text, a kind by its name. What the records look like follows from the
// records; what is said of JSON that is none of that is JsonError's.

using System;
using System.Text.Json;
using System.Text.Json.Serialization;
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
