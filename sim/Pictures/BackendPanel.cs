// Owns the lanes of the backends: their state as a colour, heartbeats as ticks from sending to
// answer, faults as marks with the back-off that they cost.
//
// What always holds: a lane's swatch has the colour that its answers have in the clients' lanes.

using System;
using System.Linq;
using Balancer.Core;

namespace Simulation.Pictures;

internal static class BackendPanel
{
    private const double Lane = 30;

    public static void Draw(Chart chart)
    {
        chart.Heading("Backends", "coloured by the state that the balancer holds them in; "
            + "▾ a fault and its back-off, ticks are heartbeats");
        for (var i = 0; i < chart.Story.Backends.Count; i++)
            Draw(chart, i);
    }

    private static void Draw(Chart chart, int index)
    {
        var svg = chart.Svg;
        var lane = chart.Story.Backends[index];
        var top = chart.Y + 2;
        svg.Open("backend-lane hot");
        var what = lane.Plan < 0 ? "no process" : lane.IsCore ? "core" : "stays broken";
        chart.Label(chart.Y + 19, lane.Name, lane.Id == BackendId.None
            || lane.Id.ToString() == lane.Name ? what : $"id {lane.Id}, {what}",
            Chart.ColourOf(index), lane.Name);
        svg.Rect(Chart.Left, top, Chart.Right - Chart.Left, Lane - 6, "rail");
        foreach (var span in lane.States)
        {
            var from = chart.X(span.From);
            var width = Math.Max(0.6, chart.X(chart.OrEnd(span.To)) - from);
            svg.Rect(from, top, width, Lane - 6, span.State.ToString(),
                $"{lane.Name}: {Words(span.State)} from {Chart.Time(span.From)} to "
                + Chart.Time(chart.OrEnd(span.To)));
        }
        svg.Rect(Chart.Left - 5, top, 4, Lane - 6, "swatch", fill: Chart.ColourOf(index));
        foreach (var beat in lane.Heartbeats)
            Heartbeat(chart, lane, beat, top);
        foreach (var note in lane.Notes)
            Note(chart, lane, note, top);
        svg.Close();
        chart.Y += Lane;
    }

    private static void Heartbeat(Chart chart, BackendLane lane, HeartbeatMark beat, double top)
    {
        var answered = beat.Answered != Instant.Never;
        var x = chart.X(beat.Sent);
        var isRecent = !answered && chart.Story.End - beat.Sent < Duration.FromMilliseconds(50);
        chart.Svg.Line(x, top + 14, x, top + 22, answered || isRecent ? "beat" : "beat lost",
            $"{lane.Name}: heartbeat sent {Chart.Time(beat.Sent)}, "
            + (answered ? $"answered after {Chart.Length(beat.Answered - beat.Sent)}"
                : "not answered"));
        if (answered && chart.X(beat.Answered) - x > 2)
        {
            chart.Svg.Line(x, top + 18, chart.X(beat.Answered), top + 18, "beat",
                $"{lane.Name}: answered {Chart.Time(beat.Answered)}");
        }
    }

    private static void Note(Chart chart, BackendLane lane, LaneNote note, double top)
    {
        var x = chart.X(note.At);
        var title = $"{lane.Name} at {Chart.Time(note.At)}: {note.Text}";
        if (!note.IsFault)
        {
            chart.Svg.Circle(x, top + 5, 2, "note-mark", title);
            return;
        }
        if (note.BackOff.Nanoseconds > 0)
        {
            var end = Instant.Min(note.At + note.BackOff, chart.Story.End);
            chart.Svg.Line(x, top + 10, chart.X(end), top + 10, "backoff", title);
            if (chart.X(end) - x > 30)
                chart.Svg.Text((x + chart.X(end)) / 2, top + 20, Chart.Length(note.BackOff),
                    "small m", title);
        }
        chart.Svg.Path(Marks.Triangle(x, top + 8), "fault-mark", title);
    }

    private static string Words(LaneState state) => state switch
    {
        LaneState.BackingOff => "backing off",
        LaneState.AwaitingHello => "awaiting hello",
        LaneState.Warming => "warming up",
        LaneState.Healthy => "healthy",
        LaneState.Draining => "draining, its path is unlinked",
        LaneState.Removed => "removed",
        _ => "not known",
    };
}
