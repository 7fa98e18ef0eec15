// Owns the picture in characters, for a terminal: what happened in one line; a row a kind of fault
// and a row a backend, by state; how many datagrams were asked, answered and dropped; how many TCP
// connections were open, and which ended badly; and, on the same time axis, where the core healed
// and where a check failed.
//
// What always holds: lines are at most 100 characters; the same story gives the same text.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Scenarios;

namespace Simulation.Pictures;

/// <summary>Draws a story in characters.</summary>
public static class AsciiPicture
{
    private const int Width = 100;
    private const int Labels = 22;
    private const int Columns = Width - Labels - 2;
    private const string Heights = " .:-=+*#%@";

    public static string Of(Story story)
    {
        var text = new StringBuilder();
        Head(text, story);
        Axis(text, story);
        Heading(text, "Faults", "= while it lasts  ! over at once");
        foreach (var kind in story.Faults.GroupBy(bar => bar.Plan.Kind).OrderBy(g => g.Key))
            Faults(text, story, kind.Key, [.. kind]);
        Heading(text, "Backends",
            "# healthy ~ warming up ? awaiting hello x backing off d draining - removed");
        for (var i = 0; i < story.Backends.Count; i++)
            Backend(text, story, story.Backends[i], i == story.BlamedBackend());
        Heading(text, "Datagrams", "the darker, the more:" + Heights);
        Density(text, story, "asked", _ => true);
        Density(text, story, "answered", query => query.Answered != Instant.Never);
        Density(text, story, "dropped", query =>
            query.Answered == Instant.Never && query.Dropped != null);
        Density(text, story, "no answer", query =>
            query.Answered == Instant.Never && query.Dropped == null);
        Connections(text, story);
        Ends(text, story);
        return text.ToString();
    }

    // ---- What happened ----

    private static void Head(StringBuilder text, Story story)
    {
        Line(text, HeadPanel.Title(story));
        foreach (var line in HeadPanel.Remarks(story).SelectMany(line =>
            Picture.Wrap(line, Width - 2, 3)))
        {
            Line(text, "  " + line);
        }
        if (story.Violation is not { } violation)
            return;
        foreach (var line in Picture.Wrap(violation.Evidence, Width - 2, 8))
            Line(text, "  " + line);
    }

    private static void Ends(StringBuilder text, Story story)
    {
        var marks = Row();
        var words = new List<string>();
        if (story.HealedAt != Instant.Never)
        {
            marks[Column(story, story.HealedAt)] = '|';
            words.Add($"| chaos ends, liveness is owed: {Chart.Short(story.HealedAt)}");
        }
        if (story.Violation is { } violation)
        {
            marks[Column(story, violation.At)] = '^';
            words.Add($"^ {HeadPanel.Named(violation.Check)} fails: "
                + Chart.Short(violation.At));
        }
        if (words.Count == 0)
            return;
        Put(text, "", "", marks);
        Line(text, new string(' ', Labels + 1) + string.Join("   ", words));
    }

    // ---- Rows ----

    private static void Axis(StringBuilder text, Story story)
    {
        var ticks = Enumerable.Repeat('-', Columns).ToArray();
        var labels = Enumerable.Repeat(' ', Columns).ToArray();
        var step = Chart.StepFor(story.End.Nanoseconds, 8);
        for (long at = 0; at <= story.End.Nanoseconds; at += step)
        {
            var column = Column(story, new Instant(at));
            var label = Chart.Short(new Instant(at));
            ticks[column] = '+';
            label.CopyTo(0, labels, Math.Min(column, Columns - label.Length), label.Length);
        }
        Line(text, "");
        Put(text, "", "", labels);
        Put(text, "", "", ticks);
    }

    private static void Faults(StringBuilder text, Story story, FaultKind kind, FaultBar[] bars)
    {
        var row = Row();
        foreach (var bar in bars.Where(bar => bar.Plan.For > Duration.Zero))
            Fill(story, row, bar.From, bar.To, '=');
        foreach (var bar in bars.Where(bar => bar.Plan.For == Duration.Zero))
            Fill(story, row, bar.From, bar.From, '!');
        Put(text, kind.ToString(), Chart.Number(bars.Length), row);
    }

    private static void Backend(StringBuilder text, Story story, BackendLane lane, bool isBlamed)
    {
        var row = Row();
        foreach (var span in lane.States)
            Fill(story, row, span.From, span.To, Sign(span.State));
        Put(text, (isBlamed ? "> " : "") + lane.Name, lane.IsCore ? "core" : "", row);
    }

    private static void Density(
        StringBuilder text, Story story, string name, Func<QueryMark, bool> counts)
    {
        var bins = new int[Columns];
        foreach (var query in story.Queries.Where(counts))
            bins[Column(story, query.At)]++;
        Density(text, name, bins.Sum(), bins);
    }

    private static void Connections(StringBuilder text, Story story)
    {
        if (story.Connections.Count == 0)
            return;
        Heading(text, "TCP connections", "open at a time, the darker, the more:" + Heights);
        var open = new int[Columns];
        var bad = new int[Columns];
        foreach (var bar in story.Connections)
        {
            var end = Column(story, bar.End);
            for (var i = Column(story, bar.At); bar.Connected && i <= end; i++)
                open[i]++;
            if (!bar.Connected)
                bad[Column(story, bar.At)]++;
            else if (TcpPanel.IsBad(bar))
                bad[end]++;
        }
        Density(text, "open", story.Connections.Count(bar => bar.Connected), open);
        Density(text, "bad ends", bad.Sum(), bad);
    }

    private static void Density(StringBuilder text, string name, int count, int[] bins)
    {
        if (count == 0)
            return;
        var most = bins.Max();
        var row = bins.Select(bin =>
            Heights[(bin * (Heights.Length - 1) + most - 1) / most]).ToArray();
        Put(text, name, Chart.Number(count), row);
    }

    private static void Heading(StringBuilder text, string name, string key)
    {
        Line(text, "");
        Line(text, name.PadRight(Labels + 1) + key);
    }

    private static void Put(StringBuilder text, string name, string detail, char[] row)
    {
        var label = Chart.Fit(name, Labels - 2 - detail.Length);
        Line(text, label + detail.PadLeft(Labels - label.Length) + ' ' + new string(row));
    }

    private static void Line(StringBuilder text, string line) =>
        text.Append(Chart.Fit(line.TrimEnd(), Width)).Append('\n');

    private static char[] Row() => [.. Enumerable.Repeat(' ', Columns)];

    private static void Fill(Story story, char[] row, Instant from, Instant to, char sign)
    {
        for (var i = Column(story, from); i <= Column(story, to); i++)
            row[i] = sign;
    }

    private static int Column(Story story, Instant at) => at >= story.End
        ? Columns - 1
        : (int)((double)at.Nanoseconds / Math.Max(1, story.End.Nanoseconds) * (Columns - 1));

    private static char Sign(LaneState state) => state switch
    {
        LaneState.Healthy => '#',
        LaneState.Warming => '~',
        LaneState.AwaitingHello => '?',
        LaneState.BackingOff => 'x',
        LaneState.Draining => 'd',
        LaneState.Removed => '-',
        _ => ' ',
    };
}
