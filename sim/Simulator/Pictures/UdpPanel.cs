// Owns the lanes of the UDP clients. A query is an arc from when it was sent to when its reply
// was, in its backend's colour; one without an answer is an open circle, a dropped one a cross with
// its counter's name. A client with too many of them for that is a strip of columns instead, and
// clients beyond a number share one.
//
// What always holds: the client that a violation is about has a lane of its own, and clients that
// lost something have theirs before those that did not; how many stand in columns is said.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;
using Simulation.Scenarios;

namespace Simulation.Pictures;

internal static class UdpPanel
{
    private const double Lane = 36;

    public static void Draw(Chart chart)
    {
        var clients = chart.Story.Queries
            .Where(query => chart.Sees(query.At, EndOf(query)))
            .GroupBy(query => query.Client)
            .Select(group => (Id: group.Key, Queries: group.ToArray()))
            .OrderBy(client => client.Id).ToArray();
        chart.Heading("UDP clients", clients.Length == 0 ? "none asked" : "");
        if (clients.Length == 0)
            return;
        var blamed = chart.Story.Violation?.Client ?? -1;
        var own = clients.OrderByDescending(client => client.Id == blamed)
            .ThenByDescending(client => client.Queries.Any(query => query.Dropped != null))
            .ThenByDescending(client => client.Queries.Any(
                query => query.Answered == Instant.Never))
            .ThenBy(client => client.Id).Take(20).Select(client => client.Id).ToHashSet();
        var rest = clients.Where(client => !own.Contains(client.Id))
            .SelectMany(client => client.Queries).OrderBy(query => query.At).ToArray();
        var inColumns = rest.Length + clients.Where(client => own.Contains(client.Id)
            && IsStrip(chart, client.Queries)).Sum(client => client.Queries.Length);
        Keys(chart, inColumns > 0);
        foreach (var client in clients.Where(client => own.Contains(client.Id)))
            DrawClient(chart, client.Id, client.Queries, client.Id == blamed);
        if (rest.Length > 0)
            Strip(chart, $"{clients.Length - own.Count} more", rest, "all other clients", false);
        if (inColumns > 0)
        {
            var all = clients.Sum(client => client.Queries.Length);
            chart.Thinned.Add($"{Chart.Number(inColumns)} of {Chart.Number(all)} datagrams, "
                + "which stand in columns");
        }
    }

    private static void Keys(Chart chart, bool hasColumns)
    {
        var key = new Key(chart).Arc("query to reply, in the backend's colour")
            .Circle("open", 2.6, "no answer").Upright("lost", "had reached a backend", 0)
            .Mark(Marks.Cross, "cross", "dropped, and its counter");
        if (hasColumns)
            key.Words(0, "Columns:").Box("density", "answered", 0)
                .Box("density missed", "no answer").Box("density dropped", "dropped");
    }

    private static bool IsStrip(Chart chart, QueryMark[] queries) =>
        queries.Length > 140 >> chart.Coarseness;

    private static Instant EndOf(QueryMark query) =>
        query.Answered == Instant.Never ? query.At : query.Answered;

    private static void DrawClient(Chart chart, int id, QueryMark[] queries, bool isBlamed)
    {
        var address = queries[0].From.Address.ToString();
        var hosts = queries.Select(query => query.From.Address).Distinct().Count();
        if (hosts > 1)
            address += $" +{hosts - 1}";
        if (IsStrip(chart, queries))
        {
            Strip(chart, address, queries, $"client {id}", isBlamed);
            return;
        }
        chart.Svg.Open("client-lane hot");
        var answered = queries.Count(query => query.Answered != Instant.Never);
        chart.Label(chart.Y + 22, address, $"{answered} of {queries.Length}",
            $"client {id}: {answered} of {queries.Length} datagrams answered",
            isBlamed: isBlamed);
        chart.Rail(chart.Y + 1, Lane - 3, isBlamed);
        chart.Svg.OpenTimed();
        var freeAt = 0.0;
        foreach (var query in queries)
            Query(chart, query, chart.Y + Lane - 7, ref freeAt);
        chart.Svg.Close();
        chart.Svg.Close();
        chart.Y += Lane;
    }

