// The picture in a real browser: what must be there is there, visible, and in its place. Places are
// worked out from the scenario and from the ends of the time axis, and compared with where the
// browser put things on the screen.
//
// A run that passes is drawn by the built executable. The core has no bug to show a failure with,
// so the one that fails is watched in this process, by a check that never holds.

using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Balancer.Core;
using PuppeteerSharp;
using Simulation.Pictures;
using Simulation.Running;
using Simulation.Scenarios;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Pictures;

public sealed class PageTests(Browser browser) : IClassFixture<Browser>, IDisposable
{
    private const string Evidence = "model says 5301 & no other, actual <5302>";

    private static readonly string ScenarioPath =
        Path.Combine(AppContext.BaseDirectory, "Pictures", "two-backends.json");

    private static readonly Scenario Played = ScenarioFile.Read(File.ReadAllBytes(ScenarioPath));

    private readonly TestFolder _folder = new();
    private Instant _failedAt;

    public void Dispose() => _folder.Dispose();

    // ---- A run that passes ----

    [FactNeedingChromium]
    public async Task RunThatPasses_HasALaneForEachBackendAndClient() =>
        await browser.Look(Show(), async page =>
        {
            await AssertLanes(page, ".backend-lane", [.. Played.Backends.Select(b => b.Name)]);
            await AssertLanes(page, ".client-lane",
                [.. Played.UdpClients.Select(c => $"{c.Address}")]);
            await AssertLanes(page, ".tcp-lane",
                [.. Played.TcpClients.Select(c => $"{c.Address}:{c.Port}")]);
            Assert.Equal(2, await Count(page, ".tcp-lane .bar"));
            Assert.Equal(2, await Count(page, ".faults .fault"));
            Assert.Equal(1, await Count(page, ".client-lane .cross"));
            Assert.Contains("QueriesOversized",
                await Text(page, ".client-lane .tag:not(.off)"), StringComparison.Ordinal);
            Assert.Equal(0, await Count(page, ".violated"));
            Assert.Contains("every check held", await Text(page, ".title"),
                StringComparison.Ordinal);
        });

    [FactNeedingChromium]
    public async Task Query_IsAnArcInItsClientsLaneInItsBackendsColour() =>
        await browser.Look(Show(), async page =>
        {
            var arcs = await page.EvaluateFunctionAsync<Arc[]>("""
                () => [...document.querySelectorAll('.arc.q')].map(arc => {
                  const to = arc.getScreenCTM(), end = arc.getTotalLength();
                  const a = arc.getPointAtLength(0).matrixTransform(to);
                  const b = arc.getPointAtLength(end).matrixTransform(to);
                  const top = arc.getPointAtLength(end / 2).matrixTransform(to);
                  const lane = arc.closest('.client-lane');
                  const rail = lane.querySelector('.rail').getBoundingClientRect();
                  return { fromX: a.x, fromY: a.y, toX: b.x, toY: b.y, topY: top.y,
                    laneTop: rail.top, laneBottom: rail.bottom,
                    client: lane.querySelector('.label').lastChild.textContent,
                    colour: getComputedStyle(arc).stroke,
                    title: arc.parentNode.querySelector('title').textContent };
                })
                """);
            var colours = await page.EvaluateFunctionAsync<string[]>("""
                () => [...document.querySelectorAll('.backend-lane .solid')]
                  .map(swatch => getComputedStyle(swatch).fill)
                """);
            Assert.Equal(Played.Backends.Length, colours.Distinct().Count());
            Assert.Equal(Played.Backends.Length, arcs.Select(arc => arc.Colour).Distinct().Count());
            var asked = Played.UdpClients.SelectMany(client => client.Queries
                .Where(query => query.Kind == QueryKind.Question)
                .Select(query => (Client: $"{client.Address}", query.At))).ToArray();
            Assert.Equal(asked.Length, arcs.Length);
            for (var i = 0; i < arcs.Length; i++)
            {
                var (arc, answered) = (arcs[i], TimeAfter(arcs[i].Title, "answered after "));
                Assert.Equal(asked[i].Client, arc.Client);
                Near(await ScreenX(page, asked[i].At), arc.FromX);
                Near(await ScreenX(page, asked[i].At + answered), arc.ToX);
                Assert.InRange(arc.FromY, arc.LaneTop, arc.LaneBottom);
                Assert.InRange(arc.ToY, arc.LaneTop, arc.LaneBottom);
                Assert.InRange(arc.TopY, arc.LaneTop, arc.FromY - 8);
                var backend = Array.FindIndex([.. Played.Backends],
                    b => arc.Title.Contains($"to {b.Name} at", StringComparison.Ordinal));
                Assert.Equal(colours[backend], arc.Colour);
            }
        });

