// Owns the top of a picture: what run this is, what it came to, and how to read the rest.
//
// What always holds: whoever sees only this part knows whether the run passed and how to run it
// again.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Balancer.Core;

namespace Simulation.Pictures;

internal static class HeadPanel
{
    private static readonly (string Style, string Text)[] States =
    [
        ("Healthy", "healthy"), ("Warming", "warming up"), ("AwaitingHello", "awaiting hello"),
        ("BackingOff", "backing off"), ("Draining", "draining (unlinked)"),
        ("Removed", "removed"), ("Unknown", "not known"),
    ];

    public static string Title(Story story) =>
        $"Seed {story.Scenario.Seed} · profile {story.Scenario.Profile}";

    public static void Draw(Chart chart)
    {
        var svg = chart.Svg;
        var story = chart.Story;
        svg.Text(24, 38, Title(story), "title");
        var violation = story.Result?.Violation;
        var verdict = violation is null
            ? story.Result is null ? "NOT JUDGED" : "EVERY CHECK HELD"
            : $"{violation.Check} {CheckNames.Of(violation.Check).ToUpperInvariant()} VIOLATED";
        var width = verdict.Length * 7.9 + 24;
        svg.Rect(Chart.Right - width, 18, width, 26, "pill", round: 13,
            fill: violation is null ? story.Result is null ? "#6b7280" : "#15803d" : "#c81e1e");
        svg.Text(Chart.Right - width / 2, 35.5, verdict, "verdict m");
        svg.Text(24, 60, Facts(story), "sub");
        chart.Y = 74;
        if (violation is not null)
            Banner(chart, violation);
        Legend(chart);
    }

    private static string Facts(Story story)
    {
        var facts = new List<string>();
        var scenario = story.Scenario;
        facts.Add($"{Plural(scenario.Backends.Length, "backend")}, "
            + $"{Plural(scenario.UdpClients.Length, "UDP client")}, "
            + $"{Plural(scenario.TcpClients.Length, "TCP connection")}, "
            + $"{Plural(scenario.Faults.Length, "fault")}");
        var answered = story.Queries.Count(query => query.Answered != Instant.Never);
        facts.Add($"{Chart.Number(answered)} of {Chart.Number(story.Queries.Count)} datagrams "
            + "answered");
        facts.Add($"{Chart.Time(story.End)} of virtual time");
        if (story.Result is { } result)
        {
            facts.Add($"{Chart.Number(result.Events)} events in {Chart.Number(result.Turns)} turns");
            facts.Add(string.Create(CultureInfo.InvariantCulture, $"hash {result.Hash:x16}"));
        }
        return string.Join("  ·  ", facts);
    }

    private static string Plural(int count, string what) =>
        $"{Chart.Number(count)} {what}{(count == 1 ? "" : "s")}";

    private static void Banner(Chart chart, Running.Violation violation)
    {
        var lines = Wrap(violation.Evidence, 190);
        var height = 34 + 17 * lines.Count;
        chart.Svg.Rect(24, chart.Y, Chart.Right - 24, height, "banner", round: 6);
        chart.Svg.Text(38, chart.Y + 21,
            $"At {Chart.Time(violation.At)}, in event {Chart.Number(violation.Event)}, "
            + $"{violation.Check} did not hold: {CheckNames.Rule(violation.Check)}",
            "banner-text heading");
        for (var i = 0; i < lines.Count; i++)
            chart.Svg.Text(38, chart.Y + 39 + 17 * i, lines[i], "banner-text evidence");
        chart.Y += height + 8;
    }

    private static List<string> Wrap(string text, int width)
    {
        var lines = new List<string>();
        while (text.Length > width && lines.Count < 3)
        {
            var cut = text.LastIndexOf(' ', width);
            cut = cut > width / 2 ? cut : width;
            lines.Add(text[..cut]);
            text = text[cut..].TrimStart();
        }
        lines.Add(Chart.Fit(text, width));
        return lines;
    }

    private static void Legend(Chart chart)
    {
        var svg = chart.Svg;
        var y = chart.Y + 12;
        double x = 24;
        foreach (var (style, text) in States)
        {
            svg.Rect(x, y - 9, 16, 10, style, round: 2);
            svg.Text(x + 21, y, text, "legend");
            x += 32 + text.Length * 5.7;
        }
        svg.Line(x + 6, y - 10, x + 6, y + 1, "beat");
        svg.Text(x + 13, y, "heartbeat answered", "legend");
        svg.Line(x + 122, y - 10, x + 122, y + 1, "beat lost");
        svg.Text(x + 129, y, "not answered", "legend");
        x += 206;
        svg.Path($"M{SvgText.N(x)} {SvgText.N(y)}q9 -18 18 0", "arc", stroke: Chart.ColourOf(0));
        svg.Text(x + 23, y, "query and its reply", "legend");
        svg.Circle(x + 134, y - 4, 3, "open");
        svg.Text(x + 142, y, "no answer", "legend");
        svg.Path(Marks.Cross(x + 206, y - 4), "cross");
        svg.Text(x + 215, y, "dropped", "legend");
        chart.Y = y + 12;
    }
}
