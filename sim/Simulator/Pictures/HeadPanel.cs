// Owns the top of a picture: in one sentence what run this is and what it came to, the rule that
// was broken if one was, and the numbers of the run.
//
// What always holds: whoever sees only this part knows whether the run passed, and the seed that
// runs it again.

using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Balancer.Core;
using Simulation.Checking;
using Simulation.Running;
using Simulation.Scenarios;

namespace Simulation.Pictures;

internal static class HeadPanel
{
    /// <summary>What happened: seed 169, swarm: S8 heartbeats violated at 268.388 s.</summary>
    public static string Title(Story story)
    {
        var scenario = story.Scenario;
        var what = story.File is { } file
            ? $"{file} (seed {scenario.Seed}, {scenario.Profile})"
            : $"Seed {scenario.Seed}, {scenario.Profile}";
        if (story.Violation is { } violation)
        {
            return $"{what}: {Named(violation.Check)} violated at "
                + Chart.Short(violation.At) + Culprit(story, violation);
        }
        if (story.CutAt != Instant.Never)
            return $"{what}: the first {Chart.Short(story.CutAt)}";
        return story.Result is null
            ? $"{what}: not judged"
            : $"{what}: every check held for {Chart.Short(story.End)}";
    }

    /// <summary>A check's id and name; the id alone of one that has no other.</summary>
    internal static string Named(string check) => CheckNames.Of(check) is var name && name == check
        ? check : $"{check} {name}";

    public static double Draw(Story story, SvgText svg)
    {
        svg.Text(24, 40, Title(story), "title");
        var (verdict, style) = Verdict(story);
        var width = verdict.Length * 8.2 + 28;
        svg.Rect(Chart.Right - width, 20, width, 26, "pill " + style, round: 13);
        svg.Text(Chart.Right - width / 2, 37.5, verdict, "verdict m");
        svg.Text(24, 63, Facts(story), "sub");
        var y = 63.0;
        foreach (var line in Remarks(story))
            svg.Text(24, y += 19, line, "sub");
        return y + 10;
    }

    /// <summary>Whom the violation is about, in words.</summary>
    private static string Culprit(Story story, Violation violation)
    {
        var lane = story.BlamedBackend();
        if (lane >= 0)
            return $", backend {story.Backends[lane].Name}";
        foreach (var client in story.Scenario.UdpClients.Where(c => c.Id == violation.Client))
            return $", client {client.Address}";
        foreach (var client in story.Scenario.TcpClients.Where(c => c.Id == violation.Client))
            return $", client {client.Address}:{client.Port}";
        return "";
    }

    private static (string Text, string Style) Verdict(Story story) => story switch
    {
        { Violation: { } violation } => ($"{violation.Check} FAILED", "failed"),
        { Result: null } => ("NOT JUDGED", "unknown"),
        _ when story.CutAt != Instant.Never => ("CUT", "unknown"),
        _ => ("PASSED", "passed"),
    };

    /// <summary>The rule that was broken; where the story is cut, and what came then.</summary>
    internal static IEnumerable<string> Remarks(Story story)
    {
        if (story.Violation is { } violation && CheckNames.Ids.Contains(violation.Check))
        {
            yield return $"{Named(violation.Check)}, what must hold: "
                + CheckNames.Rule(violation.Check) + ".";
        }
        if (story.CutAt == Instant.Never || story.Result is not { } result)
            yield break;
        yield return $"Cut at {Chart.Time(story.CutAt)}; the run went on to "
            + Chart.Time(Instant.Zero + result.Time) + (result.Violation is { } later
                ? $" and failed: {Named(later.Check)}."
                : " and passed.");
    }

    private static string Facts(Story story)
    {
        var scenario = story.Scenario;
        var answered = story.Queries.Count(query => query.Answered != Instant.Never);
        var facts = new List<string>
        {
            Chart.Plural(scenario.Backends.Length, "backend"),
            Chart.Plural(scenario.UdpClients.Length, "UDP client"),
            $"{Chart.Number(answered)} of {Chart.Plural(story.Queries.Count, "datagram")} answered",
            Chart.Plural(scenario.TcpClients.Length, "TCP connection"),
            Chart.Plural(scenario.Faults.Length, "fault"),
        };
        if (story.Result is { } result)
        {
            facts.Add($"{Chart.Plural(result.Events, "event")} in "
                + $"{Chart.Plural(result.Turns, "turn")}");
            facts.Add(string.Create(CultureInfo.InvariantCulture, $"hash {result.Hash:x16}"));
        }
        return string.Join("  ·  ", facts);
    }
}
