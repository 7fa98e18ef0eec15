// Holds records to Bunyan's shape by parsing them back, whatever is in their strings.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using Balancer;
using Serilog.Events;
using Serilog.Parsing;
using Xunit;

namespace Tests.Unit.Daemon;

public sealed class BunyanFormatterTests
{
    private static readonly DateTimeOffset At =
        new(2026, 2, 3, 4, 5, 6, 789, TimeSpan.FromHours(2));

    [Fact]
    public void Record_HasBunyansFieldsAndItsOwn()
    {
        var record = Record(LogEventLevel.Information, "a message", null,
            ("be_id", 5301), ("be_path", "/d/5301"), ("gone", true), ("bytes", 1L << 40),
            ("delay_s", 1.5m), ("packets", 7u));
        Assert.Equal("mname-balancer", record.GetProperty("name").GetString());
        Assert.Equal("host.example", record.GetProperty("hostname").GetString());
        Assert.Equal(4321, record.GetProperty("pid").GetInt32());
        Assert.Equal(30, record.GetProperty("level").GetInt32());
        Assert.Equal("2026-02-03T02:05:06.789Z", record.GetProperty("time").GetString());
        Assert.Equal("a message", record.GetProperty("msg").GetString());
        Assert.Equal(0, record.GetProperty("v").GetInt32());
        Assert.Equal(5301, record.GetProperty("be_id").GetInt32());
        Assert.Equal("/d/5301", record.GetProperty("be_path").GetString());
        Assert.True(record.GetProperty("gone").GetBoolean());
        Assert.Equal(1L << 40, record.GetProperty("bytes").GetInt64());
        Assert.Equal("1.5", record.GetProperty("delay_s").GetRawText());
        Assert.Equal(7, record.GetProperty("packets").GetInt32());
    }

    [Theory]
    [InlineData(LogEventLevel.Verbose, 10)]
    [InlineData(LogEventLevel.Debug, 20)]
    [InlineData(LogEventLevel.Information, 30)]
    [InlineData(LogEventLevel.Warning, 40)]
    [InlineData(LogEventLevel.Error, 50)]
    [InlineData(LogEventLevel.Fatal, 60)]
    public void Level_IsBunyansNumber(LogEventLevel level, int number) =>
        Assert.Equal(number, Record(level, "m", null).GetProperty("level").GetInt32());

    [Theory]
    [InlineData("quote \" backslash \\ slash /")]
    [InlineData("line\nfeed\rreturn\ttab\0zero\u001besc\u007fdel")]
    [InlineData("\u2028 and \u2029")]
    [InlineData("umlaut ä, kanji 字, astral 😀")]
    [InlineData("{braces} {{doubled}} {0}")]
    public void AnyText_ComesBackUnchanged(string text)
    {
        var record = Record(LogEventLevel.Information, text, null, ("be_path", text));
        Assert.Equal(text, record.GetProperty("msg").GetString());
        Assert.Equal(text, record.GetProperty("be_path").GetString());
    }

    [Fact]
    public void BrokenText_GetsReplacementCharacters()
    {
        // Not a theory: half a pair does not survive in an attribute.
        foreach (var (text, shown) in new[]
        {
            ("half \ud800 a pair", "half \ufffd a pair"),
            ("\udc00", "\ufffd"),
            ("at the end \ud83d", "at the end \ufffd"),
        })
        {
            var record = Record(LogEventLevel.Information, text, null, ("be_path", text));
            Assert.Equal(shown, record.GetProperty("msg").GetString());
            Assert.Equal(shown, record.GetProperty("be_path").GetString());
        }
    }

    [Fact]
    public void Field_CannotStandInForBunyansOwn()
    {
        var line = Line(LogEventLevel.Information, "true message", null,
            ("msg", "false"), ("level", 60), ("v", 9));
        var record = JsonDocument.Parse(line).RootElement;
        Assert.Equal("true message", record.GetProperty("msg").GetString());
        Assert.Equal("false", record.GetProperty("msg_").GetString());
        var names = record.EnumerateObject().Select(property => property.Name).ToList();
        Assert.Equal(names.Count, names.Distinct().Count());
    }

    [Fact]
    public void Exception_IsBunyansErr()
    {
        var err = Record(LogEventLevel.Fatal, "m", new InvalidOperationException("why\nnot"))
            .GetProperty("err");
        Assert.Equal("why\nnot", err.GetProperty("message").GetString());
        Assert.Equal("System.InvalidOperationException", err.GetProperty("name").GetString());
        Assert.Contains("why\nnot", err.GetProperty("stack").GetString(),
            StringComparison.Ordinal);
    }

    private static JsonElement Record(LogEventLevel level, string message, Exception? exception,
        params (string Name, object Value)[] fields) =>
        JsonDocument.Parse(Line(level, message, exception, fields)).RootElement;

    /// <summary>The formatted line, held to being one.</summary>
    private static string Line(LogEventLevel level, string message, Exception? exception,
        params (string Name, object Value)[] fields)
    {
        var properties = new List<LogEventProperty>();
        foreach (var (name, value) in fields)
            properties.Add(new LogEventProperty(name, new ScalarValue(value)));
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        new BunyanFormatter("host.example", 4321).Format(
            new LogEvent(At, level, exception,
                new MessageTemplate(message, [new TextToken(message)]), properties),
            output);
        var line = output.ToString();
        Assert.Equal(line.Length - 1, line.IndexOf('\n', StringComparison.Ordinal));
        Assert.All(line[..^1], c => Assert.InRange(c, ' ', '~'));
        return line;
    }
}
