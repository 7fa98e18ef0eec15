// Owns the lanes of the TCP connections: two half-duplex bars each, what the client sends above,
// what it gets below; grey until a backend has taken it, then in that backend's colour, with a
// tick for each piece of data. What the end was stands behind it.
//
// What always holds: a bar ends when its direction did; connections beyond a number are one strip.

using System;
using System.Linq;
using Balancer.Core;

namespace Simulation.Pictures;

internal static class TcpPanel
{
    private const int MostLanes = 16;
    private const double Lane = 27;

    public static void Draw(Chart chart)
    {
        var all = chart.Story.Connections;
        if (all.Count == 0)
            return;
        chart.Heading("TCP connections",
            "above: client to backend, below: backend to client; grey until a backend took it");
        var violated = chart.Story.Result?.Violation?.Client ?? -1;
        var own = all.OrderByDescending(bar => bar.Client == violated)
            .ThenByDescending(bar => bar.Counter is not ("" or "ConnectionsFinished"))
            .ThenBy(bar => bar.Client).Take(MostLanes).ToHashSet();
        foreach (var bar in all.Where(own.Contains))
            Draw(chart, bar);
        var rest = all.Where(bar => !own.Contains(bar)).ToArray();
        if (rest.Length > 0)
            Strip(chart, rest);
    }

    private static void Draw(Chart chart, ConnectionBar bar)
    {
        var svg = chart.Svg;
        svg.Open("tcp-lane hot");
        var plan = chart.Story.Scenario.TcpClients.FirstOrDefault(plan => plan.Id == bar.Client);
        var label = plan is null ? $"client {bar.Client}" : $"{plan.Address}:{plan.Port}";
        chart.Label(chart.Y + 17, label, plan?.Manner.ToString() ?? "");
        svg.Rect(Chart.Left, chart.Y + 2, Chart.Right - Chart.Left, Lane - 5, "rail");
        if (!bar.Connected)
        {
            svg.Path(Marks.Cross(chart.X(bar.At), chart.Y + Lane / 2), "cross",
                $"{Chart.Time(bar.At)}: could not connect");
        }
        else
        {
            var up = Instant.Min(chart.OrEnd(bar.UpEnd), chart.OrEnd(bar.End));
            var down = Instant.Min(chart.OrEnd(bar.DownEnd), chart.OrEnd(bar.End));
            Half(chart, bar, up, chart.Y + 4, bar.Up, "client to backend");
            Half(chart, bar, down, chart.Y + 14, bar.Down, "backend to client");
            End(chart, bar);
        }
        svg.Close();
        chart.Y += Lane;
    }

    private static void Half(Chart chart, ConnectionBar bar, Instant end, double y,
        System.Collections.Generic.List<Sample> data, string which)
    {
        const double Height = 8;
        var bytes = data.Sum(sample => sample.Value);
        var title = $"{which}: {Chart.Number(bytes)} bytes, {Chart.Time(bar.At)} to "
            + $"{Chart.Time(end)}, {chart.NameOf(bar.Backend)}";
        var from = chart.X(bar.At);
        var relaying = Instant.Min(chart.OrEnd(bar.Relaying), end);
        var middle = chart.X(relaying);
        chart.Svg.Rect(from, y, Math.Max(1.2, middle - from), Height, "bar pending", title);
        if (bar.Relaying != Instant.Never && end >= bar.Relaying)
        {
            chart.Svg.Rect(middle, y, Math.Max(1.2, chart.X(end) - middle), Height, "bar", title,
                Chart.ColourOf(bar.Backend) + "66", 1);
        }
        foreach (var group in data.GroupBy(sample => (int)(chart.X(sample.At) * 0.7)))
        {
            var x = chart.X(group.First().At);
            chart.Svg.Line(x, y, x, y + Height, "data",
                $"{which}, {Chart.Time(group.First().At)}: "
                + $"{Chart.Number(group.Sum(sample => sample.Value))} bytes",
                Chart.ColourOf(bar.Backend));
        }
    }

    private static void End(Chart chart, ConnectionBar bar)
    {
        if (bar.End == Instant.Never)
            return;
        var x = chart.X(bar.End);
        var text = bar.Counter == nameof(Counter.ConnectionsFinished)
            ? bar.How
            : bar.Counter;
        var title = $"{Chart.Time(bar.End)}: {bar.Counter}; for the client: {bar.How}";
        if (bar.Counter != nameof(Counter.ConnectionsFinished))
            chart.Svg.Path(Marks.Cross(x + 5, chart.Y + Lane / 2), "cross", title);
        var leftwards = x + 14 + text.Length * 5 > Chart.Right;
        chart.Svg.Text(leftwards ? chart.X(bar.At) - 6 : x + 12, chart.Y + 16, text,
            leftwards ? "small e" : "small", title);
    }

    private static void Strip(Chart chart, ConnectionBar[] bars)
    {
        const double Bin = 4;
        var counts = new int[(int)((Chart.Right - Chart.Left) / Bin) + 1];
        foreach (var bar in bars)
        {
            var from = (int)((chart.X(bar.At) - Chart.Left) / Bin);
            var to = (int)((chart.X(chart.OrEnd(bar.End)) - Chart.Left) / Bin);
            for (var i = from; i <= to; i++)
                counts[i]++;
        }
        var unit = (Lane - 6) / counts.Max();
        chart.Svg.Open("tcp-lane strip hot");
        chart.Label(chart.Y + 17, $"{bars.Length} more", $"at most {counts.Max()}");
        chart.Svg.Rect(Chart.Left, chart.Y + 2, Chart.Right - Chart.Left, Lane - 5, "rail");
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] == 0)
                continue;
            chart.Svg.Rect(Chart.Left + i * Bin, chart.Y + Lane - 3 - counts[i] * unit, Bin - 0.6,
                counts[i] * unit, "density", $"{counts[i]} connections open", "#6b8fb5");
        }
        chart.Svg.Close();
        chart.Y += Lane;
    }
}
