// Owns the curves: the remotes of each backend and the bytes that wait for it, as steps over time.
//
// What always holds: each panel's scale begins at 0 and its top is the highest value of the run,
// written at its left; a curve that never left 0 is not drawn.

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
        Draw(chart, "Remotes", "client hosts whose primary it is", "", lane => lane.Remotes);
        Draw(chart, "Waiting bytes", "in the balancer's queue to it", " B", lane => lane.Queued);
    }

    private static void Draw(Chart chart, string heading, string explanation, string unit,
        Func<BackendLane, List<Sample>> samples)
    {
        var most = chart.Story.Backends.SelectMany(samples)
            .Select(sample => sample.Value).DefaultIfEmpty(0).Max();
        if (most == 0 || !Enumerable.Range(0, chart.Story.Backends.Count)
            .Any(i => IsSeen(chart, samples(chart.Story.Backends[i]))))
        {
            return;
        }
        chart.Heading(heading);
        var key = new Key(chart);
        for (var i = 0; i < chart.Story.Backends.Count; i++)
        {
            if (key.IsWithin && samples(chart.Story.Backends[i]).Count > 0)
                key.Line("curve", Chart.Fit(chart.Story.Backends[i].Name, 16), i);
        }
        if (key.IsWithin)
            key.Words(0, explanation);
        chart.Svg.Open("curves hot");
        chart.Rail(chart.Y + 2, Height);
        chart.Svg.Text(Chart.Left - 10, chart.Y + 11, Chart.Number(most) + unit, "detail e");
        chart.Svg.Text(Chart.Left - 10, chart.Y + Height + 1, "0", "detail e");
        for (var i = 0; i < chart.Story.Backends.Count; i++)
        {
            var lane = chart.Story.Backends[i];
            if (samples(lane).Count == 0)
                continue;
            chart.Svg.OpenTimed("t " + Chart.Hue(i));
            Curve(chart, samples(lane), most, i,
                $"{lane.Name}: at most {samples(lane).Max(sample => sample.Value)}{unit}");
            chart.Svg.Close();
        }
        chart.Svg.Close();
        chart.Y += Height + 4;
    }

    /// <summary>Whether a curve leaves 0 within the section.</summary>
    private static bool IsSeen(Chart chart, List<Sample> samples)
    {
        var before = samples.FindLastIndex(sample => sample.At.Nanoseconds < chart.From);
        return (before >= 0 && samples[before].Value > 0)
            || samples.Skip(before + 1).Any(sample => chart.Sees(sample.At));
    }

    private static void Curve(
        Chart chart, List<Sample> samples, long most, int index, string title)
    {
        // Curves that run together lie beside each other, a little apart.
        var bottom = chart.Y + Height + 1 - index % Chart.Hues * 0.9;
        var scale = (Height - 12) / most;
        // Where the section begins the value is that of the last change before it.
        var before = samples.FindLastIndex(sample => sample.At.Nanoseconds < chart.From);
        var value = before < 0 ? 0 : samples[before].Value;
        var path = new StringBuilder(FormattableString.Invariant(
            $"M{Chart.Left:0.#} {bottom - value * scale:0.#}"));
        for (var i = before + 1; i < samples.Count; i++)
        {
            var x = chart.X(samples[i].At);
            // Steps closer than half a pixel are one: to the highest of them, and back.
            value = samples[i].Value;
            while (i + 1 < samples.Count && chart.X(samples[i + 1].At) - x < 0.5)
                value = Math.Max(value, samples[++i].Value);
            path.Append(FormattableString.Invariant($"H{x:0.###}V{bottom - value * scale:0.#}"));
            if (value != samples[i].Value)
                path.Append(FormattableString.Invariant(
                    $"V{bottom - samples[i].Value * scale:0.#}"));
        }
        path.Append(FormattableString.Invariant($"H{chart.X(chart.Story.End):0.###}"));
        chart.Svg.Path(path.ToString(), "curve", title);
    }
}
