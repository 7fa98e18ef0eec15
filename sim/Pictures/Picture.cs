// Owns the whole of a picture: which panels it has, from top to bottom, and what runs through all
// of them - the marks of the time axis, the line at which chaos ends, the line of the violation.
//
//   faults        one row a kind, bars while they last
//   backends      a lane each, coloured by state; heartbeats, faults, back-off
//   UDP clients   a lane each, queries as arcs or, where there are many, as strips of density
//   TCP clients   two bars each: towards the backend, towards the client
//   losses        one row a counter that rose
//   curves        remotes and waiting bytes, a line a backend
//
// What always holds: the same story gives the same bytes; the SVG stands alone.

using System;
using System.Globalization;
using System.Linq;
using System.Text;
using Balancer.Core;

namespace Simulation.Pictures;

/// <summary>Draws a story.</summary>
public static class Picture
{
    private const string Style = """
        text{font-family:Inter,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif;
        fill:#1f2937;font-size:11px}
        .title{font-size:22px;font-weight:600}.sub{font-size:12.5px;fill:#4b5563}
        .heading{font-size:13px;font-weight:600}.note{font-size:11px;fill:#6b7280}
        .label{font-size:11.5px;font-weight:500}.detail{font-size:10.5px;fill:#6b7280}
        .e{text-anchor:end}.m{text-anchor:middle}.small{font-size:9.5px;fill:#4b5563}.on{font-size:9.5px;fill:#fff}
        .grid line{stroke:#e5e7eb;stroke-width:1}.axis text{fill:#6b7280;font-size:10.5px}
        .rail{fill:#eef1f5;fill-opacity:.55}.swatch{stroke:none}
        .Unknown{fill:#eef0f3}.BackingOff{fill:#f3b4a6}.AwaitingHello{fill:#f8dc8e}
        .Warming{fill:#cdeccb}.Healthy{fill:#86cf8b}.Draining{fill:#a9c8ee}.Removed{fill:#c9ced6}
        .beat{stroke:#1b6b2e;stroke-width:1.4}.beat.lost{stroke:#c81e1e;stroke-width:2}
        .fault-mark{fill:#b42318}.note-mark{fill:#1f2937}
        .backoff{stroke:#b42318;stroke-width:1.5;stroke-dasharray:3 2}
        .arc{fill:none;stroke-width:1.5;stroke-opacity:.85}.arc.q{stroke-opacity:.9}
        .wait{fill:none;stroke:#9aa3af;stroke-width:1;stroke-dasharray:2 2}
        .open{fill:#fff;stroke:#6b7280;stroke-width:1.2}
        .cross{stroke:#c81e1e;stroke-width:1.8;fill:none}
        .bar{stroke:none}.bar.pending{fill:#d5dae1}.data{stroke-opacity:.9;stroke-width:1}
        .curve{fill:none;stroke-width:1.6;stroke-linejoin:round}
        .heal line{stroke:#0f766e;stroke-width:1.6;stroke-dasharray:6 4}
        .heal text{fill:#0f766e;font-weight:600}
        .violation line{stroke:#d40000;stroke-width:2}
        .violation text{fill:#fff;font-weight:600;font-size:11px}
        .banner{fill:#fef2f2;stroke:#f3b8b8}.banner-text{fill:#991b1b;font-size:12.5px}
        .verdict{font-size:12px;font-weight:700;fill:#fff}
        .legend{font-size:10.5px;fill:#4b5563}
        g.hot *:hover{filter:brightness(.82)}
        """;

    /// <summary>One SVG document, text in UTF-16; write it as UTF-8.</summary>
    public static string Svg(Story story)
    {
        var body = new SvgText();
        var chart = new Chart(story, body);
        HeadPanel.Draw(chart);
        var top = chart.Y;
        var panels = new SvgText();
        var below = new Chart(story, panels) { Y = top + 22 };
        FaultPanel.Draw(below);
        BackendPanel.Draw(below);
        UdpPanel.Draw(below);
        TcpPanel.Draw(below);
        LossPanel.Draw(below);
        CurvePanel.Draw(below);
        var bottom = below.Y + 12;
        Axis(chart, top, bottom);
        body.Raw(panels.ToString().TrimEnd());
        Heal(chart, top, bottom);
        Violation(chart, top, bottom);
        return string.Create(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Chart.Width:0} {bottom + 26:0}" width="{Chart.Width:0}" height="{bottom + 26:0}" role="img">
            <title>{SvgText.Escape(HeadPanel.Title(story))}</title>
            <style>{Style.ReplaceLineEndings("")}</style>
            <rect width="100%" height="100%" fill="#fff"/>

            """) + body + "</svg>\n";
    }

    private static void Axis(Chart chart, double top, double bottom)
    {
        var step = chart.Step();
        chart.Svg.Open("grid axis");
        for (long at = 0; at <= chart.Span; at += step)
        {
            var x = chart.X(new Instant(at));
            chart.Svg.Line(x, top + 18, x, bottom, "tick");
            var text = step >= 1_000_000_000
                ? string.Create(CultureInfo.InvariantCulture, $"{at / 1_000_000_000} s")
                : string.Create(CultureInfo.InvariantCulture, $"{at / 1e9:0.####} s");
            chart.Svg.Text(x, top + 12, text, "m");
            chart.Svg.Text(x, bottom + 15, text, "m");
        }
        chart.Svg.Close();
    }

    private static void Heal(Chart chart, double top, double bottom)
    {
        var at = chart.Story.HealedAt;
        if (at == Instant.Never)
            return;
        var x = chart.X(at);
        chart.Svg.Open("heal");
        chart.Svg.Line(x, top + 18, x, bottom, "healed",
            $"{Chart.Time(at)}: the core backends heal; from here on liveness is owed");
        chart.Svg.Text(x - 6, top + 29, "chaos", "e");
        chart.Svg.Text(x + 6, top + 29, "liveness owed", "healed-text");
        chart.Svg.Close();
    }

    private static void Violation(Chart chart, double top, double bottom)
    {
        if (chart.Story.Result?.Violation is not { } violation)
            return;
        var x = chart.X(violation.At);
        chart.Svg.Open("violation");
        chart.Svg.Line(x, top + 2, x, bottom, "violated",
            $"{violation.Check} at {Chart.Time(violation.At)}, event {violation.Event}: "
            + violation.Evidence);
        var text = $"{violation.Check} at {Chart.Time(violation.At)}";
        var width = text.Length * 6.4 + 12;
        var left = Math.Clamp(x - width / 2, Chart.Left, Chart.Right - width);
        chart.Svg.Rect(left, bottom + 3, width, 17, "pill", fill: "#d40000", round: 4);
        chart.Svg.Text(left + width / 2, bottom + 15, text, "verdict m");
        chart.Svg.Close();
    }
}
