// The picture and the trace of a small real run: the same bytes each time, well-formed, and with
// all that a picture must have in it.

using System.IO;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;
using Snapshooter.Xunit;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class PicturesTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    [Fact]
    public void SameRun_HasTheSameBytes()
    {
        Assert.Equal(HtmlPage.Of(Record(fails: true)), HtmlPage.Of(Record(fails: true)));
        Assert.Equal(AsciiPicture.Of(Record(false)), AsciiPicture.Of(Record(false)));
    }

    [Fact]
    public void Picture_HasLanesArcsAndFaults()
    {
        var svg = XDocument.Parse(Picture.Svg(Record(fails: false)));
        Assert.Equal(2, Count(svg, "g", "backend-lane"));
        Assert.Equal(2, Count(svg, "g", "client-lane"));
        Assert.Equal(1, Count(svg, "g", "tcp-lane"));
        Assert.Equal(4, Count(svg, "path", "arc q"));
        Assert.Equal(1, Count(svg, "use", "cross"));
        Assert.Equal(1, Count(svg, "rect", "fault"));
        Assert.Equal(1, Count(svg, "line", "healed"));
        Assert.Equal(0, Count(svg, "line", "violated"));
        Assert.Contains(svg.Descendants(Svg + "text"), text =>
            text.Value.EndsWith("QueriesOversized", System.StringComparison.Ordinal));
    }

    [Fact]
    public void Violation_IsALineWithItsEvidence()
    {
        var svg = XDocument.Parse(Picture.Svg(Record(fails: true)));
        var line = svg.Descendants(Svg + "line").Single(e => Class(e) == "violated");
        Assert.Contains("model <1> & actual \"2\"", line.Value, System.StringComparison.Ordinal);
        Assert.Contains(svg.Descendants(Svg + "text"), text =>
            Class(text).Contains("evidence", System.StringComparison.Ordinal));
    }

    [Fact]
    public void Page_NeedsNothingFromOutside()
    {
        var page = HtmlPage.Of(Record(fails: false)).Replace(Svg.NamespaceName, "");
        Assert.DoesNotContain("http", page, System.StringComparison.Ordinal);
        Assert.DoesNotContain("src=", page, System.StringComparison.Ordinal);
    }

    [Fact]
    public void Trace_MatchesTheSnapshot()
    {
        var lines = new StringBuilder();
        ScenarioRun.Execute(Small(), new Trace((_, line) => lines.Append(line).Append('\n')));
        Snapshot.Match(lines.ToString());
    }

    [Fact]
    public void TextPicture_MatchesTheSnapshot() =>
        Snapshot.Match(AsciiPicture.Of(Record(fails: false)));

    [Fact]
    public void EveryKindOfTheTrace_IsDocumented()
    {
        var source = File.ReadAllText(
            Path.Combine(ArchitectureTests.Root, "sim/Simulator/Pictures/Trace.cs"));
        var page = File.ReadAllText(Path.Combine(ArchitectureTests.Root, "docs/simulator.md"));
        var rows = page.Split("## The trace")[1].Split("\n## ")[0];
        var kinds = Regex.Matches(
                source, "(?:Put|Write|Io)\\(now, (?:\\w+ \\? )?\"([a-z-]+)\"(?: : \"([a-z-]+)\")?")
            .SelectMany(call => call.Groups.Values.Skip(1)).Where(kind => kind.Success)
            .Select(kind => kind.Value).ToHashSet();
        Assert.True(kinds.Count > 30, $"{kinds.Count} kinds");
        Assert.All(kinds, kind =>
            Assert.Contains($"`{kind}`", rows, System.StringComparison.Ordinal));
    }

    /// <summary>No event: it is told with the number of the one before, and hashes stay.</summary>
    [Fact]
    public void Trace_TellsWhatIsLostOnTheWay()
    {
        var lines = new System.Collections.Generic.List<string>();
        var scenario = Small() with
        {
            Faults = [new(0, At(1), Duration.FromSeconds(1.9), FaultKind.UdpLoss, -1, 1)],
        };
        var result = ScenarioRun.Execute(scenario, new Trace((_, line) => lines.Add(line)));
        var lost = lines.FindAll(line => line.Contains("lost on the way"));
        Assert.Equal(2, lost.Count);
        Assert.EndsWith("client-sends    10 from 10.1.1.1:4000 lost on the way, query 0 attempt 0",
            lost[0], System.StringComparison.Ordinal);
        Assert.Equal(result.Events, lines.Count - lost.Count);
        Assert.Equal(result.Events, long.Parse(lines[^1].Trim().Split(' ')[0]));
    }

    private static int Count(XDocument svg, string element, string style) =>
        svg.Descendants(Svg + element).Count(e => Class(e) == style
            || Class(e).StartsWith(style + " hot", System.StringComparison.Ordinal));

    private static string Class(XElement element) => (string?)element.Attribute("class") ?? "";

    private static Story Record(bool fails)
    {
        var recorder = new StoryRecorder(Small());
        recorder.Story.Result = fails
            ? ScenarioRun.Execute(Small(), recorder, new FailsAt(At(4)))
            : ScenarioRun.Execute(Small(), recorder);
        return recorder.Story;
    }

    private static Instant At(double seconds) => Instant.Zero + Duration.FromSeconds(seconds);

    private static Scenario Small() => new()
    {
        Seed = 3,
        HealAt = At(5),
        End = At(8),
        Backends =
        [
            new(0, "5301", At(0), true, Misbehaviour.None),
            new(1, "5302", At(0), true, Misbehaviour.None),
        ],
        UdpClients =
        [
            new(10, Ipv4.From(10, 1, 1, 1), false, [Ask(2), Ask(3), Ask(6)]),
            new(11, Ipv4.From(10, 1, 1, 2), false, [Ask(2.5),
                new(At(3.5), 4001, QueryKind.Garbage, 2000)]),
        ],
        TcpClients =
        [
            new(12, Ipv4.From(10, 1, 1, 3), 5000, At(2), 2, 100, TcpManner.Proper, default),
        ],
        Faults = [new(0, At(1), Duration.FromSeconds(1L), FaultKind.UdpDuplicate, -1, 1_000_000)],
    };

    private static QueryPlan Ask(double at) => new(At(at), 4000, QueryKind.Question, 40);

    private sealed class FailsAt(Instant at) : RunObserver
    {
        public override void OnTurnEnded(Instant now, LoadBalancer core)
        {
            if (now >= at)
                throw new ViolationException("S4", now, "model <1> & actual \"2\"", 0, 10);
        }
    }
}
