// Owns the lanes of the UDP clients. A query is an arc from when it was sent to when its reply
// was, in its backend's colour; one without an answer is an open circle, a dropped one a cross with
// its counter's name. A client with too many of them for that is a strip of density instead, and
// clients beyond a number share one.
//
// What always holds: the client that a violation is about has a lane of its own, and clients that
// lost something have theirs before those that did not.

using System;
using System.Collections.Generic;
using System.Linq;
using Balancer.Core;

namespace Simulation.Pictures;

internal static class UdpPanel
{
    private const int MostLanes = 20;
    private const int MostArcs = 120;
    private const double Lane = 34;

    public static void Draw(Chart chart)
    {
        var clients = chart.Story.Queries.GroupBy(query => query.Client)
            .Select(group => (Id: group.Key, Queries: group.ToArray()))
            .OrderBy(client => client.Id).ToArray();
        chart.Heading("UDP clients", clients.Length == 0 ? "none asked"
            : "an arc leads from a query to its reply, in the colour of the backend that had it");
        var violated = chart.Story.Result?.Violation?.Client ?? -1;
        var own = clients.OrderByDescending(client => client.Id == violated)
            .ThenByDescending(client => client.Queries.Any(query => query.Dropped != null))
            .ThenByDescending(client => client.Queries.Any(
                query => query.Answered == Instant.Never))
            .ThenBy(client => client.Id).Take(MostLanes).Select(client => client.Id).ToHashSet();
        foreach (var client in clients.Where(client => own.Contains(client.Id)))
            DrawClient(chart, client.Id, client.Queries, client.Id == violated);
        var rest = clients.Where(client => !own.Contains(client.Id)).ToArray();
        if (rest.Length > 0)
        {
            var queries = rest.SelectMany(client => client.Queries).OrderBy(query => query.At);
            Strip(chart, $"{rest.Length} more", [.. queries], "all other clients");
        }
    }

    private static void DrawClient(
        Chart chart, int id, QueryMark[] queries, bool isViolated)
    {
        var address = queries[0].From.Address.ToString();
        if (queries.Length > MostArcs)
        {
            Strip(chart, address, queries, $"client {id}");
            return;
        }
        chart.Svg.Open("client-lane hot");
        var answered = queries.Count(query => query.Answered != Instant.Never);
        chart.Label(chart.Y + 22, isViolated ? "▸ " + address : address,
            $"{answered} of {queries.Length}", title: $"client {id}: {answered} of "
            + $"{queries.Length} datagrams answered");
        var baseline = chart.Y + Lane - 6;
        chart.Svg.Rect(Chart.Left, chart.Y + 2, Chart.Right - Chart.Left, Lane - 4, "rail");
        var freeAt = 0.0;
        foreach (var query in queries)
            Query(chart, query, baseline, ref freeAt);
        chart.Svg.Close();
        chart.Y += Lane;
    }

    private static void Query(Chart chart, QueryMark query, double baseline, ref double freeAt)
    {
        var x = chart.X(query.At);
        var title = Words(chart, query);
        if (query.Answered != Instant.Never)
        {
            var to = chart.X(query.Answered);
            var height = Math.Clamp(9 + (to - x) * 0.25, 12, Lane - 10);
            var arc = to - x < 2.5
                ? Invariant($"M{x:0.#} {baseline:0.#}V{baseline - height:0.#}")
                : Marks.Arc(x, to, baseline, height);
            chart.Svg.Path(arc, "arc q", title, Chart.ColourOf(query.Backend));
            chart.Svg.Circle(x, baseline, 1.8, "asked", title, Chart.ColourOf(query.Backend));
            return;
        }
        if (query.Dropped is { } counter)
        {
            chart.Svg.Path(Marks.Cross(x, baseline - 6), "cross", title);
            var room = (counter.Length + 1) * 4.9;
            if (x + 6 >= freeAt && x + room < Chart.Right)
            {
                chart.Svg.Text(x + 6, baseline - 12, counter, "small drop", title);
                freeAt = x + room + 6;
            }
            return;
        }
        if (query.Forwarded != Instant.Never)
        {
            chart.Svg.Line(x, baseline, x, baseline - 10, "lost", title,
                Chart.ColourOf(query.Backend));
        }
        chart.Svg.Circle(x, baseline - (query.Forwarded == Instant.Never ? 3 : 12), 2.6, "open",
            title);
    }

    private static string Words(Chart chart, QueryMark query)
    {
        var text = $"{Chart.Time(query.At)}: {query.From} sent {query.Bytes} bytes";
        if (query.Forwarded != Instant.Never)
            text += $", to {chart.NameOf(query.Backend)} at {Chart.Time(query.Forwarded)}";
        if (query.Answered != Instant.Never)
            return text + $", answered after {Chart.Length(query.Answered - query.At)}";
        return text + (query.Dropped is { } counter ? $": dropped, {counter}" : ", no answer");
    }

    // ---- Density ----

    private static void Strip(Chart chart, string label, QueryMark[] queries, string what)
    {
        const double Bin = 4;
        var bins = queries.GroupBy(query => (int)((chart.X(query.At) - Chart.Left) / Bin))
            .OrderBy(bin => bin.Key).Select(bin => (bin.Key, Queries: bin.ToArray())).ToArray();
        var most = bins.Max(bin => bin.Queries.Length);
        var answered = queries.Count(query => query.Answered != Instant.Never);
        chart.Svg.Open("client-lane strip hot");
        chart.Label(chart.Y + 22, label,
            $"{Chart.Number(answered)} of {Chart.Number(queries.Length)}",
            title: $"{what}: {answered} of {queries.Length} datagrams answered; "
            + $"the tallest bar is {most}");
        chart.Svg.Rect(Chart.Left, chart.Y + 2, Chart.Right - Chart.Left, Lane - 4, "rail");
        foreach (var (at, inBin) in bins)
            Column(chart, Chart.Left + at * Bin, Bin - 0.6, inBin, (Lane - 6.0) / most);
        chart.Svg.Close();
        chart.Y += Lane;
    }

    /// <summary>One column: answered by backend from below, then unanswered, then dropped.</summary>
    private static void Column(
        Chart chart, double x, double width, QueryMark[] queries, double unit)
    {
        var bottom = chart.Y + Lane - 3;
        var parts = new SortedDictionary<int, (int Count, string Words, string Colour)>();
        foreach (var query in queries)
        {
            var lane = query.Backend;
            var (key, words, colour) = query.Answered != Instant.Never
                ? (lane, "answered by " + chart.NameOf(lane), Chart.ColourOf(lane))
                : query.Dropped != null ? (1 << 20, "dropped", "#d92d20")
                : (1 << 19, "without an answer", "#c3c8d0");
            parts[key] = (parts.GetValueOrDefault(key).Count + 1, words, colour);
        }
        var title = $"{Chart.Time(queries[0].At)} to {Chart.Time(queries[^1].At)}: "
            + string.Join(", ", parts.Values.Select(part => $"{part.Count} {part.Words}"));
        foreach (var counter in queries.Where(query => query.Answered == Instant.Never
            && query.Dropped != null).GroupBy(query => query.Dropped!).OrderBy(g => g.Key,
            StringComparer.Ordinal))
        {
            title += $"; {counter.Key} {counter.Count()}";
        }
        foreach (var (count, _, colour) in parts.Values)
        {
            var height = Math.Max(0.8, count * unit);
            bottom -= height;
            chart.Svg.Rect(x, bottom, width, height, "density", title, colour);
        }
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
