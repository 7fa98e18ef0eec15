// Owns the lanes of the backends. Each has its colour; its state is how much of that is there, as
// a shade or a pattern, so that states are told apart without seeing colours. On it are faults,
// with the back-off that they cost; below it is a line of heartbeats, from sending to answer.
//
// What always holds: a backend has the same colour here, in the arcs of its answers, in the bars of
// its connections and in its curves.

using System.Collections.Generic;
using System.Linq;
using Balancer.Core;

namespace Simulation.Pictures;

internal static class BackendPanel
{
    private const double Lane = 32;
    private const double Band = 16;

    public static void Draw(Chart chart)
    {
        chart.Heading("Backends");
        new Key(chart).State(LaneState.Healthy, "healthy").State(LaneState.Warming, "warming up")
            .State(LaneState.AwaitingHello, "awaiting hello")
            .State(LaneState.BackingOff, "backing off").State(LaneState.Draining, "draining")
            .State(LaneState.Removed, "removed")
            .Mark(Marks.Down, "fault-mark", "fault").Line("backoff", "its back-off")
            .Circle("note-mark", 2.2, "noted")
            .Line("beat", "heartbeat to answer").Upright("beat lost", "heartbeat unanswered");
        var blamed = chart.Story.BlamedBackend();
        for (var i = 0; i < chart.Story.Backends.Count; i++)
            Draw(chart, i, i == blamed);
    }

    private static void Draw(Chart chart, int index, bool isBlamed)
    {
        var svg = chart.Svg;
        var lane = chart.Story.Backends[index];
        var top = chart.Y + 3;
        svg.Open("backend-lane hot " + Chart.Hue(index));
        var what = lane.Plan < 0 ? "no process" : lane.IsCore ? "core" : "not core";
        chart.Label(top + 14, lane.Name, lane.Id == BackendId.None
            || lane.Id.ToString() == lane.Name ? what : $"id {lane.Id}, {what}",
            lane.Name, hasSwatch: true, isBlamed);
        chart.Rail(chart.Y + 1, Lane - 3, isBlamed);
        svg.OpenTimed();
        States(chart, lane, top);
        var beats = lane.Heartbeats.Where(beat => chart.Sees(beat.Sent, beat.Answered)).ToList();
        foreach (var (beat, count) in chart.Spread(beats, beat => beat.Sent, "heartbeats"))
            Heartbeat(chart, lane, beat, count, top + Band + 5);
        var notes = lane.Notes.Where(note => chart.Sees(note.At, note.At + note.BackOff)).ToList();
        var freeAt = 0.0;
        foreach (var (note, count) in chart.Spread(notes, note => note.At, "notes of " + lane.Name))
            Note(chart, lane, note, count, top, ref freeAt);
        svg.Close();
        svg.Close();
        chart.Y += Lane;
    }

    // ---- States ----

    /// <summary>One state, as a backend's lane and the key have it.</summary>
    public static void State(SvgText svg, double x, double y, double width, double height,
        LaneState state, string? title)
    {
        const double Least = 0.8;
        svg.Rect(x, y, width, height, state.ToString(), title, least: Least);
        if (state is LaneState.Warming or LaneState.BackingOff or LaneState.Draining)
            svg.Rect(x, y, width, height, "over " + state, least: Least);
    }

    private static void States(Chart chart, BackendLane lane, double top)
    {
        // A backend that flaps changes more often than can be drawn; what is thinner than this is
        // lumped together then.
        const double Thin = 0.6;
        var many = lane.States.Count > 400 >> chart.Coarseness;
        if (many)
            chart.Thinned.Add($"{Chart.Number(lane.States.Count)} states of {lane.Name}");
        var lump = new List<StateSpan>();
        foreach (var span in lane.States.Where(span => chart.Sees(span.From, span.To)))
        {
            var from = chart.X(span.From);
            var to = chart.X(chart.OrEnd(span.To));
            if (many && to - from < Thin)
            {
                lump.Add(span);
                continue;
            }
            Lump(chart, lane, lump, top);
            State(chart.Svg, from, top, to - from, Band, span.State,
                $"{lane.Name}: {Words(span.State)} from {Chart.Time(span.From)} to "
                + Chart.Time(chart.OrEnd(span.To)));
        }
        Lump(chart, lane, lump, top);
    }

    private static void Lump(Chart chart, BackendLane lane, List<StateSpan> lump, double top)
    {
        if (lump.Count == 0)
            return;
        var end = chart.OrEnd(lump[^1].To);
        var from = chart.X(lump[0].From);
        chart.Svg.Rect(from, top, chart.X(end) - from, Band, "Mixed",
            $"{lane.Name}: {Chart.Plural(lump.Count, "state")} from "
            + $"{Chart.Time(lump[0].From)} to {Chart.Time(end)}", least: 0.8);
        lump.Clear();
    }

    // ---- Marks ----

    private static void Heartbeat(
        Chart chart, BackendLane lane, HeartbeatMark beat, int count, double y)
    {
        var answered = beat.Answered != Instant.Never;
        var x = chart.X(beat.Sent);
        var isRecent = !answered && chart.Story.End - beat.Sent < Duration.FromMilliseconds(50);
        chart.Svg.Open(answered || isRecent ? "beats" : "beats lost",
            $"{lane.Name}: heartbeat sent {Chart.Time(beat.Sent)}, "
            + (answered ? $"answered after {Chart.Length(beat.Answered - beat.Sent)}"
                : "not answered") + (count == 1 ? "" : $"; and {count - 1} more"));
        chart.Svg.Line(x, y - 3.5, x, y + 3.5, answered || isRecent ? "beat" : "beat lost");
        if (answered)
            chart.Svg.Line(x, y, chart.X(beat.Answered), y, "beat");
        chart.Svg.Close();
    }

    private static void Note(Chart chart, BackendLane lane, LaneNote note, int count, double top,
        ref double freeAt)
    {
        var x = chart.X(note.At);
        var title = $"{lane.Name} at {Chart.Time(note.At)}: {note.Text}"
            + (count == 1 ? "" : $"; and {count - 1} more");
        if (!note.IsFault)
        {
            chart.Svg.Circle(x, top + 4, 2.2, "note-mark", title);
            return;
        }
        chart.Svg.Open("backend-fault", title);
        if (note.BackOff.Nanoseconds > 0)
        {
            var end = Instant.Min(note.At + note.BackOff, chart.Story.End);
            chart.Svg.Line(x, top + Band, chart.X(end), top + Band, "backoff");
            Tags.Put(chart.Svg, x + 2, top + Band + 9.5, Chart.Length(note.BackOff), ref freeAt);
        }
        chart.Svg.Mark(Marks.Down, x, top + Band, "fault-mark");
        chart.Svg.Close();
    }

    private static string Words(LaneState state) => state switch
    {
        LaneState.BackingOff => "backing off",
        LaneState.AwaitingHello => "awaiting hello",
        LaneState.Warming => "warming up",
        LaneState.Healthy => "healthy",
        LaneState.Draining => "draining, its path is removed",
        LaneState.Removed => "removed",
        _ => "not known",
    };
}
