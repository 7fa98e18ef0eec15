// Owns the picture in characters, for a terminal: a row a backend by state, faults, and how many
// datagrams were asked, answered and dropped, all on one time axis.
//
// What always holds: lines are at most 100 characters; the same story gives the same text.

using System;
using System.Linq;
using System.Text;
using Balancer.Core;

namespace Simulation.Pictures;

/// <summary>Draws a story in characters.</summary>
public static class AsciiPicture
{
    private const int Columns = 76;
    private const string Heights = " .:-=+*#%@";

    public static string Of(Story story)
    {
        var text = new StringBuilder();
        text.Append(HeadPanel.Title(story)).Append('\n');
        if (story.Result?.Violation is { } violation)
            text.Append(Commands.Tool.Describe(violation)).Append('\n');
        text.Append("# healthy  ~ warming  ? awaiting hello  x backing off  d draining"
            + "  - removed\n\n");
        foreach (var kind in story.Faults.GroupBy(bar => bar.Plan.Kind).OrderBy(g => g.Key))
        {
            var row = Row();
            foreach (var bar in kind)
                Fill(story, row, bar.From, bar.Plan.For == Duration.Zero ? bar.From : bar.To, '!');
            Put(text, kind.Key.ToString(), row);
        }
        foreach (var lane in story.Backends)
        {
            var row = Row();
            foreach (var span in lane.States)
                Fill(story, row, span.From, span.To, Sign(span.State));
            Put(text, lane.Name, row);
        }
        Density(text, story, "asked", _ => true);
        Density(text, story, "answered", query => query.Answered != Instant.Never);
        Density(text, story, "dropped", query => query.Dropped != null);
        var marks = Row();
        if (story.HealedAt != Instant.Never)
            marks[Column(story, story.HealedAt)] = '|';
        if (story.Result?.Violation is { } at)
            marks[Column(story, at.At)] = '^';
        Put(text, "| heals ^ fails", marks);
        text.Append(' ', 21).Append("0 s").Append(' ', Columns - 15)
            .Append(Chart.Time(story.End)).Append('\n');
        return text.ToString();
    }

    private static void Density(
        StringBuilder text, Story story, string name, Func<QueryMark, bool> counts)
    {
        var bins = new int[Columns];
        foreach (var query in story.Queries.Where(counts))
            bins[Column(story, query.At)]++;
        var most = Math.Max(1, bins.Max());
        var row = bins.Select(bin =>
            Heights[(bin * (Heights.Length - 1) + most - 1) / most]).ToArray();
        Put(text, name, row);
    }

    private static char[] Row() => [.. Enumerable.Repeat(' ', Columns)];

    private static void Put(StringBuilder text, string name, char[] row) => text
        .Append(Chart.Fit(name, 20).PadRight(21)).Append(new string(row).TrimEnd()).Append('\n');

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
