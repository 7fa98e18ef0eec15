// Owns the curves: the remotes of each backend and the bytes that wait for it, as steps over time.
//
// What always holds: each panel's scale begins at 0 and its top is the highest value, written at
// its left; a curve that never left 0 is not drawn.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Balancer.Core;

namespace Simulation.Pictures;

internal static class CurvePanel
{
    private const double Height = 58;

    public static void Draw(Chart chart)
    {
        Draw(chart, "Remotes", "client hosts whose primary each backend is", "",
            lane => lane.Remotes);
        Draw(chart, "Waiting bytes", "in the balancer's queue to each backend", " B",
            lane => lane.Queued);
    }

    private static void Draw(Chart chart, string heading, string explanation, string unit,
        Func<BackendLane, List<Sample>> samples)
    {
        var most = chart.Story.Backends.SelectMany(samples)
            .Select(sample => sample.Value).DefaultIfEmpty(0).Max();
        if (most == 0)
            return;
        chart.Heading(heading, explanation);
        chart.Svg.Open("curves");
        chart.Svg.Rect(Chart.Left, chart.Y + 2, Chart.Right - Chart.Left, Height, "rail");
        chart.Svg.Text(Chart.Left - 10, chart.Y + 11, Chart.Number(most) + unit, "detail e");
        chart.Svg.Text(Chart.Left - 10, chart.Y + Height + 2, "0", "detail e");
        var named = 0;
        for (var i = 0; i < chart.Story.Backends.Count; i++)
        {
            var lane = chart.Story.Backends[i];
            if (samples(lane).Count == 0)
                continue;
            Curve(chart, samples(lane), most, Chart.ColourOf(i),
                $"{lane.Name}: at most {samples(lane).Max(sample => sample.Value)}{unit}");
            if (named < 4)
            {
                chart.Svg.Rect(24, chart.Y + 4 + named * 14, 10, 10, "swatch",
                    fill: Chart.ColourOf(i), round: 2);
                chart.Svg.Text(40, chart.Y + 13 + named * 14, Chart.Fit(lane.Name, 16), "small");
            }
            named++;
        }
        chart.Svg.Close();
        chart.Y += Height + 4;
    }

    private static void Curve(
        Chart chart, List<Sample> samples, long most, string colour, string title)
    {
        var bottom = chart.Y + Height;
        var scale = (Height - 6) / most;
        var path = new StringBuilder(FormattableString.Invariant(
            $"M{Chart.Left:0.#} {bottom:0.#}"));
        var lastX = double.NegativeInfinity;
        for (var i = 0; i < samples.Count; i++)
        {
            var x = chart.X(samples[i].At);
            // Steps closer than a third of a pixel are one: the highest of them.
            var value = samples[i].Value;
            while (i + 1 < samples.Count && chart.X(samples[i + 1].At) - x < 0.3)
                value = Math.Max(value, samples[++i].Value);
            path.Append(FormattableString.Invariant($"H{x:0.#}V{bottom - value * scale:0.#}"));
            if (value != samples[i].Value)
                path.Append(FormattableString.Invariant(
                    $"V{bottom - samples[i].Value * scale:0.#}"));
            lastX = x;
        }
        var end = Math.Max(lastX, chart.X(chart.Story.End));
        path.Append(FormattableString.Invariant($"H{end:0.#}"));
        chart.Svg.Path(path.ToString(), "curve", title, colour);
    }
}
