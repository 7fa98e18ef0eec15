// Owns the page that shows what runs have come to over time: seeds, failures, and how much of what
// there is was met; then the failures in groups. One file with nothing outside it, without scripts,
// light or dark as the reader's system is.
//
// What always holds: whatever comes from a file is escaped; the same runs give the same page.

using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Text;
using Simulation.Checking;

namespace Simulation.Commands;

internal static class TriagePage
{
    private const int Width = 900;
    private const int Height = 160;
    private const int Most = 200;

    private const string Style = """
        :root{color-scheme:light dark;--ink:#1d2733;--soft:#5c6b7d;--back:#fff;--line:#d5dce4;
        --good:#0b6fb8;--bad:#b3261e}
        @media (prefers-color-scheme:dark){:root{--ink:#e4e9ef;--soft:#9aa8b8;--back:#11151b;
        --line:#2f3945;--good:#6cb6f0;--bad:#ff8a80}}
        body{margin:32px auto;max-width:1000px;padding:0 16px;background:var(--back);
        color:var(--ink);font:15px/1.5 Inter,"Segoe UI",Arial,"DejaVu Sans",sans-serif}
        h1{font-size:22px}h2{font-size:17px;margin-top:32px}
        table{border-collapse:collapse;width:100%}
        th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);
        vertical-align:top}
        td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
        .bad{color:var(--bad)}.soft{color:var(--soft)}
        code{font:13px/1.5 "DejaVu Sans Mono",Consolas,monospace;overflow-wrap:anywhere}
        svg{width:100%;height:auto}rect{fill:var(--good)}rect.bad{fill:var(--bad)}
        polyline{fill:none;stroke:var(--good);stroke-width:2}
        text{fill:var(--soft);font-size:12px}.scroll{overflow-x:auto}
        """;

