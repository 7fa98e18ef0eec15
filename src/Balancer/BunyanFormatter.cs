// Owns the shape of a log record: Bunyan's, one JSON object a line, so that the `bunyan` command
// and everything built for Triton's logs read ours as they read those of the original.
//
// What always holds: one event is one line, whatever is in its strings. Utf8JsonWriter does the
// escaping, with its strictest encoder: control characters, line separators and anything not
// ASCII come out as \u escapes, and half a surrogate pair as U+FFFD. No field of an event can
// stand in for one of Bunyan's own: its name gets a low line at its end.

using System;
using System.Buffers;
using System.Globalization;
using System.IO;
using System.Text;
using System.Text.Json;
using Serilog.Events;
using Serilog.Formatting;

namespace Balancer;

/// <summary>
/// Formats events as Bunyan records. For one thread at a time: its buffer is used again.
/// </summary>
/// <param name="hostname">The host's name, in every record.</param>
/// <param name="pid">The process's id, in every record.</param>
public sealed class BunyanFormatter(string hostname, int pid) : ITextFormatter
{
    /// <summary>The original's name; operators' filters know it.</summary>
    public const string Name = "mname-balancer";

    /// <summary>Bunyan's only version of its record.</summary>
    private const int RecordVersion = 0;

    private readonly ArrayBufferWriter<byte> _bytes = new(1024);

    /// <summary>Writes the event as one line with its end.</summary>
    public void Format(LogEvent logEvent, TextWriter output)
    {
        _bytes.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(_bytes))
            Write(json, logEvent);
        output.Write(Encoding.UTF8.GetString(_bytes.WrittenSpan));
        output.Write('\n');
    }

    private void Write(Utf8JsonWriter json, LogEvent logEvent)
    {
        json.WriteStartObject();
        json.WriteString("name", Name);
        json.WriteString("hostname", hostname);
        json.WriteNumber("pid", pid);
        json.WriteNumber("level", Level(logEvent.Level));
        foreach (var (name, value) in logEvent.Properties)
        {
            json.WritePropertyName(IsOwn(name) ? name + "_" : name);
            WriteValue(json, value);
        }
        if (logEvent.Exception is { } exception)
            WriteException(json, exception);
        json.WriteString("msg", logEvent.RenderMessage(CultureInfo.InvariantCulture));
        json.WriteString("time", logEvent.Timestamp.UtcDateTime.ToString(
            "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        json.WriteNumber("v", RecordVersion);
        json.WriteEndObject();
    }

    private static int Level(LogEventLevel level) => level switch
    {
        LogEventLevel.Verbose => 10,
        LogEventLevel.Debug => 20,
        LogEventLevel.Information => 30,
        LogEventLevel.Warning => 40,
        LogEventLevel.Error => 50,
        _ => 60,
    };

    private static bool IsOwn(string name) =>
        name is "name" or "hostname" or "pid" or "level" or "msg" or "time" or "v" or "err";

    private static void WriteValue(Utf8JsonWriter json, LogEventPropertyValue value)
    {
        switch ((value as ScalarValue)?.Value)
        {
            case string text: json.WriteStringValue(text); break;
            case bool truth: json.WriteBooleanValue(truth); break;
            case int number: json.WriteNumberValue(number); break;
            case uint number: json.WriteNumberValue(number); break;
            case long number: json.WriteNumberValue(number); break;
            case decimal number: json.WriteNumberValue(number); break;
            case null when value is ScalarValue: json.WriteNullValue(); break;
            default: json.WriteStringValue(value.ToString()); break;
        }
    }

    /// <summary>As Bunyan's own serializer for errors has it.</summary>
    private static void WriteException(Utf8JsonWriter json, Exception exception)
    {
        json.WriteStartObject("err");
        json.WriteString("message", exception.Message);
        json.WriteString("name", exception.GetType().FullName);
        json.WriteString("stack", exception.ToString());
        json.WriteEndObject();
    }
}
