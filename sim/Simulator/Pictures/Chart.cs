// Owns what all panels of a section share: the piece of time that it shows, the column of labels,
// the colours, how much is drawn one by one, and how times are written.
//
// What always holds: x grows with time; every panel starts at Y and moves it down by its height;
// what a panel leaves out or lumps together it says in Thinned.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Balancer.Core;

namespace Simulation.Pictures;

/// <summary>A section of a picture while it is drawn, from top to bottom.</summary>
internal sealed class Chart
{
    public const double Width = 1560;
    public const double Left = 218;
    public const double Right = 1530;

    /// <summary>How many backends have a colour to themselves.</summary>
    public const int Hues = 10;

    private static readonly long[] Steps =
    [
        1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
        1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000,
        200_000_000, 500_000_000, 1_000_000_000, 2_000_000_000, 5_000_000_000, 10_000_000_000,
        20_000_000_000, 30_000_000_000, 60_000_000_000, 120_000_000_000, 300_000_000_000,
    ];

    private Chart(Story story, SvgText svg, long from, long to, int coarseness)
    {
        Story = story;
        Svg = svg;
        From = from;
        To = to;
        Coarseness = coarseness;
    }

    public Story Story { get; }

    public SvgText Svg { get; }

    /// <summary>The words of all keys, drawn above the line of healing.</summary>
    public SvgText Legends { get; } = new();

    /// <summary>The ends of the time axis, in nanoseconds.</summary>
    public long From { get; }

    public long To { get; }

    /// <summary>0 draws as much as can be read; each step beyond it about half of that.</summary>
    public int Coarseness { get; }

    /// <summary>The top of the next panel.</summary>
    public double Y { get; set; }

    /// <summary>What is not drawn one by one, in words.</summary>
    public List<string> Thinned { get; } = [];

    /// <summary>All of a run, with a little room on both sides.</summary>
    public static Chart OfAll(Story story, SvgText svg, int coarseness)
    {
        var length = Math.Max(1_000_000, story.End.Nanoseconds);
        return new Chart(story, svg, -length / 200, length + length / 50, coarseness);
    }

    /// <summary>The last of a run, up to its last event.</summary>
    public static Chart OfLast(Story story, Duration length, SvgText svg, int coarseness)
    {
        var from = story.End.Nanoseconds - length.Nanoseconds;
        return new Chart(story, svg, from, story.End.Nanoseconds + length.Nanoseconds / 50,
            coarseness);
    }

    /// <summary>The same section in a text of its own, from a height on.</summary>
    public Chart Below(SvgText svg, double top) =>
        new(Story, svg, From, To, Coarseness) { Y = top };

    public double X(Instant at) => X(at.Nanoseconds);

    public double X(long nanoseconds) =>
        Left + (double)(nanoseconds - From) / (To - From) * (Right - Left);

    /// <summary>The end of something that may still go on.</summary>
    public Instant OrEnd(Instant at) => at == Instant.Never ? Story.End : at;

    /// <summary>Whether something that began and ended then is within the section.</summary>
    public bool Sees(Instant from, Instant to) =>
        OrEnd(to).Nanoseconds >= From && from.Nanoseconds <= To;

    public bool Sees(Instant at) => Sees(at, at);

    /// <summary>The style of a backend's colour.</summary>
    public static string Hue(int lane) => lane < 0 ? "none" : $"b{lane % Hues}";

    public string NameOf(int lane) => lane < 0 ? "no backend" : Story.Backends[lane].Name;

    /// <summary>A panel's heading, and what the words beside it say besides the key.</summary>
    public void Heading(string text, string explanation = "")
    {
        Y += 30;
        Svg.Text(24, Y, text, "heading");
        if (explanation.Length > 0)
            Svg.Text(Left, Y, explanation, "note");
        Y += 9;
    }

    /// <summary>A lane's label, in the column at the left.</summary>
    public void Label(double y, string text, string detail, string? title = null,
        bool hasSwatch = false, bool isBlamed = false)
    {
        if (hasSwatch)
            Svg.Rect(24, y - 9, 10, 10, "solid", round: 2);
        Svg.Text(hasSwatch ? 40 : 24, y,
            Fit((isBlamed ? "▸ " : "") + text, 34 - Math.Max(4, detail.Length)),
            isBlamed ? "label blamed" : "label", title);
        Svg.Text(Left - 10, y, Fit(detail, 20), "detail e", title);
    }

    /// <summary>The ground of a lane.</summary>
    public void Rail(double y, double height, bool isBlamed = false) => Svg.Rect(
        Left, y, Right - Left, height, isBlamed ? "rail blamed" : "rail");

    /// <summary>
    /// Items one by one if there are few, else the first of each so many pixels with how many
    /// there are; items must be in the order of their time.
    /// </summary>
    public IEnumerable<(T Item, int Count)> Spread<T>(
        IReadOnlyCollection<T> items, Func<T, Instant> at, string what)
    {
        const int Many = 500;
        if (items.Count <= Many >> Coarseness)
            return items.Select(item => (item, 1));
        Thinned.Add($"{Number(items.Count)} {what}");
        var pixels = 3 << Coarseness;
        return items.GroupBy(item => (long)Math.Floor(X(at(item)) / pixels))
            .Select(group => (group.First(), group.Count()));
    }

    public static string Fit(string text, int length) =>
        text.Length <= length ? text : text[..(length - 1)] + "…";

    /// <summary>Seconds, to as many places as the time needs: 12.345 s.</summary>
    public static string Time(Instant at) => at == Instant.Never
        ? "never"
        : (at.Nanoseconds / 1e9).ToString("0.000###", CultureInfo.InvariantCulture) + " s";

    /// <summary>The same to a thousandth, for what is not to be exact: 12.3 s.</summary>
    public static string Short(Instant at) =>
        (at.Nanoseconds / 1e9).ToString("0.###", CultureInfo.InvariantCulture) + " s";

    public static string Length(Duration time) => time.Nanoseconds switch
    {
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture,
            $"{time.Nanoseconds / 1e3:0.###} µs"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture,
            $"{time.Nanoseconds / 1e6:0.###} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.Nanoseconds / 1e9:0.###} s"),
    };

    public static string Number(long value) =>
        value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>A count with its noun: 1 fault, 2 faults.</summary>
    public static string Plural(long count, string what) =>
        $"{Number(count)} {what}{(count == 1 ? "" : "s")}";

    /// <summary>A round step for the time axis that gives 16 marks at most.</summary>
    public long Step() => StepFor(To - From, 16);

    public static long StepFor(long length, int most) =>
        Steps.FirstOrDefault(step => length / step <= most, Math.Max(1, length / 10));
}
