// Owns the whole of a picture: its sections, which panels each has from top to bottom, and what
// runs through all of them - the marks of the time axis, the line at which chaos ends, the line of
// the violation with its evidence.
//
//   faults        one row a kind, bars while they last
//   backends      a lane each, coloured by state; heartbeats, faults, back-off
//   UDP clients   a lane each, queries as arcs or, where there are many, as strips of columns
//   TCP clients   two bars each: towards the backend, towards the client
//   losses        one row a counter that rose
//   curves        remotes and waiting bytes, a line a backend
//
// A run that failed has two sections: the last seconds, as far as the broken rule looks back, and
// then the whole. One that is little longer than that has the whole alone.
//
// What always holds: the same story gives the same bytes; the SVG stands alone; it is no larger
// than MaxLength, or as coarse as can be, and says what it does not draw one by one.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Pictures;

/// <summary>Draws a story.</summary>
public static class Picture
{
    /// <summary>Characters that browsers still handle with ease.</summary>
    public const int MaxLength = 2_800_000;

    private const int Coarsest = 6;

    /// <summary>What the words on either side of the line of healing take.</summary>
    private const double HealedWidth = 115;

    private const double ChaosWidth = 65;

    /// <summary>One SVG document, text in UTF-16; write it as UTF-8.</summary>
    public static string Svg(Story story)
    {
        for (var coarseness = 0; ; coarseness++)
        {
            var text = Svg(story, coarseness);
            if (text.Length <= MaxLength || coarseness == Coarsest)
                return text;
        }
    }

