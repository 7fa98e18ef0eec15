// Nothing that is written in a picture covers anything else: the samples and words of a key stand
// side by side, the words beside a fault end before the next one, and what is said of the healing
// is within the chart, wherever the line is. Measured by letters as wide as those of DejaVu Sans,
// the widest font that the pictures name.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Xml.Linq;
using Balancer.Core;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;
using Xunit;

namespace Tests.Unit.Sim;

public sealed class PictureRoomTests
{
    private const double LegendLetter = 6.2;
    private const double TagLetter = 6.0;
    private const double BoldLetter = 7.2;

    private static readonly Lazy<XElement> Crowded = new(() =>
        Draw(Generator.FromSeed(4711, Profile.Swarm)));

    [Fact]
    public void Keys_StandSideBySide()
    {
        var rows = Crowded.Value.Descendants().Where(element =>
                Class(element).Contains("legend", StringComparison.Ordinal)
                || Class(element).Split(' ').Contains("key"))
            .Select(Box).GroupBy(box => Math.Round((box.Y + 6) / 14)).ToArray();
        Assert.True(rows.Length >= 3);
        Assert.All(rows, row => AssertApart([.. row.OrderBy(box => box.From)]));
    }

    [Fact]
    public void WordsBesideAFault_EndBeforeTheNext()
    {
        double[] times = [5, 10, 10.3, 14, 14.8, 15, 20, 25, 25.9, 33];
        var picture = Draw(RunningWorlds.Calm([.. times.Select((at, n) =>
            RunningWorlds.Fault(FaultKind.BackendReset, at, target: n % 2) with { Id = n })]));
        var shown = 0;
        foreach (var lane in picture.Descendants().Where(element =>
            Class(element).StartsWith("t f-", StringComparison.Ordinal)))
        {
            var marks = lane.Elements().Where(element => element.Name.LocalName != "text")
                .Select(mark => Number(mark, "x")).Order().ToArray();
            foreach (var tag in lane.Elements().Where(element =>
                Class(element).StartsWith("tag", StringComparison.Ordinal)
                && !Class(element).Contains("off", StringComparison.Ordinal)))
            {
                shown++;
                var from = Number(tag, "x");
                var end = from + tag.Value.Length * TagLetter;
                Assert.DoesNotContain(marks, mark => mark > from && mark - 4 < end);
            }
        }
        Assert.InRange(shown, 5, times.Length - 2);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(58)]
    [InlineData(30)]
    public void WhatIsSaidOfTheHealing_IsWithinTheChart(double healAt)
    {
        var picture = Draw(RunningWorlds.Calm() with { HealAt = RunningWorlds.At(healAt) });
        var words = picture.Descendants().Single(element => Class(element) == "heal t")
            .Elements().Where(element => element.Name.LocalName == "text").ToArray();
        Assert.Contains(words, text => text.Value.Contains("owed", StringComparison.Ordinal));
        Assert.All(words, text =>
        {
            var width = text.Value.Length * BoldLetter;
            var isEnd = Class(text).Split(' ').Contains("e");
            var from = Number(text, "x") - (isEnd ? width : 0);
            Assert.InRange(from, Chart.Left, Chart.Right);
            Assert.InRange(from + width, Chart.Left, Chart.Right);
        });
    }

    private static void AssertApart((double From, double To, double Y)[] row)
    {
        // The words of an item and its own sample are boxes, too, and in order.
        for (var i = 1; i < row.Length; i++)
        {
            Assert.True(row[i].From >= row[i - 1].To - 0.5,
                $"{row[i - 1].From} to {row[i - 1].To} reaches into {row[i].From}");
        }
    }

    private static (double From, double To, double Y) Box(XElement element)
    {
        var shape = element.Name.LocalName == "g" ? element.Elements().First() : element;
        if (element.Name.LocalName == "text")
        {
            var x = Number(element, "x");
            return (x, x + element.Value.Length * LegendLetter, Number(element, "y"));
        }
        var (from, width, y) = shape.Name.LocalName switch
        {
            "rect" => (Number(shape, "x"), Number(shape, "width"), Number(shape, "y") + 9),
            "line" => (Number(shape, "x1"), Number(shape, "x2") - Number(shape, "x1"),
                Number(shape, "y2")),
            "circle" => (Number(shape, "cx") - 3, 6, Number(shape, "cy") + 4),
            "use" => (Number(shape, "x") - 4, 8, Number(shape, "y")),
            _ => (Number(element.Elements().Last(), "cx"), 18, Number(element.Elements().Last(), "cy")),
        };
        return (from, from + width, y);
    }

    private static string Class(XElement element) => (string?)element.Attribute("class") ?? "";

    private static double Number(XElement element, string name) =>
        double.Parse((string)element.Attribute(name)!, CultureInfo.InvariantCulture);

    private static XElement Draw(Scenario scenario)
    {
        var recorder = new StoryRecorder(scenario);
        recorder.Story.Conclude(ScenarioRun.Execute(scenario, recorder), Instant.Never);
        return XDocument.Parse(Picture.Svg(recorder.Story)).Root!;
    }
}
