// Owns the strip of faults: one row for each kind that happened, bars while they lasted, and a
// mark for those that were over at once.
//
// What always holds: rows are in the order of FaultKind, so faults of one class are together.

using System;
using System.Linq;
using Simulation.Scenarios;

namespace Simulation.Pictures;

internal static class FaultPanel
{
    private const double Row = 15;

    public static void Draw(Chart chart)
    {
        var kinds = chart.Story.Faults.Select(bar => bar.Plan.Kind).Distinct().Order().ToArray();
        chart.Heading("Faults", kinds.Length == 0
            ? "nothing was made to go wrong"
            : "what was made to go wrong, and for how long");
        chart.Svg.Open("faults hot");
        foreach (var kind in kinds)
        {
            var bars = chart.Story.Faults.Where(bar => bar.Plan.Kind == kind).ToArray();
            chart.Label(chart.Y + 11, kind.ToString(), bars.Length == 1 ? "" : $"× {bars.Length}");
            chart.Svg.Rect(Chart.Left, chart.Y + 1, Chart.Right - Chart.Left, Row - 2, "rail");
            foreach (var bar in bars)
                Bar(chart, bar);
            chart.Y += Row;
        }
        chart.Svg.Close();
    }

    private static void Bar(Chart chart, FaultBar bar)
    {
        var lasts = bar.Plan.For.Nanoseconds > 0;
        var from = chart.X(bar.From);
        var to = lasts ? chart.X(chart.OrEnd(bar.To)) : from;
        var target = TargetOf(chart, bar.Plan);
        var title = $"{Chart.Time(bar.From)}: {bar.Plan.Kind}"
            + (target.Length == 0 ? "" : $" of backend {target}")
            + (lasts ? $" for {Chart.Length(bar.Plan.For)}" : "")
            + (bar.Plan.Amount == 0 ? "" : $", amount {bar.Plan.Amount}")
            + $" (fault {bar.Plan.Id})";
        var colour = ColourOf(bar.Plan.Kind);
        if (to - from < 4)
            chart.Svg.Path(Marks.Triangle(from, chart.Y + Row - 2, 4.5), "fault-dot", title,
                fill: colour);
        else
            chart.Svg.Rect(from, chart.Y + 2, to - from, Row - 4, "fault", title, colour, 2);
        if (to - from > target.Length * 6.2 + 6)
            chart.Svg.Text(from + 4, chart.Y + 11, target, "on", title);
        else if (target.Length > 0 && chart.Story.Faults.Count < 40)
            chart.Svg.Text(Math.Max(to, from + 4) + 3, chart.Y + 11, target, "small", title);
    }

    private static string TargetOf(Chart chart, FaultPlan plan) =>
        chart.Story.Backends.Find(lane => lane.Plan == plan.Target && lane.Plan >= 0)?.Name
        ?? (plan.Target < 0 ? "" : "#" + plan.Target);

    private static string ColourOf(FaultKind kind) => kind switch
    {
        <= FaultKind.BackendRebind => "#b4534a",
        <= FaultKind.UdpReceiveFails => "#b7791f",
        <= FaultKind.KernelWakes => "#6d5bb0",
        <= FaultKind.StreamReset => "#2f7f93",
        <= FaultKind.DirectorySilent => "#58803a",
        _ => "#5f6b7a",
    };
}
