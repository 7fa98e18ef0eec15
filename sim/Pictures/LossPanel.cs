// Owns the rows of what was lost: one for each counter of drops and failures that rose, with a
// column wherever it did.
//
// What always holds: a counter that stayed 0 has no row; rows are in the order of Counter.

using System;
using System.Linq;

namespace Simulation.Pictures;

internal static class LossPanel
{
    private const double Row = 15;
    private const double Bin = 4;

    public static void Draw(Chart chart)
    {
        var counters = chart.Story.Drops.GroupBy(drop => drop.Counter).OrderBy(g => g.Key)
            .ToArray();
        if (counters.Length == 0)
            return;
        chart.Heading("Drops and failures", "counters that rose, and when");
        chart.Svg.Open("losses hot");
        foreach (var counter in counters)
        {
            var total = counter.Sum(drop => drop.Count);
            chart.Label(chart.Y + 11, counter.Key.ToString(), Chart.Number(total),
                title: counter.Key.ToString());
            chart.Svg.Rect(Chart.Left, chart.Y + 1, Chart.Right - Chart.Left, Row - 2, "rail");
            var bins = counter.GroupBy(drop => (int)((chart.X(drop.At) - Chart.Left) / Bin))
                .OrderBy(bin => bin.Key).Select(bin => (bin.Key, Drops: bin.ToArray())).ToArray();
            var most = bins.Max(bin => bin.Drops.Sum(drop => drop.Count));
            foreach (var (at, drops) in bins)
            {
                var count = drops.Sum(drop => drop.Count);
                var height = Math.Max(3, (Row - 3) * Math.Sqrt((double)count / most));
                chart.Svg.Rect(Chart.Left + at * Bin, chart.Y + Row - 1 - height, Bin - 0.8,
                    height, "loss", $"{Chart.Time(drops[0].At)}: {counter.Key} + {count}",
                    "#d0473d");
            }
            chart.Y += Row;
        }
        chart.Svg.Close();
    }
}
