// Owns the form that a script of misbehaviour has as text: a JSON object with the names of
// Misbehaviour, the same that a scenario of the simulator holds for each backend; what is left
// out is not done.
//
// What always holds: a script that was read is one that the command line could have asked for;
// one that is wrong is one line that names the member.

using System;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FakeBinder;

/// <summary>A text that holds no script; the message is one line.</summary>
public sealed class ScriptFormatException(string message) : Exception(message);

/// <summary>Reads and writes scripts of misbehaviour.</summary>
public static class ScriptFile
{
    /// <summary>The script on one line, without a line feed.</summary>
    public static string Write(Misbehaviour script) =>
        JsonSerializer.Serialize(script, ScriptJson.Default.Misbehaviour);

    /// <exception cref="ScriptFormatException">It is no script.</exception>
    public static Misbehaviour Read(string json)
    {
        Misbehaviour? script;
        try
        {
            script = JsonSerializer.Deserialize(json, ScriptJson.Default.Misbehaviour);
        }
        catch (JsonException wrong)
        {
            var message = wrong.Message.Split(" Path:")[0].ReplaceLineEndings(" ");
            throw new ScriptFormatException($"{wrong.Path ?? "$"}: {message}");
        }
        if (script is null)
            throw new ScriptFormatException("$: there is no script");
        if (Wrong(script) is { } name)
            throw new ScriptFormatException($"$.{name}: is out of its bounds");
        return script;
    }

    /// <summary>The first member that could do harm to this process; null if none could.</summary>
    private static string? Wrong(Misbehaviour script) => script switch
    {
        { DropEvery: < 1 } => nameof(script.DropEvery),
        { FrameSplit: < 1 } => nameof(script.FrameSplit),
        { TcpChunk: < 1 } => nameof(script.TcpChunk),
        { ReplyLength: < 0 or > 65_535 } => nameof(script.ReplyLength),
        { DuplicateReplies: < 0 or > 1000 } => nameof(script.DuplicateReplies),
        { PauseNs: < 0 } => nameof(script.PauseNs),
        _ => null,
    };
}

[JsonSourceGenerationOptions(
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(Misbehaviour))]
internal sealed partial class ScriptJson : JsonSerializerContext;
