// Owns the rows of what was lost: one for each counter of drops and failures that rose, with a
// column wherever it did.
//
// What always holds: a counter that stayed 0 has no row; rows are in the order of Counter.

using System;
using System.Linq;

namespace Simulation.Pictures;

internal static class LossPanel
{
    private const double Row = 16;
    private const double Bin = 4;

    public static void Draw(Chart chart)
    {
        var counters = chart.Story.Drops.Where(drop => chart.Sees(drop.At))
            .GroupBy(drop => drop.Counter).OrderBy(g => g.Key).ToArray();
        if (counters.Length == 0)
            return;
        chart.Heading("Drops and failures");
        new Key(chart).Box("loss", "a counter rose: the higher the column, the more");
        chart.Svg.Open("losses hot");
        foreach (var counter in counters)
        {
            var name = counter.Key.ToString();
            chart.Label(chart.Y + 12, name, Chart.Number(counter.Sum(drop => drop.Count)), name);
            chart.Rail(chart.Y + 1, Row - 2);
            chart.Svg.OpenTimed();
            var bins = counter.GroupBy(drop => (int)((chart.X(drop.At) - Chart.Left) / Bin))
                .OrderBy(bin => bin.Key)
                .Select(bin => (bin.Key, bin.First().At, Count: bin.Sum(drop => drop.Count)))
                .ToArray();
            var most = bins.Max(bin => bin.Count);
            foreach (var (at, first, count) in bins)
            {
                var height = Math.Max(3, (Row - 3) * Math.Sqrt((double)count / most));
                chart.Svg.Rect(Chart.Left + at * Bin, chart.Y + Row - 1 - height, Bin - 0.8,
                    height, "loss", $"{Chart.Time(first)}: {name} + {count}");
            }
            chart.Svg.Close();
            chart.Y += Row;
        }
        chart.Svg.Close();
    }
}
