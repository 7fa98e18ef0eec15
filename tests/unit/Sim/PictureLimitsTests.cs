// What a picture leaves out: all that came after --until, and, where there is more than can be
// drawn, each single thing; it says both.

using System;
using System.Globalization;
using System.Linq;
using System.Xml.Linq;
using Balancer.Core;
using FakeBinder;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class PictureLimitsTests
{
    [Fact]
    public void StoryUntilATime_EndsThereAndSaysHowTheRunWentOn()
    {
        var whole = Record(Instant.Never);
        var cut = Record(At(4));
        Assert.Equal(At(4), cut.End);
        Assert.Equal(whole.Queries.Where(query => query.At <= At(4)), cut.Queries.Select(query =>
            whole.Queries.Single(other => other.At == query.At)));
        Assert.Null(cut.Violation);
        Assert.Equal(Instant.Never, cut.HealedAt);
        var svg = XDocument.Parse(Picture.Svg(cut)).ToString();
        Assert.Contains("the first 4 s", svg, StringComparison.Ordinal);
        Assert.Contains("and failed: S4 assignment", svg, StringComparison.Ordinal);
        Assert.DoesNotContain("class=\"violated\"", svg, StringComparison.Ordinal);
        Assert.Contains("the first 4 s", AsciiPicture.Of(cut), StringComparison.Ordinal);
    }

    [Fact]
    public void StoryUntilATimeAfterItsEnd_IsWhole()
    {
        var story = Record(At(100));
        Assert.Equal(Picture.Svg(Record(Instant.Never)), Picture.Svg(story));
        Assert.NotNull(story.Violation);
    }

    [Fact]
    public void QueryUnansweredAtTheCut_HasNoAnswerInTheStory()
    {
        var query = Record(At(2.1)).Queries.Single();
        Assert.Equal(Instant.Never, query.Answered);
        Assert.NotEqual(Instant.Never, query.Forwarded);
    }

    [Fact]
    public void HugeRun_IsThinnedToTheBoundAndSaysSo()
    {
        var story = Record(At(4));
        const int Many = 20_000;
        for (var lane = 0; lane < 8; lane++)
        {
            var backend = new BackendLane($"many{lane}", -1, false);
            story.Backends.Add(backend);
            for (var i = 0; i < Many; i++)
            {
                var at = At(4.0 * i / Many);
                backend.States.Add(new StateSpan((LaneState)(i % 7), at)
                {
                    To = At(4.0 * (i + 1) / Many),
                });
                backend.Notes.Add(new LaneNote(at, "refused", true, Duration.FromSeconds(1L)));
                backend.Heartbeats.Add(new HeartbeatMark(at));
                backend.Remotes.Add(new Sample(at, i % 50));
                story.Faults.Add(new FaultBar(new FaultPlan(
                    i, at, Duration.Zero, (FaultKind)(lane * 3), -1), at));
            }
        }
        for (var i = 0; i < 60_000; i++)
        {
            story.Queries.Add(new QueryMark(At(4.0 * i / 60_000), i % 40,
                new Endpoint(Ipv4.From(10, 9, 9, (byte)(i % 40)), 53), i, 0));
        }
        var svg = Picture.Svg(story);
        Assert.InRange(svg.Length, 100_000, Picture.MaxLength);
        Assert.Contains("Not drawn one by one: ", svg, StringComparison.Ordinal);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{Many:#,0} states of many0"),
            svg, StringComparison.Ordinal);
        Assert.All(AsciiPicture.Of(story).Split('\n'), line => Assert.InRange(line.Length, 0, 100));
    }

    private static Story Record(Instant until)
    {
        var recorder = new StoryRecorder(Small());
        var result = ScenarioRun.Execute(Small(), new Until(until, recorder), new FailsAt(At(7)));
        recorder.Story.Conclude(result, until);
        return recorder.Story;
    }

    private static Instant At(double seconds) => Instant.Zero + Duration.FromSeconds(seconds);

    private static Scenario Small() => new()
    {
        Seed = 3,
        HealAt = At(5),
        End = At(8),
        Backends = [new(0, "5301", At(0), true, new Misbehaviour { DelayNs = 300_000_000 })],
        UdpClients =
        [
            new(10, Ipv4.From(10, 1, 1, 1), false,
                [
                    .. new[] { 2, 3, 6, 7 }.Select(second =>
                        new QueryPlan(At(second), 4000, QueryKind.Question, 40)),
                ]),
        ],
    };

    private sealed class FailsAt(Instant at) : RunObserver
    {
        public override void OnTurnEnded(Instant now, LoadBalancer core)
        {
            if (now >= at)
                throw new ViolationException("S4", now, "model 1, actual 2", 0, 10);
        }
    }
}