    /// <summary>The page.</summary>
    public static string Of(IEnumerable<LeftRun> runs, ImmutableArray<FailureGroup> groups)
    {
        LeftRun[] all = [.. runs.OrderBy(run => run.Finished, StringComparer.Ordinal)
            .ThenBy(run => run.FirstSeed)];
        var page = new StringBuilder();
        page.Append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
            .Append("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">")
            .Append("<title>Simulated runs</title><style>\n").Append(Style)
            .Append("\n</style></head><body>\n<h1>Simulated runs</h1>\n<p>")
            .Append(Number(all.Length)).Append(" runs, ")
            .Append(Number(all.Sum(run => run.Seeds))).Append(" seeds, ")
            .Append(Number(all.Sum(run => run.VirtualSeconds) / 3600))
            .Append(" virtual hours, ")
            .Append(Number(groups.Sum(group => group.Failures.Length)))
            .Append(" failures of ").Append(Number(groups.Length)).Append(" causes</p>\n");
        AddFailures(page, groups);
        if (all.Length > 0)
        {
            page.Append("<h2>Seeds of each run</h2>\n");
            AddBars(page, all[Math.Max(0, all.Length - Most)..]);
            foreach (var what in all.SelectMany(run => run.Met).Select(met => met.What).Distinct())
                AddCurve(page, what, all[Math.Max(0, all.Length - Most)..]);
        }
        AddRuns(page, all);
        return page.Append("</body></html>\n").ToString();
    }

    private static void AddFailures(StringBuilder page, ImmutableArray<FailureGroup> groups)
    {
        page.Append("<h2>Failures</h2>\n");
        if (groups.IsEmpty)
        {
            page.Append("<p>None.</p>\n");
            return;
        }
        page.Append("<div class=\"scroll\"><table><tr><th class=\"n\">times</th><th>check</th>")
            .Append("<th>cause</th><th>a seed</th><th>commits</th></tr>\n");
        foreach (var group in groups)
        {
            var first = group.Failures[0];
            page.Append("<tr><td class=\"n bad\">").Append(Number(group.Failures.Length))
                .Append("</td><td>").Append(Text(group.Check)).Append(' ')
                .Append(Text(CheckNames.Of(group.Check))).Append("</td><td>")
                .Append(Text(group.Cause)).Append("<br><code class=\"soft\">")
                .Append(Text(first.Evidence)).Append("</code></td><td><code>")
                .Append(Text($"{first.Seed} {first.Options}".Trim())).Append("</code></td><td>")
                .Append(Text(string.Join(", ", group.Failures
                    .Select(failure => Triage.Short(failure.Commit)).Distinct())))
                .Append("</td></tr>\n");
        }
        page.Append("</table></div>\n");
    }

    private static void AddBars(StringBuilder page, LeftRun[] runs)
    {
        var most = Math.Max(1, runs.Max(run => run.Seeds));
        var step = (double)Width / runs.Length;
        Begin(page, $"{Number(most)} seeds");
        for (var i = 0; i < runs.Length; i++)
        {
            var height = Height * ((double)runs[i].Seeds / most);
            page.Append(CultureInfo.InvariantCulture,
                $"<rect{(runs[i].Failures > 0 ? " class=\"bad\"" : "")} x=\"{i * step:0.##}\" ")
                .Append(CultureInfo.InvariantCulture,
                $"y=\"{Height - height:0.##}\" width=\"{Math.Max(1, step - 2):0.##}\" ")
                .Append(CultureInfo.InvariantCulture, $"height=\"{height:0.##}\"><title>")
                .Append(Text($"{runs[i].Finished} {Triage.Short(runs[i].Commit)}: "
                    + $"{Number(runs[i].Seeds)} seeds, {Number(runs[i].Failures)} failures"))
                .Append("</title></rect>\n");
        }
        page.Append("</svg>\n");
    }

    private static void AddCurve(StringBuilder page, string what, LeftRun[] runs)
    {
        page.Append("<h2>").Append(Text(char.ToUpperInvariant(what[0]) + what[1..]))
            .Append(" that were met, in hundredths of all there are</h2>\n");
        var step = (double)Width / Math.Max(1, runs.Length - 1);
        Begin(page, "100 %");
        page.Append("<polyline points=\"");
        for (var i = 0; i < runs.Length; i++)
        {
            var (_, met, all) = runs[i].Met.FirstOrDefault(one => one.What == what);
            var y = Height - (all == 0 ? 0 : Height * (double)met / all);
            page.Append(CultureInfo.InvariantCulture, $"{i * step:0.##},{y:0.##} ");
        }
        // A single run has a line, too.
        if (runs.Length == 1)
        {
            var (_, met, all) = runs[0].Met.FirstOrDefault(one => one.What == what);
            page.Append(CultureInfo.InvariantCulture,
                $"{Width},{Height - (all == 0 ? 0 : Height * (double)met / all):0.##}");
        }
        page.Append("\"/></svg>\n");
    }

    private static void Begin(StringBuilder page, string top) => page
        .Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 -18 {Width} {Height + 20}\" ")
        .Append("role=\"img\"><text x=\"0\" y=\"-5\">").Append(Text(top)).Append("</text>\n");

    private static void AddRuns(StringBuilder page, LeftRun[] runs)
    {
        page.Append("<h2>Runs</h2>\n<div class=\"scroll\"><table><tr><th>finished</th>")
            .Append("<th>commit</th><th>profile</th><th class=\"n\">seeds</th>")
            .Append("<th class=\"n\">virtual h</th><th class=\"n\">failures</th><th>met</th></tr>")
            .Append('\n');
        foreach (var run in runs.Reverse())
        {
            var met = run.Met.Select(one => $"{one.Met} of {one.All} {one.What}");
            page.Append("<tr><td>").Append(Text(run.Finished.Length > 0 ? run.Finished : "unknown"))
                .Append("</td><td>").Append(Text(Triage.Short(run.Commit))).Append("</td><td>")
                .Append(Text(run.Profile)).Append("</td><td class=\"n\">")
                .Append(Number(run.Seeds)).Append("</td><td class=\"n\">")
                .Append(Number(run.VirtualSeconds / 3600)).Append("</td><td class=\"n")
                .Append(run.Failures > 0 ? " bad" : "").Append("\">")
                .Append(Number(run.Failures)).Append("</td><td class=\"soft\">")
                .Append(Text(string.Join(", ", met))).Append("</td></tr>\n");
        }
        page.Append("</table></div>\n");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private static string Number(double value) =>
        value.ToString("N0", CultureInfo.InvariantCulture);
}