    private static void Query(Chart chart, QueryMark query, double baseline, ref double freeAt)
    {
        var svg = chart.Svg;
        var x = chart.X(query.At);
        svg.Open("query " + Chart.Hue(query.Backend), Words(chart, query));
        if (query.Answered != Instant.Never)
        {
            var to = chart.X(query.Answered);
            var height = Math.Clamp(9 + (to - x) * 0.25, 13, Lane - 12);
            svg.Path(Marks.Arc(x, to, baseline, height), "arc q");
            svg.Circle(x, baseline, 1.8, "dot");
        }
        else if (query.Dropped is { } counter)
        {
            svg.Mark(Marks.Cross, x, baseline - 4, "cross");
            Tags.Put(svg, x + 5, baseline - 11, counter, ref freeAt);
        }
        else
        {
            var reached = query.Forwarded != Instant.Never;
            if (reached)
                svg.Line(x, baseline, x, baseline - 12, "lost");
            svg.Circle(x, baseline - (reached ? 14 : 3), 2.6, "open");
        }
        svg.Close();
    }

    private static string Words(Chart chart, QueryMark query)
    {
        var text = $"{Chart.Time(query.At)}: {query.From} sent query {query.Query}";
        if (query.Attempt > 0)
            text += $" again ({query.Attempt})";
        if (query.Arrived != Instant.Never)
            text += $", {query.Bytes} bytes";
        if (query.Forwarded != Instant.Never)
            text += $", to {chart.NameOf(query.Backend)} at {Chart.Time(query.Forwarded)}";
        if (query.Answered != Instant.Never)
            return text + $", answered after {Chart.Length(query.Answered - query.At)}";
        return text + (query.Dropped is { } counter ? $": dropped, {counter}" : ", no answer");
    }

    // ---- Columns ----

    private static void Strip(
        Chart chart, string label, QueryMark[] queries, string what, bool isBlamed)
    {
        const double Bin = 4;
        var bins = queries.GroupBy(query => (int)((chart.X(query.At) - Chart.Left) / Bin))
            .OrderBy(bin => bin.Key).Select(bin => (bin.Key, Queries: bin.ToArray())).ToArray();
        var most = bins.Max(bin => bin.Queries.Length);
        var answered = queries.Count(query => query.Answered != Instant.Never);
        chart.Svg.Open("client-lane strip hot");
        chart.Label(chart.Y + 22, label,
            $"{Chart.Number(answered)} of {Chart.Number(queries.Length)}",
            $"{what}: {answered} of {queries.Length} datagrams answered; "
            + $"the tallest column is {most}", isBlamed: isBlamed);
        chart.Rail(chart.Y + 1, Lane - 3, isBlamed);
        chart.Svg.OpenTimed();
        foreach (var (at, inBin) in bins)
            Column(chart, Chart.Left + at * Bin, Bin - 0.6, inBin, (Lane - 7.0) / most);
        chart.Svg.Close();
        chart.Svg.Close();
        chart.Y += Lane;
    }

    /// <summary>One column, from below: answered by backend, unanswered, dropped.</summary>
    private static void Column(
        Chart chart, double x, double width, QueryMark[] queries, double unit)
    {
        var parts = new SortedDictionary<int, (int Count, string Words, string Style)>();
        foreach (var query in queries)
        {
            var (key, words, style) = query.Answered != Instant.Never
                ? (query.Backend, "answered by " + chart.NameOf(query.Backend),
                    "density " + Chart.Hue(query.Backend))
                : query.Dropped != null ? (1 << 20, "dropped", "density dropped")
                : (1 << 19, "without an answer", "density missed");
            parts[key] = (parts.GetValueOrDefault(key).Count + 1, words, style);
        }
        var title = $"{Chart.Time(queries[0].At)} to {Chart.Time(queries[^1].At)}: "
            + string.Join(", ", parts.Values.Select(part => $"{part.Count} {part.Words}"));
        foreach (var counter in queries.Where(query => query.Answered == Instant.Never
            && query.Dropped != null).GroupBy(query => query.Dropped!).OrderBy(g => g.Key,
            StringComparer.Ordinal))
        {
            title += $"; {counter.Key} {counter.Count()}";
        }
        chart.Svg.Open("column", title);
        var bottom = chart.Y + Lane - 3;
        foreach (var (count, _, style) in parts.Values)
        {
            var height = Math.Max(0.8, count * unit);
            bottom -= height;
            chart.Svg.Rect(x, bottom, width, height, style);
        }
        chart.Svg.Close();
    }
}