    [FactNeedingChromium]
    public async Task EndOfChaos_IsALineThroughAllPanels() =>
        await browser.Look(Show(), async page =>
        {
            var line = await Box(page, "line.healed");
            Near(await ScreenX(page, Played.HealAt), line.Middle);
            var first = await Box(page, ".faults");
            var last = await Box(page, ".curves");
            Assert.InRange(first.Y, line.Y, line.Bottom);
            Assert.InRange(last.Bottom, line.Y, line.Bottom + 10);
        });

    // ---- A run that fails ----

    [FactNeedingChromium]
    public async Task Violation_IsARedLineWithItsEvidenceBesideIt() =>
        await browser.Look(Failed(At(7)), async page =>
        {
            Assert.Equal(1, await Count(page, ".violated"));
            var line = await Box(page, ".violated");
            Near(await ScreenX(page, _failedAt), line.Middle);
            var stroke = await page.EvaluateExpressionAsync<string>(
                "getComputedStyle(document.querySelector('.violated')).stroke");
            Assert.Equal("rgb(207, 17, 36)", stroke);
            var flag = await Box(page, ".flag");
            Assert.InRange(flag.Y, line.Y, line.Bottom);
            Assert.InRange(Math.Min(Math.Abs(flag.X - line.Middle),
                Math.Abs(flag.X + flag.Width - line.Middle)), 0, 3);
            Assert.Equal(Evidence, await Text(page, ".evidence"));
            Assert.Contains("S2 routing violated at 7 s, backend 5302",
                await Text(page, ".title"), StringComparison.Ordinal);
            Assert.Contains("5302", await Text(page, ".backend-lane .blamed.label"),
                StringComparison.Ordinal);
        });

    [FactNeedingChromium]
    public async Task ViolationLongAfterTheStart_HasTheLastSecondsBeforeTheWhole() =>
        await browser.Look(Failed(At(11)), async page =>
        {
            Assert.Equal(2, await Count(page, ".section"));
            Assert.Equal(2, await Count(page, ".violated"));
            var last = await Box(page, ".section:nth-of-type(1) .axis");
            var whole = await Box(page, ".section:nth-of-type(2) .axis");
            Assert.True(last.Bottom < whole.Y);
            Near(await ScreenX(page, _failedAt, "nth-of-type(1)"),
                (await Box(page, ".section:nth-of-type(1) .violated")).Middle);
            Near(await ScreenX(page, _failedAt, "nth-of-type(2)"),
                (await Box(page, ".section:nth-of-type(2) .violated")).Middle);
        });

    // ---- What the page does ----

    [FactNeedingChromium]
    public async Task Pointer_ShowsTheEventThatItIsOn() =>
        await browser.Look(Failed(At(7)), async page =>
        {
            var dot = await Box(page, ".client-lane .dot");
            await page.Mouse.MoveAsync((decimal)dot.Middle, (decimal)(dot.Y + dot.Height / 2));
            Assert.Matches(
                "^2.000 s: 10.1.1.1:4000 sent query 0, 40 bytes, to 530[12] at .*, answered after ",
                await Text(page, "#tip:not([hidden])"));
            var line = await Box(page, ".violated");
            await page.Mouse.MoveAsync((decimal)line.Middle, (decimal)(line.Bottom - 4));
            Assert.Contains(Evidence, await Text(page, "#tip:not([hidden])"),
                StringComparison.Ordinal);
        });

    [FactNeedingChromium]
    public async Task DraggingOverTime_StretchesItUntilADoubleClick() =>
        await browser.Look(Show(), async page =>
        {
            var before = await Box(page, "line.healed");
            var (from, to) = (await ScreenX(page, At(5)), await ScreenX(page, At(7)));
            var y = (decimal)(before.Y + 20);
            await page.Mouse.MoveAsync((decimal)from, y);
            await page.Mouse.DownAsync();
            await page.Mouse.MoveAsync((decimal)to, y);
            await page.Mouse.UpAsync();
            var rail = await Box(page, ".rail");
            // 6 s is now in the middle of what is seen; pointers stand on whole pixels.
            Near(rail.Middle, (await Box(page, "line.healed")).Middle, 4);
            Assert.Contains("5.4 s", await Text(page, ".axis"), StringComparison.Ordinal);
            await page.Mouse.ClickAsync((decimal)rail.Middle + 40, y,
                new PuppeteerSharp.Input.ClickOptions { Count = 2 });
            Near(before.Middle, (await Box(page, "line.healed")).Middle);
        });

    // ---- Pages ----

