// Owns the lanes of the TCP connections: two half-duplex bars each, what the client sends above,
// what it gets below; grey until a backend has taken it, then in that backend's colour, with a
// tick for each piece of data. What the end was stands behind it.
//
// What always holds: a bar ends when its direction did; connections beyond a number are one strip.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Pictures;

internal static class TcpPanel
{
    private const int MostLanes = 16;
    private const double Lane = 28;

    public static void Draw(Chart chart)
    {
        var all = chart.Story.Connections.Where(bar => chart.Sees(bar.At, bar.End)).ToArray();
        if (all.Length == 0)
            return;
        chart.Heading("TCP connections");
        new Key(chart).Bars("client to backend", "backend to client")
            .Box("pending", "waiting for a backend").Upright("data", "data", 0)
            .Mark(Marks.Cross, "cross", "a bad end, and its counter");
        var blamed = chart.Story.Violation?.Client ?? -1;
        var own = all.OrderByDescending(bar => bar.Client == blamed)
            .ThenByDescending(bar => IsBad(bar)).ThenBy(bar => bar.Client)
            .Take(MostLanes).ToHashSet();
        foreach (var bar in all.Where(own.Contains))
            Draw(chart, bar, bar.Client == blamed);
        var rest = all.Where(bar => !own.Contains(bar)).ToArray();
        if (rest.Length == 0)
            return;
        Strip(chart, rest);
        chart.Thinned.Add($"{Chart.Number(rest.Length)} of {Chart.Number(all.Length)} TCP "
            + "connections, by their number");
    }

    internal static bool IsBad(ConnectionBar bar) =>
        bar.Counter is not ("" or nameof(Counter.ConnectionsFinished));

    private static void Draw(Chart chart, ConnectionBar bar, bool isBlamed)
    {
        var svg = chart.Svg;
        svg.Open("tcp-lane hot " + Chart.Hue(bar.Backend));
        var plan = chart.Story.Scenario.TcpClients.FirstOrDefault(plan => plan.Id == bar.Client);
        var label = plan is null ? $"client {bar.Client}" : $"{plan.Address}:{plan.Port}";
        chart.Label(chart.Y + 17, label, plan?.Manner.ToString() ?? "", isBlamed: isBlamed);
        chart.Rail(chart.Y + 1, Lane - 3, isBlamed);
        svg.OpenTimed();
        if (!bar.Connected)
        {
            svg.Mark(Marks.Cross, chart.X(bar.At), chart.Y + Lane / 2, "cross",
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
        svg.Close();
        chart.Y += Lane;
    }

    private static void Half(Chart chart, ConnectionBar bar, Instant end, double y,
        List<Sample> data, string which)
    {
        const double Height = 8;
        var bytes = data.Sum(sample => sample.Value);
        var title = $"{which}: {Chart.Number(bytes)} bytes, {Chart.Time(bar.At)} to "
            + $"{Chart.Time(end)}, {chart.NameOf(bar.Backend)}";
        var from = chart.X(bar.At);
        var middle = chart.X(Instant.Min(chart.OrEnd(bar.Relaying), end));
        chart.Svg.Rect(from, y, middle - from, Height, "pending", title, least: 1.2);
        if (bar.Relaying != Instant.Never && end >= bar.Relaying)
        {
            chart.Svg.Rect(middle, y, chart.X(end) - middle, Height, "bar", title, round: 1,
                least: 1.2);
        }
        var seen = data.Where(sample => chart.Sees(sample.At)).ToList();
        foreach (var group in seen.GroupBy(sample =>
            (int)(chart.X(sample.At) / (1 << chart.Coarseness))))
        {
            var x = chart.X(group.First().At);
            chart.Svg.Line(x, y, x, y + Height, "data",
                $"{which}, {Chart.Time(group.First().At)}: "
                + $"{Chart.Number(group.Sum(sample => sample.Value))} bytes");
        }
    }

    private static void End(Chart chart, ConnectionBar bar)
    {
        if (bar.End == Instant.Never)
            return;
        var x = chart.X(bar.End);
        var text = IsBad(bar) ? bar.Counter : bar.How;
        var counter = bar.Counter.Length == 0 ? "never accepted" : bar.Counter;
        chart.Svg.Open("end",
            $"{Chart.Time(bar.End)}: {counter}; for the client: {bar.How}");
        if (IsBad(bar))
            chart.Svg.Mark(Marks.Cross, x + 5, chart.Y + Lane / 2, "cross");
        var leftwards = x + 14 + text.Length * Tags.Letter > Chart.Right;
        chart.Svg.Text(leftwards ? x - 5 : x + 12, chart.Y + 16.5, text,
            leftwards ? "end-text e" : "end-text");
        chart.Svg.Close();
    }

    private static void Strip(Chart chart, ConnectionBar[] bars)
    {
        const double Bin = 4;
        var counts = new int[(int)((Chart.Right - Chart.Left) / Bin) + 1];
        foreach (var bar in bars)
        {
            for (var i = BinOf(bar.At); i <= BinOf(chart.OrEnd(bar.End)); i++)
                counts[i]++;
        }
        var unit = (Lane - 6) / counts.Max();
        chart.Svg.Open("tcp-lane strip hot");
        chart.Label(chart.Y + 17, $"{bars.Length} more", $"at most {counts.Max()} open");
        chart.Rail(chart.Y + 1, Lane - 3);
        chart.Svg.OpenTimed();
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] == 0)
                continue;
            chart.Svg.Rect(Chart.Left + i * Bin, chart.Y + Lane - 3 - counts[i] * unit, Bin - 0.6,
                counts[i] * unit, "density missed",
                $"{Chart.Plural(counts[i], "connection")} open");
        }
        chart.Svg.Close();
        chart.Svg.Close();
        chart.Y += Lane;

        int BinOf(Instant at) => (int)(System.Math.Clamp(
            chart.X(at) - Chart.Left, 0, Chart.Right - Chart.Left) / Bin);
    }
}