    private static string Svg(Story story, int coarseness)
    {
        var body = new SvgText();
        var y = HeadPanel.Draw(story, body);
        var whole = Chart.OfAll(story, body, coarseness);
        var window = LastSeconds(story);
        if (window > Duration.Zero)
        {
            var last = Chart.OfLast(story, window, body, coarseness);
            y = Section(last, y, $"The last {Chart.Length(window)}",
                "up to the violation, as far as its rule looks back", Evidence(story));
            y = Section(whole, y + 14, "The whole run", "the last seconds are shaded", [],
                last.From);
        }
        else
        {
            y = Section(whole, y, "", "", Evidence(story));
        }
        var height = SvgText.N(Math.Ceiling(y + 8));
        return string.Create(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" role="img" width="{Chart.Width:0}"
            height="{height}" viewBox="0 0 {Chart.Width:0} {height}">
            <title>{SvgText.Escape(HeadPanel.Title(story))}</title>
            <style>{PictureStyle.Css.ReplaceLineEndings("")}</style>
            {Marks.Definitions}
            <rect class="ground" width="100%" height="100%"/>

            """) + body + "</svg>\n";
    }

    /// <summary>How long a section of the last seconds is; zero for none.</summary>
    private static Duration LastSeconds(Story story)
    {
        if (story.Violation is not { } violation)
            return Duration.Zero;
        var window = CheckNames.LooksBack(violation.Check);
        return window.Nanoseconds < story.End.Nanoseconds * 0.6 ? window : Duration.Zero;
    }

    // ---- A section ----

    private static double Section(Chart chart, double top, string name, string explanation,
        List<string> evidence, long windowFrom = long.MaxValue)
    {
        var svg = chart.Svg;
        svg.Raw($"<g class=\"section\" data-from=\"{chart.From}\" data-to=\"{chart.To}\">");
        if (name.Length > 0)
        {
            svg.Line(24, top + 8, Chart.Right, top + 8, "divider");
            svg.Text(24, top + 32, name, "section-name");
            svg.Text(Chart.Left, top + 32, explanation, "note");
            top += 40;
        }
        var healed = chart.Sees(chart.Story.HealedAt) && chart.Story.HealedAt != Instant.Never;
        var flagTop = top + (healed ? 40 : 24);
        var panels = new SvgText();
        var below = chart.Below(panels,
            chart.Story.Violation is null ? flagTop - 12 : flagTop + FlagHeight(evidence) - 6);
        FaultPanel.Draw(below);
        BackendPanel.Draw(below);
        UdpPanel.Draw(below);
        TcpPanel.Draw(below);
        LossPanel.Draw(below);
        CurvePanel.Draw(below);
        var bottom = below.Y + 8;
        if (windowFrom != long.MaxValue)
            Window(chart, windowFrom, top, bottom);
        Axis(chart, top, bottom);
        svg.Raw(panels.ToString().TrimEnd());
        if (healed)
            Heal(chart, top, bottom);
        svg.Raw(below.Legends.ToString().TrimEnd());
        if (chart.Story.Violation is { } violation)
            Violated(chart, violation, top, flagTop, bottom, evidence);
        return End(chart, below.Thinned, bottom);
    }

    /// <summary>What is below the axis: what this section does not draw one by one.</summary>
    private static double End(Chart chart, List<string> thinned, double bottom)
    {
        var y = bottom + 18;
        if (thinned.Count > 0)
        {
            foreach (var line in Wrap("Not drawn one by one: "
                + string.Join("; ", thinned.Distinct()) + ".", 230, 4))
            {
                chart.Svg.Text(24, y += 15, line, "note thinned");
            }
        }
        chart.Svg.Close();
        return y + 8;
    }

    /// <summary>Where the other section's piece of time is in the whole.</summary>
    private static void Window(Chart chart, long from, double top, double bottom)
    {
        chart.Svg.OpenTimed();
        chart.Svg.Rect(chart.X(from), top + 20, chart.X(chart.Story.End) - chart.X(from),
            bottom - top - 20, "window", least: 3);
        chart.Svg.Close();
    }

    private static void Axis(Chart chart, double top, double bottom)
    {
        var step = chart.Step();
        chart.Svg.Raw(FormattableString.Invariant(
            $"<g class=\"axis\" data-top=\"{top:0.#}\" data-bottom=\"{bottom:0.#}\">"));
        var first = Math.Max(0, (chart.From + step - 1) / step * step);
        for (var at = first; at <= chart.To; at += step)
        {
            var x = chart.X(at);
            var text = (at / 1e9).ToString("0.######", CultureInfo.InvariantCulture) + " s";
            chart.Svg.Line(x, top + 20, x, bottom, "tick");
            chart.Svg.Text(x, top + 14, text, "m");
            chart.Svg.Text(x, bottom + 15, text, "m");
        }
        chart.Svg.Close();
    }

    private static void Heal(Chart chart, double top, double bottom)
    {
        var at = chart.Story.HealedAt;
        var x = chart.X(at);
        var title = $"{Chart.Time(at)}: the core backends heal; from here on liveness is owed";
        chart.Svg.OpenTimed("heal t");
        chart.Svg.Line(x, top + 20, x, bottom, "healed", title);
        // Both on one side of the line where there is no room on the other.
        if (x + HealedWidth > Chart.Right)
        {
            chart.Svg.Text(x - 7, top + 32, "◂ chaos, then liveness owed ▸", "healed-text e");
        }
        else if (x - ChaosWidth < Chart.Left)
        {
            chart.Svg.Text(x + 7, top + 32, "◂ chaos, then liveness owed ▸", "healed-text");
        }
        else
        {
            chart.Svg.Text(x - 7, top + 32, "◂ chaos", "e");
            chart.Svg.Text(x + 7, top + 32, "liveness owed ▸", "healed-text");
        }
        chart.Svg.Close();
    }

    // ---- The violation ----

    private static List<string> Evidence(Story story) =>
        story.Violation is { } violation ? Wrap(violation.Evidence, 110, 5) : [];

    private static double FlagHeight(List<string> evidence) => 22 + 15 * evidence.Count;

    /// <summary>The red line, and beside it what was and what should have been.</summary>
    private static void Violated(Chart chart, Violation violation, double top, double flagTop,
        double bottom, List<string> evidence)
    {
        var svg = chart.Svg;
        var x = chart.X(violation.At);
        svg.OpenTimed("violation t");
        svg.Line(x, top + 20, x, bottom, "violated",
            $"{violation.Check} at {Chart.Time(violation.At)}, event {violation.Event}: "
            + violation.Evidence);
        svg.Close();
        var head = $"{HeadPanel.Named(violation.Check)} at "
            + $"{Chart.Time(violation.At)}, event {Chart.Number(violation.Event)}";
        var width = 20 + 6.3 * evidence.Prepend(head + "  ").Max(line => line.Length);
        var left = x - width >= Chart.Left ? x - width : Math.Min(x, Chart.Width - width - 8);
        svg.Raw(FormattableString.Invariant(
            $"<g class=\"flag\" data-x=\"{x:0.###}\" data-left=\"{left:0.#}\"")
            + FormattableString.Invariant($" data-right=\"{left + width:0.#}\">"));
        svg.Rect(left, flagTop, width, FlagHeight(evidence), "flag-box", round: 3);
        svg.Text(left + 10, flagTop + 15, head, "flag-head");
        for (var i = 0; i < evidence.Count; i++)
            svg.Text(left + 10, flagTop + 31 + 15 * i, evidence[i], "evidence");
        svg.Close();
    }

    /// <summary>Lines of a width, `most` of them; what is more than that is cut.</summary>
    internal static List<string> Wrap(string text, int width, int most)
    {
        var lines = new List<string>();
        while (text.Length > width && lines.Count < most - 1)
        {
            var cut = text.LastIndexOf(' ', width);
            cut = cut > width / 2 ? cut : width;
            lines.Add(text[..cut]);
            text = text[cut..].TrimStart();
        }
        lines.Add(Chart.Fit(text, width));
        return lines;
    }
}