    /// <summary>The stored scenario as the built executable shows it.</summary>
    private string Show()
    {
        using var sim = new ManagedProcess(
            Places.Sim, ["show", ScenarioPath, "--html", _folder["page.html"]]);
        Assert.True(sim.WaitForExit() == 0, sim.Tail());
        return _folder["page.html"];
    }

    /// <summary>The same, ended by a check in the first turn from an instant on.</summary>
    private string Failed(Instant at)
    {
        var recorder = new StoryRecorder(Played);
        recorder.Story.Result = ScenarioRun.Execute(Played, recorder, new NeverHolds(at));
        _failedAt = recorder.Story.Violation!.At;
        File.WriteAllText(_folder["page.html"], HtmlPage.Of(recorder.Story));
        return _folder["page.html"];
    }

    private sealed class NeverHolds(Instant at) : RunObserver
    {
        public override void OnTurnEnded(Instant now, LoadBalancer core)
        {
            if (now >= at)
                throw new ViolationException("S2", now, Evidence, backend: 1);
        }
    }

    private static Instant At(double seconds) => Instant.Zero + Duration.FromSeconds(seconds);

    // ---- Looking ----

    /// <summary>
    /// Lanes with these labels in this order, all of them seen, none over another.
    /// </summary>
    private static async Task AssertLanes(IPage page, string lanes, string[] labels)
    {
        var names = await page.EvaluateFunctionAsync<string[]>("""
            lanes => [...document.querySelectorAll(lanes + ' .label')]
              .map(label => label.lastChild.textContent)
            """, lanes);
        Assert.Equal(labels, names);
        var boxes = await page.EvaluateFunctionAsync<Box[]>("""
            lanes => [...document.querySelectorAll(lanes + ' > .rail')].map(rail => {
              const { x, y, width, height } = rail.getBoundingClientRect();
              return { x, y, width, height };
            })
            """, lanes);
        var all = await Box(page, "svg");
        var end = all.Y;
        Assert.Equal(labels.Length, boxes.Length);
        foreach (var box in boxes)
        {
            Assert.True(box is { Width: > 1000, Height: > 15 }, $"{lanes}: {box}");
            Assert.InRange(box.X, all.X, all.X + all.Width - box.Width);
            Assert.InRange(box.Y, end, all.Bottom - box.Height);
            end = box.Bottom;
        }
    }

    /// <summary>Where an instant is on the screen, by the ends of a section's time axis.</summary>
    private static async Task<double> ScreenX(
        IPage page, Instant at, string section = "first-of-type") =>
        await page.EvaluateFunctionAsync<double>("""
            (at, section) => {
              const svg = document.querySelector('svg'), box = svg.getBoundingClientRect();
              const { from, to } = document.querySelector('.section:' + section).dataset;
              const { left, right } = document.body.dataset;
              const share = (at - from) / (to - from);
              return box.x + (+left + share * (right - left)) * box.width
                / svg.viewBox.baseVal.width;
            }
            """, at.Nanoseconds, section);

    private static async Task<Box> Box(IPage page, string selector) =>
        await page.EvaluateFunctionAsync<Box>("""
            selector => {
              const { x, y, width, height } =
                document.querySelector(selector).getBoundingClientRect();
              return { x, y, width, height };
            }
            """, selector);

    private static async Task<int> Count(IPage page, string selector) =>
        await page.EvaluateFunctionAsync<int>(
            "selector => document.querySelectorAll(selector).length", selector);

    private static async Task<string> Text(IPage page, string selector) =>
        await page.EvaluateFunctionAsync<string>(
            "selector => document.querySelector(selector)?.textContent ?? 'nothing'", selector);

    private static void Near(double expected, double actual, double within = 1.5) =>
        Assert.InRange(actual, expected - within, expected + within);

    /// <summary>A time in a title, such as: answered after 400 ms.</summary>
    private static Duration TimeAfter(string title, string words)
    {
        var at = title.IndexOf(words, StringComparison.Ordinal);
        Assert.True(at >= 0, title);
        var parts = title[(at + words.Length)..].Split(' ');
        var value = double.Parse(parts[0], CultureInfo.InvariantCulture);
        return Duration.FromSeconds(value * parts[1] switch
        {
            "s" => 1,
            "ms" => 1e-3,
            _ => 1e-6,
        });
    }
}

/// <summary>Where something is on the screen, in pixels.</summary>
public sealed record Box(double X, double Y, double Width, double Height)
{
    public double Bottom => Y + Height;

    public double Middle => X + Width / 2;
}

/// <summary>An arc on the screen, with its ends and its lane.</summary>
public sealed record Arc(
    double FromX, double FromY, double ToX, double ToY, double TopY, double LaneTop,
    double LaneBottom, string Client, string Colour, string Title);
