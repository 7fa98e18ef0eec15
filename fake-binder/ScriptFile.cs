// Owns the form that misbehaviour has as text: a JSON object with the names of the command line's
// options in camel case, such as {"crashAfter": 100, "delay": "250ms", "noHello": true}; what is
// left out is not done. docs/fake-binder.md lists the keys, and so does the complaint about a
// wrong one.
//
// What always holds: a script that was read is one that the command line could have asked for;
// one that is wrong is one line that names the key.

using System;
using System.Buffers;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using CommandLines;

namespace FakeBinder;

/// <summary>A text that holds no script; the message is one line.</summary>
public sealed class ScriptFormatException(string message) : Exception(message);

/// <summary>Reads and writes scripts of misbehaviour.</summary>
public static class ScriptFile
{
    /// <summary>The script on one line, without a line feed.</summary>
    public static string Write(Misbehaviour script)
    {
        var text = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(text);
        json.WriteStartObject();
        foreach (var misdeed in MisbehaviourTable.All)
        {
            if (misdeed.Get(script) is not { } value)
                continue;
            json.WritePropertyName(misdeed.Key);
            if (misdeed.Form is ValueForm.Flag or ValueForm.Number)
                json.WriteRawValue(value);
            else
                json.WriteStringValue(value);
        }
        json.WriteEndObject();
        json.Flush();
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    /// <summary>Why a script could not be read: what is wrong in it, or with its file.</summary>
    internal static string Reason(Exception wrong) =>
        wrong is ScriptFormatException ? wrong.Message : StandardOptions.Reason(wrong);

    /// <exception cref="ScriptFormatException">It is not a script.</exception>
    public static Misbehaviour Read(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip,
                AllowTrailingCommas = true,
            });
            return Read(document.RootElement);
        }
        catch (JsonException wrong)
        {
            throw new ScriptFormatException($"is not JSON: line {wrong.LineNumber + 1}, byte "
                + $"{wrong.BytePositionInLine + 1}");
        }
    }

    private static Misbehaviour Read(JsonElement script)
    {
        if (script.ValueKind != JsonValueKind.Object)
            throw new ScriptFormatException("must be an object, such as {\"crashAfter\": 100}");
        var misbehaviour = Misbehaviour.None;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var property in script.EnumerateObject())
        {
            var misdeed = MisbehaviourTable.All.FirstOrDefault(m => m.Key == property.Name)
                ?? throw new ScriptFormatException(
                    $"{Quote(property.Name)}: no such key; the keys are "
                    + string.Join(", ", MisbehaviourTable.All.Select(m => m.Key)));
            if (!seen.Add(property.Name))
                throw new ScriptFormatException($"{property.Name}: given more than once");
            (misbehaviour, var wrong) = misdeed.Set(misbehaviour, TextOf(property.Value, misdeed));
            if (wrong is not null)
                throw new ScriptFormatException($"{property.Name}: {wrong}");
        }
        return misbehaviour;
    }

    /// <summary>The value as the command line has it; what it cannot be is refused as "".</summary>
    private static string TextOf(JsonElement value, Misdeed misdeed) =>
        (value.ValueKind, misdeed.Form) switch
        {
            (JsonValueKind.True, ValueForm.Flag) => "true",
            (JsonValueKind.False, ValueForm.Flag) => "false",
            (JsonValueKind.Number, ValueForm.Number) => value.GetRawText(),
            (JsonValueKind.String, ValueForm.Time or ValueForm.Address) => value.GetString()!,
            _ => "",
        };

    private static string Quote(string name) =>
        string.Concat(name.Select(c => char.IsControl(c) ? ' ' : c));
}
