// Owns the strip of faults: one row for each kind that happened, bars while they lasted, and a
// mark for those that were over at once. The colour is the class of the fault.
//
// What always holds: rows are in the order of FaultKind, so faults of one class are together.

using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Pictures;

internal static class FaultPanel
{
    private const double Row = 16;

    public static void Draw(Chart chart)
    {
        var seen = chart.Story.Faults
            .Where(bar => chart.Sees(bar.From, Lasts(bar) ? bar.To : bar.From)).ToArray();
        var kinds = seen.Select(bar => bar.Plan.Kind).Distinct().Order().ToArray();
        chart.Heading("Faults", kinds.Length == 0 ? "nothing was made to go wrong" : "");
        if (kinds.Length == 0)
            return;
        var key = new Key(chart);
        foreach (var kind in kinds.DistinctBy(ClassOf))
            key.Box("fault f-" + ClassOf(kind), WordsOf(ClassOf(kind)));
        if (seen.Any(bar => !Lasts(bar)))
            key.Mark(Marks.Down, "fault-dot", "over at once");
        chart.Svg.Open("faults hot");
        foreach (var kind in kinds)
            DrawRow(chart, kind, [.. seen.Where(bar => bar.Plan.Kind == kind)]);
        chart.Svg.Close();
    }

    private static void DrawRow(Chart chart, FaultKind kind, FaultBar[] bars)
    {
        chart.Label(chart.Y + 12, kind.ToString(), bars.Length == 1 ? "" : $"× {bars.Length}");
        chart.Rail(chart.Y + 1, Row - 2);
        chart.Svg.OpenTimed("t f-" + ClassOf(kind));
        var freeAt = 0.0;
        var shown = chart.Spread(bars, bar => bar.From, kind + " faults").ToArray();
        for (var i = 0; i < shown.Length; i++)
        {
            var next = i + 1 < shown.Length ? chart.X(shown[i + 1].Item1.From) : Chart.Right;
            Bar(chart, shown[i].Item1, shown[i].Item2, next, ref freeAt);
        }
        chart.Svg.Close();
        chart.Y += Row;
    }

    private static bool Lasts(FaultBar bar) => bar.Plan.For.Nanoseconds > 0;

    private static void Bar(
        Chart chart, FaultBar bar, int count, double next, ref double freeAt)
    {
        var from = chart.X(bar.From);
        var target = TargetOf(chart, bar.Plan);
        var title = $"{Chart.Time(bar.From)}: {bar.Plan.Kind}"
            + (target.Length == 0 ? "" : $" of backend {target}")
            + (Lasts(bar) ? $" for {Chart.Length(bar.Plan.For)}" : "")
            + (bar.Plan.Amount == 0 ? "" : $", amount {bar.Plan.Amount}")
            + $" (fault {bar.Plan.Id})" + (count == 1 ? "" : $"; and {count - 1} more");
        if (Lasts(bar))
        {
            chart.Svg.Rect(from, chart.Y + 2, chart.X(chart.OrEnd(bar.To)) - from, Row - 4, "fault",
                title, round: 1.5, least: 2.5);
        }
        else
        {
            chart.Svg.Mark(Marks.Down, from, chart.Y + Row - 4, "fault-dot", title);
        }
        if (target.Length > 0)
        {
            Tags.PutBefore(chart.Svg, next, from + (Lasts(bar) ? 4 : 6), chart.Y + 11.5, target,
                ref freeAt);
        }
    }

    private static string TargetOf(Chart chart, FaultPlan plan) =>
        chart.Story.Backends.Find(lane => lane.Plan == plan.Target && lane.Plan >= 0)?.Name
        ?? (plan.Target < 0 ? "" : "#" + plan.Target);

    private static string ClassOf(FaultKind kind) => kind switch
    {
        <= FaultKind.BackendMove => "backend",
        <= FaultKind.UdpReceiveFails => "udp",
        <= FaultKind.KernelWakes => "kernel",
        <= FaultKind.StreamReset or FaultKind.StreamNoMemory => "stream",
        <= FaultKind.DirectorySilent or FaultKind.DirectoryHangs
            or FaultKind.DirectoryUnknown => "directory",
        _ => "clock",
    };

    private static string WordsOf(string family) => family switch
    {
        "backend" => "of a backend",
        "udp" => "of UDP",
        "kernel" => "of the kernel",
        "stream" => "of streams",
        "directory" => "of the directory",
        _ => "of the clock",
    };
}
